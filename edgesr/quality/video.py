"""A model on a video: speed, pixels against the truth, flicker, and how its text is read.

Every frame is upscaled, so that speed and flicker are those of the whole clip; pixels and text are
scored on some of them. Memory is that of a few frames, whatever the length.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from edgesr.data.footage_text import read_text_track
from edgesr.data.frames import Clip, Damage, Frame, probe_clip, read_frames
from edgesr.errors import InputError, UsageError
from edgesr.quality.cores import usable_cores
from edgesr.quality.evaluate import TRUTH
from edgesr.quality.flicker import STILL_STEPS, FlickerMeter
from edgesr.quality.metrics import PROTOCOL
from edgesr.quality.readability import ReadabilityBenchmark
from edgesr.quality.reader import describe, open_reader
from edgesr.quality.runners import Runner, RunnerOptions, open_runner_with
from edgesr.quality.text import IGNORED_CASE, TEXT_PROTOCOL, Reference
from edgesr.quality.video_frames import Sampling, TruthFrames, of_one_size
from edgesr.quality.video_result import FrameScore, VideoEvaluation
from edgesr.quality.video_score import FrameScorer, Sample
from edgesr.quality.video_speed import Stopwatch

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class VideoRequest:
    """What to evaluate, on what."""

    model: str
    """As `runners.open_runner` takes it, or ``truth``: the high-res frames themselves."""
    video: Path
    """The small clip."""
    truth: Path | None = None
    """The high-res clip; its frames belong to those of the same time."""
    text: Path | None = None
    """A table as `footage_text.read_text_track` takes it."""
    every: int | None = None
    """Pixels and text are scored on every n-th frame; None takes about one a second."""
    runner: RunnerOptions = field(default_factory=RunnerOptions)
    """Without a scale, ``bicubic`` and ``truth`` take that of the truth."""
    ocr: str | None = None
    """Engine that reads the frames, as `ocr.open_engine` takes it; None reads nothing."""
    ignore_case: bool = False
    """Whether a capital read as a small letter is no error."""
    fresh: bool = False
    """Read anew what the cache holds."""

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise UsageError(f"every {self.every}th frame makes no sense", hint="say 1 or more")
        if self.model == TRUTH and self.truth is None:
            raise UsageError("there is no truth to show", hint="add --truth CLIP")
        if self.ocr is not None and self.text is None and self.truth is None:
            raise UsageError(
                "there is nothing to compare what is read with",
                hint="add --text text.csv, or --truth CLIP",
            )


@dataclass
class _Walk:
    """What goes along with the frames."""

    runner: Runner | None
    """None where the truth is shown."""
    truth: TruthFrames | None
    sampling: Sampling
    scorer: FrameScorer
    watch: Stopwatch = field(default_factory=Stopwatch)
    meter: FlickerMeter = field(default_factory=FlickerMeter)
    damage: Damage = field(default_factory=Damage)

    def step(self, index: int, frame: Frame) -> None:
        """Upscales one frame and adds it to all figures; without its truth only to the speed."""
        runner = self.runner
        sr = self.watch.upscaled(lambda: runner.upscale(frame.image)) if runner else None
        truth = self.truth.at(frame.time_s) if self.truth else None
        known = self.sampling.text_at(frame.time_s)
        shown = truth if runner is None else sr
        if shown is None or (self.truth is not None and truth is None):
            self.meter.skip()
            return
        self.meter.add(shown, frame.image, truth)
        if self.sampling.takes(index, known):
            self.scorer.add(Sample(index, frame.time_s, shown, truth, known))


def evaluate_video(request: VideoRequest, progress: Progress | None = None) -> VideoEvaluation:
    """Upscales a clip frame by frame and scores it.

    Args:
        request: Model, clip, truth and text.
        progress: Called after every frame.

    Raises:
        UsageError: When a scale is missing or isn't the model's, or no OCR engine has that name.
        MissingExtraError: When the OCR engine is not installed.
        InputError: When a model, a clip or the table can't be read, or they don't fit together.
    """
    track = read_text_track(request.text) if request.text else None
    clip = probe_clip(request.video)
    large = probe_clip(request.truth) if request.truth else None
    every = request.every or max(1, round(float(clip.fps)))
    with ExitStack() as stack:
        runner, scale = _open(request, clip, large)
        reader = _reader(request, stack)
        scorer = stack.enter_context(
            FrameScorer(
                scale,
                reader,
                with_text=track is not None,
                workers=request.runner.threads or usable_cores(),
            )
        )
        truth = TruthFrames(large, clip, scale) if large else None
        walk = _Walk(runner, truth, Sampling(every, track, clip), scorer)
        frames = of_one_size(read_frames(clip.path, walk.damage), clip)
        for index, frame in enumerate(walk.watch.decoded(frames)):
            walk.step(index, frame)
            if progress:
                progress(clip.path.name, index + 1, max(index + 1, clip.frames or 0))
        _check_matches(request, walk)
        scores = scorer.finish()
    protocol = _protocol(request, runner, scale) | _frames_protocol(walk, every, scores)
    if reader is not None:
        protocol["ocr"] = _ocr_protocol(reader, scores)
    speed = walk.watch.speed(float(clip.fps), threads=request.runner.threads, cores=usable_cores())
    return VideoEvaluation(protocol, scores, walk.meter.result(), speed)


def _open(request: VideoRequest, clip: Clip, large: Clip | None) -> tuple[Runner | None, int]:
    """The model and its scale; no model where the truth is shown."""
    options = request.runner
    if request.model in ("bicubic", TRUTH) and options.scale is None and large is not None:
        scale = large.height // clip.height
        if scale < 2:
            raise InputError(
                f"{large.path} is not larger than {clip.path}", hint="are both clips mixed up?"
            )
        options = replace(options, scale=scale)
    if request.model == TRUTH:
        return None, options.scale or 1
    runner = open_runner_with(request.model, options)
    return runner, runner.scale


def _reader(request: VideoRequest, stack: ExitStack) -> ReadabilityBenchmark | None:
    if request.ocr is None:
        return None
    engine = stack.enter_context(
        open_reader(request.ocr, request.runner.threads, fresh=request.fresh)
    )
    return ReadabilityBenchmark(engine, ignore_case=request.ignore_case)


def _check_matches(request: VideoRequest, walk: _Walk) -> None:
    """Files that belong to another clip match nothing."""
    if walk.truth is not None and not walk.truth.matched:
        raise InputError(
            f"no frame of {request.truth} has the time of a frame of {request.video}",
            hint="both clips have to start at the same moment; is it another clip's truth?",
        )
    if request.text is not None and not walk.sampling.matched:
        raise InputError(
            f"no row of {request.text} has the time of a frame of {request.video}",
            hint="time_s counts seconds from the clip's beginning; is it another clip's text?",
        )


def _protocol(request: VideoRequest, runner: Runner | None, scale: int) -> dict[str, Any]:
    return {
        **PROTOCOL,
        "model": request.model,
        "model_sha256": runner.sha256 if runner else None,
        "model_notes": list(runner.notes) if runner else ["the high-res frames themselves"],
        "video": str(request.video),
        "truth": str(request.truth) if request.truth else None,
        "text": str(request.text) if request.text else None,
        "scale": scale,
        "border_crop_px": scale,
    }


def _frames_protocol(walk: _Walk, every: int, scores: Sequence[FrameScore]) -> dict[str, Any]:
    flicker = walk.meter.result()
    still = "the source enlarged bicubically" if walk.truth is None else "the truth"
    return {
        "frames_scored": len(scores),
        "frames_chosen": f"every {every}th, and one of each slide that has no fully visible text"
        " on these",
        "frames_with_truth": walk.truth.matched if walk.truth else None,
        "frames_with_text": walk.sampling.matched,
        "matching": "the nearest in time, within half a frame",
        "damage": str(walk.damage) or None,
        "truth_damage": (str(walk.truth.damage) or None) if walk.truth else None,
        "mean": "over scored frames with a value; an infinite PSNR (null) is left out",
        "interval": "95 %, bootstrap over slides, percentiles expanded as Student's t is; none"
        " where slides are not known, since frames of one slide are not independent",
        "flicker": "mean |change of Y| between consecutive frames over all pixels that stand still,"
        " 8-bit steps (warping error of Lai et al. 2018 with zero flow, absolute)",
        "flicker_still": f"luma of {still} changes by at most {STILL_STEPS:g} step",
        "flicker_still_share": flicker.still_share,
        "flicker_pairs": flicker.pairs,
        "flicker_bicubic": "the source enlarged by Pillow's bicubic, over the same pixels",
    }


def _ocr_protocol(reader: ReadabilityBenchmark, scores: Sequence[FrameScore]) -> dict[str, Any]:
    references = Counter(one.reading.score.reference for one in scores if one.reading)
    text = TEXT_PROTOCOL | ({"case": IGNORED_CASE} if reader.ignore_case else {})
    return {
        **describe(reader.engine),
        **text,
        "frames": "scored ones whose text is fully visible, where a table tells it; else all",
        "references": {kind: references[kind] for kind in get_args(Reference)},
    }

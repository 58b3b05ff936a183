"""Metrics of one model over pairs of images, with the protocol they were taken by."""

from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from edgesr.data.images import RgbImage, read_image, write_png
from edgesr.data.pairs import Pair, pairs_from
from edgesr.errors import ImageError, PairsError
from edgesr.files import sha256_file
from edgesr.quality.cores import usable_cores
from edgesr.quality.evaluation import Evaluation, ImageScore, worst
from edgesr.quality.memo import evaluation_key, recall, remember
from edgesr.quality.metrics import PROTOCOL, psnr_y, ssim_y
from edgesr.quality.ocr import engine_version
from edgesr.quality.readability import ReadabilityBenchmark
from edgesr.quality.reader import describe, open_reader
from edgesr.quality.runners import Runner, RunnerOptions, open_runner_with
from edgesr.quality.text import IGNORED_CASE, TEXT_PROTOCOL, Reference

Progress = Callable[[str, int, int], None]

TRUTH = "truth"
"""The model that shows the high-res image itself: what could be reached at best."""
WORST = 3
"""How many pictures of images that were read badly are drawn."""


@dataclass(frozen=True)
class EvalRequest:
    """What to evaluate, on what."""

    model: str
    """As `runners.open_runner` takes it, or ``truth``."""
    pairs: Path
    """A pairs.csv, or a folder that holds one."""
    runner: RunnerOptions = field(default_factory=RunnerOptions)
    """Without a scale, ``bicubic`` and ``truth`` take that of the first pair."""
    save: Path | None = None
    """Folder for the upscaled images as PNG; None keeps none."""
    ocr: str | None = None
    """Engine that reads the upscaled images, as `ocr.open_engine` takes it; None reads nothing."""
    ignore_case: bool = False
    """Whether a capital read as a small letter is no error."""
    lpips: Path | None = None
    """Weights of LPIPS; None leaves it out."""
    worst: Path | None = None
    """Folder for a picture of each of the images that were read worst; None draws none."""
    fresh: bool = False
    """Measure and read anew, whatever is kept of an earlier call; this one is kept instead."""


class _Truth:
    """Stands where a runner does and shows the truth."""

    sha256: str | None = None
    notes: tuple[str, ...] = ("the high-res images themselves",)

    def __init__(self, scale: int) -> None:
        self.scale = scale


@dataclass(frozen=True)
class _Judges:
    """What scores one upscaled image; used from several threads."""

    reader: ReadabilityBenchmark | None
    lpips: Callable[[RgbImage, RgbImage], float] | None

    def score(self, pair: Pair, sr: RgbImage, hr: RgbImage, scale: int) -> ImageScore:
        try:
            psnr, ssim = psnr_y(sr, hr, scale), ssim_y(sr, hr, scale)
        except ImageError as error:
            hint = "take its row out of the pairs.csv"
            raise ImageError(f"{pair.hr}: {error}", hint=hint) from error
        lpips = self.lpips(sr, hr) if self.lpips else None
        reading = self.reader.read(sr, text=pair.text, hr=hr) if self.reader else None
        return ImageScore(pair.name, psnr, ssim, lpips, reading)


def evaluate(request: EvalRequest, progress: Progress | None = None) -> Evaluation:
    """Upscales the low-res image of every pair and compares it with the high-res one.

    A high-res image that is larger by less than one low-res pixel is cut at the right and the
    bottom, as the literature does for sizes that the scale doesn't divide. Images are upscaled one
    after the other and scored side by side, one core each. An evaluation that was made before is
    taken from the user's cache; see `memo`.

    Args:
        request: Model and pairs.
        progress: Called after every image.

    Raises:
        UsageError: When a scale is missing or isn't the model's, or no OCR engine has that name.
        MissingExtraError: When the OCR engine is not installed.
        InputError: When a model, an image or the pairs can't be read or don't fit together.
        StoreError: When an image can't be saved.
    """
    pairs = pairs_from(request.pairs)
    options = (request.runner, request.ignore_case, request.ocr and engine_version(request.ocr))
    lpips = request.lpips and sha256_file(request.lpips)
    key = evaluation_key(pairs, request.model, (*options, lpips))
    asked_to_run = request.fresh or request.save or request.worst
    known = None if asked_to_run else recall(key)
    if known is not None:
        return replace(known, protocol=known.protocol | {"pairs": str(request.pairs)})
    evaluation = _evaluate(request, pairs, progress)
    remember(key, evaluation)
    return evaluation


def _evaluate(request: EvalRequest, pairs: Sequence[Pair], progress: Progress | None) -> Evaluation:
    with ExitStack() as stack:
        judges = _judges(request, stack)
        runner = _open(request, pairs[0])
        images = []
        with closing(_scores(pairs, runner, request, judges)) as scores:  # also by Ctrl-C
            for score in scores:
                images.append(score)
                if progress is not None:
                    progress(score.name, len(images), len(pairs))
        protocol = _protocol(request, runner)
        if judges.reader is not None:
            protocol["ocr"] = _ocr_protocol(judges.reader, images)
        if request.worst is not None:
            _draw_worst(pairs, images, runner, request)
    return Evaluation(protocol, tuple(images))


def _judges(request: EvalRequest, stack: ExitStack) -> _Judges:
    reader = lpips = None
    if request.ocr is not None:
        engine = stack.enter_context(
            open_reader(request.ocr, request.runner.threads, fresh=request.fresh)
        )
        reader = ReadabilityBenchmark(engine, ignore_case=request.ignore_case)
    if request.lpips is not None:
        from edgesr.quality.lpips import Lpips

        lpips = Lpips(request.lpips).distance
    return _Judges(reader, lpips)


def _scores(
    pairs: Sequence[Pair], runner: Runner | _Truth, request: EvalRequest, judges: _Judges
) -> Generator[ImageScore, None, None]:
    """Scores in the pairs' order; at most two images per core wait in memory."""
    workers = request.runner.threads or usable_cores()
    pending: deque[Future[ImageScore]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="edgesr-eval")
    try:
        for pair in pairs:
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
            sr, hr = _upscaled(pair, runner)
            if request.save is not None:
                write_png(request.save / f"{pair.name}.png", sr)
            pending.append(pool.submit(judges.score, pair, sr, hr, runner.scale))
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _upscaled(pair: Pair, runner: Runner | _Truth) -> tuple[RgbImage, RgbImage]:
    lr, hr = read_image(pair.lr), read_image(pair.hr)
    hr = _cut_to_scale(pair, lr, hr, runner.scale)
    return (hr if isinstance(runner, _Truth) else runner.upscale(lr)), hr


def _open(request: EvalRequest, first: Pair) -> Runner | _Truth:
    options = request.runner
    if request.model in ("bicubic", TRUTH) and options.scale is None:
        lr, hr = read_image(first.lr), read_image(first.hr)
        scale = hr.shape[0] // lr.shape[0]
        if scale < 2:
            raise PairsError(f"{first.name}: {first.hr} is not larger than {first.lr}")
        options = replace(options, scale=scale)
    if request.model == TRUTH:
        return _Truth(options.scale or 1)
    return open_runner_with(request.model, options)


def _cut_to_scale(pair: Pair, lr: RgbImage, hr: RgbImage, scale: int) -> RgbImage:
    height, width = lr.shape[0] * scale, lr.shape[1] * scale
    excess = (hr.shape[0] - height, hr.shape[1] - width)
    if any(not 0 <= pixels < scale for pixels in excess):
        raise PairsError(
            f"{pair.name}: {pair.hr} is {hr.shape[0]}x{hr.shape[1]} pixels, the model makes"
            f" {height}x{width} (x{scale}) of {pair.lr}",
            hint=f"give pairs of scale {scale}, or a model of the pairs' scale",
        )
    return hr[:height, :width]


def _draw_worst(
    pairs: Sequence[Pair],
    images: Sequence[ImageScore],
    runner: Runner | _Truth,
    request: EvalRequest,
) -> None:
    from edgesr.quality.worst import draw_reading

    by_name = {pair.name: pair for pair in pairs}
    for rank, image in enumerate(worst(images, WORST), start=1):
        if image.reading is not None and request.worst is not None:
            sr, hr = _upscaled(by_name[image.name], runner)
            picture = draw_reading(sr, hr, image.reading, ignore_case=request.ignore_case)
            write_png(request.worst / f"{rank}-{image.name}.png", picture)


def _protocol(request: EvalRequest, runner: Runner | _Truth) -> dict[str, Any]:
    protocol = {
        **PROTOCOL,
        "model": request.model,
        "model_sha256": runner.sha256,
        "model_notes": list(runner.notes),
        "pairs": str(request.pairs),
        "scale": runner.scale,
        "border_crop_px": runner.scale,
        "hr_cut": "right and bottom, to scale times the low-res size",
        "mean": "over images; an infinite PSNR (null, identical images) is left out",
        "interval": "95 %, bootstrap over images, percentiles expanded as Student's t is",
    }
    if request.lpips is not None:
        protocol["lpips_sha256"] = sha256_file(request.lpips)
    return protocol


def _ocr_protocol(reader: ReadabilityBenchmark, images: Sequence[ImageScore]) -> dict[str, Any]:
    references = Counter(image.reading.score.reference for image in images if image.reading)
    text = TEXT_PROTOCOL | ({"case": IGNORED_CASE} if reader.ignore_case else {})
    return {
        **describe(reader.engine),
        **text,
        "references": {kind: references[kind] for kind in get_args(Reference)},
        "mean": "over images; those without text (reference none) are left out",
    }

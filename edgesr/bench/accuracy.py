"""The accuracy pass: the device enlarges held-out pictures, and its own pixels are scored."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.bench.argv import ONCE, Launch
from edgesr.bench.enlarge import AccuracyFailedError, Launcher, PixelsNotFiniteError, enlarge
from edgesr.bench.launch import Station
from edgesr.bench.legibility import Pending
from edgesr.bench.pictures import Pictures
from edgesr.bench.reference import Difference, Maker, References, Values
from edgesr.bench.scenes import Scene
from edgesr.bench.scores import PictureScore, quality_part, text_part
from edgesr.data.images import write_png
from edgesr.errors import InputError
from edgesr.files import write_text
from edgesr.quality.metrics import PROTOCOL
from edgesr.quality.pixels import to_pixels
from edgesr.results.records import Accuracy, Job, OcrEngine
from edgesr.results.store import Candidate, RunFolder

__all__ = ["AccuracyFailedError", "Pass", "PixelsNotFiniteError", "Scorer", "floor_db"]

PICTURED = 2
"""Pairs of each scale and input size of which pictures are kept."""

_FLOOR_DB = 40.0
"""Against the fp32 reference no variant has to come closer: fp16 arithmetic on a GPU may not."""
_MARGIN_DB = 3.0
"""The pictures of a bench are others than those on which the variant's parity was checked."""
_WAITING = 4
"""Pictures that wait to be read while the device goes on: more would only fill the memory."""


@dataclass(frozen=True)
class Pass:
    """What all jobs of a run share."""

    pictures: Pictures
    run: RunFolder
    candidates: Sequence[Candidate]
    """Where the fp32 reference is looked for."""
    reference: Station | None
    """The machine that makes the reference's pixels with plain kernels; None where there is no
    program for that."""
    timeout_s: float
    """Total time for one tile."""


class Scorer:
    """Scores jobs; may be used from several threads.

    Args:
        shared: What all jobs have in common.
    """

    def __init__(self, shared: Pass) -> None:
        self._pass, self._pictures = shared, shared.pictures
        self._folder = TemporaryDirectory(prefix="edgesr-reference-")
        maker = Maker(shared.reference, shared.timeout_s, Path(self._folder.name))
        self._references = References(shared.pictures, shared.candidates, maker)

    def close(self) -> None:
        """Deletes the reference's pixels."""
        self._folder.cleanup()

    def why_none(self, candidate: Candidate) -> str:
        """Why there is no picture to score a candidate on."""
        scenes, most = self._pictures.scenes, self._pictures.scoring.launches
        if scenes.available(candidate):
            return f"every picture takes more than {most} launches: see --accuracy-launches"
        return "no pair fits this candidate's scale and input size"

    def score(
        self,
        station: Station,
        job: Job,
        candidate: Candidate,
        tell: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Accuracy | None:
        """Runs every chosen picture through the job's delegate.

        Args:
            station: The device.
            job: What to run there.
            candidate: The job's.
            tell: Called with (pictures done, pictures in all).

        Returns:
            The means over the pictures, None when no pair fits the candidate.

        Raises:
            AccuracyFailedError: When a launch fails, its output is wrong, or it can't be read.
            TransportError: When the way to the device breaks.
        """
        scenes = self._pictures.scenes.of(candidate)
        if not scenes:
            return None
        base = Launch("", job.delegate, job.threads, ONCE, compiled=station.compiled(job))
        launcher = Launcher(
            station, base, f"pixels-{job.key}", self._pass.timeout_s, Path(self._folder.name)
        )
        seen = _Seen(self._references.of(candidate))
        with seen.all_read():
            for number, scene in enumerate(scenes):
                tell(number, len(scenes))
                with _naming(scene.pair.name):
                    values = enlarge(launcher, candidate, scene.low())
                    self._look(seen, scene, values)
                if number < PICTURED:
                    self._keep(scene, job, to_pixels(values))
        return self._accuracy(job, candidate, seen)

    def _look(self, seen: "_Seen", scene: Scene, values: Values) -> None:
        """Scores one picture and begins to read it."""
        pixels, baseline = to_pixels(values), self._pictures.baseline(scene)
        theirs = seen.reference and self._references.look(seen.reference, scene)
        seen.reference = seen.reference if theirs else None
        if theirs:
            seen.difference.add(values, theirs.values)
        reading, judge = baseline.bicubic.reading, self._pictures.judge
        score = PictureScore(
            scene.pair.name,
            *scene.score(pixels),
            bicubic=reading.score if reading else None,
            reference=theirs.text if theirs else None,
        )
        wanted = baseline.wanted
        seen.add(score, judge.begin(pixels, wanted) if judge and wanted else None)

    def _accuracy(self, job: Job, candidate: Candidate, seen: "_Seen") -> Accuracy:
        judge, scored, difference = self._pictures.judge, seen.scores, seen.difference
        text: dict[str, Any] = text_part(scored)
        if text and judge is not None:
            text["ocr"] = OcrEngine.model_validate(judge.engine())
        compared = difference.pictures == len(scored)
        return Accuracy(
            **quality_part(scored),
            reference_psnr_db=difference.psnr_db() if compared else None,
            reference_max_abs=difference.largest if compared else None,
            floor_db=floor_db(candidate) if compared else None,
            images=len(scored),
            images_of=self._pictures.scenes.available(candidate),
            protocol=PROTOCOL["name"],
            per_image=self._write(job, scored),
            **text,
        )

    def _write(self, job: Job, scored: Sequence[PictureScore]) -> str:
        """The figures of each picture; gives the file's place in the run folder."""
        judge, path = self._pictures.judge, f"accuracy/{job.key}.json"
        tree = {
            "job": job.to_dict(),
            "protocol": PROTOCOL,
            **({"ocr": judge.protocol()} if judge else {}),
            "images": [one.to_dict() for one in scored],
        }
        text = json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
        write_text(self._pass.run.path / path, text)
        return path

    def _keep(self, scene: Scene, job: Job, pixels: NDArray[np.uint8]) -> None:
        folder = self._pass.run.path / "accuracy" / scene.folder
        makers: dict[str, Callable[[], NDArray[np.uint8]]] = {
            "lr": scene.low,
            "hr": scene.truth,
            "bicubic": scene.bicubic,
        }
        for name, make in makers.items():
            if not (folder / f"{name}.png").is_file():
                write_png(folder / f"{name}.png", make())
        write_png(folder / f"{job.key}.png", pixels)


def floor_db(candidate: Candidate) -> float:
    """PSNR against the fp32 reference below which a candidate's pixels are wrong, dB.

    What its variant had to reach against the checkpoint, 40 dB at most, less 3 dB.
    """
    return min(candidate.manifest.parity.floor_db, _FLOOR_DB) - _MARGIN_DB


@dataclass
class _Seen:
    """What came of a job's pictures so far."""

    reference: Candidate | None
    """None also from the first picture on that it can't give."""
    difference: Difference = field(default_factory=Difference)
    scores: list[PictureScore] = field(default_factory=list)
    _pending: dict[int, Pending] = field(default_factory=dict)
    """Place in ``scores`` -> its reading."""

    def add(self, score: PictureScore, pending: Pending | None) -> None:
        self.scores.append(score)
        if pending is not None:
            self._pending[len(self.scores) - 1] = pending
        if len(self._pending) > _WAITING:
            self._settle(next(iter(self._pending)))

    @contextlib.contextmanager
    def all_read(self) -> Iterator[None]:
        """Leaves no reading behind: a timed launch may follow, which it would disturb."""
        try:
            yield
            for place in list(self._pending):
                self._settle(place)
        except Exception:
            for finish in self._pending.values():
                with contextlib.suppress(InputError):
                    finish()
            raise

    def _settle(self, place: int) -> None:
        score, finish = self.scores[place], self._pending.pop(place)
        with _naming(score.name):
            self.scores[place] = replace(score, reading=finish())


@contextlib.contextmanager
def _naming(picture: str) -> Iterator[None]:
    """Says which picture failed.

    Raises:
        AccuracyFailedError: For whatever concerns this picture.
    """
    try:
        yield
    except PixelsNotFiniteError as error:
        raise PixelsNotFiniteError(f"{picture}: {error}") from error
    except (AccuracyFailedError, InputError) as error:
        raise AccuracyFailedError(f"{picture}: {error}") from error

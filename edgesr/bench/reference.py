"""The fp32 reference: a candidate's checkpoint in fp32 on plain kernels, on the same pictures."""

import hashlib
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.bench.argv import ONCE, Launch
from edgesr.bench.delegates import unavailable
from edgesr.bench.enlarge import AccuracyFailedError, Launcher, enlarge
from edgesr.bench.launch import Station
from edgesr.bench.pictures import Pictures
from edgesr.bench.scenes import Scene
from edgesr.files import store_errors
from edgesr.quality.pixels import to_pixels
from edgesr.quality.text import TextScore
from edgesr.results.store import Candidate

Values = NDArray[np.floating[Any]]
"""H,W,3 in 0..1, not clipped."""


@dataclass(frozen=True)
class Look:
    """The reference's version of one picture."""

    values: Values
    text: TextScore | None
    """How it is read; None where there is nothing to read."""


@dataclass(frozen=True)
class Maker:
    """Where and how the references' pixels are made."""

    station: Station | None
    """A machine with plain kernels; None where there is no program for that."""
    timeout_s: float
    """Total time for one tile."""
    folder: Path
    """Keeps them for the run."""


class References:
    """The references of a run, each picture made and read once; may be used from several threads.

    Args:
        pictures: What is looked at.
        candidates: Where an fp32 candidate is looked for.
        maker: What makes the pixels.
    """

    def __init__(self, pictures: Pictures, candidates: Sequence[Candidate], maker: Maker) -> None:
        self._pictures, self._candidates, self._maker = pictures, candidates, maker
        self._read: dict[str, TextScore | None] = {}
        self._one_at_a_time = threading.Lock()  # phones are measured in parallel

    def of(self, candidate: Candidate) -> Candidate | None:
        """The fp32 candidate of the same checkpoint, scale and input size."""
        wanted, station = candidate.manifest, self._maker.station
        if station is None or unavailable("cpu", "host", station.tool.family) is not None:
            return None
        for other in (candidate, *self._candidates):
            found = other.manifest
            same = found.source.sha256 == wanted.source.sha256
            same = same and found.inputs[0].shape == wanted.inputs[0].shape
            if found.variant == "fp32" and same and found.model.scale == wanted.model.scale:
                return other
        return None

    def look(self, reference: Candidate, scene: Scene) -> Look | None:
        """One picture; None where the plain kernels fail or take too long.

        Raises:
            InputError: When the OCR engine fails.
        """
        with self._one_at_a_time:
            name = f"{reference.manifest.short_id}-{scene.folder}"
            values = self._values(name, reference, scene)
            if values is None:
                return None
            if name not in self._read:
                self._read[name] = self._text(scene, values)
            return Look(values, self._read[name])

    def _values(self, name: str, reference: Candidate, scene: Scene) -> Values | None:
        path = self._maker.folder / f"{name}.npy"
        if path.is_file():
            known: Values = np.load(path)
            return known
        station, timeout_s = self._maker.station, self._maker.timeout_s
        if station is None:
            return None
        turn = f"reference-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        launch = Launch("", "cpu", 1, ONCE)
        launcher = Launcher(station, launch, turn, timeout_s, self._maker.folder)
        try:
            made = enlarge(launcher, reference, scene.low())
        except AccuracyFailedError:
            return None
        with store_errors(path):
            np.save(path, made)
        return made

    def _text(self, scene: Scene, values: Values) -> TextScore | None:
        judge, wanted = self._pictures.judge, self._pictures.baseline(scene).wanted
        if judge is None or wanted is None:
            return None
        return judge.begin(to_pixels(values), wanted)().score


@dataclass
class Difference:
    """Between two sets of pictures, in 8-bit steps; sums only, for pictures are large."""

    squares: float = 0.0
    values: int = 0
    largest: float = 0.0
    pictures: int = 0

    def add(self, one: Values, other: Values) -> None:
        """Takes one picture in, H,W,3 in 0..1 each, not clipped."""
        steps = (one.clip(0, 1).astype(np.float64) - other.clip(0, 1)) * 255
        self.squares += float(np.square(steps).sum())
        self.values += steps.size
        self.largest = max(self.largest, float(np.abs(steps).max()))
        self.pictures += 1

    def psnr_db(self) -> float | None:
        """None for no difference."""
        mean = self.squares / self.values
        return 10 * math.log10(255**2 / mean) if mean else None

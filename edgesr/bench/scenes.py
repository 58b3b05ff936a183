"""Which regions of which image pairs the accuracy pass scores, and bicubic's figures on them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.data.images import read_image
from edgesr.data.pairs import Pair, pairs_from
from edgesr.data.resize import imresize
from edgesr.quality.metrics import PROTOCOL, psnr_y, ssim_y
from edgesr.results.store import Candidate

_SMALLEST = 12
"""Least side of what is left of a high-resolution region inside its border, pixels: SSIM's window
is 11."""


@dataclass(frozen=True)
class Scene:
    """The top left region of a pair that every candidate of one scale covers."""

    pair: Pair
    scale: int
    height: int
    """Of the region in the low-resolution image, pixels."""
    width: int

    @property
    def folder(self) -> str:
        """Name of its folder of pictures."""
        return f"{self.pair.name}-x{self.scale}"

    def truth(self) -> NDArray[np.uint8]:
        """The region in high resolution, s*height,s*width,3."""
        return read_image(self.pair.hr)[: self.height * self.scale, : self.width * self.scale]

    def low(self) -> NDArray[np.uint8]:
        """The region in low resolution, height,width,3."""
        return read_image(self.pair.lr)[: self.height, : self.width]

    def bicubic(self) -> NDArray[np.uint8]:
        """The region enlarged by MATLAB's bicubic, s*height,s*width,3."""
        return imresize(self.low(), self.scale)

    def score(self, image: NDArray[np.uint8]) -> tuple[float, float]:
        """PSNR (dB) and SSIM of a s*height,s*width,3 image against the truth, on Y."""
        truth = self.truth()
        return psnr_y(image, truth, self.scale), ssim_y(image, truth, self.scale)


@dataclass(frozen=True)
class Scenes:
    """All that the accuracy pass of one run will look at."""

    path: Path
    """The pairs.csv."""
    by_scale: dict[int, list[Scene]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Pair name -> why no candidate can be scored on it."""
    bicubic: dict[int, dict[str, float | None]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As ``run.json`` holds it."""
        names = [scene.pair.name for scenes in self.by_scale.values() for scene in scenes]
        return {
            "pairs": str(self.path.resolve()),
            "images": sorted(set(names)),
            "skipped": self.skipped,
            "protocol": PROTOCOL,
            "bicubic": {str(scale): figures for scale, figures in self.bicubic.items()},
        }


def plan_scenes(
    path: Path,
    candidates: Sequence[Candidate],
    progress: Callable[[str, int, int], None] | None = None,
) -> Scenes:
    """Chooses the region of each pair and scores bicubic on it.

    The region of one scale is the same for all candidates of that scale, so their figures can be
    compared: as large as the smallest input and the image allow.

    Args:
        path: A pairs.csv, or the folder that holds one.
        candidates: What will be measured.
        progress: Called with (text, pairs done, pairs in all).

    Raises:
        PairsError: When the csv does not hold.
        ImageError: When an image can't be read.
    """
    inputs: dict[int, tuple[int, int]] = {}
    for candidate in candidates:
        _, height, width, _ = candidate.manifest.inputs[0].shape
        scale = candidate.manifest.model.scale
        before = inputs.get(scale, (height, width))
        inputs[scale] = (min(before[0], height), min(before[1], width))
    scenes = Scenes(path)
    pairs = pairs_from(path)
    for number, pair in enumerate(pairs):
        if progress:
            progress(f"pixels of {pair.name}", number, len(pairs))
        _place(pair, inputs, scenes)
    for scale, chosen in scenes.by_scale.items():
        scores = [scene.score(scene.bicubic()) for scene in chosen]
        scenes.bicubic[scale] = mean_scores(scores)
    return scenes


def mean_scores(scores: Sequence[tuple[float, float]]) -> dict[str, float | None]:
    """Mean PSNR and SSIM; None for a mean that is not finite (pixels identical to the truth)."""
    columns = zip(*scores, strict=True)
    means = [sum(column) / len(scores) for column in columns]
    psnr, ssim = (mean if math.isfinite(mean) else None for mean in means)
    return {"psnr_y": psnr, "ssim_y": ssim}


def _place(pair: Pair, inputs: dict[int, tuple[int, int]], scenes: Scenes) -> None:
    """Adds the pair under its scale, or notes why it has none."""
    low, high = read_image(pair.lr).shape[:2], read_image(pair.hr).shape[:2]
    fitting = [
        scale
        for scale in inputs
        if all(
            small * scale <= big < (small + 1) * scale for small, big in zip(low, high, strict=True)
        )
    ]
    if not fitting:
        ratio = high[0] / low[0]
        wanted = ", ".join(f"x{scale}" for scale in sorted(inputs))
        scenes.skipped[pair.name] = f"the pair is x{ratio:.3g}, the candidates are {wanted}"
        return
    scale = fitting[0]
    height, width = (min(one, two) for one, two in zip(low, inputs[scale], strict=True))
    if min(height, width) * scale - 2 * scale < _SMALLEST:
        scenes.skipped[pair.name] = f"only {height}x{width} pixels of it fit: too few to score"
        return
    scenes.by_scale.setdefault(scale, []).append(Scene(pair, scale, height, width))

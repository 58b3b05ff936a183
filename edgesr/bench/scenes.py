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
from edgesr.errors import PairsError
from edgesr.quality.metrics import PROTOCOL, psnr_y, ssim_y
from edgesr.results.store import Candidate

_SMALLEST = 12
"""Least side of what is left of a high-resolution region inside its border, pixels: SSIM's window
is 11."""

Group = tuple[int, int, int]
"""Scale, height and width of the input: candidates that agree in them see the same regions."""


@dataclass(frozen=True)
class Scene:
    """The top left region of a pair that an input size covers."""

    pair: Pair
    group: Group
    height: int
    """Of the region in the low-resolution image, pixels."""
    width: int
    share: float
    """Of the picture's area that the region is, 0..1."""

    @property
    def scale(self) -> int:
        """How many times larger the truth is."""
        return self.group[0]

    @property
    def folder(self) -> str:
        """Name of its folder of pictures."""
        scale, height, width = self.group
        return f"{self.pair.name}-x{scale}-{height}x{width}"

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
    by_group: dict[Group, list[Scene]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Pair name -> why some or all candidates can't be scored on it."""
    bicubic: dict[Group, dict[str, float | None]] = field(default_factory=dict)

    def of(self, candidate: Candidate) -> list[Scene]:
        """What the candidate is scored on; empty when no pair fits it."""
        return self.by_group.get(group_of(candidate), [])

    def share_of(self, candidate: Candidate) -> float:
        """Mean share of the pictures' area that the candidate is scored on, 0..1."""
        shares = [scene.share for scene in self.of(candidate)]
        return sum(shares) / len(shares) if shares else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As ``run.json`` holds it; bicubic's keys are ``scale:HxW``."""
        names = [scene.pair.name for scenes in self.by_group.values() for scene in scenes]
        return {
            "pairs": str(self.path.resolve()),
            "images": sorted(set(names)),
            "skipped": self.skipped,
            "protocol": PROTOCOL,
            "bicubic": {
                f"{scale}:{height}x{width}": figures
                for (scale, height, width), figures in self.bicubic.items()
            },
        }


def group_of(candidate: Candidate) -> Group:
    """The candidate's scale and input size."""
    _, height, width, _ = candidate.manifest.inputs[0].shape
    return candidate.manifest.model.scale, height, width


def plan_scenes(
    path: Path,
    candidates: Sequence[Candidate],
    progress: Callable[[str, int, int], None] | None = None,
) -> Scenes:
    """Chooses the regions of each pair and scores bicubic on them.

    Args:
        path: A pairs.csv, or the folder that holds one.
        candidates: What will be measured.
        progress: Called with (text, scenes done, scenes in all).

    Raises:
        PairsError: As `place_scenes`.
        ImageError: When an image can't be read.
    """
    scenes = place_scenes(path, candidates)
    total, done = sum(len(chosen) for chosen in scenes.by_group.values()), 0
    for group, chosen in scenes.by_group.items():
        scores = []
        for scene in chosen:
            if progress:
                progress(f"bicubic of {scene.pair.name}", done, total)
            scores.append(scene.score(scene.bicubic()))
            done += 1
        scenes.bicubic[group] = mean_scores(scores)
    return scenes


def place_scenes(path: Path, candidates: Sequence[Candidate]) -> Scenes:
    """Chooses the regions of each pair, without any figures.

    A region depends on the scale and the input size alone, never on what else is measured: the
    whole picture where the input covers it, else its top left part as large as the input.

    Args:
        path: A pairs.csv, or the folder that holds one.
        candidates: What will be measured.

    Raises:
        PairsError: When the csv does not hold, or no pair has the scale of any candidate.
        ImageError: When an image can't be read.
    """
    groups = sorted({group_of(candidate) for candidate in candidates})
    wanted = sorted({scale for scale, _, _ in groups})
    scenes, found = Scenes(path), dict[str, bool]()
    for pair in pairs_from(path):
        low, high = _size(pair.lr), _size(pair.hr)
        scale = next((scale for scale in wanted if _fits(low, high, scale)), None)
        named = f"x{scale or high[0] / low[0]:.3g}"
        found[named] = scale is not None
        if scale is None:
            scenes.skipped[pair.name] = f"the pair is {named}, the candidates are {_listed(wanted)}"
            continue
        for group in groups:
            if group[0] == scale:
                _place(pair, group, low, scenes)
    if not any(found.values()):
        raise PairsError(
            f"the pairs of {path} are {', '.join(sorted(found))}, the candidates are "
            f"{_listed(wanted)}: no quality can be measured",
            hint=f"give pairs of {_listed(wanted)} (edgesr data pairs HR_DIR OUT --scale "
            f"{wanted[0]}), or candidates of the pairs' scale",
        )
    return scenes


def mean_scores(scores: Sequence[tuple[float, float]]) -> dict[str, float | None]:
    """Mean PSNR and SSIM; None for a mean that is not finite (pixels identical to the truth)."""
    columns = zip(*scores, strict=True)
    means = [sum(column) / len(scores) for column in columns]
    psnr, ssim = (mean if math.isfinite(mean) else None for mean in means)
    return {"psnr_y": psnr, "ssim_y": ssim}


def _size(path: Path) -> tuple[int, int]:
    height, width = read_image(path).shape[:2]
    return height, width


def _fits(low: tuple[int, int], high: tuple[int, int], scale: int) -> bool:
    """Whether the large image is the small one's size times the scale, but for a cut-off rest."""
    sides = zip(low, high, strict=True)
    return all(small * scale <= big < (small + 1) * scale for small, big in sides)


def _listed(scales: Sequence[int]) -> str:
    return ", ".join(f"x{scale}" for scale in scales)


def _place(pair: Pair, group: Group, low: tuple[int, int], scenes: Scenes) -> None:
    """Adds the pair to a group of its scale, or notes why it can't be scored there."""
    scale = group[0]
    height, width = (min(one, two) for one, two in zip(low, group[1:], strict=True))
    if min(height, width) * scale - 2 * scale < _SMALLEST:
        reason = f"only {height}x{width} pixels of it fit: too few to score"
        before = scenes.skipped.get(pair.name)
        scenes.skipped[pair.name] = f"{before}; {reason}" if before else reason
        return
    share = height * width / (low[0] * low[1])
    scenes.by_group.setdefault(group, []).append(Scene(pair, group, height, width, share))

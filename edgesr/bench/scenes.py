"""Which image pairs the accuracy pass scores: whole pictures, as many as the launches allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.bench.enlarge import tiling
from edgesr.data.images import read_image
from edgesr.data.pairs import Pair, pairs_from
from edgesr.errors import PairsError
from edgesr.quality.bicubic import upscale_bicubic
from edgesr.quality.metrics import psnr_y, ssim_y
from edgesr.quality.tiling import Tiling
from edgesr.results.store import Candidate

_SMALLEST = 12
"""Least side of what is left of a high-resolution picture inside its border, pixels: SSIM's window
is 11."""

Group = tuple[int, int, int]
"""Scale, height and width of the input: candidates that agree in them see the same pictures."""


@dataclass(frozen=True)
class Scoring:
    """How pixels are scored; ``run.json`` keeps it for ``--resume``."""

    ocr: str | None = None
    """Engine that reads the pictures, as `open_engine` takes it; ``none`` reads nothing; None takes
    rapidocr where a pair has text."""
    launches: int = 64
    """The most launches for one candidate and delegate: one per tile of a picture."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> "Scoring":
        """From what ``run.json`` holds; keys of others are passed over."""
        return cls(**{f.name: tree[f.name] for f in fields(cls) if f.name in tree})


@dataclass(frozen=True)
class Scene:
    """A pair as candidates of one scale and input size see it."""

    pair: Pair
    group: Group
    height: int
    """Of the low-resolution image, pixels."""
    width: int

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
        """The picture in high resolution, s*height,s*width,3."""
        return read_image(self.pair.hr)[: self.height * self.scale, : self.width * self.scale]

    def low(self) -> NDArray[np.uint8]:
        """The picture in low resolution, height,width,3."""
        return read_image(self.pair.lr)

    def bicubic(self) -> NDArray[np.uint8]:
        """The picture enlarged by MATLAB's bicubic, s*height,s*width,3."""
        return upscale_bicubic(self.low(), self.scale)

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
    fitting: dict[Group, int] = field(default_factory=dict)
    """How many pictures there are, before the limit on launches chooses among them."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Pair name -> why some or all candidates can't be scored on it."""

    def of(self, candidate: Candidate) -> list[Scene]:
        """What the candidate is scored on; empty when no pair fits it."""
        return self.by_group.get(group_of(candidate), [])

    def available(self, candidate: Candidate) -> int:
        """How many pictures the candidate could be scored on, were there no limit."""
        return self.fitting.get(group_of(candidate), 0)


def group_of(candidate: Candidate) -> Group:
    """The candidate's scale and input size."""
    _, height, width, _ = candidate.manifest.inputs[0].shape
    return candidate.manifest.model.scale, height, width


def place_scenes(path: Path, candidates: Sequence[Candidate], launches: int) -> Scenes:
    """Chooses the pictures that each scale and input size is scored on.

    Where the limit does not allow all of them, those that are left are spread evenly over the csv.
    Candidates of one scale and input size get the same, counted for the one that needs the most
    tiles, so that their figures can be compared.

    Args:
        path: A pairs.csv, or the folder that holds one.
        candidates: What will be measured.
        launches: The most for one candidate and delegate.

    Raises:
        PairsError: When the csv does not hold, or no pair has the scale of any candidate.
        ImageError: When an image can't be read.
    """
    tilings = _tilings(candidates)
    wanted = sorted({scale for scale, _, _ in tilings})
    scenes, found = Scenes(path), dict[str, bool]()
    for pair in pairs_from(path):
        low, high = _size(pair.lr), _size(pair.hr)
        scale = next((scale for scale in wanted if _fits(low, high, scale)), None)
        named = f"x{scale or high[0] / low[0]:.3g}"
        found[named] = scale is not None
        if scale is None:
            scenes.skipped[pair.name] = f"the pair is {named}, the candidates are {_listed(wanted)}"
        elif min(low) * scale - 2 * scale < _SMALLEST:
            scenes.skipped[pair.name] = f"{low[0]}x{low[1]} pixels are too few to score"
        else:
            for group in (group for group in tilings if group[0] == scale):
                scenes.by_group.setdefault(group, []).append(Scene(pair, group, *low))
    if not any(found.values()):
        raise PairsError(
            f"the pairs of {path} are {', '.join(sorted(found))}, the candidates are "
            f"{_listed(wanted)}: no quality can be measured",
            hint=f"give pairs of {_listed(wanted)} (edgesr data pairs HR_DIR OUT --scale "
            f"{wanted[0]}), or candidates of the pairs' scale",
        )
    for group in list(scenes.by_group):
        _limit(scenes, group, tilings[group], launches)
    return scenes


def _tilings(candidates: Sequence[Candidate]) -> dict[Group, Tiling]:
    """For each scale and input size the tiling with the widest overlap."""
    found: dict[Group, Tiling] = {}
    for candidate in candidates:
        group, one = group_of(candidate), tiling(candidate)
        known = found.setdefault(group, one)
        found[group] = one if one.overlap > known.overlap else known
    return dict(sorted(found.items()))


def _limit(scenes: Scenes, group: Group, cut: Tiling, launches: int) -> None:
    """Leaves of a group's pictures as many as the launches allow."""
    costs = [(cut.runs(scene.height, scene.width), scene) for scene in scenes.by_group[group]]
    affordable = [(cost, scene) for cost, scene in costs if cost <= launches]
    for cost, scene in costs:
        if cost > launches:
            reason = f"it takes {cost} launches of {group[1]}x{group[2]}, the limit is {launches}"
            before = scenes.skipped.get(scene.pair.name)
            scenes.skipped[scene.pair.name] = f"{before}; {reason}" if before else reason
    chosen = spread([cost for cost, _ in affordable], launches)
    scenes.fitting[group] = len(costs)
    scenes.by_group[group] = [affordable[place][1] for place in chosen]


def spread(costs: Sequence[int], most: int) -> list[int]:
    """The largest evenly spread choice whose costs add up to no more than allowed.

    Args:
        costs: Of each place, from 1 to ``most``.
        most: Of all chosen places together.

    Returns:
        The places, ascending.
    """
    total = len(costs)
    for count in range(min(total, most), 0, -1):
        places = [(2 * number + 1) * total // (2 * count) for number in range(count)]
        if sum(costs[place] for place in places) <= most:
            return places
    return []


def _size(path: Path) -> tuple[int, int]:
    height, width = read_image(path).shape[:2]
    return height, width


def _fits(low: tuple[int, int], high: tuple[int, int], scale: int) -> bool:
    """Whether the large image is the small one's size times the scale, but for a cut-off rest."""
    sides = zip(low, high, strict=True)
    return all(small * scale <= big < (small + 1) * scale for small, big in sides)


def _listed(scales: Sequence[int]) -> str:
    return ", ".join(f"x{scale}" for scale in scales)

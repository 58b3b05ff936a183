"""Which part of a tensor's range its 256 steps should cover, from what calibration images show."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from edgesr.quantize.grid import grid_between

Finder = Literal["minmax", "percentile", "mse"]
PERCENTILE = 99.99
"""Of the values lie inside on each side."""
_SAMPLE = 2**15
_SHRINKS = 41
_SMALLEST_SHRINK = 0.2


@dataclass
class Observed:
    """What one tensor held over all calibration images."""

    low: float
    high: float
    sample: Tensor
    """Values drawn at random, as many from each image."""


class Observer:
    """Collects what tensors hold, image after image.

    Args:
        images: How many there will be.
    """

    def __init__(self, images: int) -> None:
        self._each = max(1, _SAMPLE // images)
        self._random = torch.Generator().manual_seed(0)
        self._seen: dict[str, list[Tensor]] = {}
        self._limits: dict[str, tuple[float, float]] = {}

    def add(self, name: str, x: Tensor) -> None:
        """Takes note of one image's tensor."""
        flat = x.detach().flatten().cpu()
        low, high = (float(limit) for limit in torch.aminmax(flat))
        before = self._limits.get(name, (low, high))
        self._limits[name] = min(low, before[0]), max(high, before[1])
        places = torch.randint(len(flat), (self._each,), generator=self._random)
        self._seen.setdefault(name, []).append(flat[places])

    def observed(self) -> dict[str, Observed]:
        """Everything, by tensor."""
        return {
            name: Observed(*self._limits[name], torch.cat(values))
            for name, values in self._seen.items()
        }


def find_range(observed: Observed, finder: Finder) -> tuple[float, float]:
    """The range to cover, (low, high) with low <= 0 <= high.

    Args:
        observed: Of one tensor.
        finder: ``minmax``, all of it; ``percentile``, all but the outermost 0.01 % on each side;
            ``mse``, the one whose squared error over rounding and saturation together is least.
    """
    return _FINDERS[finder](observed)


def _minmax(observed: Observed) -> tuple[float, float]:
    return min(observed.low, 0.0), max(observed.high, 0.0)


def _percentile(observed: Observed) -> tuple[float, float]:
    share = torch.tensor([1 - PERCENTILE / 100, PERCENTILE / 100])
    low, high = (float(value) for value in torch.quantile(observed.sample, share))
    return min(low, 0.0), max(high, 0.0)


def _mse(observed: Observed) -> tuple[float, float]:
    """Shrinks both ends together, then each alone."""
    low, high = _minmax(observed)
    shrinks = torch.linspace(_SMALLEST_SHRINK, 1.0, _SHRINKS).tolist()
    low, high = _best(observed.sample, [(low * by, high * by) for by in shrinks])
    if low < 0:
        low, high = _best(observed.sample, [(low * by, high) for by in shrinks])
        low, high = _best(observed.sample, [(low, high * by) for by in shrinks])
    return low, high


def _best(sample: Tensor, ranges: list[tuple[float, float]]) -> tuple[float, float]:
    def error(chosen: tuple[float, float]) -> float:
        grid = grid_between(*chosen)
        rounded = torch.fake_quantize_per_tensor_affine(
            sample, grid.scale, grid.zero_point, -128, 127
        )
        return float((rounded - sample).square().mean())

    return min(ranges[::-1], key=error)  # of equal ones the widest


_FINDERS: dict[Finder, Callable[[Observed], tuple[float, float]]] = {
    "minmax": _minmax,
    "percentile": _percentile,
    "mse": _mse,
}

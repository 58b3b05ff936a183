"""Resizing without antialiasing, as training frameworks do it and bad recorders too.

`edgesr.data.resize` is for images that are measured; this is for images that are to be spoilt.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgesr.data.kernels import Pixels

Mode = Literal["area", "bilinear", "bicubic"]
MODES: tuple[Mode, ...] = ("area", "bilinear", "bicubic")

_SHARPNESS = -0.75
"""Keys' a for the cubic, the one of PyTorch and OpenCV."""


def interpolate(image: Pixels, size: tuple[int, int], mode: Mode) -> Pixels:
    """Resizes as PyTorch's ``F.interpolate(image, size, mode=mode)`` does.

    ``area`` averages boxes; the other two read 2 or 4 neighbours whatever the factor, so they
    alias where an image shrinks.

    Args:
        image: Array (H, W, C), float32.
        size: (height, width) to make, at least 1 each.
        mode: ``area``, ``bilinear`` or ``bicubic``; the last may leave the range of the input.

    Returns:
        Array (height, width, C), float32.
    """
    for length in size:
        image = np.ascontiguousarray(_first_axis(image, length, mode).transpose(1, 0, 2))
    return image


def _first_axis(image: Pixels, length: int, mode: Mode) -> Pixels:
    """(N, A, C) -> (length, A, C)."""
    if length == len(image):
        return image
    weights, positions = _TAPS[mode](len(image), length)
    positions = positions.clip(0, len(image) - 1)
    flat = np.ascontiguousarray(image).reshape(len(image), -1)
    total = flat[positions[:, 0]] * weights[:, 0, None]
    for tap in range(1, weights.shape[1]):
        total += flat[positions[:, tap]] * weights[:, tap, None]
    return total.reshape(length, *image.shape[1:])


def _box(old: int, new: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Weights and positions, both (new, taps): the mean of all pixels that a new one touches."""
    steps = np.arange(new)
    first, stop = steps * old // new, -(-(steps + 1) * old // new)
    positions = first[:, None] + np.arange((stop - first).max())
    inside = positions < stop[:, None]
    return (inside / inside.sum(axis=1, keepdims=True)).astype(np.float32), positions


def _linear(old: int, new: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    centre = np.maximum((np.arange(new) + 0.5) * (old / new) - 0.5, 0.0)
    first = np.floor(centre)
    part = centre - first
    weights = np.stack([1 - part, part], axis=1).astype(np.float32)
    return weights, first.astype(np.intp)[:, None] + np.arange(2)


def _cubic(old: int, new: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    centre = (np.arange(new) + 0.5) * (old / new) - 0.5
    first = np.floor(centre)
    offsets = np.arange(-1, 3)
    x = np.abs((centre - first)[:, None] - offsets)
    a = _SHARPNESS
    near = ((a + 2) * x - (a + 3)) * x**2 + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    weights = np.where(x <= 1, near, far).astype(np.float32)
    return weights, first.astype(np.intp)[:, None] + offsets


_TAPS = {"area": _box, "bilinear": _linear, "bicubic": _cubic}

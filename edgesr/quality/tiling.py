"""Running a network of limited size over an image of any size, without seams.

A tile is run with context around it, and only pixels whose whole receptive field lay inside the
tile are kept. The first and last tile of a row or column end at the image border, so that the
network's own zero padding is where it would be without tiles. An image smaller than a tile of fixed
size is run twice along that axis, once at the tile's start and once at its end, filled up with its
edge pixels; each run gives the half that ends at a true border.

So the result is that of one untiled run, pixel for pixel (up to the float rounding of another
summation order), as long as

* the receptive field's radius is known and leaves a fourth of the tile to keep, else the context
  is cut to that;
* an image smaller than a fixed tile is at least twice the radius long, else pixels around its
  middle see the edge pixels where an untiled run pads with zeros;
* the network has no strides: its tiles may begin at any pixel.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

ValueT = TypeVar("ValueT", bound=np.generic)

UNKNOWN_OVERLAP = 32
"""Context in pixels for a network whose receptive field can't be told."""


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in low-resolution pixels."""

    start: int
    """Where the tile begins in the image; negative where the tile is longer than the image."""
    keep_from: int
    """First image position that is taken from this tile."""
    keep_to: int
    """One past the last image position that is taken from this tile."""


@dataclass(frozen=True)
class Tiling:
    """How an image is cut.

    Args:
        height: Tile height in low-resolution pixels.
        width: Tile width in low-resolution pixels.
        overlap: Context that is thrown away on each inner side of a tile; the radius of the
            receptive field, or more.
        fixed: Whether the network takes tiles of exactly this size; else a smaller image is run
            as it is.
    """

    height: int
    width: int
    overlap: int
    fixed: bool

    def fits(self) -> bool:
        """Whether the overlap fits into the tile, so that the result is that of an untiled run."""
        return clamp_overlap(min(self.height, self.width), self.overlap) == self.overlap

    def runs(self, height: int, width: int) -> int:
        """How many tiles an image of so many pixels takes."""
        sides = zip((height, width), self.tile_of(height, width), strict=True)
        return math.prod(len(plan_axis(side, tile, self.overlap)) for side, tile in sides)

    def tile_of(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of a tile of such an image."""
        if self.fixed:
            return self.height, self.width
        return min(self.height, height), min(self.width, width)


def clamp_overlap(tile: int, overlap: int) -> int:
    """The overlap a tile can afford: at least a fourth of the tile is kept."""
    return min(overlap, (tile - max(1, tile // 4)) // 2)


def plan_axis(size: int, tile: int, overlap: int) -> list[Span]:
    """Tiles that cover one axis.

    Args:
        size: Length of the image along the axis, in pixels.
        tile: Length of a tile.
        overlap: Context on each inner side; cut by `clamp_overlap`.

    Returns:
        Spans in order; their kept parts are disjoint and cover 0..size.
    """
    if size < tile:
        half = (size + 1) // 2
        return [Span(0, 0, half), Span(size - tile, half, size)][: min(size, 2)]
    overlap = clamp_overlap(tile, overlap)
    spans: list[Span] = []
    done = 0
    while done < size:
        start = max(0, min(done - overlap, size - tile))
        stop = size if start + tile >= size else start + tile - overlap
        spans.append(Span(start, done, stop))
        done = stop
    return spans


def upscale_tiled(
    image: NDArray[np.uint8],
    tiling: Tiling,
    scale: int,
    upscale: Callable[[NDArray[np.uint8]], NDArray[ValueT]],
) -> NDArray[ValueT]:
    """Upscales an image tile by tile.

    Args:
        image: H,W,3 RGB, any size.
        tiling: How to cut it.
        scale: What ``upscale`` multiplies lengths by.
        upscale: Runs one tile, h,w,3 -> sh,sw,3, pixels or the values behind them.

    Returns:
        sH,sW,3 RGB, of the type that ``upscale`` gives.
    """
    height, width, channels = image.shape
    rows, columns = tiling.tile_of(height, width)
    result: Any = None
    for row in plan_axis(height, rows, tiling.overlap):
        for column in plan_axis(width, columns, tiling.overlap):
            tile = _cut(_cut(image, row.start, rows, axis=0), column.start, columns, axis=1)
            values = upscale(tile)
            if result is None:
                result = np.empty((height * scale, width * scale, channels), values.dtype)
            kept = values[_kept(row, scale), _kept(column, scale)]
            result[_target(row, scale), _target(column, scale)] = kept
    enlarged: NDArray[ValueT] = result
    return enlarged


def _cut(image: NDArray[np.uint8], start: int, length: int, axis: int) -> NDArray[np.uint8]:
    """``length`` rows or columns from ``start``; outside the image its edge is repeated."""
    positions = np.clip(np.arange(start, start + length), 0, image.shape[axis] - 1)
    return image.take(positions, axis)


def _kept(span: Span, scale: int) -> slice:
    return slice((span.keep_from - span.start) * scale, (span.keep_to - span.start) * scale)


def _target(span: Span, scale: int) -> slice:
    return slice(span.keep_from * scale, span.keep_to * scale)

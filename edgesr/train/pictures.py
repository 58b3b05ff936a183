"""Sample pictures: what the network makes of a validation image, beside bicubic and the truth."""

import functools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgesr.data.images import RgbImage, write_png
from edgesr.quality.bicubic import upscale_bicubic
from edgesr.quality.metrics import luma, psnr_y

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

    from edgesr.train.validate import Picture

_PART_HEIGHT, _PART_WIDTH = 96, 144
"""Of the part that is shown large, in high-res pixels; multiples of 2, 3 and 4."""
_ZOOM = 3
"""Each of its pixels becomes a square of this side."""
_TILE_HEIGHT, _TILE_WIDTH = _PART_HEIGHT * _ZOOM, _PART_WIDTH * _ZOOM
_CAPTION = 54
"""Height of a caption of two lines, pixels."""
_GAP = 16
_OVERVIEW_HEIGHT, _OVERVIEW_WIDTH = _CAPTION + _TILE_HEIGHT, 544
_TITLE_SIZE, _TEXT_SIZE, _LINE = 18, 14, 24
_PAPER, _INK, _PALE, _FRAME = "#ffffff", "#16181d", "#5b616e", "#c0006a"


@dataclass(frozen=True)
class _Tile:
    """The part at pixel level, as one method gives it."""

    title: str
    detail: str
    part: RgbImage
    scale: int = 1
    """Of its pixels against those of the truth."""


def sample_sheet(name: str, lr: RgbImage, sr: RgbImage, hr: RgbImage) -> RgbImage:
    """One picture that shows how good an enlargement is.

    On top the whole enlargement, small, with its busiest part framed; that part at pixel level in
    the small image, by bicubic, by the network and in truth. The part depends on the truth alone,
    so sheets of different epochs show the same.

    Args:
        name: What the image is called.
        lr: H, W, 3 RGB.
        sr: sH, sW, 3: the network's enlargement.
        hr: sH, sW, 3: the truth.

    Returns:
        The sheet, 732, 1360, 3 RGB.

    Raises:
        ImageError: When the sizes of ``sr`` and ``hr`` differ.
    """
    scale = hr.shape[0] // lr.shape[0]
    bicubic = upscale_bicubic(lr, scale)
    before, after = psnr_y(bicubic, hr, scale), psnr_y(sr, hr, scale)
    window = busiest_part(hr, scale)
    rows, columns = (slice(side.start // scale, side.stop // scale) for side in window)
    truth = hr[window]
    shown = [("Bicubic", bicubic[window]), ("Network", sr[window])]
    tiles = (
        _Tile("Input", f"each pixel {_ZOOM * scale} times as large", lr[rows, columns], scale),
        *(
            _Tile(title, f"PSNR-Y of this part: {_decibels(psnr_y(part, truth, 0))}", part)
            for title, part in shown
        ),
        _Tile("Truth", f"these three: each pixel {_ZOOM} times as large", truth),
    )
    gain = f" ({after - before:+.2f})" if math.isfinite(after - before) else ""
    about = (
        f"{lr.shape[1]}×{lr.shape[0]} to {hr.shape[1]}×{hr.shape[0]} pixels, ×{scale}",
        "PSNR-Y of the whole image:",
        f"bicubic {_decibels(before)}",
        f"network {_decibels(after)}{gain}",
        "",
        "Large: the framed part.",
    )
    return _sheet((name, *about), _overview(sr, window), tiles)


def write_pictures(folder: Path, pictures: "Iterable[Picture]", scale: int) -> dict[str, RgbImage]:
    """Writes one sheet per validation image, as ``NUMBER_NAME_xSCALE.png``.

    Args:
        folder: Where to; made where it is missing.
        pictures: Images through the network.
        scale: High-res over low-res.

    Returns:
        The sheets by file name without ending.

    Raises:
        StoreError: When a file can't be written.
    """
    sheets = {}
    for number, picture in enumerate(pictures, start=1):
        stem = re.sub(r"[^\w-]+", "_", Path(picture.name).stem).strip("_")[:60] or "image"
        name = f"{number:02d}_{stem}_x{scale}"
        sheets[name] = sample_sheet(picture.name, picture.lr, picture.sr, picture.hr)
        write_png(folder / f"{name}.png", sheets[name])
    return sheets


def busiest_part(image: RgbImage, scale: int) -> tuple[slice, slice]:
    """Rows and columns of the part with the most edges: 96×144, or what the image has.

    Args:
        image: sH, sW, 3 RGB.
        scale: The part begins and ends at multiples of it.
    """
    height = min(_PART_HEIGHT, image.shape[0] // scale * scale)
    width = min(_PART_WIDTH, image.shape[1] // scale * scale)
    y = luma(image)
    edges = np.zeros_like(y)
    # the root, as many fine strokes tell more than one hard border
    edges[:, 1:] += np.sqrt(np.abs(np.diff(y, axis=1)))
    edges[1:] += np.sqrt(np.abs(np.diff(y, axis=0)))
    table = np.pad(edges, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    strips = table[height:] - table[:-height]
    sums = (strips[:, width:] - strips[:, :-width])[::scale, ::scale]
    place = np.unravel_index(int(sums.argmax()), sums.shape)
    top, left = (int(index) * scale for index in place)
    return slice(top, top + height), slice(left, left + width)


def _sheet(lines: Sequence[str], overview: "Image", tiles: Sequence[_Tile]) -> RgbImage:
    """Lays everything out: overview, text and the first tile above, the other three below.

    Args:
        lines: Title and details beside the overview.
        overview: At most as large as there is room for.
        tiles: Four.
    """
    from PIL import Image, ImageDraw

    row, column = _CAPTION + _TILE_HEIGHT + _GAP, _TILE_WIDTH + _GAP
    paper = Image.new("RGB", (3 * column + _GAP, 2 * row + _GAP), _PAPER)
    draw = ImageDraw.Draw(paper)
    paper.paste(overview, (_GAP, _GAP))
    beside = 2 * _GAP + overview.width
    _write(draw, (beside, _GAP), lines, 2 * column - beside)
    places = ((2, 0), (0, 1), (1, 1), (2, 1))
    for tile, (across, down) in zip(tiles, places, strict=True):
        left, top = _GAP + across * column, _GAP + down * row
        _write(draw, (left, top), (tile.title, tile.detail), _TILE_WIDTH)
        zoom = _ZOOM * tile.scale
        large = tile.part.repeat(zoom, axis=0).repeat(zoom, axis=1)
        paper.paste(Image.fromarray(large), (left, top + _CAPTION))
    return np.asarray(paper)


def _overview(whole: RgbImage, window: tuple[slice, slice]) -> "Image":
    """The whole image, at most as high and wide as there is room for, with the part framed."""
    from PIL import Image, ImageDraw

    height, width = whole.shape[:2]
    factor = min(1.0, _OVERVIEW_HEIGHT / height, _OVERVIEW_WIDTH / width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = Image.fromarray(np.ascontiguousarray(whole)).resize(size, Image.Resampling.LANCZOS)
    rows, columns = ((round(side.start * factor), round(side.stop * factor) - 1) for side in window)
    draw = ImageDraw.Draw(small)
    for outset, colour in ((2, _PAPER), (1, _FRAME), (0, _FRAME)):
        corners = (columns[0] - outset, rows[0] - outset, columns[1] + outset, rows[1] + outset)
        if corners[0] <= corners[2] and corners[1] <= corners[3]:
            draw.rectangle(corners, outline=colour)
    return small


def _write(draw: "ImageDraw", corner: tuple[int, int], lines: Sequence[str], room: int) -> None:
    """A title and lines below it; what is wider than ``room`` pixels ends in dots."""
    left, top = corner
    for number, line in enumerate(lines):
        font = _font("DejaVuSans", _TEXT_SIZE) if number else _font("DejaVuSans-Bold", _TITLE_SIZE)
        text = line
        while len(text) > 1 and draw.textlength(text, font) > room:
            text = f"{text[:-2]}…"
        place = (left, top + number * _LINE + (4 if number else 0))
        draw.text(place, text, fill=_PALE if number else _INK, font=font)


@functools.cache
def _font(name: str, size: int) -> "FreeTypeFont":
    """One of those that matplotlib brings: Pillow's own knows ASCII only."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{name}.ttf", size)


def _decibels(value: float) -> str:
    return f"{value:.2f} dB" if math.isfinite(value) else "no difference"

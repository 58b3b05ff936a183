"""What players and conference tools draw on a slide: a caption, a name tag, the pointer.

Draw them on the *large* image, before the small one is made from it. In the small image alone
they would teach the network to remove text. The text of the slide is no longer all that can be
read afterwards, so images whose text is compared stay without them.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from edgesr.data.images import RgbImage
from edgesr.data.slide_content import LECTURERS, REMARKS
from edgesr.data.slide_subjects import SUBJECTS

_CAPTION, _TAG, _POINTER = 0.5, 0.4, 0.6
"""Probability of each."""
POINTER_OUTLINE = ((0, 0), (0, 16), (4, 12.5), (6.5, 18), (9, 17), (6.5, 11.5), (11, 11))
"""The pointer's outline in units of its size, (x, y), its tip at (0, 0)."""
_LEAST_SIZE = 8
"""Of a font, pixels."""


def lecture_overlay(hr: RgbImage, rng: np.random.Generator) -> RgbImage:
    """Draws a caption, a name tag and a pointer, each or none by chance, on a large image.

    Args:
        hr: Array (H, W, 3), uint8, RGB; not changed. A whole slide, not a crop: sizes follow its
            height.
        rng: Where choice, words and places are drawn from.

    Returns:
        Array (H, W, 3), uint8, RGB.
    """
    picture = Image.fromarray(np.ascontiguousarray(hr))
    caption, tag, pointer = rng.random(3) < (_CAPTION, _TAG, _POINTER)
    if caption:
        picture = _captioned(picture, rng)
    if tag:
        picture = _tagged(picture, rng)
    if pointer:
        _point(picture, rng)
    pixels: NDArray[np.uint8] = np.asarray(picture)
    return pixels


def _captioned(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """One line at the bottom, white on a dark strip that lets the slide shine through."""
    subject = SUBJECTS[rng.integers(len(SUBJECTS))]
    lines = (*subject.sentences, *REMARKS)
    text = lines[rng.integers(len(lines))]
    font = _fitting(picture, text, rng.uniform(0.028, 0.045))
    width = font.getlength(text)
    left = (picture.width - width) / 2
    top = picture.height * rng.uniform(0.86, 0.93)
    return _labelled(picture, (left, top), text, font, opacity=float(rng.uniform(0.6, 1.0)))


def _tagged(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A name in one of the four corners."""
    text = LECTURERS[rng.integers(len(LECTURERS))]
    font = _fitting(picture, text, rng.uniform(0.02, 0.03))
    inset = 1.5 * font.size
    left = inset if rng.random() < 0.5 else picture.width - inset - font.getlength(text)
    top = inset if rng.random() < 0.5 else picture.height - inset - 1.2 * font.size
    return _labelled(picture, (left, top), text, font, opacity=float(rng.uniform(0.5, 0.9)))


def _labelled(
    picture: Image.Image,
    at: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont,
    *,
    opacity: float,
) -> Image.Image:
    """White text with its upper left corner at (x, y), on a dark box of some opacity."""
    inset = 0.4 * font.size
    box = (
        at[0] - inset, at[1] - inset / 2,
        at[0] + font.getlength(text) + inset, at[1] + 1.2 * font.size + inset / 2,
    )  # fmt: skip
    dark = picture.copy()
    ImageDraw.Draw(dark).rounded_rectangle(box, radius=inset, fill="#101010")
    picture = Image.blend(picture, dark, opacity)
    ImageDraw.Draw(picture).text(at, text, fill="white", font=font)
    return picture


def _point(picture: Image.Image, rng: np.random.Generator) -> None:
    """An arrow anywhere, dark with a light edge or the other way round."""
    size = picture.height * rng.uniform(0.025, 0.05) / 18
    x, y = rng.uniform(0, picture.width), rng.uniform(0, picture.height)
    fill, edge = ("black", "white") if rng.random() < 0.5 else ("white", "black")
    outline = [(x + size * dx, y + size * dy) for dx, dy in POINTER_OUTLINE]
    ImageDraw.Draw(picture).polygon(outline, fill=fill, outline=edge, width=max(1, round(size)))


def _fitting(picture: Image.Image, text: str, share: float) -> ImageFont.FreeTypeFont:
    """A font of that share of the picture's height, smaller where the text is too wide."""
    size = max(_LEAST_SIZE, round(picture.height * share))
    room = 0.9 * picture.width / _font(size).getlength(text)
    return _font(max(_LEAST_SIZE, int(size * min(1.0, room))))


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib carries it, so that every machine draws the same."""
    import matplotlib as mpl

    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)

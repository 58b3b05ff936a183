"""A picture of what was misread: the truth, the candidate, and the text with its errors marked."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from edgesr.data.images import RgbImage
from edgesr.quality.differences import ReadLine, Run, compare_lines
from edgesr.quality.readability import Reading

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

_WIDTH = 1600
_SIDE = _WIDTH // 2
"""Width of each image, pixels."""
_GAP, _MARGIN = 5, 16
_TEXT_PX = 17
_ROWS = 14
"""Lines with errors that are shown; the rest are counted."""
_INK, _WRONG, _MUTED, _PAPER = "#1a1a1a", "#c21807", "#5f6368", "#ffffff"
_FRAME = "#c21807"


def draw_reading(
    sr: RgbImage, hr: RgbImage, reading: Reading, *, ignore_case: bool = False
) -> RgbImage:
    """Draws truth and candidate side by side, and below each line that was misread.

    Lines with errors are framed in the candidate. Of each, what stands there and what was read
    follow below; wrong signs are red and underlined.

    Args:
        sr: The candidate, H,W,3.
        hr: The truth, H,W,3.
        reading: What was read in the candidate.
        ignore_case: As it was scored.

    Returns:
        Array (h, 1600, 3), uint8, RGB.
    """
    from PIL import Image, ImageDraw

    compared = compare_lines(reading.lines, reading.reference, ignore_case=ignore_case)
    wrong = [line for line in compared if not line.right]
    top = max(1, round(sr.shape[0] * _SIDE / sr.shape[1]))
    height = top + 60 + (2 * min(len(wrong), _ROWS) + 3) * (_TEXT_PX + _GAP)
    page = Image.new("RGB", (_WIDTH, height), _PAPER)
    for x, image in ((0, hr), (_SIDE, sr)):
        page.paste(Image.fromarray(image).resize((_SIDE, top), Image.Resampling.LANCZOS), (x, 0))
    draw = ImageDraw.Draw(page)
    draw.line((_SIDE, 0, _SIDE, top), fill=_MUTED, width=2)
    for line in wrong:
        box = [value * _SIDE / sr.shape[1] for value in line.line.box]
        draw.rectangle((_SIDE + box[0] - 2, box[1] - 2, _SIDE + box[2] + 2, box[3] + 2),
                       outline=_FRAME, width=2)  # fmt: skip
    _write(draw, reading, wrong, top + 10)
    return np.asarray(page, np.uint8)


def _write(draw: "ImageDraw", reading: Reading, wrong: list[ReadLine], y: float) -> None:
    score = reading.score
    source = {"text": "the known text", "truth-ocr": "what is read in the truth"}
    figures = f"CER {score.cer:.3f} against {source.get(score.reference, '')}, confidence"
    draw.text((_MARGIN, y), f"left: truth; right: candidate. {figures} {score.confidence:.3f}",
              fill=_MUTED, font=_font())  # fmt: skip
    if not reading.lines:
        draw.text((_MARGIN, y + 30), "nothing was read", fill=_WRONG, font=_font())
    y += 36
    for line in wrong[:_ROWS]:
        for label, runs in (("is", line.wanted), ("read", line.read)):
            draw.text((_MARGIN, y), label, fill=_MUTED, font=_font())
            _runs(draw, runs, _MARGIN + 56, y)
            y += _TEXT_PX + _GAP
    if len(wrong) > _ROWS:
        text = f"and {len(wrong) - _ROWS} lines more with errors"
        draw.text((_MARGIN, y), text, fill=_MUTED, font=_font())


def _runs(draw: "ImageDraw", runs: tuple[Run, ...], x: float, y: float) -> None:
    for run in runs:
        length = draw.textlength(run.text, font=_font())
        draw.text((x, y), run.text, fill=_INK if run.right else _WRONG, font=_font())
        if not run.right:  # not by colour alone
            draw.line((x, y + _TEXT_PX + 3, x + length, y + _TEXT_PX + 3), fill=_WRONG, width=2)
        x += length


@cache
def _font() -> "FreeTypeFont":
    """The typeface that matplotlib brings; it has Latin, Greek, Cyrillic and formulas' signs."""
    from matplotlib.font_manager import FontProperties, findfont
    from PIL import ImageFont

    return ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans Mono")), _TEXT_PX)

"""Lecture slides with exactly known text: slide ``i`` of seed ``s`` is a function of (s, i) alone.

The pixels are the same in every process and under every matplotlibrc and locale; another series of
matplotlib may draw other pixels, which is why the dependency is pinned to tested ones.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgesr.data.images import RgbImage
from edgesr.data.make_pairs import PairOptions, pair_folder
from edgesr.data.slide_blocks import Sheet
from edgesr.data.slide_canvas import DoesNotFit, Page, Piece, drawing_rules
from edgesr.data.slide_layouts import LAYOUTS
from edgesr.data.slide_subjects import SUBJECTS
from edgesr.data.slide_themes import THEMES
from edgesr.errors import UsageError

_BODY_SIZES = (12, 13, 14, 15, 16, 18, 20, 22, 24, 27, 30)
_ATTEMPTS = 200
"""More than ever needed; a layout that can't be filled is drawn anew with the next numbers."""


@dataclass(frozen=True)
class Slide:
    """One rendered slide."""

    image: RgbImage
    """Array (720, 1280, 3), uint8, RGB."""
    text: str
    """Every sign on it: lines from top to bottom, each from left to right as OCR engines read."""
    pieces: tuple[Piece, ...]
    """The same text in pieces with their places; no two touch, and all lie within the page."""


def render_slide(seed: int, index: int) -> Slide:
    """Renders one slide.

    Args:
        seed: Of the series; any integer.
        index: Of the slide in the series, from 0.

    Returns:
        The slide; equal arguments give equal bytes and text.
    """
    with drawing_rules():
        for attempt in range(_ATTEMPTS):
            try:
                return _attempt(random.Random(f"edgesr slide {seed} {index} {attempt}"))  # noqa: S311
            except DoesNotFit:
                continue
    raise AssertionError(f"slide {index} of seed {seed} did not fit in {_ATTEMPTS} attempts")


def write_slides(
    out: Path,
    count: int,
    options: PairOptions,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Writes pairs of rendered slides: ``hr/``, ``lr_x<scale>/``, ``pairs.csv``.

    Args:
        out: The folder; one that is there is replaced.
        count: How many slides, at least 1.
        options: The seed is that of the series; for scale 3 the right edge is cut from 1280 to
            1278 pixels.
        progress: Told about every slide.

    Raises:
        UsageError: When the count makes no sense.
        StoreError: When the folder can't be written; nothing is left behind.
    """
    if count < 1:
        raise UsageError(f"the number of slides must be at least 1, not {count}")
    with pair_folder(out, options) as folder:
        for index in range(count):
            if progress:
                progress("rendering slides", index, count)
            slide = render_slide(options.seed, index)
            folder.add(f"slide-{options.seed}-{index:04d}", slide.image, slide.text)
    if progress:
        progress("rendering slides", count, count)


def _attempt(rng: random.Random) -> Slide:
    theme, subject = rng.choice(THEMES), rng.choice(SUBJECTS)
    sheet = Sheet(
        page=Page(theme.background),
        rng=rng,
        theme=theme,
        subject=subject,
        body=max(rng.choice(_BODY_SIZES), theme.smallest),
        sentences=rng.sample(subject.sentences, len(subject.sentences)),
        definitions=rng.sample(subject.definitions, len(subject.definitions)),
    )
    rng.choice(LAYOUTS)(sheet)
    return Slide(sheet.page.pixels(), sheet.page.reading(), tuple(sheet.page.pieces))

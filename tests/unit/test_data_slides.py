"""Rendered slides: known text, nothing clipped or covered, the same bytes everywhere."""

import hashlib
import os
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from edgesr.data.images import read_image
from edgesr.data.make_pairs import PairOptions
from edgesr.data.pairs import pairs_from
from edgesr.data.resize import imresize
from edgesr.data.slide_canvas import Box, DoesNotFit, Font, Page, drawing_rules
from edgesr.data.slide_subjects import SUBJECTS
from edgesr.data.slide_themes import THEMES, Theme
from edgesr.data.slides import Slide, render_slide, write_slides
from edgesr.errors import UsageError

_DIGEST = """
import hashlib, locale, sys
locale.setlocale(locale.LC_ALL, "")
from edgesr.data.slides import render_slide
for index in range(4):
    slide = render_slide(3, index)
    print(hashlib.sha256(slide.image.tobytes() + slide.text.encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def slides() -> list[Slide]:
    return [render_slide(1, index) for index in range(40)]


def test_shape_and_content(slides: list[Slide]) -> None:
    for slide in slides:
        assert slide.image.shape == (720, 1280, 3)
        assert slide.image.dtype == np.uint8
        assert len(slide.text) > 40
        assert slide.image.std() > 3


def test_slides_differ(slides: list[Slide]) -> None:
    assert len({slide.text for slide in slides}) == len(slides)
    assert not np.array_equal(render_slide(2, 0).image, slides[0].image)


def test_no_text_is_clipped_or_touches_another(slides: list[Slide]) -> None:
    for index, slide in enumerate(slides):
        for piece in slide.pieces:
            box = piece.box
            assert min(box.left, box.top) >= 6, (index, piece)
            assert box.right <= 1274, (index, piece)
            assert box.bottom <= 714, (index, piece)
        for one, two in combinations(slide.pieces, 2):
            assert not one.box.inset(0.5).touches(two.box), (index, one, two)


def test_text_holds_every_piece_and_nothing_else(slides: list[Slide]) -> None:
    for slide in slides:
        pieces = sorted(" ".join(piece.text for piece in slide.pieces).split())
        assert sorted(slide.text.split()) == pieces
        assert all(piece.text.isprintable() and piece.text.strip() for piece in slide.pieces)


def test_there_is_variety(slides: list[Slide]) -> None:
    corners = {tuple(slide.image[300, 20]) for slide in slides}
    assert len(corners) >= 6
    dark = sum(int(slide.image[300, 20].mean()) < 100 for slide in slides)
    assert 4 <= dark <= 36
    heights = [piece.box.height for slide in slides for piece in slide.pieces]
    assert min(heights) < 15
    assert max(heights) > 40


def test_same_bytes_in_another_process_under_other_settings(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text(
        "font.family: serif\nfont.size: 30\ntext.hinting: none\nmathtext.fontset: cm\n"
        "lines.linewidth: 9\nlines.antialiased: False\nfigure.dpi: 33\npatch.linewidth: 5\n"
        "path.simplify: True\naxes.unicode_minus: True\nfigure.autolayout: True\n"
    )
    other = {**os.environ, "MATPLOTLIBRC": str(tmp_path), "LC_ALL": "C.UTF-8",
             "PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[2])}  # fmt: skip
    run = subprocess.run([sys.executable, "-c", _DIGEST], env=other, capture_output=True, text=True,
                         cwd=tmp_path, check=True)  # fmt: skip
    ours = []
    for index in (3, 2, 1, 0):  # the order of calls does not matter
        slide = render_slide(3, index)
        ours.append(hashlib.sha256(slide.image.tobytes() + slide.text.encode()).hexdigest())
    assert run.stdout.split() == ours[::-1]


def test_user_settings_are_left_as_they_were() -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 33.0}):
        render_slide(0, 0)
        assert mpl.rcParams["font.size"] == 33.0


def test_fast_enough() -> None:
    took = []
    for index in range(9):
        start = time.perf_counter()
        render_slide(4, index)
        took.append(time.perf_counter() - start)
    assert sorted(took)[4] < 1.0  # 0.1 s on a quiet machine


def test_reading_goes_down_and_then_right() -> None:
    with drawing_rules():
        page = Page("#ffffff")
        page.text((600, 205), "right", Font(20))
        page.text((60, 400), "below", Font(20))
        page.text((60, 200), "left", Font(20))
    assert page.reading() == "left right\nbelow"


@pytest.mark.parametrize("at", [(-5, 100), (1270, 100), (100, 5), (100, 719)])
def test_clipped_text_is_refused(at: tuple[float, float]) -> None:
    with drawing_rules(), pytest.raises(DoesNotFit):
        Page("#ffffff").text(at, "clipped", Font(20))


def test_overlapping_text_is_refused() -> None:
    with drawing_rules():
        page = Page("#ffffff")
        page.text((100, 100), "first", Font(20))
        with pytest.raises(DoesNotFit, match="touches"):
            page.text((120, 108), "second", Font(20))


@pytest.mark.parametrize(
    "family", ["DejaVu Sans", "DejaVu Serif", "STIXGeneral", "DejaVu Sans Mono"]
)
@pytest.mark.parametrize("size", [12, 17, 40])
def test_the_measured_box_holds_all_ink(family: str, size: int) -> None:
    with drawing_rules():
        page = Page("#ffffff")
        box = page.text((200, 300), "Quickly [fjord] gypsy|", Font(size, family=family))
        ink = np.argwhere(page.pixels().min(axis=2) < 250)
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0)
    assert box.left - 1 <= left <= right <= box.right + 1
    assert box.top - 1 <= top <= bottom <= box.bottom + 1


def test_every_formula_can_be_drawn_in_every_theme() -> None:
    with drawing_rules():
        page = Page("#ffffff")
        for math in {theme.math for theme in THEMES}:
            for subject in SUBJECTS:
                for formula in subject.formulas:
                    width, height, below = page.measure_formula(formula.tex, Font(18, math=math))
                    assert 20 < width < 600, formula
                    assert 0 <= below < height < 80, formula


def test_material_is_plentiful_and_clean() -> None:
    sentences = [sentence for subject in SUBJECTS for sentence in subject.sentences]
    assert len(sentences) == len(set(sentences)) >= 200
    assert all(sentence.endswith(".") and sentence.isascii() for sentence in sentences)
    for subject in SUBJECTS:
        assert all(len(table.ranges) == len(table.head) - 1 for table in subject.tables)
        assert all(len(line) <= 64 for code in subject.code for line in code.splitlines())
        assert len(subject.definitions) >= 4


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, two: str) -> float:
    low, high = sorted((_luminance(one), _luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=range(len(THEMES)))
def test_text_has_contrast(theme: Theme) -> None:
    under_title = theme.accent if theme.header == "bar" else theme.background
    assert _contrast(theme.title, under_title) >= 4.5
    for ground in (theme.background, theme.panel):
        for ink in (theme.ink, theme.muted):
            assert _contrast(ink, ground) >= 4.5, (ink, ground)
    for ink in (theme.second, theme.third):  # words of code
        assert _contrast(ink, theme.panel) >= 4.5, ink


@pytest.mark.parametrize(("scale", "width"), [(2, 1280), (3, 1278)])
def test_written_slides(tmp_path: Path, scale: int, width: int) -> None:
    write_slides(tmp_path / "out", 2, PairOptions(scale=scale, seed=9))
    pairs = pairs_from(tmp_path / "out")
    assert [pair.name for pair in pairs] == ["slide-9-0000", "slide-9-0001"]
    for index, pair in enumerate(pairs):
        slide = render_slide(9, index)
        assert pair.text == slide.text
        hr = read_image(pair.hr)
        assert np.array_equal(hr, slide.image[:, :width])
        assert np.array_equal(read_image(pair.lr), imresize(hr, 1 / scale))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "hr", f"lr_x{scale}", "pairs.csv",
    ]  # fmt: skip


def test_count_is_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_slides(tmp_path / "out", 0, PairOptions())


def test_box() -> None:
    box = Box(0, 0, 10, 20)
    assert (box.width, box.height) == (10, 20)
    assert not box.touches(Box(10, 0, 20, 20))
    assert box.touches(Box(9, 19, 20, 30))

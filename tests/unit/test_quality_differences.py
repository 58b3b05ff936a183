"""Which signs were misread."""

import jiwer
import numpy as np
import pytest

from edgesr.quality.differences import Run, compare_lines
from edgesr.quality.readability import Reading
from edgesr.quality.reading import Line
from edgesr.quality.text import normalise, score_text
from edgesr.quality.worst import draw_reading


def read(*texts: str) -> list[Line]:
    return [Line(text, 0.9, (0, 20 * n, 100, 20 * n + 18)) for n, text in enumerate(texts)]


def plain(runs: tuple[Run, ...]) -> str:
    return "".join(run.text for run in runs)


def test_signs_that_differ_are_marked_on_both_sides() -> None:
    (line,) = compare_lines(read("Gradent descemt"), "Gradient descent")
    assert line.wanted == (
        Run("Grad", right=True),
        Run("i", right=False),
        Run("ent desce", right=True),
        Run("n", right=False),
        Run("t", right=True),
    )
    assert line.read[-2:] == (Run("m", right=False), Run("t", right=True))
    assert not line.right


def test_what_was_not_read_stands_with_the_line_before() -> None:
    first, last = compare_lines(read("first line", "last line"), "first line\nWXYZ\nlast line")
    assert "WXYZ" in plain(first.wanted)
    assert last.right


def test_the_order_is_the_one_that_was_scored() -> None:
    lines = read("right column text", "left column text")
    compared = compare_lines(lines, "left column text\nright column text")
    assert [line.line.text for line in compared] == ["left column text", "right column text"]
    assert all(line.right for line in compared)


@pytest.mark.parametrize(
    ("texts", "reference"),
    [
        (["a bb ccc", "dddd"], "a bc ccc dddd e"),
        (["xx", "yy zz"], "entirely other text"),
        (["", "•", "one"], "one"),
    ],
)
def test_as_many_signs_are_marked_as_the_rate_counts(texts: list[str], reference: str) -> None:
    lines = read(*texts)
    compared = compare_lines(lines, reference)
    marked = 0
    for line in compared:
        wrong = [[run for run in runs if not run.right] for runs in (line.wanted, line.read)]
        marked += max(len(plain(tuple(side))) for side in wrong)
    cer = score_text(lines, reference).cer
    assert cer is not None
    edits = cer * len(normalise(reference))
    assert (
        marked
        <= round(edits)
        <= sum(len(plain(side)) for line in compared for side in (line.wanted, line.read))
    )
    joined = "".join(plain(line.wanted) for line in compared)
    assert jiwer.cer(normalise(reference), joined) == 0.0


def test_nothing_read_is_nothing_to_mark() -> None:
    assert compare_lines([], "text") == []


@pytest.mark.parametrize(("ignore_case", "marked"), [(True, False), (False, True)])
def test_a_picture_marks_what_was_counted(*, ignore_case: bool, marked: bool) -> None:
    lines, page = tuple(read("GRADIENT")), np.full((40, 120, 3), 255, np.uint8)
    score = score_text(lines, "gradient", ignore_case=ignore_case)
    reading = Reading(score, lines, "gradient")
    picture = draw_reading(page, page, reading, ignore_case=ignore_case)
    assert bool((picture == [194, 24, 7]).all(-1).any()) == marked


@pytest.mark.parametrize("size", [(15, 30_000), (600, 15)])
def test_images_of_any_shape_are_drawn(size: tuple[int, int]) -> None:
    page = np.zeros((*size, 3), np.uint8)
    lines = tuple(read("a"))
    assert draw_reading(page, page, Reading(score_text(lines, "b"), lines, "b")).shape[1] == 1600

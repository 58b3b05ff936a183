"""What the latency plot and the headline say about how sure a time is."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import simple_run

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise
from edgesr.report.figures._lanes import Lane
from edgesr.report.figures._style import drawing_style, to_svg
from edgesr.report.figures.latency import _lanes, latency
from edgesr.report.figures.registry import Frame
from edgesr.report.headline import headline


@pytest.fixture
def job(tmp_path: Path) -> JobSummary:
    (found,) = summarise(tidy_rows([read_run(simple_run(tmp_path, rounds=(9.0, 10.0, 11.0)))]))
    return found


def lane(job: JobSummary, low: float, high: float) -> Lane:
    (found,) = _lanes([replace(job, median_low_ms=low, median_high_ms=high)])
    return found


def test_the_bar_is_the_interval(job: JobSummary) -> None:
    found = lane(job, 9.8, 10.3)
    assert (found.low, found.mid, found.high, found.dotted) == (9.8, 10.0, 10.3, False)


@pytest.mark.parametrize(
    ("low", "high"),
    [(math.nan, math.nan), (0.0, 20.0), (9.0, math.inf), (1e-300, 1e300), (9.0, 31.0)],
)
def test_without_a_usable_interval_it_is_the_range_and_looks_so(
    job: JobSummary, low: float, high: float
) -> None:
    found = lane(job, low, high)
    assert (found.low, found.mid, found.high, found.dotted) == (9.0, 10.0, 11.0, True)
    drawn = []
    for one in (job, replace(job, median_low_ms=low, median_high_ms=high)):
        with drawing_style():
            drawing = latency([one], Frame(900))
            assert drawing is not None
            drawn.append(to_svg(drawing.figure))
    assert ("stroke-dasharray" in drawn[0], "stroke-dasharray" in drawn[1]) == (False, True)


def test_the_headline_tells_the_interval_where_there_is_one(job: JobSummary) -> None:
    told = replace(job, median_low_ms=9.8, median_high_ms=10.3, rounds=10)
    assert "10.0 ms per frame (95 % 9.80 to 10.3, 10 rounds)" in headline([told])
    for low, high in ((math.nan, math.nan), (9.0, math.inf)):
        few = replace(job, median_low_ms=low, median_high_ms=high, rounds=2)
        assert "(9.00 to 11.0 ms over 2 rounds)" in headline([few])

"""Rounds in two clumps and rounds that lie apart: what is said, how often rightly, what follows."""

import math
from pathlib import Path

import numpy as np
import pytest
from fake_runs import ok_record, simple_run

from edgesr.analysis.clumps import outliers, two_clumps
from edgesr.analysis.doubts import JobDoubt
from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise
from edgesr.report.wording import doubt_words
from edgesr.results.records import Job
from tests.fixtures.simulated_rounds import (
    SHAPES,
    clumped,
    halves,
    normal,
    one_clump,
    one_slow,
    slowing,
    with_outliers,
)

JOBS = 4_000


def summary(path: Path, times: list[float]) -> JobSummary:
    run = simple_run(path, rounds=())
    job = Job(**run.header()["jobs"][0])
    for number, ms in enumerate(times):
        run.append(ok_record(job, number, ms))
    (found,) = summarise(tidy_rows([read_run(run)]))
    return found


@pytest.mark.parametrize("rounds", [8, 10, 15, 20, 30])
def test_one_clump_is_rarely_taken_for_two(rounds: int) -> None:
    for shape in SHAPES:
        most = 0.08 if shape == "exponential" else 0.03  # strongly skewed ones look like two
        assert clumped(one_clump(shape, rounds, JOBS)) <= most, shape
    assert clumped(slowing(rounds, 0.2, JOBS)) <= 0.02


@pytest.mark.parametrize(("rounds", "near", "far"), [(8, 0.2, 0.9), (10, 0.25, 0.95),
                                                     (20, 0.45, 0.99)])  # fmt: skip
def test_two_clumps_are_found(rounds: int, near: float, far: float) -> None:
    assert clumped(halves(rounds, 0.1, JOBS)) >= near
    assert clumped(halves(rounds, 0.2, JOBS)) >= far


def test_what_two_clumps_are_told_to_be() -> None:
    found = two_clumps([10.0, 12.6, 10.1, 9.9, 12.4, 10.0, 12.5, 10.0, 10.05, 9.95])
    assert found is not None
    assert (found.slow, round(found.apart, 2)) == (3, 0.25)
    same = two_clumps([10.0] * 5 + [12.0] * 5)
    assert same is not None
    assert same.slow == 5


@pytest.mark.parametrize(
    "times",
    [
        [],
        [10.0] * 20,
        [10.0, 12.0] * 3,  # too few
        [10.0] * 10 + [10.4] * 10,  # too near
        [10.0] * 9 + [20.0],  # one round is no clump
        [math.nan, math.inf, 0.0, -1.0] * 5,
        [10.0 + n for n in range(12)],  # a ramp
    ],
)
def test_what_is_not_two_clumps(times: list[float]) -> None:
    assert two_clumps(times) is None


@pytest.mark.parametrize(("rounds", "mistaken"), [(5, 0.22), (10, 0.14), (20, 0.11)])
def test_outliers_are_found_and_how_often_by_mistake(rounds: int, mistaken: float) -> None:
    assert with_outliers(one_slow(rounds, 0.2, JOBS)) >= 0.93
    rng = np.random.default_rng(1)
    assert with_outliers(normal(rng, (JOBS, rounds), 0.02)) <= 0.07
    assert with_outliers(normal(rng, (JOBS, rounds), 0.05)) <= mistaken


def test_outliers_are_told_by_their_distance_and_side() -> None:
    assert outliers([10.0, 10.1, 9.9, 10.0, 15.0, 8.0]) == pytest.approx([0.5, -0.2], abs=0.01)
    assert outliers([10.0] * 5 + [11.0]) == pytest.approx([0.1])
    for none in ([10.0, 10.0, 10.0, 50.0], [10.0] * 5 + [10.4], [10.0, 11, 12, 13, 14, 15], [],
                 [math.nan] * 9):  # fmt: skip
        assert outliers(none) == []


def test_numbers_of_any_size_break_nothing() -> None:
    for wild in ([5e-324] * 4 + [1.7e308] * 4, [10.0**n for n in range(-300, 301, 50)]):
        two_clumps(wild)
        outliers(wild)


@pytest.mark.parametrize(
    ("times", "code", "numbers", "grade"),
    [
        ([10.0, 12.0] * 4, "bimodal", {"percent": 20, "slow": 4, "rounds": 8}, "B"),
        ([10.0, 18.0] * 4, "bimodal", {"percent": 80, "slow": 4, "rounds": 8}, "C"),
        ([10.0] * 6 + [11.0], "outliers", {"percent": 10, "far": 1, "rounds": 7}, "A"),
        ([10.0, 10.1, 10.0, 8.8, 10.0, 8.9, 9.9], "outliers",
         {"percent": -12, "far": 2, "rounds": 7}, "B"),
    ],
)  # fmt: skip
def test_a_job_carries_the_doubt(
    tmp_path: Path, times: list[float], code: str, numbers: dict[str, int], grade: str
) -> None:
    job = summary(tmp_path, times)
    found = {doubt.code: doubt for doubt in job.doubts}
    assert found[code] == JobDoubt(code, numbers, 0)
    assert not {"bimodal", "outliers"} - {code} & set(found)
    weighing = {"wide_spread"} & set(found)  # may come along, and weighs itself
    assert job.trust == ("B" if grade == "A" and weighing else grade)
    for number in numbers.values():
        assert str(number) in doubt_words(found[code])


def test_a_drift_explains_its_clumps(tmp_path: Path) -> None:
    job = summary(tmp_path, [10.0, 10.05, 10.1, 10.15, 12.0, 12.05, 12.1, 12.15])
    codes = {doubt.code for doubt in job.doubts}
    assert "drift" in codes
    assert not codes & {"bimodal", "outliers"}

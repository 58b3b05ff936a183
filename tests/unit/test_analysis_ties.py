"""Which jobs of a panel are tied, and how often that is said rightly."""

import itertools
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_runs import simple_run

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.statistics import median_interval
from edgesr.analysis.summary import JobSummary, summarise
from edgesr.analysis.ties import TieGroup, slower_by, tie_groups
from tests.fixtures.simulated_rounds import equal_jobs, normal


@pytest.fixture
def base(tmp_path: Path) -> JobSummary:
    (found,) = summarise(tidy_rows([read_run(simple_run(tmp_path))]))
    return found


def with_rounds(base: JobSummary, name: str, times: Sequence[float], first: int = 0) -> JobSummary:
    return replace(
        base, name=name, key=name, round_ms=dict(enumerate(times, first)),
        median_ms=median_interval(times).value, rounds=len(times),
    )  # fmt: skip


def named(groups: Iterable[TieGroup]) -> list[list[str]]:
    return [[job.name for job in (group.leader, *group.members)] for group in groups]


def noisy(level: float, seed: int, rounds: int = 10) -> list[float]:
    return list(level * normal(np.random.default_rng(seed), (rounds,)))


def test_groups_are_the_fastest_with_those_that_can_not_be_told_from_it(base: JobSummary) -> None:
    jobs = [
        with_rounds(base, name, noisy(level, seed))
        for seed, (name, level) in enumerate(
            [("slow", 30), ("fast", 10), ("as fast", 10.02), ("middle", 15), ("as slow", 30.05)]
        )
    ]
    groups = list(tie_groups(jobs))
    assert [set(names) for names in named(groups)] == [
        {"fast", "as fast"}, {"middle"}, {"slow", "as slow"},
    ]  # fmt: skip
    assert named(tie_groups(jobs[::-1])) == named(groups)
    first, second, third = groups
    assert (first.proven, second.proven, third.proven) == (False, True, True)
    assert not first.behind.told
    assert second.behind.value == pytest.approx(1.5, rel=0.03)
    assert third.behind.holds(3)


def test_what_slows_a_whole_round_does_not_hide_a_difference(base: JobSummary) -> None:
    """Rounds scatter by a factor of two, and one job is 3 % slower in each."""
    times = np.exp(np.random.default_rng(1).normal(0, 0.4, 10)) * 10
    own = 1 + 0.003 * np.random.default_rng(2).standard_normal(10)
    jobs = [with_rounds(base, "a", times), with_rounds(base, "b", times * 1.03 * own)]
    groups = list(tie_groups(jobs))
    assert named(groups) == [["a"], ["b"]]
    assert groups[1].behind.holds(1.03)


def test_rounds_are_paired_by_number_not_by_place(base: JobSummary) -> None:
    times = [10.0, 20.0, 40.0, 80.0, 160.0]
    whole = with_rounds(base, "whole", times)
    late = with_rounds(base, "late", times[1:], first=1)
    assert slower_by(late, whole).value == pytest.approx(1)
    assert slower_by(late, whole).n == 4
    assert named(tie_groups([whole, late])) == [["whole", "late"]]


@pytest.mark.parametrize("common", [0, 1, 2])
def test_too_few_common_rounds_prove_nothing(base: JobSummary, common: int) -> None:
    one = with_rounds(base, "one", [10.0] * 5)
    other = with_rounds(base, "other", [10.0] * 5, first=5 - common)
    (group,) = tie_groups([one, other])
    assert group.leader is one
    assert group.members == ()
    assert group.unknown == (other,)


def test_what_is_faster_in_all_common_rounds_is_never_called_slower(base: JobSummary) -> None:
    """The phone got hot after the fifth round, and only one job needed more than five."""
    early = with_rounds(base, "early", [10.0, 10.1, 9.9, 10.0, 10.05])
    late = with_rounds(base, "late", [9.5, 9.6, 9.4, 9.5, 9.55, *[13.0] * 7])
    assert early.median_ms < late.median_ms < 2 * early.median_ms
    assert slower_by(late, early).high < 1
    assert named(tie_groups([early, late])) == [["early", "late"]]


def test_jobs_without_a_time_are_in_no_group(base: JobSummary) -> None:
    lost = replace(base, median_ms=math.nan, round_ms={})
    assert named(tie_groups([])) == named(tie_groups([lost])) == []
    assert named(tie_groups([lost, with_rounds(base, "a", [10.0] * 3)])) == [["a"]]


def test_wild_rounds_tie_nothing_that_is_twice_as_slow(base: JobSummary) -> None:
    wild = [1.0, 10.0, 100.0], [900.0, 30.0, 2.0]
    jobs = [with_rounds(base, name, times) for name, times in zip("ab", wild, strict=True)]
    groups = list(tie_groups(jobs))
    assert named(groups) == [["a"], ["b"]]
    assert not groups[1].proven
    assert groups[1].behind.holds(1)


def test_foreign_numbers_break_nothing(base: JobSummary) -> None:
    odd = [
        with_rounds(base, f"{n}", times)
        for n, times in enumerate(
            ([1e-300, 1.0, 1e300], [1e300] * 3, [5e-324] * 4, [math.nan, -1.0, 3.0, 0.0])
        )
    ]
    found = [(g.leader, *g.members, *g.unknown) for g in tie_groups(odd)]
    assert sorted(job.name for jobs in found for job in jobs) == list("0123")


def test_jobs_without_common_rounds_are_refused(base: JobSummary) -> None:
    for other in (replace(base, run="another"), replace(base, device="phone")):
        with pytest.raises(ValueError, match="one run"):
            tie_groups([base, other])


def test_the_first_groups_of_a_large_panel_cost_little(base: JobSummary) -> None:
    jobs = [with_rounds(base, f"{n}", noisy(10 * 1.01**n, n)) for n in range(2400)]
    began = time.process_time()
    first, second = itertools.islice(tie_groups(jobs), 2)
    assert time.process_time() - began < 0.5
    assert first.leader.name == "0" or jobs[0] in first.members
    assert second.proven


@pytest.mark.parametrize(("jobs", "tied"), [(2, 0.9), (5, 0.88), (20, 0.82)])
def test_equal_jobs_are_tied_with_the_luckiest(jobs: int, tied: float) -> None:
    """The more there are, the luckier it is; docs/statistics.md says so."""
    assert equal_jobs(jobs, 10, 400).tied >= tied

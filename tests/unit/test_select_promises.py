"""What is said to win does win: every "wins if" is tried out on invented jobs."""

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from edgesr.analysis.summary import JobSummary
from edgesr.select.criteria import Criteria
from edgesr.select.metrics import METRICS
from edgesr.select.selection import GroupResult
from tests.unit.fake_jobs import criteria, job, only_group

ORDERS = (
    ("latency_median_ms", "psnr_y"),
    ("psnr_y", "latency_median_ms"),
    ("size_mb", "psnr_y", "latency_median_ms"),
)
LIMITS: tuple[dict[str, Any], ...] = (
    {},
    {"latency_median_ms": {"max": 22}},
    {"psnr_y": {"min": 34.5}},
)
TITLES = {METRICS[name].title: name for name in ("latency_median_ms", "psnr_y", "size_mb")}
PROMISE = re.compile(rf"({'|'.join(TITLES)}) (<=|>=|<|>) ([\d.]+)")


def drawn_jobs(draw: random.Random) -> list[JobSummary]:
    jobs = []
    for number in range(6):
        ms, level = draw.uniform(15, 30), draw.uniform(33, 36)
        rounds = {n: ms * draw.gauss(1, 0.01) for n in range(10)}
        jobs.append(job(f"n{number}", ms, round_ms=rounds, size_bytes=draw.choice([1e4, 2e4, 3e4]),
                        psnr_y=level, psnr_y_low=level - 0.4, psnr_y_high=level + 0.4))  # fmt: skip
    return jobs


def better(name: str, limit: float, *, weighed: bool) -> dict[str, Any]:
    """Fields of a job that is clearly on the good side of a limit."""
    if name == "latency_median_ms":
        ms = 0.98 * limit
        rounds = {n: ms * (1 + 0.0005 * (n % 2)) for n in range(10)}
        ends = {"median_low_ms": 0.999 * ms, "median_high_ms": 1.001 * ms}
        return {"median_ms": ms, "round_ms": rounds, **ends}
    if name == "psnr_y":
        level = limit + (0.06 if weighed else 0.85)  # beyond the other's interval
        return {"psnr_y": level, "psnr_y_low": level - 0.01, "psnr_y_high": level + 0.01}
    return {"size_bytes": 0.98e6 * limit}


def promises(group: GroupResult, *, weighed: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of a candidate, and fields of its job that should make it win."""
    for one in group.rejected:
        if one.would_win.startswith("wins if"):
            ways = one.would_win.split(" or ") if weighed else [one.would_win]
            for way in ways:
                assert PROMISE.search(way), way
                changes: dict[str, Any] = {}
                for found in PROMISE.finditer(way):
                    changes |= better(TITLES[found[1]], float(found[3]), weighed=weighed)
                yield one.choice.name, changes


@pytest.mark.parametrize("seed", range(40))
def test_every_promise_is_kept(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311
    jobs, limits = drawn_jobs(draw), draw.choice(LIMITS)
    weights = {"weights": {"psnr_y": 1, "latency_median_ms": 0.1}}
    wanted: list[Criteria] = [criteria(limits, order) for order in ORDERS]
    for one in [*wanted, criteria(limits, objective=weights)]:
        told = list(promises(only_group(jobs, one), weighed=bool(one.objective.weights)))
        for name, changes in told:
            new = [replace(j, **changes) if j.name == name else j for j in jobs]
            winner = only_group(new, one).winner
            assert winner is not None
            assert winner.name == name

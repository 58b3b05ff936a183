"""What to measure, in which order: pure functions from options to jobs and rounds."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgesr.bench.suite import Suite
from edgesr.results.records import Job
from edgesr.results.store import Candidate

_START_S = 0.4
"""Roughly what one launch costs outside its inferences: start, loading, packing weights."""


@dataclass(frozen=True)
class Axes:
    """The values that are combined with each other."""

    delegates: Mapping[str, tuple[str, ...]]
    """Device -> delegates to measure there."""
    threads: tuple[int, ...]
    fps: tuple[float | None, ...] = (None,)
    """Paces in frames per second; None for inferences that follow one another at once."""


@dataclass(frozen=True)
class Turn:
    """One round of one job."""

    job: Job
    round: int
    """From 0."""


def plan_jobs(candidates: Sequence[Candidate], axes: Axes) -> list[Job]:
    """Every candidate x device x delegate x threads x pace, once each, in that order."""
    combined = (
        (candidate, device, delegate, threads, fps)
        for candidate, (device, delegates) in itertools.product(candidates, axes.delegates.items())
        for delegate, threads, fps in itertools.product(delegates, axes.threads, axes.fps)
    )
    jobs = [
        Job(
            candidate=candidate.manifest.id,
            variant=candidate.manifest.variant,
            device=device,
            delegate=delegate,
            threads=threads,
            **({} if fps is None else {"pace_fps": fps}),
        )
        for candidate, device, delegate, threads, fps in combined
    ]
    return list({job.key: job for job in jobs}.values())


def schedule(jobs: Sequence[Job], rounds: int, *, in_series: bool = False) -> Iterator[Turn]:
    """All jobs in every round, each round beginning one job later.

    So a machine that gets slower while it gets hot is unfair to all jobs alike. In series all
    rounds of one job come before the next job.
    """
    if in_series:
        yield from (Turn(job, number) for job in jobs for number in range(rounds))
        return
    for number in range(rounds):
        start = number % len(jobs) if jobs else 0
        for job in (*jobs[start:], *jobs[:start]):
            yield Turn(job, number)


def input_size(candidate: Candidate) -> str:
    """Height x width of a candidate's input, "360x640"."""
    _, height, width, _ = candidate.manifest.inputs[0].shape
    return f"{height}x{width}"


def of_sizes(candidates: Sequence[Candidate], sizes: Sequence[str]) -> list[Candidate]:
    """The candidates whose input has one of the sizes; all, when no size is named."""
    return [c for c in candidates if not sizes or input_size(c) in sizes]


def estimate_s(turns: int, suite: Suite) -> tuple[float, float]:
    """Least and greatest time for so many launches, seconds, without the accuracy pass.

    The greatest counts ``max_secs`` for warm-up and measurement each; an inference that is
    longer than that is not known beforehand.
    """
    rest = suite.cool_down_s + _START_S
    least = suite.warmup_min_secs + suite.min_secs
    most = suite.warmup_min_secs + max(suite.max_secs, suite.min_secs)
    return turns * (rest + least), turns * (rest + most)

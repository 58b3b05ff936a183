"""Which jobs stand on the page where there are too many for it."""

import math
from collections.abc import Callable, Hashable, Sequence

from edgesr.analysis.summary import JobSummary

MOST_ROWS = 2000
"""Rows of the table of all jobs; the others stand in summary.csv."""


def most_telling(jobs: Sequence[JobSummary], most: int = MOST_ROWS) -> list[JobSummary]:
    """At most so many jobs, in the order they have.

    First for each candidate, device and delegate its best thread count, of those first each
    candidate's best delegate, of those first the best of a device. Best: what may be selected
    before what may not, then by trust, then the fastest.
    """
    if len(jobs) <= most:
        return list(jobs)
    by_merit = sorted(range(len(jobs)), key=lambda index: merit(jobs[index]))
    ranks = [
        _ranks(jobs, by_merit, key)
        for key in (
            lambda job: (job.run, job.device, job.candidate, job.delegate),
            lambda job: (job.run, job.device, job.candidate),
            lambda job: (job.run, job.device, job.scale, job.input),
        )
    ]
    best_first = sorted(range(len(jobs)), key=lambda index: tuple(rank[index] for rank in ranks))
    return [jobs[index] for index in sorted(best_first[:most])]


def merit(job: JobSummary) -> tuple[bool, bool, str, float]:
    """Sorts the best first."""
    time = math.inf if math.isnan(job.median_ms) else job.median_ms
    return (not job.selectable, not job.measured, job.trust, time)


def _ranks(
    jobs: Sequence[JobSummary], by_merit: Sequence[int], key: Callable[[JobSummary], Hashable]
) -> list[int]:
    """Each job's place among those with the same key, from 0."""
    seen: dict[Hashable, int] = {}
    ranks = [0] * len(jobs)
    for index in by_merit:
        group = key(jobs[index])
        ranks[index] = seen.get(group, 0)
        seen[group] = ranks[index] + 1
    return ranks

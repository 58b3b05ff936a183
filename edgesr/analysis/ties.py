"""Which jobs of one panel are as fast as each other, as far as their rounds can tell.

Rounds of one run are interleaved, so round n of two jobs was measured under nearly the same
conditions: jobs are compared round by round, and what slows both cancels. A group is the fastest
job with all that the 95 % interval of the ratio doesn't prove to be slower; the next group begins
with the fastest of the others.

Two equal jobs are called tied in about 95 % of cases; one that is 3 % slower, where rounds scatter
by 2 %, is told apart in 70 % at 10 rounds and in 97 % at 20. Nothing is corrected for many jobs in
one panel: of 20 equal ones each is tied with the leader, the luckiest of them, in 86 % of cases.
Bonferroni's correction for 20 would take away most of the power: at 3 rounds it would tell nothing
below 40 % apart. docs/statistics.md has the tables.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgesr.analysis.statistics import NOTHING, Estimate, paired_ratio
from edgesr.analysis.summary import JobSummary

FAR = 2.0
"""A job whose median is so many times the leader's is not tied, however much its rounds scatter."""


@dataclass(frozen=True)
class TieGroup:
    """A job and those tied with it."""

    leader: JobSummary
    """The fastest of the group."""
    members: tuple[JobSummary, ...]
    """Those tied with it, the fastest first: nothing proves that they are slower."""
    unknown: tuple[JobSummary, ...]
    """Those that share too few rounds with it: they are proven neither tied nor slower."""
    behind: Estimate
    """By what factor the leader is slower than the leader of the first group; `NOTHING` for that
    one itself."""

    @property
    def proven(self) -> bool:
        """Whether the leader is surely slower than that of the first group."""
        return self.behind.low > 1


def tie_groups(jobs: Sequence[JobSummary]) -> Iterator[TieGroup]:
    """The jobs in groups of equally fast ones, the fastest group first; each as it is asked for.

    Args:
        jobs: Of one panel: same run, device, scale and input size. Those without a time are left
            out.

    Raises:
        ValueError: When they are of several runs or devices, whose rounds have nothing in common.
    """
    if len({(job.run, job.device) for job in jobs}) > 1:
        raise ValueError("ties are of jobs of one run and device")
    return _groups(sorted((job for job in jobs if job.measured), key=lambda job: job.median_ms))


def _groups(left: list[JobSummary]) -> Iterator[TieGroup]:
    """The groups of jobs that are sorted by their time."""
    first: JobSummary | None = None
    while left:
        leader, *others = left
        near = sum(job.median_ms <= FAR * leader.median_ms for job in others)
        ratios = [(job, slower_by(job, leader)) for job in others[:near]]
        behind = slower_by(leader, first) if first else NOTHING
        first = first or leader
        yield TieGroup(
            leader,
            members=tuple(job for job, ratio in ratios if ratio.low <= 1),
            unknown=tuple(job for job, ratio in ratios if not ratio.told),
            behind=behind,
        )
        left = [job for job, ratio in ratios if ratio.low > 1] + others[near:]


def slower_by(job: JobSummary, other: JobSummary) -> Estimate:
    """By what factor a job is slower than another of its panel, over the rounds of both."""
    common = sorted(job.round_ms.keys() & other.round_ms.keys())
    return paired_ratio(
        [job.round_ms[number] for number in common], [other.round_ms[number] for number in common]
    )

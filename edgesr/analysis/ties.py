"""Which jobs of one panel are as fast as each other, as far as their rounds can tell.

Rounds of one run are interleaved, so round n of two jobs was measured under nearly the same
conditions: jobs are compared round by round, and what slows both cancels. A group is the fastest
job with all that its 95 % interval of the ratio can't tell from it; the next group begins with the
fastest of the others.

Two equal jobs are called tied in about 95 % of cases; one that is 3 % slower, where rounds scatter
by 2 %, is told apart in 70 % at 10 rounds and in 97 % at 20. Nothing is corrected for many jobs in
one panel: of 20 equal ones each is tied with the leader, the luckiest of them, in 86 % of cases.
Bonferroni's correction for 20 would take away most of the power: at 3 rounds it would tell nothing
below 40 % apart. docs/statistics.md has the tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edgesr.analysis.statistics import NOTHING, Estimate, paired_ratio
from edgesr.analysis.summary import JobSummary

FAR = 2.0
"""A job whose median is so many times the leader's is not tied, however much its rounds scatter."""


@dataclass(frozen=True)
class Tied:
    """A job that can't be told from its group's leader."""

    job: JobSummary
    ratio: Estimate
    """By what factor it is slower than the leader; its interval holds 1."""


@dataclass(frozen=True)
class TieGroup:
    """A job and those tied with it."""

    leader: JobSummary
    """The fastest of the group."""
    members: tuple[Tied, ...]
    """The others, the fastest first."""
    behind: Estimate
    """By what factor the leader is slower than the leader of the first group; `NOTHING` for that
    one itself. Without an interval the two share too few rounds: then nothing proves that it is
    slower, nor that it is tied."""

    @property
    def jobs(self) -> tuple[JobSummary, ...]:
        """The leader and the others."""
        return (self.leader, *(member.job for member in self.members))

    @property
    def proven(self) -> bool:
        """Whether the leader is surely slower than that of the first group."""
        return self.behind.told and not self.behind.holds(1)


def tie_groups(jobs: Sequence[JobSummary]) -> list[TieGroup]:
    """The jobs in groups of equally fast ones, the fastest group first.

    A job with fewer than three rounds in common with a leader is never in its group.

    Args:
        jobs: Of one panel: same run, device, scale and input size. Those without a time are left
            out.

    Raises:
        ValueError: When they are of several panels, whose rounds have nothing in common.
    """
    if len({(job.run, job.device, str(job.scale), job.input) for job in jobs}) > 1:
        raise ValueError("ties are of jobs of one run, device, scale and input size")
    left = sorted((job for job in jobs if job.measured), key=lambda job: job.median_ms)
    groups: list[TieGroup] = []
    while left:
        leader, *others = left
        near = [job for job in others if job.median_ms <= FAR * leader.median_ms]
        compared = [Tied(job, slower_by(job, leader)) for job in near]
        members = tuple(one for one in compared if one.ratio.holds(1))
        behind = slower_by(leader, groups[0].leader) if groups else NOTHING
        groups.append(TieGroup(leader, members, behind))
        left = [one.job for one in compared if not one.ratio.holds(1)] + others[len(near) :]
    return groups


def slower_by(job: JobSummary, other: JobSummary) -> Estimate:
    """By what factor a job is slower than another of its panel, over the rounds of both."""
    common = sorted(job.round_ms.keys() & other.round_ms.keys())
    return paired_ratio(
        [job.round_ms[number] for number in common], [other.round_ms[number] for number in common]
    )

"""Which candidates are as fast as the fastest, as far as their rounds can tell: in words."""

from collections.abc import Sequence

from edgesr.analysis.statistics import FEWEST
from edgesr.analysis.summary import JobSummary
from edgesr.analysis.ties import TieGroup, tie_groups
from edgesr.report.shown import merit
from edgesr.report.wording import delegate_words
from edgesr.text import plural, short

MOST = 6
"""Names in the sentence."""


def tie_sentence(jobs: Sequence[JobSummary]) -> str:
    """Who is tied with the fastest of a panel, and by how much the next one is behind.

    Each candidate with its best delegate and thread count; empty where there is nothing to compare.

    Args:
        jobs: Of one panel: same run, device, scale and input size.
    """
    best: dict[str, JobSummary] = {}
    for job in sorted((job for job in jobs if job.selectable), key=lambda job: job.median_ms):
        best.setdefault(job.candidate, job)
    if len(best) < 2:
        return ""
    groups = tie_groups(list(best.values()))
    first, second = next(groups), next(groups, None)
    parts = [_tied(first.members)] if first.members else []
    parts += [_next(second)] if second is not None and second.proven else []
    if untold := len(first.unknown):
        parts.append(
            f"{plural(untold, 'candidate')} {'has' if untold == 1 else 'have'} fewer than {FEWEST} "
            "rounds in common with the fastest: nothing is proven."
        )
    return " ".join(parts)


def _tied(jobs: Sequence[JobSummary]) -> str:
    names = ", ".join(
        f"{short(job.name, 60)} ({delegate_words(job.placed)})"
        for job in sorted(jobs, key=merit)[:MOST]
    )
    more = f" and {len(jobs) - MOST} more" if len(jobs) > MOST else ""
    return f"As fast as the fastest, as far as the rounds can tell (95 %): {names}{more}."


def _next(group: TieGroup) -> str:
    ratio = group.behind
    return (
        f"The next, {short(group.leader.name, 60)}, is slower by {100 * (ratio.value - 1):.1f} % "
        f"(95 % {100 * (ratio.low - 1):.1f} to {100 * (ratio.high - 1):.1f} %)."
    )

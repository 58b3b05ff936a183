"""What single operations cost."""

from collections.abc import Sequence

from edgesr.analysis.operations import OpCost
from edgesr.analysis.summary import JobSummary
from edgesr.report.figures._lanes import (
    MOST_GROUPS,
    Group,
    Lane,
    LanePlot,
    draw_lanes,
    fastest_by_place,
    unique_names,
)
from edgesr.report.figures.registry import Drawing, Frame, plot
from edgesr.report.headline import first_panels, panels
from edgesr.report.wording import delegate_words
from edgesr.text import figures, fixed, plural, short

TOP = 5
"""Kinds of operations drawn per job; the others are added up."""


@plot(
    "op_profile",
    title="Operations",
    caption="What the costliest kinds of operations take of one inference, from the engine's own "
    "profile, a pass of its own in which everything is slower. Each candidate and delegate at its "
    "fastest profiled thread count. Colour: where it ran.",
    order=60,
)
def op_profile(jobs: Sequence[JobSummary], frame: Frame) -> Drawing | None:
    """A few bars per candidate, device and delegate, ms per inference."""
    profiled = [job for job in jobs if job.profile]
    drawn = {title: _shown(members) for title, members in panels(profiled).items()}
    drawn, beyond = first_panels({title: members for title, members in drawn.items() if members})
    if not drawn:
        return None
    groups, left_out = {}, 0
    for title, members in drawn.items():
        names = unique_names(members)
        own = [
            Group(_heading(names[job.candidate], job, frame), _lanes(job, frame)) for job in members
        ]
        groups[title] = own[:MOST_GROUPS]
        left_out += len(own) - len(groups[title])
    everything = [job for members in drawn.values() for job in members]
    placed = tuple(sorted({job.placed for job in everything}))
    first = everything[0]
    alt = (
        f"Costliest operations of {plural(len(everything), 'measurement')}; for example, "
        f"{short(first.name, 50)} on {delegate_words(first.placed)}: {_words(first.profile[0])}."
    )
    note = f"{plural(left_out, 'slower measurement')} left out." if left_out else ""
    plan = LanePlot(groups, "ms per inference", placed)
    return Drawing(draw_lanes(plan, frame), alt, f"{note} {beyond}".strip())


def _shown(jobs: list[JobSummary]) -> list[JobSummary]:
    by_candidate: dict[str, list[JobSummary]] = {}
    for job in jobs:
        by_candidate.setdefault(job.candidate, []).append(job)
    return [job for own in by_candidate.values() for job in fastest_by_place(own)]


def _heading(name: str, job: JobSummary, frame: Frame) -> str:
    """Candidate and delegate: on two lines where they stand beside the bars."""
    between = ", " if frame.narrow else "\n"
    return f"{name}{between}{short(delegate_words(job.placed), 34)}"


def _lanes(job: JobSummary, frame: Frame) -> tuple[Lane, ...]:
    costs = list(job.profile[:TOP])
    rest = job.profile[TOP:]
    if rest:
        total = (sum(c.ms for c in rest), sum(c.pct for c in rest), sum(c.nodes for c in rest))
        costs.append(OpCost("others", *total))
    limit = 22 if frame.narrow else 40
    return tuple(Lane(job.placed, 0, c.ms, c.ms, _words(c, limit), bar=True) for c in costs)


def _words(cost: OpCost, limit: int = 40) -> str:
    count = f" ×{cost.nodes}" if cost.nodes > 1 else ""
    return f"{short(cost.op, limit)}{count}: {figures(cost.ms)} ms, {fixed(cost.pct, 0)} %"

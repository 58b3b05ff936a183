"""Memory that a candidate takes on each delegate."""

import math
from collections.abc import Sequence

from edgesr.analysis.summary import JobSummary
from edgesr.report.figures._lanes import (
    Lane,
    draw_lanes,
    fastest_by_place,
    lane_plot,
    variant_words,
)
from edgesr.report.figures.registry import Drawing, Frame, plot
from edgesr.text import fixed, plural


@plot(
    "memory",
    title="Memory",
    caption="Growth of the resident set from the engine's start to the end of a round (MiB), at "
    "the same thread count as in the latency plot. PSS: from a pass of its own, where measured.",
    order=40,
)
def memory(jobs: Sequence[JobSummary], frame: Frame) -> Drawing | None:
    """One bar per candidate and delegate, MiB."""
    plan = lane_plot(jobs, _lanes, "MiB")
    if not plan.panels:
        return None
    values = [lane.mid for groups in plan.panels.values() for g in groups for lane in g.lanes]
    alt = (
        f"Memory of {plural(len(values), 'measurement')}, {fixed(min(values), 1)} to "
        f"{fixed(max(values), 1)} MiB."
    )
    return Drawing(draw_lanes(plan, frame), alt, plan.note)


def _lanes(jobs: list[JobSummary]) -> list[Lane]:
    known = [job for job in fastest_by_place(jobs) if math.isfinite(job.memory_mb)]
    return [
        Lane(job.placed, 0, job.memory_mb, job.memory_mb, _label(job), bar=True) for job in known
    ]


def _label(job: JobSummary) -> str:
    pss = job.memory_pss_mb
    own = f", PSS {fixed(pss, 1)}" if math.isfinite(pss) else ""
    return f"{fixed(job.memory_mb, 1)} MiB{own}{variant_words(job.placed)}"

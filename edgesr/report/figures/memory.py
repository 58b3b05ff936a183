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
    caption="Growth of the resident set from the engine's start (MiB): full until the model is "
    "ready, light until the end of a round, where told; the line goes on to the peak. At the same "
    "thread count as in the latency plot. PSS: from a pass of its own, where measured.",
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
    return [_lane(job) for job in known]


def _lane(job: JobSummary) -> Lane:
    """From stage to stage it only grows; a figure that doesn't is left out."""
    ready, whole, peak = job.memory_init_mb, job.memory_mb, job.memory_peak_mb
    low = ready if 0 < ready <= whole else 0.0
    high = peak if math.isfinite(peak) and peak > whole else whole
    return Lane(job.placed, low, whole, high, _label(job), bar=True)


def _label(job: JobSummary) -> str:
    pss = job.memory_pss_mb
    own = f", PSS {fixed(pss, 1)}" if math.isfinite(pss) else ""
    ready = f"{fixed(job.memory_init_mb, 1)} → " if 0 < job.memory_init_mb <= job.memory_mb else ""
    return f"{ready}{fixed(job.memory_mb, 1)} MiB{own}{variant_words(job.placed)}"

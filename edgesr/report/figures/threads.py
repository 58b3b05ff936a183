"""What more threads bring."""

import math
from collections.abc import Sequence

from edgesr.analysis.summary import JobSummary
from edgesr.report.figures._lanes import Lane, draw_lanes, lane_plot, variant_words
from edgesr.report.figures.registry import Drawing, Frame, plot
from edgesr.text import plural


@plot(
    "threads",
    title="Threads",
    caption="One line per candidate and delegate, from the fewest threads (hollow) to the most "
    "(full). Drawn where a job was measured with several thread counts.",
    order=50,
)
def threads(jobs: Sequence[JobSummary], frame: Frame) -> Drawing | None:
    """Latency at each thread count on one lane, ms per frame."""
    plan = lane_plot(jobs, _lanes, "ms per frame")
    if not plan.panels:
        return None
    lanes = sum(len(group.lanes) for groups in plan.panels.values() for group in groups)
    alt = f"Latency at several thread counts for {plural(lanes, 'candidate and delegate pair')}."
    return Drawing(draw_lanes(plan, frame), alt, plan.note)


def _lanes(jobs: list[JobSummary]) -> list[Lane]:
    by_place: dict[str, list[JobSummary]] = {}
    for job in sorted(jobs, key=lambda job: job.threads):
        if job.measured and math.isfinite(job.threads):
            by_place.setdefault(job.placed, []).append(job)
    return [_lane(own) for own in by_place.values() if len({job.threads for job in own}) > 1]


def _lane(jobs: list[JobSummary]) -> Lane:
    times = tuple(job.median_ms for job in jobs)
    ratio = times[0] / times[-1]
    word = f"{ratio:.2f} × as fast"
    label = f"{jobs[0].threads:.0f} → {jobs[-1].threads:.0f} threads: {word}"
    label += variant_words(jobs[0].placed)
    return Lane(jobs[0].placed, min(times), times[-1], max(times), label, points=times)

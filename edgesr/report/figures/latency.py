"""Latency with its spread, per candidate and delegate."""

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
from edgesr.report.wording import delegate_words
from edgesr.text import figures, plural, short


@plot(
    "latency",
    title="Latency",
    caption="Point: median of the rounds' medians. Bar: fastest to slowest round. Each candidate "
    "and delegate at its fastest thread count; an axis that spans much is logarithmic. "
    "▲: of trust B or C, the table says why.",
    order=10,
)
def latency(jobs: Sequence[JobSummary], frame: Frame) -> Drawing | None:
    """Points with min..max bars, ms per frame."""
    plan = lane_plot(jobs, _lanes, "ms per frame")
    if not plan.panels:
        return None
    measured = [job for job in jobs if job.measured]
    fast = min(measured, key=lambda job: job.median_ms)
    slow = max(measured, key=lambda job: job.median_ms)
    alt = (
        f"Latency of {plural(len({job.candidate for job in measured}), 'candidate')}, from "
        f"{_told(fast)} to {_told(slow)}. All values are in the table below."
    )
    note = f"{plan.left_out} slower candidates are in the table only." if plan.left_out else ""
    return Drawing(draw_lanes(plan, frame), alt, f"{note} {plan.note}".strip())


def _lanes(jobs: list[JobSummary]) -> list[Lane]:
    return [
        Lane(job.placed, job.fastest_ms, job.median_ms, job.slowest_ms, _label(job))
        for job in fastest_by_place(jobs)
    ]


def _label(job: JobSummary) -> str:
    threads = f", {plural(int(job.threads), 'thread')}" if math.isfinite(job.threads) else ""
    variant = variant_words(job.placed)
    doubt = " ▲" if job.trust != "A" else ""
    return f"{figures(job.median_ms)} ms{threads}{variant}{doubt}"


def _told(job: JobSummary) -> str:
    where = f"{delegate_words(job.placed)}, {short(job.device_label, 40)}"
    return f"{figures(job.median_ms)} ms ({short(job.name, 50)} on {where})"

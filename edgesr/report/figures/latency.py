"""Latency with its interval, per candidate and delegate."""

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

WIDEST = 3.0
"""An interval that goes beyond so many times the median, or below as small a part of it, tells
nothing and would squeeze all others: it counts as none."""


@plot(
    "latency",
    title="Latency",
    caption="Point: median of the rounds' medians. Bar with ends: its 95 % interval over rounds; "
    "dotted: fastest to slowest round, where there are too few rounds to tell it. Each "
    "candidate and delegate at its fastest thread count; an axis that spans much is logarithmic. "
    "▲: of trust B or C, the table says why.",
    order=10,
)
def latency(jobs: Sequence[JobSummary], frame: Frame) -> Drawing | None:
    """Points with intervals, ms per frame."""
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
    return [_lane(job) for job in fastest_by_place(jobs)]


def _lane(job: JobSummary) -> Lane:
    low, high = job.median_low_ms, job.median_high_ms
    told = job.median_ms / WIDEST <= low and high <= WIDEST * job.median_ms
    ends = (low, high) if told else (job.fastest_ms, job.slowest_ms)
    return Lane(job.placed, ends[0], job.median_ms, ends[1], _label(job), dotted=not told)


def _label(job: JobSummary) -> str:
    threads = f", {plural(int(job.threads), 'thread')}" if math.isfinite(job.threads) else ""
    variant = variant_words(job.placed)
    doubt = " ▲" if job.trust != "A" else ""
    return f"{figures(job.median_ms)} ms{threads}{variant}{doubt}"


def _told(job: JobSummary) -> str:
    where = f"{delegate_words(job.placed)}, {short(job.device_label, 40)}"
    return f"{figures(job.median_ms)} ms ({short(job.name, 50)} on {where})"

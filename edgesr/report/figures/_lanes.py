"""Horizontal lanes: one per measurement, gathered under their candidate, one panel per device.

Everything is laid out in CSS pixels, so that labels can't run into one another.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from edgesr.analysis.summary import JobSummary
from edgesr.report.figures._style import (
    GRID,
    INK,
    MUTED,
    PAPER,
    delegate_colour,
    draw_legend,
    legend_height,
    new_figure,
    place_axes,
)
from edgesr.report.figures.registry import Frame
from edgesr.report.headline import first_panels, panels
from edgesr.report.wording import delegate_base, delegate_words, split_placed
from edgesr.text import figures, short

MOST_GROUPS, LEAST_GROUPS = 30, 4
"""Candidates drawn per panel, at most and, of many panels, at least; the others stand in the
table."""
MOST_LANES = 192
"""Lanes of a plot, if each panel gets its least: what more of them tell nobody reads."""
LANE, GAP, HEADING, TITLE, AXIS = 16, 8, 15, 30, 40
LABEL_COLUMN = 240
_SIZE = re.compile(r"-\d+x\d+(?=-|$)")


@dataclass(frozen=True)
class Lane:
    """One measurement."""

    placed: str
    low: float
    mid: float
    high: float
    label: str
    points: tuple[float, ...] = ()
    """Further values on the same lane, in order; drawn from hollow to full."""
    bar: bool = False
    """A bar from zero, instead of a point with a range: full up to ``low``, then lighter up to
    ``mid``, and a line up to ``high``."""
    dotted: bool = False
    """The range is something else than that of the other lanes."""


@dataclass(frozen=True)
class Group:
    """A candidate's lanes."""

    label: str
    lanes: tuple[Lane, ...]


@dataclass(frozen=True)
class LanePlot:
    """A whole plot of lanes."""

    panels: dict[str, list[Group]]
    axis_label: str
    legend: tuple[str, ...] = ()
    """Where the jobs ran, for the colours' legend; empty for none."""
    left_out: int = 0
    """Candidates that are not drawn, over all panels."""
    note: str = ""
    """About panels that are left out."""


def lane_plot(
    jobs: Sequence[JobSummary],
    lanes_of: Callable[[list[JobSummary]], list[Lane]],
    axis_label: str,
) -> LanePlot:
    """Gathers jobs into panels and groups; candidates by their smallest value.

    Args:
        jobs: All jobs.
        lanes_of: Makes the lanes of one candidate within one panel.
        axis_label: What is measured, with its unit.
    """
    found: dict[str, list[Group]] = {}
    left_out = 0
    for title, members in panels(jobs).items():
        by_candidate: dict[str, list[JobSummary]] = {}
        for job in members:
            by_candidate.setdefault(job.candidate, []).append(job)
        labels = unique_names(members)
        groups = [Group(labels[c], tuple(lanes_of(own))) for c, own in by_candidate.items()]
        groups = [group for group in groups if group.lanes]
        groups.sort(key=lambda group: min(lane.mid for lane in group.lanes))
        if groups:
            found[title] = groups
    found, note = first_panels(found)
    lanes = sum(len(group.lanes) for groups in found.values() for group in groups)
    share = MOST_LANES / max(lanes, MOST_LANES)
    for title, groups in found.items():
        most = min(MOST_GROUPS, max(LEAST_GROUPS, round(share * len(groups))))
        left_out += max(0, len(groups) - most)
        found[title] = groups[:most]
    placed = {lane.placed for groups in found.values() for g in groups for lane in g.lanes}
    return LanePlot(found, axis_label, tuple(sorted(placed - {""})), left_out, note)


def unique_names(jobs: Sequence[JobSummary], limit: int = 34) -> dict[str, str]:
    """Candidate -> short name; equal names get the candidate's id.

    An input size that all names share is left out.
    """
    sizes = {size for job in jobs for size in _SIZE.findall(job.name)}
    full = {
        job.candidate: short(_SIZE.sub("", job.name) if len(sizes) == 1 else job.name, limit)
        for job in jobs
    }
    names = list(full.values())
    return {
        candidate: name if names.count(name) == 1 else f"{name[: limit - 9]} {candidate[:8]}"
        for candidate, name in full.items()
    }


def fastest_by_place(jobs: Sequence[JobSummary]) -> list[JobSummary]:
    """For each place a candidate ran, its measurement with the fastest thread count."""
    best: dict[str, JobSummary] = {}
    for job in jobs:
        if job.measured:
            now = best.get(job.placed)
            best[job.placed] = job if now is None or job.median_ms < now.median_ms else now
    return sorted(best.values(), key=lambda job: job.median_ms)


def variant_words(placed: str) -> str:
    """``, GPU (OpenCL)`` for a delegate's variant, which its colour alone doesn't tell."""
    delegate, _ = split_placed(placed)
    return "" if delegate_base(delegate) == delegate else f", {short(delegate_words(placed), 40)}"


def draw_lanes(plan: LanePlot, frame: Frame) -> Figure:
    """Draws the panels one below the other."""
    heights = [_panel_height(groups, frame) for groups in plan.panels.values()]
    top: float = legend_height(frame.width, plan.legend, ()) if plan.legend else 0
    figure = new_figure(frame.width, top + sum(heights) + len(heights) * (TITLE + AXIS))
    if plan.legend:
        draw_legend(figure, plan.legend, ())
    left = 4 if frame.narrow else LABEL_COLUMN
    for (title, groups), height in zip(plan.panels.items(), heights, strict=True):
        figure.text(
            0,
            1 - (top + TITLE / 2) / figure.bbox.height,
            short(title, 52 if frame.narrow else 110),
            va="center",
            fontweight="bold",
            fontsize=11 if frame.narrow else 12,
        )
        axes = place_axes(figure, (left, top + TITLE, frame.width - left - 4, height))
        _draw_panel(axes, groups, frame, frame.width - left - 4)
        axes.set_xlabel(plan.axis_label, fontsize=10, loc="left")
        top += TITLE + height + AXIS
    return figure


def _panel_height(groups: list[Group], frame: Frame) -> float:
    heading = HEADING if frame.narrow else 0
    return sum(heading + GAP + LANE * len(group.lanes) for group in groups)


def _draw_panel(axes: Axes, groups: list[Group], frame: Frame, width: float) -> None:
    height, y = _panel_height(groups, frame), 0.0
    axes.set_ylim(height, 0)
    axes.yaxis.set_visible(False)
    _scale_axis(axes, [lane for group in groups for lane in group.lanes], width)
    axes.grid(axis="x")
    for group in groups:
        axes.axhline(y, color=GRID, linewidth=1)
        y += GAP / 2
        if frame.narrow:
            axes.annotate(
                group.label,
                (0, y + HEADING / 2),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=10,
            )
            y += HEADING
        else:
            middle = y + LANE * len(group.lanes) / 2
            axes.annotate(
                group.label,
                (0, middle),
                xycoords=("axes fraction", "data"),
                xytext=(-12, 0),
                textcoords="offset points",
                ha="right",
                va="center",
            )
        for lane in group.lanes:
            _draw_lane(axes, lane, y + LANE / 2)
            y += LANE
        y += GAP / 2


def _draw_lane(axes: Axes, lane: Lane, y: float) -> None:
    (_draw_bar if lane.bar else _draw_points)(axes, lane, y)
    axes.annotate(
        lane.label,
        (lane.high, y),
        xytext=(8, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=10,
        color=INK if lane.placed else MUTED,
        bbox={"facecolor": PAPER, "linewidth": 0, "pad": 0.5},
    )


def _draw_bar(axes: Axes, lane: Lane, y: float) -> None:
    style: dict[str, Any] = {
        "height": LANE - 6, "color": delegate_colour(lane.placed), "linewidth": 0,
    }  # fmt: skip
    staged = lane.low > 0
    axes.barh(y, lane.mid, alpha=0.45 if staged else 1, **style)
    if staged:
        axes.barh(y, lane.low, **style)
    if lane.high > lane.mid:
        axes.plot([lane.mid, lane.high], [y, y], color=style["color"], linewidth=1.5)


def _draw_points(axes: Axes, lane: Lane, y: float) -> None:
    colour = delegate_colour(lane.placed)
    style: dict[str, Any] = {"linestyle": (0, (1, 1))} if lane.dotted else {}
    axes.plot(
        [lane.low, lane.high], [y, y], color=colour, linewidth=2, solid_capstyle="butt", **style
    )
    ends = axes.transData.transform([(lane.low, y), (lane.high, y)])
    wide = ends[1][0] - ends[0][0] > 8  # else the point hides the ends
    if wide and not lane.points and not lane.dotted:
        axes.plot(
            [lane.low, lane.high], [y, y], "|", color=colour, markersize=9, markeredgewidth=1.5
        )
    points = lane.points or (lane.mid,)
    for index, point in enumerate(points):
        last = index == len(points) - 1
        axes.plot(
            [point],
            [y],
            "o",
            color=colour,
            markersize=6,
            markeredgewidth=1.5,
            markerfacecolor=colour if last else axes.figure.get_facecolor(),
        )


def _scale_axis(axes: Axes, lanes: list[Lane], width: float) -> None:
    """From zero, or logarithmic where the values span too much; leaves room for the labels."""
    highs, lows = [lane.high for lane in lanes], [lane.low for lane in lanes]
    rooms = [min(0.75, (16 + 6.2 * len(lane.label)) / width) for lane in lanes]
    logarithmic = (
        not any(lane.bar for lane in lanes) and min(lows) > 0 and (max(highs) / min(lows) > 25)
    )
    if not logarithmic:
        most = max(high / (1 - room) for high, room in zip(highs, rooms, strict=True))
        axes.set_xlim(0, most or 1)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.locator_params(axis="x", nbins=max(4, round(width / 110)))
        return
    start = math.log10(min(lows)) - 0.04 * math.log10(max(highs) / min(lows))
    ends = [start + (math.log10(h) - start) / (1 - r) for h, r in zip(highs, rooms, strict=True)]
    axes.set_xscale("log")
    axes.set_xlim(10**start, 10 ** max(ends))
    steps = (1, 2, 5) if math.log10(max(highs)) - start < width / 180 else (1,)
    powers = range(math.floor(start), math.ceil(max(ends)) + 1)
    ticks = [step * 10.0**p for p in powers for step in steps]
    axes.xaxis.set_major_locator(FixedLocator([t for t in ticks if 10**start <= t <= max(highs)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: figures(value, 1)))

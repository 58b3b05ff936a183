"""Horizontal lanes: one per measurement, gathered under their candidate, one panel per device.

Everything is laid out in CSS pixels, so that labels can't run into one another.
"""

import math
import re
from collections import Counter
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
_SIZE = re.compile(r"-\d{2,}x\d{2,}(?=-|$)")  # -16x8 is a variant


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
    members = panels(jobs)
    everything = {title: _by_candidate(own, lanes_of) for title, own in members.items()}
    found, note = first_panels({title: lanes for title, lanes in everything.items() if lanes})
    number = sum(len(lanes) for by_candidate in found.values() for lanes in by_candidate.values())
    share, left_out = MOST_LANES / max(number, MOST_LANES), 0
    drawn: dict[str, list[Group]] = {}
    for title, by_candidate in found.items():
        most = min(MOST_GROUPS, max(LEAST_GROUPS, round(share * len(by_candidate))))
        left_out += max(0, len(by_candidate) - most)
        labels = unique_names(members[title])
        drawn[title] = [Group(labels[c], own) for c, own in list(by_candidate.items())[:most]]
    placed = {lane.placed for groups in drawn.values() for g in groups for lane in g.lanes}
    return LanePlot(drawn, axis_label, tuple(sorted(placed - {""})), left_out, note)


def _by_candidate(
    jobs: Sequence[JobSummary], lanes_of: Callable[[list[JobSummary]], list[Lane]]
) -> dict[str, tuple[Lane, ...]]:
    """Candidate -> its lanes, if it has some; by their smallest value."""
    own: dict[str, list[JobSummary]] = {}
    for job in jobs:
        own.setdefault(job.candidate, []).append(job)
    lanes = ((candidate, tuple(lanes_of(members))) for candidate, members in own.items())
    found = [(candidate, several) for candidate, several in lanes if several]
    return dict(sorted(found, key=lambda one: min(lane.mid for lane in one[1])))


def unique_names(jobs: Sequence[JobSummary], limit: int = 34) -> dict[str, str]:
    """Candidate -> short name; equal names get the candidate's id.

    An input size that all names share is left out.
    """
    sizes = {size for job in jobs for size in _SIZE.findall(job.name)}
    full = {
        job.candidate: short(_SIZE.sub("", job.name) if len(sizes) == 1 else job.name, limit)
        for job in jobs
    }
    names = Counter(full.values())
    return {
        candidate: name if names[name] == 1 else f"{name[: limit - 9]} {candidate[:8]}"
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
    """``, GPU (OpenCL)``, ``, NNAPI fell back``: what the delegate's colour alone doesn't tell."""
    delegate, fate = split_placed(placed)
    plain = delegate_base(delegate) == delegate and not fate
    return "" if plain else f", {short(delegate_words(placed), 40)}"


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
    placed: list[_Placed] = []
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
            placed.append(_Placed(lane, y + LANE / 2))
            y += LANE
        y += GAP / 2
    _draw_bars(axes, [one for one in placed if one.lane.bar])
    _draw_points(axes, [one for one in placed if not one.lane.bar])
    for one in placed:
        axes.annotate(
            one.lane.label,
            (one.lane.high, one.y),
            xytext=(8, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=10,
            color=INK if one.lane.placed else MUTED,
            bbox={"facecolor": PAPER, "linewidth": 0, "pad": 0.5},
        )


@dataclass(frozen=True)
class _Placed:
    """A lane at its height; those of a panel are drawn by a few calls, which is much faster."""

    lane: Lane
    y: float

    @property
    def colour(self) -> str:
        return delegate_colour(self.lane.placed)


_Ends = Callable[[Lane], tuple[float, float]]


def _draw_lines(
    axes: Axes, placed: Sequence[_Placed], ends: _Ends, width: float, **style: Any
) -> None:
    """A line for each lane, from and to what ``ends`` says."""
    spans = [ends(one.lane) for one in placed]
    if spans:
        starts, stops = zip(*spans, strict=True)
        colours = [one.colour for one in placed]
        heights = [one.y for one in placed]
        axes.hlines(heights, starts, stops, colors=colours, linewidth=width, **style)


def _draw_bars(axes: Axes, placed: Sequence[_Placed]) -> None:
    staged = [one for one in placed if one.lane.low > 0]
    plain = [one for one in placed if one.lane.low <= 0]
    _draw_lines(axes, plain, lambda lane: (0, lane.mid), LANE - 6)
    _draw_lines(axes, staged, lambda lane: (0, lane.mid), LANE - 6, alpha=0.45)
    _draw_lines(axes, staged, lambda lane: (0, lane.low), LANE - 6)
    beyond = [one for one in placed if one.lane.high > one.lane.mid]
    _draw_lines(axes, beyond, lambda lane: (lane.mid, lane.high), 1.5)


def _draw_points(axes: Axes, placed: Sequence[_Placed]) -> None:
    full = [one for one in placed if not one.lane.dotted]
    dotted = [one for one in placed if one.lane.dotted]
    _draw_lines(axes, full, _range, 2)
    _draw_lines(axes, dotted, _range, 2, linestyle=(0, (1, 1)))
    ends = [
        (x, one.y, one.colour) for one in full if _shows_ends(axes, one) for x in _range(one.lane)
    ]
    marks = [
        (x, one.y, one.colour, one.colour if last else PAPER)
        for one in placed
        for x, last in _points(one.lane)
    ]
    if ends:
        xs, ys, colours = zip(*ends, strict=True)
        axes.scatter(xs, ys, s=81, marker="|", color=colours, linewidths=1.5)
    if marks:
        xs, ys, colours, fills = zip(*marks, strict=True)
        axes.scatter(xs, ys, s=36, facecolors=fills, edgecolors=colours, linewidths=1.5)


def _range(lane: Lane) -> tuple[float, float]:
    return lane.low, lane.high


def _points(lane: Lane) -> list[tuple[float, bool]]:
    """The values on a lane, and whether each is the last, which is drawn full."""
    values = lane.points or (lane.mid,)
    return [(value, index == len(values) - 1) for index, value in enumerate(values)]


def _shows_ends(axes: Axes, one: _Placed) -> bool:
    """Whether a range has ends that its point does not hide."""
    (left, _), (right, _) = axes.transData.transform([(x, one.y) for x in _range(one.lane)])
    return bool(right - left > 8) and not one.lane.points


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

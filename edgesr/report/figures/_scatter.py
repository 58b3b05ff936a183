"""A scatter of one figure of quality over latency, one panel per device, scale and size."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Bbox

from edgesr.analysis.summary import JobSummary
from edgesr.report.figures._lanes import fastest_by_place, unique_names
from edgesr.report.figures._style import (
    GRID,
    MUTED,
    PAPER,
    delegate_colour,
    draw_legend,
    legend_height,
    new_figure,
    place_axes,
    variant_marker,
)
from edgesr.report.figures.registry import Frame
from edgesr.report.headline import first_panels, panels
from edgesr.results.manifest import VARIANTS
from edgesr.text import short

HEIGHT, AXIS, LEFT = 340, 48, 46
MOST_POINTS, LEAST_POINTS = 300, 24
"""Points of a plot, and of each panel at least."""
MOST_NAMES, LEAST_NAMES = 60, 8
"""Likewise of names."""
TITLE = 46
"""The panel's title and, below it, the name of the vertical axis."""


@dataclass(frozen=True)
class Scatter:
    """What is drawn over latency."""

    axis: str
    """Name of the vertical axis, with its unit."""
    value: Callable[[JobSummary], float]
    """NaN leaves the job out."""
    lines: Callable[[JobSummary], dict[str, float]]
    """Levels to compare with, by their label; the same for all jobs of a panel."""
    interval: Callable[[JobSummary], tuple[float, float]] = lambda _job: (math.nan, math.nan)
    """Ends of the value's interval; NaN draws none."""
    least: float = -math.inf
    """No value can be below it."""
    higher_is_better: bool = True
    """Which end of the axis the front lies at."""
    pad: float = 0.1
    """Room above and below, at least."""


@dataclass(frozen=True)
class Drawn:
    """A finished scatter."""

    figure: Figure
    points: list[JobSummary]
    note: str


def draw_scatter(jobs: Sequence[JobSummary], frame: Frame, scatter: Scatter) -> Drawn | None:
    """Draws the panels one below the other; None where there is nothing to draw."""
    drawn = {title: _points(members, scatter) for title, members in panels(jobs).items()}
    drawn, left_out = first_panels({title: points for title, points in drawn.items() if points})
    if not drawn:
        return None
    every = sum(len(points) for points in drawn.values())
    most = max(LEAST_POINTS, MOST_POINTS // len(drawn))
    drawn = {title: _telling(points, scatter, most) for title, points in drawn.items()}
    everything = [job for points in drawn.values() for job in points]
    places = sorted({job.placed for job in everything})
    variants = sorted({job.variant for job in everything}, key=_variant_order)
    top, unlabelled = legend_height(frame.width, places, variants), 0
    names = max(LEAST_NAMES, MOST_NAMES // len(drawn))
    figure = new_figure(frame.width, top + len(drawn) * (TITLE + HEIGHT + AXIS))
    draw_legend(figure, places, variants)
    for title, points in drawn.items():
        figure.text(
            0,
            1 - (top + 14) / figure.bbox.height,
            short(title, 52 if frame.narrow else 110),
            va="center",
            fontweight="bold",
            fontsize=11 if frame.narrow else 12,
        )
        axes = place_axes(figure, (LEFT, top + TITLE, frame.width - LEFT - 8, HEIGHT))
        unlabelled += _draw_panel(axes, points, scatter, names)
        top += TITLE + HEIGHT + AXIS
    slower = f"{every - len(everything)} slower points are in the table only."
    notes = [f"{unlabelled} points in the crowd carry no name." if unlabelled else "",
             slower if every > len(everything) else "", left_out]  # fmt: skip
    return Drawn(figure, everything, " ".join(note for note in notes if note))


def _points(jobs: Sequence[JobSummary], scatter: Scatter) -> list[JobSummary]:
    by_candidate: dict[str, list[JobSummary]] = {}
    for job in jobs:
        by_candidate.setdefault(job.candidate, []).append(job)
    fastest = [job for own in by_candidate.values() for job in fastest_by_place(own)]
    return [job for job in fastest if math.isfinite(scatter.value(job))]


def _telling(points: list[JobSummary], scatter: Scatter, most: int) -> list[JobSummary]:
    """At most so many: those of the front, and the fastest others."""
    best = {id(job) for job in front(points, scatter)}
    ordered = sorted(points, key=lambda job: (id(job) not in best, job.median_ms))[:most]
    chosen = {id(job) for job in ordered}
    return [job for job in points if id(job) in chosen]


def _variant_order(variant: str) -> tuple[int, str]:
    names: list[str] = list(VARIANTS)
    return (names.index(variant) if variant in names else len(names), variant)


def _draw_panel(axes: Axes, points: list[JobSummary], scatter: Scatter, names: int) -> int:
    """Draws one panel; returns how many points got no label."""
    _scale_axes(axes, points, scatter)
    for label, level in _levels(points, scatter).items():
        axes.axhline(level, color=MUTED, linewidth=1.2, linestyle=(0, (5, 3)))
        axes.annotate(
            label,
            (1, level),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 4),
            textcoords="offset points",
            ha="right",
            fontsize=10,
            color=MUTED,
        )
    _draw_front(axes, points, scatter)
    _draw_intervals(axes, points, scatter)
    for variant in sorted({job.variant for job in points}, key=_variant_order):
        own = [job for job in points if job.variant == variant]
        axes.scatter(
            [job.median_ms for job in own],
            [scatter.value(job) for job in own],
            s=49,
            marker=variant_marker(variant),
            facecolors=[delegate_colour(job.placed) for job in own],
            edgecolors=PAPER,
            linewidths=0.8,
            zorder=2,
        )
    axes.set_xlabel("ms per frame", fontsize=10, loc="left")
    axes.set_title(scatter.axis, fontsize=10, color=MUTED, loc="left", x=-0.0, pad=4)
    return _label_points(axes, points, scatter, names)


def _draw_intervals(axes: Axes, points: Sequence[JobSummary], scatter: Scatter) -> None:
    known = [job for job in points if not math.isnan(scatter.interval(job)[0])]
    if not known:
        return
    lows, highs = zip(*(scatter.interval(job) for job in known), strict=True)
    times, colours = zip(*((j.median_ms, delegate_colour(j.placed)) for j in known), strict=True)
    axes.vlines(times, lows, highs, colors=colours, linewidth=1.2, alpha=0.55)


def front(points: Sequence[JobSummary], scatter: Scatter) -> list[JobSummary]:
    """The Pareto front, the fastest first: no other point that may be chosen is better in one.

    Jobs that fell back, ran partly or have wrong pixels are never on it.
    """
    sign = 1 if scatter.higher_is_better else -1
    found: list[JobSummary] = []
    usable = (job for job in points if job.selectable)
    for job in sorted(usable, key=lambda job: (job.median_ms, -sign * scatter.value(job))):
        if not found or sign * scatter.value(job) > sign * scatter.value(found[-1]):
            found.append(job)
    return found


def _draw_front(axes: Axes, points: Sequence[JobSummary], scatter: Scatter) -> None:
    """A staircase: what is not on its better side is beaten by one of its corners."""
    found = front(points, scatter)
    if len(found) < 2:
        return
    axes.plot(
        [job.median_ms for job in found],
        [scatter.value(job) for job in found],
        drawstyle="steps-post",
        color=MUTED,
        linewidth=1.4,
        alpha=0.7,
        zorder=1.5,
    )


def _levels(points: list[JobSummary], scatter: Scatter) -> dict[str, float]:
    found = scatter.lines(points[0])
    return {label: level for label, level in found.items() if math.isfinite(level)}


def _scale_axes(axes: Axes, points: list[JobSummary], scatter: Scatter) -> None:
    times = [job.median_ms for job in points]
    levels = [scatter.value(job) for job in points]
    levels += [end for job in points for end in scatter.interval(job) if not math.isnan(end)]
    levels += _levels(points, scatter).values()
    axes.grid(color=GRID)
    if max(times) / min(times) > 12:
        axes.set_xscale("log")
        axes.set_xlim(min(times) / 1.5, max(times) * 1.9)
        axes.xaxis.set_major_locator(
            LogLocator(subs=(1, 2, 5) if max(times) < 100 * min(times) else (1,))
        )
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xlim(0, max(times) * 1.18)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    pad = max(0.12 * (max(levels) - min(levels)), scatter.pad)
    axes.set_ylim(max(min(levels) - pad, scatter.least), max(levels) + pad)


def _label_points(axes: Axes, points: list[JobSummary], scatter: Scatter, most: int) -> int:
    """Names candidates once, at their best point, where there is room; returns how many not."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 - axes made by place_axes have one
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    names = unique_names(points, 30)
    positions = [axes.transData.transform((job.median_ms, scatter.value(job))) for job in points]
    taken = [Bbox.from_extents(x - 5, y - 5, x + 5, y + 5) for x, y in positions]
    taken += [text.get_window_extent(renderer) for text in axes.texts]
    taken += [bar for job in points for bar in _bars(axes, job, scatter)]
    taken += _steps(axes, front(points, scatter), scatter)
    taken += [_line(axes, level) for level in _levels(points, scatter).values()]
    frame = axes.get_window_extent(renderer)
    fastest: dict[str, tuple[float, float]] = {}
    best = {id(job) for job in front(points, scatter)}
    placed = zip(points, positions, strict=True)
    for job, at in sorted(placed, key=lambda one: (id(one[0]) not in best, one[0].median_ms)):
        fastest.setdefault(job.candidate, (float(at[0]), float(at[1])))
    missing = max(0, len(fastest) - most)
    for candidate, origin in list(fastest.items())[:most]:
        probe = axes.text(0, 0, names[candidate], fontsize=9.5)
        size = probe.get_window_extent(renderer)
        probe.remove()
        spot = next(_free_spots(origin, (size.width, size.height), frame, taken), None)
        if spot is None:
            missing += 1
            continue
        taken.append(spot)
        _write_label(axes, names[candidate], origin, spot)
    return missing


def _line(axes: Axes, level: float) -> Bbox:
    """Where a level to compare with is drawn."""
    y = axes.transData.transform((1, level))[1]
    return Bbox.from_extents(axes.bbox.x0, y - 2, axes.bbox.x1, y + 2)


def _steps(axes: Axes, corners: Sequence[JobSummary], scatter: Scatter) -> Iterator[Bbox]:
    """Where the front is drawn."""
    at = [axes.transData.transform((job.median_ms, scatter.value(job))) for job in corners]
    for (x0, y0), (x1, y1) in pairwise(at):
        yield Bbox.from_extents(x0, y0 - 2, x1, y0 + 2)
        yield Bbox.from_extents(x1 - 2, min(y0, y1), x1 + 2, max(y0, y1))


def _bars(axes: Axes, job: JobSummary, scatter: Scatter) -> Iterator[Bbox]:
    """Where the interval of a point is drawn, if it has one."""
    low, high = scatter.interval(job)
    if not math.isnan(low):
        (x, bottom), (_, top) = axes.transData.transform(
            [(job.median_ms, low), (job.median_ms, high)]
        )
        yield Bbox.from_extents(x - 2, bottom, x + 2, top)


def _write_label(axes: Axes, name: str, at: tuple[float, float], spot: Bbox) -> None:
    """The name at its spot, with a hair line to its point where it is not beside it."""
    nearest = (min(max(at[0], spot.x0), spot.x1), min(max(at[1], spot.y0), spot.y1))
    line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 5}
    far = math.dist(nearest, at) > 9
    left = spot.x0 >= at[0]
    axes.annotate(
        name,
        at,
        xycoords="figure points",
        xytext=(spot.x0 if left else spot.x1, (spot.y0 + spot.y1) / 2),
        textcoords="figure points",
        ha="left" if left else "right",
        va="center_baseline",
        fontsize=9.5,
        arrowprops={**line, "relpos": (0, 0.5) if left else (1, 0.5)} if far else None,
    )


def _free_spots(
    at: tuple[float, float], size: tuple[float, float], frame: Bbox, taken: list[Bbox]
) -> Iterator[Bbox]:
    """Places for a label, nearest first, inside the frame and over nothing else."""
    width, height = size
    for distance in (8, 18, 30, 44, 60) if frame.width > 500 else (8, 18, 28):
        for up in (0, 0.7, -0.7, 1, -1):
            for side in (1, -1):
                x = at[0] + side * distance * (1 if abs(up) < 1 else 0.4)
                y = at[1] + up * distance - height / 2
                x0 = x if side > 0 else x - width
                spot = Bbox.from_extents(x0, y, x0 + width, y + height)
                inside = frame.x0 <= spot.x0 and spot.x1 <= frame.x1
                inside = inside and frame.y0 <= spot.y0 and spot.y1 <= frame.y1
                if inside and not any(spot.overlaps(other) for other in taken):
                    yield spot

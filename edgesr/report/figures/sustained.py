"""A series at a fixed frame rate over time: latency with its limit, temperature, clock."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from edgesr.analysis.sustained import SegmentSummary, Series
from edgesr.report.figures._style import INK, MUTED, PAPER, delegate_colour, new_figure, place_axes
from edgesr.report.figures.registry import Drawing, Frame, other_plot
from edgesr.report.sustained import place, sentence
from edgesr.report.wording import delegate_words
from edgesr.text import figures, plural, short

MOST = 12
"""Series drawn; the others stand in the list."""
TITLE, LATENCY, STRIP, BETWEEN, AXIS, LEFT = 34, 150, 56, 14, 46, 58
_STRIPS = {"temperature_c": ("°C", 1.0, 4.0), "clock_mhz": ("GHz", 1e-3, 0.4)}
"""Number of a segment -> unit, factor, least range of its axis."""


@dataclass(frozen=True)
class _Panel:
    """One series with the strips that it has numbers for."""

    series: Series
    strips: tuple[str, ...]

    @property
    def height(self) -> int:
        return TITLE + LATENCY + len(self.strips) * (BETWEEN + STRIP) + AXIS


@other_plot(
    "sustained",
    title="Latency over time",
    caption="Each mark is one launch. Line: median of its frames, with the range up to the p95; "
    "dashed: the time from one frame to the next. Hollow: a launch that does not hold the rate; "
    "shaded: from the first of them on. Below, over the same time: temperature (of a phone's "
    "battery, of this machine's CPU), and the clock that the system allows the big cores.",
    order=5,
    shows="series",
)
def sustained(series: Sequence[Series], frame: Frame) -> Drawing | None:
    """One panel per series: ms per frame, and below °C and GHz, over minutes."""
    panels = [_panel(one) for one in series if one.measured][:MOST]
    if not panels:
        return None
    figure = new_figure(frame.width, sum(panel.height for panel in panels))
    top = 0.0
    for panel in panels:
        _draw(figure, panel, frame, top)
        top += panel.height
    left = sum(bool(one.measured) for one in series) - len(panels)
    note = f"{plural(left, 'further series')} left out: see the list above." if left else ""
    alt = " ".join(f"{place(panel.series)}: {sentence(panel.series)}" for panel in panels)
    return Drawing(figure, alt, note)


def _panel(series: Series) -> _Panel:
    points = series.measured
    known = (name for name in _STRIPS if any(math.isfinite(getattr(s, name)) for s in points))
    return _Panel(series, tuple(known))


def _draw(figure: Figure, panel: _Panel, frame: Frame, top: float) -> None:
    series, width = panel.series, frame.width - LEFT - 8
    figure.text(
        0,
        1 - (top + TITLE / 2) / figure.bbox.height,
        _title(series, 14 if frame.narrow else 44),
        va="center",
        fontweight="bold",
        fontsize=10.5 if frame.narrow else 12,
    )
    top += TITLE
    axes = place_axes(figure, (LEFT, top, width, LATENCY))
    _draw_latency(axes, series)
    shown, top = [axes], top + LATENCY
    for name in panel.strips:
        top += BETWEEN
        strip = place_axes(figure, (LEFT, top, width, STRIP))
        _draw_strip(strip, series, name)
        shown.append(strip)
        top += STRIP
    for one in shown:
        _draw_time(one, series, frame)
        one.tick_params(labelbottom=one is shown[-1])
    shown[-1].set_xlabel("minutes", fontsize=10, loc="left")


def _title(series: Series, room: int) -> str:
    """What tells panels apart comes first; names get so much room each."""
    job = series.job
    names = short(job.name, room), short(job.device_label, room)
    return ", ".join([f"{series.fps:g} fps", delegate_words(job.placed), *names])


def _middle(segment: SegmentSummary) -> float:
    return (segment.start_s + segment.seconds / 2) / 60


def _draw_latency(axes: Axes, series: Series) -> None:
    colour, points = delegate_colour(series.job.placed), series.measured
    times, medians = [_middle(s) for s in points], [s.median_ms for s in points]
    tops = [s.median_ms if math.isnan(s.p95_ms) else s.p95_ms for s in points]
    axes.vlines(times, medians, tops, color=colour, linewidth=2)
    axes.plot(times, tops, "_", color=colour, markersize=7, markeredgewidth=1.5)
    _draw_line(axes, series, medians, colour)
    axes.axhline(series.budget_ms, color=INK, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.set_ylim(0, 1.3 * max([*tops, series.budget_ms]))
    axes.annotate(
        f"- - {figures(series.budget_ms)} ms from frame to frame: {series.fps:g} fps",
        (0, 1),
        xycoords="axes fraction",
        xytext=(6, -4),
        textcoords="offset points",
        va="top",
        fontsize=10,
        color=INK,
    )
    _label(axes, "ms per frame")


def _draw_line(axes: Axes, series: Series, values: Sequence[float], colour: str) -> None:
    """A line with full marks where the rate is held, and hollow ones where it is not."""
    points = series.measured
    axes.plot([_middle(s) for s in points], values, "-", color=colour, linewidth=1.2)
    for segment, value in zip(points, values, strict=True):
        axes.plot(
            [_middle(segment)],
            [value],
            "o",
            color=colour,
            markersize=6,
            markeredgewidth=1.5,
            markerfacecolor=colour if segment.holds else PAPER,
        )


def _draw_strip(axes: Axes, series: Series, name: str) -> None:
    unit, factor, least = _STRIPS[name]
    values = [factor * float(getattr(s, name)) for s in series.measured]
    _draw_line(axes, series, values, MUTED)
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known), max(known)
    room = max((high - low) / 4, (least - (high - low)) / 2)
    axes.set_ylim(low - room, high + room)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    _label(axes, unit)


def _label(axes: Axes, text: str) -> None:
    axes.set_ylabel(text, fontsize=10)
    axes.yaxis.set_label_coords(-(LEFT - 14) / axes.bbox.width, 0.5)


def _draw_time(axes: Axes, series: Series, frame: Frame) -> None:
    end = series.end_s / 60
    axes.set_xlim(0, end)
    axes.grid()
    axes.xaxis.set_major_locator(MaxNLocator(5 if frame.narrow else 10, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if series.lost:
        axes.axvspan(series.lost[0].start_s / 60, end, color=MUTED, alpha=0.1, linewidth=0)

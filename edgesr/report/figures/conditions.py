"""Temperature and clocks over the time of a run."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from edgesr.report.conditions import Track
from edgesr.report.figures._style import MUTED, THEME, new_figure, place_axes
from edgesr.report.figures.registry import Drawing, Frame, other_plot
from edgesr.text import fixed, plural, short

MOST, MOST_MARKS = 12, 50
"""Devices drawn, over all runs; marks on a line."""
TITLE, STRIP, BETWEEN, AXIS, LEFT = 34, 84, 16, 46, 58
_STRIPS = (
    ("°C", {"temperature_c": "", "cpu_temperature_c": "CPU"}, 1.0, 4.0),
    ("GHz", {"clock_mhz": ""}, 1e-3, 0.4),
)
"""Unit, readings with their label, factor, least range of the axis."""
_COLOURS = {"temperature_c": THEME["d-xnnpack"], "cpu_temperature_c": THEME["d-nnapi"],
            "clock_mhz": THEME["d-cpu"]}  # fmt: skip


@other_plot(
    "conditions",
    title="Temperature and clocks over time",
    caption="One point per round, or the worst of several where there are many. Above: temperature "
    "(of a phone's battery, of this machine's CPU). Below: the clock that the system allows the "
    "big cores. What rises or falls here is in all later times.",
    order=60,
    shows="rounds",
)
def conditions(tracks: Sequence[Track], frame: Frame) -> Drawing | None:
    """One panel per run and device: °C and GHz over minutes."""
    known = [(track, _strips(track)) for track in tracks]
    panels = [(track, strips) for track, strips in known if strips]
    if not panels:
        return None
    shown, several = panels[:MOST], len({track.run for track, _ in panels}) > 1
    heights = [TITLE + len(strips) * (STRIP + BETWEEN) + AXIS for _, strips in shown]
    figure, top = new_figure(frame.width, sum(heights)), 0
    for (track, strips), height in zip(shown, heights, strict=True):
        room = 26 if frame.narrow else 60
        run = f" · run {short(track.run, 26)}" if several and not frame.narrow else ""
        figure.text(
            0,
            1 - (top + TITLE / 2) / figure.bbox.height,
            short(track.label, room) + run,
            va="center",
            fontweight="bold",
            fontsize=10.5 if frame.narrow else 12,
        )
        _draw(figure, track, strips, frame, top + TITLE)
        top += height
    rest = len(panels) - len(shown)
    note = f"{plural(rest, 'further device')} left out: see results.csv." if rest else ""
    return Drawing(figure, " ".join(_told(track) for track, _ in shown), note)


def _strips(track: Track) -> list[int]:
    return [
        index
        for index, (_, readings, _, _) in enumerate(_STRIPS)
        if any(track.known(reading) for reading in readings)
    ]


def _draw(figure: Figure, track: Track, strips: Sequence[int], frame: Frame, top: int) -> None:
    for index in strips:
        axes = place_axes(figure, (LEFT, top, frame.width - LEFT - 12, STRIP))
        _draw_strip(axes, track, index)
        axes.set_xlim(0, max(track.minutes) or 1)
        axes.grid()
        axes.xaxis.set_major_locator(MaxNLocator(5 if frame.narrow else 10, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.tick_params(labelbottom=index == strips[-1])
        if index == strips[-1]:
            axes.set_xlabel("minutes", fontsize=10, loc="left")
        top += STRIP + BETWEEN


def _draw_strip(axes: Axes, track: Track, index: int) -> None:
    unit, readings, factor, least = _STRIPS[index]
    drawn = {name: track.known(name) for name in readings}
    drawn = {name: points for name, points in drawn.items() if points}
    values = [factor * value for points in drawn.values() for _, value in points]
    for name, points in drawn.items():
        axes.plot(
            [when for when, _ in points],
            [factor * value for _, value in points],
            "-o" if len(points) < MOST_MARKS else "-",
            color=_COLOURS[name],
            linewidth=1.2,
            markersize=3,
        )
        if len(drawn) > 1:
            axes.annotate(
                readings[name] or "battery",
                (points[-1][0], factor * points[-1][1]),
                xytext=(-2, 5),
                textcoords="offset points",
                ha="right",
                fontsize=10,
                color=_COLOURS[name],
            )
    low, high = min(values), max(values)
    room = max((high - low) / 4, (least - (high - low)) / 2)
    axes.set_ylim(low - room, high + room)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.set_ylabel(unit, fontsize=10, color=MUTED)
    axes.yaxis.set_label_coords(-(LEFT - 14) / axes.bbox.width, 0.5)


def _told(track: Track) -> str:
    parts = []
    for name, unit in (("temperature_c", "°C"), ("clock_mhz", "MHz")):
        values = [value for _, value in track.known(name)]
        if values:
            low, high = fixed(min(values), 0), fixed(max(values), 0)
            parts.append(f"{low} to {high} {unit}" if low != high else f"{low} {unit}")
    minutes = max(track.minutes, default=math.nan)
    return f"{short(track.label, 40)}: {', '.join(parts)} in {fixed(minutes, 1)} minutes."

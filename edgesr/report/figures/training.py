"""Curves of trainings: loss, quality and what text recognition read, over steps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from edgesr.report.figures._style import GRID, MUTED, THEME, new_figure, place_axes
from edgesr.report.figures.registry import Drawing, Frame, other_plot
from edgesr.report.training import Training
from edgesr.text import figures, plural, short

MOST = 6
"""Trainings drawn."""
HEIGHT, TITLE, AXIS, LEFT, HEAD = 150, 30, 44, 64, 26
_COLOURS = [THEME[name] for name in ("d-cpu", "d-xnnpack", "d-gpu", "d-nnapi", "d-other", "ink")]


@dataclass(frozen=True)
class _Curve:
    columns: tuple[str, ...]
    """The first is drawn full, a second one dashed."""
    title: str
    logarithmic: bool = False


_CURVES = (
    _Curve(
        ("train_loss", "val_l1"),
        "Loss of the training (full), L1 on validation (dashed)",
        logarithmic=True,
    ),
    _Curve(("val_psnr_y",), "PSNR-Y on validation, dB"),
    _Curve(("val_ssim_y",), "SSIM-Y on validation"),
    _Curve(("val_cer",), "Character error rate on validation"),
    _Curve(("lr",), "Learning rate", logarithmic=True),
)


@other_plot(
    "training",
    title="Training curves",
    caption="One mark per epoch, over optimiser steps, as metrics.csv tells it.",
    order=70,
    shows="training",
)
def training(trainings: Sequence[Training], frame: Frame) -> Drawing | None:
    """One panel per kind of number, one line per training."""
    shown = list(trainings[:MOST])
    curves = [curve for curve in _CURVES if any(_known(one, curve) for one in shown)]
    if not curves:
        return None
    head = HEAD * len(shown) if len(shown) > 1 else 0
    figure = new_figure(frame.width, head + len(curves) * (TITLE + HEIGHT + AXIS))
    names = [short(one.name, 40 if frame.narrow else 90) for one in shown]
    top = float(head)
    if head:
        _legend(figure, names)
    for curve in curves:
        figure.text(0, 1 - (top + TITLE / 2) / figure.bbox.height,
                    short(curve.title, 60), va="center", fontweight="bold",
                    fontsize=10 if frame.narrow else 12)  # fmt: skip
        axes = place_axes(figure, (LEFT, top + TITLE, frame.width - LEFT - 12, HEIGHT))
        _draw(axes, shown, curve, frame)
        top += TITLE + HEIGHT + AXIS
    rest = len(trainings) - len(shown)
    note = f"{plural(rest, 'further training')} left out." if rest else ""
    return Drawing(figure, " ".join(map(_told, shown)), note)


def _known(one: Training, curve: _Curve) -> bool:
    return any(math.isfinite(value) for name in curve.columns for value in _values(one, name))


def _values(one: Training, column: str) -> tuple[float, ...]:
    return one.columns.get(column, ())


def _legend(figure: Figure, names: Sequence[str]) -> None:
    for row, (name, colour) in enumerate(zip(names, cycle(_COLOURS), strict=False)):
        y = 1 - (HEAD * (row + 0.5)) / figure.bbox.height
        figure.text(0, y, f"● {name}", va="center", fontsize=10.5, color=colour)


def _draw(axes: Axes, shown: Sequence[Training], curve: _Curve, frame: Frame) -> None:
    values = []
    for one, colour in zip(shown, cycle(_COLOURS), strict=False):
        for column, style in zip(curve.columns, ("-", "--"), strict=False):
            points = [
                (step, value)
                for step, value in zip(one.steps, _values(one, column), strict=False)
                if math.isfinite(value)
            ]
            values += [value for _, value in points]
            axes.plot([x for x, _ in points], [y for _, y in points], style,
                      marker="o" if len(points) < 60 else None, markersize=3.5, linewidth=1.4,
                      color=colour)  # fmt: skip
    if curve.logarithmic and values and min(values) > 0 and max(values) > 4 * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
    axes.grid(color=GRID)
    axes.xaxis.set_major_locator(MaxNLocator(4 if frame.narrow else 8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("steps", fontsize=10, loc="left", color=MUTED)


def _told(one: Training) -> str:
    parts = []
    for column, words in (("train_loss", "loss"), ("val_psnr_y", "PSNR-Y"), ("val_cer", "CER")):
        known = [value for value in _values(one, column) if math.isfinite(value)]
        if known:
            parts.append(f"{words} from {figures(known[0])} to {figures(known[-1])}")
    return f"{short(one.name, 60)}, {plural(len(one.stages), 'epoch')}: {'; '.join(parts)}."

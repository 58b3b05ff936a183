"""What integers cost each layer of a network, and what keeping some of them in float wins back.

Not a plot of measured runs: `edgesr quantize-report` draws it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from edgesr.files import atomic_file
from edgesr.report.figures._style import (
    GRID,
    INK,
    MUTED,
    THEME,
    drawing_style,
    new_figure,
    place_axes,
    to_png,
    to_svg,
)
from edgesr.text import short

_WIDTH, _LANE, _LABELS, _RIGHT = 860, 18, 190, 110
_TITLE, _AXIS, _CURVE, _KEYS = 56, 44, 220, 24
_LOSS, _OF_WEIGHTS, _IN_FLOAT = THEME["d-cpu"], THEME["d-xnnpack"], THEME["d-gpu"]


@dataclass(frozen=True)
class LayerBar:
    """One layer."""

    label: str
    loss: float
    """dB lost when it alone has integers."""
    of_weights: float
    """dB lost when its weights alone are rounded."""
    stays_float: bool = False
    """Whether the mix keeps it in float."""


@dataclass(frozen=True)
class CurvePoint:
    """One mix."""

    share: float
    """Of multiply-accumulates in float, 0..1."""
    loss: float
    """dB."""


@dataclass(frozen=True)
class SensitivityPlot:
    """Everything drawn."""

    title: str
    bars: Sequence[LayerBar]
    """In the order they run."""
    axis_label: str
    curve: Sequence[CurvePoint] = ()
    """Empty for none."""
    chosen: CurvePoint | None = None
    budget_db: float = 0.0


def write_sensitivity(plan: SensitivityPlot, folder: Path) -> list[Path]:
    """Writes ``sensitivity.png`` and ``sensitivity.svg``.

    Raises:
        StoreError: When they can't be written.
    """
    png, svg = folder / "sensitivity.png", folder / "sensitivity.svg"
    with drawing_style():
        figure = draw_sensitivity(plan)
        with atomic_file(png) as temporary:
            to_png(figure, temporary)
        with atomic_file(svg) as temporary:
            temporary.write_text(to_svg(figure), encoding="utf-8")
    return [png, svg]


def draw_sensitivity(plan: SensitivityPlot) -> Figure:
    """Bars per layer above, the curve of mixed precision below."""
    lanes = _LANE * len(plan.bars)
    below = _TITLE - _KEYS + _CURVE + _AXIS if plan.curve else 0
    figure = new_figure(_WIDTH, _TITLE + lanes + _AXIS + below)
    _heading(figure, plan.title, top=0)
    _keys(figure, [(_LOSS, "the layer alone has integers"), (_OF_WEIGHTS, "its weights alone")])
    room = _WIDTH - _LABELS - _RIGHT
    _bars(place_axes(figure, (_LABELS, _TITLE, room, lanes)), plan)
    if plan.curve:
        top = _TITLE + lanes + _AXIS
        _heading(figure, "Mixed precision: what each further layer in integers costs", top=top)
        _curve(place_axes(figure, (_LABELS, top + _TITLE - _KEYS, room, _CURVE)), plan)
    return figure


def _heading(figure: Figure, text: str, *, top: float) -> None:
    y = 1 - (top + 14) / figure.bbox.height
    figure.text(0.005, y, short(text, 100), va="center", fontweight="bold", fontsize=12)


def _keys(figure: Figure, keys: Sequence[tuple[str, str]]) -> None:
    figure.legend(
        handles=[Patch(color=colour, label=label) for colour, label in keys],
        loc="upper left",
        bbox_to_anchor=(0, 1 - 26 / figure.bbox.height),
        ncols=len(keys),
        fontsize=10,
        handlelength=1.0,
    )


def _bars(axes: Axes, plan: SensitivityPlot) -> None:
    axes.set_ylim(len(plan.bars), 0)
    axes.yaxis.set_major_locator(NullLocator())
    axes.grid(axis="x")
    most = max((bar.loss for bar in plan.bars), default=0.0)
    axes.set_xlim(0, max(most, 1e-3) * 1.02)
    for place, bar in enumerate(plan.bars):
        y = place + 0.5
        axes.barh(y, max(bar.loss, 0.0), height=0.72, color=_LOSS)
        axes.barh(y, max(min(bar.of_weights, bar.loss), 0.0), height=0.3, color=_OF_WEIGHTS)
        colour = _IN_FLOAT if bar.stays_float else INK
        _beside(axes, short(bar.label, 28), y, side=0, colour=colour)
        _beside(axes, f"{bar.loss:.3f}" + (" stays float" if bar.stays_float else ""), y, side=1,
                colour=colour if bar.stays_float else MUTED)  # fmt: skip
    axes.set_xlabel(plan.axis_label, fontsize=10, loc="left")


def _beside(axes: Axes, text: str, y: float, *, side: int, colour: str) -> None:
    axes.annotate(
        text,
        (side, y),
        xycoords=("axes fraction", "data"),
        xytext=(8 if side else -8, 0),
        textcoords="offset points",
        ha="left" if side else "right",
        va="center",
        fontsize=10,
        color=colour,
    )


def _curve(axes: Axes, plan: SensitivityPlot) -> None:
    shares = [100 * point.share for point in plan.curve]
    axes.margins(y=0.06)
    axes.plot(shares, [point.loss for point in plan.curve], color=_LOSS, marker="o", markersize=4)
    axes.axhline(plan.budget_db, color=MUTED, linestyle="--", linewidth=1)
    _beside(axes, f"budget {plan.budget_db:g}", plan.budget_db, side=1, colour=MUTED)
    if plan.chosen is not None:
        share, loss = 100 * plan.chosen.share, plan.chosen.loss
        axes.plot([share], [loss], color=_IN_FLOAT, marker="o", markersize=10)
        axes.annotate(
            f"{loss:.2f} dB at {share:.0f} %",
            (share, loss),
            xytext=(12, 14),
            textcoords="offset points",
            color=_IN_FLOAT,
            fontsize=10,
        )
    axes.set_xlim(-1, 101)
    axes.grid(color=GRID)
    axes.set_ylabel("dB of PSNR-Y lost", fontsize=10)
    axes.set_xlabel("% of multiply-accumulates in float", fontsize=10, loc="left")

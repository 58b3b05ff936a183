"""Colours, marks and type of all plots, and how a plot becomes SVG or PNG.

Every colour is one of `THEME`'s; the page's copy of an SVG has them replaced by CSS variables, so
that one drawing serves light and dark.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from edgesr.report.wording import delegate_base, delegate_words, split_placed
from edgesr.text import short

PIXELS_PER_INCH = 72  # an SVG point is then one CSS pixel of the page
LEGEND_LINE, LEGEND_TYPE = 20, 10.5
TALL = 3000
"""CSS pixels; a higher PNG takes seconds and megabytes at twice the size."""
INK, MUTED, GRID, PAPER = "#1c2024", "#5c6670", "#d9dee3", "#fefeff"
THEME = {
    "ink": INK,
    "muted": MUTED,
    "grid": GRID,
    "paper": PAPER,
    "d-cpu": "#0068ad",
    "d-xnnpack": "#c04f00",
    "d-gpu": "#007d5c",
    "d-nnapi": "#a4357f",
    "d-other": "#6b6f00",
    "d-none": "#70767d",
}
"""CSS variable -> its colour in the light theme (after Okabe and Ito, darkened for contrast)."""

MARKERS = {"fp32": "o", "fp16": "s", "dynamic": "D", "16x8": "X", "int8": "^", "int8-io": "v",
           "int8-island": "<", "mixed": ">"}  # fmt: skip


def delegate_colour(placed: str) -> str:
    """The colour of where a job ran; grey for what fell back, is unproven, or ran nowhere.

    Variants of a delegate share its colour; their labels tell them apart.
    """
    delegate, fate = split_placed(placed)
    if fate or not placed:
        return THEME["d-none"]
    return THEME.get(f"d-{delegate_base(delegate)}", THEME["d-other"])


def variant_marker(variant: str) -> str:
    """The mark of a variant."""
    return MARKERS.get(variant, "P")


@contextlib.contextmanager
def drawing_style() -> Iterator[None]:
    """The settings under which every plot is drawn and saved."""
    settings: dict[Any, Any] = {
        "font.family": ["sans-serif"],
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 11,
        "text.parse_math": False,  # names may hold dollar signs
        "text.color": INK,
        "axes.edgecolor": GRID,
        "axes.labelcolor": MUTED,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.axisbelow": True,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.minor.size": 0,
        "ytick.minor.size": 0,
        "grid.color": GRID,
        "grid.linewidth": 1,
        "figure.facecolor": PAPER,
        "figure.dpi": PIXELS_PER_INCH,
        "legend.frameon": False,
        "svg.fonttype": "none",  # real text: searchable, and in the reader's own font
        "svg.hashsalt": "edgesr",
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # foreign scripts in names
        yield


def new_figure(width: int, height: float) -> Figure:
    """An empty figure of so many CSS pixels."""
    figure = Figure(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH))
    FigureCanvasAgg(figure)
    return figure


def place_axes(figure: Figure, box: tuple[float, float, float, float]) -> Axes:
    """Axes at (left, top, width, height) in CSS pixels from the figure's upper left corner."""
    width, height = figure.get_size_inches() * PIXELS_PER_INCH
    left, top, wide, high = box
    return figure.add_axes((left / width, 1 - (top + high) / height, wide / width, high / height))


def legend_height(width: int, placed: Sequence[str], variants: Sequence[str]) -> int:
    """How many CSS pixels `draw_legend` takes."""
    return LEGEND_LINE * len(_legend_lines(width, placed, variants)) + 10


def draw_legend(figure: Figure, placed: Sequence[str], variants: Sequence[str]) -> None:
    """At the top: colours of where jobs ran, and marks of variants, in lines that fit."""
    width, height = figure.get_size_inches() * PIXELS_PER_INCH
    for index, keys in enumerate(_legend_lines(int(width), placed, variants)):
        figure.legend(
            handles=keys,
            loc="upper left",
            bbox_to_anchor=(0, 1 - (4 + LEGEND_LINE * index) / height),
            ncols=len(keys),
            borderpad=0,
            borderaxespad=0,
            handlelength=0.8,
            handletextpad=0.5,
            columnspacing=1.4,
            fontsize=LEGEND_TYPE,
        )


def _legend_lines(width: int, placed: Sequence[str], variants: Sequence[str]) -> list[list[Line2D]]:
    lines: list[list[Line2D]] = []
    for keys in ([_colour_key(name) for name in placed], [_mark_key(name) for name in variants]):
        room = 0.0
        for key in keys:
            needed = 30 + 0.66 * LEGEND_TYPE * len(str(key.get_label()))
            if needed > room:
                lines.append([])
                room = width
            lines[-1].append(key)
            room -= needed
    return lines


def to_png(figure: Figure, path: Path) -> None:
    """Writes the light theme at twice the page's size; a very high one as it is."""
    factor = 2 if figure.bbox.height <= TALL else 1
    dpi = factor * PIXELS_PER_INCH
    figure.savefig(path, format="png", dpi=dpi, metadata={"Software": "edgesr"})


def to_svg(figure: Figure) -> str:
    """The light theme as an SVG document; the same drawing gives the same bytes."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "edgesr"})
    return buffer.getvalue().replace("'DejaVu Sans', sans-serif", _FONTS)


_FONTS = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"


def inline_svg(svg: str, name: str, alt_id: str) -> str:
    """An SVG document as a piece of the page: themed by CSS variables, ids of its own.

    Args:
        svg: What `to_svg` gave.
        name: Prefix that makes the ids unique on the page.
        alt_id: Id of the element that describes the plot.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{name}-", body)
    for variable, colour in THEME.items():
        body = body.replace(colour, f"var(--{variable})")
    head = re.compile(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', flags=re.DOTALL)
    namespaces = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg"'
    return head.sub(
        rf'<svg {namespaces} viewBox="\1" role="img" aria-labelledby="{alt_id}">', body, count=1
    )


def _colour_key(placed: str) -> Line2D:
    return Line2D(
        [],
        [],
        color=delegate_colour(placed),
        marker="o",
        linestyle="none",
        markersize=7,
        label=delegate_words(placed),
    )


def _mark_key(variant: str) -> Line2D:
    return Line2D(
        [],
        [],
        color=MUTED,
        marker=variant_marker(variant),
        linestyle="none",
        markersize=6,
        label=short(variant, 16),
    )

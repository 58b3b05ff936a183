"""Drawing on a 1280x720 page so that every sign is known and none is clipped or covered.

Positions and sizes are pixels, y runs downwards. Text that leaves the page or touches other text
raises `DoesNotFit` at once, so a finished page is right by construction.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

WIDTH, HEIGHT = 1280, 720
MARGIN = 6
"""Text keeps this far from the page's edge, pixels."""

_DPI = 72  # one point is one pixel
_STYLE: Any = {
    "text.usetex": False,
    "text.hinting": "force_autohint",
    "text.antialiased": True,
    "text.parse_math": True,
    "axes.unicode_minus": False,
    "path.simplify": False,
    "savefig.dpi": "figure",
}


Align = Literal["left", "center", "right"]
Dash = Literal["-", "--", ":"]


class DoesNotFit(Exception):  # noqa: N818 - an answer of the layout, not an error of the program
    """A text would be clipped or would touch another one."""


@dataclass(frozen=True)
class Box:
    """A rectangle on the page, pixels, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels."""
        return self.bottom - self.top

    def inset(self, by: float) -> "Box":
        """The rectangle made smaller by ``by`` pixels on every side."""
        return Box(self.left + by, self.top + by, self.right - by, self.bottom - by)

    def touches(self, other: "Box") -> bool:
        """Whether both share any area."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True)
class Piece:
    """One piece of text on the page."""

    text: str
    """As a reader reads it."""
    box: Box
    """The pixels it takes, measured by the renderer."""


@dataclass(frozen=True)
class Font:
    """How a text looks."""

    size: float = 24
    """Height of a line of type without extra space (the em), pixels."""
    color: str = "#000000"
    family: str = "DejaVu Sans"
    """A family that ships with matplotlib."""
    weight: str = "normal"
    style: Literal["normal", "italic"] = "normal"
    math: str = "dejavusans"
    """Matplotlib's font set for formulas."""


class Page:
    """One page to draw on. Open it within `drawing_rules`.

    Args:
        background: Colour of the empty page.
    """

    def __init__(self, background: str) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._figure = Figure(figsize=(WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI, facecolor=background)
        self._canvas = cast("Any", FigureCanvasAgg(self._figure))  # its methods have no types
        self._renderer = self._canvas.get_renderer()
        self.pieces: list[Piece] = []

    def measure(self, text: str, font: Font) -> float:
        """Width of a text in pixels."""
        return float(
            self._renderer.get_text_width_height_descent(text, _properties(font), ismath=False)[0]
        )

    def measure_formula(self, tex: str, font: Font) -> tuple[float, float, float]:
        """(width, height, part of the height below the baseline) of a formula in pixels."""
        width, height, descent = self._renderer.get_text_width_height_descent(
            f"${tex}$", _properties(font), ismath=True
        )
        return float(width), float(height), float(descent)

    def text(self, at: tuple[float, float], text: str, font: Font, *, align: Align = "left") -> Box:
        """Draws one line of text.

        Args:
            at: x of the left end, middle or right end (see ``align``), and y of the baseline.
            text: What to draw, literally.
            font: How.
            align: ``left``, ``center`` or ``right``.

        Raises:
            DoesNotFit: When it would be clipped or would touch another text.
        """
        box = self._draw(at, text, font, align=align)
        self._claim(Piece(" ".join(text.split()), box))
        return box

    def formula(self, at: tuple[float, float], tex: str, reading: str, font: Font) -> Box:
        """Draws a formula in mathtext, centred on x, with its baseline on y.

        Raises:
            DoesNotFit: When it would be clipped or would touch another text.
        """
        box = self._draw(at, f"${tex}$", font, align="center", math=True)
        self._claim(Piece(reading, box))
        return box

    def code(self, at: tuple[float, float], parts: list[tuple[str, str]], font: Font) -> None:
        """Draws one line of source text whose parts have colours of their own.

        Args:
            at: x of the left end and y of the baseline.
            parts: (text, colour); together they are the line, with its indentation.
            font: A fixed-width font; its colour is not used.

        Raises:
            DoesNotFit: When it would be clipped or would touch another text.
        """
        column = 0
        boxes = []
        for text, color in parts:
            left = at[0] + (self.measure("0" * column, font) if column else 0.0)
            if text.strip():
                skip = len(text) - len(text.lstrip())
                left += self.measure("0" * skip, font) if skip else 0.0
                boxes.append(self._draw((left, at[1]), text.strip(), replace(font, color=color)))
            column += len(text)
        if boxes:
            box = Box(
                min(box.left for box in boxes), min(box.top for box in boxes),
                max(box.right for box in boxes), max(box.bottom for box in boxes),
            )  # fmt: skip
            self._claim(Piece("".join(text for text, _ in parts).strip(), box))

    def rectangle(
        self, box: Box, fill: str, *, edge: str = "none", width: float = 1.0, radius: float = 0.0
    ) -> None:
        """A filled rectangle under all text, with round corners where ``radius`` is above 0."""
        from matplotlib.patches import FancyBboxPatch

        style = f"round,pad=0,rounding_size={radius}" if radius else "square,pad=0"
        patch = FancyBboxPatch(
            (box.left, HEIGHT - box.bottom), box.width, box.height, boxstyle=style,
            facecolor=fill, edgecolor=edge, linewidth=width, transform=None, zorder=1,
        )  # fmt: skip
        self._figure.add_artist(patch)

    def dot(self, x: float, y: float, radius: float, color: str) -> None:
        """A filled circle."""
        from matplotlib.patches import Circle

        self._figure.add_artist(
            Circle(
                (x, HEIGHT - y), radius, facecolor=color, edgecolor="none", transform=None, zorder=1
            )
        )

    def line(
        self, points: list[tuple[float, float]], color: str, *, width: float = 1.5, dash: Dash = "-"
    ) -> None:
        """A polyline under all text; ``dash`` is ``-``, ``--`` or ``:``."""
        from matplotlib.lines import Line2D

        xs, ys = [x for x, _ in points], [HEIGHT - y for _, y in points]
        self._figure.add_artist(
            Line2D(xs, ys, color=color, linewidth=width, linestyle=dash, transform=None, zorder=1)
        )

    def arrow(
        self, start: tuple[float, float], end: tuple[float, float], color: str, width: float = 2.0
    ) -> None:
        """A straight arrow with its head at ``end``."""
        from matplotlib.patches import FancyArrowPatch

        patch = FancyArrowPatch(
            (start[0], HEIGHT - start[1]), (end[0], HEIGHT - end[1]), arrowstyle="-|>",
            mutation_scale=8 + 5 * width, linewidth=width, color=color, shrinkA=0, shrinkB=0,
            transform=None, zorder=1,
        )  # fmt: skip
        self._figure.add_artist(patch)

    def pixels(self) -> NDArray[np.uint8]:
        """The drawn page, array (720, 1280, 3), uint8, RGB."""
        self._canvas.draw()
        rgba = np.asarray(self._canvas.buffer_rgba())
        return np.ascontiguousarray(rgba[..., :3])

    def reading(self) -> str:
        """All text as an OCR engine gives it: lines from top to bottom, each from left to right."""
        lines: list[list[Piece]] = []
        for piece in sorted(self.pieces, key=_middle):
            if lines and _middle(piece) - _middle(lines[-1][0]) < 0.5 * _least_height(lines[-1]):
                lines[-1].append(piece)
            else:
                lines.append([piece])
        return "\n".join(
            " ".join(piece.text for piece in sorted(line, key=lambda piece: piece.box.left))
            for line in lines
        )

    def _draw(
        self, at: tuple[float, float], text: str, font: Font, *, align: Align = "left",
        math: bool = False,
    ) -> Box:  # fmt: skip
        from matplotlib.text import Text

        artist = Text(
            at[0], HEIGHT - at[1], text, color=font.color, fontproperties=_properties(font),
            horizontalalignment=align, verticalalignment="baseline", parse_math=math,
        )  # fmt: skip
        artist.set_transform(None)
        self._figure.add_artist(artist)
        extent = artist.get_window_extent(self._renderer)
        return Box(extent.x0, HEIGHT - extent.y1, extent.x1, HEIGHT - extent.y0)

    def _claim(self, piece: Piece) -> None:
        box = piece.box
        page = Box(0, 0, WIDTH, HEIGHT).inset(MARGIN)
        if box.left < page.left or box.right > page.right:
            raise DoesNotFit(f"{piece.text!r} is wider than the page")
        if box.top < page.top or box.bottom > page.bottom:
            raise DoesNotFit(f"{piece.text!r} is above or below the page")
        for other in self.pieces:
            if box.inset(0.5).touches(other.box):
                raise DoesNotFit(f"{piece.text!r} touches {other.text!r}")
        self.pieces.append(piece)


def drawing_rules() -> AbstractContextManager[None]:
    """A context in which matplotlib draws by its own defaults, whatever the user's settings are."""
    import matplotlib as mpl

    ours = ("agg.", "figure.", "font.", "hatch.", "lines.", "mathtext.", "patch.", "path.", "text.")
    rules: Any = {key: value for key, value in mpl.rcParamsDefault.items() if key.startswith(ours)}
    return mpl.rc_context({**rules, **_STYLE})


def _properties(font: Font) -> "FontProperties":
    from matplotlib.font_manager import FontProperties

    return FontProperties(
        family=font.family, size=font.size, weight=font.weight, style=font.style,
        stretch="normal", variant="normal", math_fontfamily=font.math,
    )  # fmt: skip


def _middle(piece: Piece) -> float:
    return (piece.box.top + piece.box.bottom) / 2


def _least_height(line: list[Piece]) -> float:
    return min(piece.box.height for piece in line)

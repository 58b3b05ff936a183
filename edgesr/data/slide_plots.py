"""Pictures that fill an area of a slide: curves, bars, diagrams.

They are drawn from lines and rectangles rather than with matplotlib's axes, so that every number on
an axis is known text with a known place.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from edgesr.data.slide_blocks import SMALLEST, Sheet
from edgesr.data.slide_canvas import Box, Dash, DoesNotFit, Font
from edgesr.data.slide_content import PlotSpec

_Curve = Callable[[float], float]
_DASHES: tuple[Dash, ...] = ("-", "--", ":")


@dataclass(frozen=True)
class _Axes:
    """The inner rectangle of a plot and the font of its numbers."""

    box: Box
    font: Font

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Page position of a point given in 0..1 of both axes, y upwards."""
        return self.box.left + x * self.box.width, self.box.bottom - y * self.box.height


def draw_plot(sheet: Sheet, area: Box) -> Box:
    """One to three curves with axes, numbers, titles and a legend."""
    rng, theme = sheet.rng, sheet.theme
    spec = rng.choice(sheet.subject.plots)
    axes = _axes(sheet, area, spec, legend=True)
    _x_numbers(sheet, axes)
    names = spec.series[: rng.randint(1, len(spec.series))]
    colors = (theme.accent, theme.second, theme.third)
    for name_index in range(len(names)):
        curve = _curve(rng)
        xs = [step / 120 for step in range(121)]
        points = [axes.at(x, min(0.97, max(0.02, curve(x)))) for x in xs]
        sheet.page.line(points, colors[name_index], width=2.2, dash=_DASHES[name_index])
    _legend(sheet, axes, names, colors)
    return replace(area, top=axes.box.bottom + 6.5 * axes.font.size)


def draw_bars(sheet: Sheet, area: Box) -> Box:
    """Bars with names below and values above."""
    rng, theme, page = sheet.rng, sheet.theme, sheet.page
    spec = rng.choice(sheet.subject.plots)
    axes = _axes(sheet, area, PlotSpec(spec.caption, "", spec.y, (), spec.bars), legend=False)
    names = spec.bars[: rng.randint(3, len(spec.bars))]
    values = rng.random() < 0.5
    top = axes_top(axes)
    width = 1 / len(names)
    for index, name in enumerate(names):
        value = rng.uniform(0.15, 0.88)
        left, y = axes.at((index + 0.22) * width, value)
        right, _ = axes.at((index + 0.78) * width, value)
        page.rectangle(Box(left, y, right, axes.box.bottom), theme.accent)
        middle = (left + right) / 2
        baseline = axes.box.bottom + 1.4 * axes.font.size
        page.text((middle, baseline), name, axes.font, align="center")
        if values:
            page.text((middle, y - 6), f"{value * top:.1f}", axes.font, align="center")
    return replace(area, top=axes.box.bottom + 3 * axes.font.size)


def draw_diagram(sheet: Sheet, area: Box) -> Box:
    """Named boxes joined by arrows: a chain, a column, a tree or a ring."""
    rng, theme = sheet.rng, sheet.theme
    size = min(max(sheet.body, SMALLEST), 24)
    count = rng.randint(3, 5)
    names = rng.sample(sheet.subject.terms, count)
    font = sheet.font(size, weight=rng.choice(("normal", "bold")))
    width = max(sheet.page.measure(name, font) for name in names) + 1.6 * size
    height = 2.6 * size
    shapes = {"chain": _chain, "column": _column, "tree": _tree, "ring": _ring}
    kind = rng.choice(tuple(shapes))
    centres, joints = shapes[kind](area, count, width + 2.2 * size, height + 1.8 * size)
    boxes = [Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2) for x, y in centres]
    for start, end in joints:
        tail, head = _between(boxes[start], boxes[end])
        sheet.page.arrow(tail, head, theme.muted)
    radius = rng.choice((0.0, 8.0))
    for box, name in zip(boxes, names, strict=True):
        sheet.page.rectangle(box, theme.panel, edge=theme.accent, width=2, radius=radius)
        middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2 + 0.36 * size)
        sheet.page.text(middle, name, font, align="center")
    return replace(area, top=max(box.bottom for box in boxes) + 1.5 * size)


def axes_top(axes: _Axes) -> float:
    """The number at the upper end of the vertical axis; numbers go with the axes' pixels."""
    return (10.0, 20.0, 40.0, 50.0, 100.0)[int(axes.box.height) % 5]


def _axes(sheet: Sheet, area: Box, spec: PlotSpec, *, legend: bool) -> _Axes:
    """Draws caption, titles, frame, grid and vertical numbers."""
    page, theme = sheet.page, sheet.theme
    size = max(SMALLEST, min(0.85 * sheet.body, 20))
    font = sheet.font(size, theme.muted)
    below = size * ((1.9 if not spec.x else 3.6) + (1.9 if legend else 0.0))
    box = Box(area.left + 3.2 * size, area.top + 4.2 * size, area.right - size,
              area.bottom - below)  # fmt: skip
    box = Box(box.left, box.top, box.right, min(box.bottom, box.top + 0.75 * box.width))
    if box.height < 120 or box.width < 180:
        raise DoesNotFit("no room for a plot")
    bold = sheet.font(1.1 * size, weight="bold")
    page.text((area.left, area.top + 1.2 * size), spec.caption, bold)
    page.text((area.left, area.top + 3.2 * size), spec.y, sheet.font(size))
    if spec.x:
        end = (box.right, box.bottom + 3.1 * size)
        page.text(end, spec.x, sheet.font(size), align="right")
    axes = _Axes(box, font)
    ticks = 4 if box.height < 260 else 5
    for tick in range(ticks + 1):
        x, y = axes.at(0, tick / ticks)
        if tick:
            page.line([(x, y), (box.right, y)], theme.panel, width=1)
        number = f"{axes_top(axes) * tick / ticks:g}"
        page.text((x - 8, y + 0.36 * size), number, font, align="right")
    page.line([(box.left, box.top), (box.left, box.bottom), (box.right, box.bottom)], theme.ink)
    return axes


def _x_numbers(sheet: Sheet, axes: _Axes) -> None:
    top = sheet.rng.choice((5, 10, 20, 50, 100, 200))
    for tick in range(6):
        x, y = axes.at(tick / 5, 0)
        sheet.page.line([(x, y), (x, y + 5)], sheet.theme.ink, width=1)
        number = f"{top * tick / 5:g}"
        sheet.page.text((x, y + 1.5 * axes.font.size), number, axes.font, align="center")


def _legend(sheet: Sheet, axes: _Axes, names: tuple[str, ...], colors: tuple[str, ...]) -> None:
    size = axes.font.size
    font = sheet.font(size)
    x, y = axes.box.left, axes.box.bottom + 5.0 * size
    for index, name in enumerate(names):
        middle = y - 0.36 * size
        sheet.page.line([(x, middle), (x + 30, middle)], colors[index], width=2.2,
                        dash=_DASHES[index])  # fmt: skip
        x = sheet.page.text((x + 38, y), name, font).right + 1.6 * size


def _curve(rng: random.Random) -> _Curve:
    a, b, c = rng.uniform(0.5, 0.9), rng.uniform(2, 6), rng.uniform(0.05, 0.3)
    curves: tuple[_Curve, ...] = (
        lambda x: c + a * (0.95 - c) * math.exp(-b * x),
        lambda x: c + (a - c) * (1 - math.exp(-b * x)),
        lambda x: 0.5 + 0.42 * a * math.exp(-b * x / 2) * math.cos(4 * b * x),
        lambda x: c + (a - c) * x,
        lambda x: c + (a - c) / (1 + math.exp(-4 * b * (x - 0.5))),
        lambda x: c + (a - c) * math.exp(-12 * b * (x - a / 1.5) ** 2),
        lambda x: 0.5 + 0.3 * a * math.sin(3 * b * x + 9 * c),
        lambda x: c + (a - c) * x**2,
    )
    return rng.choice(curves)


_Layout = tuple[list[tuple[float, float]], list[tuple[int, int]]]
"""Centres of the boxes, and which box points to which."""


def _chain(area: Box, count: int, width: float, height: float) -> _Layout:
    """Boxes beside each other, each ``width`` x ``height`` with its surroundings."""
    if width * count > area.width or height > area.height:
        raise DoesNotFit("the diagram is wider than its area")
    step = min(area.width / count, 1.5 * width)
    y = area.top + min(area.height / 2, 1.6 * height)
    centres = [(area.left + step * (index + 0.5), y) for index in range(count)]
    return centres, [(index, index + 1) for index in range(count - 1)]


def _column(area: Box, count: int, width: float, height: float) -> _Layout:
    """Boxes below each other."""
    if width > area.width or height * count > area.height:
        raise DoesNotFit("the diagram is higher than its area")
    step = min(area.height / count, 1.4 * height)
    x = (area.left + area.right) / 2
    centres = [(x, area.top + step * (index + 0.5)) for index in range(count)]
    return centres, [(index, index + 1) for index in range(count - 1)]


def _tree(area: Box, count: int, width: float, height: float) -> _Layout:
    """One box above all others."""
    if width * (count - 1) > area.width or 2 * height > area.height:
        raise DoesNotFit("the diagram is wider than its area")
    step = min(area.width / (count - 1), 1.5 * width)
    x = (area.left + area.right) / 2
    first = x - step * (count - 2) / 2
    drop = min(area.height - height, 2.2 * height)
    children = [(first + step * index, area.top + height / 2 + drop) for index in range(count - 1)]
    return [(x, area.top + height / 2), *children], [(0, child) for child in range(1, count)]


def _ring(area: Box, count: int, width: float, height: float) -> _Layout:
    """Boxes on an ellipse, each pointing to the next."""
    across, down = (area.width - width) / 2, (area.height - height) / 2
    chord = 2 * math.sin(math.pi / count)
    if across * chord < 1.1 * width or down * chord < 1.3 * height:
        raise DoesNotFit("the ring is larger than its area")
    across, down = min(across, 1.3 * width), min(down, 2.6 * height)
    x, y = (area.left + area.right) / 2, area.top + height / 2 + down
    angles = [2 * math.pi * index / count - math.pi / 2 for index in range(count)]
    centres = [(x + across * math.cos(a), y + down * math.sin(a)) for a in angles]
    return centres, [(index, (index + 1) % count) for index in range(count)]


def _between(start: Box, end: Box) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the line between the centres of two boxes leaves the first and meets the second."""
    x1, y1 = (start.left + start.right) / 2, (start.top + start.bottom) / 2
    x2, y2 = (end.left + end.right) / 2, (end.top + end.bottom) / 2
    dx, dy = x2 - x1, y2 - y1
    if start.touches(end) or (dx == 0 and dy == 0):
        raise DoesNotFit("two boxes of the diagram touch")

    def share(box: Box) -> float:
        across = box.width / 2 / abs(dx) if dx else math.inf
        down = box.height / 2 / abs(dy) if dy else math.inf
        return min(across, down)

    first, last = share(start), 1 - share(end)
    return (x1 + first * dx, y1 + first * dy), (x1 + last * dx, y1 + last * dy)

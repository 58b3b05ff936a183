"""Handwriting in lecture footage: underlines, rings, arrows and waves, as a pen draws them.

Places are pixels of the page, times seconds from the moment the slide begins to come in.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgesr.data.slide_canvas import Box

Points = NDArray[np.float64]
"""Shape (N, 2), x and y in pixels, in the order in which they are drawn."""

_APART = 3.0
"""Between points of a stroke, pixels of a page of 720 rows."""
_PEN_SPEED = 520.0
"""Pixels of such a page a second."""


@dataclass(frozen=True)
class Stroke:
    """One movement of the pen on the page."""

    points: tuple[tuple[float, float], ...]
    start_s: float
    end_s: float
    width: float
    """Of the pen, pixels."""
    ink: int
    """Index into the inks that `footage_draw` chooses from by the page's colour."""

    def drawn(self, time_s: float) -> int:
        """How many of the points are on the page by then."""
        share = (time_s - self.start_s) / (self.end_s - self.start_s)
        return round(min(1.0, max(0.0, share)) * len(self.points))


def draw_by_lot(
    lot: random.Random, start_s: float, boxes: Sequence[Box], size: tuple[int, int]
) -> tuple[Stroke, ...]:
    """One to three figures by one pen, one after another.

    Args:
        lot: Where everything is drawn from.
        start_s: When the pen first touches the page.
        boxes: Of the text; figures go around, under and beside it.
        size: Width and height of the page.
    """
    unit = size[1] / 720
    width, ink = lot.uniform(3.0, 4.5) * unit, lot.randrange(3)
    strokes: list[Stroke] = []
    time_s = start_s
    for _ in range(lot.randint(1, 3)):
        for points in lot.choice(_FIGURES)(lot, boxes, size):
            kept = _shaken(lot, points, unit).clip(2 * unit, np.array(size) - 3 * unit)
            end_s = time_s + max(0.1, len(kept) * _APART / _PEN_SPEED)
            placed = tuple((float(x), float(y)) for x, y in kept)
            strokes.append(Stroke(placed, time_s, end_s, width, ink))
            time_s = end_s + 0.1
        time_s += lot.uniform(0.2, 0.5)
    return tuple(strokes)


def _underline(lot: random.Random, boxes: Sequence[Box], size: tuple[int, int]) -> list[Points]:
    """One line or two below a piece of text."""
    box = _some(lot, boxes, size)
    unit = size[1] / 720
    lines = []
    for number in range(lot.randint(1, 2)):
        y = box.bottom + (4 + 6 * number) * unit
        lines.append(_straight((box.left, y), (box.right, y + lot.uniform(-2, 2) * unit), unit))
    return lines


def _ring(lot: random.Random, boxes: Sequence[Box], size: tuple[int, int]) -> list[Points]:
    """A closed curve around a short piece of text: a superellipse, which clears its corners."""
    short = [box for box in boxes if box.width < size[0] / 3]
    box = _some(lot, short or boxes, size)
    unit = size[1] / 720
    half = (box.width * 0.56 + 5 * unit, box.height * 0.56 + 4 * unit)
    turns = lot.uniform(1.02, 1.1)
    count = max(24, int(2 * (half[0] + half[1]) * turns / (_APART * unit)))
    angle = lot.uniform(3.6, 4.6) + np.linspace(0, 2 * np.pi * turns, count)
    bend = [np.sign(part) * np.abs(part) ** (1 / 3) for part in (np.cos(angle), np.sin(angle))]
    middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    return [np.stack([middle[0] + half[0] * bend[0], middle[1] + half[1] * bend[1]], axis=1)]


def _arrow(lot: random.Random, boxes: Sequence[Box], size: tuple[int, int]) -> list[Points]:
    """A shaft towards the end of a piece of text, then the two sides of its head."""
    box = _some(lot, boxes, size)
    unit = size[1] / 720
    tip = np.array([box.right + 8 * unit, (box.top + box.bottom) / 2])
    tail = tip + unit * np.array([lot.uniform(60, 120), lot.uniform(-45, 45)])
    back = (tail - tip) / np.linalg.norm(tail - tip) * 16 * unit
    side = np.array([-back[1], back[0]]) * 0.6
    return [
        _straight(_pair(tail), _pair(tip), unit),
        _straight(_pair(tip + back + side), _pair(tip), unit),
        _straight(_pair(tip), _pair(tip + back - side), unit),
    ]


def _wave(lot: random.Random, boxes: Sequence[Box], size: tuple[int, int]) -> list[Points]:
    """A sketched curve in a place that has no text, where one is found."""
    unit = size[1] / 720
    width, height = lot.uniform(90, 200) * unit, lot.uniform(20, 44) * unit
    place = (0.0, 0.0)
    for _ in range(60):
        place = (lot.uniform(20, size[0] - width - 20), lot.uniform(40, size[1] - height - 40))
        taken = Box(place[0], place[1] - height, place[0] + width, place[1] + height).inset(-4)
        if not any(taken.touches(box) for box in boxes):
            break
    across = np.arange(0, width, _APART * unit / 2)
    swings = lot.uniform(1.5, 4.0)
    down = height / 2 * np.sin(2 * np.pi * swings * across / width) * (1 - 0.5 * across / width)
    return [np.stack([place[0] + across, place[1] + down], axis=1)]


_Figure = Callable[[random.Random, Sequence[Box], tuple[int, int]], list[Points]]
_FIGURES: tuple[_Figure, ...] = (_underline, _underline, _ring, _arrow, _wave)


def _some(lot: random.Random, boxes: Sequence[Box], size: tuple[int, int]) -> Box:
    """A piece of text, or a place in the middle of a page that has none."""
    if boxes:
        return lot.choice(boxes)
    return Box(0.4 * size[0], 0.45 * size[1], 0.6 * size[0], 0.5 * size[1])


def _straight(start: tuple[float, float], end: tuple[float, float], unit: float) -> Points:
    count = max(4, int(np.hypot(end[0] - start[0], end[1] - start[1]) / (_APART * unit)))
    return np.stack([np.linspace(start[0], end[0], count), np.linspace(start[1], end[1], count)], 1)


def _pair(point: NDArray[np.float64]) -> tuple[float, float]:
    return float(point[0]), float(point[1])


def _shaken(lot: random.Random, points: Points, unit: float) -> Points:
    """With the slow wobble of a hand, 1 to 2 pixels wide."""
    along = np.linspace(0, 1, len(points))
    wobble = np.zeros_like(points)
    for axis in range(2):
        for swings in (1.3, 2.9):
            reach = lot.uniform(0.3, 1.0) * unit
            wobble[:, axis] += reach * np.sin(2 * np.pi * (swings * along + lot.random()))
    return points + wobble

"""What happens in lecture footage and when: slides, pointer and handwriting, drawn by lot.

Times are seconds from the moment a slide begins to come in, places are pixels of the page.
Everything about slide ``n`` is a function of the seed and ``n`` alone.
"""

import math
import random
from dataclasses import dataclass
from typing import Literal

from edgesr.data.footage_strokes import Stroke, draw_by_lot
from edgesr.data.slide_canvas import Box

Transition = Literal["cut", "fade", "push", "slide-in"]
PointerKind = Literal["arrow", "laser"]
Point = tuple[float, float]

_TRANSITIONS: tuple[Transition, ...] = ("cut", "fade", "push", "slide-in")
_STILL_S = (0.7, 1.1)
"""After a transition nothing moves for so long: the lecturer looks up."""
_POINTED = 0.9
"""Probability that a slide is pointed at."""
_LASER = 0.4
"""Probability that this is done by a laser's dot."""
_FREE_TRIES = 60


@dataclass(frozen=True)
class Layout:
    """Where things are on a page."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    """Of the pieces of text."""

    @property
    def unit(self) -> float:
        """One pixel of a page of 720 rows."""
        return self.height / 720


@dataclass(frozen=True)
class Move:
    """The pointer's way from one place to the next, along a straight line, without a jerk."""

    start_s: float
    end_s: float
    origin: Point
    target: Point

    def at(self, time_s: float) -> Point:
        """Place by the minimum-jerk law of human reaching (Flash and Hogan, 1985)."""
        share = min(1.0, max(0.0, (time_s - self.start_s) / (self.end_s - self.start_s)))
        eased = share**3 * (10 - 15 * share + 6 * share**2)
        return (
            self.origin[0] + (self.target[0] - self.origin[0]) * eased,
            self.origin[1] + (self.target[1] - self.origin[1]) * eased,
        )


@dataclass(frozen=True)
class Pointer:
    """A pointer that is visible from its first move to ``gone_s``."""

    kind: PointerKind
    moves: tuple[Move, ...]
    gone_s: float
    tremor: tuple[float, float]
    """Phases of the hand's tremor in x and y, radians; a laser trembles always, an arrow in
    motion."""
    unit: float

    def at(self, time_s: float) -> Point | None:
        """Place of its tip; None where it is not seen."""
        if not self.moves or not self.moves[0].start_s <= time_s < self.gone_s:
            return None
        move = [move for move in self.moves if move.start_s <= time_s][-1]
        x, y = move.at(time_s)
        trembling = self.kind == "laser" or time_s < move.end_s
        reach = 1.3 * self.unit if trembling else 0.0
        return (
            x + reach * math.sin(2 * math.pi * 6.3 * time_s + self.tremor[0]),
            y + reach * math.sin(2 * math.pi * 7.9 * time_s + self.tremor[1]),
        )


@dataclass(frozen=True)
class Shot:
    """One slide of the footage, from the moment it begins to come in."""

    number: int
    transition: Transition
    moving_s: float
    """Length of the transition; 0 for a cut."""
    length_s: float
    pointers: tuple[Pointer, ...]
    strokes: tuple[Stroke, ...]


def shot_length(seed: int, number: int, hold_s: tuple[float, float]) -> float:
    """Seconds from the beginning of a slide to that of the next one.

    Args:
        seed: Of the footage.
        number: Of the slide, from 0.
        hold_s: Least and greatest length, seconds.
    """
    return _lot(seed, number, "length").uniform(*hold_s)


def write_shot(seed: int, number: int, length_s: float, layout: Layout) -> Shot:
    """Draws by lot what happens to one slide.

    Args:
        seed: Of the footage.
        number: Of the slide, from 0; the first one has no transition.
        length_s: As `shot_length` says.
        layout: Of its page.
    """
    lot = _lot(seed, number, "shot")
    transition = lot.choice(_TRANSITIONS) if number else "cut"
    moving_s = 0.0 if transition == "cut" else min(lot.uniform(0.35, 0.6), length_s / 3)
    start_s = moving_s + lot.uniform(*_STILL_S)
    pointers = []
    if lot.random() < _POINTED:
        kind: PointerKind = "laser" if lot.random() < _LASER else "arrow"
        gone_s = start_s + lot.uniform(0.3, 0.5) * max(0.0, length_s - start_s)
        pointers.append(_point(lot, kind, (start_s, gone_s), layout))
        start_s = gone_s + 0.15
    strokes = draw_by_lot(lot, start_s, layout.boxes, (layout.width, layout.height))
    written_s = max([start_s, *(stroke.end_s for stroke in strokes)])
    if pointers and written_s + 0.4 < length_s:
        pointers.append(_point(lot, pointers[0].kind, (written_s + 0.2, length_s), layout))
    return Shot(number, transition, moving_s, length_s, tuple(pointers), strokes)


def _point(
    lot: random.Random, kind: PointerKind, span_s: tuple[float, float], layout: Layout
) -> Pointer:
    """From outside the text to places in and beside it, with a rest at each."""
    time_s, place = span_s[0], _free_place(lot, layout)
    moves = [Move(time_s - 0.01, time_s, place, place)]
    on_text = True
    while time_s < span_s[1]:
        end_s = time_s + lot.uniform(0.45, 0.9)
        target = _on_text(lot, layout) if on_text else _free_place(lot, layout)
        moves.append(Move(time_s, end_s, place, target))
        time_s, place, on_text = end_s + lot.uniform(0.2, 0.7), target, not on_text
    tremor = (lot.uniform(0, 6.28), lot.uniform(0, 6.28))
    return Pointer(kind, tuple(moves), span_s[1], tremor, layout.unit)


def _on_text(lot: random.Random, layout: Layout) -> Point:
    """A place in the lower right part of some text."""
    if not layout.boxes:
        return _free_place(lot, layout)
    box = lot.choice(layout.boxes)
    return (
        box.left + lot.uniform(0.3, 1.0) * box.width,
        box.top + lot.uniform(0.5, 1.0) * box.height,
    )


def _free_place(lot: random.Random, layout: Layout) -> Point:
    """A place where a pointer hides no text, the least bad one of many where there is none."""
    unit = layout.unit
    best, fewest = (layout.width / 2, layout.height / 2), len(layout.boxes) + 1
    for _ in range(_FREE_TRIES):
        x = lot.uniform(20 * unit, layout.width - 30 * unit)
        y = lot.uniform(20 * unit, layout.height - 40 * unit)
        taken = Box(x - 14 * unit, y - 14 * unit, x + 26 * unit, y + 36 * unit)
        hidden = sum(taken.touches(box) for box in layout.boxes)
        if hidden < fewest:
            best, fewest = (x, y), hidden
        if not hidden:
            break
    return best


def _lot(seed: int, number: int, what: str) -> random.Random:
    return random.Random(f"edgesr footage {seed} {number} {what}")  # noqa: S311 - no secret

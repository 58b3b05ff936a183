"""Lecture footage frame by frame: frame ``i`` of a seed is a function of (options, i) alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgesr.data.footage_draw import (
    INKS,
    Color,
    Patch,
    blend,
    hides,
    is_dark,
    lay,
    pointer_patch,
    stroke_patch,
)
from edgesr.data.footage_script import Layout, Shot, shot_length, write_shot
from edgesr.data.images import RgbImage
from edgesr.data.slide_canvas import Box
from edgesr.data.slides import Slide, render_slide

_KEPT_SHOTS = 3
"""Rendered slides in memory: the one shown, the one before it, and one to spare."""


@dataclass(frozen=True)
class FilmOptions:
    """What the footage shows."""

    seed: int
    fps: int
    width: int
    """Of a frame, pixels; at most the 1280 of a slide."""
    height: int
    hold_s: tuple[float, float] = (3.0, 5.5)
    """Least and greatest time from one slide to the next, seconds."""


@dataclass(frozen=True)
class FilmFrame:
    """One frame of the footage."""

    image: RgbImage
    """Array (H, W, 3), not to be written to: still frames share it."""
    slide: int
    """Number of the slide shown; during a transition, of the one that comes."""
    text: str
    """All that this slide says."""
    transition: bool
    """Whether the slide is still coming in."""
    covered: bool
    """Whether the pointer or ink lies on any text."""

    @property
    def stable(self) -> bool:
        """Whether all of the text, and no other, can be seen."""
        return not self.transition and not self.covered


@dataclass(frozen=True)
class _Scene:
    """A slide at the footage's size, with what happens to it."""

    shot: Shot
    page: RgbImage
    text: str
    mask: NDArray[np.bool_]
    """Shape (H, W): where text is."""
    inks: tuple[Color, Color, Color]


class Film:
    """All frames of some footage, drawn when they are asked for.

    Args:
        options: What it shows.
    """

    def __init__(self, options: FilmOptions) -> None:
        self.options = options
        self._starts = [0.0]
        self._scene = lru_cache(maxsize=_KEPT_SHOTS)(self._make_scene)

    def frames(self, count: int) -> Iterator[FilmFrame]:
        """The first ``count`` frames, in order."""
        for index in range(count):
            yield self.frame(index)

    def frame(self, index: int) -> FilmFrame:
        """One frame.

        Args:
            index: From 0; its time is ``index / fps`` seconds.
        """
        number, time_s = self._find(index / self.options.fps)
        scene = self._scene(number)
        moving = time_s < scene.shot.moving_s
        if moving:
            before = self._scene(number - 1)
            left, _ = _drawn(before, before.shot.length_s, self._unit, pointer=False)
            share = time_s / scene.shot.moving_s
            image, covered = blend(left, scene.page, scene.shot.transition, share), False
        else:
            image, covered = _drawn(scene, time_s, self._unit, pointer=True)
        return FilmFrame(image, number, scene.text, moving, covered)

    @property
    def _unit(self) -> float:
        return self.options.height / 720

    def _find(self, time_s: float) -> tuple[int, float]:
        """The slide at a time, and the seconds since it began to come in."""
        seed, hold_s = self.options.seed, self.options.hold_s
        while self._starts[-1] <= time_s:
            length_s = shot_length(seed, len(self._starts) - 1, hold_s)
            self._starts.append(self._starts[-1] + length_s)
        number = int(np.searchsorted(self._starts, time_s, side="right")) - 1
        return number, time_s - self._starts[number]

    def _make_scene(self, number: int) -> _Scene:
        options = self.options
        slide = render_slide(options.seed, number)
        page, boxes = _fitted(slide, options.width, options.height)
        layout = Layout(options.width, options.height, boxes)
        length_s = shot_length(options.seed, number, options.hold_s)
        shot = write_shot(options.seed, number, length_s, layout)
        mask = np.zeros(page.shape[:2], np.bool_)
        for box in boxes:
            rows = slice(max(0, int(box.top)), int(np.ceil(box.bottom)))
            mask[rows, max(0, int(box.left)) : int(np.ceil(box.right))] = True
        return _Scene(shot, page, slide.text, mask, INKS["dark" if is_dark(page) else "light"])


def _fitted(slide: Slide, width: int, height: int) -> tuple[RgbImage, tuple[Box, ...]]:
    """A slide and the boxes of its text, shrunk to a size; what is too much is cut off.

    Sizes of almost the slide's shape lose a few columns or rows at the right or the bottom, where
    there is no text.
    """
    full_height, full_width = slide.image.shape[:2]
    factor = max(width / full_width, height / full_height)
    page = slide.image
    if factor < 1:
        size = (max(width, round(full_width * factor)), max(height, round(full_height * factor)))
        shrunk = Image.fromarray(page).resize(size, Image.Resampling.LANCZOS)
        page = np.asarray(shrunk)
    boxes = [piece.box for piece in slide.pieces]
    scaled = tuple(
        Box(box.left * factor, box.top * factor, box.right * factor, box.bottom * factor)
        for box in boxes
    )
    return np.ascontiguousarray(page[:height, :width]), scaled


def _drawn(scene: _Scene, time_s: float, unit: float, *, pointer: bool) -> tuple[RgbImage, bool]:
    """The page with ink and pointer as they are then, and whether these hide text.

    The page itself where nothing lies on it.
    """
    patches: list[Patch] = []
    for stroke in scene.shot.strokes:
        drawn = stroke.drawn(time_s)
        if drawn >= 2:
            color = scene.inks[stroke.ink]
            patches.append(stroke_patch(stroke.points[:drawn], stroke.width, color))
    for shown in scene.shot.pointers if pointer else ():
        place = shown.at(time_s)
        if place is not None:
            patches.append(pointer_patch(shown.kind, place, unit))
    if not patches:
        return scene.page, False
    image = scene.page.copy()
    for patch in patches:
        lay(image, patch)
    return image, any(hides(patch, scene.mask) for patch in patches)

"""Drawing on frames of lecture footage: transitions, the pointer and ink, without jagged edges."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edgesr.data.degrade_overlay import POINTER_OUTLINE
from edgesr.data.footage_script import PointerKind, Transition
from edgesr.data.images import RgbImage

Color = tuple[int, int, int]

INKS: dict[str, tuple[Color, Color, Color]] = {
    "light": ((200, 30, 30), (20, 60, 190), (10, 120, 60)),
    "dark": ((255, 120, 110), (255, 225, 90), (130, 225, 255)),
}
"""Pens for light and for dark pages."""
_LASER: Color = (255, 40, 40)
_FINER = 4
"""Shapes are drawn so many times larger, then averaged."""


@dataclass(frozen=True)
class Patch:
    """A shape to lay on a frame."""

    left: int
    top: int
    alpha: NDArray[np.uint8]
    """Shape (h, w): 255 where the shape hides what is below it."""
    color: NDArray[np.uint8]
    """Shape (3,) or (h, w, 3)."""


def lay(image: RgbImage, patch: Patch) -> tuple[slice, slice] | None:
    """Draws a patch on an image, in place; what lies outside is cut.

    Returns:
        Rows and columns that it took, None when it lies outside.
    """
    height, width = image.shape[:2]
    top, left = max(0, patch.top), max(0, patch.left)
    bottom = min(height, patch.top + patch.alpha.shape[0])
    right = min(width, patch.left + patch.alpha.shape[1])
    if top >= bottom or left >= right:
        return None
    place = (slice(top, bottom), slice(left, right))
    alpha = _cut(patch, place)[..., None].astype(np.uint16)
    color = patch.color
    if color.ndim == 3:
        color = color[top - patch.top : bottom - patch.top, left - patch.left : right - patch.left]
    mixed = image[place] * (255 - alpha) + color * alpha
    image[place] = (mixed + 127) // 255
    return place


def hides(patch: Patch, mask: NDArray[np.bool_]) -> bool:
    """Whether a patch hides anything of a mask (H, W) of the whole image."""
    top, left = max(0, patch.top), max(0, patch.left)
    bottom, right = patch.top + patch.alpha.shape[0], patch.left + patch.alpha.shape[1]
    under = mask[top : max(top, bottom), left : max(left, right)]
    place = (slice(top, top + under.shape[0]), slice(left, left + under.shape[1]))
    return bool((under & (_cut(patch, place) > 0)).any())


@lru_cache(maxsize=64)
def stroke_patch(points: tuple[tuple[float, float], ...], width: float, color: Color) -> Patch:
    """A pen's line through points, pixels, with round ends."""
    places = np.asarray(points)
    reach = width / 2 + 2
    left, top = (int(edge) for edge in np.floor(places.min(axis=0) - reach))
    right, bottom = (int(edge) for edge in np.ceil(places.max(axis=0) + reach))
    fine = Image.new("L", ((right - left) * _FINER, (bottom - top) * _FINER))
    draw = ImageDraw.Draw(fine)
    line = [tuple(point) for point in ((places - (left, top)) * _FINER).tolist()]
    radius = width * _FINER / 2
    draw.line(line, fill=255, width=max(1, round(2 * radius)), joint="curve")
    for x, y in (line[0], line[-1]):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return Patch(left, top, np.asarray(fine.reduce(_FINER)), np.array(color, np.uint8))


def pointer_patch(kind: PointerKind, at: tuple[float, float], unit: float) -> Patch:
    """The pointer with its tip, or its middle, at a place; ``unit`` is a 720th of the height."""
    left, top = int(np.floor(at[0])), int(np.floor(at[1]))
    inside = (at[0] - left, at[1] - top)
    return _laser(left, top, inside, unit) if kind == "laser" else _arrow(left, top, inside, unit)


def blend(before: RgbImage, after: RgbImage, transition: Transition, share: float) -> RgbImage:
    """A frame between two slides.

    Args:
        before: Array (H, W, 3) that goes.
        after: Array of the same shape that comes.
        transition: How. ``push`` moves both to the left, ``slide-in`` the new one over the old.
        share: How far it is, 0 to 1.
    """
    if transition == "fade":
        weight = round(256 * share)
        mixed = before.astype(np.uint16) * (256 - weight) + after.astype(np.uint16) * weight
        return (mixed >> 8).astype(np.uint8)
    if transition == "cut":
        return after if share >= 1 else before
    width = before.shape[1]
    eased = 3 * share**2 - 2 * share**3
    came = min(width, max(0, round(width * eased)))
    stays = before[:, came:] if transition == "push" else before[:, : width - came]
    return np.concatenate([stays, after[:, :came]], axis=1)


def is_dark(image: RgbImage) -> bool:
    """Whether most of a page is dark."""
    return float(np.median(image[::4, ::4].mean(axis=2))) < 128


def _arrow(left: int, top: int, inside: tuple[float, float], unit: float) -> Patch:
    """The arrow of a mouse, black with a white edge, 27 pixels high on a page of 720 rows."""
    size = 1.5 * unit
    outline = [(inside[0] + 2 + size * x, inside[1] + 2 + size * y) for x, y in POINTER_OUTLINE]
    extent = (int(11 * size) + 7, int(18 * size) + 7)
    fine = Image.new("LA", (extent[0] * _FINER, extent[1] * _FINER))
    ImageDraw.Draw(fine).polygon(
        [(x * _FINER, y * _FINER) for x, y in outline],
        fill=(10, 255), outline=(255, 255), width=max(1, round(size * _FINER)),
    )  # fmt: skip
    grey, alpha = (np.asarray(channel) for channel in fine.reduce(_FINER).split())
    return Patch(left - 2, top - 2, alpha, np.repeat(grey[..., None], 3, axis=2))


def _laser(left: int, top: int, inside: tuple[float, float], unit: float) -> Patch:
    """A red dot with a soft edge, 14 pixels wide on a page of 720 rows."""
    radius = 7 * unit
    reach = int(np.ceil(radius)) + 1
    steps = np.arange(-reach, reach + 1)
    distance = np.hypot(steps[:, None] - inside[1], steps[None, :] - inside[0]) / radius
    alpha = np.clip(255 * 0.9 * (1 - distance**3), 0, 255).astype(np.uint8)
    return Patch(left - reach, top - reach, alpha, np.array(_LASER, np.uint8))


def _cut(patch: Patch, place: tuple[slice, slice]) -> NDArray[np.uint8]:
    """The part of a patch's alpha that lies on rows and columns of the image."""
    rows, columns = place
    return patch.alpha[
        rows.start - patch.top : rows.stop - patch.top,
        columns.start - patch.left : columns.stop - patch.left,
    ]

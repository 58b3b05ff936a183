"""The images that calibrate integer ranges and that parity is measured on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgesr.data.images import IMAGE_SUFFIXES, read_image
from edgesr.data.pairs import pairs_from
from edgesr.data.resize import imresize
from edgesr.errors import InputError
from edgesr.quality.pixels import to_unit

Images = NDArray[np.float32]
"""N, H, W, 3 RGB in [0, 1]; every value is a whole number of 255ths."""

SLIDE_SEED = 20
_MOST_FILES = 28
_MOST_CHECKED = 4
_LEAST_CALIBRATION = 12
_PIECE = 96
_LEAST_CONTRAST = 0.1


@dataclass(frozen=True)
class Samples:
    """Images for one conversion."""

    calibration: Images
    """For what a converter calibrates."""
    checked: Images
    """For parity; not used to calibrate unless there are fewer than four images in all."""
    source: str
    """Where they come from."""
    held_out: bool = True
    """Whether none of the checked images is among those for calibration."""
    truth: Images | None = None
    """The high-res images of those checked, N, s*H, s*W, 3; None where there are none."""
    pieces: Images = field(default_factory=lambda: np.zeros((0, 0, 0, 3), np.float32))
    """The part of every calibration image with most contrast, at most `_PIECE` pixels a side."""
    pieces_truth: Images | None = None
    """The high-res images of the pieces."""


def load_samples(source: Path | None, scale: int, size: tuple[int, int]) -> Samples:
    """Loads images and cuts them to the network's input size.

    Args:
        source: A ``pairs.csv`` (its low-res images are taken), a folder holding one, a folder of
            low-res images, or None for rendered slides.
        scale: By which rendered slides are made smaller.
        size: (H, W) of the network's input.

    Raises:
        InputError: When there is no image, or one can't be read.
    """
    if source is None:
        images, name = _slides(scale), f"rendered slides, seed {SLIDE_SEED}"
    else:
        images, name = _read(Path(source), scale), Path(source).name
    held = min(_MOST_CHECKED, len(images) // 4)
    kept = images[: len(images) - held]
    per_image = math.ceil(_LEAST_CALIBRATION / len(kept))
    calibration = _stack([cut for image in kept for cut in crops(image.lr, size, per_image)])
    checked, truth = _cut(images[len(kept) :] or kept[:4], size, 1, scale)
    piece = (min(size[0], _PIECE), min(size[1], _PIECE))
    pieces, pieces_truth = _cut(kept, piece, per_image, scale)
    if float(np.ptp(pieces, axis=(1, 2)).max()) < _LEAST_CONTRAST:
        raise InputError(
            f"{name}: every image is of one colour, which tells no range",
            hint="calibrate with images like those you will enlarge: --calibration",
        )
    return Samples(calibration, checked, name, held > 0, truth, pieces, pieces_truth)


def crops(image: NDArray[np.uint8], size: tuple[int, int], count: int) -> list[NDArray[np.uint8]]:
    """Cuts pieces of one size out of an image, those with most contrast first.

    Args:
        image: H, W, 3; mirrored at its borders where it is too small.
        size: (H, W) of the pieces.
        count: How many; fewer come where the image has no more distinct ones.

    Returns:
        Pieces of shape H, W, 3 from a grid of three by three positions.
    """
    image = _filled(image, size)
    places = _places(image, size)[:count]
    return [image[top : top + size[0], left : left + size[1]] for top, left in places]


def _filled(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Mirrored at its lower and right border where it is too small."""
    missing = [max(0, want - have) for want, have in zip(size, image.shape[:2], strict=True)]
    return np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")


def _places(image: NDArray[np.uint8], size: tuple[int, int]) -> list[tuple[int, int]]:
    """(top, left) of the pieces on the grid, those with most contrast first."""
    tops, lefts = (
        sorted({0, (have - want) // 2, have - want})
        for want, have in zip(size, image.shape[:2], strict=True)
    )

    def contrast(place: tuple[int, int]) -> float:
        top, left = place
        return float(image[top : top + size[0], left : left + size[1]].std())

    return sorted(product(tops, lefts), key=contrast, reverse=True)


@dataclass(frozen=True)
class _Image:
    lr: NDArray[np.uint8]
    hr: NDArray[np.uint8] | None = None
    """At least s times as large, where there is one."""


def _cut(
    images: list[_Image], size: tuple[int, int], count: int, scale: int
) -> tuple[Images, Images | None]:
    """The ``count`` best pieces of each image; their high-res ones where all images have one."""
    small, large = [], []
    for image in images:
        lr = _filled(image.lr, size)
        hr = (
            None
            if image.hr is None
            else _filled(image.hr, (lr.shape[0] * scale, lr.shape[1] * scale))
        )
        for top, left in _places(lr, size)[:count]:
            small.append(lr[top : top + size[0], left : left + size[1]])
            if hr is not None:
                box = [
                    slice(scale * at, scale * (at + side))
                    for at, side in zip((top, left), size, strict=True)
                ]
                large.append(hr[box[0], box[1]])
    return _stack(small), _stack(large) if len(large) == len(small) else None


def _stack(pieces: list[NDArray[np.uint8]]) -> Images:
    return to_unit(np.stack(pieces))


def _read(source: Path, scale: int) -> list[_Image]:
    """Images with their truth from pairs, without one from a folder."""
    if source.suffix == ".csv" or (source / "pairs.csv").is_file():
        pairs = _thinned(pairs_from(source), source)
        return [_of_pair(read_image(pair.lr), read_image(pair.hr), scale) for pair in pairs]
    if source.is_dir():
        paths = sorted(path for path in source.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        return [_Image(read_image(path)) for path in _thinned(paths, source)]
    raise InputError(
        f"{source} is neither a folder of images nor a pairs.csv", hint="check --calibration"
    )


def _of_pair(lr: NDArray[np.uint8], hr: NDArray[np.uint8], scale: int) -> _Image:
    """The truth only where it is ``scale`` times as large; a rest at its border may be missing."""
    wanted = [side * scale for side in lr.shape[:2]]
    fits = all(abs(have - want) < scale for have, want in zip(hr.shape[:2], wanted, strict=True))
    return _Image(lr, hr[: wanted[0], : wanted[1]] if fits else None)


Item = TypeVar("Item")


def _thinned(items: Sequence[Item], source: Path) -> list[Item]:
    """At most `_MOST_FILES`, evenly chosen."""
    if not items:
        raise InputError(f"{source} holds no images", hint="check --calibration")
    return list(items[:: math.ceil(len(items) / _MOST_FILES)])


def _slides(scale: int) -> list[_Image]:
    from edgesr.data.slides import render_slide

    slides = [render_slide(SLIDE_SEED, index).image for index in range(16)]
    return [_of_pair(imresize(slide, 1 / scale), slide, scale) for slide in slides]

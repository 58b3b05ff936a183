"""The low-res images that calibrate integer ranges and that parity is measured on."""

import math
from dataclasses import dataclass
from itertools import product
from pathlib import Path

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


@dataclass(frozen=True)
class Samples:
    """Images for one conversion."""

    calibration: Images
    """For the integer ranges; black and white are among the values."""
    checked: Images
    """For parity; not used to calibrate unless there are fewer than four images in all."""
    source: str
    """Where they come from."""
    held_out: bool = True
    """Whether none of the checked images is among those for calibration."""


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
        images, name = [read_image(path) for path in _files(Path(source))], Path(source).name
    held = min(_MOST_CHECKED, len(images) // 4)
    kept = images[: len(images) - held]
    per_image = math.ceil(_LEAST_CALIBRATION / len(kept))
    calibration = _stack([cut for image in kept for cut in crops(image, size, per_image)])
    checked = _stack([crops(image, size, 1)[0] for image in images[len(kept) :] or kept[:4]])
    calibration[0, 0, 0], calibration[0, 0, 1] = 0.0, 1.0  # the input's scale becomes 1/255
    return Samples(calibration, checked, name, held_out=held > 0)


def crops(image: NDArray[np.uint8], size: tuple[int, int], count: int) -> list[NDArray[np.uint8]]:
    """Cuts pieces of one size out of an image, those with most contrast first.

    Args:
        image: H, W, 3; mirrored at its borders where it is too small.
        size: (H, W) of the pieces.
        count: How many; fewer come where the image has no more distinct ones.

    Returns:
        Pieces of shape H, W, 3 from a grid of three by three positions.
    """
    missing = [max(0, want - have) for want, have in zip(size, image.shape[:2], strict=True)]
    image = np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    tops, lefts = (
        sorted({0, (have - want) // 2, have - want})
        for want, have in zip(size, image.shape[:2], strict=True)
    )
    pieces = [
        image[top : top + size[0], left : left + size[1]] for top, left in product(tops, lefts)
    ]
    return sorted(pieces, key=lambda piece: -float(piece.std()))[:count]


def _stack(pieces: list[NDArray[np.uint8]]) -> Images:
    return to_unit(np.stack(pieces))


def _files(source: Path) -> list[Path]:
    if source.suffix == ".csv" or (source / "pairs.csv").is_file():
        paths = [pair.lr for pair in pairs_from(source)]
    elif source.is_dir():
        paths = sorted(path for path in source.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    else:
        raise InputError(
            f"{source} is neither a folder of images nor a pairs.csv", hint="check --calibration"
        )
    if not paths:
        raise InputError(f"{source} holds no images", hint="check --calibration")
    step = math.ceil(len(paths) / _MOST_FILES)
    return paths[::step]


def _slides(scale: int) -> list[NDArray[np.uint8]]:
    from edgesr.data.slides import render_slide

    return [imresize(render_slide(SLIDE_SEED, index).image, 1 / scale) for index in range(16)]

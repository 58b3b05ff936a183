"""Small pieces of images on which features are compared."""

from collections.abc import Sequence

import numpy as np

from edgesr.data.images import RgbImage
from edgesr.errors import InputError

_SIDE = 48
"""Pixels; enough for the receptive field of fourteen 3x3 convs without the border."""
_SMALLEST = 12
_COUNT = 24
_TRIED = 4


def calibration_crops(images: Sequence[RgbImage], seed: int) -> list[RgbImage]:
    """Square crops of one size, from all images in turn.

    Of four random places the busiest is taken: most of a slide is empty background. Images
    smaller than a crop are left out where there are larger ones.

    Args:
        images: Low-res images (H, W, 3), at least one.
        seed: Decides the places.

    Returns:
        24 crops (S, S, 3), S at most 48.

    Raises:
        InputError: When no image has 12 pixels on each side.
    """
    side = min(_SIDE, max((min(image.shape[:2]) for image in images), default=0))
    if side < _SMALLEST:
        raise InputError(
            f"the calibration images are too small: none has {_SMALLEST} pixels on each side",
            hint="give larger images",
        )
    rng = np.random.default_rng(seed)
    large = [image for image in images if min(image.shape[:2]) >= side]
    return [_busiest(large[number % len(large)], side, rng) for number in range(_COUNT)]


def _busiest(image: RgbImage, side: int, rng: np.random.Generator) -> RgbImage:
    height, width = image.shape[:2]
    crops = []
    for _ in range(_TRIED):
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        crops.append(image[top : top + side, left : left + side])
    return max(crops, key=_activity)


def _activity(crop: RgbImage) -> float:
    values = crop.astype(np.float32)
    return float(sum(np.abs(np.diff(values, axis=axis)).mean() for axis in (0, 1)))

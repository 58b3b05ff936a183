"""What a JPEG codec leaves of an image."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgesr.data.images import RgbImage


def jpeg(image: RgbImage, quality: int) -> RgbImage:
    """What is left of an image after JPEG with 4:2:0 colour.

    Args:
        image: Array (H, W, 3), uint8, RGB.
        quality: 1 to 95.

    Returns:
        Array (H, W, 3), uint8, RGB.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(
        buffer, format="JPEG", quality=quality, subsampling="4:2:0"
    )
    with Image.open(buffer) as decoded:
        pixels: NDArray[np.uint8] = np.asarray(decoded.convert("RGB"))
    return pixels


def to_bytes(image: NDArray[np.floating[Any]]) -> RgbImage:
    """Rounds half up and clips: float (H, W, 3) in 0..255 to uint8."""
    pixels: NDArray[np.uint8] = np.clip(image + 0.5, 0, 255).astype(np.uint8)
    return pixels

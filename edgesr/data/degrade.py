"""From high resolution to low: the published bicubic, and one that looks like a real lecture feed.

Every degradation is a function of (image, scale, generator) alone, so a pair can be made again.
"""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from edgesr.data.images import RgbImage
from edgesr.data.resize import imresize

Degradation = Callable[[RgbImage, int, np.random.Generator], RgbImage]
"""(uint8 (s*H, s*W, 3), scale s, generator) -> uint8 (H, W, 3)."""


def degrade_bicubic(hr: RgbImage, scale: int, rng: np.random.Generator) -> RgbImage:  # noqa: ARG001
    """MATLAB's bicubic, bit for bit; nothing is random.

    Args:
        hr: Array (s*H, s*W, 3), uint8, RGB.
        scale: 2, 3 or 4.
        rng: Not used.

    Returns:
        Array (H, W, 3), uint8, RGB.
    """
    return imresize(hr, 1 / scale)


def degrade_real(hr: RgbImage, scale: int, rng: np.random.Generator) -> RgbImage:
    """A soft lens, a small sensor and a codec, in that order.

    1. Gaussian blur, sigma 0.1 to 0.45 x scale pixels of the high-resolution image;
    2. MATLAB's bicubic;
    3. Gaussian noise per channel, sigma 0.5 to 5 grey levels;
    4. JPEG, quality 55 to 95, colour halved in both directions (4:2:0).

    All four strengths are drawn uniformly per image.

    Args:
        hr: Array (s*H, s*W, 3), uint8, RGB.
        scale: 2, 3 or 4.
        rng: Where the strengths and the noise are drawn from.

    Returns:
        Array (H, W, 3), uint8, RGB.
    """
    blur = scale * rng.uniform(0.1, 0.45)
    noise = rng.uniform(0.5, 5.0)
    quality = int(rng.integers(55, 96))
    lens = ImageFilter.GaussianBlur(radius=blur)
    soft = np.asarray(Image.fromarray(np.ascontiguousarray(hr)).filter(lens))
    small = imresize(soft, 1 / scale).astype(np.float64)
    small += rng.normal(0.0, noise, small.shape)
    return jpeg(np.clip(small + 0.5, 0, 255).astype(np.uint8), quality)


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


DEGRADATIONS: dict[str, Degradation] = {"bicubic": degrade_bicubic, "real": degrade_real}
"""Every degradation by the name that ``--degrade`` takes."""

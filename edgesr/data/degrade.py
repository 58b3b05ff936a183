"""From high resolution to low: the published bicubic, and ways that look like the world.

Every degradation is a function of (image, scale, generator) alone, so a pair can be made again.
The smaller files beside this one, ``degrade_*.py``, hold the parts of the longer ones.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from edgesr.data.degrade_jpeg import jpeg
from edgesr.data.degrade_names import Degrade
from edgesr.data.degrade_realesrgan import degrade_real_esrgan
from edgesr.data.degrade_sharpen import sharpen_usm
from edgesr.data.degrade_video import degrade_lecture_video
from edgesr.data.images import RgbImage
from edgesr.data.resize import imresize

__all__ = [
    "DEGRADATIONS", "Degradation", "degrade_bicubic", "degrade_lecture_video", "degrade_real",
    "degrade_real_esrgan", "jpeg", "sharpen_usm",
]  # fmt: skip

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


DEGRADATIONS: dict[str, Degradation] = {
    Degrade.BICUBIC.value: degrade_bicubic,
    Degrade.REAL.value: degrade_real,
    Degrade.REAL_ESRGAN.value: degrade_real_esrgan,
    Degrade.LECTURE_VIDEO.value: degrade_lecture_video,
}
"""Every degradation by the name that ``--degrade`` and ``data.degrade`` take."""

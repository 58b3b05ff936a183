"""Other targets than the large image itself: sharpened as Real-ESRGAN does, or softened."""

import numpy as np
from PIL import Image, ImageFilter

from edgesr.data.degrade_jpeg import to_bytes
from edgesr.data.images import RgbImage
from edgesr.data.kernels import Spread, blur, gaussian_kernel

_SIDE = 51
_SIGMA = 8.0
"""What OpenCV derives from a side of 51: 0.3 * ((51 - 1) / 2 - 1) + 0.8."""
_WEIGHT = 0.5
_THRESHOLD = 10.0


def sharpen_usm(image: RgbImage) -> RgbImage:
    """Sharpens edges and leaves flat areas alone: the USM target of Real-ESRGAN.

    Half of what a wide Gaussian blur takes away is added, where that is more than 10 grey levels;
    the mask of these places is blurred too, so that there is no seam (BasicSR, `USMSharp`, with
    radius 50).

    Args:
        image: Array (H, W, 3), uint8, RGB.

    Returns:
        Array (H, W, 3), uint8, RGB.
    """
    pixels = image.astype(np.float32)
    kernel = gaussian_kernel(_SIDE, Spread(_SIGMA, _SIGMA))
    detail = pixels - blur(pixels, kernel)
    mask = blur((np.abs(detail) > _THRESHOLD).astype(np.float32), kernel)
    sharp = np.clip(pixels + np.float32(_WEIGHT) * detail, 0, 255)
    return to_bytes(pixels + mask * (sharp - pixels))


def soften(image: RgbImage, sigma: float) -> RgbImage:
    """The image under a Gaussian; beyond its edges they are repeated.

    Args:
        image: Array (H, W, 3), uint8, RGB.
        sigma: Pixels, above 0.

    Returns:
        Array (H, W, 3), uint8, RGB.
    """
    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(sigma)))

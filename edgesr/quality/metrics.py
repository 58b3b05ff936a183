"""PSNR and SSIM by the convention of the super-resolution literature, on float Y.

The literature knows two protocols that differ by about 0.02 dB; `PROTOCOL` names this one, and
every file with figures carries it. Arrays are uint8, H,W,3, RGB.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.errors import ImageError

PROTOCOL: dict[str, str] = {
    "name": "sr-y-float",
    "y": "Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 (BT.601, studio range), not rounded",
    "border_crop": "scale pixels on each side",
    "psnr": "10 log10(255^2 / MSE) on Y; identical images have no finite PSNR",
    "ssim": "11x11 Gaussian, sigma 1.5, K1 0.01, K2 0.03, population covariance, data range 255, "
    "mean over valid positions, on Y",
    "sr_rounding": "model output clipped to 0..1, times 255, rounded half up to uint8 RGB",
}
"""The conventions behind the figures, for people and for files."""

_Y_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255.0
_SSIM_WINDOW = 11


def luma(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Unrounded BT.601 luma in studio range.

    Args:
        image: H,W,3 RGB, uint8.

    Returns:
        H,W float64 in 16..235.

    Raises:
        ImageError: When the array is not H,W,3 uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ImageError(f"expected a uint8 H,W,3 RGB image, got {image.dtype} {image.shape}")
    y: NDArray[np.float64] = image.astype(np.float64) @ _Y_WEIGHTS + 16.0
    return y


def psnr_y(sr: NDArray[np.uint8], hr: NDArray[np.uint8], border: int) -> float:
    """Peak signal-to-noise ratio of the luma.

    Args:
        sr: The image to judge, H,W,3 RGB.
        hr: The truth, of the same size.
        border: Pixels left out on every side; the convention is the scale.

    Returns:
        dB with peak 255; ``inf`` when not one luma value differs.

    Raises:
        ImageError: When the sizes differ or nothing is left inside the border.
    """
    a, b = _inner_luma(sr, hr, border, smallest=1)
    mse = float(np.mean((a - b) ** 2))
    return math.inf if mse == 0.0 else 10.0 * math.log10(255.0**2 / mse)


def ssim_y(sr: NDArray[np.uint8], hr: NDArray[np.uint8], border: int) -> float:
    """Structural similarity of the luma, mean over the valid positions of the window.

    Args:
        sr: The image to judge, H,W,3 RGB.
        hr: The truth, of the same size.
        border: Pixels left out on every side; the convention is the scale.

    Returns:
        SSIM in -1..1, 1 for identical images.

    Raises:
        ImageError: When the sizes differ or less than the 11x11 window is left inside the border.
    """
    from skimage.metrics import structural_similarity

    a, b = _inner_luma(sr, hr, border, smallest=_SSIM_WINDOW)
    options: dict[str, Any] = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 255.0,
    }
    return float(structural_similarity(a, b, **options))  # type: ignore[no-untyped-call]


def _inner_luma(
    sr: NDArray[np.uint8], hr: NDArray[np.uint8], border: int, *, smallest: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if sr.shape != hr.shape:
        raise ImageError(
            f"the images differ in size: {_size(sr)} against {_size(hr)}",
            hint="is the model's scale the scale of the pairs?",
        )
    if border < 0:
        raise ImageError(f"the border crop can't be negative: {border}")
    height, width = sr.shape[0] - 2 * border, sr.shape[1] - 2 * border
    if min(height, width) < smallest:
        raise ImageError(
            f"an image of {_size(sr)} is too small: inside a border of {border} pixels"
            f" at least {smallest}x{smallest} must be left"
        )
    inner = (slice(border, border + height), slice(border, border + width))
    return luma(sr)[inner], luma(hr)[inner]


def _size(image: NDArray[np.uint8]) -> str:
    return "x".join(str(length) for length in image.shape[:2])

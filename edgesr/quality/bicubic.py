"""Bicubic enlargement: what every network has to beat. Imports no torch."""

import numpy as np
from numpy.typing import NDArray

from edgesr.data.resize import imresize_float


def upscale_bicubic(image: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """MATLAB's bicubic kernel, rounded once at the end, as the output of every network is.

    (MATLAB's own uint8 resize rounds a second time between its two passes, which costs up to
    0.005 dB and appears in no table of results.)

    Args:
        image: H,W,3 RGB.
        scale: Factor on height and width.

    Returns:
        sH,sW,3 RGB.
    """
    values = np.clip(imresize_float(image, scale), 0.0, 255.0)
    pixels: NDArray[np.uint8] = np.floor(values + 0.5).astype(np.uint8)
    return pixels

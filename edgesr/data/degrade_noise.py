"""Noise of sensors: Gaussian and Poisson, per colour channel or grey."""

import numpy as np

from edgesr.data.kernels import Pixels

_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_PEAK = 256
"""Photons of a white pixel. The source takes the number of different values in the image, rounded
up to a power of two, which is 256 in nearly all photographs. A slide with four colours would get
4, and noise that leaves nothing of it."""


def add_gaussian_noise(
    image: Pixels, rng: np.random.Generator, sigma: float, *, grey: bool
) -> Pixels:
    """Adds noise of the same strength everywhere.

    Args:
        image: Array (H, W, 3), float32, 0..255.
        rng: Where the noise is drawn from.
        sigma: Standard deviation in grey levels.
        grey: Whether all three channels get the same noise.

    Returns:
        Array (H, W, 3), float32, not clipped.
    """
    height, width, channels = image.shape
    noise = rng.standard_normal((height, width, 1 if grey else channels), np.float32)
    noise *= np.float32(sigma)
    return image + noise


def add_poisson_noise(
    image: Pixels, rng: np.random.Generator, strength: float, *, grey: bool
) -> Pixels:
    """Adds noise whose variance grows with brightness, as the counting of photons makes it.

    The number of photons is drawn for 256 per white pixel, and its deviation from the mean times
    ``strength`` is added: the standard deviation is ``strength * 255 * sqrt(v / 255 / 256)`` at
    grey level v.

    Args:
        image: Array (H, W, 3), float32, 0..255.
        rng: Where the noise is drawn from.
        strength: 1 is the pure count.
        grey: Whether all three channels get the same noise, that of their luma.

    Returns:
        Array (H, W, 3), float32, not clipped.
    """
    light = (image * _GREY).sum(axis=2, keepdims=True) if grey else image
    mean = np.clip(np.rint(light), 0, 255) * np.float32(_PEAK / 255)
    noise = rng.poisson(mean).astype(np.float32)
    noise -= mean
    noise *= np.float32(strength * 255 / _PEAK)
    return image + noise

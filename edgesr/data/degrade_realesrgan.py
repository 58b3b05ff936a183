"""The two-order degradation of Real-ESRGAN, per sample.

After Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic
Data" (2021) and the repository xinntao/Real-ESRGAN (`realesrgan_dataset.py`, `realesrgan_model.py`,
`options/train_realesrgan_x4plus.yml`). Order of things and probabilities are the source's::

    blur -> resize -> noise -> JPEG          first order, relative to the large image
    blur -> resize -> noise                  second order, relative to the small image
    (resize to the end + sinc) and JPEG      in either order

What differs: JPEG is a real codec's, with whole qualities, not a differentiable approximation;
Poisson noise has a fixed peak (`edgesr.data.degrade_noise`); a factor of resizing that does not
give whole pixels is corrected so that the image is not shifted.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from edgesr.data.degrade_jpeg import jpeg, to_bytes
from edgesr.data.degrade_noise import add_gaussian_noise, add_poisson_noise
from edgesr.data.degrade_resize import MODES, interpolate
from edgesr.data.images import RgbImage
from edgesr.data.kernels import KernelOptions, Pixels, blur, random_kernel, random_sinc

Range = tuple[float, float]


@dataclass(frozen=True)
class Order:
    """Strengths of one of the two orders; ranges are drawn from uniformly."""

    kernels: KernelOptions = field(default_factory=KernelOptions)
    blur: float = 1.0
    """Probability of a blur."""
    resize: tuple[float, float, float] = (0.2, 0.7, 0.1)
    """Probabilities of enlarging, shrinking, and neither."""
    factor: Range = (0.15, 1.5)
    """The strongest shrinking and the strongest enlarging."""
    gaussian: float = 0.5
    """Probability of Gaussian noise; otherwise it is Poisson noise."""
    sigma: Range = (1.0, 30.0)
    """Of Gaussian noise, grey levels."""
    poisson: Range = (0.05, 3.0)
    """Strength of Poisson noise; 1 is what counting photons gives."""
    grey: float = 0.4
    """Probability that noise is the same in all three channels."""
    quality: tuple[int, int] = (30, 95)
    """Of JPEG, both ends included."""


@dataclass(frozen=True)
class RealEsrgan:
    """Every constant of the degradation; the defaults are those of x4plus."""

    first: Order = field(default_factory=Order)
    second: Order = field(
        default_factory=lambda: Order(
            kernels=replace(KernelOptions(), sigma=(0.2, 1.5)),
            blur=0.8,
            resize=(0.3, 0.4, 0.3),
            factor=(0.3, 1.2),
            sigma=(1.0, 25.0),
            poisson=(0.05, 2.5),
        )
    )
    sinc: float = 0.8
    """Probability of the last sinc filter."""
    jpeg_last: float = 0.5
    """Probability that JPEG comes after the last resize and filter, not before them."""


X4PLUS = RealEsrgan()


def degrade_real_esrgan(
    hr: RgbImage, scale: int, rng: np.random.Generator, options: RealEsrgan = X4PLUS
) -> RgbImage:
    """Degrades as Real-ESRGAN does for its training.

    Args:
        hr: Array (s*H, s*W, 3), uint8, RGB.
        scale: 2, 3 or 4.
        rng: Where everything is drawn from.
        options: Strengths and probabilities.

    Returns:
        Array (H, W, 3), uint8, RGB.
    """
    first, second = options.first, options.second
    height, width = hr.shape[0] // scale, hr.shape[1] // scale
    image = _one_order(hr.astype(np.float32), hr.shape[:2], rng, first)
    image = _compressed(image, rng, first)
    image = _one_order(image, (height, width), rng, second)
    if rng.random() < options.jpeg_last:
        image = _finished(image, (height, width), rng, options)
        return to_bytes(_compressed(image, rng, second))
    image = _compressed(image, rng, second)
    return to_bytes(_finished(image, (height, width), rng, options))


def _one_order(
    image: Pixels, base: tuple[int, ...], rng: np.random.Generator, order: Order
) -> Pixels:
    """Blur, resize relative to ``base`` (height, width), noise; clipped to 0..255."""
    if rng.random() < order.blur:
        image = blur(image, random_kernel(rng, order.kernels))
    factor = _random_factor(rng, order)
    size = (max(1, int(base[0] * factor)), max(1, int(base[1] * factor)))
    image = interpolate(image, size, MODES[rng.integers(len(MODES))])
    gaussian, grey = rng.random() < order.gaussian, bool(rng.random() < order.grey)
    if gaussian:
        image = add_gaussian_noise(image, rng, rng.uniform(*order.sigma), grey=grey)
    else:
        image = add_poisson_noise(image, rng, rng.uniform(*order.poisson), grey=grey)
    return image.clip(0, 255)


def _random_factor(rng: np.random.Generator, order: Order) -> float:
    odds = np.array(order.resize)
    direction = rng.choice(3, p=odds / odds.sum())
    if direction == 0:
        return float(rng.uniform(1.0, order.factor[1]))
    if direction == 1:
        return float(rng.uniform(order.factor[0], 1.0))
    return 1.0


def _compressed(image: Pixels, rng: np.random.Generator, order: Order) -> Pixels:
    low, high = order.quality
    return jpeg(to_bytes(image), int(rng.integers(low, high + 1))).astype(np.float32)


def _finished(
    image: Pixels, size: tuple[int, int], rng: np.random.Generator, options: RealEsrgan
) -> Pixels:
    """The last resize, to (H, W), and the sinc filter."""
    image = interpolate(image, size, MODES[rng.integers(len(MODES))])
    if rng.random() < options.sinc:
        image = blur(image, random_sinc(rng, options.second.kernels.sizes))
    return image

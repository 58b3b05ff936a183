"""Blur kernels of blind super-resolution, and the filter that applies them.

The families and their formulas are those of Real-ESRGAN (Wang et al., 2021, section 3.2; BasicSR,
`basicsr/data/degradations.py`). With q the squared Mahalanobis distance from the centre::

    Gaussian              exp(-q / 2)
    generalized Gaussian  exp(-q^beta / 2)     beta < 1 has long tails, beta > 1 a flat top
    plateau               1 / (1 + q^beta)
    sinc                  w J1(w r) / (2 pi r)  a circular low-pass, which rings

Every kernel is a square float64 array of odd side, point symmetric, with sum 1.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kernel = NDArray[np.float64]
"""(K, K), K odd, sum 1."""
Pixels = NDArray[np.float32]
"""(H, W, 3), RGB, 0..255; may leave the range between two steps."""

Family = Literal["gaussian", "generalized", "plateau"]

_BESSEL_POINTS = 128


@dataclass(frozen=True)
class Spread:
    """How far a kernel reaches."""

    x: float
    """Standard deviation along the first axis of the ellipse, pixels."""
    y: float
    """The same along the second one."""
    angle: float = 0.0
    """Of the first axis against the image's rows, radians, towards larger row numbers."""


@dataclass(frozen=True)
class KernelOptions:
    """What random kernels are drawn from; the defaults are Real-ESRGAN's first order."""

    sizes: tuple[int, ...] = tuple(range(7, 22, 2))
    """Sides, equally likely."""
    sinc: float = 0.1
    """Probability of a sinc kernel instead of the six below."""
    families: tuple[tuple[Family, bool, float], ...] = (
        ("gaussian", True, 0.45),
        ("gaussian", False, 0.25),
        ("generalized", True, 0.12),
        ("generalized", False, 0.03),
        ("plateau", True, 0.12),
        ("plateau", False, 0.03),
    )
    """(family, whether it is isotropic, probability)."""
    sigma: tuple[float, float] = (0.2, 3.0)
    """Standard deviation, pixels."""
    beta_generalized: tuple[float, float] = (0.5, 4.0)
    beta_plateau: tuple[float, float] = (1.0, 2.0)


def gaussian_kernel(size: int, spread: Spread) -> Kernel:
    """A Gaussian; anisotropic where the two deviations differ."""
    return _normalised(np.exp(-0.5 * _squared_distance(size, spread)))


def generalized_kernel(size: int, spread: Spread, beta: float) -> Kernel:
    """A generalized Gaussian; with ``beta`` 1 the Gaussian itself."""
    return _normalised(np.exp(-0.5 * _squared_distance(size, spread) ** beta))


def plateau_kernel(size: int, spread: Spread, beta: float) -> Kernel:
    """A flat top with sides that fall as a power of the distance."""
    return _normalised(1.0 / (1.0 + _squared_distance(size, spread) ** beta))


def sinc_kernel(size: int, cutoff: float) -> Kernel:
    """A circular low-pass filter.

    Args:
        size: Side in pixels, odd.
        cutoff: Highest frequency that passes, radians per pixel, above 0, at most pi.
    """
    rows, columns = _grid(size)
    radius = np.hypot(rows, columns)
    middle = radius == 0
    safe = np.where(middle, 1.0, radius)
    kernel = cutoff * bessel_j1(cutoff * safe) / (2 * math.pi * safe)
    return _normalised(np.where(middle, cutoff**2 / (4 * math.pi), kernel))


def bessel_j1(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bessel's function J1, exact to about 1e-13 for arguments up to 70.

    It is the mean of ``cos(t - x sin t)`` over a period; the mean of equally spaced points of a
    smooth periodic function converges faster than any power.
    """
    t = np.arange(_BESSEL_POINTS) * (2 * math.pi / _BESSEL_POINTS)
    mean: NDArray[np.float64] = np.cos(t - x[..., None] * np.sin(t)).mean(axis=-1)
    return mean


def random_kernel(rng: np.random.Generator, options: KernelOptions) -> Kernel:
    """Draws a kernel: its side, then sinc or not, then family, width, angle and shape."""
    size = int(rng.choice(options.sizes))
    if rng.random() < options.sinc:
        return sinc_kernel(size, rng.uniform(math.pi / 3 if size < 13 else math.pi / 5, math.pi))
    odds = np.array([probability for _, _, probability in options.families])
    family, isotropic, _ = options.families[int(rng.choice(len(odds), p=odds / odds.sum()))]
    across, along = rng.uniform(*options.sigma, size=2)
    angle = rng.uniform(-math.pi, math.pi)
    spread = Spread(across, across) if isotropic else Spread(across, along, angle)
    if family == "gaussian":
        return gaussian_kernel(size, spread)
    if family == "generalized":
        return generalized_kernel(size, spread, _random_beta(rng, options.beta_generalized))
    return plateau_kernel(size, spread, _random_beta(rng, options.beta_plateau))


def random_sinc(rng: np.random.Generator, sizes: tuple[int, ...]) -> Kernel:
    """The last filter of Real-ESRGAN: a sinc with a cut-off between pi / 3 and pi."""
    return sinc_kernel(int(rng.choice(sizes)), rng.uniform(math.pi / 3, math.pi))


def blur(image: Pixels, kernel: Kernel) -> Pixels:
    """Filters every channel; the image goes on as its mirror image beyond its borders.

    Done by FFT, which is faster than the direct sum from about 7x7 on and doesn't depend on
    threads.

    Args:
        image: Array (H, W, C), float32.
        kernel: Array (K, K).

    Returns:
        Array (H, W, C), float32.
    """
    height, width, channels = image.shape
    reach = len(kernel) // 2
    shape = (_fast_length(height + 2 * reach), _fast_length(width + 2 * reach))
    transfer = np.fft.rfft2(kernel.astype(np.float32), s=shape, axes=(0, 1))
    edge = ((reach, reach), (reach, reach))
    out = np.empty(image.shape, np.float32)
    for channel in range(channels):
        padded = np.pad(image[:, :, channel], edge, mode="reflect")
        spectrum = np.fft.rfft2(padded, s=shape, axes=(0, 1))
        spectrum *= transfer
        filtered = np.fft.irfft2(spectrum, s=shape, axes=(0, 1))
        whole = 2 * reach  # the kernel starts at the corner, so its centre shifts by its reach
        out[:, :, channel] = filtered[whole : whole + height, whole : whole + width]
    return out


def _random_beta(rng: np.random.Generator, between: tuple[float, float]) -> float:
    """One half of the draws below 1, one half above, as in the source."""
    low, high = between
    return float(rng.uniform(low, 1.0) if rng.random() < 0.5 else rng.uniform(1.0, high))


def _squared_distance(size: int, spread: Spread) -> NDArray[np.float64]:
    rows, columns = _grid(size)
    cos, sin = math.cos(spread.angle), math.sin(spread.angle)
    first = (columns * cos + rows * sin) / spread.x
    second = (rows * cos - columns * sin) / spread.y
    return first**2 + second**2


def _grid(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if size < 1 or size % 2 == 0:
        raise ValueError(f"a kernel's side must be odd, not {size}")
    line = np.arange(size, dtype=np.float64) - size // 2
    return line[:, None], line[None, :]


def _normalised(kernel: NDArray[np.float64]) -> Kernel:
    scaled: Kernel = kernel / kernel.sum()
    return scaled


def _fast_length(length: int) -> int:
    """The next length whose only prime factors are 2, 3 and 5, which FFTs like."""
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1

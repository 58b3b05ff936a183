"""Blur kernels against their formulas, scipy, and their spectrum."""

import math

import numpy as np
import pytest
from scipy.ndimage import correlate
from scipy.special import j1
from scipy.stats import multivariate_normal

from edgesr.data.kernels import (
    Kernel,
    KernelOptions,
    Spread,
    bessel_j1,
    blur,
    gaussian_kernel,
    generalized_kernel,
    plateau_kernel,
    random_kernel,
    random_sinc,
    sinc_kernel,
)

SKEW = Spread(3.0, 1.0, math.pi / 6)


def _covariance(kernel: Kernel) -> np.ndarray:
    """Second moments over (x, y) = (column, row)."""
    line = np.arange(len(kernel)) - len(kernel) // 2
    y, x = np.meshgrid(line, line, indexing="ij")
    points = np.stack([x.ravel(), y.ravel()])
    return (points * kernel.ravel()) @ points.T


def _gain(kernel: Kernel, frequency: float, angle: float = 0.0) -> float:
    line = np.arange(len(kernel)) - len(kernel) // 2
    y, x = np.meshgrid(line, line, indexing="ij")
    wave = np.cos(frequency * (x * math.cos(angle) + y * math.sin(angle)))
    return float((kernel * wave).sum())


@pytest.mark.parametrize(
    "kernel",
    [
        gaussian_kernel(21, SKEW),
        generalized_kernel(15, SKEW, 0.5),
        plateau_kernel(7, SKEW, 1.7),
        sinc_kernel(13, 2.0),
        sinc_kernel(1, 2.0),
    ],
)
def test_every_kernel_has_sum_1_and_is_point_symmetric(kernel: Kernel) -> None:
    assert kernel.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.allclose(kernel, kernel[::-1, ::-1], atol=1e-15)


def test_a_gaussian_is_the_normal_distribution() -> None:
    line = np.arange(-10, 11)
    y, x = np.meshgrid(line, line, indexing="ij")
    c, s = math.cos(math.pi / 6), math.sin(math.pi / 6)
    turn = np.array([[c, -s], [s, c]])
    covariance = turn @ np.diag([9.0, 1.0]) @ turn.T
    density = multivariate_normal([0, 0], covariance).pdf(np.dstack([x, y]))
    assert np.allclose(gaussian_kernel(21, SKEW), density / density.sum(), atol=1e-12)


def test_the_axes_of_a_kernel_are_those_asked_for() -> None:
    wide, long = np.linalg.eigh(_covariance(gaussian_kernel(31, SKEW)))
    assert wide == pytest.approx([1.0, 9.0], rel=0.01)
    assert abs(math.atan(long[1, 1] / long[0, 1]) - math.pi / 6) < 0.01
    flat = _covariance(gaussian_kernel(21, Spread(2.0, 2.0)))
    assert flat == pytest.approx(np.diag([4.0, 4.0]), rel=1e-2, abs=1e-9)


@pytest.mark.parametrize(("x", "y"), [(2, 1), (0, 0), (-3, 2), (5, -4)])
def test_generalized_and_plateau_kernels_follow_their_formulas(x: int, y: int) -> None:
    c, s = math.cos(SKEW.angle), math.sin(SKEW.angle)
    q = ((x * c + y * s) / 3.0) ** 2 + (y * c - x * s) ** 2
    beta = 1.6
    general, plateau = generalized_kernel(21, SKEW, beta), plateau_kernel(21, SKEW, beta)
    at = (10 + y, 10 + x)
    assert general[at] / general[10, 10] == pytest.approx(math.exp(-0.5 * q**beta))
    assert plateau[at] / plateau[10, 10] == pytest.approx(1 / (1 + q**beta))


def test_beta_1_is_the_gaussian_and_more_is_flatter() -> None:
    round_ = Spread(3.0, 3.0)
    assert np.allclose(generalized_kernel(21, round_, 1.0), gaussian_kernel(21, round_))
    tops = [k[10, 12] / k[10, 10] for k in (generalized_kernel(21, round_, b) for b in (0.5, 1, 4))]
    assert tops == sorted(tops)
    assert tops[2] > 0.98


def test_the_bessel_function_is_scipys() -> None:
    x = np.linspace(0, 70, 2001).reshape(3, -1)
    assert np.abs(bessel_j1(x) - j1(x)).max() < 1e-12


@pytest.mark.parametrize("cutoff", [math.pi / 4, math.pi / 3, math.pi / 2, 2.0])
@pytest.mark.parametrize("angle", [0.0, 0.6, math.pi / 2])
def test_a_sinc_passes_what_is_below_its_cut_off(cutoff: float, angle: float) -> None:
    kernel = sinc_kernel(41, cutoff)
    assert _gain(kernel, 0.7 * cutoff, angle) == pytest.approx(1.0, abs=0.17)
    assert abs(_gain(kernel, min(math.pi, 1.35 * cutoff), angle)) < 0.17
    assert 0.3 < _gain(kernel, cutoff, angle) < 0.7
    assert kernel.min() < 0  # it rings


def test_an_even_side_is_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        gaussian_kernel(8, SKEW)


@pytest.mark.parametrize(("height", "width", "side"), [(37, 52, 21), (5, 64, 9), (30, 30, 51)])
def test_blur_is_scipys_filter_on_a_mirrored_image(height: int, width: int, side: int) -> None:
    rng = np.random.default_rng(0)
    image = (rng.random((height, width, 3)) * 255).astype(np.float32)
    kernel = rng.random((side, side))
    kernel = kernel + kernel[::-1, ::-1]
    kernel /= kernel.sum()
    for channel in range(3):
        want = correlate(image[:, :, channel].astype(np.float64), kernel, mode="mirror")
        assert np.abs(blur(image, kernel)[:, :, channel] - want).max() < 1e-3


def test_random_kernels_come_in_the_shares_of_the_source() -> None:
    """Sinc kernels are the only ones with negative weights; isotropic ones are their transpose."""
    rng, options = np.random.default_rng(1), KernelOptions(sigma=(0.5, 3.0))
    kernels = [random_kernel(rng, options) for _ in range(3000)]
    assert {len(kernel) for kernel in kernels} == set(range(7, 22, 2))
    sinc = np.array([kernel.min() < 0 for kernel in kernels])
    assert sinc.mean() == pytest.approx(0.1, abs=0.02)
    # An anisotropic kernel looks isotropic only where its angle or deviations happen to.
    alike = [np.allclose(k, k.T, atol=1e-9) for k, s in zip(kernels, sinc, strict=True) if not s]
    assert np.mean(alike) == pytest.approx(0.45 + 0.12 + 0.12, abs=0.03)
    one = KernelOptions(sinc=0.0, families=(("plateau", True, 1.0),), sigma=(1.0, 1.0))
    tails = [random_kernel(rng, one) for _ in range(50)]
    assert all(k[len(k) // 2, 0] > 0.005 * k.max() for k in tails if len(k) == 7)


def test_the_last_sinc_has_a_higher_cut_off() -> None:
    rng = np.random.default_rng(2)
    gains = [_gain(random_sinc(rng, (21,)), 0.7 * math.pi / 3) for _ in range(100)]
    assert min(gains) > 0.8

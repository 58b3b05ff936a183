"""PSNR and SSIM against their definitions."""

import math

import numpy as np
import pytest

from edgesr.errors import ImageError
from edgesr.quality.metrics import PROTOCOL, luma, psnr_y, ssim_y


def random_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_luma_is_studio_range_and_not_rounded() -> None:
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [1, 2, 3]]], np.uint8)
    expected = [16.0, 235.0, 16 + 65.481, 16 + (65.481 + 2 * 128.553 + 3 * 24.966) / 255]
    np.testing.assert_allclose(luma(colours)[0], expected, atol=1e-9)


def test_psnr_of_a_constant_difference() -> None:
    hr = np.full((20, 24, 3), 100, np.uint8)
    sr = hr + 10  # 10 steps of grey are 10 * 219 / 255 steps of Y
    expected = 20 * math.log10(255 / (10 * 219 / 255))
    assert psnr_y(sr, hr, 2) == pytest.approx(expected, abs=1e-9)


def test_border_is_left_out() -> None:
    hr = random_image(30, 40)
    sr = hr.copy()
    sr[:3], sr[-3:], sr[:, :3], sr[:, -3:] = 0, 0, 0, 0
    assert psnr_y(sr, hr, 3) == math.inf
    assert ssim_y(sr, hr, 3) == pytest.approx(1.0)
    assert psnr_y(sr, hr, 2) < 40


def test_ssim_is_the_gaussian_valid_form() -> None:
    a, b = random_image(24, 25, 1), random_image(24, 25, 2)
    b = (a // 2 + b // 2).astype(np.uint8)
    x, y = luma(a)[2:-2, 2:-2], luma(b)[2:-2, 2:-2]
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2

    def mean(values: np.ndarray) -> np.ndarray:
        views = np.lib.stride_tricks.sliding_window_view(values, (11, 11))
        return np.einsum("ijkl,kl->ij", views, window)

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ssim = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert ssim_y(a, b, 2) == pytest.approx(float(ssim.mean()), abs=1e-9)


@pytest.mark.parametrize("metric", [psnr_y, ssim_y])
def test_sizes_must_agree(metric: object) -> None:
    with pytest.raises(ImageError, match="20x20 against 20x22"):
        metric(random_image(20, 20), random_image(20, 22), 2)  # type: ignore[operator]


def test_too_small_images_are_refused() -> None:
    with pytest.raises(ImageError, match="too small"):
        psnr_y(random_image(8, 8), random_image(8, 8), 4)
    with pytest.raises(ImageError, match="11x11"):
        ssim_y(random_image(14, 40), random_image(14, 40), 2)


def test_only_rgb_bytes_are_taken() -> None:
    grey = np.zeros((20, 20), np.uint8)
    with pytest.raises(ImageError, match="uint8 H,W,3"):
        psnr_y(grey, grey, 2)


def test_protocol_names_what_tells_figures_apart() -> None:
    assert {"y", "border_crop", "psnr", "ssim", "sr_rounding"} <= set(PROTOCOL)

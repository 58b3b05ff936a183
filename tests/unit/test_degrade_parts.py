"""Parts of the degradations: resizing, noise, JPEG, sharpening."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from torch.nn import functional

from edgesr.data.degrade import jpeg, sharpen_usm
from edgesr.data.degrade_noise import add_gaussian_noise, add_poisson_noise
from edgesr.data.degrade_resize import MODES, Mode, interpolate


def _picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((height, width, 3)) * 255).astype(np.float32)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(17, 23), (90, 71), (40, 50), (6, 7), (1, 1), (41, 49)])
def test_interpolate_is_pytorchs(mode: Mode, size: tuple[int, int]) -> None:
    image = _picture(40, 50)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    want = functional.interpolate(batch, size=size, mode=mode)[0].permute(1, 2, 0).numpy()
    got = interpolate(image, size, mode)
    assert got.dtype == np.float32
    assert got.shape == (*size, 3)
    assert np.abs(got - want).max() < 2e-3


@pytest.mark.parametrize("sigma", [1.0, 12.0, 30.0])
def test_gaussian_noise_has_its_deviation(sigma: float) -> None:
    image = np.full((200, 200, 3), 128, np.float32)
    colour = add_gaussian_noise(image, np.random.default_rng(0), sigma, grey=False) - image
    grey = add_gaussian_noise(image, np.random.default_rng(0), sigma, grey=True) - image
    assert colour.std() == pytest.approx(sigma, rel=0.02)
    assert abs(colour.mean()) < 0.02 * sigma
    assert abs(np.corrcoef(colour[:, :, 0].ravel(), colour[:, :, 1].ravel())[0, 1]) < 0.02
    assert grey.std() == pytest.approx(sigma, rel=0.02)
    assert np.allclose(grey[:, :, 0], grey[:, :, 2], atol=1e-4)


@pytest.mark.parametrize("level", [0, 10, 128, 255])
@pytest.mark.parametrize("strength", [0.05, 1.0, 3.0])
def test_poisson_noise_grows_with_the_root_of_brightness(level: int, strength: float) -> None:
    image = np.full((200, 200, 3), level, np.float32)
    noise = add_poisson_noise(image, np.random.default_rng(0), strength, grey=False) - image
    deviation = strength * 255 * np.sqrt(level / 255 / 256)
    assert noise.std() == pytest.approx(deviation, rel=0.02, abs=1e-6)
    assert abs(noise.mean()) <= 0.02 * deviation


def test_grey_poisson_noise_follows_luma() -> None:
    image = np.zeros((200, 200, 3), np.float32)
    image[:, :, 1] = 200  # luma 0.587 * 200 = 117.4, rounded 117
    noise = add_poisson_noise(image, np.random.default_rng(0), 1.0, grey=True) - image
    assert np.allclose(noise[:, :, 0], noise[:, :, 1], atol=1e-4)
    assert noise.std() == pytest.approx(255 * np.sqrt(117 / 255 / 256), rel=0.02)


def test_jpeg_of_lower_quality_is_further_away() -> None:
    image = _picture(64, 64).astype(np.uint8)
    image[:, :32] = np.arange(64, dtype=np.uint8)[:, None, None] * 3
    errors = [float(np.abs(jpeg(image, q).astype(int) - image).mean()) for q in (95, 60, 30)]
    assert errors == sorted(errors)
    assert errors[0] > 0


def _usm_by_direct_sums(image: np.ndarray) -> np.ndarray:
    line = np.exp(-0.5 * ((np.arange(51) - 25) / 8.0) ** 2)
    line /= line.sum()

    def soft(pixels: np.ndarray) -> np.ndarray:
        rows = correlate1d(pixels, line, axis=0, mode="mirror")
        return correlate1d(rows, line, axis=1, mode="mirror")

    pixels = image / 255.0
    residual = pixels - soft(pixels)
    mask = soft((np.abs(residual) * 255 > 10).astype(float))
    sharp = np.clip(pixels + 0.5 * residual, 0, 1)
    return 255 * (mask * sharp + (1 - mask) * pixels)


def test_sharpening_is_the_published_unsharp_mask() -> None:
    image = np.full((90, 110, 3), 60, np.uint8)
    image[20:60, 30:80] = (200, 130, 66)
    image[70:] = np.random.default_rng(0).integers(0, 256, (20, 110, 3), dtype=np.uint8)
    got = sharpen_usm(image)
    assert np.abs(got.astype(float) - _usm_by_direct_sums(image)).max() <= 0.51
    assert got[40, 79, 0] > 200  # overshoots inside the edge
    assert got.dtype == np.uint8


def test_sharpening_leaves_flat_areas_alone() -> None:
    gentle = np.broadcast_to(np.arange(200, dtype=np.uint8)[:, None, None], (200, 60, 3))
    assert np.array_equal(sharpen_usm(gentle)[60:140], gentle[60:140])

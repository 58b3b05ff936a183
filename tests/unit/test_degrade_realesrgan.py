"""The two-order degradation of Real-ESRGAN."""

from dataclasses import replace

import numpy as np
import pytest

from edgesr.data.degrade import DEGRADATIONS
from edgesr.data.degrade_names import Degrade
from edgesr.data.degrade_realesrgan import X4PLUS, Order, RealEsrgan, degrade_real_esrgan
from edgesr.data.kernels import KernelOptions
from edgesr.data.resize import imresize

STILL = Order(
    blur=0.0, resize=(0, 0, 1), gaussian=1.0, sigma=(0.0, 0.0), quality=(95, 95),
)  # fmt: skip


def _scene(height: int = 96, width: int = 128) -> np.ndarray:
    """A smooth picture with sharp edges."""
    y, x = np.mgrid[:height, :width]
    waves = 128 + 60 * np.sin(x / 9.0) + 40 * np.cos(y / 7.0)
    image = np.stack([waves, 255 - waves, np.full_like(waves, 90)], axis=2)
    image[20:40, 30:70] = (240, 20, 30)
    return np.clip(image, 0, 255).astype(np.uint8)


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def test_names_are_those_of_the_dictionary() -> None:
    assert [name.value for name in Degrade] == list(DEGRADATIONS)


@pytest.mark.parametrize("name", list(DEGRADATIONS))
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (17, 31), (65, 34)])
@pytest.mark.parametrize("scale", [2, 3])
def test_any_size_and_any_memory_layout(name: str, size: tuple[int, int], scale: int) -> None:
    rng = np.random.default_rng(0)
    hr = rng.integers(0, 256, (size[1] * scale, size[0] * scale, 3), dtype=np.uint8)
    hr.flags.writeable = False
    for seed in range(3):
        lr = DEGRADATIONS[name](hr.transpose(1, 0, 2)[:, ::-1], scale, np.random.default_rng(seed))
        assert lr.shape == (*size, 3)
        assert lr.dtype == np.uint8


@pytest.mark.parametrize("name", ["real-esrgan", "lecture-video"])
def test_the_generator_decides_everything(name: str) -> None:
    hr = _scene()
    first, again, other = (
        [DEGRADATIONS[name](hr, 2, np.random.default_rng((seed, k))) for k in range(4)]
        for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert np.array_equal(hr, _scene())


def test_published_constants() -> None:
    first, second = X4PLUS.first, X4PLUS.second
    assert (first.kernels.sigma, second.kernels.sigma) == ((0.2, 3.0), (0.2, 1.5))
    assert (first.factor, second.factor) == ((0.15, 1.5), (0.3, 1.2))
    assert (first.resize, second.resize) == ((0.2, 0.7, 0.1), (0.3, 0.4, 0.3))
    assert (first.sigma, second.sigma) == ((1, 30), (1, 25))
    assert (first.poisson, second.poisson) == ((0.05, 3), (0.05, 2.5))
    assert (first.blur, second.blur, X4PLUS.sinc) == (1.0, 0.8, 0.8)
    shares = [share for _, _, share in first.kernels.families]
    assert shares == [0.45, 0.25, 0.12, 0.03, 0.12, 0.03]


def test_with_nothing_switched_on_only_two_good_jpegs_remain() -> None:
    hr = imresize(_scene(), 2)
    gentle = RealEsrgan(first=STILL, second=STILL, sinc=0.0)
    lr = degrade_real_esrgan(hr, 2, np.random.default_rng(0), gentle)
    assert _psnr(lr, imresize(hr, 1 / 2)) > 27


@pytest.mark.parametrize(
    "change",
    [
        {"blur": 1.0, "kernels": KernelOptions(sinc=0.0, sigma=(3.0, 3.0))},
        {"resize": (0, 1, 0), "factor": (0.2, 0.2001)},
        {"sigma": (30.0, 30.0)},
        {"gaussian": 0.0, "poisson": (3.0, 3.0)},
        {"quality": (30, 30)},
    ],
)
def test_every_part_does_harm_in_either_order(change: dict[str, object]) -> None:
    hr = imresize(_scene(), 2)
    want = imresize(hr, 1 / 2)
    quiet = RealEsrgan(first=STILL, second=STILL, sinc=0.0)
    for order in ("first", "second"):
        worse = replace(quiet, **{order: replace(STILL, **change)})
        before, after = (
            np.mean([_psnr(degrade_real_esrgan(hr, 2, np.random.default_rng(k), o), want)
                     for k in range(8)])
            for o in (quiet, worse)
        )  # fmt: skip
        assert after < before - 0.7, order


def test_nothing_is_shifted() -> None:
    """On average over many draws, the degraded image sits where the plainly shrunk one does."""
    hr = imresize(_scene(), 2)
    mean = np.mean(
        [degrade_real_esrgan(hr, 2, np.random.default_rng(k)).astype(float) for k in range(60)],
        axis=0,
    )[:, :, 1]
    want = imresize(hr, 1 / 2)[:, :, 1].astype(float)
    errors = {
        (dy, dx): np.abs(np.roll(mean, (dy, dx), (0, 1)) - want)[4:-4, 4:-4].mean()
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    }
    assert min(errors, key=errors.__getitem__) == (0, 0)
    assert errors[0, 1] == pytest.approx(errors[0, -1], rel=0.15)
    assert errors[1, 0] == pytest.approx(errors[-1, 0], rel=0.15)


def test_strength_is_that_of_the_method() -> None:
    """Quantiles of a second implementation, written on PyTorch, scipy and the source's own draws.

    400 samples of it gave 22.9, 26.8 and 30.2 dB at 10, 50 and 90 percent.
    """
    hr = imresize(_scene(), 2)
    want = imresize(hr, 1 / 2)
    values = [_psnr(degrade_real_esrgan(hr, 2, np.random.default_rng(k)), want) for k in range(100)]
    low, median, high = np.percentile(values, [10, 50, 90])
    assert low == pytest.approx(22.9, abs=1.0)
    assert median == pytest.approx(26.8, abs=0.8)
    assert high == pytest.approx(30.2, abs=1.0)


def test_a_plain_slide_survives() -> None:
    """With Poisson noise whose peak is the number of colours, as in the source, it would not."""
    white = np.full((160, 160, 3), 255, np.uint8)
    values = [degrade_real_esrgan(white, 2, np.random.default_rng(k)).mean() for k in range(40)]
    assert min(values) > 225

"""Augmentation: both patches alike, nothing lost, every variant reached."""

import numpy as np
import pytest

from edgesr.data.augment import augment, cutblur
from edgesr.data.degrade import degrade_real
from edgesr.data.resize import imresize


def _pair(height: int = 8, width: int = 8, scale: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """The small patch is every s-th pixel of the large one, so that places can be compared."""
    hr = np.random.default_rng(0).integers(
        0, 256, (height * scale, width * scale, 3), dtype=np.uint8
    )
    return hr.reshape(height, scale, width, scale, 3)[:, 0, :, 0], hr


def _blocks(hr: np.ndarray, lr: np.ndarray) -> np.ndarray:
    """Where each small pixel's value lies in its block of the large image: any of s x s."""
    h, w = lr.shape[:2]
    s = hr.shape[0] // h
    return (hr.reshape(h, s, w, s, 3) == lr[:, None, :, None]).all(axis=-1).any(axis=(1, 3))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_both_patches_are_laid_alike(scale: int) -> None:
    lr, hr = _pair(scale=scale)
    for seed in range(40):
        small, large = augment(np.random.default_rng(seed), lr, hr)
        assert _blocks(large, small).all()


def test_all_48_variants_are_equally_likely() -> None:
    lr, hr = _pair(4, 4)
    rng = np.random.default_rng(0)
    counts: dict[bytes, int] = {}
    for _ in range(4800):
        key = augment(rng, lr, hr)[1].tobytes()
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 48
    assert 60 < min(counts.values()) <= max(counts.values()) < 145


def test_a_wide_patch_keeps_its_shape() -> None:
    lr, hr = _pair(4, 6)
    shapes = {augment(np.random.default_rng(k), lr, hr)[0].shape for k in range(20)}
    assert shapes == {(4, 6, 3)}


def test_arguments_stay_and_draws_repeat() -> None:
    lr, hr = _pair(40, 40)
    kept = lr.copy(), hr.copy()
    for function in (augment, lambda rng, a, b: cutblur(rng, a, b, 1.0)):
        one, two = (function(np.random.default_rng(4), lr, hr) for _ in range(2))
        assert np.array_equal(one[0], two[0])
        assert np.array_equal(one[1], two[1])
    assert np.array_equal(lr, kept[0])
    assert np.array_equal(hr, kept[1])


def _smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    waves = 128 + 90 * np.sin(x / 2.5) * np.cos(y / 3.0)
    return np.stack([waves, 255 - waves, waves], axis=2).astype(np.uint8)


def test_a_degraded_patch_exchanges_a_rectangle_with_a_clean_one() -> None:
    hr = _smooth(128, 160)
    lr = degrade_real(hr, 2, np.random.default_rng(0))
    clean = imresize(hr, 1 / 2)
    differ = (lr != clean).any(axis=2)
    kinds = set()
    for seed in range(30):
        mixed, target = cutblur(np.random.default_rng(seed), lr, hr, 1.0)
        assert target is hr
        from_clean, from_lr = ((mixed == other).all(axis=2) for other in (clean, lr))
        assert (from_clean | from_lr).all()
        clean_inside = bool(from_lr[[0, 0, -1, -1], [0, -1, 0, -1]].sum() >= 2)
        rows, columns = np.nonzero(differ & (from_clean if clean_inside else from_lr))
        assert np.ptp(rows) + 1 == pytest.approx(0.7 * 64, abs=3)
        assert np.ptp(columns) + 1 == pytest.approx(0.7 * 80, abs=3)
        kinds.add(clean_inside)
    assert kinds == {True, False}


def test_a_plainly_shrunk_patch_gets_a_blurred_rectangle() -> None:
    hr = _smooth(96, 96)
    lr = imresize(hr, 1 / 2)
    soft = imresize(imresize(lr, 1 / 2), 2)
    mixed, _ = cutblur(np.random.default_rng(1), lr, hr, 1.0)
    changed = (mixed != lr).any(axis=2)
    rows, columns = np.nonzero(changed)
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert np.array_equal(mixed[box], soft[box])
    assert 0.4 < changed.mean() < 0.55  # 0.7 squared is 0.49
    assert mixed[box].astype(float).std() < lr[box].astype(float).std()


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 23)])
def test_cutblur_takes_any_size(scale: int, size: tuple[int, int]) -> None:
    hr = _smooth(size[0] * scale, size[1] * scale)
    for seed in range(5):
        mixed, _ = cutblur(np.random.default_rng(seed), imresize(hr, 1 / scale), hr, 1.0)
        assert mixed.shape == (*size, 3)


def test_cutblur_comes_with_its_probability() -> None:
    hr = _smooth(64, 64)
    lr = imresize(hr, 1 / 2)
    rng = np.random.default_rng(0)
    share = np.mean([cutblur(rng, lr, hr, 0.3)[0] is not lr for _ in range(1000)])
    assert share == pytest.approx(0.3, abs=0.05)
    assert cutblur(rng, lr, hr, 0.0)[0] is lr

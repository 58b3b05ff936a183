"""Figures of single pictures -> what a record says about all of them."""

import math

import pytest

from edgesr.bench.scores import PictureScore, quality_part
from edgesr.results.records import Accuracy


def scored(*psnrs: float) -> Accuracy:
    pictures = [PictureScore(f"slide-{n}", psnr, 0.9 + n / 100) for n, psnr in enumerate(psnrs)]
    return Accuracy(images=len(pictures), protocol="y", **quality_part(pictures))


def test_means_carry_intervals_over_the_pictures() -> None:
    found = scored(30, 32, 31, 35, 33)
    psnr, ssim = found.psnr_y_interval, found.ssim_y_interval
    assert psnr is not None
    assert ssim is not None
    assert psnr.low is not None
    assert psnr.high is not None
    assert found.psnr_y == pytest.approx(psnr.mean) == pytest.approx(32.2)
    assert 30 < psnr.low < 32.2 < psnr.high < 35
    assert (psnr.n, ssim.n) == (5, 5)
    assert ssim.mean == pytest.approx(0.92)
    assert scored(30, 32, 31, 35, 33) == found  # the same pictures, the same interval


def test_identical_pictures_have_no_psnr_and_do_not_count_in_its_interval() -> None:
    found = scored(30, math.inf, 34)
    assert (found.psnr_y, found.psnr_y_interval and found.psnr_y_interval.n) == (32, 2)
    assert found.ssim_y_interval is not None
    assert found.ssim_y_interval.n == 3
    perfect = scored(math.inf, math.inf)
    assert (perfect.psnr_y, perfect.psnr_y_interval) == (None, None)
    assert perfect.ssim_y_interval is not None


def test_one_picture_tells_no_interval() -> None:
    found = scored(30)
    assert found.psnr_y == 30
    assert "psnr_y_interval" not in found.model_dump(exclude_unset=True)
    assert "ssim_y_interval" not in found.model_dump(exclude_unset=True)

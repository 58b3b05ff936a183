"""The lecture video: real codecs, the same bytes everywhere; and what is drawn on slides."""

import multiprocessing

import numpy as np
import pytest

from edgesr.data import degrade_codec
from edgesr.data.degrade import DEGRADATIONS
from edgesr.data.degrade_codec import Codec, CodecOptions, Matrix, recode
from edgesr.data.degrade_overlay import lecture_overlay
from edgesr.data.degrade_video import LectureVideo, degrade_lecture_video
from edgesr.data.resize import imresize
from edgesr.data.slides import render_slide
from edgesr.errors import ConfigError


@pytest.fixture(scope="module")
def slide() -> np.ndarray:
    return render_slide(3, 1).image


@pytest.fixture(scope="module")
def small(slide: np.ndarray) -> np.ndarray:
    return imresize(slide[60:316, 60:444], 1 / 2)


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_less_bitrate_is_worse(codec: Codec, small: np.ndarray) -> None:
    values = [_psnr(recode([small] * 3, CodecOptions(codec, crf)), small) for crf in (16, 26, 36)]
    assert values[0] > values[1] + 2 > values[2] + 4
    assert values[0] > 30


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_the_last_frame_is_predicted_from_those_before(codec: Codec, small: np.ndarray) -> None:
    """What was there before leaves a trace; coded alone, the frame would not know of it."""
    options = CodecOptions(codec, 34)
    alone = recode([small], options)
    scrolled = np.roll(small, (2, 1), (0, 1))
    after = [recode([before, small], options) for before in (scrolled, small // 2 + 90)]
    assert not np.array_equal(after[0], alone)
    assert not np.array_equal(after[1], alone)
    assert not np.array_equal(after[0], after[1])
    assert all(_psnr(image, small) > 18 for image in after)


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize(
    "colour", [(255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 0, 255), (20, 130, 70)]
)
def test_flat_colours_come_back(matrix: Matrix, colour: tuple[int, int, int]) -> None:
    flat = np.broadcast_to(np.array(colour, np.uint8), (70, 91, 3))
    out = recode([flat], CodecOptions("h264", 10, matrix)).astype(int)
    assert out.shape == flat.shape
    assert np.abs(out - flat).max() <= 4


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_luma_is_of_limited_range_and_the_standards(matrix: Matrix) -> None:
    shares = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722)}[matrix]
    for channel in range(3):
        pure = np.zeros((4, 4, 3), np.uint8)
        pure[:, :, channel] = 255
        planes = degrade_codec.to_yuv420(pure, matrix)
        assert planes.shape == (6, 4)
        assert abs(float(planes[0, 0]) - (16 + 219 * shares[channel])) <= 0.5
    white = degrade_codec.to_yuv420(np.full((4, 4, 3), 255, np.uint8), matrix)
    assert set(white[:4].ravel()) == {235}
    assert set(white[4:].ravel()) == {128}


def test_colour_is_halved() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (255, 0, 0), (0, 0, 255)
    out = recode([stripes], CodecOptions("h264", 4)).astype(int)
    assert abs(out[:, ::2, 0].mean() - out[:, 1::2, 0].mean()) < 60  # was 255 apart
    assert out[:, :, 2].std() < 60


def _in_a_worker(image: np.ndarray) -> list[bytes]:
    return [
        degrade_lecture_video(image, 2, np.random.default_rng(seed)).tobytes() for seed in range(6)
    ]


def test_the_same_bytes_in_this_process_and_in_others(slide: np.ndarray) -> None:
    crop = slide[:192, :256]
    here = _in_a_worker(crop)
    assert here == _in_a_worker(crop)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_in_a_worker, (crop,)) == here


def test_a_lecture_stays_readable_and_in_place(slide: np.ndarray) -> None:
    crop = slide[60:316, 60:444]
    want = imresize(crop, 1 / 2)
    made = [degrade_lecture_video(crop, 2, np.random.default_rng(k)) for k in range(20)]
    values = [_psnr(lr, want) for lr in made]
    assert 22 < np.median(values) < 36
    assert min(values) > 17
    mean = np.mean(made, axis=0)
    shifted = [_psnr(np.roll(mean, by, (0, 1)), want) for by in ((0, 1), (1, 0), (0, -1), (-1, 0))]
    assert _psnr(mean, want) > max(shifted) + 3


@pytest.mark.parametrize(("moving", "fading"), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)])
@pytest.mark.parametrize("frames", [1, 4])
def test_every_clip_ends_with_the_slide(moving: float, fading: float, frames: int,
                                        small: np.ndarray) -> None:  # fmt: skip
    options = LectureVideo(
        rescaled=0.0, blurred=0.0, moving=moving, fading=fading, frames=(frames, frames),
        crf_h264=(12, 12), crf_h265=(12, 12),
    )  # fmt: skip
    hr = imresize(small, 2)
    out = degrade_lecture_video(hr, 2, np.random.default_rng(5), options)
    assert _psnr(out, imresize(hr, 1 / 2)) > 30


def test_a_missing_encoder_is_named(monkeypatch: pytest.MonkeyPatch, small: np.ndarray) -> None:
    name, reader, settings = degrade_codec._SETTINGS["h265"]
    monkeypatch.setitem(degrade_codec._SETTINGS, "h265", (name + "-none", reader, settings))
    with pytest.raises(ConfigError, match=r"libx265-none .* is not there") as caught:
        recode([small], CodecOptions("h265"))
    assert "pip install" in caught.value.hint
    monkeypatch.setitem(degrade_codec._SETTINGS, "h264", ("libx264", reader, {"preset": "none"}))
    with pytest.raises(ConfigError, match=r"libx264 .* fails"):
        recode([small], CodecOptions("h264"))


def test_overlays_are_drawn_by_chance_and_leave_the_slide_alone(slide: np.ndarray) -> None:
    before = slide.copy()
    drawn = [lecture_overlay(slide, np.random.default_rng(k)) for k in range(40)]
    assert np.array_equal(slide, before)
    assert all(image.shape == slide.shape and image.dtype == np.uint8 for image in drawn)
    changed = [float(np.any(image != slide, axis=2).mean()) for image in drawn]
    share = np.mean([part > 0 for part in changed])
    assert 0.75 < share < 1.0  # 1 - 0.5 * 0.6 * 0.4 = 0.88
    assert max(changed) < 0.15
    assert np.array_equal(drawn[3], lecture_overlay(slide, np.random.default_rng(3)))


@pytest.mark.parametrize("size", [(40, 30), (300, 90), (16, 400)])
def test_overlays_fit_small_and_narrow_images(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    for seed in range(12):
        assert lecture_overlay(image, np.random.default_rng(seed)).shape == image.shape


def test_an_overlay_is_in_both_images(slide: np.ndarray) -> None:
    """Drawn before the small image is made, the pair still shows one scene."""
    rng = np.random.default_rng(1)
    hr = lecture_overlay(slide, rng)
    assert not np.array_equal(hr, slide)
    lr = DEGRADATIONS["lecture-video"](hr, 2, rng)
    assert _psnr(lr, imresize(hr, 1 / 2)) > _psnr(lr, imresize(slide, 1 / 2))

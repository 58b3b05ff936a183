"""Tiles: what is covered, what is kept, and that no seam shows."""

import numpy as np
import pytest

from edgesr.quality.receptive import Window, radius
from edgesr.quality.tiling import Tiling, clamp_overlap, plan_axis, upscale_tiled

SCALE = 2


@pytest.mark.parametrize("size", [1, 7, 15, 16, 17, 31, 100])
@pytest.mark.parametrize(("tile", "overlap"), [(16, 0), (16, 3), (16, 6), (16, 40), (1, 5), (2, 1)])
def test_an_axis_is_covered_once_with_context(size: int, tile: int, overlap: int) -> None:
    spans = plan_axis(size, tile, overlap)
    kept = [position for span in spans for position in range(span.keep_from, span.keep_to)]
    assert kept == list(range(size))
    context = clamp_overlap(tile, overlap)
    for span in spans:
        stop = span.start + tile
        assert (span.start >= 0 and stop <= size) or (
            size < tile and 0 in (span.start, stop - size)
        )
        if size >= tile:
            assert span.keep_from - span.start >= context or span.keep_from == 0
            assert stop - span.keep_to >= context or span.keep_to == size


def blur_and_repeat(tile: np.ndarray) -> np.ndarray:
    """A network of radius 2 with zero padding, then nearest x2."""
    padded = np.pad(tile.astype(np.int64), ((2, 2), (2, 2), (0, 0)))
    height, width = tile.shape[:2]
    total = sum(padded[i : i + height, j : j + width] for i in range(5) for j in range(5))
    small = (total // 25).astype(np.uint8)
    return small.repeat(SCALE, 0).repeat(SCALE, 1)


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("shape", [(12, 16), (13, 16), (50, 41), (24, 33), (7, 40), (5, 4)])
def test_tiles_leave_no_seam(shape: tuple[int, int], *, fixed: bool) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    tiled = upscale_tiled(image, Tiling(12, 16, 2, fixed=fixed), SCALE, blur_and_repeat)
    np.testing.assert_array_equal(tiled, blur_and_repeat(image))


def test_less_overlap_than_the_radius_shows() -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 41, 3), dtype=np.uint8)
    tiled = upscale_tiled(image, Tiling(12, 16, 1, fixed=True), SCALE, blur_and_repeat)
    assert (tiled != blur_and_repeat(image)).any()


def test_an_image_of_less_than_two_radii_is_wrong_only_around_its_middle() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 40, 3), dtype=np.uint8)
    tiled = upscale_tiled(image, Tiling(12, 16, 2, fixed=True), SCALE, blur_and_repeat)
    whole = blur_and_repeat(image)
    assert tiled.shape == whole.shape
    np.testing.assert_array_equal(tiled[:2], whole[:2])
    assert (tiled != whole).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (2, 3)])
def test_the_smallest_images_keep_their_size(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    tiled = upscale_tiled(image, Tiling(12, 16, 2, fixed=True), SCALE, blur_and_repeat)
    assert tiled.shape == (shape[0] * SCALE, shape[1] * SCALE, 3)


def test_tiling_tells_whether_it_is_exact() -> None:
    assert Tiling(16, 16, 6, fixed=True).fits()
    assert not Tiling(16, 16, 7, fixed=True).fits()


def test_radius_adds_up_kernels_dilations_and_strides() -> None:
    assert radius([Window(5), Window(), Window(3)]) == 3
    assert radius([Window(3, dilation=4)]) == 4
    assert radius([Window(3, stride=2), Window(3)]) == 3
    assert radius([Window(3), None]) is None

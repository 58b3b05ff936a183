"""MATLAB's imresize, against a slow reference and against files made by MATLAB."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgesr.data.images import crop_to_multiple, read_image
from edgesr.data.resize import imresize, imresize_float


def _kernel(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def _slow(line: NDArray[np.uint8], scale: float) -> list[int]:
    """One line, written after the definition: 1-based, mirrored, every source pixel looked at."""
    shrink = min(scale, 1.0)
    length = len(line)
    out = []
    for position in range(1, math.ceil(length * scale) + 1):
        centre = position / scale + 0.5 * (1 - 1 / scale)
        near = range(math.floor(centre - 2 / shrink) - 1, math.ceil(centre + 2 / shrink) + 2)
        weights = [_kernel(shrink * (centre - source)) for source in near]
        mirror = [*range(length), *reversed(range(length))]
        values = [int(line[mirror[(source - 1) % (2 * length)]]) for source in near]
        value = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
        out.append(min(255, max(0, math.floor(value + 0.5))))
    return out


@pytest.mark.parametrize("scale", [1 / 2, 1 / 4, 2, 4])  # weights are exact, so no rounding luck
def test_equals_the_definition_row_pass_first(scale: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (12, 20, 1), dtype=np.uint8)
    rows = np.array([_slow(image[:, x, 0], scale) for x in range(20)], np.uint8).T
    both = np.array([_slow(line, scale) for line in rows], np.uint8)
    assert np.array_equal(imresize(image, scale)[..., 0], both)


@pytest.mark.parametrize(
    ("shape", "scale", "expected"),
    [((7, 9, 3), 1 / 3, (3, 3, 3)), ((720, 1280, 3), 1 / 2, (360, 640, 3)),
     ((5, 3, 1), 3, (15, 9, 1)), ((1, 1, 3), 2, (2, 2, 3)), ((2, 2, 3), 1 / 4, (1, 1, 3))],
)  # fmt: skip
def test_size_is_rounded_up(
    shape: tuple[int, ...], scale: float, expected: tuple[int, ...]
) -> None:
    assert imresize(np.full(shape, 77, np.uint8), scale).shape == expected


@pytest.mark.parametrize("value", [0, 1, 128, 255])
@pytest.mark.parametrize("scale", [1 / 4, 1 / 3, 1 / 2, 1, 2, 3])
def test_a_flat_image_stays_flat(value: int, scale: float) -> None:
    assert np.all(imresize(np.full((10, 11, 3), value, np.uint8), scale) == value)


def test_overshoot_is_clipped_only_by_the_uint8_form() -> None:
    edge = np.zeros((8, 8, 1), np.uint8)
    edge[:, 4:] = 255
    exact = imresize_float(edge, 2)
    assert exact.max() > 255
    assert exact.min() < 0
    assert imresize(edge, 2).max() == 255


@pytest.mark.parametrize(
    ("image", "scale"),
    [(np.zeros((4, 4, 3)), 2), (np.zeros((4, 4), np.uint8), 2), (np.zeros((0, 4, 3), np.uint8), 2),
     (np.zeros((4, 4, 3), np.uint8), 0), (np.zeros((4, 4, 3), np.uint8), float("nan"))],
)  # fmt: skip
def test_refuses_what_it_cannot_resize(image: NDArray[np.uint8], scale: float) -> None:
    with pytest.raises(ValueError, match=r"imresize takes|scale must be"):
        imresize(image, scale)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_no_pixel_differs_from_matlab(shared: Path, scale: int) -> None:
    for path in sorted((shared / "Set5" / "HR").glob("*.png")):
        truth = read_image(shared / "Set5" / f"LRbicx{scale}" / f"{path.stem}x{scale}.png")
        made = imresize(crop_to_multiple(read_image(path), scale), 1 / scale)
        assert np.array_equal(made, truth), path.name


@pytest.mark.parametrize(("scale", "expected"), [(2, 33.682), (3, 30.405), (4, 28.431)])
def test_bicubic_scores_what_papers_print(shared: Path, scale: int, expected: float) -> None:
    scores = []
    for path in sorted((shared / "Set5" / "HR").glob("*.png")):
        hr = crop_to_multiple(read_image(path), scale)
        difference = imresize_float(imresize(hr, 1 / scale), scale) - hr
        luma = difference @ np.array([65.481, 128.553, 24.966]) / 255
        inner = luma[scale:-scale, scale:-scale]
        scores.append(10 * math.log10(255**2 / np.mean(inner**2)))
    assert np.mean(scores) == pytest.approx(expected, abs=0.002)

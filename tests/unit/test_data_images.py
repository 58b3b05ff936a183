"""Reading images of every kind, and refusing what is none."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgesr.data.images import crop_to_multiple, read_image, write_png
from edgesr.errors import ImageError, StoreError


def _pattern(height: int = 12, width: int = 18) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_png_comes_back_as_written(tmp_path: Path) -> None:
    write_png(tmp_path / "deep" / "a.png", _pattern())
    assert np.array_equal(read_image(tmp_path / "deep" / "a.png"), _pattern())


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif"])
def test_every_common_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(_pattern()).save(path)
    image = read_image(path)
    assert image.shape == (12, 18, 3)
    assert image.dtype == np.uint8


def test_grey_palette_and_16_bit_become_rgb(tmp_path: Path) -> None:
    grey = np.arange(0, 250, 10, dtype=np.uint8).reshape(5, 5)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for name in ("grey", "palette", "deep"):
        image = read_image(tmp_path / f"{name}.png")
        assert np.array_equal(image, np.repeat(grey[..., None], 3, axis=2)), name


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[0, 0] = (10, 20, 30, 255)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image[0, 0].tolist() == [10, 20, 30]
    assert image[3, 3].tolist() == [255, 255, 255]


def test_camera_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    Image.fromarray(_pattern()).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (18, 12, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an image"),
        (b"hello, world", "not an image"),
        (b"\x89PNG\r\n\x1a\n", "a.png"),
    ],
)
def test_no_image(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=message) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif"])
def test_truncated_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    whole = io.BytesIO()
    Image.fromarray(_pattern(64, 64)).save(
        whole, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix)
    )
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(ImageError, match=f"a.{suffix}"):
        read_image(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        read_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)


def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_png(tmp_path / "a.png", _pattern())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageError, match="too large"):
        read_image(tmp_path / "a.png")


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        write_png(tmp_path / "file" / "a.png", _pattern())


def test_crop_to_multiple() -> None:
    assert crop_to_multiple(_pattern(13, 20), 3).shape == (12, 18, 3)
    assert crop_to_multiple(_pattern(2, 20), 3).size == 0

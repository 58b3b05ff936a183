"""Images from HDF5 files, in every layout that repositories write."""

import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from edgesr.data.sources import Source, open_source
from edgesr.errors import ImageError, InputError, PairsError

_LR = np.random.default_rng(1).integers(0, 256, (12, 10, 14, 3), dtype=np.uint8)
_HR = np.random.default_rng(2).integers(0, 256, (12, 20, 28, 3), dtype=np.uint8)


def _write(path: Path, lr: Any, hr: Any) -> str:
    """Writes arrays, or groups of "0", "1" ... from lists."""
    with h5py.File(path, "w") as file:
        for part, images in (("lr", lr), ("hr", hr)):
            if isinstance(images, list):
                group = file.create_group(part)
                for number, image in enumerate(images):
                    group.create_dataset(str(number), data=image)
            else:
                file.create_dataset(part, data=images)
    return str(path)


def _first(images: np.ndarray) -> np.ndarray:
    """Channels before height and width."""
    return np.moveaxis(images, -1, -3)


LAYOUTS = {
    "ELSR-torch: N, 3, H, W floats to 255": lambda a: _first(a).astype(np.float32),
    "N, 3, H, W bytes": _first,
    "N, H, W, 3 bytes": lambda a: a,
    "N, 3, H, W floats to 1": lambda a: (_first(a) / 255).astype(np.float32),
    "groups of H, W, 3 doubles to 255": lambda a: list(a.astype(np.float64)),
    "groups of 3, H, W halves to 1": lambda a: list((_first(a) / 255).astype(np.float16)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_images(tmp_path: Path, layout: str) -> None:
    source = open_source(_write(tmp_path / "x.h5", LAYOUTS[layout](_LR), LAYOUTS[layout](_HR)), 2)
    assert len(source) == 12
    for index in range(12):  # groups sort as 0, 1, 10, 11, 2
        scene = source[index]
        assert scene.lr is not None
        assert scene.hr.dtype == scene.lr.dtype == np.uint8
        assert np.array_equal(scene.hr, _HR[index])
        assert np.array_equal(scene.lr, _LR[index])
    assert len({source[index].name for index in range(12)}) == 12
    assert source.label(3) == f"{tmp_path / 'x.h5'}, image 3"
    with pytest.raises(IndexError):
        source[12]


def test_images_of_a_group_may_differ_in_size(tmp_path: Path) -> None:
    hr = [np.full((3, 4 * n, 8), n, np.uint8) for n in range(1, 4)]
    source = open_source(_write(tmp_path / "x.hdf5", [image[:, ::2, ::2] for image in hr], hr), 2)
    assert [source[i].hr.shape for i in range(3)] == [(4, 8, 3), (8, 8, 3), (12, 8, 3)]


def test_floats_beyond_their_range_are_clipped(tmp_path: Path) -> None:
    hr = np.full((1, 3, 4, 4), 0.5, np.float32)
    hr[0, :, 0, 0], hr[0, :, 0, 1] = 1.25, -0.25  # bicubic overshoots
    source = open_source(_write(tmp_path / "x.h5", hr[..., ::2, ::2], hr), 2)
    assert source[0].hr[0, :3, 0].tolist() == [255, 0, 128]


def test_dark_images_of_floats_to_255_stay_dark(tmp_path: Path) -> None:
    hr = np.zeros((20, 3, 4, 4), np.float32)
    hr[19] = 200
    source = open_source(_write(tmp_path / "x.h5", hr[..., ::2, ::2], hr), 2)
    assert source[19].hr.max() == 200
    assert source[0].hr.max() == 0


@pytest.mark.parametrize(
    ("lr", "hr", "said"),
    [
        (_LR[..., 0], _HR[..., 0], "brightness alone"),  # FSRCNN-pytorch, training
        (list(_LR[..., 0]), list(_HR[..., 0]), "brightness alone"),  # and evaluation
        (_LR[..., :1], _HR[..., :1], "brightness alone"),
        (_LR[..., :2], _HR[..., :2], "no RGB image"),
        (_first(_LR).astype(np.int32), _first(_HR).astype(np.int32), "holds int32"),
        (np.zeros(5), np.zeros(5), "no array of images"),
    ],
)
def test_layouts_that_are_no_rgb(tmp_path: Path, lr: Any, hr: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        open_source(_write(tmp_path / "x.h5", lr, hr), 2)


def test_pairs_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with pytest.raises(PairsError, match="28x20 is not 4 times its low-res image of 14x10"):
        open_source(_write(path, _LR, _HR), 4)
    with pytest.raises(PairsError, match="11 low-res and 12 high-res"):
        open_source(_write(path, _LR[:11], _HR), 2)
    with pytest.raises(PairsError, match="0 low-res"):
        open_source(_write(path, _LR[:0], _HR[:0]), 2)
    with pytest.raises(PairsError, match="not hold the same"):
        open_source(_write(path, list(_LR)[:11], list(_HR)), 2)
    with pytest.raises(PairsError, match="not hold the same"):
        open_source(_write(path, _LR, list(_HR)), 2)


def test_files_that_are_no_pairs(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["data"] = file["label"] = _LR
    with pytest.raises(InputError, match="no lr and no hr; it holds data, label"):
        open_source(str(path), 2)
    path.write_text("hello")
    with pytest.raises(ImageError, match="no HDF5 file"):
        open_source(str(path), 2)
    with pytest.raises(InputError, match="does not exist"):
        open_source(str(tmp_path / "none.h5"), 2)


def test_damage_within_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        for part, images in (("lr", _LR), ("hr", _HR)):
            chunks = (1, *images.shape[1:])
            file.create_dataset(part, data=images, chunks=chunks, fletcher32=True)
            place = file[part].id.get_chunk_info(7).byte_offset
    data = bytearray(path.read_bytes())
    data[place + 5] ^= 255
    path.write_bytes(data)
    source = open_source(str(path), 2)
    assert np.array_equal(source[6].hr, _HR[6])
    with pytest.raises(ImageError, match=r"x\.h5, image 7 can't be read"):
        source[7]
    floats = _first(_HR).astype(np.float32)
    floats[1, 0, 0, 0] = np.nan
    source = open_source(_write(path, _first(_LR).astype(np.float32), floats), 2)
    with pytest.raises(ImageError, match="image 1 holds values that are no numbers"):
        source[1]


def test_a_digest_follows_the_content(tmp_path: Path) -> None:
    text = _write(tmp_path / "x.h5", _LR, _HR)
    source = open_source(text, 2)
    before = source.digest()
    moved = (tmp_path / "x.h5").rename(tmp_path / "y.h5")
    assert open_source(str(moved), 2).digest() == before
    changed = _HR.copy()
    changed[5, 3, 3, 0] ^= 1  # same size
    assert open_source(_write(tmp_path / "x.h5", _LR, changed), 2).digest() != before


def _sum(source: Source) -> int:
    return sum(int(source[index].hr.sum()) for index in range(len(source)))


def test_workers_read_it_too(tmp_path: Path) -> None:
    source = open_source(_write(tmp_path / "x.h5", _LR, _HR), 2)
    expected = int(_HR.astype(np.int64).sum())
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301
    assert _sum(source) == _sum(copy) == expected
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_sum, [source] * 4) == [expected] * 4

"""Datasets of Hugging Face, from local folders: nothing is fetched here."""

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesr.data.images import write_png
from edgesr.data.sources import open_source
from edgesr.errors import ImageError, InputError, MissingExtraError

datasets = pytest.importorskip("datasets")


def _picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (24, 36, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, and caches of its own."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    for name in ("HF_DATASETS_CACHE", "HF_MODULES_CACHE"):
        monkeypatch.setattr(datasets.config, name, str(tmp_path / "cache" / name))


@pytest.fixture
def table(tmp_path: Path) -> Any:
    """Three images inside a dataset, its column of images not the first."""
    files = []
    for seed in range(3):
        write_png(tmp_path / f"in/{seed}.png", _picture(seed))
        files.append({"bytes": (tmp_path / f"in/{seed}.png").read_bytes(), "path": None})
    features = datasets.Features(
        {"label": datasets.Value("string"), "photo": datasets.Image(), "other": datasets.Image()}
    )
    return datasets.Dataset.from_dict(
        {"label": ["a", "b", "c"], "photo": files, "other": files[::-1]}, features=features
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The layout that ``imagefolder`` reads."""
    for split, seeds in (("train", (0, 1)), ("test", (2,))):
        for seed in seeds:
            write_png(tmp_path / "ph:otos" / split / f"{seed}.png", _picture(seed))
    return tmp_path / "ph:otos"


def test_a_saved_dataset(table: Any, tmp_path: Path) -> None:
    table.save_to_disk(str(tmp_path / "saved"))
    text = f"hub:{tmp_path / 'saved'}"
    source = open_source(text, 2)
    assert (len(source), source.name, source.label(2)) == (3, text, f"{text}, row 2")
    for copy in (source, pickle.loads(pickle.dumps(source))):  # noqa: S301
        for index in range(3):
            scene = copy[index]
            assert np.array_equal(scene.hr, _picture(index))
            assert (scene.name, scene.lr) == (f"row-{index:06d}", None)
    with pytest.raises(InputError, match="has no splits"):
        open_source(f"{text}:train", 2)


def test_splits_of_a_saved_dataset(table: Any, tmp_path: Path) -> None:
    both = datasets.DatasetDict({"test": table.select([2]), "train": table.select([0, 1])})
    both.save_to_disk(str(tmp_path / "saved"))
    text = f"hub:{tmp_path / 'saved'}"
    assert [len(open_source(f"{text}{split}", 2)) for split in ("", ":train", ":test")] == [2, 2, 1]
    assert np.array_equal(open_source(f"{text}:test", 2)[0].hr, _picture(2))
    with pytest.raises(InputError, match="no split 'val'; there are test, train"):
        open_source(f"{text}:val", 2)
    datasets.DatasetDict({"only": table}).save_to_disk(str(tmp_path / "one"))
    assert len(open_source(f"hub:{tmp_path / 'one'}", 2)) == 3


def test_a_folder_of_images(folder: Path) -> None:
    source = open_source(f"hub:{folder}", 2)
    assert len(source) == 2
    assert np.array_equal(source[1].hr, _picture(1))
    assert np.array_equal(open_source(f"hub:{folder}:test", 2)[0].hr, _picture(2))
    assert len(open_source(f"hub:{folder}:train[:1]", 2)) == 1
    with pytest.raises(InputError, match=r"can't be loaded: .*val"):
        open_source(f"hub:{folder}:val", 2)


def test_images_are_read_as_everywhere(tmp_path: Path) -> None:
    from PIL import Image

    clear = Image.new("RGBA", (8, 6), (255, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    cell = {"bytes": (tmp_path / "clear.png").read_bytes(), "path": None}
    features = datasets.Features({"image": datasets.Image()})
    rows = datasets.Dataset.from_dict({"image": [cell]}, features=features)
    rows.save_to_disk(str(tmp_path / "saved"))
    assert (open_source(f"hub:{tmp_path / 'saved'}", 2)[0].hr == 255).all()  # laid on white


def test_damaged_and_missing_images_are_named(folder: Path, tmp_path: Path) -> None:
    rows = datasets.Dataset.from_dict(
        {"image": [{"bytes": b"hello", "path": None}, None]},
        features=datasets.Features({"image": datasets.Image()}),
    )
    rows.save_to_disk(str(tmp_path / "saved"))
    source = open_source(f"hub:{tmp_path / 'saved'}", 2)
    with pytest.raises(ImageError, match="saved, row 0 is not an image"):
        source[0]
    with pytest.raises(ImageError, match="saved, row 1 holds no image"):
        source[1]
    source = open_source(f"hub:{folder}", 2)
    (folder / "train" / "1.png").unlink()
    with pytest.raises(ImageError, match=r"train/1\.png does not exist"):
        source[1]


def test_datasets_without_images(table: Any, folder: Path, tmp_path: Path) -> None:
    table.remove_columns(["photo", "other"]).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(InputError, match="no column of images; there are label"):
        open_source(f"hub:{tmp_path / 'saved'}", 2)
    with pytest.raises(InputError, match="no data"):
        open_source(f"hub:{folder}:train[:0]", 2)
    (tmp_path / "empty").mkdir()
    table.select([]).to_parquet(tmp_path / "empty" / "train.parquet")
    with pytest.raises(InputError, match="no data"):
        open_source(f"hub:{tmp_path / 'empty'}", 2)


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names no dataset"):
        open_source("hub:", 2)
    with pytest.raises(InputError, match="none does not exist"):
        open_source(f"hub:{tmp_path / 'none'}:train", 2)
    with pytest.raises(InputError, match="hub:nobody/nothing:train can't be loaded") as caught:
        open_source("hub:nobody/nothing:train", 2)
    assert "without a network" in caught.value.hint


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError) as caught:
        open_source("hub:food101", 2)
    assert "edgesr[hub]" in caught.value.hint


def test_a_digest_follows_the_content(table: Any, folder: Path, tmp_path: Path) -> None:
    table.save_to_disk(str(tmp_path / "saved"))
    before = open_source(f"hub:{tmp_path / 'saved'}", 2).digest()
    (tmp_path / "saved").rename(tmp_path / "moved")
    assert open_source(f"hub:{tmp_path / 'moved'}", 2).digest() == before
    table.select([0, 2, 1]).save_to_disk(str(tmp_path / "other"))
    assert open_source(f"hub:{tmp_path / 'other'}", 2).digest() != before
    before = open_source(f"hub:{folder}", 2).digest()
    with (folder / "train" / "1.png").open("ab") as file:
        file.write(b" ")
    assert open_source(f"hub:{folder}", 2).digest() != before

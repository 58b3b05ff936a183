"""pairs.csv: reading, writing, checking, and making pairs from a folder."""

from pathlib import Path

import numpy as np
import pytest

from edgesr.data.check import check_pairs
from edgesr.data.degrade import DEGRADATIONS, degrade_real
from edgesr.data.images import read_image, write_png
from edgesr.data.make_pairs import (
    PairOptions,
    find_images,
    make_pairs,
    pair_folder,
    refuse_to_replace,
)
from edgesr.data.pairs import pairs_from, read_pairs, unique_names
from edgesr.data.resize import imresize
from edgesr.errors import ImageError, InputError, PairsError, StoreError, UsageError


def _picture(height: int = 24, width: int = 36, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    write_png(folder / "a.png", _picture(seed=1))
    write_png(folder / "sub" / "a.png", _picture(25, 37, seed=2))
    write_png(folder / "sub" / "b.png", _picture(seed=3))
    write_png(folder / ".hidden" / "c.png", _picture())
    (folder / "notes.txt").write_text("no image")
    return folder


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_pairs_of_a_folder(photos: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    assert (
        make_pairs(photos, tmp_path / "out", PairOptions(2), lambda *tick: seen.append(tick)) == 3
    )
    pairs = pairs_from(tmp_path / "out")
    assert [pair.name for pair in pairs] == ["a", "sub-a", "b"]
    assert seen[-1][1:] == (3, 3)
    for pair in pairs:
        hr, lr = read_image(pair.hr), read_image(pair.lr)
        assert np.array_equal(lr, imresize(hr, 1 / 2))
    assert read_image(pairs[1].hr).shape == (24, 36, 3)  # cut from 25 x 37
    first = (tmp_path / "out" / "pairs.csv").read_text().splitlines()
    assert first[:2] == ["lr,hr,text", "lr_x2/a.png,hr/a.png,"]
    assert check_pairs(tmp_path / "out" / "pairs.csv").problems == ()


def test_real_degradation_is_seeded_by_seed_and_name(photos: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        make_pairs(photos, tmp_path / name, PairOptions(2, "real", seed))
    one, two, three = (
        (tmp_path / name / "lr_x2" / "b.png").read_bytes() for name in ("one", "two", "three")
    )
    assert one == two != three
    (photos / "a.png").unlink()  # the others keep their noise
    make_pairs(photos, tmp_path / "four", PairOptions(2, "real", 5))
    assert (tmp_path / "four" / "lr_x2" / "b.png").read_bytes() == one


@pytest.mark.parametrize("name", sorted(DEGRADATIONS))
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_degradation_keeps_size_and_mean(name: str, scale: int) -> None:
    hr = np.full((24 * scale, 36 * scale, 3), 128, np.uint8)
    lr = DEGRADATIONS[name](hr, scale, np.random.default_rng(0))
    assert lr.shape == (24, 36, 3)
    assert lr.dtype == np.uint8
    assert abs(float(lr.mean()) - 128) < 2


def test_real_degradation_leaves_its_input_alone() -> None:
    hr = _picture()
    degrade_real(hr, 2, np.random.default_rng(0))
    assert np.array_equal(hr, _picture())


def test_one_bad_image_leaves_nothing(photos: Path, tmp_path: Path) -> None:
    (photos / "zz.png").write_bytes(b"\x89PNG no")
    with pytest.raises(ImageError, match=r"zz\.png"):
        make_pairs(photos, tmp_path / "out", PairOptions(2))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_too_small_image_is_named(tmp_path: Path) -> None:
    write_png(tmp_path / "in" / "tiny.png", _picture(2, 2))
    with pytest.raises(ImageError, match="tiny"):
        make_pairs(tmp_path / "in", tmp_path / "out", PairOptions(3))


def test_no_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        find_images(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        find_images(tmp_path / "none")


def test_unwritable_out(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        make_pairs(photos, tmp_path / "file" / "out", PairOptions(2))


def test_out_is_guarded(tmp_path: Path) -> None:
    out = tmp_path / "out"
    refuse_to_replace(out, overwrite=False)
    out.mkdir()
    refuse_to_replace(out, overwrite=False)
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="left alone"):
        refuse_to_replace(out, overwrite=True)
    (out / "pairs.csv").write_text("lr,hr,text\n")
    with pytest.raises(UsageError) as caught:
        refuse_to_replace(out, overwrite=False)
    assert "--overwrite" in caught.value.hint
    refuse_to_replace(out, overwrite=True)
    with pytest.raises(UsageError, match="lies in"):
        refuse_to_replace(out, overwrite=True, source=out / "hr")
    with pytest.raises(UsageError, match="is a file"):
        refuse_to_replace(out / "thesis.txt", overwrite=True)


@pytest.mark.parametrize(("scale", "degrade"), [(1, "bicubic"), (5, "bicubic"), (2, "magic")])
def test_options_are_checked(scale: int, degrade: str) -> None:
    with pytest.raises(UsageError):
        PairOptions(scale, degrade)


def test_text_survives(tmp_path: Path) -> None:
    text = 'Title, with comma\n"quoted" \u03c3(x)\nE = mc2'
    with pair_folder(tmp_path / "out", PairOptions(2)) as folder:
        folder.add("one", _picture(), text)
    assert read_pairs(tmp_path / "out" / "pairs.csv")[0].text == text


def test_names_are_unique() -> None:
    assert unique_names(["x/a.png", "y/A.png", "b.png"]) == ["x-a", "y-A", "b"]
    assert unique_names(["a.png", "a.jpg"]) == ["a", "a-2"]
    names = unique_names(["x/a.png", "a.png", "x-a.png", "../up/a.png"])
    assert len({name.lower() for name in names}) == 4
    assert not any("/" in name for name in names)


def test_a_missing_text_column_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    write_png(tmp_path / "s.png", _picture(4, 4))
    write_png(tmp_path / "l.png", _picture(8, 8))
    (tmp_path / "pairs.csv").write_bytes(b"\xef\xbb\xbfhr,lr\r\nl.png,s.png\r\n")
    (pair,) = pairs_from(tmp_path)
    assert (pair.lr.name, pair.hr.name, pair.text) == ("s.png", "l.png", "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column lr"),
        (b"a,b\n1,2\n", "no column lr and no column hr"),
        (b"lr,hr,text\n", "no rows"),
        (b"lr,hr,text\n,x.png,\n", "column lr is empty"),
        (b"lr,hr,text\nx.png,y.png,\n", r"line 2: lr file .*x\.png does not exist"),
        (b"\xff\xfe\x00\x01", "not a UTF-8 csv"),
        (b'lr,hr,text\n"x.png,y.png\n', "not a UTF-8 csv"),
    ],
)
def test_bad_csv(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    with pytest.raises(PairsError, match=message) as caught:
        read_pairs(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_no_csv(tmp_path: Path) -> None:
    with pytest.raises(PairsError, match="does not exist"):
        read_pairs(tmp_path / "none.csv")
    with pytest.raises(PairsError, match=r"holds no pairs\.csv"):
        pairs_from(tmp_path)


def test_check_names_every_problem(tmp_path: Path) -> None:
    write_png(tmp_path / "s.png", _picture(10, 12))
    write_png(tmp_path / "x2.png", _picture(20, 24))
    write_png(tmp_path / "x3.png", _picture(30, 36))
    write_png(tmp_path / "odd.png", _picture(20, 25))
    (tmp_path / "broken.png").write_bytes((tmp_path / "x2.png").read_bytes()[:300])
    rows = ["s.png,x2.png", "s.png,gone.png", "s.png,odd.png", "broken.png,x2.png", ",x2.png",
            "s.png,x3.png", "s.png,s.png", "gone.png,broken.png"]  # fmt: skip
    path = tmp_path / "pairs.csv"
    path.write_text("lr,hr\n" + "\n".join(rows) + "\n")
    found = check_pairs(path)
    assert (found.rows, found.scale) == (8, 2)
    assert [(problem.line, problem.file) for problem in found.problems] == [
        (3, "gone.png"), (4, "odd.png"), (5, "broken.png"), (6, ""), (7, "x3.png"), (8, "s.png"),
        (9, "gone.png"), (9, "broken.png"),
    ]  # fmt: skip
    assert "25x20" in found.problems[1].what
    assert "scale 3" in found.problems[4].what

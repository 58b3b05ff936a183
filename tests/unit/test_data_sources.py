"""Sources of images: folders, pairs, lists and slides, and what all kinds have in common."""

import os
import pickle
import time
from pathlib import Path

import numpy as np
import pytest

from edgesr.data.images import write_png
from edgesr.data.resize import imresize
from edgesr.data.slides import render_slide
from edgesr.data.sources import KINDS, Source, open_source, open_sources
from edgesr.errors import ConfigError, ImageError, InputError, PairsError


def _picture(height: int = 24, width: int = 36, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "ph:otos"
    write_png(folder / "a.png", _picture(seed=1))
    write_png(folder / "sub" / "a.png", _picture(25, 37, seed=2))
    write_png(folder / "sub" / "b.png", _picture(seed=3))
    (folder / "notes.md").write_text("no image")
    return folder


@pytest.fixture
def paired(photos: Path) -> Path:
    for name, image in (("a", _picture(seed=1)), ("b", _picture(seed=3))):
        write_png(photos / "lr" / f"{name}.png", imresize(image, 1 / 2))
    (photos / "pairs.csv").write_text("lr,hr,text\nlr/a.png,a.png,Hi\nlr/b.png,sub/b.png,\n")
    return photos


def _names(source: Source) -> list[str]:
    return [source[index].name for index in range(len(source))]


def test_a_folder_gives_its_images_whole(photos: Path) -> None:
    source = open_source(str(photos), 2)
    assert (source.name, _names(source)) == (str(photos), ["a", "sub-a", "b"])
    assert source.label(1) == str(photos / "sub" / "a.png")
    scene = source[1]
    assert np.array_equal(scene.hr, _picture(25, 37, seed=2))
    assert (scene.lr, scene.text) == (None, "")


def test_a_damaged_image_is_named_and_the_others_stay(photos: Path) -> None:
    (photos / "sub" / "a.png").write_bytes(b"\x89PNG")
    source = open_source(str(photos), 2)
    with pytest.raises(ImageError, match=r"sub/a\.png"):
        source[1]
    assert np.array_equal(source[2].hr, _picture(seed=3))


@pytest.mark.parametrize("tail", ["", "/pairs.csv"])
def test_pairs_come_with_small_image_and_text(paired: Path, tail: str) -> None:
    source = open_source(f"{paired}{tail}", 2)
    scene = source[0]
    assert (len(source), scene.name, scene.text) == (2, "a", "Hi")
    assert scene.lr is not None
    assert np.array_equal(scene.lr, imresize(_picture(seed=1), 1 / 2))
    assert np.array_equal(scene.hr, _picture(seed=1))
    with pytest.raises(PairsError, match=r"a\.png: its high-res image of 36x24 is not 3 times"):
        open_source(f"{paired}{tail}", 3)


def test_a_pair_of_another_size_is_found_where_it_is_read(paired: Path) -> None:
    write_png(paired / "lr" / "b.png", _picture(12, 17))
    source = open_source(str(paired), 2)
    with pytest.raises(PairsError, match=r"sub/b\.png"):
        source[1]


def test_a_first_image_that_is_damaged_does_not_stop_the_opening(paired: Path) -> None:
    (paired / "a.png").write_bytes(b"no")
    source = open_source(str(paired), 2)
    with pytest.raises(ImageError, match=r"a\.png"):
        source[0]


LISTS = {
    "plain": ("a.png\n\nsub/b.png\n", [1, 3]),
    "with shapes": ("a.png (24,36,3)\nsub/b.png (24, 36, 3)\n", [1, 3]),
    "a folder of frames": ("sub 2 (24,36,3)\n", [2, 3]),
    "windows and a mark": ("\ufeffa.png\r\nsub/b.png\r\n", [1, 3]),
    "pairs": ("a.png, lr/a.png\nsub/b.png,lr/b.png\n", [1, 3]),
}


@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_lists_of_basicsr_and_real_esrgan(paired: Path, form: str, *, elsewhere: bool) -> None:
    text, seeds = LISTS[form]
    path = (paired.parent if elsewhere else paired) / "meta_info.txt"
    path.write_text(text, newline="")
    source = open_source(f"meta:{path}:{paired}" if elsewhere else str(path), 2)
    sizes = {2: (25, 37)}
    assert len(source) == len(seeds)
    for index, seed in enumerate(seeds):
        scene = source[index]
        assert np.array_equal(scene.hr, _picture(*sizes.get(seed, (24, 36)), seed=seed))
        if form == "pairs":
            assert scene.lr is not None
            assert np.array_equal(scene.lr, imresize(_picture(seed=seed), 1 / 2))
        else:
            assert scene.lr is None


def test_names_with_a_comma_or_spaces_in_a_list(photos: Path) -> None:
    write_png(photos / "x, y.png", _picture(seed=8))
    write_png(photos / "my image 7.png", _picture(seed=9))
    (photos / "list.txt").write_text("x, y.png\nmy image 7.png (24,36,3)\n")
    source = open_source(f"meta:{photos / 'list.txt'}", 2)
    assert np.array_equal(source[0].hr, _picture(seed=8))
    assert np.array_equal(source[1].hr, _picture(seed=9))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.png\nnone.png\n", "line 2: .*none.png does not exist"),
        ("a.png, none.png\n", "line 1: .*none.png does not exist"),
        ("a.png, lr/a.png, more\n", "line 1 names 3 images"),
        ("sub 3 (24,36,3)\n", "line 1: .*sub holds 2 images, not 3"),
        ("\n", "names no image"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_lists_that_do_not_hold(paired: Path, text: str, said: str) -> None:
    (paired / "list.txt").write_text(text)
    with pytest.raises(InputError, match=said):
        open_source(f"meta:{paired / 'list.txt'}", 2)


def test_lists_that_are_no_lists(photos: Path) -> None:
    for text in ("meta:", "meta:none.txt", "none.txt"):
        with pytest.raises(InputError, match="no such list"):
            open_source(text, 2)
    (photos / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no UTF-8"):
        open_source(str(photos / "list.txt"), 2)
    with pytest.raises(InputError, match="is no folder"):
        open_source(f"meta:{photos / 'list.txt'}:{photos / 'none'}", 2)


def test_slides_are_those_of_the_seed() -> None:
    source = open_source("slides:2:31", 3)
    scene, slide = source[1], render_slide(31, 1)
    assert (len(source), source.name, scene.text) == (2, "slides:2:31", slide.text)
    assert np.array_equal(scene.hr, slide.image)
    with pytest.raises(IndexError):
        source[2]
    digests = {open_source(f"slides:{n}:{s}", 2).digest() for n, s in ((2, 31), (2, 32), (3, 31))}
    assert len(digests) == 3


@pytest.mark.parametrize("text", ["slides:many:1", "slides:3", "slides:0:1", "slides:1:-1"])
def test_slides_of_another_form(text: str) -> None:
    with pytest.raises(ConfigError, match="slides:COUNT:SEED"):
        open_source(text, 2)


def test_a_text_of_no_kind_lists_them_all(photos: Path) -> None:
    for text, said in (
        ("", "does not exist"),
        ("slide:3:1", "does not exist"),
        (str(photos / "none"), "does not exist"),
        (str(photos / "notes.md"), "no kind that is known"),
    ):
        with pytest.raises(ConfigError, match=said) as caught:
            open_source(text, 2)
        assert all(kind.form in caught.value.hint for kind in KINDS)
    (photos / "empty").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        open_source(str(photos / "empty"), 2)
    with pytest.raises(PairsError, match="does not exist"):
        open_source(str(photos / "none.csv"), 2)
    with pytest.raises(InputError, match="File name too long"):
        open_source("x" * 5000, 2)
    with pytest.raises(ConfigError, match="no source"):
        open_sources([], 2)


def test_a_digest_follows_content_and_not_place_or_time(paired: Path) -> None:
    whole, pairs = f"meta:{paired / 'list.txt'}", str(paired)
    (paired / "list.txt").write_text("a.png\nsub/b.png\n")
    before = [open_source(text, 2).digest() for text in (whole, pairs)]
    os.utime(paired / "a.png", (1, 1))
    moved = paired.rename(paired.parent / "moved")
    texts = [f"meta:{moved / 'list.txt'}", str(moved)]
    assert [open_source(text, 2).digest() for text in texts] == before
    (moved / "pairs.csv").write_text("lr,hr,text\nlr/a.png,a.png,Ho\nlr/b.png,sub/b.png,\n")
    assert open_source(str(moved), 2).digest() != before[1]
    source = open_source(texts[0], 2)
    with (moved / "a.png").open("ab") as file:
        file.write(b" ")
    assert source.digest() != before[0]
    (moved / "a.png").unlink()
    with pytest.raises(InputError, match=r"a\.png does not exist"):
        source.digest()


def test_sources_in_a_row(photos: Path, paired: Path) -> None:
    texts = [str(photos / "sub"), str(paired), "slides:2:31"]
    source = open_sources(texts, 2)
    assert len(source) == 2 + 2 + 2
    assert [source[i].name for i in range(4)] == ["a", "b", "a", "b"]
    assert [source[i].lr is None for i in range(4)] == [True, True, False, False]
    assert source.label(4) == "slides:2:31, slide 0"
    assert source.name == ", ".join(texts)
    for index in (-1, 6):
        with pytest.raises(IndexError):
            source[index]
    assert source.digest() != open_sources(texts[::-1], 2).digest()
    assert open_sources(texts[:1], 2).digest() == open_source(texts[0], 2).digest()


def test_a_curated_subset_is_drawn_by_the_seed() -> None:
    def drawn(limit: int, seed: int) -> list[str]:
        source = open_sources(["slides:60:1", "slides:40:2"], 2, limit=limit, seed=seed)
        return [source.label(index) for index in range(len(source))]

    everything = drawn(0, 5)
    assert len(everything) == 100 == len(set(everything))
    ten = drawn(10, 5)
    assert ten == drawn(10, 5) != drawn(10, 6)
    assert len(set(ten)) == 10
    assert ten == sorted(ten, key=everything.index)
    assert set(ten) < set(drawn(20, 5))
    assert drawn(100, 5) == drawn(1000, 5) == everything
    # the three smallest that coreutils' sha256sum gives for 5:0 to 5:99 are 99, 2 and 85
    three = ["slides:60:1, slide 2", "slides:40:2, slide 25", "slides:40:2, slide 39"]
    assert drawn(3, 5) == three


def test_a_subset_has_a_digest_of_its_own() -> None:
    digests = {
        open_sources(["slides:9:1"], 2, limit=limit, seed=seed).digest()
        for limit, seed in ((0, 0), (3, 0), (3, 1), (4, 0))
    }
    assert len(digests) == 4
    assert open_sources(["slides:9:1"], 2, limit=3).name == "3 of slides:9:1"


def test_every_draw_is_equally_likely() -> None:
    hits = np.zeros(12)
    for seed in range(1200):
        source = open_sources(["slides:12:1"], 2, limit=3, seed=seed)
        hits[[int(source.label(i).rsplit(" ", 1)[1]) for i in range(3)]] += 1
    # 300 expected with a deviation of 15
    assert abs(hits - 300).max() < 60


def test_sources_cross_processes(paired: Path) -> None:
    source = open_sources([str(paired), "slides:9:1"], 2, limit=4, seed=1)
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301
    assert copy.digest() == source.digest()
    assert [copy.label(i) for i in range(4)] == [source.label(i) for i in range(4)]


def test_many_images_open_quickly(tmp_path: Path) -> None:
    for number in range(3000):
        path = tmp_path / f"{number % 20}" / f"{number:05d}.png"
        if number < 20:
            path.parent.mkdir()
        path.touch()
    start = time.process_time()
    source = open_source(str(tmp_path), 2)
    assert len(source) == 3000
    source.digest()
    assert time.process_time() - start < 1  # 0.1 s where this was written

"""OCR sets of every form become one file without duplicates, and the counts hold."""

import csv
import io
import json
import unicodedata
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from edgesr.errors import InputError, StoreError
from edgesr.judge import merge as merging
from edgesr.judge.dataset import COLUMNS, SCHEMA, OcrSet, read_rows
from edgesr.judge.merge import Counts, Merged, MergeOptions, merge, split_of
from edgesr.judge.sources import parse_sources

TEXTS = ["one", "ଓଡ଼ିଆ", "two words", "12"]


def picture(seed: int, size: tuple[int, int] = (20, 30)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def encoded(image: np.ndarray, kind: str = "PNG", **how: Any) -> bytes:
    data = io.BytesIO()
    Image.fromarray(image).save(data, format=kind, **how)
    return data.getvalue()


def folder_of(folder: Path, texts: list[str], first: int = 0) -> Path:
    folder.mkdir(parents=True)
    for number, text in enumerate(texts, first):
        (folder / f"{number}.png").write_bytes(encoded(picture(number)))
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    return folder


def run(out: Path, *sources: str | Path, **options: Any) -> Merged:
    given = parse_sources([str(source) for source in sources])
    return merge(given, out, MergeOptions(**options), lambda *_: None)


def rows(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def assert_balanced(merged: Merged) -> None:
    for counts in merged.sources.values():
        assert counts.kept + counts.dropped == counts.read
    found = Counter(row["source"] for row in rows(merged.out))
    assert found == {name: c.kept for name, c in merged.sources.items() if c.kept}


def test_a_folder_of_images_with_text(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "set", TEXTS)
    (source / "more").mkdir()
    (source / "more/9.jpg").write_bytes(encoded(picture(9, (8, 9)), "JPEG"))
    (source / "more/9.txt").write_text("nine")
    (source / "no-text.png").write_bytes(encoded(picture(10)))
    merged = run(tmp_path / "all.parquet", source)
    assert merged.sources == {"set": Counts(read=6, kept=5, empty=1)}
    found = {row["text"]: row for row in rows(merged.out)}
    assert set(found) == {*(unicodedata.normalize("NFC", text) for text in TEXTS), "nine"}
    assert found["one"]["image"] == (source / "0.png").read_bytes()
    assert found["nine"]["image"].startswith(b"\xff\xd8")
    assert (found["nine"]["width"], found["nine"]["height"]) == (9, 8)
    assert tuple(found["one"]) == COLUMNS
    assert_balanced(merged)


def test_text_is_composed_and_stripped(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "set", [" cafe\u0301\n"])
    assert rows(run(tmp_path / "a.parquet", source).out)[0]["text"] == "caf\u00e9"


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("metadata.csv", ("file_name", "text")),
        ("labels.csv", ("image", "label")),
        ("pairs.csv", ("hr", "text")),
        ("own.csv", ("image", "text")),
    ],
)
def test_a_csv(name: str, columns: tuple[str, str], tmp_path: Path) -> None:
    source = folder_of(tmp_path / "set", ["a", "b"])
    for path in source.glob("*.txt"):
        path.unlink()
    with (source / name).open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow((*columns, "other"))
        writer.writerows([("0.png", "first\nline", "x"), ("1.png", "ଅ", "y")])
    given = source / name if name == "own.csv" else source
    merged = run(tmp_path / "a.parquet", given)
    assert [row["text"] for row in rows(merged.out)] == ["first\nline", "ଅ"]


def test_parquet_with_bytes_or_structs(tmp_path: Path) -> None:
    images = [encoded(picture(n)) for n in range(3)]
    pq.write_table(pa.table({"img": images[:2], "words": ["a", "b"]}), tmp_path / "plain.parquet")
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards/outside.png").write_bytes(encoded(picture(5)))
    cells = [
        {"bytes": images[2], "path": None},
        {"bytes": None, "path": "outside.png"},
        None,
        {"bytes": None, "path": None},
    ]
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table(
        {
            "id": ["1", "2", "3", "4"],
            "image": pa.array(cells, struct),
            "text": ["c", "d", "e", None],
        }
    )
    pq.write_table(table, tmp_path / "shards/train-00000-of-00001.parquet")
    merged = run(tmp_path / "a.parquet", tmp_path / "plain.parquet", f"hf={tmp_path / 'shards'}")
    assert [row["text"] for row in rows(merged.out)] == ["a", "b", "c", "d"]
    assert merged.sources["hf"] == Counts(read=4, kept=2, damaged=1, empty=1)
    assert "row 3" in merged.damaged[0]
    assert_balanced(merged)


@pytest.mark.parametrize("form", ["one", "splits", "files"])
def test_what_datasets_saved(form: str, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    images = [Image.fromarray(picture(n)) for n in range(5)]
    made = datasets.Dataset.from_dict(
        {"image": images, "text": list("abcde")},
        features=datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")}),
    )
    out = tmp_path / "saved"
    if form == "one":
        made.select([0, 2, 4]).save_to_disk(out)
    elif form == "splits":
        halves = {"train": made.select(range(3)), "test": made.select(range(3, 5))}
        datasets.DatasetDict(halves).save_to_disk(out)
    else:
        out.mkdir()
        made.to_parquet(out / "data.parquet")
    merged = run(tmp_path / "a.parquet", out)
    expected = list("ace") if form == "one" else list("abcde")
    assert [row["text"] for row in rows(merged.out)] == expected
    first = OcrSet(merged.out).image(0)
    assert np.array_equal(first, picture(0))


def test_duplicates_conflicts_and_damage_are_counted(tmp_path: Path) -> None:
    one = folder_of(tmp_path / "one", ["a", "b", "c"])
    (one / "again.bmp").write_bytes(encoded(picture(0), "BMP"))  # the same pixels, another format
    (one / "again.txt").write_text("a")
    two = folder_of(tmp_path / "two", ["a", "other", "new"])
    (two / "2.png").write_bytes(encoded(picture(77)))
    (two / "broken.png").write_bytes(encoded(picture(5))[:-30])
    (two / "broken.txt").write_text("x")
    (two / "nothing.png").write_bytes(b"")
    (two / "nothing.txt").write_text("x")
    (two / "blank.png").write_bytes(encoded(picture(6)))
    (two / "blank.txt").write_text(" \n• \u200b")
    (two / "strip.png").write_bytes(encoded(picture(7, (1, 201))))
    (two / "strip.txt").write_text("long")
    merged = run(tmp_path / "a.parquet", one, two)
    assert merged.sources["one"] == Counts(read=4, kept=3, duplicates_within=1)
    assert merged.sources["two"] == Counts(
        read=7, kept=1, duplicates_across=1, conflicts=1, damaged=3, empty=1
    )
    (conflict,) = merged.conflicts
    assert (conflict.kept_text, conflict.dropped_text) == ("b", "other")
    assert conflict.kept.endswith("one/1.png")
    assert conflict.dropped.endswith("two/1.png")
    assert len(merged.damaged) == 3
    assert [row["text"] for row in rows(merged.out)] == ["a", "b", "c", "new"]
    assert_balanced(merged)
    with pytest.raises(InputError, match=r"'b'.*'other'"):
        run(tmp_path / "b.parquet", one, two, strict=True)
    assert not list(tmp_path.glob("*b.parquet*"))


def test_pixels_decide_not_shape_alone(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "set", [])
    flat = np.zeros((4, 6, 3), np.uint8)
    for name, image in (("a", flat), ("b", flat.reshape(6, 4, 3)), ("c", flat + 1)):
        (source / f"{name}.png").write_bytes(encoded(image))
        (source / f"{name}.txt").write_text("x")
    (source / "d.png").write_bytes(encoded(flat, compress_level=0))
    (source / "d.txt").write_text("x")
    merged = run(tmp_path / "a.parquet", source)
    assert merged.total == Counts(read=4, kept=3, duplicates_within=1)


def test_a_merged_file_is_merged_again_and_keeps_its_sources(tmp_path: Path) -> None:
    one, two = (folder_of(tmp_path / n, TEXTS, first=i * 10) for i, n in enumerate(("one", "two")))
    first = run(tmp_path / "a.parquet", one, two)
    three = folder_of(tmp_path / "three", ["more"], first=50)
    again = run(tmp_path / "b.parquet", first.out, three)
    assert {name: counts.kept for name, counts in again.sources.items()} == {
        "one": 4,
        "two": 4,
        "three": 1,
    }
    before = {row["sha256"]: row["split"] for row in rows(first.out)}
    after = {row["sha256"]: row["split"] for row in rows(again.out)}
    assert before.items() <= after.items()
    with pytest.raises(InputError, match="is one of the sets"):
        run(first.out, first.out)
    assert len(rows(first.out)) == 8


def test_splits_follow_the_digest() -> None:
    digests = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" + "0" * 48 for number in range(4000)]
    found = Counter(split_of(digest, 0.1, 0.2) for digest in digests)
    assert abs(found["val"] - 400) < 40
    assert abs(found["test"] - 800) < 60
    assert {split_of(digest, 0, 0) for digest in digests} == {"train"}


def test_groups_are_small_and_the_file_is_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "_GROUP_ROWS", 3)
    source = folder_of(tmp_path / "set", list("abcdefgh"))
    first, second = (run(tmp_path / f"{n}.parquet", source).out for n in range(2))
    assert pq.ParquetFile(first).num_row_groups == 3
    assert first.read_bytes() == second.read_bytes()
    data = OcrSet(first)
    assert [data.texts[n] for n in range(8)] == list("abcdefgh")
    for number in (7, 0, 4):
        assert np.array_equal(data.image(number), picture(number))
    parts = [OcrSet(first, split) for split in ("train", "val", "test")]
    assert sum(map(len, parts)) == 8


def test_what_was_written_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder_of(tmp_path / "set", TEXTS)
    real = merging._groups

    def loses_a_row(found: Any) -> Any:
        for group in real(found):
            yield group[:-1]

    monkeypatch.setattr(merging, "_groups", loses_a_row)
    with pytest.raises(StoreError, match="does not hold what was counted"):
        run(tmp_path / "a.parquet", source)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_an_interrupted_merge_leaves_nothing(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "set", TEXTS)
    (tmp_path / "a.parquet").write_bytes(b"before")

    def stops(_what: str, done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge(parse_sources([str(source)]), tmp_path / "a.parquet", MergeOptions(), stops)
    assert (tmp_path / "a.parquet").read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "set"]


def test_sets_that_are_none(tmp_path: Path) -> None:
    out = tmp_path / "out/a.parquet"
    empty = folder_of(tmp_path / "empty", [])
    junk = tmp_path / "junk.parquet"
    junk.write_bytes(b"PAR1 no parquet PAR1")
    no_text = tmp_path / "no_text.parquet"
    pq.write_table(pa.table({"image": [b"x"], "n": [1]}), no_text)
    unclear = tmp_path / "unclear.parquet"
    pq.write_table(pa.table({"image": [b"x"], "a": ["1"], "b": ["2"]}), unclear)
    bad_csv = tmp_path / "bad.csv"
    bad_csv.write_bytes(b"image,text\n1.png,\xff\xfe\n")
    columns = tmp_path / "columns.csv"
    columns.write_text("a,b\n1,2\n")
    lost = tmp_path / "lost.csv"
    lost.write_text("image,text\nnot-there.png,a\n")
    saved = folder_of(tmp_path / "saved", [])
    (saved / "state.json").write_text(json.dumps({"_data_files": [{"filename": "a.arrow"}]}))
    (saved / "a.arrow").write_bytes(b"no arrow at all")
    text = tmp_path / "a.txt"
    text.write_text("x")
    no_bytes = tmp_path / "no_bytes.parquet"
    pq.write_table(pa.table({"image": [{"bytes": "x"}], "text": ["a"]}), no_bytes)
    unquoted = tmp_path / "unquoted.csv"
    unquoted.write_text("image,text\n1.png,a,b\n")
    nul = tmp_path / "nul.csv"
    nul.write_bytes(b"image,text\n\0.png,a\n")
    forms = {"state": ("state.json", "null"), "splits": ("dataset_dict.json", '{"splits": 1}')}
    for name, (file, content) in forms.items():
        (folder_of(tmp_path / name, []) / file).write_text(content)
    for source, why in (
        (no_bytes, "no clear column of images"),
        (unquoted, "line 2: more cells than columns"),
        (nul, "none of 1 images can be used.*no path"),
        (tmp_path / "state", "damaged"),
        (tmp_path / "splits", "damaged"),
        (empty, "holds no images with their text"),
        (junk, "no parquet or Arrow file"),
        (no_text, "no clear column of texts: there is none"),
        (unclear, "could be a, b"),
        (bad_csv, "not a UTF-8 csv"),
        (columns, "none of the columns"),
        (lost, "none of 1 images can be used.*not-there"),
        (saved, "no parquet or Arrow file"),
        (text, "no set of images"),
    ):
        with pytest.raises(InputError, match=why):
            run(out, source)
    with pytest.raises(InputError, match="does not exist"):
        run(out, tmp_path / "absent")
    with pytest.raises(InputError, match="two sets are called 'empty'"):
        run(out, empty, f"empty={junk}")
    with pytest.raises(InputError, match="nothing is left"):
        run(out, empty, val=0.5, test=0.5)
    assert not out.exists()


def test_a_folder_that_is_called_like_a_file(tmp_path: Path) -> None:
    shards = tmp_path / "all.parquet"
    shards.mkdir()
    pq.write_table(
        pa.table({"image": [encoded(picture(1))], "text": ["a"]}), shards / "part-0.parquet"
    )
    assert run(tmp_path / "a.parquet", shards).kept == 1


def test_a_result_within_a_set_is_refused(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "set", TEXTS)
    with pytest.raises(InputError, match="lies in one"):
        run(source / "a.parquet", source)  # the next merge would read it in place of the images


def test_damaged_bytes_in_a_parquet_file(tmp_path: Path) -> None:
    merged = run(tmp_path / "a.parquet", folder_of(tmp_path / "set", TEXTS)).out
    whole = merged.read_bytes()
    random = np.random.default_rng(0)
    for place in random.choice(len(whole) - 8, 60, replace=False).tolist():
        data = bytearray(whole)
        data[place] ^= 0xFF
        merged.write_bytes(data)
        try:
            found = OcrSet(merged)
            for index in range(len(found)):
                found.image(index)
        except InputError:
            pass  # any other error fails the test
    merged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="parquet"):
        OcrSet(merged)


def test_only_a_merged_file_is_data(tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"image": [b"x"], "text": ["a"]}), other)
    with pytest.raises(InputError, match="not written by edgesr ocr merge"):
        OcrSet(other)
    with pytest.raises(InputError, match="does not exist"):
        OcrSet(tmp_path / "absent.parquet")
    with pytest.raises(InputError, match="is a folder"):
        OcrSet(tmp_path)
    merged = run(tmp_path / "a.parquet", folder_of(tmp_path / "set", ["a"])).out
    assert next(iter(read_rows(merged, ["text", "source"]))) == ("a", "set")
    assert pq.read_schema(merged).names == SCHEMA.names
    assert asdict(Counts(read=3, kept=1, damaged=2)) == asdict(Counts(3, 1, damaged=2))

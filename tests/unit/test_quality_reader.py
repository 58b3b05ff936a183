"""Reading once, side by side."""

import threading
from pathlib import Path

import numpy as np
import pytest

from edgesr.data.images import RgbImage
from edgesr.errors import InputError, UsageError
from edgesr.quality import reader as module
from edgesr.quality.reader import Reader, describe
from edgesr.quality.reading import Line


class Counting:
    """Reads the first pixel's red; counts, and tells how many read at once."""

    name, language = "counting", "none"
    version = "1"
    copies = True
    calls = 0
    at_once = 0
    most_at_once = 0
    lock = threading.Lock()
    meeting: threading.Barrier | None = None

    def __init__(self, spec: str, threads: int | None) -> None:
        self.spec, self.threads = spec, threads

    def read(self, image: RgbImage) -> tuple[Line, ...]:
        kind = type(self)
        with kind.lock:
            kind.calls += 1
            kind.at_once += 1
            kind.most_at_once = max(kind.most_at_once, kind.at_once)
        if kind.meeting is not None:
            kind.meeting.wait(timeout=10)
        with kind.lock:
            kind.at_once -= 1
        if image[0, 0, 0] == 255:
            raise InputError("white")
        return (Line(str(image[0, 0, 0]), 0.25, (0.0, 1.0, 2.0, 3.5)),)


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    kind = type("Fresh", (Counting,), {"lock": threading.Lock()})
    monkeypatch.setattr(module, "open_engine", kind)
    monkeypatch.setattr(module, "reads_in_copies", lambda _spec: kind.copies)
    return kind


def picture(red: int, size: int = 4) -> RgbImage:
    return np.full((size, size, 3), red, np.uint8)


def test_an_image_is_read_once_also_in_a_later_call(tmp_path: Path, engine: type[Counting]) -> None:
    for _ in range(2):
        with Reader("counting", 1, tmp_path) as reader:
            lines = [reader.read(picture(7)) for _ in range(2)]
    assert lines == [(Line("7", 0.25, (0.0, 1.0, 2.0, 3.5)),)] * 2
    assert engine.calls == 1


def test_other_pixels_shapes_and_versions_are_read_anew(
    tmp_path: Path, engine: type[Counting]
) -> None:
    with Reader("counting", 1, tmp_path) as reader:
        reader.read(picture(7))
        reader.read(picture(8))
        reader.read(np.full((2, 8, 3), 7, np.uint8))
    engine.version = "2"
    with Reader("counting", 1, tmp_path) as reader:
        reader.read(picture(7))
    assert engine.calls == 4


def test_what_other_code_read_is_read_anew(
    tmp_path: Path, engine: type[Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Reader("counting", 1, tmp_path) as reader:
        reader.read(picture(7))
        monkeypatch.setattr(module, "code_digest", lambda *_: "other")
        reader.read(picture(7))
    assert engine.calls == 2


def test_what_is_read_afresh_is_kept(tmp_path: Path, engine: type[Counting]) -> None:
    with Reader("counting", 1, tmp_path) as reader:
        reader.read(picture(7))
    (entry,) = tmp_path.rglob("*.json")
    entry.write_text(entry.read_text().replace('"7"', '"wrong"'))
    with Reader("counting", 1, tmp_path, fresh=True) as reader:
        assert reader.read(picture(7))[0].text == "7"
    with Reader("counting", 1, tmp_path) as reader:
        assert reader.read(picture(7))[0].text == "7"
    assert engine.calls == 2


def test_any_text_can_be_kept(
    tmp_path: Path, engine: type[Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (Line("\ud800 \0 ଓଡ଼ିଆ", 0.5, (0.0, 0.0, 1.0, 1.0)),)
    monkeypatch.setattr(engine, "read", lambda _self, _image: lines)
    with Reader("counting", 1, tmp_path) as reader:
        assert [reader.read(picture(7)) for _ in range(2)] == [lines, lines]


@pytest.mark.parametrize("damage", ["", "{", '[{"text": 1}]', "null", '[{"text": "x"}]'])
def test_a_damaged_entry_is_read_again(tmp_path: Path, engine: type[Counting], damage: str) -> None:
    with Reader("counting", 1, tmp_path) as reader:
        reader.read(picture(7))
        (entry,) = tmp_path.rglob("*.json")
        entry.write_text(damage)
        assert reader.read(picture(7))[0].text == "7"
    assert engine.calls == 2


def test_a_cache_that_cant_be_written_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Reader("counting", 1, tmp_path / "file") as reader:
        assert reader.read(picture(7))[0].text == "7"


def test_copies_read_at_the_same_time(engine: type[Counting]) -> None:
    engine.meeting = threading.Barrier(2)  # passes only when two are in it
    with Reader("counting", 2) as reader:
        futures = [reader.submit(picture(red)) for red in (1, 2, 3, 4)]
        assert [future.result()[0].text for future in futures] == ["1", "2", "3", "4"]
    assert engine.most_at_once == 2


def test_an_engine_without_copies_gets_all_threads(engine: type[Counting]) -> None:
    engine.copies = False
    with Reader("counting", 2) as reader:
        list(map(reader.read, (picture(1), picture(2))))
        assert reader._spare[0].threads == 2  # type: ignore[attr-defined]
    assert engine.most_at_once == 1


def test_an_engines_error_comes_out(engine: type[Counting]) -> None:
    with Reader("counting", 1) as reader:
        with pytest.raises(InputError, match="white"):
            reader.submit(picture(255)).result()
        assert reader.read(picture(1))[0].text == "1"
    assert engine.calls == 2


def test_a_reader_is_an_engine() -> None:
    with Reader("counting", 1) as reader:
        assert describe(reader) == {"engine": "counting", "version": "1", "language": "none"}


def test_an_unknown_engine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(UsageError, match="'rapid'"):
        Reader("rapid")

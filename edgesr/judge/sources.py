"""Sets of images with their text, as others keep them: folders, csv, parquet, Hugging Face's forms.

Nothing is decoded here; a set of any size is read a few rows at a time.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from edgesr.data.images import IMAGE_SUFFIXES
from edgesr.errors import InputError
from edgesr.files import read_errors
from edgesr.judge.dataset import is_merged, parquet_errors

_TABLES = ("metadata.csv", "labels.csv", "pairs.csv")
"""In a folder, beside its images; the first that is there is read."""
_IMAGE_COLUMNS = ("image", "file_name", "hr", "path", "file", "img")
_TEXT_COLUMNS = ("text", "transcription", "label", "ground_truth", "sentence", "caption")
_ROWS = 64
"""So many rows of a parquet file are in memory at a time."""


@dataclass(frozen=True)
class Sample:
    """An image with its text, not decoded."""

    label: str
    """Where it lies, for messages."""
    text: str
    image: bytes | Path
    """An image file's bytes, or where it lies."""
    source: str = ""
    """The set it came from, where it was merged before."""


@dataclass(frozen=True)
class Source:
    """A set to be merged."""

    name: str
    path: Path

    def samples(self) -> Iterator[Sample]:
        """Every image with its text, in the set's order.

        Raises:
            InputError: When the set can't be read, or is none of the known forms.
        """
        return _samples(self.path)


def parse_sources(texts: Sequence[str]) -> tuple[Source, ...]:
    """Reads ``[NAME=]PATH``; without a name the path's last part counts.

    Raises:
        InputError: When a path does not exist, or two sets have one name.
    """
    sources: dict[str, Source] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        named = bool(equals) and not Path(text).exists()
        path = Path(rest if named else text)
        if not path.exists():
            raise InputError(f"{path} does not exist", hint="check the path")
        name = name if named else path.resolve().stem
        if not name or name in sources:
            raise InputError(
                f"two sets are called {name!r}" if name else f"{text!r} gives an empty name",
                hint="name them apart: NAME=PATH",
            )
        sources[name] = Source(name, path)
    return tuple(sources.values())


def _samples(path: Path) -> Iterator[Sample]:
    if path.is_dir():
        return _from_folder(path)
    if path.suffix.lower() == ".csv":
        return _from_csv(path)
    if path.suffix.lower() == ".parquet":
        return _from_parquet(path)
    raise InputError(
        f"{path} is no set of images with text",
        hint="give a folder, a .csv, a .parquet, or a folder of Hugging Face's datasets",
    )


def _from_folder(folder: Path) -> Iterator[Sample]:
    if (folder / "dataset_dict.json").is_file():
        splits = _strings(folder / "dataset_dict.json", "splits")
        return (sample for split in splits for sample in _from_saved(folder / split))
    if (folder / "state.json").is_file():
        return _from_saved(folder)
    for name in _TABLES:
        if (folder / name).is_file():
            return _from_csv(folder / name)
    shards = sorted(folder.rglob("*.parquet"))
    if shards:
        return (sample for shard in shards for sample in _from_parquet(shard))
    return _from_pairs_of_files(folder)


def _from_pairs_of_files(folder: Path) -> Iterator[Sample]:
    """Images with a .txt of the same name beside, or without text; all without are refused."""
    images = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not any(image.with_suffix(".txt").is_file() for image in images):
        raise InputError(
            f"{folder} holds no images with their text",
            hint=f"put NAME.txt beside each image, or one of {', '.join(_TABLES)}",
        )
    for image in images:
        text = image.with_suffix(".txt")
        yield Sample(str(image), _text_file(text) if text.is_file() else "", image)


def _from_csv(path: Path) -> Iterator[Sample]:
    with read_errors(path), path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            names = reader.fieldnames or ()
            image, text = _column(path, _IMAGE_COLUMNS, names), _column(path, _TEXT_COLUMNS, names)
            for row in reader:
                place = f"{path}, line {reader.line_num}"
                if not row[image]:
                    raise InputError(f"{place}: no image is named", hint="correct the row")
                if None in row:
                    raise InputError(
                        f"{place}: more cells than columns", hint='put the text in quotes: "a, b"'
                    )
                yield Sample(place, row[text] or "", path.parent / row[image])
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path} is not a UTF-8 csv file: {error}") from error


def _from_saved(folder: Path) -> Iterator[Sample]:
    """A ``datasets.Dataset`` as its ``save_to_disk`` wrote it: streams of Arrow batches."""
    for name in _strings(folder / "state.json", "_data_files", "filename"):
        path = folder / name
        with (
            parquet_errors(path),
            pa.memory_map(str(path)) as file,
            pa.ipc.open_stream(file) as rows,
        ):
            yield from _from_batches(path, rows)


def _from_parquet(path: Path) -> Iterator[Sample]:
    with parquet_errors(path), pq.ParquetFile(path) as file:
        merged = is_merged(file.schema_arrow)
        yield from _from_batches(path, file.iter_batches(_ROWS), merged=merged)


def _from_batches(
    path: Path, batches: Iterator[pa.RecordBatch], *, merged: bool = False
) -> Iterator[Sample]:
    row = 0
    for batch in batches:
        image = _image_column(path, batch.schema)
        text = _text_column(path, batch.schema)
        for start in range(0, batch.num_rows, _ROWS):
            part = batch.slice(start, _ROWS)
            texts, cells = part.column(text).to_pylist(), part.column(image).to_pylist()
            names = part.column("source").to_pylist() if merged else [""] * len(texts)
            for words, cell, name in zip(texts, cells, names, strict=True):
                row += 1
                yield Sample(f"{path}, row {row}", words or "", _cell(path, cell), name)


def _cell(path: Path, cell: bytes | Mapping[str, Any] | None) -> bytes | Path:
    """An image as Hugging Face keeps it: bytes, or where it lies; no image gives no bytes."""
    if isinstance(cell, Mapping):
        if cell.get("bytes") is None and cell.get("path"):
            return path.parent / str(cell["path"])
        cell = cell.get("bytes")
    return cell or b""


def _image_column(path: Path, schema: pa.Schema) -> str:
    fitting = [field.name for field in schema if _holds_images(field.type)]
    return _only(path, _IMAGE_COLUMNS, fitting, "column of images")


def _text_column(path: Path, schema: pa.Schema) -> str:
    fitting = [
        field.name
        for field in schema
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    return _only(path, _TEXT_COLUMNS, fitting, "column of texts")


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        parts = [kind.field(number) for number in range(kind.num_fields)]
        return any(part.name == "bytes" and _holds_bytes(part.type) for part in parts)
    return _holds_bytes(kind)


def _holds_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _only(path: Path, known: Sequence[str], fitting: Sequence[str], what: str) -> str:
    """The column of a known name, else the only one that fits."""
    for name in known:
        if name in fitting:
            return name
    if len(fitting) == 1:
        return fitting[0]
    have = f"could be {', '.join(fitting)}" if fitting else "there is none"
    raise InputError(f"{path} has no clear {what}: {have}", hint=f"call it {known[0]}")


def _column(path: Path, known: Sequence[str], names: Sequence[str]) -> str:
    for name in known:
        if name in names:
            return name
    raise InputError(
        f"{path} has none of the columns {', '.join(known)}",
        hint="the first line has to be: image,text (paths relative to the csv)",
    )


def _text_file(path: Path) -> str:
    with read_errors(path):
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8: {error}", hint="convert it") from error


def _strings(path: Path, key: str, inner: str = "") -> list[str]:
    """The texts in a list of a JSON file, or under a key of each of its tables."""
    with read_errors(path):
        data = path.read_bytes()
    try:
        return [str(entry[inner]) if inner else str(entry) for entry in json.loads(data)[key]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: {error!r}", hint="save the dataset again") from error

"""The parquet file that ``edgesr ocr merge`` writes and the other steps read."""

import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from edgesr import __version__
from edgesr.data.images import RgbImage, decode_image
from edgesr.errors import InputError
from edgesr.files import read_errors, sha256_file

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
_MARK = b"edgesr.ocr"
SCHEMA = pa.schema(
    [
        ("image", pa.binary()),
        ("text", pa.string()),
        ("source", pa.string()),
        ("split", pa.string()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ],
    metadata={_MARK: b"1", b"edgesr": __version__.encode()},
)
"""image: a PNG's or JPEG's bytes. text: Unicode NFC. sha256: of the decoded pixels and their shape.
width, height: pixels."""
COLUMNS: tuple[str, ...] = tuple(SCHEMA.names)
_CACHED_GROUPS = 16


def is_merged(schema: pa.Schema) -> bool:
    """Whether a parquet file's schema is one that `SCHEMA` was written with."""
    return _MARK in (schema.metadata or {}) and set(schema.names) >= set(COLUMNS)


def pixel_digest(image: RgbImage) -> str:
    """Hex sha256 of an image's shape and pixels, whatever file format it came in.

    Args:
        image: Array (H, W, 3), uint8, RGB.
    """
    height, width, _ = image.shape
    return hashlib.sha256(f"{height}x{width} ".encode() + image.tobytes()).hexdigest()


class OcrSet:
    """One split of a merged file; images are read when they are asked for.

    Args:
        path: The parquet file.
        split: Which rows; None takes all.

    Raises:
        InputError: When the file can't be read or ``edgesr ocr merge`` did not write it.
    """

    def __init__(self, path: Path, split: Split | None = None) -> None:
        self.path = Path(path)
        self._file = _open(self.path)
        self._groups: OrderedDict[int, Any] = OrderedDict()
        self._places: list[tuple[int, int]] = []
        self.texts: list[str] = []
        self.sources: list[str] = []
        for group, table in enumerate(_columns(self.path, ["text", "source", "split"])):
            for row, (text, source, where) in enumerate(zip(*table, strict=True)):
                if split in (None, where):
                    self._places.append((group, row))
                    self.texts.append(text)
                    self.sources.append(source)

    def __len__(self) -> int:
        return len(self._places)

    def image(self, index: int) -> RgbImage:
        """Reads an image.

        Returns:
            Array (H, W, 3), uint8, RGB.

        Raises:
            InputError: When the file can't be read.
        """
        group, row = self._places[index]
        return decode_image(
            self._group(group)[row].as_py(), f"{self.path}, group {group}, row {row}"
        )

    def sha256(self) -> str:
        """Hex sha256 of the whole file."""
        return sha256_file(self.path)

    def _group(self, number: int) -> Any:
        if number not in self._groups:
            with parquet_errors(self.path):
                table = self._file.read_row_group(number, columns=["image"])
            self._groups[number] = table.column(0).combine_chunks()
        self._groups.move_to_end(number)
        while len(self._groups) > _CACHED_GROUPS:
            self._groups.popitem(last=False)
        return self._groups[number]


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Some columns of a merged file, row by row, without the images.

    Raises:
        InputError: As `OcrSet`.
    """
    for group in _columns(path, columns):
        yield from zip(*group, strict=True)


@contextlib.contextmanager
def parquet_errors(path: Path) -> Iterator[None]:
    """Turns what pyarrow raises for a damaged file into an `InputError` naming it."""
    with read_errors(path):
        try:
            yield
        except (pa.ArrowException, ValueError) as error:  # ValueError: text that is no UTF-8
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"{path} is no parquet or Arrow file that can be read: {reason}",
                hint="it is damaged: make or fetch it again",
            ) from error


def _columns(path: Path, columns: Sequence[str]) -> Iterator[list[list[Any]]]:
    """Some columns as lists, by row group."""
    file = _open(path)
    for number in range(file.num_row_groups):
        with parquet_errors(path):
            table = file.read_row_group(number, columns=list(columns))
            cells = [table.column(name).to_pylist() for name in columns]
        yield cells


def _open(path: Path) -> pq.ParquetFile:
    with parquet_errors(path):
        if path.is_dir():
            raise InputError(
                f"{path} is a folder", hint="name the file that edgesr ocr merge wrote"
            )
        file = pq.ParquetFile(path, page_checksum_verification=True)
    if not is_merged(file.schema_arrow):
        raise InputError(
            f"{path} was not written by edgesr ocr merge",
            hint=f"make one with: edgesr ocr merge {path} --out all.parquet",
        )
    return file

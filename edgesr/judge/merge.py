"""Several sets of images with text -> one parquet file without duplicates, counted and checked.

Two images are the same when their decoded pixels are: an image that was stored again, in another
format or with other metadata, is a duplicate; one that was compressed again with losses is not.
"""

import io
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from edgesr.data.images import RgbImage, decode_image
from edgesr.errors import ImageError, InputError, StoreError
from edgesr.files import atomic_file, read_errors
from edgesr.judge.dataset import COLUMNS, SCHEMA, Split, pixel_digest, read_rows
from edgesr.judge.sources import Sample, Source
from edgesr.quality.text import normalise

_GROUP_ROWS = 64
_GROUP_BYTES = 16 << 20
_EXAMPLES = 20
"""So many damaged images and conflicts are named; all are counted."""
_MOST_OBLONG = 200
"""Qwen2.5-VL takes no image with a larger ratio of its sides."""

Tick = Callable[[str, int, int], None]
Row = dict[str, Any]


@dataclass
class Counts:
    """What became of the images of one set; ``read`` is the sum of all others."""

    read: int = 0
    kept: int = 0
    duplicates_within: int = 0
    """The same image with the same text came before in this set."""
    duplicates_across: int = 0
    """It came before in another set."""
    conflicts: int = 0
    """The same image came before with another text; the first is kept."""
    damaged: int = 0
    """Not readable as an image, or more oblong than a model takes."""
    empty: int = 0
    """No text, or none that counts when it is compared."""

    @property
    def dropped(self) -> int:
        """All that were read and not kept."""
        return int(sum(asdict(self).values())) - self.read - self.kept


@dataclass(frozen=True)
class Conflict:
    """One image with two texts."""

    kept: str
    """Where it came first."""
    kept_text: str
    dropped: str
    dropped_text: str


@dataclass(frozen=True)
class MergeOptions:
    """How sets are merged."""

    val: float = 0.05
    """Share of the images that go to ``val``, by a digest of their pixels."""
    test: float = 0.05
    """Likewise to ``test``."""
    strict: bool = False
    """Refuse conflicts."""


@dataclass
class Merged:
    """What a merge did."""

    out: Path
    sources: dict[str, Counts] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    """The first of them, and why."""
    conflicts: list[Conflict] = field(default_factory=list)
    """The first of them."""

    @property
    def kept(self) -> int:
        """Rows of the file."""
        return sum(counts.kept for counts in self.sources.values())

    @property
    def total(self) -> Counts:
        """Over all sets."""
        sums: Counter[str] = Counter()
        for counts in self.sources.values():
            sums.update(asdict(counts))
        return Counts(**sums)


def merge(sources: Sequence[Source], out: Path, options: MergeOptions, tick: Tick) -> Merged:
    """Merges sets into one file, which is read back and counted before it gets its name.

    Memory holds one row group and, of every image kept, its digest, text and place.

    Args:
        sources: Earlier ones come first, and are the ones that are kept.
        out: The parquet file.
        options: Shares of the splits.
        tick: Told (set, images read so far, 0).

    Raises:
        InputError: When a set can't be read, none has a usable image, or, with ``strict``, when
            there is a conflict.
        StoreError: When the file can't be written or does not hold what was counted.
    """
    if any(out.resolve().is_relative_to(source.path.resolve()) for source in sources):
        raise InputError(
            f"{out} is one of the sets, or lies in one and would be read as part of it",
            hint="choose another --out",
        )
    if options.val < 0 or options.test < 0 or options.val + options.test >= 1:
        raise InputError("nothing is left for training", hint="choose smaller --val and --test")
    merged = Merged(out)
    with atomic_file(out) as temporary:
        how = {"compression": _COMPRESSION, "write_page_checksum": True}
        with pq.ParquetWriter(temporary, SCHEMA, **how) as writer:
            for group in _groups(_kept(sources, merged, options, tick)):
                writer.write_table(pa.Table.from_pylist(group, SCHEMA))
        _refuse(merged, options)
        _check(temporary, merged)
    return merged


_COMPRESSION = {name: "NONE" if name == "image" else "ZSTD" for name in COLUMNS}


def split_of(digest: str, val: float, test: float) -> Split:
    """The split of an image: the same wherever and with whatever it is merged.

    Args:
        digest: As `pixel_digest` gives it.
        val: Share of all images, 0 to 1.
        test: Likewise.
    """
    place = int(digest[:13], 16) / 16**13
    return "val" if place < val else "test" if place < val + test else "train"


def _kept(
    sources: Sequence[Source], merged: Merged, options: MergeOptions, tick: Tick
) -> Iterator[Row]:
    """The rows to write; everything else is counted."""
    seen: dict[bytes, tuple[str, str, str]] = {}
    for source in sources:
        for number, sample in enumerate(source.samples(), 1):
            tick(f"merge {source.name}", number, 0)
            name = sample.source or source.name
            counts = merged.sources.setdefault(name, Counts())
            counts.read += 1
            row = _row(sample, name, counts, merged)
            if row is None:
                continue
            digest = bytes.fromhex(row["sha256"])
            if digest in seen:
                _count_again(counts, merged, sample, row["text"], seen[digest])
                continue
            seen[digest] = (row["text"], name, sample.label)
            counts.kept += 1
            row["split"] = split_of(row["sha256"], options.val, options.test)
            merged.splits[row["split"]] = merged.splits.get(row["split"], 0) + 1
            yield row


def _count_again(
    counts: Counts, merged: Merged, sample: Sample, text: str, first: tuple[str, str, str]
) -> None:
    """Counts an image that came before."""
    first_text, first_source, first_label = first
    if text != first_text:
        counts.conflicts += 1
        if len(merged.conflicts) < _EXAMPLES:
            merged.conflicts.append(Conflict(first_label, first_text, sample.label, text))
    elif merged.sources[first_source] is counts:
        counts.duplicates_within += 1
    else:
        counts.duplicates_across += 1


def _row(sample: Sample, name: str, counts: Counts, merged: Merged) -> Row | None:
    """A row without its split; None, and counted, where the image or text is of no use."""
    text = unicodedata.normalize("NFC", sample.text).strip()
    if not normalise(text):
        counts.empty += 1
        return None
    try:
        data = _bytes(sample.image)
        pixels = decode_image(data, sample.label)
        height, width, _ = pixels.shape
        if max(height, width) > _MOST_OBLONG * min(height, width):
            raise ImageError(f"{sample.label} is too oblong: {width}x{height} pixels")
    except InputError as error:
        counts.damaged += 1
        if len(merged.damaged) < _EXAMPLES:
            merged.damaged.append(str(error))
        return None
    return {
        "image": data if _is_common(data) else _png(pixels),
        "text": text,
        "source": name,
        "sha256": pixel_digest(pixels),
        "width": width,
        "height": height,
    }


def _groups(rows: Iterator[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row["image"])
        if len(group) >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _refuse(merged: Merged, options: MergeOptions) -> None:
    total = merged.total
    if not total.read:
        raise InputError("the sets hold no images with text", hint="check the paths")
    if not total.kept:
        why = merged.damaged[0] if merged.damaged else "every text is empty"
        raise InputError(f"none of {total.read} images can be used: {why}")
    if options.strict and merged.conflicts:
        one = merged.conflicts[0]
        raise InputError(
            f"{total.conflicts} images have two texts: {one.kept}: {one.kept_text!r},"
            f" {one.dropped}: {one.dropped_text!r}",
            hint="correct one of the texts, or leave out --strict to keep the first",
        )


def _check(path: Path, merged: Merged) -> None:
    """Reads the file back: its rows by set have to be what was counted, and no image twice."""
    rows = list(read_rows(path, ["source", "sha256"]))
    found = Counter(source for source, _ in rows)
    counted = {name: counts.kept for name, counts in merged.sources.items() if counts.kept}
    unbalanced = [n for n, c in merged.sources.items() if c.kept + c.dropped != c.read]
    if dict(found) != counted or unbalanced or len({digest for _, digest in rows}) != len(rows):
        raise StoreError(
            f"{merged.out} does not hold what was counted: {dict(found)}, not {counted}",
            hint="check the disk and merge again",
        )


def _bytes(image: bytes | Path) -> bytes:
    if isinstance(image, bytes):
        return image
    try:
        with read_errors(image):
            return image.read_bytes()
    except ValueError as error:
        raise ImageError(f"{str(image)!r} is no path: {error}") from error


def _is_common(data: bytes) -> bool:
    return data.startswith((b"\x89PNG\r\n", b"\xff\xd8\xff"))


def _png(pixels: RgbImage) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, format="PNG")
    return data.getvalue()

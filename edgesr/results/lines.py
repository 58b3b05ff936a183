"""``records.jsonl``, read line by line: what can't be read is counted, and never more than that."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from edgesr.errors import StoreError
from edgesr.results.migrate import migrate
from edgesr.results.records import SCHEMA, Record

LONGEST_LINE = 16 << 20
"""Bytes; a record with every operation's time has some 100 kB."""


class RecordLines:
    """The whole records of one file, in the order they were measured.

    Iterating reads the file; afterwards `torn` and `doubled` are known. An absent file has none.

    Args:
        path: The ``records.jsonl``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn = 0
        """Lines that are no record: cut off by a crash, damaged, or not of edgesr."""
        self.doubled = 0
        """Lines that stand there twice, byte for byte, with the time they began: one measurement
        that was copied, which must not count as two."""

    def __iter__(self) -> Iterator[Record]:
        """Reads the file anew.

        Raises:
            StoreError: When it can't be read, or a record is of a newer schema.
        """
        self.torn = self.doubled = 0
        seen: set[int] = set()
        try:
            with self.path.open("rb") as file:
                for number, raw in enumerate(_lines(file), start=1):
                    if raw is not None and not raw.strip():
                        continue
                    record = None if raw is None else _record(raw, f"{self.path}:{number}")
                    if record is None:
                        self.torn += 1
                        continue
                    digest = hash(raw)
                    if digest in seen and record.started_at is not None:
                        self.doubled += 1
                        continue
                    seen.add(digest)
                    yield record
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"can't read {self.path}: {error.strerror or error}") from error


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Each line; None for one that is too long to be a record, which is never held whole."""
    while raw := file.readline(LONGEST_LINE):
        if len(raw) < LONGEST_LINE or raw.endswith(b"\n"):
            yield raw
            continue
        while raw and not raw.endswith(b"\n"):
            raw = file.readline(LONGEST_LINE)
        yield None


def _record(raw: bytes, where: str) -> Record | None:
    """The record, None where the line is none."""
    try:
        record = Record.model_validate_json(raw)
    except ValidationError:
        return _other(raw, where)
    if record.schema_version == SCHEMA and "schema_version" in record.model_fields_set:
        return record
    return _other(raw, where)


def _other(raw: bytes, where: str) -> Record | None:
    """A record of another schema, upgraded; what is no record of any is None.

    Raises:
        StoreError: When it is of a newer one.
    """
    try:
        tree = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    schema = tree.get("schema") if isinstance(tree, dict) else None
    if not isinstance(schema, int) or schema < 1:
        return None
    try:
        return Record.model_validate(migrate(tree, where=where))
    except (ValidationError, RecursionError):
        return None

"""The tidy rows as files for other programs: typed Parquet, and CSV."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from edgesr import __version__
from edgesr.analysis.rows import COLUMNS, FLAGS, NUMBERS
from edgesr.files import atomic_file

if TYPE_CHECKING:
    import pyarrow as pa

WHOLE = frozenset({
    "parameters", "macs", "size_bytes", "threads", "rounds_planned", "round", "series", "segment",
    "nodes_delegated", "nodes_total", "partitions", "inferences", "scored_images", "text_images",
    "thermal_status",
})  # fmt: skip
"""Columns of whole numbers; a broken one there is no measurement and becomes null."""
_AT_ONCE = 20_000
"""Rows."""
_LARGEST = 2.0**53
"""Whole numbers that a float tells apart."""


def write_parquet(path: Path, rows: pd.DataFrame, runs: Sequence[str]) -> None:
    """One row per round, each column with its type; unknown is null.

    The file's metadata tells ``edgesr`` (version) and ``edgesr.runs`` (JSON list of names).

    Args:
        path: Written at once; one that is there is replaced.
        rows: What `rows.tidy_rows` gives.
        runs: Names of the runs that they come from.

    Raises:
        StoreError: When it can't be written.
    """
    import pyarrow.parquet as pq

    about = {"edgesr": __version__, "edgesr.runs": json.dumps(list(runs))}
    schema = _schema().with_metadata(about)
    with (
        atomic_file(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        for batch in _batches(rows, schema):
            writer.write_table(batch)


def write_csv(path: Path, rows: pd.DataFrame) -> None:
    """The same as CSV; unknown is empty, text is quoted.

    Args:
        path: Written at once; one that is there is replaced.
        rows: What `rows.tidy_rows` gives.

    Raises:
        StoreError: When it can't be written.
    """
    from pyarrow import csv

    schema, plain = _schema(), csv.WriteOptions(include_header=False)
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        file.write((",".join(schema.names) + "\n").encode())  # as other tools' scripts expect it
        with csv.CSVWriter(file, schema, write_options=plain) as writer:
            for batch in _batches(rows, schema):
                writer.write_table(batch)


def _schema() -> "pa.Schema":
    import pyarrow as pa

    def kind(name: str) -> Any:
        if name in WHOLE:
            return pa.int64()
        if name in NUMBERS:
            return pa.float64()
        return pa.bool_() if name in FLAGS else pa.string()

    return pa.schema([(name, kind(name)) for name in COLUMNS])


def _batches(rows: pd.DataFrame, schema: "pa.Schema") -> Iterator["pa.Table"]:
    """The rows in pieces: text in one piece would stand in memory twice."""
    import pyarrow as pa

    for begin in range(0, len(rows), _AT_ONCE):
        part = rows.iloc[begin : begin + _AT_ONCE]
        yield pa.table([_column(part[field.name], field) for field in schema], schema=schema)


def _column(cells: "pd.Series[Any]", field: "pa.Field") -> "pa.Array":
    import pyarrow as pa

    if field.name in NUMBERS:
        values = cells.to_numpy(dtype=np.float64)
        unknown = np.isnan(values)
        if field.name in WHOLE:
            unknown |= (np.abs(values) > _LARGEST) | (values != np.floor(values))
            values = np.where(unknown, 0, values).astype(np.int64)
        return pa.array(values, type=field.type, mask=unknown)
    if field.name in FLAGS:
        return pa.array(cells.to_numpy(dtype=bool), type=field.type)
    texts = [None if text is None or text != text else str(text) for text in cells]  # noqa: PLR0124 - NaN
    try:
        return pa.array(texts, type=field.type)
    except UnicodeEncodeError:  # foreign JSON may hold halves of characters
        whole = (text and text.encode("utf-8", "backslashreplace").decode() for text in texts)
        return pa.array(list(whole), type=field.type)

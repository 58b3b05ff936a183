"""Reads benchmark_model's profile: what each operation costs per inference.

The tool prints two sections, initialisation and regular runs, each as tables (TAB separated) or
as what it calls CSV: the node type there is not quoted and holds commas, and in names the commas
became TABs. LiteRT's own profiler prints another table, which is not read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from edgesr.results.records import OpTime

_SECTION = "Operator-wise Profiling Info for Regular Benchmark Runs:"
_OTHER_SECTION = re.compile(r"^(?:INFO: )?(?:Profiling Info for|Operator-wise Profiling Info)")
_BLOCK = re.compile(r"^=+ (?P<title>[A-Z][A-Za-z ]+) =+\s*$")
_TOTAL = re.compile(
    r"^Timings \(microseconds\): count=(?P<count>\d{1,15})(?:.* avg=(?P<avg>[\d.e+]+))?"
    r"(?:.*curr=(?P<curr>\d{1,15}))?",
    re.ASCII,
)
_NODES = re.compile(r"^Number of nodes executed: (?P<nodes>\d{1,9})\s*$", re.ASCII)
_COLUMNS = 8
_ROUNDING_MS = 0.0006
"""Every time is rounded to a microsecond, in the tables and in the sums."""


@dataclass
class _Section:
    """One section: the rows in run order, and what the tool says of them in sum."""

    rows: list[OpTime] = field(default_factory=list)
    nodes: int | None = None
    total_ms: float | None = None


def read_op_profile(text: str) -> list[OpTime] | None:
    """What each operation costs per inference, the costliest first.

    Args:
        text: A log with the profile in it, or the profile's own file.

    Returns:
        None where there is no profile of regular runs, or a damaged one: a row that can't be
        read, rows that are missing, or times that don't sum up to the section's own total.
    """
    try:
        section = _read(_regular(text.split("\n")))
    except ValueError:
        return None
    if not section.rows or not _adds_up(section):
        return None
    return sorted(section.rows, key=lambda row: -row.ms)


def _regular(lines: list[str]) -> Iterator[str]:
    """The lines of the section of regular runs.

    Raises:
        ValueError: When there are two: two logs are mixed.
    """
    inside = False
    for number, line in enumerate(lines):
        clean = line.rstrip("\r")
        if _OTHER_SECTION.match(clean):
            starts = clean.rstrip().endswith(_SECTION)
            if starts and inside:
                raise ValueError("two profiles")
            inside = starts
        elif inside and number < len(lines) - 1:  # what follows the last line end was cut
            yield clean


def _read(lines: Iterator[str]) -> _Section:
    """The rows of the block "Run Order" and the sums.

    Raises:
        ValueError: When a row can't be read.
    """
    section = _Section()
    title, rows_due = "", False
    for line in lines:
        if found := _BLOCK.match(line):
            title, rows_due = found["title"], found["title"] == "Run Order"
            if rows_due and section.rows:
                raise ValueError("two tables of regular runs")
        elif found := _NODES.match(line):
            section.nodes = int(found["nodes"])
        elif found := _TOTAL.match(line):
            average = found["avg"] or found["curr"]
            section.total_ms = float(average) / 1000 if average else None
        elif title == "Run Order" and rows_due:
            if not line.strip():
                rows_due = False
            elif "node type" not in line:
                section.rows.append(_row(line))
    return section


def _row(line: str) -> OpTime:
    """One row of either form.

    Raises:
        ValueError: When it has other columns.
    """
    if line.startswith("\t"):
        parts = line[1:].split("\t")
    else:
        parts = line.rsplit(", ", _COLUMNS - 1)
        parts[-1] = parts[-1].replace("\t", ",")
    if len(parts) != _COLUMNS:
        raise ValueError("another number of columns")
    op, _, average, share, _, _, calls, name = (part.strip() for part in parts)
    for text in (average, share.rstrip("%"), calls):
        if not re.fullmatch(r"\d{1,12}(?:\.\d{1,12})?(?:e[-+]\d\d)?", text, re.ASCII):
            raise ValueError("a figure is damaged")
    times = int(calls)
    return OpTime(
        op=op,
        name=name,
        ms=round(float(average) * times, 6),
        pct=float(share.rstrip("%")),
        calls=times,
    )


def _adds_up(section: _Section) -> bool:
    if section.nodes is not None and section.nodes != len(section.rows):
        return False
    if abs(sum(row.pct or 0 for row in section.rows) - 100) > 0.1 + 0.001 * len(section.rows):
        return False
    if section.total_ms is None:
        return True
    calls = sum(row.calls or 0 for row in section.rows)
    total = sum(row.ms for row in section.rows)
    slack = _ROUNDING_MS * (calls + 1) + 1e-4 * section.total_ms
    return abs(total - section.total_ms) <= slack and all(
        _share_fits(row, total) for row in section.rows
    )


def _share_fits(row: OpTime, total_ms: float) -> bool:
    """Whether a row's share is its time's part of the sum."""
    if not total_ms:
        return False
    slack = 100 * _ROUNDING_MS * ((row.calls or 0) + 1) / total_ms + 0.01
    return abs(100 * row.ms / total_ms - (row.pct or 0)) <= slack

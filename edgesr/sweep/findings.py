"""What a sweep comes to, in sentences."""

from collections.abc import Sequence
from statistics import median

from edgesr.results.manifest import Variant
from edgesr.sweep.table import Row, Table

_TIE = 0.05
"""Latencies closer than this are called equal."""
_NAMED = 3
"""At most so many names in a row."""
_INTEGER: tuple[Variant, ...] = ("int8-io", "int8", "int8-island")
_REFERENCE_WORDS = {
    "float": "the float network trained for as many steps",
    "fp32": "the checkpoint in fp32",
}


def findings(table: Table, delegates: Sequence[str]) -> list[str]:
    """Best pixels, smallest file, fastest file, and where int8 is slower than fp32.

    Args:
        table: All rows, measured.
        delegates: In the order to speak of them.
    """
    compared = [row for row in table.rows if not row.is_reference and row.candidate]
    told = [_best(table, compared), _smallest(compared)]
    for delegate in delegates:
        told.append(_fastest(table, delegate))
        told += _against_float(table, delegate)
    return [sentence for sentence in told if sentence]


def _best(table: Table, rows: Sequence[Row]) -> str:
    scored = [row for row in rows if row.psnr_y is not None]
    if not scored:
        return ""
    best = max(scored, key=_psnr)
    text = f"Best pixels: {_scored(table, best)}"
    integers = [row for row in scored if row.integer_only]
    if best.integer_only or not integers:
        return f"{text}."
    return f"{text}; of the integer-only files {_scored(table, max(integers, key=_psnr))}."


def _psnr(row: Row) -> float:
    return row.psnr_y or 0.0


def _scored(table: Table, row: Row) -> str:
    text, drop = f"{row.way.name}, {row.psnr_y:.3f} dB", table.drop_db(row)
    if drop is None:
        return text
    side = "below" if drop >= 0 else "above"
    return f"{text}, {abs(drop):.3f} dB {side} {_REFERENCE_WORDS[row.way.reference]}"


def _smallest(rows: Sequence[Row]) -> str:
    sized = [(row.size_bytes, row) for row in rows if row.size_bytes is not None]
    if not sized:
        return ""
    size = min(size for size, _ in sized)
    names = [row.way.name for found, row in sized if found == size]
    if len(names) > _NAMED:  # integer files of one network hold as many bytes
        names = [*names[: _NAMED - 1], f"{len(names) - _NAMED + 1} others"]
    return f"Smallest: {_listed(names)}, {size / 1000:.1f} KB."


def _fastest(table: Table, delegate: str) -> str:
    timed = [(_us(row, delegate), row) for row in table.rows]
    found = [(us, row) for us, row in timed if us is not None]
    if not found:
        return f"Nothing ran on {delegate}."
    us = min(us for us, _ in found)
    names = [row.way.name for each, row in found if each <= us * (1 + _TIE)]
    if len(names) > _NAMED:
        names = [*names[: _NAMED - 1], f"{len(names) - _NAMED + 1} others"]
    return f"Fastest on {delegate}: {_listed(names)}, {us / 1e3:.3g} ms."


def _against_float(table: Table, delegate: str) -> list[str]:
    """Each integer form against fp32: the median over the rows that have the form."""
    base = [us for row in table.rows if row.is_reference and (us := _us(row, delegate))]
    if not base:
        return []
    ratios: dict[str, float] = {}
    for variant in _INTEGER:
        rows = [row for row in table.rows if row.way.variant == variant]
        times = [us for row in rows if (us := _us(row, delegate))]
        if times:
            ratios[variant] = median(times) / median(base)
    slower = {name: ratio for name, ratio in ratios.items() if ratio > 1 + _TIE}
    faster = {name: ratio for name, ratio in ratios.items() if ratio < 1 - _TIE}
    equal = [name for name in ratios if name not in slower | faster]
    told = []
    if slower:
        instead = min(faster, key=lambda name: faster[name], default="fp32 or fp16")
        told.append(
            f"On {delegate} these are slower than fp32: {_times(slower)} as long; "
            f"use {instead} there."
        )
    if faster:
        told.append(f"On {delegate} these are faster than fp32: {_times(faster)} as long.")
    if equal:
        told.append(f"On {delegate} {_listed(equal)} and fp32 take equally long.")
    return told


def _times(ratios: dict[str, float]) -> str:
    return _listed([f"{name} takes {ratio:.2f} times" for name, ratio in ratios.items()])


def _us(row: Row, delegate: str) -> float | None:
    return row.latency_us.get(delegate)


def _listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last

"""Run folders -> one tidy row per job and round, with everything a reader needs beside it."""

import json
import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from edgesr.analysis.devices import devices_of
from edgesr.analysis.job_facts import job_key, job_part
from edgesr.analysis.legibility import TEXT_NUMBERS
from edgesr.analysis.round_facts import round_part
from edgesr.analysis.trust import Finding, place_findings, weigh
from edgesr.errors import InputError
from edgesr.results.records import Job, Record
from edgesr.results.store import RunFolder

Row = Mapping[str, Any]
"""One row of the table as `tidy_rows` gives it, by `COLUMNS`."""
NOT_MEASURED = "not measured"
"""Status of a job that was planned and has no record."""


@dataclass(frozen=True)
class RunData:
    """One run folder, read once."""

    folder: RunFolder
    header: dict[str, Any]
    """The parsed run.json."""
    rows: pd.DataFrame = field(compare=False, repr=False)
    """Its part of the table, see `tidy_rows`."""
    recorded: int
    """Whole records, also those that no job is known of."""
    torn_lines: int
    """Record lines that could not be read."""
    doubled_lines: int = 0
    """Record lines that stood there twice; each counts once."""

    @property
    def name(self) -> str:
        """The run's id, or its folder's name where the header holds none."""
        return name_of(self.folder, self.header)


def name_of(folder: RunFolder, header: Mapping[str, Any]) -> str:
    """A run's id, or its folder's name where the header holds none."""
    return str(header.get("run") or folder.path.name)


def read_run(folder: RunFolder) -> RunData:
    """Reads a run folder; of a damaged one up to the last whole record.

    Records become rows one after another: all at once, those of a large run need gigabytes.

    Raises:
        StoreError: When run.json is damaged, or anything is of a newer schema.
    """
    header, lines = folder.header(), folder.scan()
    table = _Table(name_of(folder, header), header)
    recorded = 0
    for record in lines:
        recorded += 1
        if record.job is not None:  # of a log recorded elsewhere nobody knows what it measured
            table.add(record.job, record)
    table.add_planned()
    return RunData(folder, header, table.frame(), recorded, lines.torn, lines.doubled)


def tidy_rows(runs: Sequence[RunData]) -> pd.DataFrame:
    """One row per job and round; a planned job without any record gets one row.

    Times are in ms, memory in MiB, sizes in bytes. Numbers that are missing, not finite, or
    negative where that makes no sense are NaN. ``doubts`` is a JSON list of {code, numbers},
    ``profile`` one of {op, name, ms, pct, calls}; ``trust`` is A, B or C (`analysis.trust`), and
    ``trust_reasons`` are the codes that keep it from A. ``pace_fps`` is NaN for rows without a
    pace, and only these are latencies to compare.

    Args:
        runs: The runs, in the order their rows shall have.

    Raises:
        InputError: When one is a copy of another: its rounds would count twice.
    """
    found: dict[str, RunData] = {}
    for run in runs:
        same = found.setdefault(run.name, run)
        if same is not run:
            raise InputError(
                f"{same.folder.path} and {run.folder.path} are both run {run.name}: their rounds "
                "would count twice",
                hint="one is a copy of the other: name only one of them",
            )
    if len(runs) == 1:
        return runs[0].rows
    parts = [run.rows for run in runs] or [_Table("", {}).frame()]
    return pd.concat(parts, ignore_index=True)


def known(rows: Sequence[Row], name: str) -> list[Any]:
    """The values of one column that are there: neither None nor NaN."""
    return [value for row in rows if (value := row[name]) is not None and value == value]  # noqa: PLR0124 - NaN


def grouped(rows: pd.DataFrame, names: Sequence[str] = ()) -> Iterable[list[dict[str, Any]]]:
    """The rows of each run and job as dictionaries, in the order of first appearance.

    Args:
        rows: What `tidy_rows` gives, or a part of it.
        names: The columns that are wanted; all without.
    """
    columns = list(names or COLUMNS)
    groups = rows.groupby(["run", "key"], sort=False, dropna=False).ngroup().to_numpy()
    order = groups.argsort(kind="stable")
    groups = groups[order]
    starts = [0, *(1 + (groups[1:] != groups[:-1]).nonzero()[0]), len(groups)]
    for first in range(0, len(starts) - 1, _AT_ONCE):  # all dictionaries at once need gigabytes
        ends = starts[first : first + _AT_ONCE + 1]
        part = rows.iloc[order[ends[0] : ends[-1]]]
        cells = zip(*(part[name].tolist() for name in columns), strict=True)
        made = [dict(zip(columns, row, strict=True)) for row in cells]
        for begin, end in pairwise(ends):
            if end > begin:
                yield made[begin - ends[0] : end - ends[0]]


_AT_ONCE = 256
"""Jobs."""


NUMBERS = (
    "scale", "parameters", "macs", "size_bytes", "threads", "pace_fps", "rounds_planned", "round",
    "series", "segment", "segment_s", "nodes_delegated", "nodes_total", "partitions",
    "latency_ms", "latency_avg_ms", "latency_min_ms", "latency_max_ms", "latency_p95_ms",
    "inferences", "init_ms", "memory_init_mb", "memory_mb", "memory_peak_mb", "memory_pss_mb",
    "psnr_y", "psnr_y_low", "psnr_y_high", "ssim_y", "ssim_y_low", "ssim_y_high",
    "reference_psnr_db", "reference_max_abs", "floor_db", "scored_images", "bicubic_psnr_y",
    "bicubic_ssim_y", *TEXT_NUMBERS, "bicubic_cer", "truth_cer", "temperature_before_c",
    "temperature_after_c", "cpu_temperature_before_c", "cpu_temperature_after_c",
    "thermal_status", "battery_pct", "clock_mhz", "clock_limit_mhz", "busy_pct",
)  # fmt: skip
"""Columns of floats, NaN where unknown."""
FLAGS = ("simulated", "listed")
"""Columns of truth values. All others are text, None where there is none."""
COLUMNS = (
    "run", "key", "candidate", "name", "variant", "arch", "scale", "parameters", "macs",
    "input", "size_bytes", "device", "device_label", "device_class", "simulated", "listed",
    "delegate", "threads",
    "pace_fps", "rounds_planned", "round", "series", "segment", "segment_s", "status", "reason",
    "cause", "trust", "trust_reasons",
    "outcome", "nodes_delegated", "nodes_total", "partitions", "refused_ops",
    "latency_ms", "latency_from", "latency_avg_ms", "latency_min_ms", "latency_max_ms",
    "latency_p95_ms",
    "inferences", "init_ms", "init_kind", "memory_init_mb", "memory_mb", "memory_peak_mb",
    "memory_pss_mb", "psnr_y", "psnr_y_low", "psnr_y_high", "ssim_y", "ssim_y_low",
    "ssim_y_high", "reference_psnr_db", "reference_max_abs", "floor_db",
    "scored_images", "bicubic_psnr_y", "bicubic_ssim_y", *TEXT_NUMBERS, "ocr", "bicubic_cer",
    "truth_cer", "per_image", "temperature_before_c",
    "temperature_after_c", "cpu_temperature_before_c", "cpu_temperature_after_c",
    "thermal_status", "battery_pct", "clock_mhz", "clock_limit_mhz", "busy_pct", "engine",
    "engine_sha256", "doubts", "profile", "started_at", "log",
)  # fmt: skip


JOB_COLUMNS = frozenset(
    {
        "run", "key", "candidate", "name", "variant", "arch", "scale", "parameters", "macs",
        "input", "size_bytes", "device", "device_label", "device_class", "listed", "delegate",
        "threads", "pace_fps", "rounds_planned", "bicubic_psnr_y", "bicubic_ssim_y",
        "bicubic_cer", "truth_cer",
    }
)  # fmt: skip
"""Columns that are the same in all rows of a job."""
_NUMBERS = tuple(name for name in NUMBERS if name not in JOB_COLUMNS)
_numbers_of = itemgetter(*_NUMBERS)
_NO_ROUND = {
    name: math.nan if name in NUMBERS else None for name in COLUMNS if name not in JOB_COLUMNS
}


class _Table:
    """The rows of one run while it is read, by column: a row's own objects would be too large.

    Args:
        run: The run's name.
        header: Its run.json.
    """

    def __init__(self, run: str, header: dict[str, Any]) -> None:
        self._run, self._header, self._devices = run, header, devices_of(header)
        self._jobs: list[dict[str, Any]] = []
        self._places: dict[Job, int] = {}
        self._place = array("q")
        """Of each row: which of the jobs it belongs to."""
        self._numbers = array("d")
        """Row after row, by `_NUMBERS`."""
        self._others: dict[str, list[Any]] = {
            name: [] for name in COLUMNS if name not in JOB_COLUMNS and name not in NUMBERS
        }
        self._texts: dict[Any, Any] = {}

    def add(self, job: Job, record: Record) -> None:
        """One row for a record of a job."""
        place = self._places.get(job)
        if place is None:
            place = self._places[job] = self._new_job(job.model_dump())
        self._append(place, round_part(record), ran_simulated=record.simulated)

    def add_planned(self) -> None:
        """One row for each job of the plan that no record tells of."""
        keys = {job["key"] for job in self._jobs}
        jobs = self._header.get("jobs")
        for planned in jobs if isinstance(jobs, list) else []:
            if isinstance(planned, dict) and (key := job_key(planned)) not in keys:
                keys.add(key)
                row = {**_NO_ROUND, "status": NOT_MEASURED, "doubts": "[]"}
                self._append(self._new_job(planned), row)

    def frame(self) -> pd.DataFrame:
        """All rows so far."""
        place = np.frombuffer(self._place, dtype=np.int64)
        numbers = np.frombuffer(self._numbers).reshape(-1, len(_NUMBERS))
        columns: dict[str, Any] = {}
        for name in COLUMNS:
            kind = "float64" if name in NUMBERS else "bool" if name in FLAGS else "object"
            cells: Any = self._others.get(name)
            if name in JOB_COLUMNS:
                cells = np.array([job[name] for job in self._jobs], dtype=kind)[place]
            elif name in NUMBERS:
                cells = numbers[:, _NUMBERS.index(name)]
            columns[name] = pd.Series(cells, dtype=kind)
        return pd.DataFrame(columns, columns=list(COLUMNS))

    def _new_job(self, job: dict[str, Any]) -> int:
        self._jobs.append(job_part(self._run, self._header, job, self._devices))
        return len(self._jobs) - 1

    def _append(
        self, place: int, row: dict[str, Any], *, ran_simulated: bool | None = None
    ) -> None:
        job = self._jobs[place]
        row["simulated"] = bool(ran_simulated) or job["simulated"]
        row["trust"], row["trust_reasons"] = _grade(
            row["status"],
            row["outcome"],
            row["doubts"],
            measured=not math.isnan(row["latency_ms"]),
            simulated=row["simulated"],
            listed=job["listed"],
        )
        self._place.append(place)
        self._numbers.extend(_numbers_of(row))
        same = self._texts.setdefault
        for name, column in self._others.items():
            value = row[name]
            column.append(same(value, value))  # equal texts are kept once


@lru_cache(maxsize=4096)
def _grade(
    status: str, outcome: str | None, doubts: str, *, measured: bool, simulated: bool, listed: bool
) -> tuple[str, str]:
    """The trust of a row and what keeps it from A, separated by spaces."""
    found = [*place_findings(status, outcome, measured=measured)]
    found += [(doubt["code"], doubt["numbers"]) for doubt in json.loads(doubts)]
    found += device_findings(simulated=simulated, listed=listed)
    trust = weigh(found)
    return trust.grade, " ".join(trust.reasons)


def device_findings(*, simulated: bool, listed: bool) -> list[Finding]:
    """What the device itself says against a number measured on it."""
    found = [("simulated", simulated), ("unlisted", not listed)]
    return [(code, {}) for code, holds in found if holds]

"""Run folders -> one tidy row per job and round, with everything a reader needs beside it."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from edgesr.results.records import Record
from edgesr.results.store import RunFolder

LONGEST_US = 3600e6
"""An hour for one frame: whatever says more is no measurement."""
NOT_MEASURED = "not measured"
"""Status of a job that was planned and has no record."""


@dataclass(frozen=True)
class RunData:
    """One run folder, read once."""

    folder: RunFolder
    header: dict[str, Any]
    """The parsed run.json."""
    records: tuple[Record, ...]
    torn_lines: int
    """Record lines that could not be read."""

    @property
    def name(self) -> str:
        """The run's id, or its folder's name where the header holds none."""
        return str(self.header.get("run") or self.folder.path.name)


def read_run(folder: RunFolder) -> RunData:
    """Reads a run folder.

    Raises:
        StoreError: When run.json is damaged, or anything is of a newer schema.
    """
    return RunData(folder, folder.header(), tuple(folder.records()), folder.torn_lines())


def tidy_rows(runs: Sequence[RunData]) -> pd.DataFrame:
    """One row per job and round; a planned job without any record gets one row.

    Times are in ms, memory in MiB, sizes in bytes. Numbers that are missing, not finite, or
    negative where that makes no sense are NaN. ``doubts`` is a JSON list of {code, numbers}.

    Args:
        runs: The runs, in the order their rows shall have.
    """
    rows = [row for run in runs for row in _rows_of(run)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


COLUMNS = (
    "run", "key", "candidate", "name", "variant", "arch", "scale", "parameters", "macs",
    "input", "size_bytes", "device", "device_label", "delegate", "threads", "rounds_planned",
    "round", "status", "reason", "outcome", "nodes_delegated", "nodes_total", "partitions",
    "latency_ms", "latency_from", "latency_min_ms", "latency_max_ms", "latency_p95_ms",
    "inferences", "init_ms", "memory_init_mb", "memory_mb", "memory_peak_mb", "psnr_y", "ssim_y",
    "reference_psnr_db", "reference_max_abs", "bicubic_psnr_y", "bicubic_ssim_y", "doubts",
    "started_at", "log",
)  # fmt: skip


def mapping(value: object) -> dict[str, Any]:
    """``value`` when it is a dictionary, else an empty one: headers come from foreign machines."""
    return value if isinstance(value, dict) else {}


def number(value: object, *, least: float = -math.inf) -> float:
    """``value`` as a float, NaN when it is no finite number or below ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    found = float(value)
    return found if math.isfinite(found) and found >= least else math.nan


def _rows_of(run: RunData) -> list[dict[str, Any]]:
    rows, seen = [], set()
    for record in run.records:
        if record.job is None:  # a log recorded elsewhere: nobody knows what it measured
            continue
        seen.add(record.job.key)
        rows.append({**_job_part(run, record.job.model_dump()), **_round_part(record)})
    for planned in _planned(run.header):
        row = _job_part(run, planned)
        if row["key"] not in seen:
            seen.add(row["key"])
            rows.append({**row, "status": NOT_MEASURED, "doubts": "[]"})
    return rows


def _planned(header: dict[str, Any]) -> list[dict[str, Any]]:
    jobs = header.get("jobs")
    return [job for job in jobs if isinstance(job, dict)] if isinstance(jobs, list) else []


def _job_part(run: RunData, job: dict[str, Any]) -> dict[str, Any]:
    """What is the same for all rounds of a job, from the plan and the candidate's manifest."""
    candidate, device = str(job.get("candidate", "")), str(job.get("device", ""))
    delegate, threads = str(job.get("delegate", "")), job.get("threads")
    manifest = mapping(mapping(run.header.get("candidates")).get(candidate))
    model = mapping(manifest.get("model"))
    scale = number(model.get("scale"), least=1)
    bicubic = _bicubic(run.header, scale, manifest)
    return {
        "run": run.name,
        "key": _key(candidate, device, delegate, threads),
        "candidate": candidate,
        "name": str(manifest.get("name") or candidate[:12]),
        "variant": str(job.get("variant") or manifest.get("variant") or "unknown"),
        "arch": str(model.get("arch") or ""),
        "scale": scale,
        "parameters": number(model.get("parameters"), least=0),
        "macs": number(model.get("macs"), least=0),
        "input": _input_size(manifest),
        "size_bytes": number(manifest.get("size_bytes"), least=0),
        "device": device,
        "device_label": _device_label(run.header, device),
        "delegate": delegate,
        "threads": number(threads, least=1),
        "rounds_planned": number(mapping(run.header.get("suite")).get("rounds"), least=1),
        "bicubic_psnr_y": number(bicubic.get("psnr_y")),
        "bicubic_ssim_y": number(bicubic.get("ssim_y")),
    }


def _key(candidate: str, device: str, delegate: str, threads: object) -> str:
    """The job's key as `results.records.Job` makes it."""
    serial = "".join(c if c.isalnum() or c in "-." else "_" for c in device)
    return f"{candidate[:12]}-{serial}-{delegate}-t{threads}"


def _input_size(manifest: dict[str, Any]) -> str:
    """``640×360`` (width times height) of the first input, or nothing."""
    inputs = manifest.get("inputs")
    first = mapping(inputs[0]) if isinstance(inputs, list) and inputs else {}
    shape = first.get("shape")
    return f"{shape[2]}×{shape[1]}" if isinstance(shape, list) and len(shape) == 4 else ""


def _bicubic_key(scale: float, manifest: dict[str, Any]) -> str:
    width, _, height = _input_size(manifest).partition("×")
    return f"{scale:.0f}:{height}x{width}"


def _device_label(header: dict[str, Any], device: str) -> str:
    model = mapping(mapping(header.get("devices")).get(device)).get("model")
    return f"{device} ({model})" if model and model != device else device


def _bicubic(header: dict[str, Any], scale: float, manifest: dict[str, Any]) -> dict[str, Any]:
    """Bicubic's mean quality on the same regions, given per scale and input size.

    Older runs give it per scale, or for the only scale.
    """
    found = mapping(mapping(header.get("accuracy")).get("bicubic"))
    if "psnr_y" in found or math.isnan(scale):
        return found
    older = found.get(f"{scale:.0f}")
    return mapping(found.get(_bicubic_key(scale, manifest), older))


def _round_part(record: Record) -> dict[str, Any]:
    """What this one round measured."""
    latency, memory, quality = record.latency_us, record.memory_mb, record.accuracy
    verdict = record.verdict
    typical, source = _typical_us(record)
    return {
        "round": record.round,
        "status": record.status,
        "reason": record.reason,
        "outcome": verdict.outcome if verdict else None,
        "nodes_delegated": number(verdict.nodes_delegated if verdict else None, least=0),
        "nodes_total": number(verdict.nodes_total if verdict else None, least=0),
        "partitions": number(verdict.partitions if verdict else None, least=0),
        "latency_ms": typical / 1e3,
        "latency_from": source,
        "latency_min_ms": number(latency.min if latency else None, least=0) / 1e3,
        "latency_max_ms": number(latency.max if latency else None, least=0) / 1e3,
        "latency_p95_ms": number(latency.p95 if latency else None, least=0) / 1e3,
        "inferences": number(latency.count if latency else None, least=0),
        "init_ms": number(record.init_us, least=0) / 1e3,
        "memory_init_mb": number(memory.init if memory else None, least=0),
        "memory_mb": number(memory.overall if memory else None, least=0),
        "memory_peak_mb": number(memory.peak if memory else None, least=0),
        "psnr_y": number(quality.psnr_y if quality else None),
        "ssim_y": number(quality.ssim_y if quality else None),
        "reference_psnr_db": number(quality.reference_psnr_db if quality else None),
        "reference_max_abs": number(quality.reference_max_abs if quality else None, least=0),
        "doubts": json.dumps([doubt.model_dump() for doubt in record.doubts]),
        "started_at": record.started_at,
        "log": record.log.path if record.log else None,
    }


def _typical_us(record: Record) -> tuple[float, str | None]:
    """The round's median in µs, or its average where the engine prints no median."""
    if record.status != "ok" or record.latency_us is None:
        return math.nan, None
    for source in ("median", "avg"):
        found = number(getattr(record.latency_us, source), least=0)
        if 0 < found <= LONGEST_US:
            return found, source
    return math.nan, None

"""Run folders -> one tidy row per job and round, with everything a reader needs beside it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import ValidationError

from edgesr.analysis.devices import DeviceFacts, devices_of, mapping, number
from edgesr.analysis.legibility import TEXT_NUMBERS, baselines, text_part
from edgesr.analysis.operations import operations_text
from edgesr.analysis.trust import Finding, place_findings, weigh
from edgesr.results.records import DeviceState, Interval, Job, Record, Segment
from edgesr.results.store import RunFolder

LONGEST_US = 3600e6
"""An hour for one frame: whatever says more is no measurement."""
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
    negative where that makes no sense are NaN. ``doubts`` is a JSON list of {code, numbers},
    ``profile`` one of {op, name, ms, pct, calls}; ``trust`` is A, B or C (`analysis.trust`), and
    ``trust_reasons`` are the codes that keep it from A. ``pace_fps`` is NaN for rows without a
    pace, and only these are latencies to compare.

    Args:
        runs: The runs, in the order their rows shall have.
    """
    rows = [row for run in runs for row in _rows_of(run)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def known(rows: Sequence[Row], name: str) -> list[Any]:
    """The values of one column that are there: neither None nor NaN."""
    return [row[name] for row in rows if row[name] is not None and row[name] == row[name]]


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
    "truth_cer", "temperature_before_c",
    "temperature_after_c", "cpu_temperature_before_c", "cpu_temperature_after_c",
    "thermal_status", "battery_pct", "clock_mhz", "clock_limit_mhz", "busy_pct", "engine",
    "engine_sha256", "doubts", "profile", "started_at", "log",
)  # fmt: skip


def _rows_of(run: RunData) -> list[dict[str, Any]]:
    rows, seen, devices = [], set(), devices_of(run.header)
    for record in run.records:
        if record.job is None:  # a log recorded elsewhere: nobody knows what it measured
            continue
        seen.add(record.job.key)
        row = {**_job_part(run, record.job.model_dump(), devices), **_round_part(record)}
        row["simulated"] = bool(record.simulated) or row["simulated"]
        rows.append(_graded(row, [(doubt.code, doubt.numbers) for doubt in record.doubts]))
    for planned in _planned(run.header):
        row = {**_job_part(run, planned, devices), "status": NOT_MEASURED, "doubts": "[]"}
        if row["key"] not in seen:
            seen.add(row["key"])
            rows.append(_graded(row, []))
    return rows


def _graded(row: dict[str, Any], doubts: list[Finding]) -> dict[str, Any]:
    """The row with its trust grade."""
    measured = not math.isnan(row.get("latency_ms", math.nan))
    found = [*place_findings(row["status"], row.get("outcome"), measured=measured), *doubts]
    found += device_findings(simulated=row["simulated"], listed=row["listed"])
    trust = weigh(found)
    return {**row, "trust": trust.grade, "trust_reasons": " ".join(trust.reasons)}


def device_findings(*, simulated: bool, listed: bool) -> list[Finding]:
    """What the device itself says against a number measured on it."""
    found = [("simulated", simulated), ("unlisted", not listed)]
    return [(code, {}) for code, holds in found if holds]


def _planned(header: dict[str, Any]) -> list[dict[str, Any]]:
    jobs = header.get("jobs")
    return [job for job in jobs if isinstance(job, dict)] if isinstance(jobs, list) else []


def _job_part(
    run: RunData, job: dict[str, Any], devices: Mapping[str, DeviceFacts]
) -> dict[str, Any]:
    """What is the same for all rounds of a job, from the plan and the candidate's manifest."""
    candidate, device = str(job.get("candidate", "")), str(job.get("device", ""))
    delegate, threads = str(job.get("delegate", "")), job.get("threads")
    manifest = mapping(mapping(run.header.get("candidates")).get(candidate))
    model = mapping(manifest.get("model"))
    scale = number(model.get("scale"), least=1)
    bicubic = _bicubic(run.header, scale, manifest)
    known = devices.get(device) or DeviceFacts(device, {}, {})
    return {
        "run": run.name,
        "key": _key(job),
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
        "device_label": known.label,
        "device_class": known.device_class,
        "simulated": known.simulated,
        "listed": not known.unlisted,
        "delegate": delegate,
        "threads": number(threads, least=1),
        "pace_fps": number(job.get("pace_fps"), least=0),
        "rounds_planned": number(mapping(run.header.get("suite")).get("rounds"), least=1),
        "bicubic_psnr_y": number(bicubic.get("psnr_y")),
        "bicubic_ssim_y": number(bicubic.get("ssim_y")),
        **baselines(mapping(run.header.get("accuracy")), _group_key(scale, manifest)),
    }


def _key(job: Mapping[str, Any]) -> str:
    """The job's key as its records have it; one from a damaged plan just has to be unique."""
    try:
        return Job.model_validate(job).key
    except ValidationError:
        return json.dumps(job, default=str)


def _input_size(manifest: dict[str, Any]) -> str:
    """``640×360`` (width times height) of the first input, or nothing."""
    inputs = manifest.get("inputs")
    first = mapping(inputs[0]) if isinstance(inputs, list) and inputs else {}
    shape = first.get("shape")
    return f"{shape[2]}×{shape[1]}" if isinstance(shape, list) and len(shape) == 4 else ""


def _group_key(scale: float, manifest: dict[str, Any]) -> str:
    width, _, height = _input_size(manifest).partition("×")
    return f"{scale:.0f}:{height}x{width}"


def _bicubic(header: dict[str, Any], scale: float, manifest: dict[str, Any]) -> dict[str, Any]:
    """Bicubic's mean quality on the same regions, given per scale and input size.

    Older runs give it per scale, or for the only scale.
    """
    found = mapping(mapping(header.get("accuracy")).get("bicubic"))
    if "psnr_y" in found or math.isnan(scale):
        return found
    older = found.get(f"{scale:.0f}")
    return mapping(found.get(_group_key(scale, manifest), older))


def _round_part(record: Record) -> dict[str, Any]:
    """What this one round measured."""
    latency, verdict = record.latency_us, record.verdict
    typical, source = _typical_us(record)
    return {
        "round": record.round,
        **_segment_part(record.segment),
        "status": record.status,
        "reason": record.reason,
        "cause": record.cause,
        "outcome": verdict.outcome if verdict else None,
        "nodes_delegated": number(verdict.nodes_delegated if verdict else None, least=0),
        "nodes_total": number(verdict.nodes_total if verdict else None, least=0),
        "partitions": number(verdict.partitions if verdict else None, least=0),
        "refused_ops": " ".join(verdict.refused_ops) if verdict else "",
        "latency_ms": typical / 1e3,
        "latency_from": source,
        "latency_avg_ms": number(latency.avg if latency else None, least=0) / 1e3,
        "latency_min_ms": number(latency.min if latency else None, least=0) / 1e3,
        "latency_max_ms": number(latency.max if latency else None, least=0) / 1e3,
        "latency_p95_ms": number(latency.p95 if latency else None, least=0) / 1e3,
        "inferences": number(latency.count if latency else None, least=0),
        "init_ms": number(record.init_us, least=0) / 1e3,
        "init_kind": record.init_kind,
        **_memory_part(record),
        **_quality_part(record),
        **_condition_part(record.before or DeviceState(), record.after or DeviceState()),
        "engine": record.engine.name if record.engine else None,
        "engine_sha256": record.engine.sha256 if record.engine else None,
        "doubts": json.dumps([doubt.model_dump() for doubt in record.doubts]),
        "profile": operations_text(record.profile) if record.profile else None,
        "started_at": record.started_at,
        "log": record.log.path if record.log else None,
    }


def _segment_part(segment: Segment | None) -> dict[str, float]:
    """Where in its series a paced round is, from 0."""
    return {
        "series": number(segment.series if segment else None, least=0),
        "segment": number(segment.number if segment else None, least=0),
        "segment_s": number(segment.seconds if segment else None, least=0),
    }


def _memory_part(record: Record) -> dict[str, float]:
    memory = record.memory_mb
    return {
        "memory_init_mb": number(memory.init if memory else None, least=0),
        "memory_mb": number(memory.overall if memory else None, least=0),
        "memory_peak_mb": number(memory.peak if memory else None, least=0),
        "memory_pss_mb": number(memory.pss if memory else None, least=0),
    }


def _quality_part(record: Record) -> dict[str, Any]:
    quality = record.accuracy
    return {
        "psnr_y": number(quality.psnr_y if quality else None),
        **_ends("psnr_y", quality.psnr_y_interval if quality else None),
        "ssim_y": number(quality.ssim_y if quality else None),
        **_ends("ssim_y", quality.ssim_y_interval if quality else None),
        "reference_psnr_db": number(quality.reference_psnr_db if quality else None),
        "reference_max_abs": number(quality.reference_max_abs if quality else None, least=0),
        "floor_db": number(quality.floor_db if quality else None),
        "scored_images": number(quality.images if quality else None, least=0),
        **text_part(quality),
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float]:
    """Both ends of a mean's interval over the pictures."""
    low, high = (interval.low, interval.high) if interval else (None, None)
    return {f"{name}_low": number(low), f"{name}_high": number(high)}


def _condition_part(before: DeviceState, after: DeviceState) -> dict[str, float]:
    """The device around the round; of what may only get worse, the worse reading."""
    limits = [number(s.big_core_limit_mhz, least=1) for s in (before, after)]
    throttling = [number(s.thermal_status, least=0) for s in (before, after)]
    clock = number(after.big_core_clock_mhz, least=1)
    return {
        "temperature_before_c": number(before.temperature_c),
        "temperature_after_c": number(after.temperature_c),
        "cpu_temperature_before_c": number(before.cpu_temperature_c),
        "cpu_temperature_after_c": number(after.cpu_temperature_c),
        "thermal_status": max((x for x in throttling if not math.isnan(x)), default=math.nan),
        "battery_pct": number(before.battery_pct, least=0),
        "clock_mhz": clock,
        "clock_limit_mhz": min((x for x in limits if not math.isnan(x)), default=math.nan),
        "busy_pct": number(before.busy_pct, least=0),
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

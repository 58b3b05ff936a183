"""What one round measured, as plain cells; numbers that make no sense are NaN."""

import json
import math
from collections.abc import Sequence
from typing import Any

from edgesr.analysis.devices import number
from edgesr.analysis.legibility import text_part
from edgesr.analysis.operations import operations_text
from edgesr.results.records import DeviceState, Doubt, Interval, Record, Segment

SHORTEST_US, LONGEST_US = 0.001, 3600e6
"""A nanosecond and an hour for one frame: what says less or more is no measurement."""


def round_part(record: Record) -> dict[str, Any]:
    """The cells of one round."""
    latency, verdict = record.latency_us, record.verdict
    typical, source = _typical_us(record)
    return {
        "round": number(record.round),
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
        "doubts": _doubts(record.doubts),
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
    if quality is None:
        return _UNSCORED
    return {
        "psnr_y": number(quality.psnr_y),
        **_ends("psnr_y", quality.psnr_y_interval),
        "ssim_y": number(quality.ssim_y),
        **_ends("ssim_y", quality.ssim_y_interval),
        "reference_psnr_db": number(quality.reference_psnr_db),
        "reference_max_abs": number(quality.reference_max_abs, least=0),
        "floor_db": number(quality.floor_db),
        "scored_images": number(quality.images, least=0),
        "per_image": quality.per_image,
        **text_part(quality),
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float]:
    """Both ends of a mean's interval over the pictures."""
    low, high = (interval.low, interval.high) if interval else (None, None)
    return {f"{name}_low": number(low), f"{name}_high": number(high)}


_UNSCORED: dict[str, Any] = {
    **dict.fromkeys(
        (
            "psnr_y", "psnr_y_low", "psnr_y_high", "ssim_y", "ssim_y_low", "ssim_y_high",
            "reference_psnr_db", "reference_max_abs", "floor_db", "scored_images",
        ),
        math.nan,
    ),
    "per_image": None,
    **text_part(None),
}  # fmt: skip


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
        if SHORTEST_US <= found <= LONGEST_US:
            return found, source
    return math.nan, None


def _doubts(doubts: Sequence[Doubt]) -> str:
    return json.dumps([{"code": one.code, "numbers": one.numbers} for one in doubts])

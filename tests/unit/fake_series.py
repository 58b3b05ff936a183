"""Runs with invented paced series, made through the real store."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edgesr.results.records import DeviceState, Job, Latency, Record, Segment
from edgesr.results.store import RunFolder, Workspace
from tests.unit.fake_runs import PHONES, candidate_id, header, manifest, ok_record

NAME = "elsr_x2-360x640-fp16"
PHONE = "2A111FDH2005XY"
BEGIN = datetime(2026, 11, 25, 12, tzinfo=UTC)
Point = tuple[float, float | None, float | None]
Curve = Callable[[int], Point]
"""Segment -> (median ms, battery °C, MHz allowed)."""


def steady(_number: int) -> tuple[float, float, float]:
    return 20.0, 32.0, 2850.0


def throttling(number: int) -> tuple[float, float, float]:
    """Half the clock and twice the time from the ninth segment on, while it gets hotter."""
    return (20.0, 31 + number, 2850.0) if number < 8 else (45.0, 31 + number, 1400.0)


def job(fps: float, device: str = PHONE, delegate: str = "xnnpack") -> Job:
    return Job(candidate=candidate_id(NAME), variant="fp16", device=device, delegate=delegate,
               threads=4, pace_fps=fps)  # fmt: skip


def segment_record(  # noqa: PLR0913 - what the tests vary
    job: Job,
    number: int,
    point: Point,
    *,
    series: int = 0,
    count: int = 20,
    seconds: float = 30.0,
    gap_s: float = 2.0,
    begin: datetime = BEGIN,
    **changes: Any,
) -> Record:
    """One segment; frames that take longer than they may make the count fall."""
    ms, heat, clock = point
    fps = job.pace_fps or 30.0
    done = min(round(fps * seconds), int(1000 * seconds / ms))
    us = 1000 * ms
    started = begin + timedelta(seconds=number * (seconds + gap_s))
    return ok_record(
        job, number, ms,
        segment=Segment(series=series, number=number, count=count, seconds=seconds),
        started_at=started.isoformat(),
        latency_us=Latency(avg=us, min=us * 0.96, max=us * 1.4, median=us, p95=us * 1.1,
                           count=done),
        before=DeviceState(temperature_c=heat, big_core_limit_mhz=clock),
        after=DeviceState(temperature_c=heat, big_core_limit_mhz=clock, thermal_status=0),
        **changes,
    )  # fmt: skip


def bad_record(job: Job, number: int, status: str = "failed", **changes: Any) -> Record:
    """A segment without figures."""
    started = BEGIN + timedelta(seconds=32 * number)
    fields: dict[str, Any] = {
        "job": job, "round": number, "status": status, "reason": "exit code 1",
        "segment": Segment(series=0, number=number, count=20, seconds=30),
        "started_at": started.isoformat(), **changes,
    }  # fmt: skip
    return Record(**fields)


def series_run(workspace: Path, records: Sequence[Record], *, segments: int = 20) -> RunFolder:
    """A run that holds these records of one candidate."""
    jobs = list({r.job.key: r.job for r in records if r.job}.values())
    suite = {"name": "sustained", "rounds": segments}
    head = header([manifest(NAME, "fp16", "elsr_x2")], jobs, devices=PHONES, suite=suite)
    run = Workspace(workspace).new_run(head)
    for record in records:
        run.append(record)
    return run


def whole(job: Job, curve: Curve, **changes: Any) -> list[Record]:
    """Every segment of a series."""
    return [segment_record(job, number, curve(number), **changes) for number in range(20)]

"""Paced rows -> one series per job: does it hold the frame rate, and from when on not?

A segment holds the rate when nearly all frames that were due were done (`DONE`) and 95 % of them
in less than the time from one frame to the next. The tool prints a summary per launch, no single
frames: one that is late now and then is seen in the p95, one that can't keep up in the count.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median
from typing import Any

import pandas as pd

from edgesr.analysis.doubts import JobDoubt
from edgesr.analysis.rows import NOT_MEASURED, Row, grouped, known
from edgesr.analysis.summary import JobSummary, job_trust, summarise_job

DONE = 0.99
"""Share of the frames due that must be done: a hiccup at the end of a segment counts little."""
_FINDINGS = frozenset({"drift", "clock_drift", "wide_spread", "few_rounds", "bimodal", "outliers"})
"""Doubts about rounds that should be alike; over a series they are what is looked for."""


@dataclass(frozen=True)
class SegmentSummary:
    """One launch of a series. Unknown numbers are NaN."""

    number: int
    """From 0."""
    start_s: float
    """Since the series began, with the gaps between launches; without them where no clock told."""
    seconds: float
    """How long frames were due."""
    status: str
    fps: float
    """Frames done per second."""
    median_ms: float
    p95_ms: float
    temperature_c: float
    """At its end, else at its beginning: of a phone's battery, of this machine's CPU."""
    clock_mhz: float
    """That the system allows its big cores, the lower of both ends; else their clock at the end."""
    thermal_status: float
    holds: bool | None
    """None without figures."""


@dataclass(frozen=True)
class Series:
    """One paced job: the longest of its series, of equally long ones the latest."""

    job: JobSummary
    """What it is and where it ran; times are over all segments."""
    fps: float
    """Frames due per second."""
    planned: int
    """Segments of a whole series."""
    segments: tuple[SegmentSummary, ...]
    """In order; those that were never begun are absent."""
    idle_pct: float
    """Share of the time between the first and the last launch in which no frames were due."""
    begun: int
    """How many series were begun; all but one broke off."""

    @property
    def budget_ms(self) -> float:
        """Time from one frame to the next."""
        return 1000 / self.fps

    @property
    def measured(self) -> tuple[SegmentSummary, ...]:
        """Segments with figures."""
        return tuple(one for one in self.segments if one.holds is not None)

    @property
    def lost(self) -> tuple[SegmentSummary, ...]:
        """Segments that do not hold the rate."""
        return tuple(one for one in self.measured if not one.holds)

    @property
    def whole(self) -> bool:
        """Whether every segment has figures."""
        return len(self.measured) == self.planned

    @property
    def holds(self) -> bool:
        """Whether the rate is held from the first to the last planned segment."""
        return self.whole and not self.lost

    @property
    def held_s(self) -> float:
        """Seconds since the beginning for which the rate is held; NaN without figures."""
        if not self.measured:
            return math.nan
        gone = next((one for one in self.segments if not one.holds), None)
        return self.end_s if gone is None else gone.start_s

    @property
    def end_s(self) -> float:
        """When the last segment with figures ended, seconds since the beginning; NaN for none."""
        last = self.measured[-1:]
        return last[0].start_s + last[0].seconds if last else math.nan


def sustained(rows: pd.DataFrame) -> list[Series]:
    """One `Series` per run and paced job, in the order of first appearance.

    Args:
        rows: What `rows.tidy_rows` gives; rows without a pace are passed over.
    """
    return [_series(group) for group in grouped(rows[rows["pace_fps"] > 0])]


def segment_frame(series: Sequence[Series]) -> pd.DataFrame:
    """One row per segment with plain cells, for a CSV file."""
    table = [
        {
            "run": one.job.run,
            "key": one.job.key,
            "candidate": one.job.candidate,
            "name": one.job.name,
            "device": one.job.device_label,
            "simulated": one.job.simulated,
            "delegate": one.job.delegate,
            "threads": one.job.threads,
            "outcome": one.job.outcome,
            "trust": one.job.trust,
            "pace_fps": one.fps,
            "budget_ms": one.budget_ms,
            "idle_pct": one.idle_pct,
            **vars(segment),
        }
        for one in series
        for segment in one.segments
    ]
    return pd.DataFrame(table)


def _series(group: Sequence[Row]) -> Series:
    chosen, begun = _longest(group)
    planned = int(max(known(chosen, "rounds_planned"), default=len(chosen)))
    begins = _begins([row for row in chosen if known([row], "segment")])
    segments = tuple(
        _segment(row, start_s)
        for row, start_s in zip(begins, _offsets(begins), strict=True)
        if row["status"] != NOT_MEASURED
    )
    idle_pct = _idle_pct(begins)
    return Series(
        job=_job(chosen, segments, planned, idle_pct),
        fps=float(group[0]["pace_fps"]),
        planned=planned,
        segments=segments,
        idle_pct=idle_pct,
        begun=begun,
    )


def _longest(group: Sequence[Row]) -> tuple[list[Row], int]:
    """The rows of the series with the most good segments, and how many series there are."""
    series: dict[float, list[Row]] = {}
    for row in group:
        number = float(row["series"])
        series.setdefault(-1 if math.isnan(number) else number, []).append(row)

    def length(number: float) -> tuple[int, float]:
        return sum(row["status"] == "ok" for row in series[number]), number

    return series[max(series, key=length)], sum(number >= 0 for number in series)


def _begins(rows: Sequence[Row]) -> list[Row]:
    """One row per segment, in order: a good one where there is one, else the latest."""
    found: dict[float, Row] = {}
    for row in rows:
        number = float(row["segment"])
        if number not in found or found[number]["status"] != "ok":
            found[number] = row
    return [found[number] for number in sorted(found)]


def _offsets(rows: Sequence[Row]) -> list[float]:
    """When each began, seconds since the first; from the pace alone where that is not told."""
    times = [_time(row["started_at"]) for row in rows]
    in_order = all(early < late for early, late in itertools.pairwise(times))
    if not in_order:  # a time that is not known is before none
        return [float(row["segment"]) * float(row["segment_s"]) for row in rows]
    return [time - times[0] for time in times]


def _time(text: Any) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return math.nan


def _idle_pct(rows: Sequence[Row]) -> float:
    """From the first launch to the last: the share in which no frames were due; NaN if unknown."""
    offsets = [_time(row["started_at"]) for row in rows]
    wall = offsets[-1] - offsets[0] if len(rows) > 1 else math.nan
    if not wall > 0:
        return math.nan
    due = sum(float(row["segment_s"]) for row in rows[:-1] if row["status"] == "ok")
    return min(100.0, max(0.0, 100 * (1 - due / wall)))


def _segment(row: Row, start_s: float) -> SegmentSummary:
    good = not math.isnan(row["latency_ms"]) and not math.isnan(row["inferences"])
    pace, seconds = float(row["pace_fps"]), float(row["segment_s"])
    done = float(row["inferences"])
    due = max(1, round(pace * seconds))
    # the last frame may begin in time and end long after it
    spent_s = max(seconds, done * float(row["latency_avg_ms"]) / 1000)
    keeps_up = done >= DONE * due
    fps = min(pace, done / seconds) if keeps_up else done / spent_s
    temperatures = known([row], "temperature_after_c") + known([row], "temperature_before_c")
    clocks = known([row], "clock_limit_mhz") + known([row], "clock_mhz")
    return SegmentSummary(
        number=int(row["segment"]),
        start_s=start_s,
        seconds=seconds,
        status=str(row["status"]),
        fps=fps if good else math.nan,
        median_ms=float(row["latency_ms"]),
        p95_ms=float(row["latency_p95_ms"]),
        temperature_c=next(iter(temperatures), math.nan),
        clock_mhz=next(iter(clocks), math.nan),
        thermal_status=float(row["thermal_status"]),
        holds=keeps_up and not row["latency_p95_ms"] > 1000 / pace if good else None,
    )


def _job(
    rows: Sequence[Row], segments: Sequence[SegmentSummary], planned: int, idle_pct: float
) -> JobSummary:
    """The job's facts, with the doubts that a series raises and without those that it can't."""
    job = summarise_job(rows)
    doubts = [doubt for doubt in job.doubts if doubt.code not in _FINDINGS]
    good = sum(one.holds is not None for one in segments)
    if not math.isnan(idle_pct):
        doubts.append(JobDoubt("rested", {"percent": round(idle_pct)}, 0))
    if 0 < good < planned:
        doubts.append(JobDoubt("series_torn", {"done": good, "planned": planned}, 0))
    trust = job_trust(job.statuses, job.outcome, doubts, measured=job.measured)
    return replace(job, doubts=tuple(doubts), trust=trust.grade, trust_reasons=trust.reasons)


def typical(segments: Sequence[SegmentSummary], name: str) -> float:
    """The median of what is known of a number over segments."""
    values = [float(getattr(one, name)) for one in segments]
    return float(median([value for value in values if math.isfinite(value)] or [math.nan]))

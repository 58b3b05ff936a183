"""The figures that two runs are compared by, and how one of them becomes a change.

Every change is told as a factor of *cost*: above 1 it got worse, whatever the figure. The cost of a
time, of memory, of a size and of CER is the figure itself. Quality counts by its error, because a
per cent of a decibel means nothing: PSNR by the root mean square error behind it (0.42 dB less are
5 % more), SSIM by what it lacks to 1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgesr.analysis.comparable import Need
from edgesr.analysis.statistics import NOTHING, Estimate, independent_ratio
from edgesr.analysis.summary import JobSummary
from edgesr.quality.intervals import paired_difference
from edgesr.results.records import FEWEST_IMAGES

Method = Literal["rounds", "pictures", "intervals", "point", "exact"]
"""What a change rests on: rounds of both runs; the same pictures one by one; the intervals that
each run has of its own; the two values alone; or values that are exact."""
QualityName = Literal["psnr_y", "ssim_y", "cer"]

_LEAST_CER = 1e-3
"""Changes of CER are told relative to no less: from no error to one is not infinitely worse."""
_LEAST_LACK = 1e-4
"""Likewise of what SSIM lacks to 1."""


@dataclass(frozen=True)
class Metric:
    """One figure of a job."""

    name: str
    group: str
    """What it is asked for by: cold and warm initialisation go together."""
    title: str
    unit: str
    need: Need
    field: str = ""
    """Of `JobSummary`; empty for what only paced jobs have."""
    column: str = ""
    """Of the tidy rows: where its samples stand; empty where it has none."""
    init_kind: str | None = None
    """Which rows count: ``cold``, ``warm``, ``other``; None takes all."""
    decimals: int | None = None
    """Of the printed figure; None prints three significant digits."""


METRICS = (
    Metric("latency", "latency", "Latency, median", "ms", "time", "median_ms", "latency_ms"),
    Metric("p95", "p95", "Latency, p95", "ms", "time", "p95_ms", "latency_p95_ms"),
    Metric("init", "init", "Init", "ms", "time", "init_ms", "init_ms", "other"),
    Metric("init_cold", "init", "Init, cold", "ms", "time", "init_cold_ms", "init_ms", "cold"),
    Metric("init_warm", "init", "Init, warm", "ms", "time", "init_warm_ms", "init_ms", "warm"),
    Metric("memory", "memory", "Memory growth", "MiB", "time", "memory_mb", "memory_mb"),
    Metric("memory_peak", "memory", "Memory peak", "MiB", "time", "memory_peak_mb",
           "memory_peak_mb"),
    Metric("memory_pss", "memory", "PSS", "MiB", "time", "memory_pss_mb", "memory_pss_mb"),
    Metric("fps", "fps", "Frames per second", "fps", "time", decimals=1),
    Metric("size", "size", "File size", "B", "file", "size_bytes", decimals=0),
    Metric("psnr_y", "psnr_y", "PSNR-Y", "dB", "pixels", "psnr_y", decimals=2),
    Metric("ssim_y", "ssim_y", "SSIM-Y", "", "pixels", "ssim_y", decimals=4),
    Metric("cer", "cer", "CER", "", "text", "cer", decimals=4),
)  # fmt: skip
"""A new figure is one entry here."""
GROUPS = tuple(dict.fromkeys(metric.group for metric in METRICS))

Told = tuple[Estimate, Method]
"""Factor of cost with its interval, and what it rests on."""


def change_of_samples(before: Sequence[float], after: Sequence[float]) -> Told | None:
    """The change of what each round has its own figure of; None without a usable one."""
    found = independent_ratio(after, before)
    if found is NOTHING or math.isnan(found.value):
        return None
    return found, "rounds" if found.told else "point"


def change_of_size(before: float, after: float) -> Told | None:
    """The change of an exact figure; None when one is unknown or zero."""
    if not (before > 0 and after > 0):
        return None
    factor = after / before
    return Estimate(factor, factor, factor, 1), "exact"


def change_of_rate(before: float, after: float) -> Told | None:
    """The change of a paced job's frames per second; None when one is unknown.

    Without an interval: the segments of a series follow one another on a device that gets hot.
    """
    if not (before > 0 and after > 0):
        return None
    return Estimate(before / after, math.nan, math.nan, 1), "point"


def change_on_pictures(
    metric: Metric, before: JobSummary, pairs: Sequence[tuple[float, float]]
) -> Told | None:
    """The change of quality on the same pictures; None where too few have it in both runs.

    Args:
        metric: Of quality.
        before: The job in the first run, for the level that the change is relative to.
        pairs: The figure of each picture in the first and in the second run.
    """
    if pairs and all(one == other for one, other in pairs):  # not one picture differs
        return Estimate(1.0, 1.0, 1.0, len(pairs)), "pictures"
    if len(pairs) < FEWEST_IMAGES:
        return None
    found = paired_difference([after for _, after in pairs], [before for before, _ in pairs])
    if found.low is None or found.high is None:
        return None
    level = getattr(before, metric.field)
    return _cost(metric, level, (found.mean, found.low, found.high), found.n), "pictures"


def change_of_means(metric: Metric, before: JobSummary, after: JobSummary) -> Told | None:
    """The change of quality from each run's own mean and interval.

    Pictures may be the same, but nobody knows how both did on each: the interval is wider than it
    needs to be. It is put together from both as Zou and Donner do it ("Construction of confidence
    limits about effect measures", 2008).
    """
    one, other = (float(getattr(job, metric.field)) for job in (before, after))
    if math.isnan(one) or math.isnan(other):
        return None
    ends = [[float(getattr(job, f"{metric.field}_{end}")) for end in ("low", "high")]
            for job in (before, after)]  # fmt: skip
    change = other - one
    low = change - math.hypot(other - ends[1][0], ends[0][1] - one)
    high = change + math.hypot(ends[1][1] - other, one - ends[0][0])
    method: Method = "point" if math.isnan(low) or math.isnan(high) else "intervals"
    if method == "point":
        low = high = math.nan
    return _cost(metric, one, (change, low, high), 0), method


def _cost(metric: Metric, level: float, change: tuple[float, float, float], n: int) -> Estimate:
    """A difference of a quality with its interval as a factor of its error."""
    if metric.name == "psnr_y":
        factors = [10 ** (min(max(-one, -400.0), 400.0) / 20) for one in change]
    elif metric.name == "ssim_y":
        factors = [1 - one / max(1 - level, _LEAST_LACK) for one in change]
    else:
        factors = [1 + one / max(level, _LEAST_CER) for one in change]
    value, *ends = factors
    return Estimate(value, min(ends), max(ends), n)

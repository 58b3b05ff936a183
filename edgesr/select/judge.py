"""Does an option meet the criteria? Every reason why not, with numbers.

A ``max`` holds only where the whole interval is not above it, a ``min`` where it is not below.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from edgesr.analysis.rows import NOT_MEASURED
from edgesr.analysis.summary import JobSummary
from edgesr.select.criteria import Criteria, Limit
from edgesr.select.metric import Metric
from edgesr.select.metrics import METRICS, VERDICTS
from edgesr.select.options import Group, Option, Worst
from edgesr.select.selection import Value
from edgesr.text import clean, plural, short


@dataclass(frozen=True)
class Failure:
    """One reason why an option can't be chosen."""

    code: str
    """The metric, or ``not_measured``, ``not_usable``."""
    why: str
    """With value, interval and limit."""
    change: str
    """What would make it hold; empty where it can't be told as a number or a command."""
    excess: float
    """By how much of the limit it is missed; infinite where there is nothing to compare."""
    limit: float = math.nan
    """The value with which it would hold; NaN where there is none."""


@dataclass(frozen=True)
class Judged:
    """An option and what speaks against it."""

    option: Option
    failures: tuple[Failure, ...]

    @property
    def qualifies(self) -> bool:
        """Whether nothing does."""
        return not self.failures

    @property
    def excess(self) -> float:
        """By how much it misses all limits together, as shares of them."""
        return sum(failure.excess for failure in self.failures)


def judge(option: Option, group: Group, criteria: Criteria) -> Judged:
    """All that speaks against an option; a place where it never ran needs no limits."""
    broken = (_unusable(option, group, serial, criteria) for serial in group.labels)
    failures = [failure for failure in broken if failure is not None]
    if not failures:
        failures = list(_missed(option, group, criteria))
    return Judged(option, tuple(failures))


def usable(job: JobSummary, *, partial: bool = False) -> bool:
    """Whether a job may be chosen at all: verified, and its pixels are not known to be wrong.

    Args:
        job: The job.
        partial: Whether a delegate that took only a part of the graph will do.
    """
    if job.selectable or not partial:
        return job.selectable
    in_part = job.outcome == "partial" and set(job.statuses) == {"ok"}
    return in_part and job.measured and job.pixels_ok


def _unusable(option: Option, group: Group, serial: str, criteria: Criteria) -> Failure | None:
    """Why it can't be chosen for a device, whatever the limits are; None where it can."""
    facts = option.facts.get(serial)
    where = f" on {short(group.labels[serial], 48)}" if len(group.labels) > 1 else ""
    if facts is None or facts.job.status == NOT_MEASURED:
        change = f"it is measured{where} and holds there"
        return Failure("not_measured", f"not measured{where}", change, math.inf)
    if usable(facts.job, partial=_partial_will_do(group, serial, criteria)):
        return None
    return Failure("not_usable", f"{_trouble(facts.job)}{where}", "", math.inf)


def _partial_will_do(group: Group, serial: str, criteria: Criteria) -> bool:
    limits = criteria.constraints.get("verdict", ())
    applying = [limit for limit in limits if serial in _devices(group, limit)]
    least = [limit.min for limit in applying if limit.min is not None]
    return bool(least) and max(least) <= VERDICTS.index("partial")


def _trouble(job: JobSummary) -> str:
    """What became of a job that can't be chosen."""
    reason = f": {short(job.reasons[-1], 100)}" if job.reasons else ""
    if job.status != "ok":
        return clean(job.status.replace("_", " ")) + reason
    if not job.measured:
        return f"no usable time{reason}"
    if job.outcome in {"fallback", "unknown"} or job.outcome not in VERDICTS:
        return clean(job.placed)
    if not job.pixels_ok:
        return "wrong pixels"
    bad = sum(count for status, count in job.statuses.items() if status != "ok")
    if bad:
        return f"{plural(bad, 'round')} of {sum(job.statuses.values())} went wrong{reason}"
    nodes = ""
    if math.isfinite(job.nodes_delegated) and math.isfinite(job.nodes_total):
        nodes = f": {job.nodes_delegated:.0f} of {job.nodes_total:.0f} nodes"
    return f"only a part of the graph ran on {clean(job.delegate)}{nodes}"


def _devices(group: Group, limit: Limit) -> tuple[str, ...]:
    """Serials that a limit is for; none where it names only devices of other groups."""
    return group.meant(limit.device) if limit.device else tuple(group.labels)


def _missed(option: Option, group: Group, criteria: Criteria) -> Iterator[Failure]:
    for name, limits in criteria.constraints.items():
        for limit in limits:
            devices = _devices(group, limit)
            if devices:
                yield from _ends(option, METRICS[name], limit, devices if limit.device else ())


def _ends(
    option: Option, metric: Metric, limit: Limit, devices: tuple[str, ...]
) -> Iterator[Failure]:
    worst = option.worst(metric.name, devices)
    if limit.max is not None and not worst.high <= limit.max:
        yield _failure(metric, option.told(metric.name, devices), worst, limit.max)
    if limit.min is not None and not worst.low >= limit.min:
        yield _failure(metric, option.told(metric.name, devices), worst, limit.min, "min")


def _failure(
    metric: Metric, value: Value, worst: Worst, limit: float, kind: Literal["min", "max"] = "max"
) -> Failure:
    relation, end = ("<=", value.high) if kind == "max" else (">=", value.low)
    on = f" on {value.device}" if value.device else ""
    limit_words = f"{relation} {metric.words(limit)}"
    if math.isnan(end):
        told = "" if math.isnan(value.value) else f" {value.text}{on}"
        why = f"{metric.name}{told}: {worst.missing}; limit {limit_words}"
        change = f"{metric.name} {limit_words} can be shown ({worst.missing})"
        return Failure(metric.name, why, change, _excess(value.value, limit, kind), limit)
    unknown = f" ({worst.missing})" if worst.missing else ""
    why = f"{metric.name} {value.text}{on}, limit {limit_words}{unknown}"
    change = f"{metric.name} {limit_words} (now {_now(metric, value, end)}{on})"
    excess = _excess(end, limit, kind, steps=len(metric.ranks))
    return Failure(metric.name, why, change, excess, limit)


def _now(metric: Metric, value: Value, end: float) -> str:
    """The value, and the end of its interval that decides: ``31.2 ms, up to 34.4 ms``."""
    told = metric.words(value.value)
    if end == value.value:
        return told
    return f"{told}, {'up' if end > value.value else 'down'} to {metric.words(end)}"


def _excess(end: float, limit: float, kind: Literal["min", "max"], steps: int = 0) -> float:
    """By how much a limit is missed, as a share of it; of a grade, of all its steps."""
    if math.isnan(end):
        return math.inf
    missed = end - limit if kind == "max" else limit - end
    return max(0.0, missed) / (steps or abs(limit) or 1.0)


def sorted_by_excess(judged: Sequence[Judged]) -> list[Judged]:
    """Those first that miss the least; of equals the fastest, then by what they are."""

    def place(one: Judged) -> tuple[object, ...]:
        latency = one.option.value("latency_median_ms")
        known = math.inf if math.isnan(latency) else latency
        return one.excess, len(one.failures), known, one.option.key

    return sorted(judged, key=place)

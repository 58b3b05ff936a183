"""Does an option meet the criteria? Every reason why not, with numbers.

A ``max`` holds only where the whole interval is not above it, a ``min`` where it is not below.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edgesr.analysis.rows import NOT_MEASURED
from edgesr.analysis.summary import JobSummary
from edgesr.select.criteria import Criteria, Limit
from edgesr.select.metric import Metric
from edgesr.select.metrics import METRICS, VERDICTS
from edgesr.select.options import Group, Option, Worst
from edgesr.text import clean, plural, short

_NARROWER = {"rounds": "more rounds (--rounds, --until)", "pictures": "more pictures (--accuracy)"}
_DEVICES = 3
"""Devices that a reason names."""


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
    unusable = _unusable(option, group, criteria)
    return Judged(option, tuple(unusable or _missed(option, group, criteria)))


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


def _unusable(option: Option, group: Group, criteria: Criteria) -> list[Failure]:
    """Why it can't be chosen, whatever the limits are; the same on several devices once."""
    missing, troubles = list[str](), dict[str, list[str]]()
    for serial in group.labels:
        facts = option.facts.get(serial)
        if facts is None or facts.job.status == NOT_MEASURED:
            missing.append(serial)
        elif not usable(facts.job, partial=_partial_will_do(group, serial, criteria)):
            troubles.setdefault(trouble(facts.job), []).append(serial)
    found = []
    if missing:
        on = _on(missing, option)
        change = f"it is measured{on} and holds there"
        found.append(Failure("not_measured", f"not measured{on}", change, math.inf))
    return found + [
        Failure("not_usable", f"{why}{_on(serials, option)}", "", math.inf)
        for why, serials in troubles.items()
    ]


def _on(serials: Sequence[str], option: Option) -> str:
    """`` on A and on B``; nothing where there is only one device."""
    several = len(option.labels)
    if len(serials) == several > 1:
        return " on both devices" if several == 2 else f" on all {several} devices"
    named = [option.places[serial] for serial in serials[:_DEVICES]]
    rest = len(serials) - len(named)
    return " and".join([*named, *([f" {rest} more"] if rest else [])])


def _partial_will_do(group: Group, serial: str, criteria: Criteria) -> bool:
    limits = criteria.constraints.get("verdict", ())
    applying = [limit for limit in limits if serial in _devices(group, limit)]
    least = [limit.min for limit in applying if limit.min is not None]
    return bool(least) and max(least) <= VERDICTS.index("partial")


def trouble(job: JobSummary) -> str:
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


class _End(NamedTuple):
    """One end of a limit."""

    metric: Metric
    kind: str
    """``min`` or ``max``."""
    limit: float
    devices: tuple[str, ...]
    """Serials that it is for."""

    def of(self, worst: Worst) -> float:
        """The end of an interval that decides."""
        return worst.high if self.kind == "max" else worst.low

    def met(self, value: float) -> bool:
        """Whether a value keeps to it; one that is not known does not."""
        return value <= self.limit if self.kind == "max" else value >= self.limit

    def excess(self, value: float) -> float:
        """By how much it is missed, as a share of the limit; of a grade, of all its steps."""
        if math.isnan(value):
            return math.inf
        missed = value - self.limit if self.kind == "max" else self.limit - value
        return max(0.0, missed) / (len(self.metric.ranks) or abs(self.limit) or 1.0)

    def words(self, beside: float = math.nan) -> str:
        """``<= 25 ms``, with so many digits that it can be told from another value."""
        relation = "<=" if self.kind == "max" else ">="
        return f"{relation} {self.metric.apart(self.limit, beside)[0]}"


def _missed(option: Option, group: Group, criteria: Criteria) -> Iterator[Failure]:
    for name, limits in criteria.constraints.items():
        for limit in limits:
            devices = _devices(group, limit)
            for kind, value in (("max", limit.max), ("min", limit.min)):
                if value is None or not devices:
                    continue
                end = _End(METRICS[name], kind, value, devices)
                if not end.met(end.of(option.worst(name, devices if limit.device else ()))):
                    yield _failure(option, end)


def _failure(option: Option, end: _End) -> Failure:
    """Why a limit is missed, told of the device that misses it most."""
    name, title = end.metric.name, end.metric.title
    found = {serial: option.worst(name, (serial,)) for serial in end.devices}
    at = max(end.devices, key=lambda serial: end.excess(end.of(found[serial])))
    worst, on, text = found[at], option.places[at], option.told(name, (at,)).text
    last = end.of(worst)
    if math.isnan(last):
        everywhere = len({one.missing for one in found.values()}) == 1
        known = f" {text}{on}" if math.isfinite(worst.value) else "" if everywhere else on
        why = f"{title}{known}: {worst.missing}; limit {end.words()}"
        change = f"{title} {end.words()} can be shown ({worst.missing})"
        return Failure(name, why, change, math.inf, end.limit)
    now = _now(end, worst)
    shown = now if end.metric.alike(end.limit, last) else text
    why = f"{title} {shown}{on}, limit {end.words(last)}{_doubt(end, worst)}"
    change = f"{title} {end.words(last)} (now {now}{on})"
    return Failure(name, why, change, end.excess(last), end.limit)


def _doubt(end: _End, worst: Worst) -> str:
    """What to do where the value would hold, and only its interval does not."""
    if worst.missing:
        return f" ({worst.missing})"
    if not end.met(worst.value) or not end.metric.samples:
        return ""
    return f": only its interval misses that, {_NARROWER[end.metric.samples]} would narrow it"


def _now(end: _End, worst: Worst) -> str:
    """The value, and the end of its interval that decides: ``31.2 ms, up to 34.4 ms``."""
    last = end.of(worst)
    told = end.metric.apart(last, end.limit)[0]
    if last == worst.value:
        return told
    return f"{end.metric.words(worst.value)}, {'up' if last > worst.value else 'down'} to {told}"


def closest(judged: Sequence[Judged]) -> list[Judged]:
    """Those that miss the least; of equals those that can be helped, at the fewest places."""

    def place(one: Judged) -> tuple[float, int, int]:
        helpless = sum(not failure.change for failure in one.failures)
        return one.excess, helpless, len(one.failures)

    least = min(map(place, judged))
    return [one for one in judged if place(one) == least]

"""How far a row or a job may be trusted: A, B or C, with the reasons.

* A: nothing to doubt.
* B: usable with care.
* C: don't decide on it.

The worst reason gives the grade. Every doubt's weight stands in `SEVERITY`, and only there.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Grade = Literal["A", "B", "C"]
Finding = tuple[str, Mapping[str, Any]]
"""A reason's code with its numbers."""
_Weight = Grade | Callable[[Mapping[str, Any]], Grade]


@dataclass(frozen=True)
class Trust:
    """A grade and what it rests on."""

    grade: Grade
    reasons: tuple[str, ...]
    """Codes that keep it from A, the worst first; empty for A."""


def _c_above(name: str, limit: float) -> _Weight:
    """B, and C where that number is above the limit."""
    return lambda numbers: "C" if _number(numbers.get(name)) > limit else "B"


def _capped(numbers: Mapping[str, Any]) -> Grade:
    """A clock limit that takes more than a fifth is as bad as heat."""
    limit, most = _number(numbers.get("limit_mhz")), _number(numbers.get("max_mhz"))
    return "C" if limit < 0.8 * most else "B"


def _rested(numbers: Mapping[str, Any]) -> Grade:
    """Gaps that take a tenth of a series can hide that heat would have built up."""
    percent = _number(numbers.get("percent"))
    return "C" if percent > 33 else "B" if percent > 10 else "A"


def _outliers(numbers: Mapping[str, Any]) -> Grade:
    """Up to a fifth of the rounds moves neither the median nor its interval much."""
    return "B" if _number(numbers.get("far")) > 0.2 * _number(numbers.get("rounds")) else "A"


SEVERITY: dict[str, _Weight] = {
    # where and whether it ran (`place_findings`)
    "status_failed": "C",
    "status_refused": "C",
    "status_timeout": "C",
    "status_device_lost": "C",
    "status_aborted": "C",
    "not_measured": "C",
    "no_usable_time": "C",
    "verdict_partial": "B",
    "verdict_fallback": "C",
    "verdict_unknown": "C",
    "rounds_bad": _c_above("percent", 50),
    # what it ran on
    "simulated": "C",
    "unlisted": "B",
    "not_pinned": "B",
    "clocks_not_fixed": "B",
    "engine_changed": "C",
    "binary_changed": "B",  # all rounds of this run agree; comparing with an older one misleads
    # the device's condition
    "busy": _c_above("busy_pct", 50),
    "hot": "C",
    "throttled": "C",
    "battery_low": "B",
    "temperature_unknown": "B",
    "clock_changed": "C",
    "clock_capped": _capped,
    "screen_changed": "B",
    # how the round went
    "count_low": "B",
    "picked_up": "B",
    "relaunched": "B",
    "gpu_dequantizes": "B",
    # over all rounds of a job
    "few_rounds": "B",
    "wide_spread": _c_above("percent", 50),
    "average_used": "B",
    "verdict_varies": "C",
    "drift": _c_above("percent", 15),
    "clock_drift": "C",
    "bimodal": _c_above("percent", 50),
    "outliers": _outliers,
    # over a paced series
    "rested": _rested,
    "series_torn": "B",
    # pixels
    "pixels_wrong": "C",
    "pixels_not_finite": "C",
    "accuracy_failed": "B",
    "accuracy_window": "B",  # only in old runs
    "cer_worse": _c_above("more", 0.02),
    "confidence_misleads": "B",
    # a number is absent, and those that are there are as good as without this doubt
    "accuracy_no_pairs": "A",
    "accuracy_sampled": "A",
    "memory_failed": "A",
    "no_pss": "A",
    "profile_failed": "A",
}
"""Code -> what it does to the grade. A code that is not here counts as B."""

DISQUALIFYING = frozenset({"pixels_wrong", "pixels_not_finite"})
"""Doubts that make a job no choice, however fast it is."""


def severity(code: str, numbers: Mapping[str, Any] | None = None) -> Grade:
    """What one reason does to the grade."""
    weight = SEVERITY.get(code, "B")
    return weight(numbers or {}) if callable(weight) else weight


def weigh(findings: Iterable[Finding]) -> Trust:
    """The grade that all findings together leave."""
    worst: dict[str, Grade] = {}
    for code, numbers in findings:
        grade = severity(code, numbers)
        if grade != "A":
            worst[code] = max(grade, worst.get(code, grade))
    reasons = sorted(worst, key=lambda code: worst[code], reverse=True)
    return Trust(max(worst.values(), default="A"), tuple(reasons))


def place_findings(status: str, outcome: object, *, measured: bool) -> list[Finding]:
    """What the status and the verdict of a row or job say against it.

    Args:
        status: ``ok``, or why there is no time.
        outcome: The verdict: ``full``, ``partial``, ``fallback``; anything else is unknown.
        measured: Whether there is a usable time.
    """
    if status != "ok":
        return [("not_measured" if status == "not measured" else f"status_{status}", {})]
    found: list[Finding] = [] if measured else [("no_usable_time", {})]
    if outcome in {"partial", "fallback"}:
        found.append((f"verdict_{outcome}", {}))
    elif outcome != "full" and measured:
        found.append(("verdict_unknown", {}))
    return found


def _number(value: object) -> float:
    """NaN, which no comparison holds for, when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)

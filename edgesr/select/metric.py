"""What a metric of the criteria is: how it is read, its unit, and the limits it takes."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from edgesr.analysis.summary import JobSummary
from edgesr.analysis.sustained import Series
from edgesr.select.evidence import Evidence
from edgesr.text import figures, short


@dataclass(frozen=True)
class Facts:
    """What is known of one choice on one device."""

    job: JobSummary
    series: tuple[Series, ...] = ()
    """Of the same candidate, delegate and threads at a fixed frame rate."""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    paced_only: bool = False
    """Whether ``job`` is of a series: a device rests between frames, so its times don't count."""

    @property
    def answered(self) -> bool:
        """Whether the device said anything: a time, or that the delegate refused."""
        told = self.job.measured or "refused" in self.job.statuses
        return told or any(one.measured for one in self.series)


class Reading(NamedTuple):
    """One metric on one device. Unknown numbers are NaN."""

    value: float
    low: float
    high: float
    missing: str = ""
    """Why no interval is told, and what to do about it; empty where it is or needs none."""
    remark: str = ""
    """What the figure is, where that isn't always the same."""


@dataclass(frozen=True)
class Metric:
    """One metric. Values are in ``unit``."""

    name: str
    title: str
    """In words, for tables and sentences."""
    unit: str
    """``ms``, ``MB`` (10^6 bytes), ``MiB``, ``dB``, ``fps``, or nothing."""
    better: Literal["lower", "higher"]
    read: Callable[[Facts], Reading]
    ranks: tuple[str, ...] = ()
    """Of a grade: its values, the worst first; a value is then the place in this list."""
    allowed: tuple[str, ...] = ()
    """Of a grade: which may be a limit."""
    may_be_negative: bool = False
    samples: Literal["", "rounds", "pictures"] = ""
    """What its interval is over; empty where it has none."""
    negligible: float = 0.0
    """A difference up to this is none in an order, however sure it is."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is."""
        return self.better == "higher"

    @property
    def sign(self) -> float:
        """Times a value: the smaller, the better."""
        return -1.0 if self.higher_is_better else 1.0

    def limit(self, raw: object) -> float:
        """A limit as criteria give it: a number, a text with a unit, or a grade.

        Raises:
            ValueError: When it is none of this metric's.
        """
        if self.ranks:
            return self._rank(raw)
        if isinstance(raw, str):
            found = _with_unit(raw, self)
        elif isinstance(raw, int | float) and not isinstance(raw, bool):
            found = float(raw)
        else:
            unit = f" in {self.unit}" if self.unit else ""
            what = short(repr(raw), 40)
            raise ValueError(f"{self.name} takes a number{unit}, not {what}")  # noqa: TRY004
        if not math.isfinite(found):
            raise ValueError(f"{self.name} takes a finite number, not {found:g}")
        if found < 0 and not self.may_be_negative:
            raise ValueError(f"{self.name} is never negative: {found:g} makes no sense")
        return found

    def _rank(self, raw: object) -> float:
        if raw not in self.allowed:
            known = ", ".join(self.allowed)
            raise ValueError(f"{self.name} takes one of {known}, not {short(repr(raw), 40)}")
        return float(self.ranks.index(str(raw)))

    def words(self, value: float, more: int = 0) -> str:
        """A value with its unit: ``24.3 ms``, ``B``.

        Args:
            value: The value.
            more: Digits beyond the usual ones.
        """
        if self.ranks:
            known = math.isfinite(value) and 0 <= value < len(self.ranks)
            return self.ranks[int(value)] if known else "unknown"
        return f"{self.number(value, more)} {self.unit}".rstrip()

    def number(self, value: float, more: int = 0) -> str:
        """A value without its unit; arguments as in `words`."""
        if not math.isfinite(value):
            return "unknown"
        if value < 0:
            return f"-{self.number(-value, more)}"
        if value >= _HUGE:
            return f"{value:.3g}"
        if self.unit == "dB":
            return f"{value:.{2 + more}f}"
        if value >= 1000 or math.isclose(value, round(value), rel_tol=1e-9):
            return f"{value:.{more if value >= 1000 else 0}f}"
        return figures(value, (4 if self.name == "ssim_y" else 3) + more)

    def apart(self, value: float, other: float) -> tuple[str, str]:
        """Two values in words, with so many digits that different ones look different."""
        more = 0
        while more < _MOST_DIGITS and value != other and self.alike(value, other, more):
            more += 1
        return self.words(value, more), self.words(other, more)

    def alike(self, value: float, other: float, more: int = 0) -> bool:
        """Whether two finite values are printed as the same number, be it ``21`` and ``21.0``."""
        if self.ranks or not (math.isfinite(value) and math.isfinite(other)):
            return False
        return float(self.number(value, more)) == float(self.number(other, more))


_MOST_DIGITS = 4
"""Beyond the usual ones, to tell two values apart."""
_HUGE = 1e12
"""No measured figure: written short."""
_FACTORS: dict[str, dict[str, float]] = {
    "ms": {"us": 1e-3, "µs": 1e-3, "ms": 1, "s": 1e3},
    "MB": {"B": 1e-6, "kB": 1e-3, "KB": 1e-3, "MB": 1, "GB": 1e3, "KiB": 1024e-6,
           "MiB": 1024**2 * 1e-6, "GiB": 1024**3 * 1e-6},
    "MiB": {"kB": 1e3 / 1024**2, "KB": 1e3 / 1024**2, "MB": 1e6 / 1024**2, "GB": 1e9 / 1024**2,
            "KiB": 1 / 1024, "MiB": 1, "GiB": 1024},
    "dB": {"dB": 1},
    "fps": {"fps": 1},
    "": {"%": 1e-2},
}  # fmt: skip
"""Unit of a metric -> units that a limit may be given in, and what they are times."""
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s.]*)\s*")


def _with_unit(text: str, metric: Metric) -> float:
    found = _QUANTITY.fullmatch(text)
    factors = _FACTORS[metric.unit]
    number, unit = found.groups() if found else ("", "")
    if found is None or (unit and unit not in factors):
        example = f'"{33 if metric.unit == "ms" else 4} {metric.unit or "%"}"'
        raise ValueError(
            f"{metric.name} does not take {short(text, 40)!r}: "
            f"its units are {', '.join(factors)}, as in {example}"
        )
    return float(number) * (factors[unit] if unit else 1)

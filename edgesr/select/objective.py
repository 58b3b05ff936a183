"""Which of the options that meet the criteria wins, and at what each of the others lost.

By order: those that can't be told from the best at the first metric go on to the next. Two are
told apart, where the same run and device decide for both, by their rounds (`analysis.ties`) or by
the pictures that both enlarged; else when their intervals don't overlap, and where there is no
interval by the values themselves; a negligible difference is none. What is tied to the end goes by
value, then by size.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from edgesr.analysis.ties import FAR, slower_by
from edgesr.select.criteria import Objective
from edgesr.select.evidence import Evidence
from edgesr.select.metrics import METRICS
from edgesr.select.options import Key, Option


@dataclass(frozen=True)
class Loss:
    """At what an option lost."""

    metric: str
    """Empty where only its place in the last order decided."""
    best: Option
    """Whom it was compared with."""
    tied: bool = False
    """Whether it can't be told from that, and its plain value decided."""


@dataclass(frozen=True)
class Ranking:
    """All that qualify, the best first."""

    options: tuple[Option, ...]
    losses: Mapping[Key, Loss]
    """Of all but the first."""
    objective: Objective
    evidence: Evidence
    """What it was ranked by."""

    @property
    def winner(self) -> Option | None:
        """The first, if there is one."""
        return self.options[0] if self.options else None

    @cached_property
    def _places(self) -> dict[Key, int]:
        return {option.key: place for place, option in enumerate(self.options)}

    def place(self, key: Key) -> int:
        """Of an option that qualifies, from 0."""
        return self._places[key]


def rank(options: Sequence[Option], objective: Objective, evidence: Evidence) -> Ranking:
    """Puts options in order; the same for any order they come in."""
    ordered, losses = list[Option](), dict[Key, Loss]()
    if options and objective.weights:
        ordered, losses = _by_score(options, objective.weights)
    elif options:
        ordered, losses = _by_order(options, objective.order, evidence)
    return Ranking(tuple(ordered), losses, objective, evidence)


def score(option: Option, weights: Mapping[str, float]) -> float:
    """Sum of weight times value, each counted in its good direction; NaN where one is unknown."""
    return sum(-METRICS[m].sign * w * option.value(m) for m, w in weights.items())


def _by_score(
    options: Sequence[Option], weights: Mapping[str, float]
) -> tuple[list[Option], dict[Key, Loss]]:
    def place(option: Option) -> tuple[float, float, Key]:
        found = score(option, weights)
        return (math.inf if math.isnan(found) else -found, _size(option), option.key)

    ordered = sorted(options, key=place)
    winner = ordered[0]
    return ordered, {one.key: Loss("", winner) for one in ordered[1:]}


def _by_order(
    options: Sequence[Option], order: Sequence[str], evidence: Evidence
) -> tuple[list[Option], dict[Key, Loss]]:
    def place(option: Option) -> tuple[float | Key, ...]:
        return (*(_rounded(option, name) for name in order), _size(option), option.key)

    ordered = sorted(options, key=place)
    pool, losses = ordered, dict[Key, Loss]()
    for name in order:
        pool = _keep(pool, name, losses, partial(tied, evidence=evidence))
    for name in (*order, "size_mb"):
        pool = _keep(pool, name, losses, _equal)
    winner = pool[0]
    losses |= {one.key: Loss("", winner, tied=True) for one in pool[1:]}
    rest = [one for one in ordered if one is not winner]
    return [winner, *rest], losses


def _keep(
    pool: Sequence[Option],
    name: str,
    losses: dict[Key, Loss],
    stays: Callable[[str, Option, Option], bool],
) -> list[Option]:
    """Those that stay beside the best at a metric; the others have lost."""
    best = min(pool, key=lambda option: _cost(option, name))  # of equals the first in order
    kept = [one for one in pool if one is best or stays(name, one, best)]
    names = {one.key for one in kept}
    loss = Loss(name, best, tied=stays is _equal)
    losses |= {one.key: loss for one in pool if one.key not in names}
    return kept


def tied(name: str, option: Option, best: Option, evidence: Evidence) -> bool:
    """Whether an option can't be told from the best at a metric."""
    if _equal(name, option, best):
        return True
    one, other = option.worst(name), best.worst(name)
    if math.isnan(one.value) or math.isnan(other.value):
        return False
    paired = _paired(name, option, best, evidence) if one.at == other.at else None
    if paired is not None:
        return paired
    return one.low <= other.high and other.low <= one.high


def _paired(name: str, option: Option, best: Option, evidence: Evidence) -> bool | None:
    """Whether rounds or pictures that both share leave them tied; None where they share none."""
    at = option.worst(name).at
    if at not in option.facts or at not in best.facts:
        return None
    one, other = option.facts[at].job, best.facts[at].job
    if one.run != other.run:
        return None
    if name == "latency_median_ms":
        ratio = slower_by(one, other)
        near = one.median_ms <= FAR * other.median_ms
        return near and ratio.low <= 1 if ratio.told else None
    found = evidence.difference(name, one, other)
    return found.holds(0) if found.told else None


def _equal(name: str, option: Option, best: Option) -> bool:
    """Whether the values differ by nothing that matters, or both are unknown."""
    one, other = option.value(name), best.value(name)
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return abs(one - other) <= METRICS[name].negligible


def _rounded(option: Option, name: str) -> float:
    """The cost in steps of what is negligible: rounding errors shall not order a list."""
    cost, step = _cost(option, name), METRICS[name].negligible
    steps = cost / step if step else math.inf
    return round(steps) * step if math.isfinite(steps) else cost


def _cost(option: Option, name: str) -> float:
    """The smaller, the better; what is unknown comes last."""
    value = option.value(name)
    return math.inf if math.isnan(value) else METRICS[name].sign * value


def _size(option: Option) -> float:
    return _cost(option, "size_mb")

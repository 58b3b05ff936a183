"""Two runs -> what changed from the first to the second, and how sure that is."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from edgesr.analysis.comparable import (
    FIELDS,
    NEEDS,
    Difference,
    differences,
    picture_differences,
)
from edgesr.analysis.matching import Pair, Timed, disagreements, match_devices, match_jobs
from edgesr.analysis.metrics_compared import (
    METRICS,
    Method,
    Metric,
    Told,
    change_of_means,
    change_of_rate,
    change_of_samples,
    change_of_size,
    change_on_pictures,
)
from edgesr.analysis.run_side import RANKS, RunSide, State, state_of
from edgesr.analysis.statistics import NOTHING, Estimate
from edgesr.analysis.summary import JobSummary
from edgesr.analysis.sustained import Series, typical

SAME = 0.05
"""An interval that holds no change and reaches no farther than this is called the same."""
TRIVIAL = 0.01
"""An interval that reaches no farther than this is called the same, whatever it holds."""
Verdict = Literal["worse", "better", "same", "unclear", "not_comparable"]
VERDICTS: tuple[Verdict, ...] = ("worse", "unclear", "better", "same", "not_comparable")
"""In the order in which changes are shown."""


@dataclass(frozen=True)
class Change:
    """One figure of one job in both runs."""

    pair: Pair
    metric: Metric
    before: float
    after: float
    cost: Estimate
    """Factor of the cost (`metrics_compared`): above 1 it got worse. NaN where not comparable."""
    method: Method | None
    """None where not comparable."""
    differences: tuple[Difference, ...] = ()
    """Why it is not comparable: what differs."""
    missing: Literal["", "before", "after"] = ""
    """Which run does not tell it."""

    @property
    def verdict(self) -> Verdict:
        """What can be said."""
        if self.differences or self.missing:
            return "not_comparable"
        value, low, high = self.cost.value, self.cost.low, self.cost.high
        if not self.cost.told:
            return "same" if value == 1 else "unclear"
        if low >= 1 - TRIVIAL and high <= 1 + TRIVIAL:
            return "same"
        if low > 1 or high < 1:
            return "worse" if value > 1 else "better"
        return "same" if low >= 1 - SAME and high <= 1 + SAME else "unclear"

    @property
    def change(self) -> float:
        """Relative change of the cost: 0.03 is 3 % worse."""
        return self.cost.value - 1

    def exceeds(self, limit: float) -> bool:
        """Whether it got worse by more than a share, and surely by something."""
        return self.cost.low > 1 and self.change > limit

    def may_exceed(self, limit: float) -> bool:
        """Whether it may have got worse by more than a share, and nobody can tell."""
        farthest = self.cost.high - 1 if self.cost.told else self.change
        return farthest > limit and not self.exceeds(limit)


@dataclass(frozen=True)
class StateChange:
    """A job of which another thing became than in the first run."""

    pair: Pair
    before: State
    after: State

    @property
    def worse(self) -> bool:
        """Whether less became of it."""
        return RANKS[self.after] < RANKS[self.before]


@dataclass(frozen=True)
class Comparison:
    """All that two runs say about one another."""

    before: RunSide
    after: RunSide
    pairs: tuple[Pair, ...]
    changes: tuple[Change, ...]
    """By `VERDICTS`, within each the largest first."""
    states: tuple[StateChange, ...]
    """The worse first."""
    only_before: tuple[Timed, ...]
    only_after: tuple[Timed, ...]
    ignored: tuple[Difference, ...]
    """What differs and was not to count, each once."""
    disagreements: tuple[Difference, ...]
    """Where no job is in both runs: what their jobs have not in common."""

    @property
    def compared(self) -> tuple[Change, ...]:
        """Changes of comparable figures."""
        return tuple(one for one in self.changes if one.verdict != "not_comparable")

    @property
    def obstacles(self) -> dict[str, tuple[Difference, ...]]:
        """Device -> what differs there and keeps figures from being compared."""
        found: dict[str, dict[Difference, None]] = {}
        for one in self.changes:
            there = found.setdefault(one.pair.before.device_label, {})
            there.update(dict.fromkeys(one.differences))
        return {device: tuple(there) for device, there in found.items() if there}

    def of(self, verdict: Verdict) -> tuple[Change, ...]:
        """Changes with a verdict."""
        return tuple(one for one in self.changes if one.verdict == verdict)


def compare_runs(
    before: RunSide,
    after: RunSide,
    groups: Collection[str] | None = None,
    ignore: Collection[str] = (),
) -> Comparison:
    """What changed from one run to another.

    Args:
        before: The run that the other is held against.
        after: The run in question.
        groups: Which figures, of `metrics_compared.GROUPS`; None takes all.
        ignore: Fields, of `comparable.FIELDS`, in which they may differ all the same; ``suite``
            also stands for its settings.
    """
    devices = match_devices(list(before.devices.values()), list(after.devices.values()))
    matching = match_jobs(before.all, after.all, devices)
    between = {name: differences(before.devices[name], there) for name, there in devices.items()}
    pairs = tuple(
        Pair(one.job, other.job, one.pace_fps, between[one.job.device])
        for one, other in matching.pairs
    )
    wanted = [metric for metric in METRICS if groups is None or metric.group in groups]
    work = _Work(before, after, frozenset(_spread(ignore)))
    changes = [change for pair in pairs for change in work.changes(pair, wanted)]
    changes += work.file_changes(pairs, [metric for metric in wanted if metric.need == "file"])
    states = [state for pair in pairs if (state := work.state(pair)) is not None]
    return Comparison(
        before,
        after,
        pairs,
        tuple(sorted(changes, key=_worst_first)),
        tuple(sorted(states, key=lambda state: not state.worse)),
        matching.only_before,
        matching.only_after,
        tuple(work.passed),
        () if pairs else disagreements(before.all, after.all, devices),
    )


def _spread(ignore: Collection[str]) -> list[str]:
    """The fields that are meant: a suite with its settings."""
    return [field for field in FIELDS for name in ignore if (field + ".").startswith(f"{name}.")]


def _worst_first(change: Change) -> tuple[int, float]:
    cost, verdict = change.change, change.verdict
    if not math.isfinite(cost):
        return VERDICTS.index(verdict), math.inf
    return VERDICTS.index(verdict), cost if verdict == "better" else -cost


class _Work:
    """Makes changes of pairs.

    Args:
        before: The first run.
        after: The second.
        ignored: Fields that may differ.
    """

    def __init__(self, before: RunSide, after: RunSide, ignored: frozenset[str]) -> None:
        self._before, self._after, self._ignored = before, after, ignored
        self.passed: dict[Difference, None] = {}
        self._series = {id(one.job): one for side in (before, after) for one in side.series}

    def changes(self, pair: Pair, metrics: Sequence[Metric]) -> list[Change]:
        """Of one job; none where a run gave no time or fell back.

        Of a paced one only its frames per second: a device rests between frames.
        """
        jobs = pair.before, pair.after
        if not all(job.measured and job.outcome != "fallback" for job in jobs):
            return []
        sources = _Sources(self._before, self._after, pair, self._series)
        paced = pair.pace_fps is not None
        own = (one for one in metrics if one.need != "file" and (one.name == "fps") == paced)
        return [change for one in own if (change := self._change(one, sources)) is not None]

    def _change(self, metric: Metric, sources: "_Sources") -> Change | None:
        pair = sources.pair
        before, after = (sources.value(metric, job) for job in (pair.before, pair.after))
        if math.isnan(before) and math.isnan(after):
            return None
        change = Change(pair, metric, before, after, NOTHING, None)
        if math.isnan(before) or math.isnan(after):
            return replace(change, missing="before" if math.isnan(before) else "after")
        relevant = [one for one in sources.differences if one.field in NEEDS[metric.need]]
        self.passed |= dict.fromkeys(one for one in relevant if one.field in self._ignored)
        counting = tuple(one for one in relevant if one.field not in self._ignored)
        if counting:
            return replace(change, differences=counting)
        cost, method = sources.told(metric) or (NOTHING, "point")
        return replace(change, cost=cost, method=method)

    def file_changes(self, pairs: Sequence[Pair], metrics: Sequence[Metric]) -> list[Change]:
        """Of the candidates' files: once for each, not for every place where it ran."""
        once: dict[tuple[str, str], Pair] = {}
        for pair in pairs:
            once.setdefault((pair.before.candidate, pair.after.candidate), pair)
        found = []
        for metric in metrics:
            for pair in once.values():
                before, after = (
                    float(getattr(job, metric.field)) for job in (pair.before, pair.after)
                )
                told = change_of_size(before, after)
                if told is not None:
                    found.append(Change(pair, metric, before, after, *told))
        return found

    def state(self, pair: Pair) -> StateChange | None:
        """What became of a job, where that changed; None on another device."""
        fields = {one.field for one in pair.differences} - self._ignored
        if "device" in fields:
            return None
        jobs = pair.before, pair.after
        paced = [None if fields else self._series.get(id(job)) for job in jobs]
        before, after = (state_of(job, one) for job, one in zip(jobs, paced, strict=True))
        return None if before == after else StateChange(pair, before, after)


@dataclass(frozen=True)
class _Sources:
    """Where the figures of one job come from."""

    before: RunSide
    after: RunSide
    pair: Pair
    series: Mapping[int, Series]

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        return (*self.pair.differences, *picture_differences(self.pair.before, self.pair.after))

    def common(self, figure: str) -> list[tuple[float, float]]:
        """A figure of each picture that both have; none where equal names may be other pictures."""
        if any(one.field == "pictures" for one in self.differences):
            return []
        one = self.before.pictures.of(self.pair.before.key)
        other = self.after.pictures.of(self.pair.after.key)
        return [(found[figure], other[name][figure]) for name, found in one.items()
                if figure in found and figure in other.get(name, {})]  # fmt: skip

    def value(self, metric: Metric, job: JobSummary) -> float:
        """A figure of one of both; NaN where unknown."""
        if metric.field:
            return float(getattr(job, metric.field))
        series = self.series.get(id(job))
        return typical(series.measured, metric.name) if series is not None else math.nan

    def told(self, metric: Metric) -> Told | None:
        """A comparable figure's change; None where it can't be told."""
        if not metric.field:
            return change_of_rate(
                *(self.value(metric, j) for j in (self.pair.before, self.pair.after))
            )
        if metric.column:
            samples = (
                side.samples.get(job.key, {}).get(metric.name, [])
                for side, job in ((self.before, self.pair.before), (self.after, self.pair.after))
            )
            return change_of_samples(*samples)
        common = self.common(metric.field)
        found = change_on_pictures(metric, self.pair.before, common) if common else None
        return found or change_of_means(metric, self.pair.before, self.pair.after)

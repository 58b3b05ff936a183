"""What a selection comes to: per group a winner, the Pareto set, and why the others are not it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgesr.select.criteria import Criteria


@dataclass(frozen=True)
class Value:
    """One metric of a choice: the worst over the devices that count."""

    value: float
    """NaN where it was not measured. Of ``trust`` and ``verdict`` a rank: see ``text``."""
    low: float
    """Lower end of its 95 % interval; the value itself where it is exact, NaN where not told."""
    high: float
    told: bool
    """Whether it has an interval or is exact: without, no constraint on it holds."""
    text: str = ""
    """With unit and interval, for people: ``24.3 ms (23.9–25.1)``, ``B``."""
    device: str = ""
    """Label of the device that it is the worst of; empty where there is only one."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what is not known is null."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        known = {name: x if math.isfinite(x) else None for name, x in numbers.items()}
        return {**known, "told": self.told, "text": self.text, "device": self.device or None}


@dataclass(frozen=True)
class Choice:
    """What may be chosen: a candidate on a delegate with a number of threads."""

    candidate: str
    """Sha256 of the .tflite."""
    name: str
    variant: str
    delegate: str
    """The delegate that was asked for; only where all of the graph ran there it can be chosen."""
    threads: int
    devices: tuple[str, ...]
    """Labels of the devices of the group that it was measured on."""
    values: Mapping[str, Value]
    """Metric -> worst over these devices."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "candidate": self.candidate,
            "name": self.name,
            "variant": self.variant,
            "delegate": self.delegate,
            "threads": self.threads,
            "devices": list(self.devices),
            "values": {name: value.to_dict() for name, value in self.values.items()},
        }


@dataclass(frozen=True)
class Rejected:
    """The best choice of a candidate that did not win."""

    choice: Choice
    why: tuple[str, ...]
    """Every constraint that it fails, or at which metric of the objective it lost."""
    would_win: str
    """What would change that, in one line; empty where nothing measurable would."""


@dataclass(frozen=True)
class GroupResult:
    """The selection for one scale, input size and class of devices."""

    scale: int
    """0 where the runs don't tell."""
    input: str
    """Width × height of the input in pixels."""
    device_class: str
    """``budget``, ``mid``, ``flagship``, ``host``, ``unlisted: MODEL``; a label ``by`` device."""
    devices: tuple[str, ...]
    """Labels of those that count; simulated ones say so."""
    winner: Choice | None
    pareto: tuple[Choice, ...]
    """Of all that may be chosen at all, whether or not they meet the constraints."""
    qualified: tuple[Choice, ...]
    """All that meet the constraints, the best first."""
    rejected: tuple[Rejected, ...]
    """For each other candidate its best choice, by name."""
    nearest_miss: str
    """Without a winner: what came closest, and what would let it pass; else empty."""
    recommendation: str
    """One plain sentence with numbers and doubt, also where there is no winner."""
    elsewhere: str = ""
    """Why not another delegate for the winner, in one line; empty where none was measured."""
    pareto_axes: tuple[str, ...] = ()
    """The metrics that the Pareto set is of."""
    left_out: tuple[str, ...] = ()
    """Labels of devices that don't count, because nothing at all was measured there."""

    @property
    def keys(self) -> dict[str, Any]:
        """What names the group in flat lists."""
        return {"scale": self.scale, "input": self.input, "device_class": self.device_class}


@dataclass(frozen=True)
class Selection:
    """All groups of a selection, with the criteria and the runs it rests on."""

    criteria: "Criteria"
    runs: tuple[str, ...]
    """Names of the runs, oldest first."""
    groups: tuple[GroupResult, ...]
    notes: tuple[str, ...] = ()
    """What a reader should know about how runs were put together."""

    @property
    def winners(self) -> tuple[Choice, ...]:
        """The winner of each group that has one."""
        return tuple(group.winner for group in self.groups if group.winner is not None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: flat lists, each entry with its group's scale, input and device_class.

        * ``winners``: a choice {candidate, name, variant, delegate, threads, devices, values} and
          the group's ``recommendation``;
        * ``pareto``: choices;
        * ``rejected``: {candidate, name, variant, delegate, threads, why: [line], would_win};
        * ``groups``: {devices, qualified (how many), winner (id or null), nearest_miss,
          recommendation, elsewhere, pareto_axes, left_out};
        * ``criteria``, ``runs``, ``notes``.
        """
        return {
            "criteria": self.criteria.to_dict(),
            "runs": list(self.runs),
            "winners": list(self._winners()),
            "pareto": [{**g.keys, **one.to_dict()} for g in self.groups for one in g.pareto],
            "rejected": list(self._rejected()),
            "groups": [_group_dict(group) for group in self.groups],
            "notes": list(self.notes),
        }

    def _winners(self) -> Iterator[dict[str, Any]]:
        for group in self.groups:
            if group.winner is not None:
                told = {"recommendation": group.recommendation}
                yield {**group.keys, **group.winner.to_dict(), **told}

    def _rejected(self) -> Iterator[dict[str, Any]]:
        for group in self.groups:
            for one in group.rejected:
                choice = one.choice.to_dict()
                del choice["values"]
                why = {"why": list(one.why), "would_win": one.would_win}
                yield {**group.keys, **choice, **why}


def _group_dict(group: GroupResult) -> dict[str, Any]:
    return {
        **group.keys,
        "devices": list(group.devices),
        "qualified": len(group.qualified),
        "winner": group.winner.candidate if group.winner else None,
        "nearest_miss": group.nearest_miss,
        "recommendation": group.recommendation,
        "elsewhere": group.elsewhere,
        "pareto_axes": list(group.pareto_axes),
        "left_out": list(group.left_out),
    }

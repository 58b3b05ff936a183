"""What a job's operations cost, gathered by kind of operation."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

from edgesr.analysis.devices import mapping, number
from edgesr.results.records import OpTime


@dataclass(frozen=True)
class OpCost:
    """All operations of one kind within one inference."""

    op: str
    """As the tool names it."""
    ms: float
    pct: float
    """Share of all operations' time."""
    nodes: int
    """How many operations of that kind there are."""


def operations_text(profile: Iterable[OpTime]) -> str:
    """A profile as one cell of the table of rounds: JSON [{op, name, ms, pct, calls}]."""
    return json.dumps([one.model_dump(exclude_none=True) for one in profile])


def costs(text: object) -> tuple[OpCost, ...]:
    """The costliest kind of operation first; empty without a profile.

    Args:
        text: What `operations_text` gives, or anything else for none.
    """
    spent: dict[str, list[float]] = {}
    for one in json.loads(text) if isinstance(text, str) else ():
        ms = number(mapping(one).get("ms"), least=0)
        if not math.isnan(ms):
            spent.setdefault(str(mapping(one).get("op", "")), []).append(ms)
    total = sum(sum(times) for times in spent.values())
    found = [
        OpCost(op, sum(times), 100 * sum(times) / total if total else math.nan, len(times))
        for op, times in spent.items()
    ]
    return tuple(sorted(found, key=lambda cost: (-cost.ms, cost.op)))

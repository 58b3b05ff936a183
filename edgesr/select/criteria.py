"""Written criteria: constraints with units, and an objective; ``benchmarks/criteria/NAME.toml``."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from edgesr.assets import asset
from edgesr.config import Config, load_config
from edgesr.select.metrics import METRICS, metric

DEFAULT = "slides-quality"


class Limit(Config):
    """What a metric has to keep to, in its own unit; of a grade, its rank."""

    min: float | None = None
    max: float | None = None
    device: tuple[str, ...] = ()
    """Serials, models or labels; empty means every device of a group."""

    @field_validator("device", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give it a min or a max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}: nothing can hold that")
        return self


class Objective(Config):
    """What decides among all that meet the constraints: either an order or weights."""

    order: tuple[str, ...] = ()
    """Metrics, the most important first; those tied with the best go on to the next."""
    weights: dict[str, float] = Field(default_factory=dict)
    """Metric -> what one of its unit counts, above 0; which direction is good is known."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if bool(self.order) == bool(self.weights):
            how = "both are given" if self.order else "none is given"
            raise ValueError(f"give it either an order of metrics or weights: {how}")
        for name in (*self.order, *self.weights):
            metric(name)
        if len(set(self.order)) < len(self.order):
            raise ValueError("a metric stands in the order twice")
        for name, weight in self.weights.items():
            if METRICS[name].ranks:
                raise ValueError(f"{name} is a grade and can't be weighed: make it a constraint")
            if not (math.isfinite(weight) and weight > 0):
                raise ValueError(f"the weight of {name} has to be above 0: which way is better "
                                 "is known")  # fmt: skip
        return self


class Criteria(Config):
    """One criteria file."""

    name: str
    description: str = ""
    by: Literal["class", "device"] = "class"
    """Whether one choice has to hold on all devices of a class, or each device gets its own."""
    constraints: dict[str, tuple[Limit, ...]] = Field(default_factory=dict)
    """Metric -> its limits: a table, or a list of them for different devices."""
    objective: Objective

    @field_validator("constraints", mode="before")
    @classmethod
    def _in_their_units(cls, tree: object) -> object:
        if not isinstance(tree, Mapping):
            return tree
        return {name: _limits(str(name), tables) for name, tables in tree.items()}

    @property
    def metrics(self) -> tuple[str, ...]:
        """All that the criteria name, those of the objective first."""
        named = (*self.objective.order, *self.objective.weights, *self.constraints)
        return tuple(dict.fromkeys(named))

    @property
    def named_devices(self) -> tuple[str, ...]:
        """All devices that a constraint names."""
        limits = (limit for limits in self.constraints.values() for limit in limits)
        return tuple(dict.fromkeys(name for limit in limits for name in limit.device))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, limits in the metrics' own units, grades as they are written."""
        objective = self.objective
        return {
            "name": self.name,
            "description": self.description,
            "by": self.by,
            "constraints": {
                name: [_limit_dict(name, limit) for limit in limits]
                for name, limits in self.constraints.items()
            },
            "objective": {"order": list(objective.order)}
            if objective.order
            else {"weights": dict(objective.weights)},
        }


def load_criteria(name: str = DEFAULT, overrides: Iterable[str] = ()) -> Criteria:
    """Shipped criteria by name, or any by the path of their TOML file.

    Args:
        name: ``slides-quality``, ``video-30fps``, ``smallest``, or a path that ends in ``.toml``.
        overrides: ``--set`` strings, as ``constraints.trust.min=C``.

    Raises:
        ConfigError: When there are none of that name, or the file does not hold.
        InputError: When the file can't be read.
    """
    path = Path(name) if name.endswith(".toml") else asset("criteria", f"{name}.toml")
    return load_config(path, Criteria, overrides)


def _limits(name: str, tables: object) -> object:
    """The tables of one constraint with numbers in the metric's unit."""
    found = metric(name)
    listed = [tables] if isinstance(tables, Mapping) else tables
    if not isinstance(listed, list | tuple) or not listed:
        raise ValueError(f"{name} takes a table such as {{ max = 1 }}, or a list of them")
    if found.ranks and any(isinstance(one, Mapping) and "max" in one for one in listed):
        raise ValueError(f"{name} takes a min only")
    return [
        {key: found.limit(raw) if key in {"min", "max"} else raw for key, raw in table.items()}
        if isinstance(table, Mapping)
        else table
        for table in listed
    ]


def _limit_dict(name: str, limit: Limit) -> dict[str, Any]:
    ranks = METRICS[name].ranks
    ends = {"min": limit.min, "max": limit.max}
    told: dict[str, Any] = {
        end: ranks[int(value)] if ranks else value
        for end, value in ends.items()
        if value is not None
    }
    return {**told, **({"device": list(limit.device)} if limit.device else {})}

"""The suite: how long and how often to measure, one TOML file in ``benchmarks/suites``."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from edgesr.assets import asset
from edgesr.config import Config, load_config, parse_config
from edgesr.device.profile import Fit
from edgesr.results.records import Fps

LEAST_ROUNDS = 5
"""Rounds of which a median has a 95 % interval that rests on no assumption."""
MOST_ROUNDS = 30
"""After so many, a job that is still not known well enough gets no more."""

Size = Annotated[str, Field(pattern=r"^[1-9]\d*x[1-9]\d*$")]


class StopRules(Config):
    """When to give up."""

    failures: Annotated[int, Field(ge=1)] = 2
    """A job that failed so often in a row gets no further round."""
    minutes: Annotated[float, Field(gt=0)] = 120
    """No new round is begun after that."""


class Pace(Config):
    """Frames at a fixed rate for minutes, in segments of one launch each."""

    fps: Annotated[tuple[Fps, ...], Field(min_length=1)]
    """Frames per second; each value is a job of its own."""
    minutes: Annotated[float, Field(gt=0, le=24 * 60)]
    """Length of one series, without the gaps between its launches."""
    segment_s: Annotated[float, Field(ge=1, le=600)]
    """Length of one segment: what the series resolves in time."""

    @property
    def seconds(self) -> float:
        """Length of a segment; a series that is shorter is one segment."""
        return min(self.segment_s, 60 * self.minutes)

    @property
    def segments(self) -> int:
        """Launches of one series: it lasts at least ``minutes``."""
        return math.ceil(round(60 * self.minutes / self.seconds, 6))


class Suite(Config):
    """How long and how often to measure; times in seconds."""

    name: str
    sizes: tuple[Size, ...] = ()
    """Input sizes "HxW" to take from the workspace; empty takes all."""
    threads: Annotated[tuple[Annotated[int, Field(ge=1, le=64)], ...], Field(min_length=1)]
    pace: Pace | None = None
    """Frames at a fixed rate; rounds, num_runs, min_secs and max_secs then follow from it."""
    rounds: Annotated[int, Field(ge=1, le=1000)]
    """Launches per job; with ``until_pct`` the most."""
    until_pct: Annotated[float, Field(gt=0, le=50)] | None = None
    """A job gets no further round once its median is known to so many per cent: both ends of its
    95 % interval lie within them."""
    num_runs: Annotated[int, Field(ge=1)]
    """Inferences per launch, at least, unless max_secs ends them."""
    min_secs: Annotated[float, Field(ge=0)]
    max_secs: Annotated[float, Field(gt=0)]
    warmup_runs: Annotated[int, Field(ge=0)] = 1
    warmup_min_secs: Annotated[float, Field(ge=0)] = 0.2
    cool_down_s: Annotated[float, Field(ge=0)] = 0
    """Rest before each launch on this machine; phones wait for what ``fit`` says."""
    timeout_s: Annotated[float, Field(gt=0)] = 240
    """Total time of one launch."""
    fit: Fit = Fit()
    """When a phone is fit to measure, and how long a round waits for that."""
    stop: StopRules = StopRules()

    @model_validator(mode="before")
    @classmethod
    def _follow_pace(cls, tree: Any) -> Any:
        """Fills in what a pace decides: one round is one segment."""
        if not isinstance(tree, Mapping) or tree.get("pace") is None:
            return tree
        try:
            pace = Pace.model_validate(tree["pace"])
        except ValidationError:  # told once more, with the key's place
            return tree
        filled: dict[str, float] = {
            "rounds": pace.segments,
            "num_runs": max(1, round(min(pace.fps) * pace.seconds)),
            "min_secs": pace.seconds,
            "max_secs": pace.seconds,
        }
        for name, value in filled.items():
            if tree.get(name, value) != value:
                raise ValueError(f"{name} follows from [pace]: leave it out")
        return {**tree, **filled}

    @model_validator(mode="after")
    def _has_time(self) -> Self:
        if self.pace is not None and self.timeout_s <= self.pace.seconds:
            raise ValueError("timeout_s must be longer than a segment of [pace]")
        if self.until_pct is not None and self.pace is not None:
            raise ValueError("until_pct does not go with [pace]: a series has a fixed length")
        if self.until_pct is not None and self.rounds < LEAST_ROUNDS:
            raise ValueError(f"until_pct needs {LEAST_ROUNDS} rounds or more to tell anything")
        return self

    @property
    def least_rounds(self) -> int:
        """Good rounds that each job gets at least."""
        return self.rounds if self.until_pct is None else LEAST_ROUNDS

    def paced(self, fps: Sequence[float] | None = None, minutes: float | None = None) -> "Suite":
        """The suite with another pace.

        Args:
            fps: Frames per second; None keeps them.
            minutes: Length of a series; None keeps it.

        Raises:
            ConfigError: When a value does not fit.
        """
        follows = {"rounds", "num_runs", "min_secs", "max_secs"}
        tree = self.model_dump(exclude=follows)
        changes = {"fps": fps, "minutes": minutes}
        tree["pace"] |= {name: value for name, value in changes.items() if value is not None}
        return parse_config(tree, Suite, source=f"suite {self.name}")


def load_suite(name: str) -> Suite:
    """A shipped suite by name, or any by the path of its TOML file.

    Raises:
        ConfigError: When there is none of that name, or the file does not hold.
    """
    path = Path(name) if name.endswith(".toml") else asset("suites", f"{name}.toml")
    return load_config(path, Suite)

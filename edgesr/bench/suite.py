"""The suite: how long and how often to measure, one TOML file in ``benchmarks/suites``."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from edgesr.assets import asset
from edgesr.config import Config, load_config
from edgesr.device.profile import Fit

Size = Annotated[str, Field(pattern=r"^[1-9]\d*x[1-9]\d*$")]


class StopRules(Config):
    """When to give up."""

    failures: Annotated[int, Field(ge=1)] = 2
    """A job that failed so often in a row gets no further round."""
    minutes: Annotated[float, Field(gt=0)] = 120
    """No new round is begun after that."""


class Suite(Config):
    """How long and how often to measure; times in seconds."""

    name: str
    sizes: tuple[Size, ...] = ()
    """Input sizes "HxW" to take from the workspace; empty takes all."""
    threads: Annotated[tuple[Annotated[int, Field(ge=1, le=64)], ...], Field(min_length=1)]
    rounds: Annotated[int, Field(ge=1, le=1000)]
    """Launches per job."""
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


def load_suite(name: str) -> Suite:
    """A shipped suite by name, or any by the path of its TOML file.

    Raises:
        ConfigError: When there is none of that name, or the file does not hold.
    """
    path = Path(name) if name.endswith(".toml") else asset("suites", f"{name}.toml")
    return load_config(path, Suite)

"""The plots by name, filled by a decorator; every module of this package is looked into."""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import edgesr.report.figures as package
from edgesr.analysis.summary import JobSummary

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Frame:
    """The space a plot is drawn for."""

    width: int
    """CSS pixels."""

    @property
    def narrow(self) -> bool:
        """Whether this is a phone's screen: labels go above what they name."""
        return self.width < 600


@dataclass(frozen=True)
class Drawing:
    """A finished plot."""

    figure: "Figure"
    alt: str
    """What the plot shows, for those who don't see it."""
    note: str = ""
    """What had to be left out of it."""


DrawFunction = Callable[[Sequence[JobSummary], Frame], Drawing | None]
"""Gives None where there is nothing to draw."""
DrawT = TypeVar("DrawT", bound=Callable[..., Drawing | None])


Shows = Literal["jobs", "series", "rounds", "training"]
"""What a plot is of: `JobSummary`, paced `Series`, `conditions.Track` or `training.Training`."""


@dataclass(frozen=True)
class Plot:
    """One registered plot."""

    name: str
    """File stem and anchor."""
    title: str
    caption: str
    order: int
    """Place on the page; the smallest comes first."""
    draw: Callable[[Sequence[Any], Frame], Drawing | None]
    """Of what ``shows`` says."""
    shows: Shows = "jobs"


PLOTS: dict[str, Plot] = {}
"""Name -> plot, filled by `plot`; read through `all_plots`."""


def plot(
    name: str, *, title: str, caption: str, order: int
) -> Callable[[DrawFunction], DrawFunction]:
    """Registers the decorated function as a plot."""

    def register(draw: DrawFunction) -> DrawFunction:
        PLOTS[name] = Plot(name, title, caption, order, draw)
        return draw

    return register


def other_plot(
    name: str, *, title: str, caption: str, order: int, shows: Shows
) -> Callable[[DrawT], DrawT]:
    """Registers the decorated function as a plot of something else than jobs."""

    def register(draw: DrawT) -> DrawT:
        PLOTS[name] = Plot(name, title, caption, order, draw, shows)
        return draw

    return register


def all_plots() -> list[Plot]:
    """Every plot in this package, in the order of the page."""
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"{package.__name__}.{module}")
    return sorted(PLOTS.values(), key=lambda one: (one.order, one.name))

"""What a report is made of, before it becomes a page or Markdown."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgesr.analysis.changes import Comparison as RunComparison
from edgesr.analysis.rows import RunData
from edgesr.analysis.summary import JobSummary
from edgesr.analysis.sustained import Series
from edgesr.report.crops import Scene
from edgesr.report.integer import Comparison
from edgesr.report.markup import Markup

if TYPE_CHECKING:
    from edgesr.select.selection import Selection


@dataclass(frozen=True)
class PlotOnPage:
    """One drawn plot."""

    name: str
    title: str
    caption: str
    alt: str
    note: str
    wide: Markup
    """SVG for wide screens."""
    narrow: Markup
    """SVG for phones."""


@dataclass(frozen=True)
class Content:
    """All that the page shows."""

    runs: tuple[RunData, ...]
    jobs: tuple[JobSummary, ...]
    plots: tuple[PlotOnPage, ...]
    scenes: tuple[Scene, ...]
    integers: tuple[Comparison, ...]
    """Integer files against fp32."""
    series: tuple[Series, ...] = ()
    """What was measured at a fixed frame rate; not among the jobs."""
    selection: "Selection | None" = None
    """What the criteria choose; None without jobs."""
    criteria_given: bool = False
    """Whether the criteria were asked for, or are the default ones."""
    changes: tuple[RunComparison, ...] = ()
    """Of each run since the baseline; empty without one."""

    @property
    def all_jobs(self) -> tuple[JobSummary, ...]:
        """Free running and paced."""
        return (*self.jobs, *(one.job for one in self.series))

    @property
    def only_series(self) -> bool:
        """Whether nothing was measured without a pace."""
        return bool(self.series) and not self.jobs

"""Run folders -> a folder with the page, plots, tables and Markdown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise, summary_frame
from edgesr.analysis.sustained import segment_frame, sustained
from edgesr.analysis.tables import write_csv
from edgesr.errors import UsageError
from edgesr.files import atomic_folder, store_errors
from edgesr.report.changes import changes_csv, changes_since
from edgesr.report.conditions import conditions
from edgesr.report.content import Content, PlotOnPage
from edgesr.report.crops import scenes
from edgesr.report.document import GENERATOR, document
from edgesr.report.figures.registry import Frame, Plot, all_plots
from edgesr.report.integer import compare
from edgesr.report.markdown import markdown_report
from edgesr.report.markup import Markup
from edgesr.report.training import read_trainings
from edgesr.results.store import RunFolder
from edgesr.select.choose import manifests_of, select
from edgesr.select.criteria import DEFAULT, load_criteria
from edgesr.select.evidence import Evidence

WIDE, NARROW = Frame(1040), Frame(350)
Progress = Callable[[str, int, int], None]
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class ReportRequest:
    """What to report on, and where to."""

    runs: tuple[RunFolder, ...]
    """At least one, oldest first."""
    out: Path | None = None
    """Folder of the report; by default ``report`` in the newest run's folder."""
    criteria: str | None = None
    """What the recommendation is chosen by: a name or a TOML file; None is the default."""
    overrides: tuple[str, ...] = ()
    """``a.b=value``, laid over the criteria."""
    training: tuple[Path, ...] = ()
    """Files metrics.csv, or training folders, whose curves are drawn."""
    baseline: RunFolder | None = None
    """A run that each of the runs is held against."""

    @property
    def folder(self) -> Path:
        """The folder that the report goes to."""
        return self.out if self.out is not None else self.runs[-1].path / "report"


def write_report(request: ReportRequest, progress: Progress | None = None) -> Path:
    """Writes the whole report at once, or nothing.

    Args:
        request: Which runs, and where to.
        progress: Called with (what is being done, steps done, steps in all).

    Returns:
        The path of index.html.

    Raises:
        UsageError: Without runs, when the folder holds something else than a report, or when the
            baseline is the only run.
        StoreError: When a run can't be read or the report can't be written.
    """
    if not request.runs:
        raise UsageError("a report needs at least one run", hint="measure with: edgesr bench")
    out = request.folder.resolve()
    _refuse_foreign(out)
    plots, trainings = all_plots(), read_trainings(request.training)
    criteria = load_criteria(request.criteria or DEFAULT, request.overrides)
    steps = _Steps(progress, len(request.runs) + len(plots) + 2)
    runs = tuple(steps.done(f"reading {run.path.name}", read_run(run)) for run in request.runs)
    changes = changes_since(request.baseline, runs)
    rows = tidy_rows(runs)
    jobs = tuple(sorted(summarise(rows), key=_place_in_table))
    series = tuple(sustained(rows))
    drawable = {"jobs": jobs, "series": series, "rounds": conditions(rows), "training": trainings}
    with atomic_folder(out) as folder:
        content = Content(
            runs,
            jobs,
            _drawn(plots, drawable, folder / "plots", steps),
            steps.done("pictures", tuple(scenes(runs, jobs))),
            tuple(compare(runs, rows, jobs)),
            series,
            select(jobs, series, criteria, manifests_of(runs), Evidence(runs)),
            criteria_given=request.criteria is not None or bool(request.overrides),
            changes=changes,
        )
        write_csv(folder / "results.csv", rows)
        _write_tables(folder, content)
        _write(folder / "report.md", markdown_report(content))
        _write(folder / "index.html", document(content))
        steps.done("page", None)
    return request.folder / "index.html"


def _write_tables(folder: Path, content: Content) -> None:
    """All CSV files but that of the rounds."""
    summary_frame(content.jobs).to_csv(folder / "summary.csv", index=False)
    if content.series:
        segment_frame(content.series).to_csv(folder / "sustained.csv", index=False)
    if content.changes:
        _write(folder / "changes.csv", changes_csv(content.changes))


@dataclass
class _Steps:
    """Counts steps for the progress bar."""

    progress: Progress | None
    total: int
    finished: int = 0

    def done(self, what: str, result: ResultT) -> ResultT:
        self.finished += 1
        if self.progress is not None:
            self.progress(what, self.finished, self.total)
        return result


def _place_in_table(job: JobSummary) -> tuple[str, str, str, str, bool, float]:
    """Comparable jobs together, the fastest first, those without a time last."""
    time = job.median_ms if job.measured else 0.0  # NaN has no place
    return (job.run, job.device, f"{job.scale:.0f}", job.input, not job.measured, time)


def _refuse_foreign(out: Path) -> None:
    """Stops before a folder is replaced that edgesr did not write."""
    with store_errors(out):
        if not out.exists():
            return
        if not out.is_dir():
            raise UsageError(f"{out} is a file", hint="choose a folder with --out")
        page = out / "index.html"
        ours = page.is_file() and f'content="{GENERATOR}' in page.read_text("utf-8", "replace")
        if not ours and any(out.iterdir()):
            raise UsageError(
                f"{out} is not empty and holds no report of edgesr",
                hint="choose another folder with --out",
            )


def _drawn(
    plots: Sequence[Plot], drawable: Mapping[str, Sequence[Any]], folder: Path, steps: _Steps
) -> tuple[PlotOnPage, ...]:
    """All plots that have something to show."""
    folder.mkdir()
    drawn = [steps.done(one.title, _draw(one, drawable[one.shows], folder)) for one in plots]
    return tuple(plot for plot in drawn if plot is not None)


def _draw(plot: Plot, shown: Sequence[Any], folder: Path) -> PlotOnPage | None:
    """Draws one plot for both widths; the wide one also as files."""
    from edgesr.report.figures._style import drawing_style, inline_svg, to_png, to_svg

    with drawing_style():
        wide, narrow = plot.draw(shown, WIDE), plot.draw(shown, NARROW)
        if wide is None or narrow is None:
            return None
        svg = to_svg(wide.figure)
        _write(folder / f"{plot.name}.svg", svg)
        to_png(wide.figure, folder / f"{plot.name}.png")
        alt = f"alt-{plot.name}"
        return PlotOnPage(
            name=plot.name,
            title=plot.title,
            caption=plot.caption,
            alt=wide.alt,
            note=wide.note,
            wide=Markup(inline_svg(svg, f"{plot.name}-w", alt)),
            narrow=Markup(inline_svg(to_svg(narrow.figure), f"{plot.name}-n", alt)),
        )


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")

"""Run folders -> a folder with the page, plots, tables and Markdown."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise, summary_frame
from edgesr.analysis.sustained import Series, segment_frame, sustained
from edgesr.errors import UsageError
from edgesr.files import atomic_folder, store_errors
from edgesr.report.content import Content, PlotOnPage
from edgesr.report.crops import scenes
from edgesr.report.document import GENERATOR, document
from edgesr.report.figures.registry import Frame, Plot, all_plots
from edgesr.report.integer import compare
from edgesr.report.markdown import markdown_report
from edgesr.report.markup import Markup
from edgesr.results.store import RunFolder

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
        UsageError: Without runs, or when the folder holds something else than a report.
        StoreError: When a run can't be read or the report can't be written.
    """
    if not request.runs:
        raise UsageError("a report needs at least one run", hint="measure with: edgesr bench")
    out = request.folder.resolve()
    _refuse_foreign(out)
    plots = all_plots()
    steps = _Steps(progress, len(request.runs) + len(plots) + 2)
    runs = tuple(steps.done(f"reading {run.path.name}", read_run(run)) for run in request.runs)
    rows = tidy_rows(runs)
    jobs = tuple(sorted(summarise(rows), key=_place_in_table))
    series = tuple(sustained(rows))
    with atomic_folder(out) as folder:
        (folder / "plots").mkdir()
        drawn = [steps.done(one.title, _draw(one, jobs, series, folder / "plots")) for one in plots]
        shown = tuple(plot for plot in drawn if plot is not None)
        pictures = steps.done("pictures", tuple(scenes(runs, jobs)))
        rows.to_csv(folder / "results.csv", index=False)
        summary_frame(jobs).to_csv(folder / "summary.csv", index=False)
        if series:
            segment_frame(series).to_csv(folder / "sustained.csv", index=False)
        integers = tuple(compare(runs, rows, jobs))
        content = Content(runs, jobs, shown, pictures, integers, series)
        _write(folder / "report.md", markdown_report(content))
        _write(folder / "index.html", document(content))
        steps.done("page", None)
    return request.folder / "index.html"


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


def _place_in_table(job: JobSummary) -> tuple[str, str, str, bool, float]:
    """Comparable jobs together, the fastest first, those without a time last."""
    return (job.run, job.device, job.input, not job.measured, job.median_ms)


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


def _draw(
    plot: Plot, jobs: tuple[JobSummary, ...], series: tuple[Series, ...], folder: Path
) -> PlotOnPage | None:
    """Draws one plot for both widths; the wide one also as files."""
    from edgesr.report.figures._style import drawing_style, inline_svg, to_png, to_svg

    with drawing_style():
        shown = series if plot.shows == "series" else jobs
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

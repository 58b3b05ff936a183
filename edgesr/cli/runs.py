"""``edgesr runs``: what was measured here, and how it gets elsewhere or goes."""

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import UsageError
from edgesr.text import plural, short

if TYPE_CHECKING:
    from edgesr.results.inventory import RunInfo
    from edgesr.results.prune import Chosen
    from edgesr.results.store import RunFolder, Workspace

app = typer.Typer(
    help="The runs of the workspace: list, look, pass on, delete.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
RunArgument = Annotated[
    str | None, typer.Argument(metavar="RUN", help="Folder or name (default: the newest).")
]
RunsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN", help="Folders or names (default: the newest)."),
]
_ENDINGS = {".parquet": "parquet", ".csv": "csv", ".tar.gz": "archive", ".tgz": "archive"}


@app.command("list")
@verb
def list_runs(session: Session, *, json: JsonOption = False) -> None:
    """List all runs, the newest last.

    A damaged run is listed too, with what is wrong with it.
    """
    from edgesr.results.inventory import inspect_run, run_folders
    from edgesr.results.store import Workspace

    workspace = Workspace(session.workspace)
    folders, found = run_folders(workspace), []
    with session.terminal.progress() as tick:
        for number, folder in enumerate(folders, start=1):
            found.append(inspect_run(folder))
            tick(f"reading {folder.path.name}", number, len(folders))
    if json:
        runs = [run.to_dict() for run in found]
        session.terminal.json({"workspace": str(workspace.root), "runs": runs})
        return
    if not found:
        session.terminal.print(f"no run yet in {workspace.root}")
        session.terminal.note("next:  measure first with: edgesr bench")
        return
    columns = ["run", "begun (UTC)", "devices", "#candidates", "jobs", "#rounds", "#MB", "remarks"]
    session.terminal.table("", columns, [_row(run) for run in found])


@app.command("show")
@verb
def show(session: Session, run: RunArgument = None, *, json: JsonOption = False) -> None:
    """Show what one run measured, on what, and what became of each job."""
    from edgesr.analysis.rows import read_run, tidy_rows
    from edgesr.analysis.summary import summarise
    from edgesr.analysis.sustained import sustained
    from edgesr.cli._bench_tables import interval_text, job_document
    from edgesr.report.sustained import series_document
    from edgesr.results.inventory import inspect_run
    from edgesr.results.store import Workspace
    from edgesr.text import figures

    folder = Workspace(session.workspace).run(run)
    rows = tidy_rows([read_run(folder)])
    info, jobs, series = inspect_run(folder), summarise(rows), sustained(rows)
    if json:
        document: dict[str, Any] = {**info.to_dict(), "measured": [job_document(j) for j in jobs]}
        document["series"] = [series_document(one) for one in series]
        session.terminal.json(document)
        return
    session.terminal.table(info.name, ["", ""], _facts(info))
    columns = ["candidate", "device", "delegate", "#threads", "status", "#rounds", "#ms", "#95 %",
               "trust"]  # fmt: skip
    told = [*jobs, *(one.job for one in series)]
    cells = [
        [short(job.name, 60), short(job.device_label, 40), job.placed, f"{job.threads:.0f}",
         job.status, str(job.rounds), figures(job.median_ms), interval_text(job), job.trust]
        for job in told
    ]  # fmt: skip
    session.terminal.table("jobs", columns, cells)


@app.command("export")
@verb
def export(
    session: Session,
    runs: RunsArgument = None,
    *,
    kind: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="parquet|csv|archive",
            help="Table of all rounds, or the runs themselves (default: as --out ends; without "
            "--out parquet).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Default: records.parquet or .csv in the newest of the runs, RUN.tar.gz here.",
        ),
    ] = None,
    candidates: Annotated[
        bool, typer.Option("--candidates", help="Put the measured files into the archive.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write runs as one table, or as an archive that another machine imports."""
    from edgesr.results.store import Workspace

    workspace = Workspace(session.workspace)
    kind = kind or _format_of(out)
    if kind not in _ENDINGS.values():
        raise UsageError(f"{kind!r} is no format", hint="there are: parquet, csv, archive")
    if candidates and kind != "archive":
        raise UsageError("--candidates belongs to --format archive")
    if out is not None and out.is_dir():
        raise UsageError(f"{out} is a folder", hint="name a file with --out")
    named = [workspace.run(name) for name in runs] if runs else [workspace.run()]
    chosen = {folder.path.resolve(): folder for folder in named}
    folders = sorted(chosen.values(), key=lambda folder: folder.path.name)
    if kind == "archive":
        path = out or Path(f"{folders[-1].path.name}.tar.gz")
        document = _archive(path, workspace, folders, candidates=candidates)
    else:
        path = out or folders[-1].path / f"records.{kind}"
        document = _table(path, folders, kind)
    document = {"file": str(path), "size_bytes": path.stat().st_size, "format": kind, **document}
    if json:
        session.terminal.json(document)
        return
    size = f"{document['size_bytes'] / 1e6:.1f} MB"
    session.terminal.print(f"{plural(len(folders), 'run')} written to {path} ({size})")


@app.command("import")
@verb
def import_archive(
    session: Session,
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="A .tar.gz of export.")],
    *,
    json: JsonOption = False,
) -> None:
    """Take runs from an archive into the workspace, all of them or none."""
    from edgesr.results.store import Workspace
    from edgesr.results.unpack import read_archive

    found = read_archive(archive, Workspace(session.workspace))
    if json:
        session.terminal.json(
            {"imported": found.runs, "already_there": found.there, "candidates": found.candidates}
        )
        return
    for name in found.runs:
        session.terminal.print(f"{name}: imported")
    for name in found.there:
        session.terminal.print(f"{name}: is already there, the same to the byte")
    if found.candidates:
        session.terminal.print(f"{plural(len(found.candidates), 'candidate')} imported")


@app.command("prune")
@verb
def prune(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN", help="Names (default: every run).")
    ] = None,
    *,
    keep: Annotated[int | None, typer.Option(min=0, metavar="N", help="The newest N stay.")] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Only runs older than that: 30d, 12h, 6w.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete; else it only shows.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show, also with --yes.")] = False,
    json: JsonOption = False,
) -> None:
    """Delete runs that are no longer wanted; without --yes it shows what would go.

    A run that is being measured stays, and so does one that the selection rests on.
    """
    from edgesr.results.prune import PruneOptions, choose, delete
    from edgesr.results.store import Workspace
    from edgesr.select.store import read_selection

    workspace = Workspace(session.workspace)
    options = PruneOptions(tuple(runs or ()), keep, _age(older_than) if older_than else None)
    selection = read_selection(workspace)
    chosen = choose(workspace, options, selected=selection.runs if selection else ())
    doing = yes and not dry_run
    if doing:
        delete(workspace, chosen)
    going = [one for one in chosen if not one.spared]
    if json:
        spared = [{"run": one.name, "why": one.spared} for one in chosen if one.spared]
        gone = [{"run": one.name, "size_bytes": one.size_bytes} for one in going]
        session.terminal.json({"deleted": doing, "runs": gone, "spared": spared})
        return
    _print_pruned(session, chosen, doing=doing)


def _print_pruned(session: Session, chosen: "list[Chosen]", *, doing: bool) -> None:
    word = "deleted" if doing else "would go"
    for one in chosen:
        told = f"stays: {one.spared}" if one.spared else f"{word}, {_megabytes(one.size_bytes)} MB"
        session.terminal.print(f"{one.name}: {told}")
    going = [one for one in chosen if not one.spared]
    total = _megabytes(sum(one.size_bytes for one in going))
    session.terminal.print(f"{plural(len(going), 'run')} {word}, {total} MB")
    if going and not doing:
        session.terminal.note("next:  delete with the same command and --yes")


def _format_of(out: Path | None) -> str:
    """As the file's name ends.

    Raises:
        UsageError: When that tells nothing.
    """
    if out is None:
        return "parquet"
    for ending, kind in _ENDINGS.items():
        if out.name.lower().endswith(ending):
            return kind
    raise UsageError(
        f"{out} has none of the endings {', '.join(_ENDINGS)}",
        hint="say what it shall be with --format parquet, csv or archive",
    )


def _archive(
    path: Path, workspace: "Workspace", folders: "list[RunFolder]", *, candidates: bool
) -> dict[str, Any]:
    from edgesr.results.archive import candidate_folders, write_archive

    added = candidate_folders(workspace, folders) if candidates else []
    contents = write_archive(path, folders, added)
    return {
        "runs": contents.runs,
        "candidates": contents.candidates,
        "files": len(contents.files),
    }


def _table(path: Path, folders: "list[RunFolder]", kind: str) -> dict[str, Any]:
    from edgesr.analysis.rows import read_run, tidy_rows
    from edgesr.analysis.tables import write_csv, write_parquet

    read = [read_run(folder) for folder in folders]
    rows, names = tidy_rows(read), [run.name for run in read]
    if kind == "csv":
        write_csv(path, rows)
    else:
        write_parquet(path, rows, names)
    torn = sum(run.torn_lines for run in read)
    return {"runs": names, "rows": len(rows), "torn_lines": torn}


def _age(text: str) -> timedelta:
    """``30d``, ``12h`` or ``6w``.

    Raises:
        UsageError: When it is none of these.
    """
    match = re.fullmatch(r"(\d{1,5})\s*([hdw])", text.strip())
    if not match:
        raise UsageError(f"--older-than {text!r} is no age", hint="as in 30d, 12h or 6w")
    hours = {"h": 1, "d": 24, "w": 168}[match[2]]
    return timedelta(hours=int(match[1]) * hours)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"


def _row(run: "RunInfo") -> list[str]:
    begun = f"{run.created:%Y-%m-%d %H:%M}" if run.created else "?"
    if run.problem is not None:
        return [short(run.name, 60), begun, "", "", "", "", _megabytes(run.size_bytes),
                "; ".join([f"damaged: {short(run.problem, 200)}", *_remarks(run)])]  # fmt: skip
    return [
        short(run.name, 60), begun, _devices(run), str(run.candidates), _jobs(run),
        str(run.rounds), _megabytes(run.size_bytes), "; ".join(_remarks(run)),
    ]  # fmt: skip


def _devices(run: "RunInfo") -> str:
    names = (f"{d.model or d.name}{' (simulated)' if d.simulated else ''}" for d in run.devices)
    shown = [short(name, 40) for name in names]
    more = [f"and {len(shown) - 4} more"] if len(shown) > 4 else []
    return ", ".join([*shown[:4], *more])


def _jobs(run: "RunInfo") -> str:
    return ", ".join(f"{count} {state}" for state, count in run.jobs.items() if count) or "none"


def _remarks(run: "RunInfo") -> list[str]:
    found = ["being measured now"] if run.measuring else []
    found += ["sustained"] if run.paced else []
    found += [f"{plural(run.torn_lines, 'line')} unreadable"] if run.torn_lines else []
    found += [f"{plural(run.doubled_lines, 'line')} doubled"] if run.doubled_lines else []
    return found


def _facts(run: "RunInfo") -> list[list[str]]:
    begun = f"{run.created:%Y-%m-%d %H:%M:%S} UTC" if run.created else "unknown"
    devices = [
        ["device", short(f"{d.name} {d.model}{' (simulated)' if d.simulated else ''}", 100)]
        for d in run.devices
    ]
    return [
        ["folder", str(run.path)],
        ["begun", begun],
        ["suite", short(run.suite, 60) or "unknown"],
        *devices,
        ["candidates", str(run.candidates)],
        ["jobs", _jobs(run)],
        ["records", f"{run.records}, at most {plural(run.rounds, 'good round')} of a job"],
        ["size", f"{_megabytes(run.size_bytes)} MB"],
        ["remarks", "; ".join(_remarks(run)) or "none"],
    ]

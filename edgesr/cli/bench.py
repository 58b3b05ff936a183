"""``edgesr bench``: measure candidates here (and, in later versions, on phones)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import (
    AllJobsFailedError,
    InputError,
    NoDeviceError,
    SomeJobsFailedError,
    UsageError,
)

if TYPE_CHECKING:
    from edgesr.bench.runner import BenchRequest, BenchResult
    from edgesr.cli._render import Terminal
    from edgesr.results.records import Job, Record
    from edgesr.results.store import Candidate, Workspace

DEFAULT_DELEGATES = "cpu,xnnpack"
DEFAULT_SUITE = "quick"


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    candidates: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CANDIDATE]...",
            help="Name, id or .tflite of candidates; without any: all in the workspace.",
            show_default=False,
        ),
    ] = None,
    *,
    device: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="host, all, or serials; default: the host."),
    ] = None,
    delegate: Annotated[
        str,
        typer.Option(metavar="LIST", help="Of cpu, xnnpack, gpu, nnapi; or all."),
    ] = DEFAULT_DELEGATES,
    threads: Annotated[
        str | None, typer.Option(metavar="LIST", help="As 1,2,4; default: the suite's.")
    ] = None,
    suite: Annotated[
        str, typer.Option(metavar="NAME", help="A shipped suite, or a TOML file.")
    ] = DEFAULT_SUITE,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Launches per job; default: the suite's.")
    ] = None,
    accuracy: Annotated[
        Path | None,
        typer.Option(metavar="PAIRS.csv", help="Score the device's own pixels on these pairs."),
    ] = None,
    binary: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A benchmark_model for this machine (also: EDGESR_BENCHMARK_MODEL); "
            "without one edgesr's own runner measures.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Workspace that gets the run; default: the candidates'."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Measure only what this run lacks, as it was begun."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and an estimate, measure nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Measure latency, memory and accuracy of candidates.

    Jobs (candidate x delegate x threads) are launched in interleaved rounds; each round's record
    is on disk before the next begins. Ctrl-C keeps what was finished, --resume RUN goes on.
    """
    from edgesr.results.store import Workspace

    show = _Show(session.terminal, json=json)
    target = Workspace(out) if out else Workspace(session.workspace)
    if resume is not None:
        if candidates or accuracy or rounds or threads or device:
            raise UsageError(
                "--resume measures a run as it was begun",
                hint="give no candidates, --device, --threads, --rounds or --accuracy with it",
            )
        _resume(show, target, resume, binary, dry_run=dry_run)
        return
    _check_devices(session, device)
    words = _Words(candidates or [], delegate, threads, suite, rounds)
    request = _request(Workspace(session.workspace), words, accuracy, binary)
    if dry_run:
        show.plan(request)
        return
    from edgesr.bench.runner import run_bench

    with session.terminal.progress() as tick:
        result = run_bench(request, target, tick)
    show.result(result)


@dataclass(frozen=True)
class _Words:
    """Options as they were typed."""

    candidates: list[str]
    delegate: str
    threads: str | None
    suite: str
    rounds: int | None


def _check_devices(session: Session, device: str | None) -> None:
    """Only the host can be measured for now.

    Raises:
        NoDeviceError: When a phone is asked for.
        UsageError: When the list is empty.
    """
    if device is None:
        session.terminal.note("measuring on: host (no --device given)")
        return
    names = _split(device, "--device")
    phones = [name for name in names if name != "host"]
    if phones:
        which = "every phone" if "all" in phones else f"phone {', '.join(phones)}"
        raise NoDeviceError(f"can't measure on {which}: this version measures on the host only")


def _request(
    workspace: "Workspace", words: _Words, accuracy: Path | None, binary: Path | None
) -> "BenchRequest":
    from edgesr.bench.delegates import delegate_names
    from edgesr.bench.runner import BenchRequest
    from edgesr.bench.suite import load_suite

    suite = load_suite(words.suite)
    if words.rounds is not None:
        suite = suite.model_copy(update={"rounds": words.rounds})
    if words.threads is not None:
        suite = suite.model_copy(update={"threads": _threads(words.threads)})
    return BenchRequest(
        candidates=tuple(_candidates(workspace, words.candidates, suite.sizes)),
        suite=suite,
        delegates=delegate_names(_split(words.delegate, "--delegate")),
        accuracy=accuracy,
        binary=binary,
    )


def _candidates(
    workspace: "Workspace", names: Sequence[str], sizes: Sequence[str]
) -> list["Candidate"]:
    """The named candidates, or all of the workspace that have one of the suite's sizes."""
    from edgesr.bench.plan import of_sizes

    if names:
        return [workspace.candidate(name) for name in names]
    everything = workspace.candidates()
    if not everything:
        raise InputError(
            f"there is no candidate in {workspace.root}",
            hint="make some first with: edgesr convert CKPT",
        )
    found = of_sizes(everything, sizes)
    if not found:
        raise InputError(
            f"no candidate in {workspace.root} has an input of {', '.join(sizes)}",
            hint="name candidates, or convert to such a size: edgesr convert CKPT --size HxW",
        )
    return found


def _split(text: str, option: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{option} names nothing")
    return names


def _threads(text: str) -> tuple[int, ...]:
    try:
        counts = tuple(dict.fromkeys(int(part) for part in _split(text, "--threads")))
    except ValueError as error:
        raise UsageError(f"--threads {text!r} is no list of numbers", hint="as 1,2,4") from error
    if not all(1 <= count <= 64 for count in counts):
        raise UsageError(f"--threads {text!r}: from 1 to 64")
    return counts


def _resume(
    show: "_Show", target: "Workspace", name: str, binary: Path | None, *, dry_run: bool
) -> None:
    from edgesr.bench.runner import resume_bench

    run = target.run(name)
    if dry_run:
        raise UsageError("--dry-run shows new plans only", hint=f"see {run.path / 'run.json'}")
    with show.terminal.progress() as tick:
        result = resume_bench(run, target, binary, tick)
    show.result(result)


@dataclass(frozen=True)
class _Show:
    """How results leave: tables, or one JSON document."""

    terminal: "Terminal"
    json: bool

    def plan(self, request: "BenchRequest") -> None:
        """The jobs and how long they may take."""
        from edgesr.bench.plan import estimate_s

        jobs = request.jobs()
        names = {c.manifest.id: c.manifest.name for c in request.candidates}
        least, most = estimate_s(len(jobs) * request.suite.rounds, request.suite)
        if self.json:
            self.terminal.json(
                {
                    "suite": request.suite.model_dump(mode="json"),
                    "jobs": [job.model_dump() for job in jobs],
                    "launches": len(jobs) * request.suite.rounds,
                    "estimate_s": {"least": least, "most": most},
                }
            )
            return
        rows = [(names[job.candidate], job.device, job.delegate, str(job.threads)) for job in jobs]
        self.terminal.table("plan", ["candidate", "device", "delegate", "#threads"], rows)
        self.terminal.print(
            f"{len(jobs)} jobs x {request.suite.rounds} rounds: "
            f"{_duration(least)} to {_duration(most)}"
        )

    def result(self, result: "BenchResult") -> None:
        """One table per candidate with a row per job, then remarks and the run's folder.

        Raises:
            AllJobsFailedError: When no job has a good round.
            SomeJobsFailedError: When some have none and were not refused.
        """
        header, records = result.run.header(), result.run.records()
        rows = _rows(header, records)
        if self.json:
            document = {"run": str(result.run.path), "counts": result.counts, "jobs": rows}
            self.terminal.json(document)
        else:
            columns = ["delegate", "#ms (min..max)", "#init ms", "#MiB", "nodes", "#PSNR", "status"]
            for name in dict.fromkeys(row["candidate"] for row in rows):
                cells = [_cells(row) for row in rows if row["candidate"] == name]
                self.terminal.table(name, columns, cells)
            for line in _remarks(rows):
                self.terminal.print(line)
            self.terminal.print(f"run: {result.run.path}")
        self._verdict(result)

    def _verdict(self, result: "BenchResult") -> None:
        counts, hint = result.counts, f"reasons: {result.run.path / 'records.jsonl'}"
        if not counts["ok"]:
            raise AllJobsFailedError(
                f"no job has a good round ({counts['failed']} failed, {counts['refused']} refused)",
                hint=hint,
            )
        if counts["failed"]:
            total = sum(counts.values())
            retry = f"try them again with: edgesr bench --resume {result.run.path}"
            raise SomeJobsFailedError(f"{counts['failed']} of {total} jobs failed", hint=retry)


def _rows(header: dict[str, Any], records: Sequence["Record"]) -> list[dict[str, Any]]:
    """One dictionary per job of the plan; figures over its good rounds, unknown is None."""
    from edgesr.results.records import Job

    jobs = [Job.model_validate(tree) for tree in header["jobs"]]
    by_job: dict[str, list[Record]] = {job.key: [] for job in jobs}
    for record in records:
        if record.job:
            by_job.setdefault(record.job.key, []).append(record)
    names = {key: manifest["name"] for key, manifest in header["candidates"].items()}
    return [_row(job, names[job.candidate], by_job[job.key]) for job in jobs]


def _row(job: "Job", name: str, records: Sequence["Record"]) -> dict[str, Any]:
    from statistics import median

    good = [record for record in records if record.status == "ok"]
    times = [r.latency_us.median or r.latency_us.avg for r in good if r.latency_us]
    medians = [time / 1000 for time in times if time is not None]
    inits = [record.init_us / 1000 for record in good if record.init_us is not None]
    memory = [r.memory_mb.peak or r.memory_mb.overall for r in good if r.memory_mb]
    known = [value for value in memory if value is not None]
    scores = [record.accuracy for record in good if record.accuracy]
    bad = next((record for record in reversed(records) if record.status != "ok"), None)
    last = good[-1] if good else bad
    return {
        "candidate": name,
        "id": job.candidate,
        "delegate": job.delegate,
        "threads": job.threads,
        "status": "ok" if good else (bad.status if bad else "not measured"),
        "reason": bad.reason if bad else None,
        "rounds": len(good),
        "median_ms": median(medians) if medians else None,
        "spread_ms": [min(medians), max(medians)] if medians else None,
        "init_ms": median(inits) if inits else None,
        "memory_mb": max(known) if known else None,
        "verdict": last.verdict.model_dump() if last and last.verdict else None,
        "psnr_y": scores[0].psnr_y if scores else None,
        "ssim_y": scores[0].ssim_y if scores else None,
        "doubts": sorted({doubt.code for record in good for doubt in record.doubts}),
    }


def _cells(row: dict[str, Any]) -> list[str]:
    time = ""
    if row["median_ms"] is not None:
        low, high = row["spread_ms"]
        time = f"{_figure(row['median_ms'])} ({_figure(low)}..{_figure(high)})"
    return [
        f"{row['delegate']} t{row['threads']}",
        time,
        _figure(row["init_ms"]),
        _figure(row["memory_mb"]),
        _where(row["verdict"]),
        "" if row["psnr_y"] is None else f"{row['psnr_y']:.2f}",
        f"{row['status']} ?" if row["doubts"] else row["status"],
    ]


def _remarks(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Why jobs have no figures, and what to doubt, one line for each cause."""
    from rich.markup import escape

    causes: dict[str, list[str]] = {}
    for row in rows:
        job = f"{row['candidate']} {row['delegate']} t{row['threads']}"
        if row["reason"]:
            causes.setdefault(f"{row['status']}: {row['reason']}", []).append(job)
        for code in row["doubts"]:
            causes.setdefault(f"doubt (?): {code}", []).append(job)
    return [
        escape(f"{cause} - {jobs[0] if len(jobs) == 1 else f'{len(jobs)} jobs'}")
        for cause, jobs in causes.items()
    ]


def _where(verdict: dict[str, Any] | None) -> str:
    if verdict is None:
        return ""
    if verdict["nodes_total"] is None or verdict["nodes_delegated"] is None:
        return str(verdict["outcome"])
    nodes = f"{verdict['nodes_delegated']}/{verdict['nodes_total']}"
    pieces = verdict["partitions"]
    return f"{nodes} in {pieces}" if pieces else nodes


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

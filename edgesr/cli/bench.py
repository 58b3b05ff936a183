"""``edgesr bench``: measure candidates here (and, in later versions, on phones)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgesr.cli._bench_tables import print_plan, print_result
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
    from edgesr.bench.suite import Suite
    from edgesr.results.store import Candidate, Workspace

DEFAULT_DELEGATES = "cpu,xnnpack"
DEFAULT_SUITE = "quick"


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    candidates: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CANDIDATE",
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
        str | None,
        typer.Option(
            metavar="LIST",
            help=f"Of cpu, xnnpack, gpu, nnapi; or all; default: {DEFAULT_DELEGATES}.",
        ),
    ] = None,
    threads: Annotated[
        str | None, typer.Option(metavar="LIST", help="As 1,2,4; default: the suite's.")
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help=f"A shipped suite, or a TOML file; default: {DEFAULT_SUITE}."
        ),
    ] = None,
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
    as_json: JsonOption = False,
) -> None:
    """Measure latency, memory and quality of candidates.

    Jobs (candidate x delegate x threads) are launched in interleaved rounds; each round's record
    is on disk before the next begins. Ctrl-C keeps what was finished, --resume RUN goes on.
    """
    from edgesr.results.store import Workspace

    workspace = Workspace(session.workspace)
    target = Workspace(out) if out else workspace
    typed = _Typed(tuple(candidates or ()), device, delegate, threads, suite, rounds, accuracy)
    if resume is not None:
        measure = _resumption(target, resume, typed, binary, dry_run=dry_run)
    else:
        request = _request(workspace, typed, binary)
        if dry_run:
            _check_pairs(request)
            print_plan(session.terminal, request, as_json=as_json)
            return
        if device is None:
            session.terminal.note("measuring on: host (no --device given)")
        measure = _beginning(target, request)
    with session.terminal.progress() as tick:
        result = measure(tick)
    print_result(session.terminal, result, as_json=as_json)
    _raise_unless_all_good(result)


@dataclass(frozen=True)
class _Typed:
    """The options that say what to measure, as they were typed."""

    candidates: tuple[str, ...] = ()
    device: str | None = None
    delegate: str | None = None
    threads: str | None = None
    suite: str | None = None
    rounds: int | None = None
    accuracy: Path | None = None


_Measure = Callable[[Callable[[str, int, int], None]], "BenchResult"]
"""Takes the progress callback and measures."""


def _beginning(target: "Workspace", request: "BenchRequest") -> _Measure:
    from edgesr.bench.runner import run_bench

    return partial(run_bench, request, target)


def _resumption(
    target: "Workspace", name: str, typed: _Typed, binary: Path | None, *, dry_run: bool
) -> _Measure:
    """Going on with a run.

    Raises:
        UsageError: When options say what to measure: the run says it.
        InputError: When there is no such run.
    """
    from edgesr.bench.runner import resume_bench

    if typed != _Typed():
        raise UsageError(
            "--resume measures a run as it was begun",
            hint="give beside it only --binary, --out, --workspace and --json",
        )
    if not name:
        raise UsageError("--resume names no run", hint="give a run's folder or name")
    run = target.run(name)
    if dry_run:
        raise UsageError("--dry-run shows new plans only", hint=f"see {run.path / 'run.json'}")
    return lambda tick: resume_bench(run, target, binary, tick)


def _request(workspace: "Workspace", typed: _Typed, binary: Path | None) -> "BenchRequest":
    """What was typed, checked and with the defaults filled in."""
    from edgesr.bench.delegates import delegate_names
    from edgesr.bench.runner import BenchRequest

    _check_devices(typed.device)
    delegates = DEFAULT_DELEGATES if typed.delegate is None else typed.delegate
    suite = _suite(typed)
    return BenchRequest(
        delegates=delegate_names(_split(delegates, "--delegate")),
        candidates=tuple(_candidates(workspace, typed.candidates, suite.sizes)),
        suite=suite,
        accuracy=typed.accuracy,
        binary=binary,
    )


def _check_pairs(request: "BenchRequest") -> None:
    """What measuring would say about the pairs.

    Raises:
        InputError: When a pair does not hold, or none has the scale of any candidate.
    """
    from edgesr.bench.scenes import place_scenes

    if request.accuracy is not None:
        place_scenes(request.accuracy, request.candidates)


def _check_devices(device: str | None) -> None:
    """Only the host can be measured for now.

    Raises:
        NoDeviceError: When a phone is asked for.
        UsageError: When the list is empty.
    """
    names = ["host"] if device is None else _split(device, "--device")
    phones = [name for name in names if name != "host"]
    if phones:
        which = "every phone" if "all" in phones else f"phone {', '.join(phones)}"
        raise NoDeviceError(f"can't measure on {which}: this version measures on the host only")


def _suite(typed: _Typed) -> "Suite":
    """The suite with what --rounds and --threads change in it."""
    from edgesr.bench.suite import load_suite

    changes: dict[str, object] = {}
    if typed.rounds is not None:
        changes["rounds"] = typed.rounds
    if typed.threads is not None:
        changes["threads"] = _threads(typed.threads)
    name = DEFAULT_SUITE if typed.suite is None else typed.suite
    return load_suite(name).model_copy(update=changes)


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


def _raise_unless_all_good(result: "BenchResult") -> None:
    """The exit code.

    Raises:
        AllJobsFailedError: When no job has a good round.
        SomeJobsFailedError: When some have none and were not refused.
    """
    counts = result.counts
    if not counts["ok"]:
        raise AllJobsFailedError(
            f"no job has a good round ({counts['failed']} failed, {counts['refused']} refused)",
            hint=f"reasons: {result.run.path / 'records.jsonl'}",
        )
    if counts["failed"]:
        raise SomeJobsFailedError(
            f"{counts['failed']} of {sum(counts.values())} jobs have no good round",
            hint=f"try them again with: edgesr bench --resume {result.run.path}",
        )

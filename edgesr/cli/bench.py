"""``edgesr bench``: measure candidates on phones and here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgesr.cli._bench_end import raise_unless_all_good
from edgesr.cli._bench_suite import DEFAULT_SUITE, SuiteOptions, chosen_suite, split_list
from edgesr.cli._bench_tables import print_plan, print_result
from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import InputError, UsageError

if TYPE_CHECKING:
    from edgesr.bench.binaries import BinaryOptions
    from edgesr.bench.fleet import Choice
    from edgesr.bench.runner import BenchRequest
    from edgesr.bench.scenes import Scoring
    from edgesr.bench.session import BenchResult, Progress
    from edgesr.results.store import Candidate, Workspace


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
        typer.Option(
            metavar="LIST",
            help="all (every authorised phone), host, serials; default: the phones, else host.",
        ),
    ] = None,
    delegate: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Of cpu, xnnpack, gpu, nnapi, gpu-cl, gpu-gl, gpu-fp32, gpu-cl-fp32, "
            "gpu-gl-fp32, nnapi:ACCELERATOR; or all; default: the device's profile.",
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
        int | None,
        typer.Option(
            min=1, max=1000, help="Launches per job, with --until at most; default: the suite's."
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="PCT",
            help="As 3%: give a job rounds until its median is known to so many per cent (95 % "
            "interval), from 5 to 30, or what --rounds says.",
        ),
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="As 24,30,60; for a paced suite such as sustained."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.05, help="How long a paced suite holds each frame rate."),
    ] = None,
    accuracy: Annotated[
        Path | None,
        typer.Option(metavar="PAIRS.csv", help="Score the device's own pixels on these pairs."),
    ] = None,
    ocr: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="Read those pixels' text too, with this engine, or none; default: rapidocr where "
            "the pairs hold text.",
        ),
    ] = None,
    accuracy_launches: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Launches for --accuracy per candidate and delegate, one per tile of a picture; "
            "fewer pictures are scored where they don't suffice; default: 64.",
        ),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Time single operations too, in a pass of its own.")
    ] = False,
    binary: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="A benchmark_model, repeatable for several ABIs (also: EDGESR_BENCHMARK_MODEL); "
            "else the official one is fetched for phones, and edgesr's own runner measures here.",
        ),
    ] = None,
    tool: Annotated[
        Literal["classic", "litert"],
        typer.Option(help="Which official tool is fetched: TensorFlow Lite's or LiteRT's."),
    ] = "classic",
    adb_server: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="Look for phones there, repeatable."),
    ] = None,
    pin: Annotated[
        bool, typer.Option("--pin", help="Pin launches to the phone's big cores (taskset).")
    ] = False,
    fixed_performance: Annotated[
        bool,
        typer.Option("--fixed-performance", help="Bound the clocks by Android's mode meanwhile."),
    ] = False,
    lost_wait: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="Wait so long for a phone that went away."),
    ] = None,
    keep_files: Annotated[
        bool, typer.Option("--keep-files", help="Leave models and binary on the phones.")
    ] = False,
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

    Jobs (candidate x delegate x threads) are launched in interleaved rounds, phones in parallel;
    each round's record is on disk before the next begins. Ctrl-C keeps what was finished,
    --resume RUN goes on, and picks up what phones measured meanwhile.
    """
    from edgesr.results.store import Workspace

    workspace = Workspace(session.workspace)
    target = Workspace(out) if out else workspace
    typed = _Typed(
        candidates=tuple(candidates or ()),
        device=device,
        delegate=delegate,
        threads=threads,
        suite=suite,
        rounds=rounds,
        until=until,
        fps=fps,
        minutes=minutes,
        accuracy=accuracy,
        ocr=ocr,
        accuracy_launches=accuracy_launches,
        profile=profile,
        adb_server=tuple(adb_server or ()),
        pin=pin,
        fixed_performance=fixed_performance,
        lost_wait=lost_wait,
        keep_files=keep_files,
    )
    tools = _Tools(tuple(binary or ()), tool)
    if resume is not None:
        measure = _resumption(target, resume, typed, tools, dry_run=dry_run)
    else:
        request = _request(session, workspace, typed, tools)
        if dry_run:
            from edgesr.bench.runner import describe

            _check_pairs(request)
            print_plan(session.terminal, request, describe(request), as_json=as_json)
            return
        measure = _beginning(target, request)
    with session.terminal.lines() as tell:
        result = measure(tell)
    for name, reason in result.left_out.items():
        session.terminal.note(f"left out: {name}: {reason}")
    print_result(session.terminal, result, as_json=as_json)
    raise_unless_all_good(result)


@dataclass(frozen=True)
class _Typed:
    """The options that say what to measure, as they were typed."""

    candidates: tuple[str, ...] = ()
    device: str | None = None
    delegate: str | None = None
    threads: str | None = None
    suite: str | None = None
    rounds: int | None = None
    until: str | None = None
    fps: str | None = None
    minutes: float | None = None
    accuracy: Path | None = None
    ocr: str | None = None
    accuracy_launches: int | None = None
    profile: bool = False
    adb_server: tuple[str, ...] = ()
    pin: bool = False
    fixed_performance: bool = False
    lost_wait: float | None = None
    keep_files: bool = False


@dataclass(frozen=True)
class _Tools:
    """The options that say with which program."""

    binaries: tuple[Path, ...] = ()
    family: Literal["classic", "litert"] = "classic"

    def options(self) -> "BinaryOptions":
        from edgesr.bench.binaries import BinaryOptions

        return BinaryOptions(named=self.binaries, family=self.family)


_Measure = Callable[["Progress"], "BenchResult"]
"""Takes the progress callback and measures."""


def _beginning(target: "Workspace", request: "BenchRequest") -> _Measure:
    from edgesr.bench.runner import run_bench

    return partial(run_bench, request, target)


def _resumption(
    target: "Workspace", name: str, typed: _Typed, tools: _Tools, *, dry_run: bool
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
    return lambda tell: resume_bench(run, target, tools.options(), tell)


def _request(
    session: Session, workspace: "Workspace", typed: _Typed, tools: _Tools
) -> "BenchRequest":
    """What was typed, checked and with the defaults filled in."""
    from edgesr.bench.delegates import delegate_names
    from edgesr.bench.phone_station import PhoneUse
    from edgesr.bench.runner import BenchRequest

    delegates = None
    if typed.delegate is not None:
        names = split_list(typed.delegate, "--delegate")
        delegates = tuple(name if ":" in name else name.lower() for name in names)
        delegate_names(delegates)  # a wrong name is told before any phone is asked
    changes = SuiteOptions(typed.threads, typed.rounds, typed.fps, typed.minutes, typed.until)
    suite = chosen_suite(typed.suite, changes)
    candidates = tuple(_candidates(workspace, typed.candidates, suite.sizes))
    phones = PhoneUse(
        pin=typed.pin,
        fixed_performance=typed.fixed_performance,
        keep_files=typed.keep_files,
        **({} if typed.lost_wait is None else {"lost_wait_s": typed.lost_wait}),
    )
    return BenchRequest(
        devices=_devices(session, typed),
        delegates=delegates,
        candidates=candidates,
        suite=suite,
        accuracy=typed.accuracy,
        scoring=_scoring(typed),
        op_profile=typed.profile,
        binaries=tools.options(),
        phones=phones,
    )


def _scoring(typed: _Typed) -> "Scoring":
    """How pixels are scored.

    Raises:
        UsageError: When there are no pixels to score.
    """
    from edgesr.bench.scenes import Scoring

    asked = {"--ocr": typed.ocr, "--accuracy-launches": typed.accuracy_launches}
    named = [name for name, value in asked.items() if value is not None]
    if named and typed.accuracy is None:
        raise UsageError(f"{named[0]} goes with --accuracy", hint="add: --accuracy PAIRS.csv")
    limit = {} if typed.accuracy_launches is None else {"launches": typed.accuracy_launches}
    return Scoring(ocr=typed.ocr, **limit)


def _check_pairs(request: "BenchRequest") -> None:
    """What measuring would say about the pairs and the OCR engine.

    Raises:
        UsageError: When no engine has this name.
        MissingExtraError: When its package is not installed.
        InputError: When a pair does not hold, or none has the scale of any candidate.
    """
    from edgesr.bench.legibility import open_judge
    from edgesr.bench.scenes import place_scenes

    if request.accuracy is not None:
        launches = request.scoring.launches
        scenes = place_scenes(request.accuracy, request.candidates, launches)
        with open_judge(scenes, request.scoring):
            pass


def _devices(session: Session, typed: _Typed) -> "Choice":
    """The devices that are meant; says which, where that was left open.

    Raises:
        NoDeviceError: When what was asked for is not there or can't be used.
        TransportError: When an adb server can't be reached.
        UsageError: When the list is empty.
    """
    from edgesr.bench.fleet import choose
    from edgesr.device.adb import default_servers

    asked = None if typed.device is None else split_list(typed.device, "--device")
    choice = choose(asked, default_servers(typed.adb_server))
    for note in choice.notes:
        session.terminal.note(f"left out: {note}")
    if asked is None:
        names = ", ".join(choice.phones) or "host"
        session.terminal.note(f"measuring on: {names} (no --device given)")
    return choice


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

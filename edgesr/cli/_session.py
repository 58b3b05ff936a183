"""What every verb shares: the workspace, the terminal, and how an error leaves the program."""

import contextlib
import functools
import inspect
import os
import signal
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from edgesr.cli._render import Terminal, print_error
from edgesr.errors import EdgesrError, Interrupted

DEFAULT_WORKSPACE = "edgesr-work"

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder for candidates and runs "
        f"(default: $EDGESR_WORKSPACE, else ./{DEFAULT_WORKSPACE}).",
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@dataclass(frozen=True)
class Session:
    """The options that every verb understands, resolved once."""

    workspace: Path
    terminal: Terminal
    debug: bool = False


@dataclass(frozen=True)
class _Before:
    """The common options as given before the verb (``edgesr --quiet bench``)."""

    workspace: Path | None = None
    quiet: bool = False
    debug: bool = False


_NOTHING = _Before()
_BEFORE: ContextVar[_Before] = ContextVar("before_the_verb", default=_NOTHING)


def options_before_verb(workspace: Path | None, *, quiet: bool, debug: bool) -> None:
    """Remembers common options that stood before the verb."""
    _BEFORE.set(_Before(workspace, quiet, debug))


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """Makes a typer command of ``function(session, ...)``.

    The command takes the common options too, and every `EdgesrError` leaves it as one or two
    lines on stderr and its exit code.
    """
    common = {"workspace": (WorkspaceOption, None), "quiet": (QuietOption, False)}
    common["debug"] = (DebugOption, False)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        workspace, quiet, debug = (kwargs.pop(name) for name in common)
        before = _BEFORE.get()
        session = Session(
            workspace=workspace or before.workspace or _workspace_from_environment(),
            terminal=Terminal(quiet=quiet or before.quiet),
            debug=debug or before.debug,
        )
        _report_errors(functools.partial(function, session, *args, **kwargs), session)

    _, *parameters = inspect.signature(function, eval_str=True).parameters.values()
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in common.items()
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def wait_passively() -> None:
    """Lets threads of OpenMP sleep while they wait; to be called before torch is imported.

    By default they spin, and a second program on the same cores brings training to a crawl:
    `benchmarks/perf/training.py --waiting` measures it.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _workspace_from_environment() -> Path:
    return Path(os.environ.get("EDGESR_WORKSPACE") or DEFAULT_WORKSPACE)


def _report_errors(call: Callable[[], None], session: Session) -> None:
    try:
        with _terminable():
            call()
    except KeyboardInterrupt:
        print_error("interrupted", "what was finished is kept")
        raise typer.Exit(Interrupted.exit_code) from None
    except BrokenPipeError:  # the reader of our stdout went away, as in `edgesr models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise typer.Exit(0) from None
    except EdgesrError as error:
        _print_traceback(session)
        print_error(str(error), error.hint)
        raise typer.Exit(error.exit_code) from None
    except Exception as error:
        _print_traceback(session)
        print_error(
            f"unexpected {type(error).__name__}: {error}",
            "this is a bug in edgesr; run again with --debug and report the traceback",
        )
        raise typer.Exit(EdgesrError.exit_code) from error


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does; afterwards it does again what it did before."""
    try:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_traceback(session: Session) -> None:
    """Of the error being handled, with ``--debug``; the exit code stays the documented one."""
    if session.debug:
        import traceback

        traceback.print_exc()

"""Shared by ``edgesr package`` and ``edgesr publish``: options, preparation, what they show."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgesr.cli._session import Session

if TYPE_CHECKING:
    from edgesr.package.build import PackageRequest
    from edgesr.package.choice import Asked
    from edgesr.package.content import Content

CandidateArgument = Annotated[
    str, typer.Argument(metavar="CANDIDATE", help="Name, id, folder or .tflite of a candidate.")
]
DelegateOption = Annotated[
    str | None,
    typer.Option(metavar="D", help="Run it on this delegate (default: the one selected)."),
]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, max=64, help="Threads (default: those selected).")
]
ClassOption = Annotated[
    str | None,
    typer.Option(metavar="CLASS", help="As selected for budget, mid, flagship, host ..."),
]
RunOption = Annotated[
    str | None,
    typer.Option(metavar="RUN", help="Measured values of this run (default: the selection's)."),
]
AuthorOption = Annotated[str, typer.Option(help="Who made the model.")]
LicenceOption = Annotated[
    str, typer.Option("--licence", "--license", help="Of the model, for example apache-2.0.")
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Although it was not selected; the files say so.")
]


def checked(delegate: str | None) -> str | None:
    """A delegate's name, which is known.

    Raises:
        UsageError: When it is not.
    """
    from edgesr.bench.delegates import find_delegate

    return None if delegate is None else find_delegate(delegate).name


def request_of(
    candidate: str, asked: "Asked", run: str | None, author: str, licence: str
) -> "PackageRequest":
    """The options as one object."""
    from edgesr.package.build import PackageRequest
    from edgesr.package.content import About

    return PackageRequest(candidate, asked, About(author, licence), run)


def winners(session: Session, device_class: str | None) -> list[str]:
    """Ids of the candidates that the workspace's selection names, each once.

    Args:
        session: Tells the workspace.
        device_class: Only what won there; None takes all.

    Raises:
        UsageError: When nothing was selected, or nothing for that class.
        StoreError: When the selection is damaged.
    """
    from edgesr.errors import UsageError
    from edgesr.results.store import Workspace
    from edgesr.select.store import read_selection

    selection = read_selection(Workspace(session.workspace))
    won = selection.winners if selection else ()
    fitting = [one for one in won if device_class in (None, one.device_class)]
    if not fitting:
        classes = ", ".join(dict.fromkeys(one.device_class for one in won))
        which = f" for {device_class}, but for: {classes}" if won else ""
        raise UsageError(
            f"nothing was selected in {session.workspace}{which}",
            hint="select first with: edgesr select; or name a candidate",
        )
    return list(dict.fromkeys(one.candidate for one in fitting))


def prepared(session: Session, request: "PackageRequest") -> "Content":
    """Everything decided, made and checked; says on stderr what a user should know."""
    from edgesr.package.build import prepare
    from edgesr.results.store import Workspace

    content = prepare(Workspace(session.workspace), request)
    decision, note = content.decision, session.terminal.note
    if not decision.selected:
        note("not selected: card and contract say so")
    elif all(one.device_class == "host" for one in decision.choices):
        note("no phone was measured: it was selected for this kind of computer; the card says so")
    elif len({(one.delegate, one.threads) for one in decision.choices}) > 1:
        note(
            f"set up as selected for {decision.default.device_class};"
            " contract.json has the other classes, --device-class takes one"
        )
    if not content.measured.jobs:
        note("no measured values of it are at hand: the card has no figures")
    if not content.about.licence:
        note("no --licence: the card says that none was stated")
    return content


def document(content: "Content", files: tuple[Path, ...]) -> dict[str, Any]:
    """For ``--json``."""
    run = content.decision.default
    return {
        "name": content.manifest.name,
        "candidate": content.manifest.id,
        "sha256": content.sha256,
        "selected": content.decision.selected,
        "delegate": run.delegate,
        "threads": run.threads,
        "device_class": run.device_class or None,
        "files": [path.name for path in files],
    }


def show(session: Session, content: "Content", files: tuple[Path, ...]) -> None:
    """The files with their sizes, and how the model is run."""
    rows = [(path.name, f"{path.stat().st_size / 1000:.1f}") for path in files]
    session.terminal.table("", ("file", "#kB"), rows)
    run = content.decision.default
    session.terminal.print(f"runs on {run.delegate} with {run.threads} threads")

"""``edgesr package``: a selected candidate into an Android app's assets."""

from pathlib import Path
from typing import Annotated

import typer

from edgesr.cli._packaging import (
    AuthorOption,
    ClassOption,
    DelegateOption,
    ForceOption,
    LicenceOption,
    RunOption,
    ThreadsOption,
    checked,
    document,
    prepared,
    request_of,
    show,
    winners,
)
from edgesr.cli._session import JsonOption, Session, verb


@verb
def command(  # noqa: PLR0913 - one parameter per option
    session: Session,
    candidate: Annotated[
        str | None,
        typer.Argument(
            metavar="CANDIDATE",
            help="Name, id, folder or .tflite of a candidate; without: every winner of the "
            "selection.",
        ),
    ] = None,
    *,
    app: Annotated[
        Path, typer.Option(metavar="DIR", help="An Android project, or its app module.")
    ],
    delegate: DelegateOption = None,
    threads: ThreadsOption = None,
    device_class: ClassOption = None,
    run: RunOption = None,
    author: AuthorOption = "",
    licence: LicenceOption = "",
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Put a selected candidate, or all of them, into an Android app.

    The .tflite with metadata, a contract, a golden pair, a Kotlin class and a model card go to
    app/src/main/assets/edgesr/NAME.
    """
    from edgesr.package.android import check_targets, module_of, place
    from edgesr.package.choice import Asked

    asked = Asked(checked(delegate), threads, device_class, force)
    module = module_of(app)
    names = [candidate] if candidate is not None else winners(session, device_class)
    contents = [prepared(session, request_of(name, asked, run, author, licence)) for name in names]
    check_targets(module, contents)  # nothing is written when one of them can't be
    placed = [(content, place(module, content)) for content in contents]
    if json:
        packages = [
            {"folder": str(files[0].parent), **document(content, files)}
            for content, files in placed
        ]
        session.terminal.json({"packages": packages})
        return
    for content, files in placed:
        session.terminal.print(f"{content.folder} is in {files[0].parent}")
        show(session, content, files)
    session.terminal.note(
        "move EdgesrUpscaler.kt to your sources, and golden-*, which are for tests, to"
        " src/debug/assets/edgesr/NAME"
    )

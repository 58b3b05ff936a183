"""``edgesr publish``: a selected candidate onto the Hugging Face hub."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from edgesr.cli._packaging import (
    AuthorOption,
    CandidateArgument,
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
)
from edgesr.cli._session import JsonOption, Session, verb


@verb
def command(  # noqa: PLR0913 - one parameter per option
    session: Session,
    candidate: CandidateArgument,
    *,
    hub: Annotated[str, typer.Option(metavar="REPO", help="OWNER/NAME; made where it is not.")],
    private: Annotated[
        bool, typer.Option("--private", help="A new repository is private.")
    ] = False,
    revision: Annotated[
        str, typer.Option(metavar="BRANCH", help="Branch; made where it is not.")
    ] = "main",
    message: Annotated[str, typer.Option(help="Of the commit.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the files.")] = False,
    delegate: DelegateOption = None,
    threads: ThreadsOption = None,
    device_class: ClassOption = None,
    run: RunOption = None,
    author: AuthorOption = "",
    licence: LicenceOption = "",
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Upload a selected candidate to the Hugging Face hub, in one commit.

    The files of edgesr package, with the model card as README.md. The token comes from HF_TOKEN.
    """
    from edgesr.package.build import write_files
    from edgesr.package.choice import Asked
    from edgesr.package.hub import CARD, HubRequest, publish

    request = HubRequest(hub, private, revision, message)
    asked = Asked(checked(delegate), threads, device_class, force)
    content = prepared(session, request_of(candidate, asked, run, author, licence))
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(content, Path(folder), CARD)
        if not json:
            show(session, content, files)
        address = None if dry_run else publish(files, request)
    if json:
        about = {"repo": hub, "revision": revision, "commit": address}
        session.terminal.json({**about, **document(content, files)})
    elif address is None:
        session.terminal.note(f"nothing was uploaded; without --dry-run it goes to {hub}")
    else:
        session.terminal.print(f"published: {address}")

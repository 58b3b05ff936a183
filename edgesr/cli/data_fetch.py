"""``edgesr data fetch``: public sets of images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.data.fetch import Fetched


@verb
def command(
    session: Session,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="As --list names them.")
    ] = None,
    *,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Each set gets a folder of its name in it.")
    ] = Path("datasets"),
    list_sets: Annotated[bool, typer.Option("--list", help="Say which sets there are.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch public sets of images: DIV2K, Flickr2K, REDS, Set5 and others.

    Downloads are resumed, verified where a digest is known, and unpacked. Mind the licences.
    """
    from edgesr.data.fetch import fetch_set, find_set

    if list_sets:
        _list(session, as_json=as_json)
        return
    if not names:
        raise UsageError("no data set is named", hint="see all with: edgesr data fetch --list")
    for name in names:
        find_set(name)  # a typo shows before the first of many gigabytes
    done = []
    for name in names:
        with session.terminal.progress() as tick:
            found = fetch_set(name, out, tick)
        done.append(found)
        if not as_json:
            _tell(session, found)
    if as_json:
        session.terminal.json({"sets": [_document(found) for found in done]})


def _list(session: Session, *, as_json: bool) -> None:
    from edgesr.data.fetch import public_sets

    sets = public_sets()
    if as_json:
        rows = [{"name": name, **one.model_dump()} for name, one in sets.items()]
        session.terminal.json({"sets": rows})
        return
    session.terminal.table(
        "",
        ["name", "what", "#images", "#MB", "checked by", "licence"],
        [
            [
                name,
                one.title,
                f"{one.images:,}",
                f"{one.size_mb:,}" if one.size_mb else "?",
                ("sha256" if one.sha256 else "md5" if one.md5 else "size")
                if one.url
                else "not public",
                one.licence,
            ]
            for name, one in sets.items()
        ],
    )


def _tell(session: Session, found: "Fetched") -> None:
    say = session.terminal.print
    there = ", was there already" if found.was_there else ""
    stated = f" (its source says {found.stated:,})" if found.images != found.stated else ""
    say(f"{found.folder}: {found.images:,} images{stated}{there}")
    known = found.verified not in ("size", "nothing")
    checked = f"checked by {found.verified}" if known else "not known before: keep it to compare"
    say(f"archive: sha256 {found.sha256} ({checked})")
    say(f"licence: {found.licence}")
    say(f"next:    {_next_step(found)}")


def _next_step(found: "Fetched") -> str:
    if found.pairs:
        return f'in a config: [data] train = "{found.pairs}"'
    if found.hr:
        again = f"edgesr data fetch {found.hr} {found.name} --out {found.folder.parent}"
        return f"{again}, which pairs them with their large images"
    pairs = f"edgesr data pairs {found.folder} {found.folder}-pairs --scale 2"
    return f'in a config: [data] train = "{found.folder}", or: {pairs}'


def _document(found: "Fetched") -> dict[str, object]:
    paths = {"folder": str(found.folder), "pairs": str(found.pairs) if found.pairs else None}
    return {
        "name": found.name,
        **paths,
        "images": found.images,
        "sha256": found.sha256,
        "verified": found.verified,
        "url": found.url,
        "licence": found.licence,
        "was_there": found.was_there,
    }

"""``edgesr devices simulate``: phones for those who have none at hand, and for trying faults."""

import contextlib
import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import EdgesrError, TransportError

if TYPE_CHECKING:
    from edgesr.device.standin import StandIn

_USUAL = ("pixel-7", "galaxy-a14", "redmi-12c")
_CONNECT_S = 30


@verb
def command(  # noqa: PLR0913 - the options are the interface
    session: Session,
    *,
    phone: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help=f"Kind of phone; repeatable (default: {', '.join(_USUAL)})."
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="How many phones (default: one of each kind)."),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the phones' folders here (default: removed)."),
    ] = None,
    unauthorized: Annotated[
        bool, typer.Option("--unauthorized", help="Nobody has tapped Allow on them yet.")
    ] = False,
    connect: Annotated[
        bool, typer.Option("--connect", help="Join the usual adb server, not a private one.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Start simulated phones, until Ctrl-C.

    They run the models on this machine, and every record from them says so. Lines typed here make
    things go wrong: "2 cut" cuts the second phone, "help" lists what there is.
    """
    from edgesr.device.standin import PhoneOptions, StandIns

    names = list(phone or _USUAL)
    chosen = itertools.islice(itertools.cycle(names), count or len(names))
    options = [
        PhoneOptions(
            phone=name,
            root=str(root / f"{number}-{Path(name).stem}") if root else None,
            unauthorized=unauthorized,
        )
        for number, name in enumerate(chosen, start=1)
    ]
    with contextlib.suppress(KeyboardInterrupt):
        for number in (signal.SIGTERM, signal.SIGHUP):  # they end it as cleanly as Ctrl-C does
            signal.signal(number, signal.default_int_handler)
        with StandIns(options) as phones, _server(phones, connect=connect) as server:
            _announce(session, phones, server, json=json)
            _obey(session, phones, json=json)
    session.terminal.note("the phones are gone")


@contextlib.contextmanager
def _server(phones: "Sequence[StandIn]", *, connect: bool) -> Iterator[str | None]:
    """Connects the phones; gives the private server's address, None for the usual server."""
    from edgesr.device.standin import PrivateAdbServer

    if not connect:
        with PrivateAdbServer() as server:
            for phone in phones:
                server.connect(phone.serial)
            yield f"127.0.0.1:{server.port}"
        return
    try:
        for phone in phones:
            _adb("connect", phone.serial)
        yield None
    finally:
        for phone in phones:
            with contextlib.suppress(TransportError):
                _adb("disconnect", phone.serial)


def _adb(*argv: str) -> None:
    """Has the usual adb server do something."""
    from edgesr.device.standin.adb_server import find_adb

    try:
        subprocess.run(
            [str(find_adb()), *argv], check=True, capture_output=True, timeout=_CONNECT_S
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise TransportError(f"adb {' '.join(argv)} failed: {error}") from error


def _announce(
    session: Session, phones: "Sequence[StandIn]", server: str | None, *, json: bool
) -> None:
    option = f"--adb-server {server} " if server else ""
    next_call = f"edgesr bench {option}--device all"
    if json:
        document: dict[str, Any] = {
            "adb_server": server,
            "next": next_call,
            "phones": [
                {
                    "number": number,
                    "phone": phone.options.phone,
                    "serial": phone.serial,
                    "root": str(phone.root),
                    "unauthorized": phone.options.unauthorized,
                }
                for number, phone in enumerate(phones, start=1)
            ],
        }
        session.terminal.json(document)
        sys.stdout.flush()
        return
    rows = [
        (str(number), phone.options.phone, phone.serial, str(phone.root))
        for number, phone in enumerate(phones, start=1)
    ]
    session.terminal.table("simulated phones", ("#", "phone", "serial", "folder"), rows)
    session.terminal.print(f"measure on them, in another terminal: {next_call}")
    session.terminal.print('make things go wrong: "1 cut", "help" for more; Ctrl-C ends them')


def _obey(session: Session, phones: "Sequence[StandIn]", *, json: bool) -> None:
    """Takes lines from stdin for as long as there are any, then waits for Ctrl-C."""
    say = session.terminal.note if json else session.terminal.print
    for line in sys.stdin:
        if line.strip():
            say(_answer(phones, line.strip()))
    while True:
        signal.pause()


def _answer(phones: "Sequence[StandIn]", line: str) -> str:
    from edgesr.device.standin.control import HELP

    if line == "help":
        usage = ["PHONE COMMAND, where PHONE is a number or `all`:"]
        return "\n".join([*usage, *(f"  {name:<14}{what}" for name, what in HELP.items())])
    number, _, fault = line.partition(" ")
    if number == "all":
        chosen = list(phones)
    elif number.isdigit() and 1 <= int(number) <= len(phones):
        chosen = [phones[int(number) - 1]]
    else:
        return f'which phone? 1 to {len(phones)}, or all: "1 cut"; "help" lists the commands'
    try:
        return "\n".join(phone.control(fault) for phone in chosen)
    except EdgesrError as error:
        return str(error)

"""``edgesr doctor``: what keeps phones from being measured, and the fix."""

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import EdgesrError, InputError, NoDeviceError, TransportError

if TYPE_CHECKING:
    from edgesr.device.doctor import Check
    from edgesr.device.phone import PhoneFacts

_PATHS = ("EDGESR_BENCHMARK_MODEL", "EDGESR_BINARIES")
"""Settings that name files which have to be there; EDGESR_ADB is looked at with adb itself."""
_KNOWN = ("EDGESR_ADB", "EDGESR_CACHE", "EDGESR_OFFLINE", "EDGESR_WORKSPACE", *_PATHS)
_INTERNAL = ("EDGESR_ROOT", "EDGESR_STANDIN")
"""Used between parts of edgesr; nobody sets them by hand."""
_ERRORS: dict[int, type[EdgesrError]] = {3: InputError, 4: NoDeviceError, 5: TransportError}
_SIGNS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@verb
def command(
    session: Session,
    *,
    adb_server: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="An adb server to look at; may be repeated."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Find out what keeps phones from being measured, and how to fix it.

    Looks at adb, its servers, USB rights, every phone, the official binary and the settings.
    Exit code 0 when nothing fails, 5 when adb does, 4 when a phone does or there is none.
    """
    from edgesr.device.adb import default_servers
    from edgesr.device.doctor import Examination, examine, exit_code

    servers = tuple(default_servers(adb_server or ()))
    examination = Examination(servers, (_binary_check,))
    looked_at = examine(examination, lambda what: session.terminal.note(f"looking at {what} ..."))
    checks = [*looked_at, *setting_checks(os.environ)]
    if json:
        session.terminal.json({"checks": [_document(check) for check in checks]})
    else:
        _show(session, checks)
    code = exit_code(checks)
    if code:
        failed = sum(check.outcome == "fail" for check in checks)
        what = "1 check fails" if failed == 1 else f"{failed} checks fail"
        raise _ERRORS[code](what, hint="each has its fix beside it")


def _document(check: "Check") -> dict[str, str]:
    return {key: value for key, value in asdict(check).items() if key != "concerns"}


def _show(session: Session, checks: "Sequence[Check]") -> None:
    for check in checks:
        session.terminal.print(f"{_SIGNS[check.outcome]}  {check.name}: {check.what}")
        for line in check.fix.splitlines():
            session.terminal.print(f"      {line}")


def _binary_check(facts: "PhoneFacts") -> "Iterator[Check]":
    """Whether there is a benchmark_model for a phone; nothing is downloaded here."""
    from edgesr.bench.binaries import (
        environment_binaries,
        first_fitting,
        load_binaries,
        place_in_cache,
    )
    from edgesr.device.doctor import Check

    info, name = facts.info, f"phone {facts.info.serial} benchmark_model"
    if info.benchmark_model:
        yield Check(name, "ok", f"the stand-in's own, {info.benchmark_model}")
        return
    if info.abi is None:
        fix = "name a binary that runs there: edgesr bench --binary PATH"
        yield Check(name, "warn", "the phone tells no ABI, so none can be chosen", fix)
        return
    if found := first_fitting(environment_binaries(), info.abi):
        yield Check(name, "ok", f"EDGESR_BENCHMARK_MODEL: {found}")
        return
    path, url = place_in_cache(info.abi, "classic"), load_binaries("classic").url(info.abi)
    if path.is_file():
        yield Check(name, "ok", str(path))
    elif url:
        what = f"none for {info.abi} in the cache yet; the first measurement fetches it"
        yield Check(name, "warn", what, f"without network: get {url}\nand put it at {path}")
    else:
        fix = f"build one and put it at {path}, or: edgesr bench --binary PATH"
        yield Check(name, "fail", f"none is published for {info.abi}", fix, "device")


def setting_checks(environment: Mapping[str, str]) -> "Iterator[Check]":
    """The environment variables of edgesr: known, and what they name is there."""
    from edgesr.device.doctor import Check

    for name in sorted(name for name in environment if name.startswith("EDGESR_")):
        value = environment[name]
        if name in _INTERNAL or not value:
            continue
        if name not in _KNOWN:
            close = difflib.get_close_matches(name, _KNOWN, n=1)
            fix = f"did you mean {close[0]}?" if close else f"there are: {', '.join(_KNOWN)}"
            yield Check(name, "warn", "no setting of edgesr is called so", fix)
            continue
        missing = [one for one in value.split(os.pathsep) if one and not Path(one).exists()]
        if name in _PATHS and missing:
            yield Check(name, "fail", f"{missing[0]} does not exist", f"correct or unset {name}")
        else:
            yield Check(name, "ok", value)

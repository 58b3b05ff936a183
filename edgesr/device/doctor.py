"""What may keep phones from being measured, looked for one thing after another, with the fix."""

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgesr.device.adb import ENVIRONMENT, AdbServer, Attached, adb_allowed, adb_program
from edgesr.device.adb_transport import AdbTransport
from edgesr.device.phone import PhoneFacts, phone_info, phone_state
from edgesr.device.profile import Limits
from edgesr.device.states import READY, advice, known_state
from edgesr.device.usb import UsbDevice, access_fix, usb_devices
from edgesr.errors import EdgesrError, TransportError
from edgesr.results.records import DeviceState

_MIN_FREE_MB = 100
_GOOD_FREE_MB = 500
_MAX_CLOCK_OFFSET_S = 120
_AT_ONCE = 8
"""Phones looked at at the same time."""
_SERVE = "adb -a -P PORT nodaemon server"
_NO_PHONE = (
    "connect a phone by a cable that carries data and allow debugging: Settings, About phone, tap "
    "Build number seven times; then Developer options, USB debugging. Without a cable: Developer "
    "options, Wireless debugging, Pair device with pairing code; then adb pair HOST:PORT CODE and "
    "adb connect HOST:PORT. Without a phone: edgesr devices simulate"
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    outcome: Literal["ok", "warn", "fail"]
    what: str
    """What was found, one line."""
    fix: str = ""
    """The next step; empty where nothing has to be done."""
    concerns: Literal["", "transport", "device"] = ""
    """What a failure means for the exit code: the way to phones, or the phones themselves."""


PhoneCheck = Callable[[PhoneFacts], Iterable[Check]]
"""A check of a usable phone that somebody else knows how to do."""
Progress = Callable[[str], None]
"""Called with what is looked at next."""


@dataclass(frozen=True)
class Examination:
    """What to look at."""

    servers: tuple[AdbServer, ...]
    phone_checks: tuple[PhoneCheck, ...] = ()
    """Done for every usable phone besides our own."""
    usb_root: Path = Path("/")
    """Where /sys and /dev are; another one in tests."""


def examine(examination: Examination, progress: Progress | None = None) -> list[Check]:
    """Looks at everything between this machine and its phones.

    A local server that doesn't run is started, as measuring would do.
    """
    tell = progress or (lambda _: None)
    tell("adb")
    checks = [check_program()]
    if not adb_allowed():
        return checks
    attached: list[Attached] = []
    for server in examination.servers:
        tell(f"adb server {server}")
        found, phones = check_server(server)
        checks += found
        attached += phones
    checks += _usb_checks(attached, examination.usb_root)
    if not attached and not any(c.concerns == "transport" for c in checks if c.outcome == "fail"):
        checks.append(Check("phones", "fail", "no phone is attached", _NO_PHONE, "device"))
    tell("phones")
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for found in pool.map(lambda one: check_phone(one, examination.phone_checks), attached):
            checks += found
    return checks


def exit_code(checks: Iterable[Check]) -> int:
    """0 when nothing fails, 5 when the way to the phones does, else 4 (phones) or 3 (the rest)."""
    failed = [check.concerns for check in checks if check.outcome == "fail"]
    codes = {"transport": 5, "device": 4, "": 3}
    return max((codes[concern] for concern in failed), default=0)


def check_program() -> Check:
    """The adb program: where it is and its version."""
    if not adb_allowed():
        fix = f"unset {ENVIRONMENT} to measure on phones"
        return Check("adb", "fail", f"{ENVIRONMENT}=off keeps edgesr from phones", fix, "transport")
    program = adb_program()
    named = os.environ.get(ENVIRONMENT)
    if program is None and named:
        fix = f"correct or unset {ENVIRONMENT}"
        return Check("adb", "fail", f"{ENVIRONMENT} names {named}, no such file", fix, "transport")
    if program is None:
        fix = f"install Android's platform-tools (Debian: apt install adb), or set {ENVIRONMENT}"
        return Check("adb", "fail", "there is no adb program", fix, "transport")
    release, protocol = program_version(program)
    if protocol is None:
        fix = f"try it: {program} version; name another one by {ENVIRONMENT}"
        return Check("adb", "fail", f"{program} does not run", fix, "transport")
    return Check("adb", "ok", f"{program}, version {release}")


def program_version(program: Path) -> tuple[str, int | None]:
    """Release and protocol of an adb program, as ``adb version`` tells them."""
    try:
        done = subprocess.run(
            [str(program), "version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown", None
    protocol = re.search(r"version 1\.0\.(\d+)", done.stdout)
    release = re.search(r"^Version (\S+)", done.stdout, re.MULTILINE)
    number = int(protocol[1]) if protocol else None
    return release[1] if release else f"1.0.{number}", number


def check_server(server: AdbServer) -> tuple[list[Check], list[Attached]]:
    """Whether a server answers, fits the program, and what is attached to it."""
    name, how = f"adb server {server}", "answers"
    if not server.startable and not server.running():
        start = _SERVE.replace("PORT", str(server.port))
        fix = f"correct --adb-server, or start one there: {start}"
        return [Check(name, "fail", f"no adb server answers at {server}", fix, "transport")], []
    try:
        if not server.running():
            server.start()
            how = "was started now, answers"
        version = server.version()
        phones = server.list_devices()
    except (TransportError, ValueError) as error:
        hint = getattr(error, "hint", "")
        fix = hint or f"see what listens there; an adb server is started by: {_SERVE}"
        return [Check(name, "fail", str(error), fix, "transport")], []
    count = "1 phone" if len(phones) == 1 else f"{len(phones)} phones"
    checks = [Check(name, "ok", f"{how}, protocol {version}, {count}")]
    program = adb_program() if server.local else None
    ours = program_version(program)[1] if program else None
    if ours is not None and ours != version:
        checks.append(
            Check(
                f"{name} version",
                "warn",
                f"the server speaks protocol {version}, {program} speaks {ours}: each call of "
                "that program ends the server, and with it what is measured",
                f"keep to one adb program on this machine: set {ENVIRONMENT} to its path",
                "transport",
            )
        )
    return [*checks, check_wireless(server, phones)], phones


def check_wireless(server: AdbServer, phones: Sequence[Attached]) -> Check:
    """Whether phones in the same network are found by themselves, and which wait there."""
    name = f"wireless {server}"
    try:
        daemon = server.ask("host:mdns:check")
        found = server.ask("host:mdns:services") if "version" in daemon else ""
    except TransportError:
        daemon = found = ""
    if "version" not in daemon:
        fix = "adb pair HOST:PORT CODE and adb connect HOST:PORT work without that"
        return Check(name, "warn", "this adb server does not look for phones in the network", fix)
    rows = re.findall(r"^(\S+)\t(_adb[\w-]*)\S*\t(\S+)$", found, re.MULTILINE)
    pairing = [address for _, kind, address in rows if "pairing" in kind]
    if pairing:
        fix = f"with the code that the phone shows: adb pair {pairing[0]} CODE"
        return Check(name, "warn", f"a phone waits for pairing at {pairing[0]}", fix)
    waiting = [at for label, _, at in rows if not _is_attached(label, at, phones)]
    if waiting:
        fix = f"adb connect {waiting[0]}; where that fails, pair it first (Wireless debugging)"
        return Check(name, "warn", f"a phone offers itself at {waiting[0]}", fix)
    return Check(name, "ok", "it looks for phones in the network, and none waits")


def _is_attached(label: str, address: str, phones: Sequence[Attached]) -> bool:
    """Whether what announces itself (``adb-SERIAL-abcdef``) is attached, by cable or network."""
    return any(
        phone.serial == address or label in phone.serial or phone.serial in label
        for phone in phones
    )


def _usb_checks(attached: Sequence[Attached], root: Path) -> list[Check]:
    """Phones on USB that adb may not open, or that don't offer debugging."""
    devices = usb_devices(root)
    denied = any(known_state(phone.state) == "no permissions" for phone in attached)
    closed = [device for device in devices if device.debugging and not device.writable]
    checks = []
    if closed or denied:
        what = ", ".join(str(device) for device in closed) or "a phone on USB"
        fix = access_fix(closed, root)
        checks.append(Check("usb rights", "fail", f"{what} may not be opened", fix, "device"))
    elif any(device.debugging for device in devices):
        checks.append(Check("usb rights", "ok", "phones on USB may be opened"))
    on_usb = any("usb" in phone.tags for phone in attached)
    return checks + [_without_debugging(device) for device in devices if not on_usb and device.mute]


def _without_debugging(device: UsbDevice) -> Check:
    fix = "on the phone: Developer options, USB debugging; and choose File transfer for USB"
    what = f"{device} looks like a phone and offers no debugging"
    return Check("usb debugging", "warn", what, fix)


def check_phone(phone: Attached, more: Sequence[PhoneCheck] = ()) -> list[Check]:
    """One phone: its state, and where it can be used what it says of itself."""
    name = f"phone {phone.serial}"
    if phone.state != READY:
        return [Check(name, "fail", phone.state, advice(phone.state, phone.serial), "device")]
    transport = AdbTransport(phone.server, phone.serial)
    try:
        transport.probe()  # fails in seconds where the link is frozen
        facts = phone_info(transport, server=str(phone.server))
        state = phone_state(transport)
        checks = [_identity(name, facts), *_health(name, facts, state)]
        for check in more:
            checks += check(facts)
    except EdgesrError as error:
        fix = error.hint or advice("offline", phone.serial)
        return [Check(name, "fail", str(error), fix, "device")]
    return checks


def _identity(name: str, facts: PhoneFacts) -> Check:
    info = facts.info
    words = [info.model or "unknown model", info.os, info.soc, info.abi]
    what = ", ".join(word for word in words if word)
    if info.simulated:
        return Check(name, "ok", f"{what}; a stand-in: times are of the machine behind it")
    if not info.listed:
        fix = "it can be measured; a file in devices/ would say what is known of it"
        return Check(name, "warn", f"{what}; no profile knows it", fix)
    return Check(name, "ok", what)


def _health(name: str, facts: PhoneFacts, state: DeviceState) -> list[Check]:
    """Space, clock, and whether it is fit to measure now."""
    checks, info, limits = [], facts.info, facts.profile.limits
    if info.free_mb is not None and info.free_mb < _GOOD_FREE_MB:
        bad = info.free_mb < _MIN_FREE_MB
        what, fix = f"{info.free_mb} MiB are free", "delete something on it: edgesr devices clean"
        checks.append(Check(f"{name} space", "fail" if bad else "warn", what, fix, "device"))
    offset = info.clock_offset_s
    if offset is not None and abs(offset) > _MAX_CLOCK_OFFSET_S:
        what = f"its clock is {abs(offset):.0f} s {'ahead' if offset > 0 else 'behind'}"
        fix = "records carry this machine's time, so only its own logs differ: set it in Settings"
        checks.append(Check(f"{name} clock", "warn", what, fix))
    found = _unfit(state, limits)
    if found:
        fix = "a round waits until it is met, then measures and says so (the suite's [fit])"
        checks.append(Check(f"{name} condition", "warn", "; ".join(found), fix))
    return checks


def _unfit(state: DeviceState, limits: Limits) -> list[str]:
    found = []
    heat, level, status = state.temperature_c, state.battery_pct, state.thermal_status
    if heat is None and status is None:
        found.append("it tells no temperature")
    if heat is not None and limits.temperature_c is not None and heat > limits.temperature_c:
        found.append(f"it is hot: {heat:g} °C")
    if level is not None and level < limits.battery_pct:
        found.append(f"its battery is at {level:g} %")
    if status is not None and status > limits.thermal_status:
        found.append(f"it throttles: thermal status {status}")
    return found

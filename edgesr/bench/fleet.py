"""A desk full of phones: which are meant, which are ready, and one worker for each.

Phones are measured in parallel, the jobs of one phone one after another. This machine, where it is
measured too, comes last: the phones' workers would disturb it.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from edgesr.device.adb import AdbServer, Attached, adb_allowed
from edgesr.device.states import advice
from edgesr.errors import EdgesrError, InputError, NoDeviceError, TransportError

_TURN_S = 0.2
_OF_ONE_DEVICE = (TransportError, InputError)
"""Errors that concern one phone; any other ends the run."""
_SIMULATE = "or try stand-ins: edgesr devices simulate"
Result = TypeVar("Result")


@dataclass(frozen=True)
class Choice:
    """The devices that a run measures."""

    phones: dict[str, Attached] = field(default_factory=dict)
    """By the name that the run gives them."""
    host: bool = False
    notes: tuple[str, ...] = ()
    """What the user should know about phones that are left out."""
    absent: tuple[str, ...] = ()
    """Phones of a run that goes on which are not attached."""


def choose(asked: Sequence[str] | None, servers: Sequence[AdbServer]) -> Choice:
    """The devices that are meant.

    Args:
        asked: ``host``, ``all`` (every authorised phone), serials; None takes the phones if there
            are any, else the host.
        servers: Where phones are looked for.

    Raises:
        NoDeviceError: When what was asked for is not there or can't be used.
        TransportError: When an adb server can't be reached or started.
    """
    if asked is not None and set(asked) <= {"host"}:
        return Choice(host=True)
    found, silent = attached_phones(servers, must=asked is not None)
    attached = named(found)
    usable = {name: phone for name, phone in attached.items() if phone.usable}
    notes = [_why_not(name, phone) for name, phone in attached.items() if not phone.usable]
    notes += silent
    if asked is None:
        return Choice(usable, host=not usable, notes=tuple(notes))
    if "all" in asked and not usable:
        raise NoDeviceError(
            "; ".join(notes) or "no phone is attached",
            hint=f"connect one with USB debugging on (edgesr devices), {_SIMULATE}",
        )
    chosen = dict(usable) if "all" in asked else {}
    for serial in asked:
        if serial not in {"all", "host"}:
            chosen |= _one(serial, attached)
    return Choice(chosen, host="host" in asked, notes=tuple(notes) if "all" in asked else ())


def attached_phones(
    servers: Sequence[AdbServer], *, must: bool
) -> tuple[list[Attached], list[str]]:
    """Every phone of every server, in every state, and what is wrong with servers.

    Args:
        servers: The usual one is started where it doesn't run; one that was named is not.
        must: Whether it is an error when no server can be reached, or just no phone.

    Raises:
        NoDeviceError: When adb is switched off and ``must``.
        TransportError: When no server can be reached or started and ``must``.
    """
    if not adb_allowed():
        if must:
            raise NoDeviceError("no phone can be used: EDGESR_ADB=off switches adb off")
        return [], []
    found: list[Attached] = []
    errors: list[TransportError] = []
    for server in servers:
        try:
            if server.startable:
                server.start()
            found += server.list_devices()
        except TransportError as error:
            errors.append(error)
    if must and len(errors) == len(servers):
        raise errors[0]
    return found, [str(error) for error in errors]


def named(phones: Sequence[Attached]) -> dict[str, Attached]:
    """The phones by serial, with the server behind it where a serial occurs twice."""
    times = Counter(phone.serial for phone in phones)
    found: dict[str, Attached] = {}
    for phone in phones:
        name = phone.serial if times[phone.serial] == 1 else f"{phone.serial}@{phone.server}"
        if name in found:  # phones that adb may not open are all called alike
            name = f"{name}#{phone.tags.get('transport_id', len(found))}"
        found[name] = phone
    return found


def _one(name: str, attached: Mapping[str, Attached]) -> dict[str, Attached]:
    same = {key: phone for key, phone in attached.items() if name in {key, phone.serial}}
    if len(same) != 1:
        problem = (
            f"{len(same)} phones are called {name}" if same else f"no phone {name} is attached"
        )
        known = ", ".join(
            f"{key} ({phone.tags['model']})" if "model" in phone.tags else key
            for key, phone in (same or attached).items()
        )
        hint = f"attached are: {known}" if known else "connect one, see: edgesr doctor"
        raise NoDeviceError(problem, hint=hint)
    ((key, phone),) = same.items()
    if not phone.usable:
        raise NoDeviceError(_why_not(key, phone), hint="see them all with: edgesr devices")
    return same


def _why_not(name: str, phone: Attached) -> str:
    return f"{name} is {phone.state}: {advice(phone.state, phone.serial)}"


class Halt:
    """Ends all workers soon: whoever pauses is woken and leaves."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ends them."""
        self._event.set()

    def pause(self, seconds: float) -> None:
        """Sleeps.

        Raises:
            KeyboardInterrupt: When everything has to stop.
        """
        if self._event.wait(seconds) if seconds > 0 else self._event.is_set():
            raise KeyboardInterrupt


def in_parallel(
    work: Mapping[str, Callable[[], Result]], halt: Halt
) -> "dict[str, Outcome[Result]]":
    """One thread for each piece of work; an error that concerns one phone is its outcome.

    On Ctrl-C, or any other error, the others are told to stop, and waited for.

    Raises:
        KeyboardInterrupt: On Ctrl-C.
        EdgesrError: The first error that concerns more than one phone, a full disk for example.
    """
    if not work:
        return {}
    with ThreadPoolExecutor(max_workers=len(work), thread_name_prefix="phone") as pool:
        futures = {name: pool.submit(call) for name, call in work.items()}
        try:
            _watch(futures.values())
        except BaseException:
            halt.set()
            raise
    return {name: _outcome(future) for name, future in futures.items()}


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What one worker came to."""

    value: Result | None
    error: EdgesrError | None = None


def _watch(futures: "Iterable[Future[Result]]") -> None:
    """Waits for all, in steps that let Ctrl-C through; the first foreign error ends it."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=_TURN_S, return_when=FIRST_COMPLETED)
        for future in done:
            error = future.exception()
            if error is not None and not isinstance(error, _OF_ONE_DEVICE):
                raise error


def _outcome(future: "Future[Result]") -> "Outcome[Result]":
    error = future.exception()
    if isinstance(error, _OF_ONE_DEVICE):
        return Outcome(None, error)
    return Outcome(future.result())

"""What is attached, what it is and how it is doing; and making phones clean again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgesr.assets import asset
from edgesr.bench.fleet import Halt, Outcome, attached_phones, in_parallel, named
from edgesr.bench.phone_station import Phone, PhoneUse, Surroundings, reach
from edgesr.device.adb import AdbServer, Attached
from edgesr.device.lock import PhoneLock, locked
from edgesr.device.phone import phone_state
from edgesr.device.states import advice
from edgesr.errors import EdgesrError, TransportError
from edgesr.results.records import DeviceState

_CLEAN_TIMEOUT_S = 60


@dataclass(frozen=True)
class Surveyed:
    """One attached phone."""

    name: str
    attached: Attached
    phone: Phone | None = None
    """None where it can't be asked."""
    state: DeviceState | None = None
    problem: str | None = None
    """What keeps it from being measured, and what to do."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        info = self.phone.info.to_dict() if self.phone else None
        return {
            "name": self.name,
            "serial": self.attached.serial,
            "server": str(self.attached.server),
            "state": self.attached.state,
            "usable": self.problem is None,
            "problem": self.problem,
            "tags": self.attached.tags,
            "info": info,
            "now": self.state.model_dump() if self.state else None,
        }


def survey(servers: Sequence[AdbServer]) -> list[Surveyed]:
    """Every attached phone in every state; those that answer are asked, in parallel.

    Raises:
        NoDeviceError: When adb is switched off.
        TransportError: When an adb server can't be reached or started.
    """
    found, _silent = attached_phones(servers, must=True)
    phones = named(found)

    def look(name: str) -> Callable[[], Surveyed]:
        return lambda: _look(name, phones[name])

    usable = {name: look(name) for name, phone in phones.items() if phone.usable}
    looked = in_parallel(usable, Halt())
    return [_found(name, phone, looked.get(name)) for name, phone in phones.items()]


def _look(name: str, attached: Attached) -> Surveyed:
    phone = _reach(name, attached)
    mask = phone.facts.profile.big_core_mask
    state = phone_state(phone.transport, busy_s=0.5, big_core_mask=mask)
    return Surveyed(name, attached, phone, state)


def _found(name: str, attached: Attached, looked: "Outcome[Surveyed] | None") -> Surveyed:
    if looked is None:
        return Surveyed(name, attached, problem=advice(attached.state, attached.serial))
    if looked.value is None:
        return Surveyed(name, attached, problem=str(looked.error))
    return looked.value


def clean(phones: "dict[str, Attached]") -> "dict[str, EdgesrError | None]":
    """Ends what edgesr left running on phones and deletes its folder there.

    Returns:
        By name: None, or why it could not be done.
    """

    def one(name: str) -> Callable[[], None]:
        return lambda: _clean(_reach(name, phones[name]))

    found = in_parallel({name: one(name) for name in phones}, Halt())
    return {name: outcome.error for name, outcome in found.items()}


def _clean(phone: Phone) -> None:
    transport = phone.transport
    with locked(transport, phone.identity):
        # the text travels along: a full phone has no room for it
        text = asset("android_bench", "run_bench.sh").read_text(encoding="utf-8")
        command = ["sh", "-c", text, "run_bench.sh", "clean", transport.folder]
        done = transport.run(command, timeout_s=_CLEAN_TIMEOUT_S)
        if done.exit_code != 0:
            why = done.stderr.strip() or "no answer"
            raise TransportError(f"{phone.name} can't be cleaned: {why}")
        for part in ("jobs", "files"):  # the lock goes last, by itself
            transport.remove(f"{transport.folder}/{part}")


def hold(name: str, attached: Attached) -> PhoneLock:
    """Takes a phone's lock, so that no edgesr measures on it; `PhoneLock.release` gives it back.

    Raises:
        DeviceBusyError: When one does already.
        TransportError: When the phone can't be reached.
    """
    phone = _reach(name, attached)
    lock = PhoneLock(phone.transport, phone.identity)
    lock.acquire()
    return lock


def _reach(name: str, attached: Attached) -> Phone:
    halt = Halt()
    return reach(attached, name, PhoneUse(lost_wait_s=0), Surroundings(pause=halt.pause))

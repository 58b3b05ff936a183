"""A phone as a place to measure: reached, locked, described, with the measuring program on it."""

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any

from edgesr.bench.binaries import BinaryOptions, find_binary, note_key, note_sha256
from edgesr.bench.detached import Handling, PhoneExecutor
from edgesr.bench.doubts import Code, conditions, doubt, merged, phone_conditions, unmet
from edgesr.bench.engine import Tool, official, preinstalled
from edgesr.bench.launch import Station
from edgesr.bench.suite import Suite
from edgesr.device.adb import Attached
from edgesr.device.adb_transport import AdbTransport
from edgesr.device.guard import Clock, Unfit, wait_until_fit
from edgesr.device.info import DeviceInfo
from edgesr.device.lock import PhoneLock
from edgesr.device.patient import Patience, PatientTransport
from edgesr.device.phone import PhoneFacts, phone_info, phone_state
from edgesr.errors import TransportError
from edgesr.results.records import DeviceState, Doubt

_BUSY_S = 0.5
_SERIAL_PROPERTIES = ("ro.serialno", "ro.boot.serialno")


@dataclass(frozen=True)
class PhoneUse:
    """How phones are used; ``run.json`` keeps it for ``--resume``."""

    pin: bool = False
    """Pin launches to the profile's big cores."""
    fixed_performance: bool = False
    """Bound the clocks by Android's fixed-performance mode during launches."""
    lost_wait_s: float = 120
    """How long to wait for a phone that is away."""
    lock_wait_s: float = 0
    """How long to wait for another edgesr to finish with the phone."""
    keep_files: bool = False
    """Leave models and binary on the phone for the next run."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> "PhoneUse":
        """From what ``run.json`` holds; keys of others are passed over."""
        return cls(**{f.name: tree[f.name] for f in fields(cls) if f.name in tree})


@dataclass(frozen=True)
class Surroundings:
    """What one phone's worker shares with the caller."""

    pause: Callable[[float], None]
    """Sleeps so many seconds; raises KeyboardInterrupt when everything has to stop."""
    tell: Callable[[str, str], None] = field(default=lambda _name, _what: None)
    """Called with (phone, what it is waiting for)."""
    fetching: Callable[[str, int, int], None] | None = None
    """Progress of the binary's download: (what, bytes done, bytes in all)."""
    former_sha256: Callable[[str, str], str | None] = field(
        default_factory=lambda: _once(note_sha256)
    )
    """As `note_sha256`, which remembers what it is told: asked once for all phones of a call."""


def _once(ask: Callable[[str, str], str | None]) -> Callable[[str, str], str | None]:
    """The same answer to the same question, also to workers that ask at the same time."""
    known, one_at_a_time = cache(ask), threading.Lock()

    def answer(key: str, sha256: str) -> str | None:
        with one_at_a_time:
            return known(key, sha256)

    return answer


@dataclass(frozen=True)
class Phone:
    """A phone that was reached and asked what it is."""

    transport: PatientTransport
    facts: PhoneFacts

    @property
    def name(self) -> str:
        """What the run calls it."""
        return self.transport.name

    @property
    def identity(self) -> str:
        """The same for a phone that is attached twice, by cable and by network.

        Its serial number alone won't do: emulators and some budget phones share theirs.
        """
        serials = (self.facts.props.get(name) for name in _SERIAL_PROPERTIES)
        serial = next((serial for serial in serials if serial), None)
        if serial is None or self.info.boot_id is None:
            return f"{self.info.server} {self.info.serial}"
        return f"{serial} {self.info.boot_id}"

    @property
    def info(self) -> DeviceInfo:
        """As ``run.json`` describes it."""
        return self.facts.info


def reach(attached: Attached, name: str, options: PhoneUse, around: Surroundings) -> Phone:
    """Asks a phone what it is.

    Raises:
        TransportError: When it can't be reached, or refuses the files that are needed for asking.
    """
    inner = AdbTransport(attached.server, attached.serial, name)
    inner.probe()  # a frozen link is known in seconds
    facts = phone_info(inner, server=str(attached.server))
    patience = Patience(options.lost_wait_s, around.pause, lambda what: around.tell(name, what))
    info = replace(facts.info, serial=attached.serial)
    return Phone(PatientTransport(inner, patience), replace(facts, info=info))


def phone_station(
    phone: Phone, run: str, options: PhoneUse, binaries: BinaryOptions, around: Surroundings
) -> Station:
    """Makes a phone ready to measure: locked, cleaned of earlier runs, with the program on it.

    Args:
        phone: The phone.
        run: Name of the run; launches of it that are there already are kept.
        options: How to use it.
        binaries: Which measuring program.
        around: What to call meanwhile.

    Raises:
        TransportError: When it can't be reached, is being measured by another edgesr, or has no
            room.
        InputError: When there is no measuring program for it.
    """
    inner = phone.transport.inner
    lock = PhoneLock(inner, phone.identity)
    lock.acquire(options.lock_wait_s, around.pause)
    profile = phone.facts.profile

    def between() -> None:
        around.pause(0)
        lock.beat()

    handling = Handling(
        run=run,
        mask=profile.big_core_mask if options.pin else None,
        fixed_performance=options.fixed_performance,
        big_core_mask=profile.big_core_mask,
        between=between,
    )
    executor = PhoneExecutor(phone.transport, handling)

    def close() -> None:
        """Without waiting for a phone that is away; the lock goes last."""
        try:
            with contextlib.suppress(TransportError):
                inner.probe()
                PhoneExecutor(inner, handling).clean(keep_run=False)
                if not options.keep_files:
                    for part in ("jobs", "files"):
                        inner.remove(f"{inner.folder}/{part}")
        finally:
            lock.release()

    try:
        executor.clean(keep_run=True)
        executor.settle()
        compiled = f"{phone.transport.folder}/jobs/{run}/compiled"
        phone.transport.run(["mkdir", "-p", compiled], timeout_s=30)
        tool, standing = _tool(phone, binaries, around)
    except BaseException:
        close()
        raise
    if options.pin and profile.big_core_mask is None:
        standing = (*standing, doubt(Code.NOT_PINNED))
    return Station(
        transport=phone.transport,
        tool=tool,
        profile=profile,
        info=phone.info,
        executor=executor,
        guard=PhoneGuard(phone, around, lock),
        doubts=_doubts(phone, options),
        standing_doubts=standing,
        compiled_folder=compiled,
        close=close,
    )


def _tool(
    phone: Phone, binaries: BinaryOptions, around: Surroundings
) -> tuple[Tool, tuple[Doubt, ...]]:
    """The measuring program: the one a stand-in came with, unless one is named, or the official."""
    own = phone.info.benchmark_model
    if own and not binaries.named:
        return preinstalled(phone.transport, own), ()
    path = find_binary(phone.info.abi, binaries, around.fetching)
    tool = official(phone.transport, path)
    former = around.former_sha256(note_key(path), tool.engine.sha256 or "")
    if former is None:
        return tool, ()
    return tool, (doubt(Code.BINARY_CHANGED, before=former, now=tool.engine.sha256 or "unknown"),)


def _doubts(phone: Phone, options: PhoneUse) -> Callable[[DeviceState, DeviceState], list[Doubt]]:
    limits, info = phone.facts.profile.limits, phone.info

    def doubts(before: DeviceState, after: DeviceState) -> list[Doubt]:
        bounded = options.fixed_performance
        return merged(
            conditions(None, info.cores, (before, after), limits),
            phone_conditions(info, before, limits, clocks_bounded=bounded),
        )

    return doubts


class PhoneGuard:
    """Waits until the phone is fit to measure, as the suite's ``[fit]`` says.

    Args:
        phone: The phone.
        around: Whom to tell what is waited for.
        lock: Kept alive meanwhile.
    """

    def __init__(self, phone: Phone, around: Surroundings, lock: PhoneLock) -> None:
        self._phone, self._around, self._lock = phone, around, lock
        self.last: DeviceState | None = None
        """The state that was read last."""

    def __call__(self, suite: Suite) -> list[Doubt]:
        """As `edgesr.bench.launch.Guard`."""

        def read() -> DeviceState:
            self._lock.beat()
            mask = self._phone.facts.profile.big_core_mask
            busy_s = None if suite.fit.busy_pct is None else _BUSY_S
            state = phone_state(self._phone.transport, busy_s=busy_s, big_core_mask=mask)
            self.last = state
            return state

        def progress(found: Sequence[Unfit], _left: float) -> None:
            waits = "; ".join(one.waiting_for for one in found)
            self._around.tell(self._phone.name, waits)

        clock = Clock(sleep=self._around.pause)
        _, found = wait_until_fit(read, suite.fit, progress, clock)
        return unmet(found, self._phone.info.cores)

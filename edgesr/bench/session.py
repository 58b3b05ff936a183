"""The devices of one bench call: reached, made ready, measured in parallel, left as they were."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from edgesr.bench.accuracy import Pass, Scorer
from edgesr.bench.binaries import BinaryOptions, first_fitting, host_abi
from edgesr.bench.fleet import Choice, Halt, attached_phones, in_parallel, named
from edgesr.bench.header import Plan, Setup, Unready
from edgesr.bench.host_station import host_station
from edgesr.bench.launch import Station
from edgesr.bench.measure import Measurement, Passes, Telling, count_jobs
from edgesr.bench.phone_station import Phone, PhoneUse, Surroundings, phone_station, reach
from edgesr.bench.pictures import Pictures
from edgesr.bench.series import unfinished
from edgesr.device.adb import Attached, default_servers
from edgesr.device.info import DeviceInfo
from edgesr.device.profile import Profile
from edgesr.errors import (
    EdgesrError,
    InputError,
    NoDeviceError,
    TransportError,
    UsageError,
)
from edgesr.results.records import Record
from edgesr.results.store import Candidate, RunFolder, Workspace

Progress = Callable[[str, str, int, int], None]
"""Called with (device or stage, what is done, steps done, steps in all); -1 steps for a remark."""


@dataclass(frozen=True)
class BenchResult:
    """What came of a run; jobs are counted by their best round."""

    run: RunFolder
    counts: dict[str, int] = field(default_factory=dict)
    """``ok``, ``refused``, ``failed`` (timeouts and interruptions too) -> jobs."""
    lost: dict[str, str] = field(default_factory=dict)
    """Device -> why not all of its jobs were measured."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Phone -> why it was not meant to be measured after all."""


class Session:
    """The devices of one call, from being reached to being left as they were found.

    Args:
        options: How phones are used.
        binaries: Which measuring program.
        tell: Progress.
        begun_with: ``run.json`` of the run that goes on.
    """

    def __init__(
        self,
        options: PhoneUse,
        binaries: BinaryOptions,
        tell: Progress,
        begun_with: Mapping[str, Any] | None = None,
    ) -> None:
        self.options, self.binaries, self.tell = options, binaries, tell
        self.begun_with = begun_with or {}
        self.halt = Halt()
        self.phones: dict[str, Phone] = {}
        self.stations: dict[str, Station] = {}
        self.unready: dict[str, Unready] = {}
        self.unreached: dict[str, str] = {}
        """Phones that were chosen and did not answer, and why."""
        self.left_out: dict[str, str] = {}
        """Second connections of phones that are measured by their first."""
        self.run: RunFolder | None = None
        """As soon as there is one."""
        self.around = Surroundings(
            pause=self.halt.pause,
            tell=lambda name, what: tell(name, what, -1, -1),
            fetching=stage(tell, "download"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves every device as it was found, in parallel."""

        def close(name: str) -> Callable[[], None]:
            return lambda: self._close(name)

        in_parallel({name: close(name) for name in list(self.stations)}, Halt())

    def _close(self, name: str) -> None:
        station = self.stations.pop(name, None)
        if station is not None:
            station.close()

    def prepare(self, choice: Choice, run: str) -> None:
        """Reaches the phones and makes them ready, in parallel.

        Raises:
            NoDeviceError: When there is nothing left to measure on.
            InputError: When the measuring program for this machine does not hold.
        """
        self.reach_all(choice)
        self.unreached |= dict.fromkeys(choice.absent, "it is not attached")

        def make(name: str) -> Callable[[], None]:
            phone, binaries = self.phones[name], self._binaries(name)

            def ready() -> None:  # noted at once: an interruption elsewhere has to find it
                station = phone_station(phone, run, self.options, binaries, self.around)
                self.stations[name] = station

            return ready

        found = in_parallel({name: make(name) for name in self.phones}, self.halt)
        for name, outcome in found.items():
            if outcome.error is not None:
                self.unready[name] = Unready(self.phones[name].info, str(outcome.error))
                self.tell(name, f"can't be measured: {outcome.error}", -1, -1)
        if choice.host:
            begun = self._begun("host")
            self.stations["host"] = host_station(self._host_binary(choice), begun)
        if not self.stations:
            raise _none_left([o.error for o in found.values() if o.error is not None])

    def reach_all(self, choice: Choice) -> None:
        """Asks the phones what they are; one that is attached twice is taken once.

        Raises:
            NoDeviceError: When there are none.
        """

        def ask(name: str) -> Callable[[], Phone]:
            return lambda: reach(choice.phones[name], name, self.options, self.around)

        found = in_parallel({name: ask(name) for name in choice.phones}, self.halt)
        seen: dict[str, str] = {}
        for name, outcome in found.items():
            if outcome.value is None:
                self.unreached[name] = str(outcome.error)
                continue
            twin = seen.setdefault(outcome.value.identity, name)
            if twin == name:
                self.phones[name] = outcome.value
            else:
                self.left_out[name] = f"it is {twin}, attached a second time"
        if not self.phones and not choice.host:
            raise _none_left([o.error for o in found.values() if o.error is not None])

    def described(self) -> dict[str, tuple[Profile, DeviceInfo]]:
        """Profile and description by name, of the phones."""
        return {name: (p.facts.profile, p.info) for name, p in self.phones.items()}

    def setup(self, pictures: Pictures | None, *, op_profile: bool) -> Setup:
        """What the run measures with."""
        return Setup(
            stations=dict(self.stations),
            unready=self.unready,
            unreached=self.unreached,
            pictures=pictures,
            op_profile=op_profile,
            phones=self.options,
        )

    def measure(
        self, run: RunFolder, plan: Plan, setup: Setup, workspace: Workspace
    ) -> BenchResult:
        """All devices: phones in parallel, then this machine."""
        done = {job.device for job in plan.jobs} - unfinished(run, plan)
        lost = {name: device.reason for name, device in self.unready.items()}
        lost |= {name: why for name, why in self.unreached.items() if name not in done}
        self.run = run
        with run.exclusively(), contextlib.ExitStack() as stack:
            passes = Passes(self._scorer(run, plan, setup, workspace, stack), setup.op_profile)
            work = {
                name: self._worker(Measurement(run, plan, station, passes))
                for name, station in self.stations.items()
            }
            host = work.pop("host", None)
            outcomes = in_parallel(work, self.halt)
            lost |= {name: str(o.error) for name, o in outcomes.items() if o.error is not None}
            self._mark_unready(run, plan)
            if host is not None:
                try:
                    host()
                except (TransportError, InputError) as error:
                    lost["host"] = str(error)
        return BenchResult(run, count_jobs(plan.jobs, run.records()), lost, self.left_out)

    def _worker(self, measurement: Measurement) -> Callable[[], None]:
        telling = Telling(self.tell, lambda: self.halt.pause(0))

        def work() -> None:
            try:
                measurement.all_turns(telling)
            except (TransportError, InputError) as error:
                measurement.mark_lost(str(error))
                raise
            finally:  # others may have it while the slower ones go on
                self._close(measurement.device)

        return work

    def _mark_unready(self, run: RunFolder, plan: Plan) -> None:
        """Says in the records why a phone that was not ready has none, for jobs without any."""
        said = {record.job.key for record in run.records() if record.job}
        for job in plan.jobs:
            device = self.unready.get(job.device)
            if device is not None and job.key not in said:
                reason = device.reason
                lost = Record(job=job, round=0, status="failed", reason=reason, cause="not_ready")
                simulated = {"simulated": True} if device.info.simulated else {}
                run.append(lost.model_copy(update=simulated))

    def _scorer(
        self,
        run: RunFolder,
        plan: Plan,
        setup: Setup,
        workspace: Workspace,
        stack: contextlib.ExitStack,
    ) -> Scorer | None:
        if setup.pictures is None:
            return None
        scorer = Scorer(
            Pass(
                pictures=setup.pictures,
                run=run,
                candidates=_pool(plan, workspace),
                reference=self._reference(stack),
                timeout_s=plan.suite.timeout_s,
            )
        )
        stack.callback(scorer.close)
        return scorer

    def _reference(self, stack: contextlib.ExitStack) -> Station | None:
        """This machine, which makes the reference's pixels; None without a program for that."""
        if "host" in self.stations:
            return self.stations["host"]
        with contextlib.suppress(UsageError):
            station = host_station(None, {"path": None})
            stack.callback(station.close)
            return station
        return None

    def _begun(self, name: str) -> dict[str, Any] | None:
        """The engine that a resumed run was begun with on a device."""
        device = (self.begun_with.get("devices") or {}).get(name) or {}
        found = device.get("engine") or self.begun_with.get("engine")
        return found if isinstance(found, dict) else None

    def _binaries(self, name: str) -> BinaryOptions:
        """The binary that was named, else the one that the run was begun with."""
        before = (self._begun(name) or {}).get("path")
        if self.binaries.named or not before:
            return self.binaries
        return BinaryOptions(named=(Path(before),), family=self.binaries.family)

    def _host_binary(self, choice: Choice) -> Path | None:
        named = self.binaries.named
        fitting = first_fitting(named, host_abi()) if named else None
        return fitting or (named[0] if named and not choice.phones else None)


def devices_of(plan: Plan, header: Mapping[str, Any]) -> Choice:
    """The devices of a run that are there now.

    Raises:
        NoDeviceError: When none is.
    """
    names = dict.fromkeys(job.device for job in plan.jobs)
    wanted = [name for name in names if name != "host"]
    described = header.get("devices") or {}
    places = {name: described.get(name) or {} for name in wanted}
    known = dict.fromkeys(str(p["server"]) for p in places.values() if p.get("server"))
    attached: dict[str, Any] = {}
    if wanted:
        servers = default_servers(tuple(known))
        must = "host" not in names
        there, _silent = attached_phones(servers, must=must)
        if _reconnect(there, places):
            there, _silent = attached_phones(servers, must=must)
        keyed = {(phone.serial, str(phone.server)): phone for phone in there if phone.usable}
        by_name = named(tuple(keyed.values()))
        for name, place in places.items():
            same = keyed.get((str(place.get("serial")), str(place.get("server"))))
            phone = same or by_name.get(name)
            attached |= {name: phone} if phone else {}
    if not attached and "host" not in names:
        raise NoDeviceError(
            f"none of this run's phones is attached ({', '.join(wanted)})",
            hint="connect one of them, see: edgesr devices",
        )
    absent = [name for name in wanted if name not in attached]
    return Choice(attached, host="host" in names, absent=tuple(absent))


def _reconnect(there: Sequence[Attached], places: Mapping[str, Mapping[str, Any]]) -> bool:
    """Connects phones of the network that their server has let go; tells whether any came."""
    usable = {(phone.serial, str(phone.server)) for phone in there if phone.usable}
    came = False
    for place in places.values():
        serial, server = str(place.get("serial")), str(place.get("server"))
        if ":" in serial and place.get("server") and (serial, server) not in usable:
            (named_server,) = default_servers((server,))
            came = named_server.connect(serial) or came
    return came


def _none_left(errors: Sequence[EdgesrError]) -> EdgesrError:
    if errors:
        return errors[0]
    return NoDeviceError("no device is left to measure on")


def _pool(plan: Plan, workspace: Workspace) -> list[Candidate]:
    """Candidates among which an fp32 reference is looked for: the plan's, and those beside them."""
    folders = (candidate.path.resolve().parents[1] for candidate in plan.candidates)
    roots = [folder.parent for folder in folders if folder.name == "candidates"]
    found = list(plan.candidates)
    for root in dict.fromkeys([workspace.root.resolve(), *roots]):
        found += Workspace(root).candidates()
    return found


def silent(_device: str, _what: str, _done: int, _total: int) -> None:
    """No progress."""


def stage(tell: Progress, name: str) -> Callable[[str, int, int], None]:
    """Progress of a stage that belongs to no device."""
    return lambda what, done, total: tell(name, what, done, total)

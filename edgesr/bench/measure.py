"""Measuring one device's share of a plan: round after round, each record on disk before the next.

Per turn: fit to measure? -> the timed launch -> once per job memory, op profile and pixels, each in
a launch of its own -> the record is written -> what the turn left on the device is deleted.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from edgesr.bench.accuracy import AccuracyFailedError, PixelsNotFiniteError, Scorer
from edgesr.bench.argv import Launch, suite_loop
from edgesr.bench.delegates import find_delegate, unavailable
from edgesr.bench.doubts import Code, because, doubt, low_count, merged
from edgesr.bench.header import Plan
from edgesr.bench.launch import (
    Executed,
    Launched,
    Slot,
    Station,
    VanishedError,
    cant_launch,
    run_launch,
)
from edgesr.bench.memory import measure_memory, with_memory
from edgesr.bench.op_pass import measure_ops
from edgesr.bench.outcome import Reading, read_launch
from edgesr.bench.pixel_doubts import pixel_doubts
from edgesr.bench.plan import Turn
from edgesr.bench.rounds import Precision
from edgesr.bench.series import (
    FINAL,
    answered_turns,
    next_series,
    segment_of,
    turns_of,
    without_heat,
)
from edgesr.errors import DeviceFileError
from edgesr.results.records import Accuracy, Doubt, Job, LogFile, Record
from edgesr.results.store import RunFolder

_CONSUMED = frozenset({"failed", "timeout"})
"""Statuses after which a launch must not be picked up again; after others it may still run."""


@dataclass(frozen=True)
class Telling:
    """Where a measurement says how far it is."""

    progress: Callable[[str, str, int, int], None]
    """Called with (device, what is measured, turns done, turns in all)."""
    hold: Callable[[], None] = lambda: None
    """Called before each turn; raises KeyboardInterrupt when everything has to stop."""


@dataclass(frozen=True)
class Passes:
    """What is measured beside time."""

    scorer: Scorer | None = None
    """Scores the pixels; None measures no accuracy."""
    op_profile: bool = False
    """Times of single operations."""


@dataclass
class _Progress:
    """What is answered so far."""

    answered: set[tuple[str, int]] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)
    extras_done: set[str] = field(default_factory=set)
    """Jobs with a good record that holds (or can't hold) memory, profile and accuracy."""
    consumed: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Tries of a round whose launch was read and came to nothing: another try is another launch."""
    scored: dict[tuple[str, str], Accuracy | Doubt] = field(default_factory=dict)
    """By candidate and delegate: pixels don't depend on the number of threads."""


class Measurement:
    """One pass over the turns of one device.

    Args:
        run: Gets the records.
        plan: All that the run measures; the device's own jobs are taken from it.
        station: The device.
        passes: What to measure beside time.
    """

    def __init__(self, run: RunFolder, plan: Plan, station: Station, passes: Passes) -> None:
        self.run, self.station, self.passes = run, station, passes
        self.suite = plan.suite
        self.device = station.transport.name
        self.jobs = [job for job in plan.jobs if job.device == self.device]
        self.candidates = {c.manifest.id: c for c in plan.candidates}
        self.state = _Progress()
        self.tell: Callable[[str], None] = lambda _what: None
        """Says what is done between two turns."""
        self.temperature_c: float | None = None
        """After the last launch."""
        engine = _engine_doubts(run, station)
        self.standing = merged(engine, station.standing_doubts)
        records = [r for r in run.records() if r.job is not None and r.job.device == self.device]
        self.state.answered = answered_turns(records, self.suite)
        self.series = next_series(records)
        self.precision = Precision(self.suite, records)
        for record in records:
            if record.job is not None:
                self._restore(record, record.job)

    def _restore(self, record: Record, job: Job) -> None:
        if record.status in _CONSUMED:
            self.state.consumed[job.key, record.round or 0] += 1
        turn = job.key, record.round or 0
        if record.status not in FINAL or turn not in self.state.answered:
            return
        if record.status == "refused":
            self.state.refused.add(job.key)
        else:
            self.state.extras_done.add(job.key)
        if record.accuracy is not None:
            self.state.scored[job.candidate, job.delegate] = record.accuracy

    def all_turns(self, telling: Telling) -> None:
        """Measures every turn that has no answer yet.

        Raises:
            TransportError: When the device is lost; `mark_lost` says so in the records.
            StoreError: When a record can't be written.
            KeyboardInterrupt: After the interrupted launch's record is written.
        """
        self.tell = lambda what: telling.progress(self.device, what, -1, -1)
        turns = turns_of(self.jobs, self.suite)
        deadline = time.monotonic() + self.suite.stop.minutes * 60
        for done, turn in enumerate(turns):
            telling.hold()
            telling.progress(self.device, self._name(turn), done, len(turns))
            if self._is_over(turn):
                continue
            if time.monotonic() > deadline and not self._in_series(turn):
                return
            self._take(turn)
        telling.progress(self.device, "done", len(turns), len(turns))

    def mark_lost(self, reason: str) -> None:
        """One record for each job that has a turn without an answer: the device is gone."""
        said: set[str] = set()
        for turn in turns_of(self.jobs, self.suite):
            if turn.job.key not in said and not self._is_over(turn):
                said.add(turn.job.key)
                lost = {"status": "device_lost", "reason": reason, "cause": "device_lost"}
                self.run.append(_with(self._start(turn), **lost))

    def _is_over(self, turn: Turn) -> bool:
        key, state = turn.job.key, self.state
        given_up = state.failures[key] >= self.suite.stop.failures
        ended = key in state.refused or given_up or self.precision.enough(key)
        return ended or (key, turn.round) in state.answered

    def _in_series(self, turn: Turn) -> bool:
        """Whether the turn goes on with a series, which must not rest."""
        return turn.job.pace_fps is not None and turn.round > 0

    def _ends(self, turn: Turn) -> bool:
        """Whether a turn may be followed by passes of their own: in a series only the last."""
        return turn.job.pace_fps is None or turn.round == self.suite.rounds - 1

    def _name(self, turn: Turn) -> str:
        job, pace = turn.job, self.suite.pace
        name = self.candidates[job.candidate].manifest.name
        heat = "" if self.temperature_c is None else f", {self.temperature_c:g} °C"
        where = f"{name} {job.delegate} t{job.threads}"
        if pace is None or job.pace_fps is None:
            return f"round {turn.round + 1}: {where}{heat}"
        minute = turn.round * pace.seconds / 60
        return f"minute {minute:.1f} of {pace.minutes:g}: {where} at {job.pace_fps:g} fps{heat}"

    def _take(self, turn: Turn) -> None:
        """Measures one turn and appends its record; the device then forgets it."""
        record = self._record(turn)
        self.run.append(record)
        self.precision.add(record)
        self.temperature_c = record.after.temperature_c if record.after else self.temperature_c
        key, state = turn.job.key, self.state
        state.answered.add((key, turn.round))
        if record.status == "ok":
            state.failures[key] = 0
            if self._ends(turn):
                state.extras_done.add(key)
        elif record.status == "refused":
            state.refused.add(key)
        else:
            state.failures[key] += 1
        with contextlib.suppress(DeviceFileError):
            self.station.executor.forget(self._slot(turn).turn)

    def _slot(self, turn: Turn) -> Slot:
        tries = self.state.consumed[turn.job.key, turn.round]
        again = f"-try{tries + 1}" if tries else ""
        series = self.series.get(turn.job.key, 0)  # another series never picks up a launch of it
        again += f"-series{series + 1}" if series else ""
        return Slot(f"{turn.job.key}-{turn.round}{again}")

    def _start(self, turn: Turn) -> Record:
        start = Record(
            job=turn.job,
            round=turn.round,
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            status="aborted",
            engine=self.station.tool.engine,
        )
        segment = segment_of(turn, self.suite, self.series.get(turn.job.key, 0))
        start = _with(start, segment=segment) if segment else start
        return _with(start, simulated=True) if self.station.info.simulated else start

    def _record(self, turn: Turn) -> Record:
        start = self._start(turn)
        platform, family = self.station.transport.platform, self.station.tool.family
        reason = unavailable(turn.job.delegate, platform, family)
        cause = "no_delegate_here"
        try:
            if reason is None:
                launch = self._launch_of(turn.job)
                reason, cause = cant_launch(self.station, launch), "unknown_flag"
                if reason is None:
                    return self._timed(start, turn, launch)
        except KeyboardInterrupt:
            self.run.append(_with(start, reason="interrupted", cause="interrupted"))
            raise
        except DeviceFileError as error:
            return _with(start, status="failed", reason=str(error), cause="device_refused")
        except VanishedError as error:
            return _with(start, status="failed", reason=str(error), cause="vanished")
        return _with(start, status="refused", reason=reason, cause=cause)

    def _launch_of(self, job: Job) -> Launch:
        graph = self.station.transport.stage(self.candidates[job.candidate].path)
        launch = Launch(graph, job.delegate, job.threads, suite_loop(self.suite, job.pace_fps))
        return replace(launch, compiled=self.station.compiled(job))

    def _timed(self, start: Record, turn: Turn, launch: Launch) -> Record:
        """The timed launch, then, once per job, what needs launches of its own."""
        waited = [] if self._in_series(turn) else self.station.guard(self.suite)
        timeout_s = self.suite.timeout_s
        launched = run_launch(self.station, launch, self._slot(turn), timeout_s=timeout_s)
        done = launched.done
        reading = read_launch(launched.printed, turn.job.delegate)
        path, digest = self.run.write_log(_log_name(self.run, turn), launched.log_text())
        around = self._around(turn, done)
        record = _with(
            _measured(start, launched, reading),
            before=done.before,
            after=done.after,
            doubts=merged(waited, around, done.doubts, self._own_doubts(turn.job, reading)),
            log=LogFile(path=path, sha256=digest),
        )
        missing = turn.job.key not in self.state.extras_done
        extras = record.status == "ok" and missing and self._ends(turn)
        return self._with_extras(record, turn, launch) if extras else record

    def _around(self, turn: Turn, done: Executed) -> list[Doubt]:
        """What the device's state makes doubtful; a series may get hot, but not begin so."""
        found = self.station.doubts(done.before, done.after)
        if turn.job.pace_fps is None:
            return found
        first = [] if self._in_series(turn) else self.station.doubts(done.before, done.before)
        return merged(first, without_heat(found))

    def _own_doubts(self, job: Job, reading: Reading) -> list[Doubt]:
        if reading.status != "ok":
            return self.standing
        found = [] if job.pace_fps else low_count(reading.latency, self.suite)
        variant = self.candidates[job.candidate].manifest.variant
        integer = variant in {"int8", "int8-io", "int8-island", "mixed"}  # int16 it refuses
        if integer and find_delegate(job.delegate).base == "gpu":
            found.append(doubt(Code.GPU_DEQUANTIZES))
        return found + self.standing

    def _with_extras(self, record: Record, turn: Turn, launch: Launch) -> Record:
        """What is measured once per job; where that fails, the time that was measured stays."""
        timeout_s, turn_slot = self.suite.timeout_s, self._slot(turn).turn
        doubts: list[Doubt] = []
        with _failing(Code.MEMORY_FAILED, doubts):
            slot = Slot(turn_slot, "memory")
            memory, more = measure_memory(self.station, launch, slot, timeout_s=timeout_s)
            record = _with(record, memory_mb=with_memory(record.memory_mb, memory))
            doubts += more
        if self.passes.op_profile:
            with _failing(Code.PROFILE_FAILED, doubts):
                slot = Slot(turn_slot, "profile")
                ops, more = measure_ops(self.station, launch, slot, timeout_s=timeout_s)
                record = _with(record, profile=ops)
                doubts += more
        if self.passes.scorer is not None:
            with _failing(Code.ACCURACY_FAILED, doubts):
                accuracy, more = self._accuracy(self.passes.scorer, turn.job)
                record = _with(record, accuracy=accuracy)
                doubts += more
        return _with(record, doubts=merged(record.doubts, doubts))

    def _accuracy(self, scorer: Scorer, job: Job) -> tuple[Accuracy | None, list[Doubt]]:
        group = job.candidate, job.delegate
        if group not in self.state.scored:
            self.state.scored[group] = self._score(scorer, job)
        found = self.state.scored[group]
        if isinstance(found, Doubt):
            return None, [found]
        return found, pixel_doubts(found)

    def _score(self, scorer: Scorer, job: Job) -> Accuracy | Doubt:
        candidate = self.candidates[job.candidate]
        name = f"{candidate.manifest.name} {job.delegate}"

        def tell(done: int, total: int) -> None:
            self.tell(f"{name}: picture {done + 1} of {total}")

        try:
            found = scorer.score(self.station, job, candidate, tell)
        except PixelsNotFiniteError:
            return doubt(Code.PIXELS_NOT_FINITE)
        except AccuracyFailedError as error:
            return because(Code.ACCURACY_FAILED, str(error))
        return found or because(Code.ACCURACY_NO_PAIRS, scorer.why_none(candidate))


def count_jobs(jobs: Sequence[Job], records: Sequence[Record]) -> dict[str, int]:
    """Jobs by their best round: ``ok`` before ``refused`` before ``failed``."""
    statuses: dict[str, set[str]] = {job.key: set() for job in jobs}
    for record in records:
        if record.job and record.job.key in statuses:
            statuses[record.job.key].add(record.status)
    best = (
        next((status for status in ("ok", "refused") if status in found), "failed")
        for found in statuses.values()
    )
    return {"ok": 0, "refused": 0, "failed": 0, **Counter(best)}


@contextlib.contextmanager
def _failing(code: Code, doubts: list[Doubt]) -> Iterator[None]:
    """Makes a doubt of what keeps one pass from being measured on a device that is there."""
    try:
        yield
    except (DeviceFileError, VanishedError) as error:
        doubts.append(because(code, str(error)))


def _engine_doubts(run: RunFolder, station: Station) -> list[Doubt]:
    """Another binary or version than the run was begun with on this device."""
    header = run.header()
    device = (header.get("devices") or {}).get(station.transport.name) or {}
    begun, now = device.get("engine") or header.get("engine") or {}, station.tool.engine
    before = begun.get("sha256") or begun.get("version") or "unknown"
    today = now.sha256 or now.version or "unknown"
    if before == today and begun.get("name") == now.name:
        return []
    return [doubt(Code.ENGINE_CHANGED, before=before, now=today)]


def _with(record: Record, **changes: object) -> Record:
    return record.model_copy(update=changes)


def _measured(start: Record, launched: Launched, reading: Reading) -> Record:
    """The record with what the launch told; only a good round carries figures."""
    record = _with(
        start,
        argv=launched.done.argv,
        started_at=launched.done.started_at or start.started_at,
        status=reading.status,
        reason=reading.reason,
        cause=reading.cause,
        verdict=reading.verdict,
    )
    if reading.status != "ok":
        return record
    if reading.init_kind is not None:
        record = _with(record, init_kind=reading.init_kind)
    return _with(
        record,
        latency_us=reading.latency,
        init_us=reading.init_us,
        memory_mb=reading.memory,
        source=reading.source,
    )


def _log_name(run: RunFolder, turn: Turn) -> str:
    """A name that no earlier try of this round has."""
    base = f"{turn.job.key}-{turn.round}"
    name, number = base, 2
    while run.log_path(name).exists():
        name, number = f"{base}-try{number}", number + 1
    return name

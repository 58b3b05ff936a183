"""Measuring: plan -> run folder -> rounds, each record on disk before the next launch."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from edgesr.bench.accuracy import AccuracyFailedError, Pass, Scorer
from edgesr.bench.argv import Launch, suite_loop
from edgesr.bench.delegates import unavailable
from edgesr.bench.doubts import Code, because, conditions, low_count, window
from edgesr.bench.header import Plan, read_plan, write_header
from edgesr.bench.launch import Launched, Station, cant_launch, host_station, run_launch
from edgesr.bench.memory import peak_memory, with_peak
from edgesr.bench.outcome import Reading, read_launch
from edgesr.bench.plan import Axes, Turn, plan_jobs, schedule
from edgesr.bench.scenes import Scenes, plan_scenes
from edgesr.bench.suite import Suite
from edgesr.errors import InputError, Interrupted, TransportError
from edgesr.results.records import Accuracy, DeviceState, Doubt, Job, LogFile, Record
from edgesr.results.store import Candidate, RunFolder, Workspace

Progress = Callable[[str, int, int], None]
FINAL = frozenset({"ok", "refused"})
"""Statuses that answer a round; any other is tried again by ``--resume``."""


@dataclass(frozen=True)
class BenchRequest:
    """What to measure."""

    candidates: tuple[Candidate, ...]
    suite: Suite
    devices: tuple[str, ...] = ("host",)
    delegates: tuple[str, ...] = ("cpu", "xnnpack")
    accuracy: Path | None = None
    """A pairs.csv; None measures no accuracy."""
    binary: Path | None = None
    """A benchmark_model; None takes the environment's or our own runner."""

    def jobs(self) -> list[Job]:
        """The plan."""
        axes = Axes(self.devices, self.delegates, self.suite.threads)
        return plan_jobs(self.candidates, axes)


@dataclass(frozen=True)
class BenchResult:
    """What came of a run; jobs are counted by their best round."""

    run: RunFolder
    counts: dict[str, int] = field(default_factory=dict)
    """``ok``, ``refused``, ``failed`` (timeouts and interruptions too) -> jobs."""


def run_bench(
    request: BenchRequest, workspace: Workspace, progress: Progress | None = None
) -> BenchResult:
    """Measures in a new run folder.

    Args:
        request: What.
        workspace: Gets the run; the fp32 references of the accuracy pass are looked for in it.
        progress: Called with (what is measured, launches done, launches in all).

    Raises:
        InputError: When there is nothing to measure, or a candidate, the binary or the pairs do
            not hold.
        StoreError: When the workspace can't be written.
        Interrupted: On Ctrl-C, after the launch is killed and its record is written.
    """
    if not request.candidates:
        raise InputError("there is no candidate to measure", hint="make some: edgesr convert CKPT")
    for candidate in request.candidates:
        candidate.check()
    station = host_station(request.binary)
    scenes = None
    if request.accuracy is not None:
        scenes = plan_scenes(request.accuracy, request.candidates, progress)
    plan = Plan(request.candidates, request.jobs(), request.suite)
    run = workspace.new_run(write_header(plan, {"host": station}, scenes))
    return _measure(run, plan, _Tools(station, scenes, workspace), progress)


def resume_bench(
    run: RunFolder,
    workspace: Workspace,
    binary: Path | None = None,
    progress: Progress | None = None,
) -> BenchResult:
    """Measures the rounds of a run that have no answer yet, exactly as it was begun.

    Args:
        run: The run.
        workspace: Where candidates are looked for when they moved.
        binary: A benchmark_model; None takes the one the run was begun with.
        progress: As for `run_bench`.

    Raises:
        InputError: When a candidate's file is gone or has changed.
        StoreError: When the run is damaged or can't be written.
        Interrupted: As `run_bench`.
    """
    plan = read_plan(run, workspace)
    header = run.header()
    station = host_station(binary, begun_with=header.get("engine"))
    pairs = (header.get("accuracy") or {}).get("pairs")
    scenes = plan_scenes(Path(pairs), plan.candidates, progress) if pairs else None
    return _measure(run, plan, _Tools(station, scenes, workspace), progress)


@dataclass(frozen=True)
class _Tools:
    """What measuring needs beside the plan."""

    station: Station
    scenes: Scenes | None
    workspace: Workspace


def _measure(run: RunFolder, plan: Plan, tools: _Tools, progress: Progress | None) -> BenchResult:
    scorer = None
    if tools.scenes is not None:
        shared = Pass(
            scenes=tools.scenes,
            run=run,
            candidates=_pool(plan, tools.workspace),
            reference=tools.station,
            timeout_s=plan.suite.timeout_s,
        )
        scorer = Scorer(shared)
    try:
        _Measurement(run, plan, tools.station, scorer).all_turns(progress)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; what was finished is kept",
            hint=f"go on with: edgesr bench --resume {run.path}",
        ) from None
    finally:
        if scorer:
            scorer.close()
        tools.station.transport.close()
    return BenchResult(run, count_jobs(plan.jobs, run.records()))


def _pool(plan: Plan, workspace: Workspace) -> list[Candidate]:
    """Candidates among which an fp32 reference is looked for: the plan's, and those beside them."""
    folders = (candidate.path.resolve().parents[1] for candidate in plan.candidates)
    roots = [folder.parent for folder in folders if folder.name == "candidates"]
    found = list(plan.candidates)
    for root in dict.fromkeys([workspace.root.resolve(), *roots]):
        found += Workspace(root).candidates()
    return found


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


_Group = tuple[str, str, str]
"""Candidate, device, delegate: pixels don't depend on the number of threads."""


def _group(job: Job) -> _Group:
    return job.candidate, job.device, job.delegate


class _Measurement:
    """The state of one pass over the plan."""

    def __init__(self, run: RunFolder, plan: Plan, station: Station, scorer: Scorer | None) -> None:
        self.run, self.plan, self.station, self.scorer = run, plan, station, scorer
        self.candidates = {c.manifest.id: c for c in plan.candidates}
        self.answered: set[tuple[str, int]] = set()
        self.refused: set[str] = set()
        self.failures: Counter[str] = Counter()
        self.scored: dict[_Group, Accuracy | Doubt] = {}
        self.engine_doubts = _engine_doubts(run, station)
        self.extras_done: set[str] = set()
        """Jobs with a good record that holds (or can't hold) peak memory and accuracy."""
        self._restore()

    def _restore(self) -> None:
        for record in self.run.records():
            if record.job is None or record.status not in FINAL:
                continue
            key = record.job.key
            self.answered.add((key, record.round or 0))
            if record.status == "refused":
                self.refused.add(key)
            else:
                self.extras_done.add(key)
            if record.accuracy is not None:
                self.scored[_group(record.job)] = record.accuracy

    def all_turns(self, progress: Progress | None) -> None:
        """Measures every turn that has no answer yet."""
        turns = list(schedule(self.plan.jobs, self.plan.suite.rounds))
        deadline = time.monotonic() + self.plan.suite.stop.minutes * 60
        for done, turn in enumerate(turns):
            if progress:
                progress(self._name(turn), done, len(turns))
            if self._is_over(turn):
                continue
            if time.monotonic() > deadline:
                return
            self._take(turn)
        if progress:
            progress("done", len(turns), len(turns))

    def _is_over(self, turn: Turn) -> bool:
        key = turn.job.key
        given_up = self.failures[key] >= self.plan.suite.stop.failures
        return (key, turn.round) in self.answered or key in self.refused or given_up

    def _name(self, turn: Turn) -> str:
        job = turn.job
        name = self.candidates[job.candidate].manifest.name
        return f"round {turn.round + 1}: {name} {job.delegate} t{job.threads}"

    def _take(self, turn: Turn) -> None:
        """Measures one turn and appends its record."""
        record = self._record(turn)
        self.run.append(record)
        key = turn.job.key
        if record.status == "ok":
            self.failures[key] = 0
            self.extras_done.add(key)
        elif record.status == "refused":
            self.refused.add(key)
        else:
            self.failures[key] += 1

    def _record(self, turn: Turn) -> Record:
        start = Record(
            job=turn.job,
            round=turn.round,
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            status="aborted",
            engine=self.station.tool.engine,
        )
        platform = self.station.transport.platform
        launch, reason = None, unavailable(turn.job.delegate, platform, self.station.tool.family)
        if reason is None:
            launch = self._launch_of(turn.job)
            reason = cant_launch(self.station, launch)
        if launch is None or reason is not None:
            return _with(start, status="refused", reason=reason)
        try:
            return self._timed(start, turn, launch)
        except KeyboardInterrupt:
            self.run.append(_with(start, reason="interrupted by the user"))
            raise
        except TransportError as error:
            return _with(start, status="device_lost", reason=str(error))

    def _launch_of(self, job: Job) -> Launch:
        graph = self.station.transport.stage(self.candidates[job.candidate].path)
        return Launch(graph, job.delegate, job.threads, suite_loop(self.plan.suite))

    def _timed(self, start: Record, turn: Turn, launch: Launch) -> Record:
        """The timed launch, then, once per job, memory and pixels."""
        suite = self.plan.suite
        busy = self.station.busy_pct(suite.cool_down_s) if suite.cool_down_s else None
        before = self.station.state()
        launched = run_launch(self.station, launch, timeout_s=suite.timeout_s)
        after = self.station.state()
        reading = read_launch(launched.printed, turn.job.delegate)
        path, digest = self.run.write_log(_log_name(self.run, turn), launched.log_text())
        record = _measured(start, launched, reading)
        doubts = self._doubts(reading, busy, (before, after))
        record = _with(
            record, before=before, after=after, doubts=doubts, log=LogFile(path=path, sha256=digest)
        )
        if record.status == "ok" and turn.job.key not in self.extras_done:
            record = self._with_extras(record, turn.job, launch)
        return record

    def _doubts(
        self, reading: Reading, busy: float | None, states: tuple[DeviceState, DeviceState]
    ) -> list[Doubt]:
        station = self.station
        found = conditions(busy, station.info.cores, states, station.profile.limits)
        if reading.status == "ok":
            found += low_count(reading.latency, self.plan.suite)
        return found + self.engine_doubts

    def _with_extras(self, record: Record, job: Job, launch: Launch) -> Record:
        timeout_s = self.plan.suite.timeout_s
        peak, doubts = peak_memory(self.station, launch, timeout_s=timeout_s)
        record = _with(record, memory_mb=with_peak(record.memory_mb, peak))
        if self.scorer is not None:
            accuracy, more = self._accuracy(self.scorer, job)
            record = _with(record, accuracy=accuracy)
            doubts += more
        return _with(record, doubts=[*record.doubts, *doubts])

    def _accuracy(self, scorer: Scorer, job: Job) -> tuple[Accuracy | None, list[Doubt]]:
        group = _group(job)
        if group not in self.scored:
            self.scored[group] = self._score(scorer, job)
        found = self.scored[group]
        if isinstance(found, Doubt):
            return None, [found]
        return found, window(scorer.share(self.candidates[job.candidate]))

    def _score(self, scorer: Scorer, job: Job) -> Accuracy | Doubt:
        try:
            found = scorer.score(self.station, job, self.candidates[job.candidate])
        except AccuracyFailedError as error:
            return because(Code.ACCURACY_FAILED, str(error))
        return found or because(
            Code.ACCURACY_NO_PAIRS, "no pair fits this candidate's scale and input size"
        )


def _engine_doubts(run: RunFolder, station: Station) -> list[Doubt]:
    """Another binary or version than the run was begun with."""
    begun, now = run.header().get("engine") or {}, station.tool.engine
    before = begun.get("sha256") or begun.get("version") or "unknown"
    today = now.sha256 or now.version or "unknown"
    if before == today and begun.get("name") == now.name:
        return []
    return [Doubt(code=Code.ENGINE_CHANGED, numbers={"before": before, "now": today})]


def _with(record: Record, **changes: object) -> Record:
    return record.model_copy(update=changes)


def _measured(start: Record, launched: Launched, reading: Reading) -> Record:
    """The record with what the launch told; only a good round carries figures."""
    record = _with(
        start,
        argv=launched.argv,
        status=reading.status,
        reason=reading.reason,
        verdict=reading.verdict,
    )
    if reading.status != "ok":
        return record
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

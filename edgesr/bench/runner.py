"""A run from request to records: devices -> stations -> plan -> run folder -> workers."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from edgesr.bench.binaries import BinaryOptions
from edgesr.bench.delegates import delegates_on
from edgesr.bench.fleet import Choice
from edgesr.bench.header import Plan, read_plan, write_header
from edgesr.bench.phone_station import PhoneUse
from edgesr.bench.pictures import Pictures, open_pictures
from edgesr.bench.plan import Axes, plan_jobs
from edgesr.bench.scenes import Scoring
from edgesr.bench.session import BenchResult, Progress, Session, devices_of, silent, stage
from edgesr.bench.suite import Suite
from edgesr.device.info import DeviceInfo, host_info
from edgesr.device.profile import Profile, host_profile
from edgesr.errors import InputError, Interrupted
from edgesr.results.records import Job
from edgesr.results.store import Candidate, RunFolder, Workspace

HOST = Choice(host=True)


@dataclass(frozen=True)
class BenchRequest:
    """What to measure."""

    candidates: tuple[Candidate, ...]
    suite: Suite
    devices: Choice = HOST
    delegates: tuple[str, ...] | None = ("cpu", "xnnpack")
    """None takes those of each device's profile."""
    accuracy: Path | None = None
    """A pairs.csv; None measures no accuracy."""
    scoring: Scoring = field(default_factory=Scoring)
    """How pixels are scored."""
    op_profile: bool = False
    """Times of single operations, in a pass of its own."""
    binaries: BinaryOptions = field(default_factory=BinaryOptions)
    phones: PhoneUse = field(default_factory=PhoneUse)

    def jobs(self, described: Mapping[str, tuple[Profile, DeviceInfo]] | None = None) -> list[Job]:
        """The plan.

        Args:
            described: The phones by name; this machine is added where it is measured.
        """
        places = dict(described or {})
        if self.devices.host:
            profile = host_profile()
            places["host"] = profile, host_info(profile)
        delegates = {
            name: delegates_on(self.delegates, profile, info)
            for name, (profile, info) in places.items()
        }
        pace = self.suite.pace
        fps: tuple[float | None, ...] = (None,) if pace is None else pace.fps
        return plan_jobs(self.candidates, Axes(delegates, self.suite.threads, fps))


def run_bench(
    request: BenchRequest, workspace: Workspace, progress: Progress | None = None
) -> BenchResult:
    """Measures in a new run folder.

    Args:
        request: What.
        workspace: Gets the run; the fp32 references of the accuracy pass are looked for in it.
        progress: Told what goes on, per device.

    Raises:
        InputError: When there is nothing to measure, or a candidate, the binary or the pairs do
            not hold.
        NoDeviceError: When none of the phones can be measured.
        StoreError: When the workspace can't be written.
        Interrupted: On Ctrl-C, after the launches are ended and their records are written.
    """
    if not request.candidates:
        raise InputError("there is no candidate to measure", hint="make some: edgesr convert CKPT")
    for candidate in request.candidates:
        candidate.check()
    tell = progress or silent
    name, session = workspace.new_run_name(), Session(request.phones, request.binaries, tell)
    opened = _pictures(request.accuracy, request.candidates, request.scoring, tell)
    with _interruptible(session), opened as pictures, session:
        session.prepare(request.devices, name)
        plan = Plan(request.candidates, request.jobs(session.described()), request.suite)
        setup = session.setup(pictures, op_profile=request.op_profile)
        run = workspace.new_run(write_header(plan, setup), name)
        return session.measure(run, plan, setup, workspace)


def resume_bench(
    run: RunFolder,
    workspace: Workspace,
    binaries: BinaryOptions | None = None,
    progress: Progress | None = None,
) -> BenchResult:
    """Measures the rounds of a run that have no answer yet, exactly as it was begun.

    What phones measured while nobody was listening is picked up.

    Args:
        run: The run.
        workspace: Where candidates are looked for when they moved.
        binaries: None takes what the run was begun with.
        progress: As for `run_bench`.

    Raises:
        InputError: When a candidate's file is gone or has changed, or the accuracy pass would look
            at other pictures or read them by another engine.
        NoDeviceError: When none of its devices is there.
        StoreError: When the run is damaged, can't be written, or is being measured already.
        Interrupted: As `run_bench`.
    """
    plan = read_plan(run, workspace)
    header, tell = run.header(), progress or silent
    options = header.get("options") or {}
    phones = PhoneUse.from_dict(options)
    accuracy = header.get("accuracy") or {}
    pairs = Path(accuracy["pairs"]) if accuracy.get("pairs") else None
    scoring = Scoring.from_dict(accuracy.get("options") or {})
    session = Session(phones, binaries or BinaryOptions(), tell, header)
    session.run = run
    opened = _pictures(pairs, plan.candidates, scoring, tell)
    with _interruptible(session), opened as pictures, session:
        if pictures is not None:
            pictures.check_begun(accuracy)
        session.prepare(devices_of(plan, header), run.path.name)
        setup = session.setup(pictures, op_profile=bool(options.get("op_profile")))
        return session.measure(run, plan, setup, workspace)


def describe(request: BenchRequest) -> dict[str, tuple[Profile, DeviceInfo]]:
    """The request's phones, asked what they are and nothing else: for plans that stay plans.

    Raises:
        NoDeviceError: When none of them can be reached.
    """
    session = Session(request.phones, request.binaries, silent)
    session.reach_all(request.devices)
    return session.described()


def _pictures(
    pairs: Path | None, candidates: Sequence[Candidate], scoring: Scoring, tell: Progress
) -> AbstractContextManager[Pictures | None]:
    """What the accuracy pass looks at, None where none was asked for; as a context."""
    if pairs is None:
        return contextlib.nullcontext()
    return open_pictures(pairs, candidates, scoring, stage(tell, "accuracy"))


@contextlib.contextmanager
def _interruptible(session: Session) -> Iterator[None]:
    """Turns Ctrl-C into our own error, with the way to go on.

    Raises:
        Interrupted: On Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        if session.run is None:
            raise Interrupted("interrupted before anything was measured") from None
        hint = f"go on with: edgesr bench --resume {session.run.path}"
        raise Interrupted("interrupted; what was finished is kept", hint=hint) from None

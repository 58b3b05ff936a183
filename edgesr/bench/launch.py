"""One launch of the measuring program on one device, and what it left behind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from edgesr.bench.argv import Launch, Pixels, build_argv, missing_flags
from edgesr.bench.benchmark_log import join_streams
from edgesr.bench.delegates import find_delegate
from edgesr.bench.engine import Tool
from edgesr.bench.outcome import Printed
from edgesr.bench.suite import Suite
from edgesr.device.info import DeviceInfo
from edgesr.device.profile import Profile
from edgesr.device.transport import Transport
from edgesr.results.records import DeviceState, Doubt, Job

RESULT, OUTPUT, OP_PROFILE = "result.pb", "output.raw", "profile.csv"
"""Files that a launch writes into its folder."""


@dataclass(frozen=True)
class Order:
    """One launch as an executor gets it."""

    slot: str
    """``turn/pass``: unique within the run, safe in file names. Giving the same order twice
    measures once."""
    argv: Callable[[str], list[str]]
    """The launch's folder on the device -> the command."""
    timeout_s: float
    """Total time of the command."""
    watch_pss: bool = False
    """Sample the memory instead of leaving the device in peace."""


@dataclass(frozen=True)
class Executed:
    """A launch that ended, well or not."""

    argv: list[str]
    exit_code: int | None
    """None when its time-out killed it."""
    stdout: str
    stderr: str
    files: Mapping[str, bytes]
    """What the command left in its folder."""
    before: DeviceState
    after: DeviceState
    started_at: str | None = None
    """UTC, ISO 8601, where the executor knows when it really began."""
    pss_mb: float | None = None
    doubts: tuple[Doubt, ...] = ()
    """About the launch itself: picked up later, begun again."""


class Executor(Protocol):
    """How a launch is run on a device."""

    def execute(self, order: Order) -> Executed:
        """Runs it, or finds the one that was begun before.

        Raises:
            VanishedError: When the device lost it twice.
            TransportError: When the way to the device breaks for good.
        """

    def forget(self, slot: str) -> None:
        """Deletes what a turn or a single launch left on the device: its record is on disk."""


class Guard(Protocol):
    """Waits until a device is fit to measure."""

    def __call__(self, suite: Suite) -> list[Doubt]:
        """Waits as the suite says; gives what is doubtful all the same."""


class VanishedError(Exception):
    """A launch was begun twice and is neither running nor done."""


@dataclass(frozen=True)
class Station:
    """A device that is ready to measure: the way to it, the program there, how to use both."""

    transport: Transport
    tool: Tool
    profile: Profile
    info: DeviceInfo
    executor: Executor
    guard: Guard
    doubts: Callable[[DeviceState, DeviceState], list[Doubt]]
    """What the state before and after a round makes doubtful."""
    standing_doubts: tuple[Doubt, ...] = ()
    """About everything measured there, for example another binary than last time."""
    compiled_folder: str | None = None
    """Where a delegate may keep compiled kernels on the device."""
    close: Callable[[], None] = field(default=lambda: None)
    """Deletes what is ours on the device and lets others have it."""

    def compiled(self, job: Job) -> tuple[str, str] | None:
        """Folder and token under which a job's delegate keeps kernels, where it compiles any."""
        if self.compiled_folder is None or not find_delegate(job.delegate).compiles:
            return None
        return self.compiled_folder, job.key


@dataclass(frozen=True)
class Launched:
    """One launch with its log."""

    done: Executed
    printed: Printed

    @property
    def output(self) -> bytes | None:
        """The raw output tensors, where they were asked for and written."""
        return self.done.files.get(OUTPUT)

    def log_text(self) -> str:
        """What goes into the log file: command, output, exit code."""
        code = "time-out" if self.printed.exit_code is None else self.printed.exit_code
        command = " ".join(self.done.argv)
        return f"# command: {command}\n{self.printed.text}# exit code: {code}\n"


@dataclass(frozen=True)
class Slot:
    """Where a launch belongs: for finding it again after an interruption."""

    turn: str
    """Job and round."""
    part: str = "time"
    """Which pass: time, memory, profile, or an image's."""

    def __str__(self) -> str:
        """``turn/part``."""
        return f"{self.turn}/{self.part}"


def run_launch(
    station: Station, launch: Launch, slot: Slot, *, timeout_s: float, watch_pss: bool = False
) -> Launched:
    """Runs one launch and collects what it leaves.

    Args:
        station: Where.
        launch: What; files that it writes get paths in the launch's own folder.
        slot: Where it belongs.
        timeout_s: Total time.
        watch_pss: Sample the memory meanwhile.

    Raises:
        VanishedError: When the device lost it twice.
        TransportError: When the way to the device breaks.
    """

    def argv(folder: str) -> list[str]:
        return build_argv(station.tool, _in_folder(launch, folder))

    done = station.executor.execute(Order(str(slot), argv, timeout_s, watch_pss))
    text = join_streams(done.stdout, done.stderr)
    printed = Printed(text, done.exit_code, done.files.get(RESULT))
    return Launched(done, printed)


def _in_folder(launch: Launch, folder: str) -> Launch:
    """The launch with the files that it writes in a folder."""
    changes: dict[str, object] = {"result_file": f"{folder}/{RESULT}"}
    if launch.pixels:
        output = f"{folder}/{OUTPUT}"
        changes["pixels"] = Pixels(launch.pixels.input_file, launch.pixels.input_shape, output)
    if launch.op_profile is not None:
        changes["op_profile"] = f"{folder}/{OP_PROFILE}"
    return replace(launch, **changes)  # type: ignore[arg-type]


def cant_launch(station: Station, launch: Launch) -> str | None:
    """Why the program there can't do this launch, or None when it can."""
    missing = missing_flags(station.tool, launch)
    if not missing:
        return None
    return f"this benchmark_model doesn't know --{', --'.join(missing)}"


def collected(names: Sequence[str], read: Callable[[str], bytes | None]) -> dict[str, bytes]:
    """The files that are there, by name."""
    found = {name: read(name) for name in names}
    return {name: data for name, data in found.items() if data is not None}

"""One launch of the measuring program on one device, and what it left behind."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgesr.bench.argv import Launch, build_argv, missing_flags
from edgesr.bench.benchmark_log import join_streams
from edgesr.bench.engine import Tool, choose_tool
from edgesr.bench.outcome import Printed
from edgesr.device.host import HostTransport
from edgesr.device.info import (
    DeviceInfo,
    Profile,
    host_busy_pct,
    host_info,
    host_profile,
    host_state,
)
from edgesr.device.transport import Transport
from edgesr.results.records import DeviceState


@dataclass(frozen=True)
class Station:
    """A device that is ready to measure: the way to it, the program there, how to read it."""

    transport: Transport
    tool: Tool
    profile: Profile
    info: DeviceInfo
    state: Callable[[], DeviceState]
    busy_pct: Callable[[float], float | None]
    """Waits so many seconds and tells the CPU that other programs took, per cent."""


def host_station(binary: Path | None, begun_with: Mapping[str, Any] | None = None) -> Station:
    """This machine, with ``binary``, the one the environment names, or our own runner.

    Args:
        binary: A benchmark_model.
        begun_with: The engine as ``run.json`` describes it; without ``binary`` it is taken again.

    Raises:
        InputError: When the named binary is no benchmark_model for this machine.
    """
    transport = HostTransport()
    profile = host_profile()
    return Station(
        transport=transport,
        tool=choose_tool(transport, binary, begun_with),
        profile=profile,
        info=host_info(profile),
        state=host_state,
        busy_pct=host_busy_pct,
    )


@dataclass(frozen=True)
class Launched:
    """One launch that ended, well or not."""

    argv: list[str]
    printed: Printed
    output: bytes | None
    """The raw output tensors, where they were asked for and written."""

    def log_text(self) -> str:
        """What goes into the log file: command, output, exit code."""
        code = "time-out" if self.printed.exit_code is None else self.printed.exit_code
        command = " ".join(self.argv)
        return f"# command: {command}\n{self.printed.text}# exit code: {code}\n"


def run_launch(station: Station, launch: Launch, *, timeout_s: float) -> Launched:
    """Runs one launch; its files are fetched and deleted again.

    Args:
        station: Where.
        launch: What; paths in it are the device's.
        timeout_s: Total time.

    Raises:
        TransportError: When the way to the device breaks.
    """
    transport = station.transport
    result_file = f"{transport.folder}/{uuid.uuid4().hex}.pb"
    argv = build_argv(station.tool, replace(launch, result_file=result_file))
    done = transport.run(argv, timeout_s=timeout_s)
    text = join_streams(done.stdout, done.stderr)
    printed = Printed(text, done.exit_code, fetch(transport, result_file))
    output = fetch(transport, launch.pixels.output_file) if launch.pixels else None
    return Launched(argv, printed, output)


def cant_launch(station: Station, launch: Launch) -> str | None:
    """Why the program there can't do this launch, or None when it can."""
    missing = missing_flags(station.tool, launch)
    if not missing:
        return None
    return f"this benchmark_model doesn't know --{', --'.join(missing)}"


def fetch(transport: Transport, remote: str) -> bytes | None:
    """A file's bytes from the device, deleted there; None where there is no such file."""
    if not transport.exists(remote):
        return None
    with TemporaryDirectory(prefix="edgesr-") as folder:
        local = Path(folder) / "file"
        transport.pull(remote, local)
        data = local.read_bytes()
    transport.remove(remote)
    return data

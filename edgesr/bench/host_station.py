"""This machine as a place to measure."""

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgesr.bench.doubts import conditions
from edgesr.bench.engine import choose_tool
from edgesr.bench.launch import OP_PROFILE, OUTPUT, RESULT, Executed, Order, Station, collected
from edgesr.bench.suite import Suite
from edgesr.device.host import HostTransport
from edgesr.device.info import DeviceInfo, host_busy_pct, host_info, host_state
from edgesr.device.profile import Limits, host_profile
from edgesr.files import store_errors
from edgesr.results.records import DeviceState, Doubt


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
    info = host_info(profile)

    def doubts(before: DeviceState, after: DeviceState) -> list[Doubt]:
        return conditions(None, info.cores, (before, after), profile.limits)

    return Station(
        transport=transport,
        tool=choose_tool(transport, binary, begun_with),
        profile=profile,
        info=info,
        executor=HostExecutor(transport),
        guard=HostGuard(info, profile.limits),
        doubts=doubts,
        close=transport.close,
    )


class HostGuard:
    """Rests before a round and reads meanwhile what other programs take.

    Args:
        info: This machine.
        limits: What its profile allows.
    """

    def __init__(self, info: DeviceInfo, limits: Limits) -> None:
        self._info, self._limits = info, limits

    def __call__(self, suite: Suite) -> list[Doubt]:
        """As `edgesr.bench.launch.Guard`."""
        if not suite.cool_down_s:
            return []
        busy = host_busy_pct(suite.cool_down_s)
        nothing = DeviceState()
        return conditions(busy, self._info.cores, (nothing, nothing), self._limits)


class HostExecutor:
    """Launches are child processes, waited for.

    Args:
        transport: This machine.
    """

    def __init__(self, transport: HostTransport) -> None:
        self._transport = transport

    def execute(self, order: Order) -> Executed:
        """As `edgesr.bench.launch.Executor`."""
        folder = Path(self._transport.folder) / order.slot
        with store_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        argv = order.argv(str(folder))
        before = host_state()
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            done = self._transport.run(argv, timeout_s=order.timeout_s)
            after = host_state()
            files = collected((RESULT, OUTPUT, OP_PROFILE), lambda name: _read(folder / name))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        said = done.exit_code, done.stdout, done.stderr
        return Executed(argv, *said, files, before, after, started_at=started_at)

    def forget(self, slot: str) -> None:
        """Nothing is left."""


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None

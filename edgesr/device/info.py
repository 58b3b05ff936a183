"""What a device is (for run.json) and how it is doing (before and after each round)."""

import os
import platform
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from edgesr.device.profile import Profile
from edgesr.results.records import DeviceState

_ABI = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64-v8a", "arm64": "arm64-v8a"}


@dataclass(frozen=True)
class Cluster:
    """Cores of the same kind."""

    cpus: tuple[int, ...]
    max_mhz: float


@dataclass(frozen=True)
class DeviceInfo:
    """A device as ``run.json`` describes it; unknown is None."""

    model: str | None
    """Phone model, or the name of the processor."""
    os: str
    cpu: str | None
    cores: int | None
    memory_mb: int | None
    """MiB."""
    abi: str | None
    profile: str
    """Slug of the profile it was matched to."""
    serial: str | None = None
    """As adb names the phone; None for this machine. What follows is known of phones only."""
    server: str | None = None
    """HOST:PORT of the adb server that it hangs on."""
    soc: str | None = None
    gpu: str | None = None
    android: str | None = None
    """Release, for example ``14``."""
    api: int | None = None
    build: str | None = None
    """Fingerprint of the system."""
    clusters: tuple[Cluster, ...] | None = None
    """Slowest first."""
    simulated: bool | None = None
    """True for a stand-in phone: times are of the machine behind it."""
    benchmark_model: str | None = None
    """Where a stand-in phone keeps the measuring program it came with."""
    listed: bool | None = None
    """False for a phone that no profile knows."""
    free_mb: int | None = None
    """MiB free in the folder that edgesr works in."""
    clock_offset_s: float | None = None
    """Device minus this machine, to about a second."""
    boot_id: str | None = None
    """Another one after each start."""

    @property
    def max_mhz(self) -> float | None:
        """Of the fastest core, as built."""
        return max((cluster.max_mhz for cluster in self.clusters or ()), default=None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; without what only phones have where it is this machine."""
        tree = asdict(self)
        return tree if self.serial is not None else {key: tree[key] for key in _OF_ALL}


_OF_ALL = ("model", "os", "cpu", "cores", "memory_mb", "abi", "profile")


def host_info(profile: Profile) -> DeviceInfo:
    """Describes this machine."""
    machine = platform.machine()
    name = _cpu_name() or machine or None
    return DeviceInfo(
        model=name,
        os=_os_name(),
        cpu=name,
        cores=os.cpu_count(),
        memory_mb=int(psutil.virtual_memory().total / 2**20),
        abi=_ABI.get(machine.lower(), machine or None),
        profile=profile.name,
    )


def host_state() -> DeviceState:
    """Temperature, battery, clock and load of this machine; what can't be read is None."""
    clock = _or_none(psutil.cpu_freq)
    battery = _or_none(psutil.sensors_battery)
    return DeviceState(
        temperature_c=_temperature(),
        battery_pct=float(battery.percent) if battery else None,
        big_core_clock_mhz=round(clock.current, 1) if clock and clock.current else None,
        load_1m=round(os.getloadavg()[0], 2),
    )


def host_busy_pct(seconds: float) -> float:
    """CPU in use by anything over the next ``seconds``, per cent of the whole machine.

    Called while edgesr itself only waits, so it is what other programs take.
    """
    return float(psutil.cpu_percent(interval=seconds))


def _temperature() -> float | None:
    """The hottest CPU sensor, degrees Celsius."""
    groups = _or_none(getattr(psutil, "sensors_temperatures", lambda: None)) or {}
    cpu = [name for name in groups if re.search(r"core|cpu|k10|zen|soc|package", name, re.I)]
    readings = [
        float(entry.current) for name in cpu or groups for entry in groups[name] if entry.current
    ]
    return round(max(readings), 1) if readings else None


def _or_none(read: Any) -> Any:
    """Sensors come and go: a file that can't be read is a value that isn't known."""
    try:
        return read()
    except (OSError, AttributeError, NotImplementedError, RuntimeError):
        return None


def _cpu_name() -> str | None:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or None
    found = re.search(r"^(?:model name|Hardware|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else None


def _os_name() -> str:
    try:
        pretty = platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        pretty = None
    kernel = f"{platform.system()} {platform.release()}"
    return f"{pretty} ({kernel})" if pretty else kernel

"""What a phone is and how it is doing, read from what its two scripts print.

Any part may be missing (an old Android, a service that is denied, output cut by a time-out) or
be garbage: what can't be read is None, and nothing here raises because of a phone's text.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgesr.assets import asset
from edgesr.device.info import Cluster, DeviceInfo
from edgesr.device.profile import Profile, profile_for
from edgesr.device.readings import number, parse_state, sections
from edgesr.device.transport import Transport
from edgesr.results.records import DeviceState

WORK_FOLDER = "/data/local/tmp"
"""Where the shell user may write and run programs."""
_PLACEHOLDERS = frozenset({"", "unknown", "unsupported"})
"""Values of properties that say nothing."""
_MIB = {"K": 2**-10, "M": 1, "G": 2**10, "T": 2**20}
_STATE_TIMEOUT_S = 30.0
_INFO_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class PhoneFacts:
    """What a phone is."""

    info: DeviceInfo
    profile: Profile
    """Listed or not; its ``big_core_mask`` is the computed one where the file has none."""
    props: Mapping[str, str] = field(default_factory=dict)
    """Its properties, as ``getprop`` tells them."""
    uptime_s: float | None = None
    toybox: str | None = None


def phone_info(
    transport: Transport, profile: Profile | None = None, *, server: str | None = None
) -> PhoneFacts:
    """Asks a phone what it is.

    Args:
        transport: The way to it.
        profile: Taken instead of the one that matches.
        server: HOST:PORT of its adb server, for the record.

    Raises:
        TransportError: When the way to the phone breaks.
    """
    begin = time.time()
    done = transport.run(_script("device_info.sh", WORK_FOLDER), timeout_s=_INFO_TIMEOUT_S)
    call = Call(serial=transport.name, server=server, host_time_s=begin)
    return parse_info(done.stdout, call, profile)


def phone_state(
    transport: Transport, *, busy_s: float | None = None, big_core_mask: str | None = None
) -> DeviceState:
    """Asks a phone how it is doing.

    Args:
        transport: The way to it.
        busy_s: Seconds over which the CPU in use is read; None reads none.
        big_core_mask: Cores whose clock is meant, hexadecimal; None takes the fastest.

    Raises:
        TransportError: When the way to the phone breaks.
    """
    busy = ("busy", f"{busy_s:g}") if busy_s else ()
    command = _script("device_state.sh", *busy)
    done = transport.run(command, timeout_s=_STATE_TIMEOUT_S + (busy_s or 0))
    return parse_state(done.stdout, big_core_mask)


@dataclass(frozen=True)
class Call:
    """What is known of a phone before it says anything."""

    serial: str
    server: str | None = None
    host_time_s: float | None = None
    """This machine's clock at the call, seconds since 1970; None compares no clocks."""


def _script(name: str, *arguments: str) -> list[str]:
    """A script as a command: its text travels along, and asking leaves no file on the phone."""
    text = asset("android_bench", name).read_text(encoding="utf-8")
    return ["sh", "-c", text, name, *arguments]


def parse_info(text: str, call: Call, profile: Profile | None = None) -> PhoneFacts:
    """Reads what ``device_info.sh`` printed.

    Args:
        text: Its output.
        call: How it was called.
        profile: Taken instead of the one that matches.
    """
    found = sections(text)
    props = parse_getprop(found.get("getprop", ""))
    profile = profile or profile_for(props)
    clusters = parse_clusters(found.get("cpufreq", ""))
    if profile.big_core_mask is None:
        mask = big_core_mask(clusters)
        profile = profile.model_copy(update={"big_core_mask": mask})
    simulated = _prop(props, "ro.edgesr.simulated") == "1"
    android, soc = _prop(props, "ro.build.version.release"), profile.soc or _soc(props)
    info = DeviceInfo(
        model=_prop(props, "ro.product.model", "ro.product.vendor.model"),
        os=f"Android {android}" if android else "Android",
        cpu=soc or _first(r"^Hardware\s*:\s*(.+)$", found.get("cpuinfo", "")),
        cores=_cores(found),
        memory_mb=_memory_mb(found.get("meminfo", "")),
        abi=_prop(props, "ro.product.cpu.abi"),
        profile=profile.slug,
        serial=call.serial,
        server=call.server,
        soc=soc,
        gpu=_gpu(found.get("gles", "")) or profile.gpu,
        android=android,
        api=_int(_prop(props, "ro.build.version.sdk"), 1, 999),
        build=_prop(props, "ro.build.fingerprint"),
        clusters=clusters or None,
        simulated=simulated,
        benchmark_model=_prop(props, "ro.edgesr.benchmark_model") if simulated else None,
        listed=profile.listed,
        free_mb=_free_mb(found.get("df", "")),
        clock_offset_s=_clock_offset(found.get("date", ""), call.host_time_s),
        boot_id=_first(r"^([0-9a-f-]{32,36})$", found.get("boot_id", "")),
    )
    uptime_s = number(r"^(\d+(?:\.\d+)?) ", found.get("uptime", ""))
    toybox = _first(r"^toybox (\S+)", found.get("toybox", ""))
    return PhoneFacts(info, profile, props, uptime_s, toybox)


def parse_getprop(text: str) -> dict[str, str]:
    """``[key]: [value]`` lines; a value may go over several lines."""
    value = r"(?:(?!\n\[).)*?"
    pairs = re.findall(rf"^\[([^\]\n]+)\]: \[({value})\]$", text, re.MULTILINE | re.DOTALL)
    return {key: value.strip() for key, value in pairs}


def parse_clusters(text: str) -> tuple[Cluster, ...]:
    """Cores by their maximal clock, slowest first; a core that is off is in none."""
    by_clock: dict[int, set[int]] = {}
    for cpu, khz in re.findall(r"^(\d{1,2}) max (\d{5,8})$", text, re.MULTILINE):
        by_clock.setdefault(int(khz), set()).add(int(cpu))
    return tuple(Cluster(tuple(sorted(by_clock[khz])), khz / 1000) for khz in sorted(by_clock))


def big_core_mask(clusters: tuple[Cluster, ...]) -> str | None:
    """Every core but those of the slowest cluster, as taskset wants it: hexadecimal without 0x.

    Not the fastest cluster alone: that is a single core on most phones, and two threads pinned to
    one core measure how they wait for each other. None where all cores are alike.
    """
    big = [cpu for cluster in clusters[1:] for cpu in cluster.cpus]
    return f"{sum(1 << cpu for cpu in big):x}" if big else None


def _prop(props: Mapping[str, str], *names: str) -> str | None:
    """The first of these properties that says something."""
    values = (props.get(name, "") for name in names)
    return next((value for value in values if value.lower() not in _PLACEHOLDERS), None)


def _soc(props: Mapping[str, str]) -> str | None:
    """The chip as the phone itself calls it; Android 12 and later have a property for it."""
    model = _prop(props, "ro.soc.model")
    if model is None:
        return _prop(props, "ro.board.platform", "ro.hardware")
    maker = _prop(props, "ro.soc.manufacturer")
    return f"{maker} {model}" if maker and maker.lower() not in model.lower() else model


def _gpu(text: str) -> str | None:
    """The renderer of ``GLES: VENDOR, RENDERER, VERSION``."""
    found = re.search(r"GLES: *[^,\n]+, *([^,\n]+),", text)
    return found[1].strip() if found else None


def _cores(found: Mapping[str, str]) -> int | None:
    """All cores, those that are off at the moment too."""
    possible = re.search(r"^0-(\d{1,2})$", found.get("possible", ""), re.MULTILINE)
    if possible:
        return int(possible[1]) + 1
    for section, pattern in (("cpufreq", r"^\d{1,2} max"), ("cpuinfo", r"^processor\s*:")):
        count = len(re.findall(pattern, found.get(section, ""), re.MULTILINE))
        if count:
            return count
    return None


def _memory_mb(text: str) -> int | None:
    kib = number(r"^MemTotal:\s*(\d+) kB", text)
    return int(kib / 1024) if kib else None


def _free_mb(text: str) -> int | None:
    """From toybox's ``df`` (blocks of 1 KiB) or toolbox's (``11.8G``, used, free)."""
    kib = number(r"\s\d+\s+\d+\s+(\d+)\s+\d+%", text)
    if kib is not None:
        return int(kib / 1024)
    old = re.search(r"\s[\d.]+[KMGT]\s+[\d.]+[KMGT]\s+(\d+(?:\.\d+)?)([KMGT])\s+\d+\s*$", text)
    return int(float(old[1]) * _MIB[old[2]]) if old else None


def _clock_offset(text: str, host_time_s: float | None) -> float | None:
    date = number(r"^(\d{9,11})$", text)
    if date is None or host_time_s is None:
        return None
    return round(date - host_time_s, 1) + 0.0  # no -0.0


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1].strip() or None if found else None


def _int(text: str | None, low: int, high: int) -> int | None:
    value = number(r"^(\d{1,9})$", text or "")
    return int(value) if value is not None and low <= value <= high else None

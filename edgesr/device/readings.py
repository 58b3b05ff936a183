"""How a phone is doing, read from what ``device_state.sh`` printed: raw dumps of its services."""

import re
from collections.abc import Iterable
from typing import Literal

from edgesr.results.records import DeviceState

_SECTION = re.compile(r"^== ([a-z_]+)$", re.MULTILINE)
_CPU_ZONE = 0
"""``mType`` of a CPU in thermalservice's list."""


def sections(text: str) -> dict[str, str]:
    """The output of our scripts by the names of its parts (``== name``)."""
    parts = _SECTION.split(text.replace("\r\n", "\n"))
    return {name: body.strip("\n") for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def number(pattern: str, text: str) -> float | None:
    """The first group of the first match as a number, or None."""
    found = re.search(pattern, text, re.MULTILINE)
    try:
        return float(found[1]) if found else None
    except ValueError:
        return None


def parse_state(text: str, big_core_mask: str | None = None) -> DeviceState:
    """Reads what ``device_state.sh`` printed; what isn't told, or can't be true, is None.

    Args:
        text: Its output, as far as it came.
        big_core_mask: Cores whose clock is meant, hexadecimal; None takes the fastest.
    """
    found = sections(text)
    battery, thermal = found.get("battery", ""), found.get("thermalservice", "")
    clock, limit = _big_core_clocks(found.get("cpufreq", ""), big_core_mask)
    known = _battery_is_known(battery)
    return DeviceState(
        temperature_c=_battery_temperature(battery) if known else None,
        cpu_temperature_c=_cpu_temperature(thermal, found.get("thermal_zones", "")),
        battery_pct=_battery_pct(battery) if known else None,
        charging=_charging(battery) if known else None,
        thermal_status=_thermal_status(thermal),
        big_core_clock_mhz=clock,
        big_core_limit_mhz=limit,
        screen_on=_screen_on(found.get("power", "")),
        load_1m=number(r"^load (\d+\.\d+) ", found.get("loadavg", "")),
        busy_pct=_busy_pct(found.get("stat", "")),
    )


def _battery_is_known(text: str) -> bool:
    """Whether there is a battery, and its values are the real ones.

    `dumpsys battery set` stops the updates: what is told then may be hours old or made up.
    """
    return "UPDATES STOPPED" not in text and not re.search(r"^\s*present: false$", text, re.M)


def _battery_temperature(text: str) -> float | None:
    """Told in tenths of a degree. A gauge that isn't there says 0 for everything."""
    tenths = number(r"^\s*temperature: (-?\d{1,5})$", text)
    if tenths is None or not -300 <= tenths <= 1000:
        return None
    if tenths == 0 and (
        _battery_pct(text) in (None, 0) or number(r"^\s*voltage: (\d+)$", text) == 0
    ):
        return None
    return tenths / 10


def _battery_pct(text: str) -> float | None:
    level = number(r"^\s*level: (\d{1,5})$", text)
    scale = number(r"^\s*scale: (\d{1,5})$", text) or 100
    return round(100 * level / scale, 1) if level is not None and level <= scale else None


def _charging(text: str) -> Literal["none", "ac", "usb", "wireless"] | None:
    """What powers it; a dock counts as a charger."""
    told = dict(re.findall(r"^\s*(AC|USB|Wireless|Dock) powered: (true|false)$", text, re.M))
    if told.get("AC") == "true" or told.get("Dock") == "true":
        return "ac"
    if told.get("USB") == "true":
        return "usb"
    if told.get("Wireless") == "true":
        return "wireless"
    return "none" if told else None


def _thermal_status(text: str) -> int | None:
    status = number(r"^\s*Thermal Status: ([0-6])$", text)
    return None if status is None else int(status)


def _cpu_temperature(thermal: str, zones: str) -> float | None:
    """The hottest CPU, degrees Celsius: the thermal service's word, else the kernel's zones."""
    _, _, current = thermal.partition("Current temperatures from HAL:")
    pairs = re.findall(r"Temperature\{mValue=(-?[\d.]+), mType=(-?\d+),", current)
    told = _plausible(value for value, kind in pairs if int(kind) == _CPU_ZONE)
    if not told:
        told = _plausible(re.findall(r"^\S.* (-?\d+)$", zones, re.MULTILINE))
    return max(told, default=None)


def _plausible(values: Iterable[str]) -> list[float]:
    """Degrees Celsius; kernels tell them whole, in tenths or in thousandths.

    A sensor that is off says 0, -40 or worse.
    """
    found = []
    for text in values:
        value = number(r"^(-?\d+(?:\.\d+)?)$", text)
        if value is None:
            continue
        degrees = value / 1000 if value >= 5000 else value / 10 if value > 150 else value
        if 0 < degrees <= 150:
            found.append(round(degrees, 1))
    return found


def _big_core_clocks(text: str, mask: str | None) -> tuple[float | None, float | None]:
    """Clock at the moment and clock allowed, MHz, of the fastest of the cores that are meant.

    Those are what throttling takes first.
    """
    khz: dict[str, dict[int, int]] = {"cur": {}, "limit": {}, "max": {}}
    for cpu, what, value in re.findall(r"^(\d{1,2}) (cur|limit|max) (\d{4,8})$", text, re.M):
        khz[what][int(cpu)] = int(value)
    meant = set(khz["max"]) or set(khz["limit"]) or set(khz["cur"])
    if mask:
        meant = {cpu for cpu in meant if int(mask, 16) >> cpu & 1} or meant
    top = max((khz["max"].get(cpu, 0) for cpu in meant), default=0)
    fastest = [cpu for cpu in meant if khz["max"].get(cpu, 0) == top]

    def highest(what: str) -> float | None:
        values = [khz[what][cpu] for cpu in fastest if cpu in khz[what]]
        return max(values) / 1000 if values else None

    return highest("cur"), highest("limit")


def _screen_on(text: str) -> bool | None:
    display = re.search(r"Display Power: state=([A-Z_]+)", text)
    if display:
        return display[1] in {"ON", "VR", "ON_SUSPEND"}
    awake = re.search(r"^\s*mWakefulness=(\w+)", text, re.MULTILINE)
    return awake[1] == "Awake" if awake else None


def _busy_pct(text: str) -> float | None:
    """CPU in use between two readings of /proc/stat's first line, per cent of all cores on."""
    lines = dict(re.findall(r"^(before|after) cpu +(\d+(?: \d+){3,})", text, re.MULTILINE))
    if len(lines) < 2:
        return None
    # user nice system idle iowait irq softirq steal; guest time, after them, is in user already
    early, late = ([int(field) for field in lines[key].split()[:8]] for key in ("before", "after"))
    spent = [after - before for before, after in zip(early, late, strict=False)]
    total = sum(spent)
    if total <= 0:
        return None
    idle = sum(spent[3:5])
    return round(min(100.0, max(0.0, 100 * (total - idle) / total)), 1)

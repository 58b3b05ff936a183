"""The devices of the runs: what each is, and what to know before its numbers are believed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgesr.analysis.devices import DeviceFacts, devices_of, mapping, number
from edgesr.analysis.rows import RunData
from edgesr.report.markup import Markup, element, join
from edgesr.report.views import scroll_box
from edgesr.report.wording import SIMULATED, UNLISTED
from edgesr.text import NONE, clean, join_known, short


def devices(runs: Sequence[RunData]) -> list[DeviceFacts]:
    """Every device of the runs, each once as the newest run describes it."""
    found: dict[str, DeviceFacts] = {}
    for run in runs:
        found |= devices_of(run.header)
    return list(found.values())


def marks(device: DeviceFacts) -> list[str]:
    """What makes its numbers something else than those of a known phone."""
    found = [(SIMULATED, device.simulated), (UNLISTED, device.unlisted)]
    return [words for words, holds in found if holds]


def device_cells(device: DeviceFacts) -> dict[str, str]:
    """Column -> text, the same columns for every device; empty where nothing is known."""
    facts = device.facts
    cells = {
        "Model": device.model,
        "SoC": _text(facts, "soc") or _text(facts, "cpu"),
        "GPU": _text(facts, "gpu"),
        "System": _system(facts),
        "Cores": core_words(facts),
        "Memory": _memory(facts),
        "ABI": _text(facts, "abi"),
        "Profile": _text(facts, "profile"),
        "Class": "" if device.device_class == "unlisted" else device.device_class,
        "adb server": _text(facts, "server"),
    }
    return {what: short(value, 80) for what, value in cells.items()}


def devices_table(found: Sequence[DeviceFacts], links: Mapping[str, str]) -> Markup:
    """One row per device; columns of which nothing is known are left out.

    Args:
        found: The devices.
        links: Device -> anchor of its page.
    """
    if not found:
        return element("p", "The runs do not tell.")
    cells = [device_cells(device) for device in found]
    shown = [what for what in cells[0] if any(row[what] for row in cells)]
    head = (element("th", what, scope="col") for what in ("Device", *shown))
    rows = (
        element(
            "tr", _name_cell(device, links), *(element("td", row[what] or NONE) for what in shown)
        )
        for device, row in zip(found, cells, strict=True)
    )
    title = "What the runs were measured on"
    table = element(
        "table",
        element("caption", element("span", title)),
        element("thead", element("tr", *head)),
        element("tbody", *rows),
        class_="made devices",
    )
    return scroll_box(table, title)


def _name_cell(device: DeviceFacts, links: Mapping[str, str]) -> Markup:
    """The device's name, with what to know about it below."""
    warnings = (
        element("span", element("span", "▲ ", aria_hidden="true"), words, class_="mark")
        for words in marks(device)
    )
    name, anchor = short(device.name, 40), links.get(device.name)
    shown = element("a", name, href=f"#{anchor}") if anchor else name
    return element("th", join(shown, *warnings), scope="row")


def device_line(device: DeviceFacts) -> str:
    """All that is known of it on one line."""
    cells = device_cells(device)
    cells["Profile"] = f"profile {cells['Profile']}" if cells["Profile"] else ""
    cells["System"] = join_known(cells["System"], _text(device.facts, "build"))
    return join_known(*dict.fromkeys(cells.values()), *marks(device))


def notice(found: Sequence[DeviceFacts]) -> str:
    """A sentence for the top of the page when any device is simulated; else nothing."""
    simulated = [device for device in found if device.simulated]
    if not simulated:
        return ""
    names = ", ".join(short(device.name, 40) for device in simulated[:8])
    names += " ..." if len(simulated) > 8 else ""
    if len(simulated) == 1:
        return f"{names} is a {SIMULATED}."
    which = "All" if len(simulated) == len(found) else f"{len(simulated)} of"
    return (
        f"{which} {len(found)} devices are simulated phones: times are of the machine behind them "
        f"({names})."
    )


def core_words(facts: Mapping[str, Any]) -> str:
    """``4 × 1803 MHz + 2 × 2850 MHz``, slowest first; else how many cores there are."""
    clusters = facts.get("clusters")
    known = [_cluster(mapping(c)) for c in clusters] if isinstance(clusters, list | tuple) else []
    words = "\N{NO-BREAK SPACE}+ ".join(part for part in known if part)
    cores = number(facts.get("cores"), least=1)
    return words or ("" if math.isnan(cores) else f"{cores:.0f} cores")


def _cluster(cluster: Mapping[str, Any]) -> str:
    cpus, mhz = cluster.get("cpus"), number(cluster.get("max_mhz"), least=1)
    count = len(cpus) if isinstance(cpus, list | tuple) else number(cpus, least=1)
    if math.isnan(count) or count == 0:
        return ""
    speed = f"{mhz:.0f}" if math.isfinite(mhz) else "?"
    return f"{count:.0f} × {speed} MHz".replace(" ", "\N{NO-BREAK SPACE}")


def _system(facts: Mapping[str, Any]) -> str:
    """``Android 13 (API 33)``, or what the machine's system calls itself."""
    android, api = _text(facts, "android"), number(facts.get("api"), least=1)
    if not android:
        return _text(facts, "os")
    return f"Android {android}" + (f" (API {api:.0f})" if math.isfinite(api) else "")


def _memory(facts: Mapping[str, Any]) -> str:
    memory = number(facts.get("memory_mb"), least=1)
    return f"{memory:.0f} MiB" if math.isfinite(memory) else ""


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    return clean(value) if isinstance(value, str) else ""

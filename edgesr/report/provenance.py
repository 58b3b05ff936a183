"""Where the numbers come from: devices, engines, settings, checkpoints, versions."""

import json
import math
from typing import Any

from edgesr.analysis.devices import devices_of, mapping, number
from edgesr.analysis.rows import RunData
from edgesr.report.devices import device_line
from edgesr.text import clean, join_known, plural, short

Facts = list[tuple[str, str]]
"""(what, value) in the order of the page."""


def run_facts(run: RunData) -> Facts:
    """Everything about one run, each as (what, value)."""
    header = run.header
    facts: Facts = [("Run", run.name), ("Measured", _text(header.get("created_at")))]
    for name, device in devices_of(header).items():
        facts.append((f"Device {short(name, 40)}", device_line(device)))
    facts += [
        *_engines(header),
        ("Suite", _settings(mapping(header.get("suite")))),
        *_accuracy(mapping(header.get("accuracy"))),
        ("Versions", _settings(mapping(header.get("versions")))),
        ("Records", f"{run.recorded} rounds"),
    ]
    if run.torn_lines:
        facts.append(("Damaged records", f"{plural(run.torn_lines, 'line')} left out: unreadable"))
    if run.doubled_lines:
        told = f"{plural(run.doubled_lines, 'line')} left out: a copy of another"
        facts.append(("Doubled records", told))
    return [(clean(what), clean(value)) for what, value in facts if value]


def candidate_facts(run: RunData) -> list[dict[str, str]]:
    """One row per candidate of a run: what it is and what it was made from."""
    return [manifest_facts(str(key), mapping(value))
            for key, value in mapping(run.header.get("candidates")).items()]  # fmt: skip


def manifest_facts(key: str, manifest: dict[str, Any]) -> dict[str, str]:
    """What a candidate is and what it was made from; empty where nothing is known.

    Args:
        key: Its sha256.
        manifest: Its manifest, of whatever shape.
    """
    model, source = mapping(manifest.get("model")), mapping(manifest.get("source"))
    parity = mapping(manifest.get("parity"))
    psnr = number(parity.get("psnr_db"))
    identical = "psnr_db" in parity and parity["psnr_db"] is None
    compared = "" if math.isnan(psnr) else f"{psnr:.1f} dB"
    return {
        "Candidate": short(str(manifest.get("name") or key[:12]), 60),
        "File sha256": short(key, 70),
        "Network": _text(model.get("arch")),
        "Parameters": _grouped(model.get("parameters")),
        "MACs": _grouped(model.get("macs")),
        "Checkpoint": short(_text(source.get("checkpoint")), 60),
        "Checkpoint sha256": short(_text(source.get("sha256")), 70),
        "Calibration": short(_text(manifest.get("calibration")), 60),
        "Parity with checkpoint": "identical" if identical else compared,
        "Made with": _settings(mapping(manifest.get("tools"))),
    }


def _accuracy(accuracy: dict[str, Any]) -> Facts:
    if not accuracy:
        return [("Accuracy", "not measured")]
    images = accuracy.get("images")
    listed = [str(name) for name in images] if isinstance(images, list) else []
    names = ", ".join(short(name, 40) for name in listed[:12])
    more = f" and {len(listed) - 12} more" if len(listed) > 12 else ""
    return [
        ("Accuracy pairs", _text(accuracy.get("pairs"))),
        ("Accuracy images", f"{len(listed)}: {names}{more}" if listed else ""),
        ("Accuracy pairs left out", _settings(mapping(accuracy.get("skipped")))),
        ("Accuracy pictures chosen", _chosen(mapping(accuracy.get("chosen")))),
        ("Accuracy protocol", _settings(mapping(accuracy.get("protocol")))),
        ("Read by", _settings(mapping(accuracy.get("ocr")))),
    ]


def _chosen(groups: dict[str, Any]) -> str:
    """Where the limit on launches left pictures out: scale and input size, how many of how many."""
    found = {key: mapping(value) for key, value in groups.items()}
    parts = (
        f"{short(key, 20)}: {_text(one.get('images'))} of {_text(one.get('of'))}"
        for key, one in found.items()
        if one.get("images") != one.get("of")
    )
    return "; ".join(parts)


def _engines(header: dict[str, Any]) -> Facts:
    """Every program that measured, with its sha256 and, where there are several, its devices."""
    used: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for name, device in devices_of(header).items():
        key = json.dumps(device.engine, sort_keys=True, default=str)
        used.setdefault(key, (dict(device.engine), []))[1].append(name)
    if not used:
        used[""] = (mapping(header.get("engine")), [])
    facts: Facts = []
    for engine, names in used.values():
        where = f" on {', '.join(short(name, 40) for name in names)}" if len(used) > 1 else ""
        facts.append((f"Engine{where}", _listed(engine, ("name", "version", "family", "path"))))
        unknown = "not known" if engine else ""
        facts.append((f"Engine sha256{where}", _text(engine.get("sha256")) or unknown))
    return facts


def _listed(tree: dict[str, Any], names: tuple[str, ...]) -> str:
    return join_known(*(_text(tree.get(name)) for name in names))


def _settings(tree: dict[str, Any]) -> str:
    """``name value, name value``, without what is empty; nested values as JSON."""
    told = ((name, value) for name, value in tree.items() if value not in (None, [], {}))
    return ", ".join(f"{name} {_text(value)}" for name, value in told)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _grouped(value: object) -> str:
    found = number(value, least=0)
    return "" if math.isnan(found) else f"{found:,.0f}"

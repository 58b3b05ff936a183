"""Where the numbers come from: machine, engine, settings, checkpoints, versions."""

import json
from typing import Any

from edgesr.analysis.rows import RunData, mapping
from edgesr.report.text import clean, plural, short

Facts = list[tuple[str, str]]
"""(what, value) in the order of the page."""


def run_facts(run: RunData) -> Facts:
    """Everything about one run, each as (what, value)."""
    header = run.header
    engine = mapping(header.get("engine"))
    facts: Facts = [("Run", run.name), ("Measured", _text(header.get("created_at")))]
    for name, device in mapping(header.get("devices")).items():
        facts.append((f"Device {short(str(name), 40)}", _device(mapping(device))))
    facts += [
        ("Engine", _listed(engine, ("name", "version", "path"))),
        ("Engine sha256", _text(engine.get("sha256"))),
        ("Suite", _settings(mapping(header.get("suite")))),
        *_accuracy(mapping(header.get("accuracy"))),
        ("Versions", _settings(mapping(header.get("versions")))),
        ("Records", f"{len(run.records)} rounds"),
    ]
    if run.torn_lines:
        facts.append(("Damaged records", f"{plural(run.torn_lines, 'line')} left out: unreadable"))
    return [(clean(what), clean(value)) for what, value in facts if value]


def candidate_facts(run: RunData) -> list[dict[str, str]]:
    """One row per candidate of a run: what it is and what it was made from."""
    return [_candidate(str(key), mapping(value))
            for key, value in mapping(run.header.get("candidates")).items()]  # fmt: skip


def _candidate(key: str, manifest: dict[str, Any]) -> dict[str, str]:
    model, source = mapping(manifest.get("model")), mapping(manifest.get("source"))
    parity = mapping(manifest.get("parity"))
    psnr = parity.get("psnr_db")
    compared = f"{psnr:.1f} dB" if isinstance(psnr, int | float) else "identical"
    return {
        "Candidate": short(str(manifest.get("name") or key[:12]), 60),
        "File sha256": short(key, 70),
        "Network": _text(model.get("arch")),
        "Parameters": _grouped(model.get("parameters")),
        "MACs": _grouped(model.get("macs")),
        "Checkpoint": short(_text(source.get("checkpoint")), 60),
        "Checkpoint sha256": short(_text(source.get("sha256")), 70),
        "Calibration": short(_text(manifest.get("calibration")), 60),
        "Parity with checkpoint": compared if parity else "",
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
        ("Accuracy protocol", _settings(mapping(accuracy.get("protocol")))),
    ]


def _device(device: dict[str, Any]) -> str:
    cores, memory = device.get("cores"), device.get("memory_mb")
    parts = [_text(device.get(name)) for name in ("model", "os", "cpu", "abi")]
    parts += [f"{cores} cores"] if cores else []
    parts += [f"{memory:.0f} MB memory"] if isinstance(memory, int | float) else []
    return " · ".join(part for part in dict.fromkeys(parts) if part)


def _listed(tree: dict[str, Any], names: tuple[str, ...]) -> str:
    return " · ".join(_text(tree.get(name)) for name in names if tree.get(name))


def _settings(tree: dict[str, Any]) -> str:
    """``name value, name value``; nested values as JSON."""
    return ", ".join(f"{name} {_text(value)}" for name, value in tree.items() if value is not None)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _grouped(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) else ""

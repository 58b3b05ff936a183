"""What must agree between two runs before their numbers are compared.

Headers come from other machines and older versions: whatever is missing is unknown. Unknown on one
side is a difference; unknown on both is none, because then nothing speaks against it.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edgesr.analysis.devices import DeviceFacts, devices_of, mapping
from edgesr.analysis.rows import RunData
from edgesr.analysis.summary import JobSummary
from edgesr.text import short

UNKNOWN = "unknown"
Need = Literal["time", "pixels", "text", "file"]
"""What a figure depends on: a time on more than the pixels do, a file's size on nothing."""

_DEVICE = ("device", "simulated", "cores", "os_build", "engine", "binary")
SUITE_SETTINGS = ("num_runs", "min_secs", "max_secs", "warmup_runs", "warmup_min_secs")
"""Settings of a suite that change a time. Rounds are not among them: they only tell it better."""
_TIME = ("pin", "fixed_performance", "suite", *(f"suite.{name}" for name in SUITE_SETTINGS),
         "suite.pace")  # fmt: skip
NEEDS: dict[Need, tuple[str, ...]] = {
    "time": (*_DEVICE, *_TIME),
    "pixels": (*_DEVICE, "protocol", "pictures"),
    "text": (*_DEVICE, "protocol", "pictures", "ocr", "texts"),
    "file": (),
}
"""Kind of figure -> fields that must agree."""
FIELDS = tuple(dict.fromkeys(field for fields in NEEDS.values() for field in fields))
"""All names of fields, in the order in which they are told."""

_ADDRESS = re.compile(r".+:\d+$")
"""A serial that is the address of an adb connection: the next phone may get the same."""
_BASELINES = {
    "pictures": {
        "bicubic_psnr_y": ("bicubic PSNR", 1e-3),
        "bicubic_ssim_y": ("bicubic SSIM", 1e-4),
    },
    "texts": {"bicubic_cer": ("bicubic CER", 1e-3), "truth_cer": ("CER of the truth", 1e-3)},
}
"""Field -> figure -> (its name, how far it may be apart by another machine's rounding)."""


@dataclass(frozen=True)
class Difference:
    """A field in which two runs differ."""

    field: str
    first: str
    second: str

    def __str__(self) -> str:
        """``os_build (Android 14, Android 15)``."""
        return f"{self.field} ({self.first}, {self.second})"


@dataclass(frozen=True)
class Conditions:
    """What one device's numbers of one run were measured under."""

    name: str
    """As the run calls the device: a serial, an address, or ``host``."""
    model: str | None
    soc: str | None
    """Of this machine its processor."""
    values: Mapping[str, str]
    """Field -> value, without those that are unknown and without ``device``."""

    @property
    def device(self) -> str:
        """The device in words."""
        known = [part for part in (self.model, self.soc) if part]
        named = [] if self.name == "host" else [self.name]
        return short(", ".join(dict.fromkeys([*known, *named])) or self.name, 120)

    def is_device(self, other: "Conditions") -> bool:
        """Whether both are the same device, or phones of the same model and SoC."""
        if (self.name == "host") != (other.name == "host"):
            return False
        contradicts = self.model and other.model and self.model != other.model
        told = self.name == other.name and self.name != "host"
        if told and not _ADDRESS.match(self.name) and not contradicts:
            return True
        if self.name == "host":  # its model is the processor's name too
            return (self.soc or self.model) == (other.soc or other.model)
        if self.model is None and other.model is None:
            return self.name == other.name
        return (self.model, self.soc) == (other.model, other.soc)


def conditions(run: RunData, device: str) -> Conditions:
    """What must be known of a run before its numbers of one device are compared.

    Args:
        run: The run.
        device: As its jobs name it.
    """
    header = run.header
    facts = devices_of(header).get(device) or DeviceFacts(device, {}, {})
    known: dict[str, str | None] = {
        "simulated": "yes" if facts.simulated else "no",
        "cores": _text(facts.facts.get("cores")),
        "os_build": _text(facts.facts.get("build")) or _text(facts.facts.get("os")),
        "engine": _text(facts.engine.get("name")),
        "binary": _binary(facts.engine),
        **{name: _text(mapping(header.get("options")).get(name))
           for name in ("pin", "fixed_performance")},
        **_suite(mapping(header.get("suite"))),
        "protocol": _protocol(mapping(header.get("accuracy"))),
    }  # fmt: skip
    return Conditions(
        name=device,
        model=_text(facts.facts.get("model")),
        soc=_text(facts.facts.get("cpu" if device == "host" else "soc")),
        values={name: value for name, value in known.items() if value is not None},
    )


def differences(first: Conditions, second: Conditions) -> tuple[Difference, ...]:
    """The fields in which the conditions of two runs differ, in the order of `FIELDS`."""
    found = []
    if not first.is_device(second):
        found.append(Difference("device", first.device, second.device))
    for field in FIELDS:
        values = first.values.get(field, UNKNOWN), second.values.get(field, UNKNOWN)
        if values[0] != values[1]:
            found.append(Difference(field, *(short(value, 120) for value in values)))
    return tuple(found)


def picture_differences(first: JobSummary, second: JobSummary) -> tuple[Difference, ...]:
    """Whether two jobs were scored on other pictures or texts, or read by another OCR engine.

    Pictures are told by what bicubic makes of them: the files lie elsewhere on other machines.
    """
    found = []
    for field, baselines in _BASELINES.items():
        if field == "texts" and first.ocr != second.ocr:  # it reads otherwise, and that is told
            engines = [short(one, 80) or UNKNOWN for one in (first.ocr, second.ocr)]
            found.append(Difference("ocr", *engines))
            continue
        for name, (words, tolerance) in baselines.items():
            values = getattr(first, name), getattr(second, name)
            if not _close(*values, tolerance):
                found.append(Difference(field, *(_baseline(words, value) for value in values)))
                break
    return tuple(found)


def _close(one: float, other: float, tolerance: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=0, abs_tol=tolerance)


def _baseline(words: str, value: float) -> str:
    return UNKNOWN if math.isnan(value) else f"{words} {value:.4f}"


def _suite(suite: Mapping[str, Any]) -> dict[str, str | None]:
    if not suite:
        return {}
    pace = mapping(suite.get("pace"))
    parts = [f"{name} {_text(pace.get(name)) or UNKNOWN}" for name in ("minutes", "segment_s")]
    return {
        "suite": _text(suite.get("name")),
        **{f"suite.{name}": _text(suite.get(name)) for name in SUITE_SETTINGS},
        "suite.pace": ", ".join(parts) if pace else "none",
    }


def _binary(engine: Mapping[str, Any]) -> str | None:
    """The program by its content; our own runner has none of its own, and goes by its version."""
    version = _text(engine.get("version"))
    return _text(engine.get("sha256")) or (f"version {version}" if version else None)


def _protocol(accuracy: Mapping[str, Any]) -> str | None:
    protocol = accuracy.get("protocol")
    return _text(mapping(protocol).get("name") or protocol)


def _text(value: object) -> str | None:
    """A header's value as text; None where it says nothing."""
    if value is None or value in ("", {}, []):
        return None
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.12g}"  # 6 and 6.0 are the same setting
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)

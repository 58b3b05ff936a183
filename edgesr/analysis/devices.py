"""What a run's header tells about its devices; all of it may be missing or foreign."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgesr.device.profile import tier_of


@dataclass(frozen=True)
class DeviceFacts:
    """One device of one run, as run.json describes it."""

    name: str
    """Serial of the phone, or ``host``."""
    facts: Mapping[str, Any]
    """Its entry in the header, as it is."""
    engine: Mapping[str, Any]
    """The program that measured there; older runs tell one for all devices."""

    @property
    def simulated(self) -> bool:
        """Whether a stand-in phone answers: its times are of the machine behind it."""
        return self.facts.get("simulated") is True

    @property
    def unlisted(self) -> bool:
        """Whether no device profile matched it."""
        return self.facts.get("listed") is False

    @property
    def device_class(self) -> str:
        """Its tier: ``budget``, ``mid``, ``flagship``, ``host``, or ``unlisted``."""
        slug = self.facts.get("profile")
        return tier_of(slug if isinstance(slug, str) else "host" if self.name == "host" else "")

    @property
    def model(self) -> str:
        """The model, or nothing."""
        model = self.facts.get("model")
        return model if isinstance(model, str) else ""

    @property
    def label(self) -> str:
        """Name and model, and whether it is simulated: wherever a time stands, that must too."""
        known = [self.model] if self.model != self.name else []
        about = ", ".join(part for part in (*known, "simulated" if self.simulated else "") if part)
        return f"{self.name} ({about})" if about else self.name


def devices_of(header: Mapping[str, Any]) -> dict[str, DeviceFacts]:
    """Every device of a run by its name."""
    common = mapping(header.get("engine"))
    return {
        str(name): DeviceFacts(str(name), mapping(facts), mapping(mapping(facts).get("engine"))
                               or common)
        for name, facts in mapping(header.get("devices")).items()
    }  # fmt: skip


def mapping(value: object) -> dict[str, Any]:
    """``value`` when it is a dictionary, else an empty one: headers come from foreign machines."""
    return value if isinstance(value, dict) else {}


def number(value: Any, *, least: float = -math.inf) -> float:
    """``value`` as a float, NaN when it is no finite number or below ``least``."""
    if value.__class__ is float:
        found = value
    elif value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    else:
        try:
            found = float(value)
        except OverflowError:  # JSON knows whole numbers of any length
            return math.nan
    return found if least <= found < math.inf and found != -math.inf else math.nan

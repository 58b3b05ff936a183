"""What a caller may choose for a stand-in phone."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class PhoneOptions:
    """One phone to start; all fields can be written as JSON."""

    phone: str = "pixel-7"
    """One of `edgesr.device.standin.profile.phone_names`, or a path of a TOML file."""
    root: str | None = None
    """Its folder; without one, a temporary folder that is removed at the end."""
    port: int = 0
    """TCP port on the loopback; 0 takes a free one."""
    unauthorized: bool = False
    """It begins without anyone having tapped "Allow"."""
    benchmark_model: str | None = None
    """Path of a program to install instead of edgesr's own runner."""
    props: Mapping[str, str] = field(default_factory=dict)
    """Properties that replace those of the phone."""

    def to_json(self) -> str:
        """On one line."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> "PhoneOptions":
        """Reads `to_json`'s form, or just the name of a phone.

        Raises:
            TypeError: For a key that is no option.
        """
        if not text.startswith("{"):
            return cls(phone=text)
        given: dict[str, Any] = json.loads(text)
        return cls(**given)

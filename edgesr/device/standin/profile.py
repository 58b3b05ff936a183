"""What a stand-in phone says of itself: one TOML file in ``phones/``, read without pydantic.

These are answers of a phone, not profiles of edgesr: ``devices/*.toml`` is matched against them.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgesr.device.standin.wire import MAX_PAYLOAD, VERSION
from edgesr.errors import ConfigError

PHONES = Path(__file__).parent / "phones"
SIMULATED = "ro.edgesr.simulated"
BENCHMARK_MODEL = "ro.edgesr.benchmark_model"
TOOL = "/data/local/tmp/.edgesr-standin/benchmark_model"
"""Beside edgesr's own folder on the device, so that its clean-up leaves the tool alone."""


@dataclass(frozen=True)
class Cluster:
    """Cores of one kind, which share a clock."""

    cpus: Sequence[int]
    min_khz: int
    max_khz: int
    part: str
    """CPU part as /proc/cpuinfo prints it, for example ``0xd44``."""


@dataclass(frozen=True)
class PhoneProfile:
    """A kind of phone."""

    slug: str
    props: Mapping[str, str]
    """What getprop answers."""
    clusters: Sequence[Cluster]
    thermal: Sequence[tuple[str, int]] = ()
    """Type and reading of each thermal zone, mostly thousandths of a degree."""
    dumpsys: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Device path below /sys or /proc -> content."""
    features: Sequence[str] = ()
    """Of adbd; without ``shell_v2`` there is no exit code and stderr is mixed in."""
    version: int = VERSION
    max_payload: int = MAX_PAYLOAD
    crlf: bool = False
    """The shell's terminal turns LF into CR LF, as up to Android 6."""
    missing: Sequence[str] = ()
    """Programs that this Android does not have yet."""
    storage_kb: tuple[int, int] = (112_573_856, 79_348_556)
    """Size of /data and what is free of it, KiB."""

    @property
    def api(self) -> int:
        """Level of the Android API."""
        return int(self.props.get("ro.build.version.sdk", "0"))

    @property
    def banner(self) -> str:
        """The phone's part of the transport's handshake."""
        names = ("ro.product.name", "ro.product.model", "ro.product.device")
        said = "".join(f"{name}={self.props.get(name, '')};" for name in names)
        return f"device::{said}" + (f"features={','.join(self.features)}" if self.features else "")


def phone_names() -> list[str]:
    """The phones that edgesr brings."""
    return sorted(path.stem for path in PHONES.glob("*.toml"))


def load_phone(name: str, props: Mapping[str, str] | None = None) -> PhoneProfile:
    """Reads a phone.

    Args:
        name: One of `phone_names`, or a path of a TOML file.
        props: Properties that replace those of the file.

    Raises:
        ConfigError: When there is no such phone or its file does not hold.
    """
    path = Path(name) if name.endswith(".toml") else PHONES / f"{name}.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return _profile(path.stem, document, props or {})
    except FileNotFoundError as error:
        known = ", ".join(phone_names())
        raise ConfigError(f"no stand-in phone {name!r}", hint=f"there are: {known}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {type(error).__name__} {error}") from error


def _profile(slug: str, document: dict[str, Any], props: Mapping[str, str]) -> PhoneProfile:
    banner = document.get("banner", {})
    ours = {SIMULATED: "1", BENCHMARK_MODEL: TOOL}
    return PhoneProfile(
        slug=slug,
        props=document["props"] | ours | dict(props),
        clusters=tuple(_cluster(entry) for entry in document["clusters"]),
        thermal=tuple((zone["type"], zone["temp"]) for zone in document.get("thermal", ())),
        dumpsys=document.get("dumpsys", {}),
        files=document.get("files", {}),
        features=tuple(banner.get("features", ())),
        version=banner.get("version", VERSION),
        max_payload=banner.get("max_payload", MAX_PAYLOAD),
        crlf=banner.get("crlf", False),
        missing=tuple(document.get("missing", ())),
        storage_kb=tuple(document.get("storage_kb", PhoneProfile.storage_kb)),
    )


def _cluster(entry: dict[str, Any]) -> Cluster:
    first, _, last = str(entry["cpus"]).partition("-")
    cpus = range(int(first), int(last or first) + 1)
    return Cluster(cpus, entry["min_khz"], entry["max_khz"], entry["part"])

"""Device profiles: what is known beforehand about a phone, one TOML file each in ``devices/``."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Literal

from pydantic import Field, field_validator

from edgesr.assets import asset, asset_names
from edgesr.config import Config, load_config

UNLISTED = "unlisted"
_HOST = "host"
_Percent = Annotated[float, Field(ge=0, le=100)]


class Limits(Config):
    """Beyond which values a number measured on the device is doubtful."""

    other_load_pct: float = 20
    """CPU that other programs take just before a round, per cent of the whole machine."""
    clock_drop_pct: float = 20
    """How far the clock may fall during a round, and how far below the cores' maximum the clock
    that the system allows may be."""
    temperature_c: float | None = 42
    """Of what `DeviceState.temperature_c` tells: on phones the battery."""
    thermal_status: int = 0
    """Android's throttling status, 0 (none) to 6."""
    battery_pct: _Percent = 20
    """Below it phones save power by themselves."""


class Fit(Config):
    """When a phone is fit to measure: what a round waits for before it begins (``[fit]``)."""

    temperature_c: float | None = 38
    """The battery may be that warm; None doesn't ask."""
    thermal_status: Annotated[int, Field(ge=0, le=6)] | None = 0
    """Android's throttling status may be that high; None doesn't ask."""
    battery_pct: _Percent | None = 20
    """The battery has to hold so much; None doesn't ask."""
    busy_pct: _Percent | None = 25
    """Other programs may take so much CPU, per cent of the whole device; None doesn't ask."""
    wait_s: Annotated[float, Field(ge=0)] = 120
    """How long a round waits at most; what is unmet then becomes a doubt."""
    busy_wait_s: Annotated[float, Field(ge=0)] = 3
    """How long for other programs alone: what has not ended by then goes on for long."""
    poll_s: Annotated[float, Field(gt=0)] = 5
    """Seconds between two looks."""


class Profile(Config):
    """A device profile: one file in ``devices/``."""

    name: str
    """What people call the device."""
    match: dict[str, str] = Field(default_factory=dict)
    """Property -> regular expression; all must fit, each the whole value, in upper or lower
    case. Not used for the host."""
    tier: Literal["budget", "mid", "flagship", "host"] | None = None
    """Class of the device: phones of one class get one choice of a model. None is a class of its
    own, ``unlisted``."""
    soc: str | None = None
    gpu: str | None = None
    cores: Annotated[int, Field(ge=1, le=32)] | None = None
    big_core_mask: Annotated[str, Field(pattern=r"^[1-9a-f][0-9a-f]*$")] | None = None
    """Hexadecimal mask for taskset, without 0x; None leaves the choice to `edgesr.device.phone`."""
    delegates: tuple[str, ...] = ("cpu", "xnnpack")
    """Delegates worth measuring there."""
    limits: Limits = Limits()
    slug: str = ""
    """Name of the file; no key of it."""
    listed: bool = True
    """False for a phone without a file."""

    @field_validator("match")
    @classmethod
    def _compiles(cls, rules: dict[str, str]) -> dict[str, str]:
        for prop, rule in rules.items():
            try:
                re.compile(rule)
            except re.error as error:
                problem = f"{prop}: {rule!r} is no regular expression: {error}"
                raise ValueError(problem) from error
        return rules

    def fits(self, props: Mapping[str, str]) -> bool:
        """Whether a phone with these properties (``getprop``) is one of this profile."""
        return bool(self.match) and all(
            re.fullmatch(rule, props.get(prop, ""), re.IGNORECASE)
            for prop, rule in self.match.items()
        )


def host_profile() -> Profile:
    """The profile of this machine, ``devices/host.toml``."""
    return _load(_HOST)


@cache
def phone_profiles() -> tuple[Profile, ...]:
    """Every shipped profile of a phone.

    Raises:
        ConfigError: When a file does not hold.
    """
    return tuple(_load(slug) for slug in asset_names("devices") if slug != _HOST)


def tier_of(slug: str) -> str:
    """The class of the devices with this profile, ``unlisted`` where nobody said.

    Args:
        slug: As `DeviceInfo.profile` and ``run.json`` tell it.
    """
    known = next((one for one in phone_profiles() if one.slug == slug), None)
    found = host_profile() if slug == _HOST else known
    return (found.tier if found else None) or UNLISTED


def profile_for(props: Mapping[str, str], among: Iterable[Profile] | None = None) -> Profile:
    """The profile of a phone: the one with the most rules among those that fit, or `unlisted`.

    Args:
        props: Its properties as ``getprop`` tells them; may be empty.
        among: Profiles to choose from; None takes the shipped ones.
    """
    profiles = phone_profiles() if among is None else among
    fitting = [profile for profile in profiles if profile.fits(props)]
    return max(fitting, key=lambda p: (len(p.match), p.slug), default=unlisted(props))


def unlisted(props: Mapping[str, str]) -> Profile:
    """What holds for a phone that no file knows: nothing is assumed, every limit is a default."""
    return Profile(
        name=props.get("ro.product.model") or "unknown phone",
        delegates=("cpu", "xnnpack", "gpu"),
        slug=UNLISTED,
        listed=False,
    )


def _load(slug: str) -> Profile:
    profile = load_config(asset("devices", f"{slug}.toml"), Profile)
    return profile.model_copy(update={"slug": slug})

"""Which benchmark_model a device gets: named, in the environment, in the cache, or downloaded."""

import contextlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from edgesr.assets import Download, asset, cache_folder, exclusive, fetch
from edgesr.bench.delegates import Family
from edgesr.bench.elf import misfit
from edgesr.config import Config, load_config
from edgesr.errors import ConfigError, InputError, StoreError
from edgesr.files import write_text
from edgesr.transfer import Progress

ENVIRONMENT = "EDGESR_BENCHMARK_MODEL"
LIST_ENVIRONMENT = "EDGESR_BINARIES"
_FOLDER = "binaries"
"""In the cache: ``binaries/<family>-<version>/<abi>/benchmark_model``."""
_TITLE: dict[Family, str] = {"classic": "TensorFlow Lite's", "litert": "LiteRT's"}
_OTHERWISE = f"or name one with --binary PATH or {ENVIRONMENT}"


class Published(Config):
    """The binary of one ABI."""

    file: str
    """Appended to the family's ``base``; empty where none is published."""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """Empty where it is not known: the binary is then recorded with the one it has."""


class Binaries(Config):
    """One family of ``binaries.toml``."""

    tells: str
    """Found in its log only."""
    version: Annotated[str, Field(pattern=r"^[\w.+\-]+$")]
    base: str
    """URL that the files' names are appended to; ``{version}`` stands for the version."""
    flags: tuple[str, ...] = ()
    """That its Android builds know, without dashes; each binary is asked again on its device."""
    abi: dict[Annotated[str, Field(pattern=r"^[\w\-]+$")], Published]

    def url(self, abi: str) -> str | None:
        """Where the ABI's binary is published, None where it is not."""
        file = self.abi[abi].file if abi in self.abi else ""
        return self.base.replace("{version}", self.version) + file if file else None


class BinaryList(Config):
    """``binaries.toml``: a company's own may lack a family."""

    classic: Binaries | None = None
    litert: Binaries | None = None


@dataclass(frozen=True)
class BinaryOptions:
    """What the user wants to measure with."""

    named: tuple[Path, ...] = ()
    """With --binary: one per ABI at most is used."""
    family: Family = "classic"
    """Of the one that is taken from the cache or downloaded."""


def load_binaries(family: Family) -> Binaries:
    """One family of the list that EDGESR_BINARIES names, else of the packaged one.

    Raises:
        InputError: When the list can't be read.
        ConfigError: When it does not hold, or lacks the family.
    """
    named = os.environ.get(LIST_ENVIRONMENT)
    path = Path(named) if named else asset("android_bench", "binaries.toml")
    found = getattr(load_config(path, BinaryList), family)
    if not isinstance(found, Binaries):
        raise ConfigError(f"{path} has no table [{family}]", hint="add it, or take another family")
    return found


def find_binary(abi: str | None, options: BinaryOptions, progress: Progress | None = None) -> Path:
    """The benchmark_model for a device.

    What was named with --binary is used or the call fails: nothing is measured with another
    program in its place. What the environment names is meant for several machines, so those that
    don't fit are passed over.

    Args:
        abi: Android's name of the device's ABI, or ``linux-`` and the machine; None where the
            device doesn't tell: then only a named binary will do.
        options: What the user wants.
        progress: Told of a download.

    Raises:
        InputError: When a named binary is missing, none of them fits, or none is published.
        ConfigError: When the list of binaries does not hold.
        TransportError: When it can't be downloaded; the hint says where to put it by hand.
        StoreError: When the cache can't be written.
    """
    if options.named:
        found = first_fitting(options.named, abi)
        if found is None:
            reasons = "; ".join(f"{p}: {misfit(locate(p), abi)}" for p in options.named)
            raise InputError(
                f"no binary that was named runs on {abi}: {reasons}",
                hint="name one more with --binary, or none to have the official one fetched",
            )
        return found
    if found := first_fitting(environment_binaries(), abi):
        return found
    if abi is None:
        raise InputError(
            "the device does not tell its ABI, so no benchmark_model can be chosen for it",
            hint="name one with --binary PATH",
        )
    return _cached_or_fetched(abi, options.family, progress)


def environment_binaries() -> tuple[Path, ...]:
    """What EDGESR_BENCHMARK_MODEL names: one path, or several as PATH has them."""
    named = os.environ.get(ENVIRONMENT, "").split(os.pathsep)
    return tuple(Path(name) for name in named if name)


def first_fitting(paths: Sequence[Path], abi: str | None) -> Path | None:
    """The first that may run on the ABI, located.

    Raises:
        InputError: When one of them is no file.
    """
    located = [locate(path) for path in paths]
    return next((path for path in located if misfit(path, abi) is None), None)


def locate(path: Path) -> Path:
    """A file by its path, or by its bare name along PATH.

    Raises:
        InputError: When there is no such file.
    """
    found = path if path.parent != Path() else Path(shutil.which(str(path)) or path)
    if not found.is_file():
        problem = "is not a file" if found.exists() else "does not exist"
        hint = f"name a benchmark_model with --binary PATH or {ENVIRONMENT}"
        raise InputError(f"{path} {problem}", hint=hint)
    return found


def host_abi() -> str | None:
    """This machine, as `find_binary` calls it; None where its programs are no ELF files."""
    return f"linux-{platform.machine()}" if sys.platform == "linux" else None


def version_of(path: Path) -> str | None:
    """The version of a binary that lies in the cache, None for any other file."""
    try:
        inside = path.resolve().relative_to((cache_folder() / _FOLDER).resolve())
    except ValueError:
        return None
    return inside.parts[0].partition("-")[2] or None


def note_key(path: Path) -> str:
    """Under which name `note_sha256` knows a binary: its place in the cache, else its path."""
    try:
        return str(path.resolve().relative_to((cache_folder() / _FOLDER).resolve()).parent)
    except ValueError:
        return str(path.resolve())


def note_sha256(key: str, sha256: str) -> str | None:
    """Remembers the sha256 of a binary, and tells the one it had before where that was another.

    Call it once per binary and run: the next call compares with this one. A cache that can't be
    written remembers nothing.

    Args:
        key: From `note_key`.
        sha256: Hex.
    """
    path = cache_folder() / _FOLDER / "sha256.json"
    with contextlib.suppress(StoreError), exclusive(path):
        known = _read_notes(path)
        if known.get(key) != sha256:
            write_text(path, json.dumps({**known, key: sha256}, indent=1))
        return _changed(known.get(key), sha256)
    return _changed(_read_notes(path).get(key), sha256)


def _changed(before: str | None, now: str) -> str | None:
    return before if before != now else None


def _read_notes(path: Path) -> dict[str, str]:
    """Nothing where the file is absent or damaged: it is only a memory."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(tree, dict):
        return {}
    return {key: value for key, value in tree.items() if isinstance(value, str)}


def place_in_cache(abi: str, family: Family) -> Path:
    """Where the ABI's binary is looked for before it is fetched, and can be put by hand.

    Raises:
        ConfigError: When the list of binaries does not hold.
    """
    version = load_binaries(family).version
    return cache_folder() / _FOLDER / f"{family}-{version}" / abi / "benchmark_model"


def _cached_or_fetched(abi: str, family: Family, progress: Progress | None) -> Path:
    listed = load_binaries(family)
    url, by_hand = listed.url(abi), place_in_cache(abi, family)
    name = str(by_hand.relative_to(cache_folder()))
    if url is None and not by_hand.is_file():
        raise InputError(
            f"no {_TITLE[family]} benchmark_model is published for {abi}",
            hint=f"build one and put it at {by_hand}, {_OTHERWISE}",
        )
    sha256 = listed.abi[abi].sha256 if abi in listed.abi else ""
    path = fetch(Download(url or "", name, sha256 or None, _OTHERWISE), progress)
    if reason := misfit(path, abi):
        raise InputError(
            f"{path} does not run on {abi}: {reason}", hint=f"put the right one there, {_OTHERWISE}"
        )
    return path

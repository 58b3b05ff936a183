"""The public sets of images that super-resolution is trained and tested on, fetched on request."""

import difflib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import Field, RootModel

from edgesr.assets import Download, cache_folder, exclusive, fetch
from edgesr.config import Config, load_config
from edgesr.data.images import IMAGE_SUFFIXES
from edgesr.data.pairs import Pair, write_pairs
from edgesr.data.unpack import Member, Progress, open_archive, unpack
from edgesr.errors import ConfigError, InputError, StoreError, UsageError
from edgesr.files import atomic_folder, read_errors, store_errors, write_text

ENVIRONMENT = "EDGESR_DATASETS"
NOTE = "dataset.json"
"""In the folder of a set: where it came from."""
_CACHED = "datasets"
"""In the cache: ``datasets/<name>/<file>``, until it is unpacked."""
_NOTED = ("images", "sha256", "verified", "url", "licence")
_CHUNK = 1 << 20


class PublicSet(Config):
    """One set of ``datasets.toml``: one archive, or a part of one."""

    title: str
    images: int = Field(ge=1)
    licence: str
    page: str
    """Where a person reads about it."""
    url: str = ""
    """Of the archive; empty where only its owners give it out."""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """Of the archive; empty where it is not known."""
    md5: Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")] = ""
    """Of the archive; shows a damaged transfer where no sha256 is known."""
    size_mb: int = Field(default=0, ge=0)
    """Of the archive; 0 where it is not known."""
    only: str = ""
    """A folder of the archive: the rest is left out."""
    hr: str = ""
    """For small images: the set of their large images."""
    scale: int = Field(default=1, ge=1)
    """How much larger those are."""


class _SetList(RootModel[dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")], PublicSet]]):
    """``datasets.toml``: every set by its name."""


@dataclass(frozen=True)
class Fetched:
    """A set that lies unpacked."""

    name: str
    folder: Path
    images: int
    sha256: str
    """Of the archive."""
    verified: str
    """What the archive was checked against: ``sha256``, ``md5``, ``size`` (as the server told it),
    or ``nothing``, where it was there already."""
    url: str
    licence: str
    was_there: bool = False
    stated: int = 0
    """How many images its source says it has."""
    hr: str = ""
    """For small images: the set of their large images."""
    pairs: Path | None = None
    """For small images whose large ones lie beside them: the csv of both."""


def public_sets() -> dict[str, PublicSet]:
    """Every set by its name, from the file that EDGESR_DATASETS names, else the packaged one.

    Raises:
        InputError: When the file can't be read.
        ConfigError: When it does not hold.
    """
    named = os.environ.get(ENVIRONMENT)
    path = Path(named) if named else Path(__file__).with_name("datasets.toml")
    return load_config(path, _SetList).root


def fetch_set(name: str, out: Path, progress: Progress) -> Fetched:
    """Fetches, verifies and unpacks a set, where it is not there yet.

    The archive is kept in the cache until it is unpacked, so a call that broke off goes on where it
    stopped. One that was there whole before the call, put there by hand or by a call that broke off
    while it unpacked, stays. The folder appears when it is whole.

    Args:
        name: Of the set.
        out: Folder for sets; this one goes to ``out/name``.
        progress: Called with (what, bytes done, bytes in all).

    Raises:
        ConfigError: When there is no set of that name.
        UsageError: When ``out/name`` is something else.
        InputError: When the set has no direct download, or the archive is not the one that it
            should be, is damaged or unsafe.
        TransportError: When it can't be fetched; the hint says where to put it by hand.
        StoreError: When there is not enough space, or it can't be written.
    """
    one, folder = find_set(name), out / name
    found = _already(name, folder)
    if found is None and not one.url:
        raise InputError(
            f"{name} has no direct download: {one.licence}",
            hint=f"ask for it at {one.page}, and name the folder that you unpack it to",
        )
    if found is None:
        with exclusive(cache_folder() / _CACHED / name, progress):
            # another process may have fetched it meanwhile
            found = _already(name, folder) or _bring(name, one, folder, progress)
    pairs = _pair_up(one, found.folder)
    return replace(found, stated=one.images, hr=one.hr, pairs=pairs)


def find_set(name: str) -> PublicSet:
    """The set of a name.

    Raises:
        ConfigError: When there is none; names the nearest.
    """
    sets = public_sets()
    if name in sets:
        return sets[name]
    close = difflib.get_close_matches(name.lower(), sets, n=3, cutoff=0.4)
    close = close or [other for other in sets if other.startswith(name.lower())] or list(sets)
    raise ConfigError(
        f"no data set is called {name!r}; there are {', '.join(close)}",
        hint="see all with: edgesr data fetch --list",
    )


def _already(name: str, folder: Path) -> Fetched | None:
    """What an earlier call left, None where there is nothing."""
    if not folder.exists():
        return None
    try:
        with read_errors(folder / NOTE):
            note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        known = {key: note[key] for key in _NOTED}
        return Fetched(name=name, folder=folder, was_there=True, **known)
    except (InputError, ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{folder} is there and was not written by edgesr data fetch",
            hint="choose another --out, or move that folder away",
        ) from error


def _bring(name: str, one: PublicSet, folder: Path, progress: Progress) -> Fetched:
    """Archive into the cache, files into the folder; the archive is deleted then."""
    file = unquote(urlsplit(one.url).path).rpartition("/")[2] or "archive"
    download = Download(one.url, f"{_CACHED}/{name}/{file}", one.sha256 or None)
    archive = cache_folder() / download.name
    by_hand = archive.is_file()
    if not by_hand:
        _need_space_for_both(archive, folder, one.size_mb * 1_000_000)
    fetch(download, progress)
    sha256, verified = _verify(archive, one, keep=by_hand)
    with open_archive(archive) as members:
        chosen = _choose(archive, one, members)
        images = sum(_is_image(member.path) for member in chosen)
        made = Fetched(name, folder, images, sha256, verified, one.url, one.licence)
        _need_space(folder, sum(member.size for member in chosen))
        with atomic_folder(folder) as temporary:
            unpack(archive, chosen, temporary, progress)
            note = {key: getattr(made, key) for key in _NOTED}
            write_text(temporary / NOTE, json.dumps(note, indent=2) + "\n")
    if not by_hand:
        with store_errors(archive):
            shutil.rmtree(archive.parent)
    return made


def _verify(archive: Path, one: PublicSet, *, keep: bool) -> tuple[str, str]:
    """The archive's sha256, and what it was checked against.

    Raises:
        InputError: When its md5 is another one; it is deleted unless it was there before.
    """
    if one.sha256:
        return one.sha256, "sha256"  # checked when it was fetched
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with read_errors(archive), archive.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            md5.update(chunk)
    if one.md5 and md5.hexdigest() != one.md5:
        wrong = f"has the md5 {md5.hexdigest()}, it should have {one.md5}"
        if keep:
            raise InputError(f"{archive} {wrong}", hint="delete it to have it fetched again")
        with store_errors(archive):
            archive.unlink()
        raise InputError(
            f"{one.url} {wrong}: not kept",
            hint="try again; if it stays so, the file there was exchanged",
        )
    if one.md5:
        return sha256.hexdigest(), "md5"
    return sha256.hexdigest(), "nothing" if keep else "size"


def _choose(archive: Path, one: PublicSet, members: list[Member]) -> list[Member]:
    """The members that belong to the set; at least one image."""
    chosen = [m for m in members if not one.only or one.only in m.path.parts[:-1]]
    if not any(_is_image(member.path) for member in chosen):
        where = f" below a folder {one.only!r}" if one.only else ""
        raise InputError(
            f"{archive} holds no image{where}", hint=f"see what became of the set at {one.page}"
        )
    return chosen


def _pair_up(one: PublicSet, folder: Path) -> Path | None:
    """Writes ``<folder>.csv`` for small images whose large ones lie beside them.

    The small image of ``0001.png`` is ``0001x2.png``, as DIV2K names them.
    """
    large = folder.parent / one.hr
    if not one.hr or not (large / NOTE).is_file():
        return None
    by_stem = {path.stem: path for path in _images(large)}
    mark = f"x{one.scale}"
    pairs = [
        Pair(stem, path, by_stem[stem])
        for path in _images(folder)
        if (stem := path.stem.removesuffix(mark)) in by_stem
    ]
    if not pairs:
        raise InputError(
            f"no image of {folder} has a large one in {large}",
            hint="delete both folders and fetch them again",
        )
    table = folder.with_name(f"{folder.name}.csv")
    write_pairs(table, pairs)
    return table


def _images(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if _is_image(path)]


def _is_image(path: PurePath) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _need_space_for_both(archive: Path, folder: Path, size: int) -> None:
    """Space for an archive of images and for what it unpacks to, which is as much."""
    part = archive.with_name(f"{archive.name}.part")  # of an earlier call that broke off
    missing = size - (part.stat().st_size if part.is_file() else 0)
    if _existing(archive).stat().st_dev == _existing(folder).stat().st_dev:
        _need_space(folder, missing + size)
    else:
        _need_space(archive, missing)
        _need_space(folder, size)


def _need_space(path: Path, needed: int) -> None:
    """Raises a StoreError where a disk has less than ``needed`` bytes left."""
    there = _existing(path)
    with store_errors(there):
        free = shutil.disk_usage(there).free
    if needed > free:
        raise StoreError(
            f"not enough space in {there}: {needed / 1e9:.2f} GB are needed, "
            f"{free / 1e9:.2f} GB are free",
            hint="free some space, or choose another --out; EDGESR_CACHE moves the archives",
        )


def _existing(path: Path) -> Path:
    """The nearest folder above that is there."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())

"""Unpacking archives that strangers made: plain files only, and none outside the folder."""

import contextlib
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from edgesr.errors import InputError
from edgesr.files import store_errors

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, bytes done, bytes in all)."""

_CHUNK = 1 << 20
_MOST_GROWTH, _MOST_SMALL = 50, 1 << 30
"""An archive of images that grows by more than this factor, and beyond this size, is a trap."""
_LITTER = ("__MACOSX", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Member:
    """A plain file in an archive."""

    path: PurePosixPath
    """Relative, without ``..``."""
    size: int
    """Unpacked, bytes."""
    open: Callable[[], IO[bytes]]


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[list[Member]]:
    """The files of a zip or tar archive, in its order; hidden files and litter are left out.

    Args:
        path: A zip file, or a tar file, compressed or not.

    Raises:
        InputError: When it is neither, is damaged, or holds a link, a device, an encrypted file,
            a path that leads out of it, one path twice, or much more than it is large.
    """
    with contextlib.ExitStack() as stack:
        with _damage_named(path):
            members = _list(path, stack)
        if len({member.path for member in members}) < len(members):
            raise _refusal(path, "holds one path twice")
        total = sum(member.size for member in members)
        if total > max(_MOST_SMALL, _MOST_GROWTH * path.stat().st_size):
            raise _refusal(path, f"would unpack to {total / 1e9:.1f} GB, far more than it is large")
        yield members


def unpack(archive: Path, members: list[Member], folder: Path, progress: Progress) -> None:
    """Writes files below a folder, without the folders that all of them lie in.

    Args:
        archive: Still open; for errors.
        members: Those of its files that are wanted, at least one.
        folder: Exists.
        progress: Told of every piece.

    Raises:
        InputError: When the archive is damaged.
        StoreError: When a file can't be written.
    """
    shared = _shared_folders([member.path for member in members])
    total, done = sum(member.size for member in members), 0
    for member in members:
        target = folder.joinpath(*member.path.parts[shared:])
        with store_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            file = target.open("xb", buffering=0)
        with file:
            for chunk in _chunks(archive, member):
                with store_errors(target):
                    view = memoryview(chunk)
                    while view:  # a disk that fills up takes a part of it
                        view = view[file.write(view) :]
                done += len(chunk)
                progress(f"unpacking {target.name}", done, total)


def _chunks(archive: Path, member: Member) -> Iterator[bytes]:
    """The member's bytes, piece by piece."""
    with contextlib.ExitStack() as stack:
        with _damage_named(archive):
            source = stack.enter_context(member.open())
        while True:
            with _damage_named(archive):
                chunk = source.read(_CHUNK)
            if not chunk:
                return
            yield chunk


def _list(path: Path, stack: contextlib.ExitStack) -> list[Member]:
    """The wanted files of an archive, which stays open as long as ``stack``."""
    import tarfile
    import zipfile

    if zipfile.is_zipfile(path):
        return _zip_members(path, stack.enter_context(zipfile.ZipFile(path)))
    if tarfile.is_tarfile(path):
        return _tar_members(path, stack.enter_context(tarfile.open(path)))
    raise _refusal(path, "is neither a zip nor a tar archive")


def _zip_members(path: Path, archive: Any) -> list[Member]:
    members = []
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refusal(path, f"holds a link or device: {info.filename!r}")
        if info.flag_bits & 1:
            raise _refusal(path, "is encrypted")
        name = _safe(path, info.filename)
        if not info.is_dir() and not _is_litter(name):
            members.append(Member(name, info.file_size, _opener(archive.open, info)))
    return members


def _tar_members(path: Path, archive: Any) -> list[Member]:
    members = []
    for info in archive:
        if not (info.isreg() or info.isdir()):
            raise _refusal(path, f"holds a link or device: {info.name!r}")
        name = _safe(path, info.name)
        if info.isreg() and not _is_litter(name):
            members.append(Member(name, info.size, _opener(archive.extractfile, info)))
    return members


def _opener(open_member: Callable[[Any], IO[bytes]], info: Any) -> Callable[[], IO[bytes]]:
    return lambda: open_member(info)


def _safe(archive: Path, name: str) -> PurePosixPath:
    """The path as it is, where it leads to a place below the folder on every system."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise _refusal(archive, f"holds a path that leads out of it: {name!r}")
    return path


def _is_litter(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part in _LITTER for part in path.parts)


def _shared_folders(paths: list[PurePosixPath]) -> int:
    """How many leading folders all paths have in common."""
    folders = [path.parts[:-1] for path in paths]
    first, last = min(folders), max(folders)
    same = [a == b for a, b in zip(first, last, strict=False)]
    return same.index(False) if False in same else len(same)


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    import lzma
    import tarfile
    import zipfile
    import zlib

    try:
        yield
    except (
        tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError,
        NotImplementedError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _refusal(path, f"is damaged: {reason}") from error


def _refusal(path: Path, what: str) -> InputError:
    return InputError(
        f"{path} {what}", hint="delete it to have it fetched again, or get it from another source"
    )

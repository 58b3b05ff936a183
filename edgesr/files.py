"""Writing files so that nothing half-written is ever seen, and naming them by content."""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgesr.errors import InputError, StoreError

_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space or choose another folder"),
    errno.EDQUOT: ("the disk quota is used up", "free some space or choose another folder"),
    errno.EFBIG: ("the file size limit is reached", "raise the limit or choose another folder"),
    errno.EROFS: ("the file system is read-only", "choose another folder"),
    errno.EACCES: ("permission denied", "choose a folder you may write to"),
    errno.EPERM: ("not permitted", "choose a folder you may write to"),
    errno.EEXIST: ("a part of the path is a file", "choose another folder"),
    errno.ENOTDIR: ("a part of the path is a file", "choose another folder"),
}


@contextlib.contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turns an ``OSError`` while writing below ``path`` into a `StoreError` naming it."""
    try:
        yield
    except OSError as error:
        why, hint = _REASONS.get(error.errno or 0, (error.strerror or str(error), ""))
        raise StoreError(f"can't write {path}: {why}", hint=hint) from error


@contextlib.contextmanager
def atomic_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Gives a temporary path beside ``path`` which becomes ``path`` when the block succeeds.

    Args:
        path: The file.
        durable: Wait until it is on disk; without it a power cut may lose the file, which costs
            nothing where it can be fetched again.

    Raises:
        StoreError: When the file can't be written; nothing is left behind.
    """
    path = Path(path)
    with store_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            temporary.chmod(0o666 & ~_UMASK)
            yield temporary
            if durable:
                with temporary.open("rb") as written:
                    os.fsync(written.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Gives a temporary folder beside ``path`` which becomes ``path`` when the block succeeds.

    A folder that is already there under the final name is replaced.

    Raises:
        StoreError: When the folder can't be written; nothing is left behind.
    """
    path = Path(path)
    with store_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        try:
            temporary.chmod(0o777 & ~_UMASK)
            yield temporary
            if path.exists():
                _swap(temporary, path)
            else:
                temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, path: Path) -> None:
    """Puts a folder in the place of an older one, which stays where that fails."""
    retired = Path(tempfile.mkdtemp(prefix=".old.", suffix=".part", dir=path.parent))
    old = retired / path.name
    try:
        path.replace(old)
        new.replace(path)
    finally:
        if not path.exists():
            old.replace(path)
        shutil.rmtree(retired, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Writes ``text`` as UTF-8 to ``path``, atomically; what is no text is escaped as in JSON."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_bytes(path: Path, data: bytes) -> None:
    """Writes ``data`` to ``path``, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes.

    Raises:
        InputError: When the file can't be read.
    """
    with read_errors(path), Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turns an ``OSError`` while reading ``path`` into an `InputError` naming it."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist", hint="check the path") from error
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _umask()
"""Asked for once: it can only be told by changing it, which other threads would notice."""

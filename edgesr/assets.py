"""The packaged data, and files that are fetched once into the user's cache.

In a checkout the folders of device profiles, bench suites and phone scripts lie beside the
package, where people edit them; in a wheel they are in ``edgesr/_assets``. Everything else asks
this module and does not know the difference.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edgesr.errors import ConfigError, InputError, StoreError, TransportError
from edgesr.files import sha256_file, store_errors
from edgesr.transfer import Progress, UnreachableError, bring, discard

CACHE_ENVIRONMENT = "EDGESR_CACHE"
OFFLINE_ENVIRONMENT = "EDGESR_OFFLINE"

_PACKAGE = Path(__file__).resolve().parent
_EDITABLE = {  # beside the package in a checkout, below _assets in a wheel
    "devices": "devices",
    "suites": "benchmarks/suites",
    "criteria": "benchmarks/criteria",
    "android_bench": "android_bench",
}
_INTERNAL = {"recipes": "train/recipes", "weights": "models/weights"}
_SCHEMES = ("https", "http", "file")
_LOCK_TIMEOUT_S = 1800
"""Longest wait for another process that fetches the same file."""


def asset_folder(kind: str) -> Path:
    """Folder that holds the assets of one kind.

    Args:
        kind: ``devices``, ``suites``, ``criteria``, ``android_bench``, ``recipes`` or ``weights``.
    """
    if kind in _INTERNAL:
        return _PACKAGE / _INTERNAL[kind]
    packaged = _PACKAGE / "_assets" / _EDITABLE[kind]
    return packaged if packaged.is_dir() else _PACKAGE.parent / _EDITABLE[kind]


def asset(kind: str, name: str) -> Path:
    """Path of one named asset.

    Args:
        kind: As in `asset_folder`.
        name: File name with suffix, for example ``quick.toml``.

    Raises:
        ConfigError: When there is none of that name; the message lists those there are.
    """
    path = asset_folder(kind) / name
    if not path.is_file():
        known = ", ".join(asset_names(kind, Path(name).suffix))
        problem = f"no {kind.removesuffix('s')} called {Path(name).stem!r}"
        raise ConfigError(problem, hint=f"there are: {known}")
    return path


def asset_names(kind: str, suffix: str = ".toml") -> list[str]:
    """Names, without suffix, of all assets of one kind."""
    return sorted(path.stem for path in asset_folder(kind).glob(f"*{suffix}"))


def cache_folder() -> Path:
    """Where fetched files are kept: EDGESR_CACHE, else the system's place for a user's caches."""
    named = os.environ.get(CACHE_ENVIRONMENT)
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("edgesr", appauthor=False)


@dataclass(frozen=True)
class Download:
    """A file to have in the cache."""

    url: str
    """Of scheme https, http or file."""
    name: str
    """Path below `cache_folder`."""
    sha256: str | None = None
    """Hex; None where it is not known."""
    otherwise: str = ""
    """What else the user may do when it can't be fetched, for the error's hint."""


def fetch(download: Download, progress: Progress | None = None) -> Path:
    """The file in the cache, fetched first where it isn't there yet.

    A transfer that broke off goes on where it stopped, if the server offers that and its file is
    still the same. Threads and processes that want the same file fetch it once.

    Raises:
        TransportError: When it can't be fetched; the hint says where to put it by hand.
        InputError: When its sha256 is another one than it should be, or the URL's scheme is not
            known.
        StoreError: When the cache can't be written.
    """
    path = cache_folder() / download.name
    if not path.is_file():
        with exclusive(path, progress):
            if not path.is_file():  # another process may have fetched it meanwhile
                _fetch_into(path, download, progress or _silent)
                return path
    if download.sha256 and (found := sha256_file(path)) != download.sha256:
        raise InputError(
            f"{path} has the sha256 {found}, it should have {download.sha256}",
            hint="delete it to have it fetched again",
        )
    with contextlib.suppress(OSError):  # put there by hand, perhaps by another user
        _make_executable(path)
    return path


@contextlib.contextmanager
def exclusive(path: Path, progress: Progress | None = None) -> Iterator[None]:
    """Keeps all other threads and processes from this block for the same path.

    A process that dies, however it dies, gives the lock back.

    Raises:
        StoreError: When the lock file can't be written, or another process never ends.
    """
    lock = path.with_name(f".{path.name}.lock")
    with contextlib.ExitStack() as stack:
        with store_errors(lock):
            lock.parent.mkdir(parents=True, exist_ok=True)
            handle = stack.enter_context(lock.open("w"))
        deadline = time.monotonic() + _LOCK_TIMEOUT_S
        while not _took(handle.fileno(), lock):
            if time.monotonic() > deadline:
                raise StoreError(
                    f"another process holds {lock} since {_LOCK_TIMEOUT_S / 60:.0f} minutes",
                    hint="end that process",
                )
            if progress:
                progress(f"waiting for another process that fetches {path.name}", 0, 0)
            time.sleep(0.1)
        yield


def _took(handle: int, lock: Path) -> bool:
    with store_errors(lock):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _fetch_into(path: Path, download: Download, progress: Progress) -> None:
    """Transfers, verifies and renames."""
    _check_scheme(path, download)
    part = path.with_name(f"{path.name}.part")
    try:
        bring(part, download.url, progress, needs_size=download.sha256 is None)
    except UnreachableError as error:
        raise _cant_fetch(path, download, str(error)) from error
    found = sha256_file(part)
    if download.sha256 and found != download.sha256:
        discard(part)
        raise InputError(
            f"{download.url} has the sha256 {found}, it should have {download.sha256}: not kept",
            hint="try again; if it stays so, the file there was exchanged",
        )
    with store_errors(path):
        _make_executable(part)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    discard(part)


def _check_scheme(path: Path, download: Download) -> None:
    scheme = urlsplit(download.url).scheme
    if scheme not in _SCHEMES:
        raise InputError(
            f"can't fetch {download.url}: its scheme is none of {', '.join(_SCHEMES)}",
            hint="correct the URL",
        )
    if scheme != "file" and os.environ.get(OFFLINE_ENVIRONMENT, "0") not in ("", "0"):
        raise _cant_fetch(path, download, f"{OFFLINE_ENVIRONMENT} forbids to connect")


def _cant_fetch(path: Path, download: Download, why: str) -> TransportError:
    byhand = f"put the file by hand at {path}"
    return TransportError(
        f"can't fetch {download.url}: {why}",
        hint=f"{byhand}, {download.otherwise}" if download.otherwise else byhand,
    )


def _make_executable(path: Path) -> None:
    """Whoever may read it may run it."""
    mode = path.stat().st_mode
    path.chmod(mode | (mode & 0o444) >> 2)


def _silent(_text: str, _done: int, _total: int) -> None:
    pass

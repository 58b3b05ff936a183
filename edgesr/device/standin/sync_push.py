"""A file that the host pushes, written as adbd writes it."""

import contextlib
import errno
import functools
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgesr.device.standin.phone import Phone
from edgesr.device.standin.stream import Stream, StreamClosed

_BLOCK_HEADER = struct.Struct("<4sI")
_LARGEST_BLOCK = 64 << 10
_COMPRESSED = 0b111
_DRY_RUN = 0x80000000


@dataclass(frozen=True)
class PushTarget:
    """Where a push goes: device path, mode of the file, flags of the second protocol."""

    path: str
    mode: int
    flags: int = 0


@dataclass(frozen=True)
class PushProblem:
    """Why a push failed."""

    text: str
    out_of_step: bool = False
    """What came was no block of data, so nothing after it can be read either."""


class Push:
    """Receives one file.

    As on a phone: folders above it are made, the owner's rights are given to all, a file that was
    there is replaced at once, and after an error the rest of the data is read and dropped.

    Args:
        phone: Whose files.
        target: Where the file goes.
    """

    def __init__(self, phone: Phone, target: PushTarget) -> None:
        self._phone, self._target = phone, target
        self._dry = bool(target.flags & _DRY_RUN)
        self._problem: str | None = None
        self._fd = -1
        self._file: Path | None = None
        self._link = b""

    async def receive(self, stream: Stream) -> PushProblem | None:
        """Reads blocks up to DONE; None when the file is there."""
        complete = False
        self._attempt("couldn't create file", self._create)
        try:
            while True:
                kind, size = _BLOCK_HEADER.unpack(await stream.read(_BLOCK_HEADER.size))
                if kind == b"DONE":
                    break
                if kind != b"DATA" or size > _LARGEST_BLOCK:
                    return PushProblem("invalid data message", out_of_step=True)
                block = await stream.read(size)
                self._attempt("write failed", functools.partial(self._write, block))
            self._attempt("couldn't finish file", functools.partial(self._finish, modified=size))
            complete = self._problem is None
        except (StreamClosed, OSError):  # the host went while it was asked for more
            complete = self._phone.faults.keep_half
            raise
        finally:
            self._close(keep=complete)
        return PushProblem(self._problem) if self._problem else None

    def _attempt(self, what: str, step: Callable[[], None]) -> None:
        if self._problem is None and not self._dry:
            try:
                step()
            except OSError as error:
                self._problem = f"{what}: {error.strerror or error}"

    def _create(self) -> None:
        if self._phone.faults.push_error:
            raise OSError(errno.EIO, self._phone.faults.push_error)
        if self._target.flags & _COMPRESSED:
            raise OSError(errno.EINVAL, "compression is not supported")
        self._file = self._phone.resolve(self._target.path, write=True)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self._is_link:
            return
        if not self._file.is_dir() or self._file.is_symlink():
            self._file.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd = os.open(self._file, flags, 0o600)

    @property
    def _is_link(self) -> bool:
        return stat.S_ISLNK(self._target.mode)

    def _write(self, data: bytes) -> None:
        if self._is_link:
            self._link += data
            return
        self._phone.take_space(len(data))
        os.write(self._fd, data)

    def _finish(self, *, modified: int) -> None:
        assert self._file is not None  # noqa: S101 - _create has set it, or there is a problem
        if self._is_link:
            self._file.unlink(missing_ok=True)
            self._file.symlink_to(self._phone.rewrite(self._link.rstrip(b"\0").decode()))
            return
        mode = self._target.mode & 0o777
        mode |= (mode >> 3) & 0o070
        mode |= (mode >> 3) & 0o007
        os.fchmod(self._fd, mode)
        os.utime(self._fd, (modified, modified))

    def _close(self, *, keep: bool) -> None:
        if self._fd < 0:
            return
        os.close(self._fd)
        if not keep and self._file is not None:
            with contextlib.suppress(OSError):
                self._file.unlink()

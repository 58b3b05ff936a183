"""One edgesr at a time on a phone: a lock file here, and a note on the phone for other machines."""

import contextlib
import fcntl
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from typing import IO

from edgesr.assets import asset, cache_folder
from edgesr.device.transport import Completed, Transport
from edgesr.errors import DeviceBusyError, DeviceFileError, TransportError
from edgesr.files import store_errors

STALE_S = 600
"""A holder on another machine that was silent so long has died."""
_BEAT_S = 60
_COMMAND_TIMEOUT_S = 30


class PhoneLock:
    """The lock of one phone, held until `release` or the end of the process.

    Args:
        transport: The way to the phone.
        key: What names the phone whatever way leads to it, for example its serial number.
    """

    def __init__(self, transport: Transport, key: str) -> None:
        self._transport = transport
        self._key = key
        self._file: IO[str] | None = None
        self._owner = ""
        self._last_beat = 0.0

    def acquire(self, wait_s: float = 0, pause: Callable[[float], None] = time.sleep) -> None:
        """Takes the lock.

        Args:
            wait_s: How long to wait for another edgesr to finish.
            pause: Sleeps so many seconds; may raise to end the waiting.

        Raises:
            DeviceBusyError: When another edgesr holds it.
            TransportError: When the phone can't be reached, or has no space for the note.
        """
        end = time.monotonic() + wait_s
        while True:
            try:
                self._try()
            except DeviceBusyError:
                if time.monotonic() >= end:
                    raise
                pause(1.0)
            else:
                return

    def _try(self) -> None:
        path = cache_folder() / "locks" / re.sub(r"[^\w.-]", "_", self._key)
        with store_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise self._busy("another edgesr on this machine") from error
        try:
            self._note(_holder(file))
        except BaseException:
            file.close()
            raise
        self._file = file

    def _note(self, holder: str) -> None:
        """Says on the phone who measures there."""
        self._owner = holder
        token = f"{socket.gethostname()} pid {os.getpid()}"
        done = self._run("take", token, str(STALE_S))
        said = done.stdout.strip()
        if done.exit_code is None or not said:
            why = done.stderr.strip() or "no answer"
            raise DeviceFileError(f"{self._transport.name} can't note who measures on it: {why}")
        if said != "taken":
            who = said.partition(" ")[2]
            raise self._busy(f"an edgesr on another machine ({who})")
        self._last_beat = time.monotonic()

    def _busy(self, who: str) -> DeviceBusyError:
        return DeviceBusyError(
            f"{self._transport.name} is held by {who}",
            hint="wait until it has finished, or choose other phones with --device",
        )

    def beat(self) -> None:
        """Tells other machines, once a minute at most, that this holder is alive.

        Raises:
            DeviceBusyError: When another machine took the lock, because this one was silent.
        """
        if self._file and time.monotonic() - self._last_beat > _BEAT_S:
            self._last_beat = time.monotonic()
            said = ""
            with contextlib.suppress(TransportError):
                said = self._run("beat").stdout.strip()
            if said not in {"", "held"}:
                raise self._busy(f"an edgesr on another machine ({said.partition(' ')[2]})")

    def release(self) -> None:
        """Gives the lock back; it may not be held, and the phone may be gone."""
        file, self._file = self._file, None
        if file is None:
            return
        with file, contextlib.suppress(TransportError):
            self._run("drop")

    def _run(self, verb: str, *arguments: str) -> Completed:
        # the text travels along: a full phone has no room for it, and nothing is left there
        text = asset("android_bench", "lock.sh").read_text(encoding="utf-8")
        argv = ["sh", "-c", text, "lock.sh", verb, self._transport.folder, self._owner]
        argv += arguments
        return self._transport.run(argv, timeout_s=_COMMAND_TIMEOUT_S)


@contextlib.contextmanager
def locked(transport: Transport, key: str, wait_s: float = 0) -> Iterator[PhoneLock]:
    """Holds a phone's lock for the block.

    Raises:
        DeviceBusyError: When another edgesr holds it.
        TransportError: When the phone can't be reached.
    """
    lock = PhoneLock(transport, key)
    lock.acquire(wait_s)
    try:
        yield lock
    finally:
        lock.release()


def _holder(file: IO[str]) -> str:
    """A random name kept in the lock file: who holds the file's lock may use the name."""
    file.seek(0)
    found = file.read().strip()
    if not re.fullmatch(r"[0-9a-f]{16}", found):
        found = secrets.token_hex(8)
        file.truncate(0)
        file.write(found)
        file.flush()
    return found

"""A transport that waits for its phone to come back: pulled cables cost time, not results.

Whatever edgesr asks of a phone may be asked twice: files go to temporary names, a launch that was
begun is found again by its folder. So a step during which the link broke is simply repeated.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgesr.device.adb_transport import AdbTransport
from edgesr.device.transport import Completed
from edgesr.errors import DeviceBusyError, DeviceFileError, DeviceLostError, TransportError

_TRIES = 4
"""A step that breaks the link so often is not repeated again."""
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Patience:
    """How to wait for a phone."""

    wait_s: float = 120
    """Seconds until a phone that is away counts as lost."""
    pause: Callable[[float], None] = time.sleep
    """Sleeps so many seconds; may raise to end the waiting."""
    tell: Callable[[str], None] = lambda _: None
    """Called with what is waited for."""


class PatientTransport:
    """Implements `edgesr.device.transport.Transport` over an `AdbTransport`.

    Args:
        inner: The transport proper.
        patience: How long to wait for the phone.
    """

    platform = "android"

    def __init__(self, inner: AdbTransport, patience: Patience) -> None:
        self.inner = inner
        self.patience = patience

    @property
    def name(self) -> str:
        """What the run calls the phone."""
        return self.inner.name

    @property
    def folder(self) -> str:
        """The folder on the phone."""
        return self.inner.folder

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed:
        """As `Transport.run`, which has to bear being repeated."""
        return self._patiently(lambda: self.inner.run(argv, timeout_s=timeout_s))

    def push(self, local: Path, remote: str) -> None:
        """As `Transport.push`."""
        self._patiently(lambda: self.inner.push(local, remote))

    def pull(self, remote: str, local: Path) -> None:
        """As `Transport.pull`."""
        self._patiently(lambda: self.inner.pull(remote, local))

    def stage(self, local: Path) -> str:
        """As `Transport.stage`."""
        return self._patiently(lambda: self.inner.stage(local))

    def exists(self, remote: str) -> bool:
        """As `Transport.exists`."""
        return self._patiently(lambda: self.inner.exists(remote))

    def remove(self, remote: str) -> None:
        """As `Transport.remove`."""
        self._patiently(lambda: self.inner.remove(remote))

    def close(self) -> None:
        """Deletes everything there, without waiting for a phone that is away."""
        self.inner.close()

    def _patiently(self, step: Callable[[], Answer]) -> Answer:
        for _ in range(_TRIES):
            try:
                return step()
            except (DeviceFileError, DeviceBusyError):
                raise
            except TransportError as error:
                problem = error
                self._await_return(error)
        raise problem

    def _await_return(self, problem: TransportError) -> None:
        """Waits until the phone answers.

        Raises:
            DeviceLostError: When it does not in time.
        """
        began = time.monotonic()
        while not self._answers():
            away = time.monotonic() - began
            if away >= self.patience.wait_s:
                raise DeviceLostError(
                    f"{self.name} did not come back within {self.patience.wait_s:g} s: {problem}",
                    hint="reconnect it and go on with: edgesr bench --resume RUN",
                ) from problem
            self.patience.tell(f"away for {away:.0f} s, waiting")
            self.patience.pause(1.0)
        self.inner.forget_staged()

    def _answers(self) -> bool:
        """Whether it answers now, after what can be done to reach it."""
        inner = self.inner
        with contextlib.suppress(TransportError):
            if inner.server.local and not inner.server.running():  # it did when we began
                inner.server.start()
            if ":" in inner.serial and not inner.attached():
                inner.server.connect(inner.serial)
            return inner.booted()
        return False

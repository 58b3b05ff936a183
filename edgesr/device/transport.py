"""The seam between measuring and where it happens: one protocol, one class per way to a device."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Completed:
    """A command that ended, or was ended at its total time-out."""

    exit_code: int | None
    """As a shell reports it (134 after SIGABRT); None when the time-out killed the command."""
    stdout: str
    """Whole, or as far as it came before the time-out; undecodable bytes are replaced."""
    stderr: str
    seconds: float
    """Wall time."""


class Transport(Protocol):
    """A device that runs commands and holds files.

    Every method raises `edgesr.errors.TransportError` when the way to the device breaks.
    """

    @property
    def name(self) -> str:
        """Serial of the phone, or ``host``."""

    @property
    def platform(self) -> str:
        """``host`` or ``android``: which delegates there can be."""

    @property
    def folder(self) -> str:
        """A folder on the device for files of this session."""

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed:
        """Runs a command; arguments reach it as data, no shell reads them.

        When the caller is interrupted, the command and its children are killed first.

        Args:
            argv: Program and arguments.
            timeout_s: Total time, from start to last byte of output.
        """

    def push(self, local: Path, remote: str) -> None:
        """Copies a file to the device; it is there whole or not at all."""

    def pull(self, remote: str, local: Path) -> None:
        """Copies a file from the device; it is there whole or not at all."""

    def stage(self, local: Path) -> str:
        """A path on the device with the file's content, copied only where that is needed."""

    def exists(self, remote: str) -> bool:
        """Whether there is such a file or folder on the device."""

    def remove(self, remote: str) -> None:
        """Deletes a file or folder on the device; it may be absent."""

    def close(self) -> None:
        """Deletes the session's folder."""

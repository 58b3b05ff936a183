"""This machine as a device: commands are child processes in a process group of their own."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from edgesr.device.transport import Completed
from edgesr.errors import DeviceFileError, TransportError
from edgesr.files import atomic_file, store_errors

_THROUGH_SHELL = ("/bin/sh", "-c", '"$@"; exit $?', "sh")
"""The command becomes a child of a small shell. A direct child would inherit the high-water mark
of *this* process's memory (ru_maxrss survives exec), and every footprint that benchmark_model
prints is a difference of that mark: it would say 0."""
_DRAIN_S = 1
"""How long output of a killed command is read: a child that left its group may hold it open."""


class HostTransport:
    """Runs commands on this machine; implements `edgesr.device.transport.Transport`."""

    name = "host"
    platform = "host"

    def __init__(self) -> None:
        self._folder: Path | None = None

    @property
    def folder(self) -> str:
        """A temporary folder, made when first asked for; `close` deletes it."""
        if self._folder is None:
            with store_errors(Path(tempfile.gettempdir())):
                self._folder = Path(tempfile.mkdtemp(prefix="edgesr-"))
        return str(self._folder)

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed:
        """Runs a command as `Transport.run` says.

        Raises:
            TransportError: When the program can't be started.
        """
        begin = time.monotonic()
        try:
            process = subprocess.Popen(
                [*_THROUGH_SHELL, *argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise TransportError(f"can't start {argv[0]}: {error.strerror or error}") from error
        try:
            out, err = process.communicate(timeout=timeout_s)
            code: int | None = process.returncode
        except subprocess.TimeoutExpired:
            _kill_group(process)
            out, err = _rest(process)
            code = None
        except BaseException:  # Ctrl-C: nothing of ours may go on running
            _kill_group(process)
            _rest(process)
            raise
        seconds = time.monotonic() - begin
        return Completed(code, _text(out), _text(err), seconds)

    def push(self, local: Path, remote: str) -> None:
        """Copies a file, atomically."""
        with atomic_file(Path(remote)) as temporary:
            shutil.copyfile(local, temporary)

    def pull(self, remote: str, local: Path) -> None:
        """Copies a file, atomically.

        Raises:
            DeviceFileError: When there is no such file.
        """
        if not Path(remote).is_file():
            raise DeviceFileError(f"there is no {remote} on {self.name}")
        with atomic_file(local) as temporary:
            shutil.copyfile(remote, temporary)

    def stage(self, local: Path) -> str:
        """The file's own absolute path: it is here already."""
        return str(Path(local).resolve())

    def exists(self, remote: str) -> bool:
        """Whether there is such a path."""
        return Path(remote).exists()

    def remove(self, remote: str) -> None:
        """Deletes a file or folder; it may be absent."""
        path = Path(remote)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Deletes the temporary folder."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _rest(process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    """What a killed command printed."""
    try:
        return process.communicate(timeout=_DRAIN_S)
    except subprocess.TimeoutExpired as late:
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
        process.wait()
        return late.output or b"", late.stderr or b""


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")

"""A command on a stand-in phone: a child process behind pipes or a terminal."""

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import termios
import tty
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Launch:
    """What to start and in which surroundings."""

    argv: Sequence[str]
    env: dict[str, str]
    cwd: Path
    terminal: bool
    """Behind a pseudo-terminal; output and errors then come as one."""
    raw: bool = True
    """The terminal does not echo and does not turn line ends into CR LF."""


class Child:
    """A running command, leader of a session of its own.

    Args:
        launch: What to start.
    """

    def __init__(self, launch: Launch) -> None:
        self._terminal = launch.terminal
        self._open: set[int] = set()
        start = self._behind_terminal if launch.terminal else self._behind_pipes
        self._process = start(launch)
        for fd in self._open:
            os.set_blocking(fd, False)
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """Becomes the exit code, as `subprocess.Popen.returncode` gives it."""
        self._watch()

    def _behind_pipes(self, launch: Launch) -> "subprocess.Popen[bytes]":
        stdin, self.input = os.pipe()
        self.output, stdout = os.pipe()
        self.errors, stderr = os.pipe()
        self._open = {self.input, self.output, self.errors}
        try:
            return subprocess.Popen(
                launch.argv,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=launch.env,
                cwd=launch.cwd,
                start_new_session=True,
            )
        finally:
            for fd in (stdin, stdout, stderr):
                os.close(fd)

    def _behind_terminal(self, launch: Launch) -> "subprocess.Popen[bytes]":
        master, slave = pty.openpty()
        if launch.raw:
            tty.setraw(slave)
        self.input = self.output = self.errors = master
        self._open = {master}
        try:
            return subprocess.Popen(
                launch.argv,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=launch.env,
                cwd=launch.cwd,
                start_new_session=True,
                preexec_fn=_own_terminal,  # noqa: PLW1509 - this process has one thread
            )
        finally:
            os.close(slave)

    def _watch(self) -> None:
        """Reaps the process when it ends, whether or not anyone still waits for it."""
        loop = asyncio.get_running_loop()
        handle = os.pidfd_open(self._process.pid)

        def ended() -> None:
            loop.remove_reader(handle)
            os.close(handle)
            code = self._process.wait()
            if not self.exited.done():
                self.exited.set_result(code)

        loop.add_reader(handle, ended)

    def close_input(self) -> None:
        """The command reads an end of file; a terminal has no such thing."""
        if not self._terminal:
            self._close(self.input)

    def hang_up(self) -> None:
        """What adbd does when the host goes: SIGHUP, and nobody reads the output any more."""
        if not self._terminal:  # closing a terminal sends it
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGHUP)
        self.close()

    def close(self) -> None:
        """Closes this side of pipes and terminal."""
        for fd in list(self._open):
            self._close(fd)

    def _close(self, fd: int) -> None:
        if fd in self._open:
            self._open.discard(fd)
            os.close(fd)


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

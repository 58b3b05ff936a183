"""A private adb server: its own port and home, and blind to every phone of this machine."""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from edgesr.errors import TransportError

_EMULATORS = range(5555, 5586)
_PATIENCE_S = 15.0


class PrivateAdbServer:
    """A real adb server that knows only what is connected to it.

    Args:
        program: The adb program; without one, that of adbutils, else the one on PATH.
    """

    def __init__(self, program: Path | None = None) -> None:
        self.program = program or find_adb()
        self.port = _free_port()
        self.home = Path(tempfile.mkdtemp(prefix="edgesr-adb-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def env(self) -> dict[str, str]:
        """Environment in which adb, and adbutils, use this server and no other."""
        return os.environ | {
            "ANDROID_ADB_SERVER_PORT": str(self.port),
            "ADB_SERVER_SOCKET": f"tcp:127.0.0.1:{self.port}",
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "ADB_USB": "0",
            "ADB_MDNS": "0",
            "ADB_EMU": "0",
        }

    def start(self) -> Self:
        """Starts the server; it answers when this returns.

        Raises:
            TransportError: When it does not.
        """
        argv = [str(self.program), "-P", str(self.port), "nodaemon", "server"]
        self._process = subprocess.Popen(
            argv,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + _PATIENCE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise TransportError(f"the adb server {self.program} did not start")
            time.sleep(0.01)
        return self

    def kill(self) -> None:
        """Kills the server by SIGKILL; `start` gives a new one on the same port."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Ends the server and removes its home."""
        self.kill()
        if self._answers():  # a client started one of its own meanwhile
            with contextlib.suppress(subprocess.SubprocessError):
                self.adb("kill-server")
        shutil.rmtree(self.home, ignore_errors=True)

    def adb(self, *argv: str, timeout_s: float = 30) -> "subprocess.CompletedProcess[bytes]":
        """Runs the adb program against this server.

        Raises:
            subprocess.TimeoutExpired: When it takes longer.
        """
        return subprocess.run(
            [str(self.program), "-P", str(self.port), *argv],
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )

    def connect(self, serial: str) -> None:
        """Connects a phone and waits until the server has it, in whatever state.

        Raises:
            TransportError: When it can't be connected.
            subprocess.TimeoutExpired: When it takes the connection and then says nothing.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while (state := self.states().get(serial)) in {None, "offline"}:
            if time.monotonic() > deadline:
                raise TransportError(f"can't connect {serial}: it is {state or 'not there'}")
            if state:  # the server would try again by itself, but only every three seconds
                self.adb("disconnect", serial)
            self.adb("connect", serial)

    def disconnect(self, serial: str) -> None:
        """Forgets a phone."""
        self.adb("disconnect", serial)

    def states(self) -> dict[str, str]:
        """State of every phone, by serial, as adb says it."""
        lines = self.adb("devices").stdout.decode("utf-8", "replace").splitlines()
        return dict(line.split("\t", 1) for line in lines if "\t" in line)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as link:
                link.sendall(b"000chost:version")
                return link.recv(4) == b"OKAY"
        except OSError:
            return False


def find_adb() -> Path:
    """The adb program that adbutils brings, else the one on PATH.

    Raises:
        TransportError: When there is none.
    """
    found = importlib.util.find_spec("adbutils")
    bundled = Path(found.origin).parent / "binaries/adb" if found and found.origin else None
    if bundled is not None and bundled.is_file():
        return bundled
    on_path = shutil.which("adb")
    if on_path is None:
        raise TransportError("no adb program found", hint="install adbutils, or Android's adb")
    return Path(on_path)


def _free_port() -> int:
    """A port that nothing uses and that adb does not take for an emulator's."""
    while True:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port: int = sock.getsockname()[1]
        if port not in _EMULATORS:
            return port

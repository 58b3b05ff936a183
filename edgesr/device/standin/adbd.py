"""The daemon of one stand-in phone: its port, its connections, its services."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from edgesr.device.standin.connection import Connection, Greeting
from edgesr.device.standin.faults import Faults
from edgesr.device.standin.phone import Phone
from edgesr.device.standin.profile import PhoneProfile
from edgesr.device.standin.rootfs import Layout
from edgesr.device.standin.shell import ShellRequest, run_shell
from edgesr.device.standin.stream import Stream
from edgesr.device.standin.sync import Sync

LOOPBACK = "127.0.0.1"
_EMULATORS = range(5555, 5586)
_TICK_S = 0.25
_LOG_LENGTH = 1000
_REBOOT_S = 2.0


class Adbd:
    """A phone that answers adb servers.

    Args:
        profile: What kind of phone.
        root: Its folder.
        benchmark_model: Program to install instead of edgesr's own runner.
        port: TCP port on the loopback; 0 takes a free one.
    """

    def __init__(
        self, profile: PhoneProfile, root: Path, benchmark_model: Path | None = None, port: int = 0
    ) -> None:
        self.faults = Faults(self.cut)
        self.phone = Phone(profile, Layout(root, profile, benchmark_model), self.faults)
        self.log: deque[str] = deque(maxlen=_LOG_LENGTH)
        """Names of the services that hosts opened, the oldest first."""
        self._greeting = Greeting(profile.banner, profile.version, profile.max_payload)
        self._holder = _hold_port(port)
        self.port: int = self._holder.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._away = False
        self._connections: set[Connection] = set()
        self._shells = 0
        self._clock: asyncio.Task[None] | None = None
        self._rebooting: asyncio.Task[None] | None = None

    @property
    def serial(self) -> str:
        """As adb names the phone."""
        return f"{LOOPBACK}:{self.port}"

    async def accept(self) -> None:
        """Takes connections from now on."""
        self._away = False
        if self._server is None:
            sock = _bound_socket(self.port)
            self._server = await asyncio.start_server(self._connected, sock=sock, limit=4 << 20)

    def refuse(self) -> None:
        """New connections are refused until `accept`; those that are open stay."""
        self._away = True
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self) -> None:
        """All connections end with a reset."""
        for connection in list(self._connections):
            connection.cut()

    def reboot(self, seconds: float = _REBOOT_S) -> None:
        """All processes die; the phone is back after ``seconds`` with a new boot id."""
        self._stop_listening()
        self.cut()
        if self._rebooting is None or self._rebooting.done():
            self._rebooting = asyncio.ensure_future(self._boot(seconds))

    async def _boot(self, seconds: float) -> None:
        await asyncio.sleep(0)  # lets the streams close before their processes are looked for
        self.phone.shut_down()
        await asyncio.sleep(seconds)
        self.phone.boot()
        self.faults.running.set()
        if not self._away:  # unplugged meanwhile
            await self.accept()

    def close(self) -> None:
        """Ends connections and processes and gives the port back."""
        self.refuse()
        self.cut()
        self._holder.close()
        self.phone.shut_down()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection((reader, writer), self._greeting, self.faults, self._serve)
        self._connections.add(connection)
        self.faults.reconnected()
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    async def _serve(self, stream: Stream, name: str) -> bool:
        self.log.append(name)
        if name.startswith(("shell:", "shell,", "exec:")):
            await stream.acknowledge()
            with self._ticking():
                request = ShellRequest.parse(name, crlf=self.phone.profile.crlf)
                await run_shell(self.phone, stream, request)
        elif name == "sync:":
            await stream.acknowledge()
            await Sync(self.phone, stream).run()
        elif name.startswith("reboot:"):
            await stream.acknowledge()
            asyncio.get_running_loop().call_later(0.05, self.reboot)
        else:
            return False
        return True

    @contextlib.contextmanager
    def _ticking(self) -> Iterator[None]:
        """Keeps the phone's /proc going while a command may look at it."""
        self.phone.tick()
        self._shells += 1
        if self._clock is None:
            self._clock = asyncio.ensure_future(self._tick())
        try:
            yield
        finally:
            self._shells -= 1
            if not self._shells and self._clock is not None:
                self._clock.cancel()
                self._clock = None

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self.phone.tick()


def _bound_socket(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((LOOPBACK, port))
    return sock


def _hold_port(port: int) -> socket.socket:
    """Reserves a port for the phone's life, also while it refuses connections.

    adb takes odd ports from 5555 to 5585 for those of emulators.
    """
    while True:
        sock = _bound_socket(port)
        if port or sock.getsockname()[1] not in _EMULATORS:
            return sock
        sock.close()

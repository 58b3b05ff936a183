"""adb servers and the phones attached to them, byte by byte: the only importer of adbutils.

adbutils speaks the server's protocol; what is done here is what it leaves to its callers: one
*total* time limit over a whole exchange (its own are per read, and a frozen link never answers),
the raw states of all phones, and the reasons that a phone gives for refusing a file.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgesr.errors import LinkTimeoutError, TransportError, UsageError

ENVIRONMENT = "EDGESR_ADB"
"""Path of the adb program to start a server with; ``off`` keeps edgesr from using adb at all."""
DEFAULT_PORT = 5037
_LOCAL = "127.0.0.1"
_START_TIMEOUT_S = 30
_QUERY_TIMEOUT_S = 10
_CONNECT_TIMEOUT_S = 3
_DEVICE_LINE = re.compile(
    # mDNS names may have a number: adb-1F2 (2)._adb-tls-connect._tcp
    r"^(?P<serial>\(no serial number\)|\S+(?: \(\d+\)\S+)?)"
    r"\s+(?P<state>.*?)(?P<tags>(?:\s+\w+:\S+)*)\s*$"
)
_ADDRESS = re.compile(r"(?:\[(?P<six>[\da-fA-F:.%\w]+)\]|(?P<host>[^\s:\[\]]+))(?::(?P<port>\d+))?")
_STARTING = threading.Lock()
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux has it; without it each small answer waits 40 ms for a delayed acknowledgement."""


class Deadline:
    """A point in time that a whole exchange has to end by.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left.

        Raises:
            TimeoutError: When there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Stream:
    """A service of a phone or of the server, read and written against one deadline.

    Args:
        connection: The socket to the adb server.
        deadline: When the whole exchange has to be over.
    """

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket = connection
        self._deadline = deadline

    def send(self, data: bytes) -> None:
        """Sends all of it."""
        view = memoryview(data)
        while view:
            self._socket.settimeout(self._deadline.left())
            view = view[self._socket.send(view) :]

    def read_some(self, most: int = 65536) -> bytes:
        """What is there, at least one byte; nothing at the end of the stream."""
        self._socket.settimeout(self._deadline.left())
        if _QUICKACK is not None:  # the server holds the next small packet until this one is acked
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return self._socket.recv(most)

    def read(self, size: int) -> bytes:
        """Exactly so many bytes.

        Raises:
            EOFError: When the stream ends before.
        """
        data = bytearray()
        while len(data) < size:
            more = self.read_some(size - len(data))
            if not more:
                raise EOFError
            data += more
        return bytes(data)


@dataclass(frozen=True)
class Attached:
    """A phone in the state that adb gives it."""

    serial: str
    state: str
    """As adb says: device, offline, unauthorized, "no permissions (...)", ..."""
    server: "AdbServer"
    tags: dict[str, str] = field(default_factory=dict)
    """model, product, device, usb, transport_id, as far as adb tells them."""

    @property
    def usable(self) -> bool:
        """Whether commands can be given to it."""
        return self.state == "device"


@dataclass(frozen=True)
class AdbServer:
    """One adb server, here or on another machine."""

    host: str = _LOCAL
    port: int = DEFAULT_PORT
    startable: bool = field(default=False, compare=False)
    """Whether edgesr may start it where nothing answers: the usual one, not one that was named."""

    def __str__(self) -> str:
        """``HOST:PORT``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether it is (to be) on this machine, so that edgesr may start it."""
        return self.host in {"127.0.0.1", "localhost", "::1"}

    def running(self) -> bool:
        """Whether something listens there."""
        try:
            socket.create_connection((self.host, self.port), _CONNECT_TIMEOUT_S).close()
        except OSError:
            return False
        return True

    def start(self) -> None:
        """Starts it where that is possible and it does not run yet.

        Raises:
            TransportError: When it doesn't answer afterwards.
        """
        with _STARTING:
            if self.running():
                return
            if not self.local:
                raise TransportError(
                    f"no adb server answers at {self}",
                    hint=f"start it on that machine: adb -a -P {self.port} nodaemon server",
                )
            program = adb_program()
            if program is None:
                raise TransportError(
                    "there is no adb program to start the adb server with",
                    hint=f"install Android's platform-tools, or name one by {ENVIRONMENT}",
                )
            self._launch(program)

    def _launch(self, program: Path) -> None:
        environment = {**os.environ, "ANDROID_ADB_SERVER_PORT": str(self.port)}
        command = [str(program), "-P", str(self.port), "start-server"]
        try:
            done = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_START_TIMEOUT_S,
                check=False,
                start_new_session=True,  # Ctrl-C here must not end the server for others
            )
            problem = done.stderr.strip().splitlines()[-1:] if done.returncode else []
        except (OSError, subprocess.TimeoutExpired) as error:
            problem = [str(error)]
        if problem or not self.running():
            why = problem[0] if problem else "it does not answer"
            raise TransportError(
                f"the adb server can't be started: {why}", hint="see what is wrong: edgesr doctor"
            )

    def version(self) -> int:
        """Its protocol version (41 since 2019).

        Raises:
            TransportError: When it doesn't answer.
        """
        return int(self.ask("host:version"), 16)

    def list_devices(self) -> list[Attached]:
        """Every phone it knows, in every state.

        Raises:
            TransportError: When it doesn't answer.
        """
        return parse_devices(self.ask("host:devices-l"), self)

    def features(self, serial: str) -> frozenset[str]:
        """What the phone's adbd can do, for example ``shell_v2``.

        Raises:
            TransportError: When the phone is not there.
        """
        return frozenset(self._ask(f"host-serial:{serial}:features", serial).split(","))

    def connect(self, address: str) -> bool:
        """Connects a phone by network (``adb connect``); tells whether it is then attached."""
        with contextlib.suppress(TransportError):
            stale = {d.serial for d in self.list_devices() if not d.usable}
            if address in stale:  # "already connected", adb would say, and do nothing
                self.ask(f"host:disconnect:{address}")
            self.ask(f"host:connect:{address}")
            return any(d.serial == address and d.usable for d in self.list_devices())
        return False

    def ask(self, request: str) -> str:
        """One question to the server itself.

        Raises:
            TransportError: When it doesn't answer or answers with an error.
        """
        return self._ask(request, "the adb server")

    def _ask(self, request: str, whom: str) -> str:
        with self._connected(Deadline(_QUERY_TIMEOUT_S), whom) as stream:
            _request(stream, request)
            return _read_text(stream)

    @contextlib.contextmanager
    def service(self, serial: str, name: str, deadline: Deadline) -> Iterator[Stream]:
        """A service of a phone, for example ``shell,v2,raw:ls`` or ``sync:``.

        Raises:
            TransportError: When the server or the phone is not there, the link breaks, or the
                deadline passes.
        """
        with self._connected(deadline, serial) as stream:
            _request(stream, f"host:tport:serial:{serial}")
            stream.read(8)  # the transport's number
            _request(stream, name)
            yield stream

    @contextlib.contextmanager
    def _connected(self, deadline: Deadline, whom: str) -> Iterator[Stream]:
        from adbutils import AdbError

        try:
            connection = _connect(self.host, self.port)
        except (AdbError, OSError) as error:
            raise TransportError(
                f"no adb server answers at {self}", hint="see what is wrong: edgesr doctor"
            ) from error
        try:
            with connection:
                yield Stream(connection, deadline)
        except TimeoutError as error:
            raise LinkTimeoutError(
                f"{whom} did not answer within {deadline.seconds:g} s"
            ) from error
        except (EOFError, ConnectionError) as error:
            raise TransportError(f"the connection to {whom} broke") from error
        except (_RefusedError, OSError) as error:
            raise TransportError(f"{whom}: {error}") from error


def _connect(host: str, port: int) -> socket.socket:
    """A connection to an adb server that runs.

    adbutils' own way in starts a server where none answers, on the default port whatever the
    port it was asked for; edgesr starts servers itself, and only where they were asked for. It also
    knows no IPv6, and leaves its socket open where nothing answers.
    """
    from adbutils._adb import AdbConnection

    class Connection(AdbConnection):  # type: ignore[misc]
        def _safe_connect(self) -> socket.socket:
            plain = socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_S)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return plain

    connected: socket.socket = Connection(host, port).conn
    return connected


class _RefusedError(Exception):
    """The server's own words."""


def _request(stream: Stream, text: str) -> None:
    """Asks the server for something.

    Raises:
        _RefusedError: When it refuses, or is no adb server.
    """
    data = text.encode()
    if len(data) > 0xFFFF:
        raise _RefusedError("a command is longer than adb can carry (64 KiB)")
    stream.send(f"{len(data):04x}".encode() + data)
    answer = stream.read(4)
    if answer == b"FAIL":
        raise _RefusedError(" ".join(_read_text(stream).split()) or "adb gives no reason")
    if answer != b"OKAY":
        raise _RefusedError(f"what answers is no adb server: it says {answer!r}")


def _read_text(stream: Stream) -> str:
    """Four hexadecimal digits, and so many bytes."""
    digits = stream.read(4)
    try:
        size = int(digits, 16)
    except ValueError as error:
        raise _RefusedError(f"what answers is no adb server: it says {digits!r}") from error
    return stream.read(size).decode("utf-8", errors="replace")


def parse_devices(text: str, server: AdbServer) -> list[Attached]:
    """What ``adb devices -l`` lists; a state may hold blanks ("no permissions (...)")."""
    found = []
    for line in text.splitlines():
        match = _DEVICE_LINE.match(line)
        if match and match["state"]:
            pairs = (tag.partition(":") for tag in match["tags"].split())
            tags = {key: value for key, _, value in pairs}
            found.append(Attached(match["serial"], match["state"].strip(), server, tags))
    return found


def adb_program() -> Path | None:
    """The adb program: EDGESR_ADB, the one on the PATH, else the one that adbutils brings."""
    named = os.environ.get(ENVIRONMENT)
    if named == "off":
        return None
    if named:
        return Path(named) if Path(named).is_file() else None
    on_path = shutil.which("adb")
    if on_path:
        return Path(on_path)
    from adbutils import adb_path

    with contextlib.suppress(Exception):  # it raises whatever it met while looking
        return Path(adb_path())
    return None


def default_servers(names: Sequence[str] = ()) -> list[AdbServer]:
    """The servers named ``HOST:PORT``, else the one that adb itself would use.

    Raises:
        UsageError: When a name, or what adb's environment variables say, is no HOST:PORT.
    """
    if names:
        return list(dict.fromkeys(_parse_server(name, "--adb-server") for name in names))
    variables = os.environ
    address = variables.get("ADB_SERVER_SOCKET", "")  # adb looks at it first
    if address:
        plain = address.removeprefix("tcp:")
        where = f"{_LOCAL}:{plain}" if plain.isdecimal() else plain
        return [replace(_parse_server(where, "ADB_SERVER_SOCKET"), startable=True)]
    host = variables.get("ANDROID_ADB_SERVER_HOST") or variables.get("ANDROID_ADB_SERVER_ADDRESS")
    port = variables.get("ANDROID_ADB_SERVER_PORT") or DEFAULT_PORT
    usual = _parse_server(f"{host or _LOCAL}:{port}", "ANDROID_ADB_SERVER_PORT")
    return [replace(usual, startable=True)]


def _parse_server(name: str, origin: str) -> AdbServer:
    match = _ADDRESS.fullmatch(name.removeprefix("tcp:"))
    port = int(match["port"] or DEFAULT_PORT) if match else 0
    if not match or not 0 < port < 65536:
        raise UsageError(f"{origin} {name!r} is no HOST:PORT", hint="as 192.168.1.5:5037")
    return AdbServer(match["host"] or match["six"], port)


def adb_allowed() -> bool:
    """Whether EDGESR_ADB lets edgesr use adb."""
    return os.environ.get(ENVIRONMENT) != "off"

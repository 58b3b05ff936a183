"""A phone behind adb as a transport: commands with exit codes, files that are whole or absent."""

import contextlib
import io
import shlex
import stat
import struct
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from edgesr.device.adb import AdbServer, Deadline, Stream
from edgesr.device.transport import Completed
from edgesr.errors import DeviceFileError, LinkTimeoutError, TransportError
from edgesr.files import atomic_file, read_errors, sha256_file

FOLDER = "/data/local/tmp/edgesr"
"""Everything that edgesr puts on a phone; the shell user may write here and run programs."""
_CHUNK = 65536  # the largest block of adb's sync protocol
_STDOUT, _STDERR, _EXIT = 1, 2, 3
_PROBE_TIMEOUT_S = 5
_FILE_TIMEOUT_S = 60
_BOOT_S = 300
"""A phone that runs longer has started up, whatever it says."""
_SLOWEST = 250_000
"""Bytes per second below which a push or pull counts as stuck."""


class AdbTransport:
    """Implements `edgesr.device.transport.Transport` over a real adb server.

    Args:
        server: The adb server that the phone is attached to.
        serial: As adb lists it.
        name: What the run calls it; the serial where nothing else has that serial.
        folder: Where its files go.
    """

    platform = "android"

    def __init__(
        self, server: AdbServer, serial: str, name: str = "", folder: str = FOLDER
    ) -> None:
        self.server = server
        self.serial = serial
        self.name = name or serial
        self.folder = folder
        self.pushed_bytes = 0
        """Bytes of all pushes of this session."""
        self._staged: set[str] = set()
        self._halves: set[str] = set()
        self._v2: bool | None = None
        self._lock = threading.Lock()

    # ---- commands

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed:
        """Runs a command as `Transport.run` says.

        Raises:
            TransportError: When the link breaks or freezes.
        """
        command, began = shlex.join(argv), time.monotonic()
        out, err = io.BytesIO(), io.BytesIO()
        code: int | None = None
        try:
            code = self._shell(command, timeout_s, out, err)
        except LinkTimeoutError:
            self.probe()  # a slow command, or a frozen link?
        seconds = time.monotonic() - began
        return Completed(code, _text(out), _text(err), seconds)

    def _shell(self, command: str, timeout_s: float, out: io.BytesIO, err: io.BytesIO) -> int:
        deadline = Deadline(timeout_s)
        if not self._speaks_v2():
            return self._old_shell(command, deadline, out, err)
        service = f"shell,v2,raw:{command} </dev/null"
        with self.server.service(self.serial, service, deadline) as stream:
            return _read_packets(stream, out, err)

    def _speaks_v2(self) -> bool:
        if self._v2 is None:
            self._v2 = "shell_v2" in self.server.features(self.serial)
        return self._v2

    def _old_shell(self, command: str, deadline: Deadline, out: io.BytesIO, err: io.BytesIO) -> int:
        """For adbd before shell v2: one stream, cut short without a word when the link breaks.

        A mark with the exit code follows what the command printed, then come its errors, from a
        file that is nameless by then, so that nothing is left when the command is killed.
        """
        mark = uuid.uuid4().hex
        errors = shlex.quote(f"{self.folder}-{mark}")
        wrapped = f"exec 3>{errors} 4<{errors}; rm -f {errors}; "
        wrapped += f"{{ {command} </dev/null; }} 2>&3 3>&- 4<&-; "
        wrapped += f"printf '\\n{mark} %d\\n' $?; cat <&4"
        data = bytearray()
        try:
            with self.server.service(self.serial, f"exec:{wrapped}", deadline) as stream:
                while more := stream.read_some():
                    data += more
        finally:
            printed, found, rest = bytes(data).rpartition(f"\n{mark} ".encode())
            out.write(printed if found else data)
        number, newline, errors_printed = rest.partition(b"\n")
        if not found or not newline:
            raise TransportError(f"the connection to {self.serial} broke")
        err.write(errors_printed)
        if not number.isdigit():
            raise TransportError(f"{self.serial} answers with something else than asked for")
        return int(number)

    def attached(self) -> bool:
        """Whether the server has it, ready for commands.

        Raises:
            TransportError: When the server doesn't answer.
        """
        devices = self.server.list_devices()
        return any(device.serial == self.serial and device.usable for device in devices)

    def probe(self) -> None:
        """Makes sure that the phone answers.

        Raises:
            TransportError: When the phone doesn't answer at all.
        """
        self._shell("true", _PROBE_TIMEOUT_S, io.BytesIO(), io.BytesIO())

    def booted(self) -> bool:
        """Whether it has started up: adbd answers long before.

        Raises:
            TransportError: When the link breaks.
        """
        out = io.BytesIO()
        command = 'read -r up _ < "$EDGESR_ROOT/proc/uptime"; echo "$up $(getprop $0)"'
        told = f"sh -c {shlex.quote(command)} sys.boot_completed"
        self._shell(told, _PROBE_TIMEOUT_S, out, io.BytesIO())
        words = _text(out).split()
        young = bool(words) and words[0].partition(".")[0].isdecimal()
        young = young and float(words[0]) < _BOOT_S
        return not young or words[1:] == ["1"]

    # ---- files

    def push(self, local: Path, remote: str) -> None:
        """Copies a file as `Transport.push` says: temporary name, sha256 there, then renamed.

        Raises:
            DeviceFileError: When the phone refuses it, as on a full disk.
            TransportError: When the link breaks.
        """
        self._push(local, remote, sha256_file(local))

    def _push(self, local: Path, remote: str, digest: str) -> None:
        with read_errors(local):
            data = local.read_bytes()
        self._must(["mkdir", "-p", remote.rpartition("/")[0]], "can't make a folder")
        if self._halves:
            self._must(["rm", "-f", *self._halves], "can't delete what arrived half")
            self._halves.clear()
        temporary = f"{remote}.{uuid.uuid4().hex[:8]}.part"
        try:
            self._send(data, temporary)
            self._check(temporary, data, digest)
            self._must(["mv", "-f", temporary, remote], f"can't rename {temporary}")
        except DeviceFileError:
            self.remove(temporary)
            raise
        except TransportError:
            self._halves.add(temporary)
            raise
        self.pushed_bytes += len(data)

    def _send(self, data: bytes, remote: str) -> None:
        mode = stat.S_IFREG | 0o755
        target = f"{remote},{mode}".encode()
        with self.server.service(self.serial, "sync:", self._file_deadline(len(data))) as stream:
            with contextlib.suppress(ConnectionError):  # refused early: the reason can be read
                stream.send(b"SEND" + struct.pack("<I", len(target)) + target)
                for begin in range(0, len(data), _CHUNK):
                    block = data[begin : begin + _CHUNK]
                    stream.send(b"DATA" + struct.pack("<I", len(block)) + block)
                stream.send(b"DONE" + struct.pack("<I", int(time.time())))
            answer, size = struct.unpack("<4sI", stream.read(8))
            if answer == b"OKAY":
                return
            reason = stream.read(size).decode("utf-8", errors="replace") if size < _CHUNK else ""
        raise DeviceFileError(
            f"{self.name} refuses a file of {len(data) / 1e6:.1f} MB: {reason or 'no reason'}",
            hint=f"free some space on it: edgesr devices clean --device {self.name}",
        )

    def _check(self, remote: str, data: bytes, digest: str) -> None:
        """Compares what has arrived; a phone without sha256sum has to send it back.

        Raises:
            DeviceFileError: When it is not what was sent.
        """
        found = self._digest(remote)
        same = found == digest if found else self._receive(remote) == data
        if not same:
            raise DeviceFileError(f"a file arrived damaged on {self.name}: {remote}")

    def _digest(self, remote: str) -> str:
        """Hex sha256 of a file there; empty when it is absent or can't be told."""
        done = self.run(["sha256sum", remote], timeout_s=_FILE_TIMEOUT_S)
        word = done.stdout.partition(" ")[0].lstrip("\\")
        return word if done.exit_code == 0 and len(word) == 64 else ""

    def pull(self, remote: str, local: Path) -> None:
        """Copies a file as `Transport.pull` says.

        Raises:
            DeviceFileError: When there is no such file.
            TransportError: When the link breaks.
        """
        data = self._receive(remote)
        with atomic_file(local, durable=False) as temporary:
            temporary.write_bytes(data)

    def _receive(self, remote: str) -> bytes:
        name, data = remote.encode(), bytearray()
        deadline = self._file_deadline(64_000_000)
        with self.server.service(self.serial, "sync:", deadline) as stream:
            stream.send(b"RECV" + struct.pack("<I", len(name)) + name)
            while True:
                kind, size = struct.unpack("<4sI", stream.read(8))
                if kind == b"DONE":
                    return bytes(data)
                block = stream.read(size)
                if kind == b"FAIL":
                    reason = block.decode("utf-8", errors="replace")
                    break
                data += block
        raise DeviceFileError(f"can't read {remote} on {self.name}: {reason}")

    def stage(self, local: Path) -> str:
        """Puts a file there under its content's name, unless the same content is there already."""
        digest = sha256_file(local)
        suffix = "".join(c for c in local.suffix if c.isascii() and (c.isalnum() or c == "."))
        remote = f"{self.folder}/files/{digest}{suffix}"
        with self._lock:
            if remote not in self._staged:
                if self._digest(remote) != digest:
                    self._push(local, remote, digest)
                self._staged.add(remote)
        return remote

    def exists(self, remote: str) -> bool:
        """Whether there is such a path."""
        return self.run(["test", "-e", remote], timeout_s=_FILE_TIMEOUT_S).exit_code == 0

    def remove(self, remote: str) -> None:
        """Deletes a file or folder; it may be absent."""
        self._must(["rm", "-rf", remote], f"can't delete {remote}")

    def forget_staged(self) -> None:
        """Looks again whether staged files are there: the phone was away, or was cleaned."""
        self._staged.clear()

    def close(self) -> None:
        """Deletes everything of edgesr's on the phone, as far as it can be reached."""
        self.forget_staged()
        with contextlib.suppress(TransportError):
            self.remove(self.folder)

    def _must(self, argv: Sequence[str], problem: str) -> None:
        done = self.run(argv, timeout_s=_FILE_TIMEOUT_S)
        if done.exit_code != 0:
            why = done.stderr.strip() or done.stdout.strip() or f"exit code {done.exit_code}"
            raise DeviceFileError(f"{self.name}: {problem}: {why}")

    @staticmethod
    def _file_deadline(size: int) -> Deadline:
        return Deadline(_FILE_TIMEOUT_S + size / _SLOWEST)


def _read_packets(stream: Stream, out: io.BytesIO, err: io.BytesIO) -> int:
    """The shell v2 protocol: id, length, bytes; ends with the exit code."""
    while True:
        kind, size = struct.unpack("<BI", stream.read(5))
        data = stream.read(size)
        if kind == _EXIT:
            if not data:
                raise EOFError
            return data[0]
        if kind in {_STDOUT, _STDERR}:
            (out if kind == _STDOUT else err).write(data)


def _text(stream: io.BytesIO) -> str:
    return stream.getvalue().decode("utf-8", errors="replace")

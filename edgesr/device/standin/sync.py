"""The service ``sync:``: what ``adb push``, ``adb pull`` and ``adb ls`` speak, versions 1 and 2."""

import os
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

from edgesr.device.standin.phone import Phone
from edgesr.device.standin.stream import Stream
from edgesr.device.standin.sync_push import Push, PushTarget

_REQUEST = struct.Struct("<4sI")
_STAT_1 = struct.Struct("<4s3I")
_STAT_2 = struct.Struct("<4sIQQ4IQ3q")
_BLOCK = 64 << 10
_BLOCKS_PER_MESSAGE = 15
_LONGEST_PATH = 1024
_COMPRESSED = 0b111


class Sync:
    """Serves one sync stream.

    Args:
        phone: Whose files.
        stream: To the host.
    """

    def __init__(self, phone: Phone, stream: Stream) -> None:
        self._phone, self._stream = phone, stream
        self._requests: dict[bytes, Callable[[str, bytes], Awaitable[bool]]] = {
            b"STAT": self._stat,
            b"LIST": self._list,
            b"SEND": self._send,
            b"RECV": self._receive,
        }
        if "stat_v2" in phone.features:
            self._requests |= {b"STA2": self._stat_2, b"LST2": self._stat_2}
        if "ls_v2" in phone.features:
            self._requests[b"LIS2"] = self._list
        if "sendrecv_v2" in phone.features:
            self._requests |= {b"SND2": self._send_2, b"RCV2": self._receive_2}

    async def run(self) -> None:
        """Answers requests until QUIT, or one after which the stream can't go on."""
        in_step = True
        while in_step:
            kind, size = _REQUEST.unpack(await self._stream.read(_REQUEST.size))
            if kind == b"QUIT":
                return
            in_step = await self._answer(kind, size)

    async def _answer(self, kind: bytes, size: int) -> bool:
        """Answers one request; False when nothing after it can be understood."""
        if size > _LONGEST_PATH:
            await self._fail("path too long")
            return False
        path = (await self._stream.read(size)).decode("utf-8", "surrogateescape")
        answer = self._requests.get(kind)
        if answer is None:
            await self._fail(f"unknown command {kind.decode('ascii', 'replace')}")
            return False
        return await answer(path, kind)

    async def _fail(self, why: str) -> None:
        text = why.encode()
        await self._stream.write(_REQUEST.pack(b"FAIL", len(text)) + text)

    async def _stat(self, path: str, _: bytes) -> bool:
        try:
            found = self._phone.resolve(path).lstat()
            values = (found.st_mode, found.st_size & 0xFFFFFFFF, int(found.st_mtime))
        except OSError:
            values = (0, 0, 0)
        await self._stream.write(_STAT_1.pack(b"STAT", *values))
        return True

    async def _stat_2(self, path: str, kind: bytes) -> bool:
        await self._stream.write(_status(kind, lambda: self._look(path, kind)))
        return True

    def _look(self, path: str, kind: bytes) -> os.stat_result:
        return self._phone.resolve(path).stat(follow_symlinks=kind == b"STA2")

    async def _list(self, path: str, kind: bytes) -> bool:
        newer, answer = kind == b"LIS2", bytearray()
        for entry in self._entries(path):
            name = os.fsencode(entry.name)
            if newer:
                answer += _status(b"DNT2", entry.lstat) + struct.pack("<I", len(name)) + name
            else:
                answer += _entry_1(entry, name)
        answer += _STAT_2.pack(b"DONE", *(0,) * 11) + bytes(4) if newer else _DONE_1
        await self._stream.write(answer)
        return True

    def _entries(self, path: str) -> list[Path]:
        try:
            return sorted(self._phone.resolve(path).iterdir())
        except OSError:
            return []

    async def _send(self, path_and_mode: str, _: bytes) -> bool:
        path, mode = path_and_mode.rsplit(",", 1)
        return await self._push(PushTarget(path, int(mode)))

    async def _send_2(self, path: str, _: bytes) -> bool:
        _, mode, flags = struct.unpack("<4sII", await self._stream.read(12))
        return await self._push(PushTarget(path, mode, flags))

    async def _push(self, target: PushTarget) -> bool:
        problem = await Push(self._phone, target).receive(self._stream)
        if problem is None:
            await self._stream.write(_REQUEST.pack(b"OKAY", 0))
        else:
            await self._fail(problem.text)
        return problem is None or not problem.out_of_step

    async def _receive_2(self, path: str, kind: bytes) -> bool:
        _, flags = _REQUEST.unpack(await self._stream.read(_REQUEST.size))
        if flags & _COMPRESSED:
            await self._fail("compression is not supported")
            return True
        return await self._receive(path, kind)

    async def _receive(self, path: str, _: bytes) -> bool:
        try:
            file = self._phone.resolve(path).open("rb", buffering=0)
        except OSError as error:
            await self._fail(f"open failed: {error.strerror}")
            return True
        with file:
            while True:
                try:
                    data = file.read(_BLOCK * _BLOCKS_PER_MESSAGE)
                except OSError as error:
                    await self._fail(f"read failed: {error.strerror}")
                    return True
                if not data:
                    await self._stream.write(_REQUEST.pack(b"DONE", 0))
                    return True
                await self._stream.write(_blocks(data))


_DONE_1 = b"DONE" + bytes(16)


def _blocks(data: bytes) -> bytearray:
    """File content as DATA blocks of at most 64 KiB, as the protocol wants."""
    message = bytearray()
    for start in range(0, len(data), _BLOCK):
        block = data[start : start + _BLOCK]
        message += _REQUEST.pack(b"DATA", len(block)) + block
    return message


def _entry_1(path: Path, name: bytes) -> bytes:
    try:
        found = path.lstat()
    except OSError:
        return b""
    size = found.st_size & 0xFFFFFFFF
    fields = (found.st_mode, size, int(found.st_mtime), len(name))
    return b"DENT" + struct.pack("<4I", *fields) + name


def _status(kind: bytes, look: Callable[[], os.stat_result]) -> bytes:
    try:
        found = look()
    except OSError as error:
        return _STAT_2.pack(kind, error.errno or 0, *(0,) * 10)
    return _STAT_2.pack(
        kind,
        0,
        found.st_dev,
        found.st_ino,
        found.st_mode,
        found.st_nlink,
        found.st_uid,
        found.st_gid,
        found.st_size,
        int(found.st_atime),
        int(found.st_mtime),
        int(found.st_ctime),
    )

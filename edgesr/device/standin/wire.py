"""Messages of adb's transport protocol: a header of 24 bytes and a payload."""

import asyncio
import struct
from dataclasses import dataclass
from enum import IntEnum

HEADER = struct.Struct("<6I")
MAX_PAYLOAD = 1 << 20
VERSION_WITH_CHECKSUM = 0x01000000
"""What phones up to Android 8 say; both sides then fill in and check the sum of the payload."""
VERSION = 0x01000001
_ALL_BITS = 0xFFFFFFFF


class Command(IntEnum):
    """The four letters of a command, read as a little-endian number."""

    CNXN = int.from_bytes(b"CNXN", "little")
    AUTH = int.from_bytes(b"AUTH", "little")
    OPEN = int.from_bytes(b"OPEN", "little")
    OKAY = int.from_bytes(b"OKAY", "little")
    CLSE = int.from_bytes(b"CLSE", "little")
    WRTE = int.from_bytes(b"WRTE", "little")


class ProtocolError(Exception):
    """The other side sent what is no message."""


@dataclass(frozen=True)
class Message:
    """One message; what the two arguments mean depends on the command."""

    command: int
    arg0: int = 0
    arg1: int = 0
    payload: bytes | bytearray | memoryview = b""

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return HEADER.size + len(self.payload)

    def header(self, *, with_checksum: bool) -> bytes:
        """The 24 bytes that go before the payload."""
        checksum = sum(self.payload) & _ALL_BITS if with_checksum else 0
        magic = self.command ^ _ALL_BITS
        size = len(self.payload)
        return HEADER.pack(self.command, self.arg0, self.arg1, size, checksum, magic)


async def read_message(reader: asyncio.StreamReader) -> Message:
    """The next message.

    Raises:
        ProtocolError: When the bytes are no header.
        asyncio.IncompleteReadError: When the connection ends.
    """
    head = await reader.readexactly(HEADER.size)
    command, arg0, arg1, size, _, magic = HEADER.unpack(head)
    if magic != command ^ _ALL_BITS or size > MAX_PAYLOAD:
        raise ProtocolError(f"not an adb message: {head!r}")
    payload = await reader.readexactly(size) if size else b""
    return Message(command, arg0, arg1, payload)

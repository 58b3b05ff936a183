"""One connection of an adb server to a stand-in phone: handshake, and streams over it."""

import asyncio
import contextlib
import errno
import os
import socket
import struct
from collections.abc import Awaitable, Callable

from edgesr.device.standin.faults import Faults
from edgesr.device.standin.stream import Stream, StreamClosed
from edgesr.device.standin.wire import (
    HEADER,
    VERSION_WITH_CHECKSUM,
    Command,
    Message,
    ProtocolError,
    read_message,
)

_BUFFER = 4 << 20
_TOKEN, _SIGNATURE = 1, 2

Serve = Callable[[Stream, str], Awaitable[bool]]
"""Serves a stream by the name of the service; False when there is no such service."""


class Greeting:
    """What the phone says of itself in the handshake.

    Args:
        banner: ``device::ro.product.name=...;features=...``.
        version: Of the transport protocol.
        max_payload: Most bytes the phone takes in one message.
    """

    def __init__(self, banner: str, version: int, max_payload: int) -> None:
        self.banner, self.version, self.max_payload = banner, version, max_payload


class Connection:
    """Reads messages until the host goes or a fault ends it.

    Args:
        pipes: Reader and writer of the TCP connection.
        greeting: For the handshake.
        faults: What goes wrong at the moment.
        serve: Called for each stream that the host opens.
    """

    def __init__(
        self,
        pipes: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        greeting: Greeting,
        faults: Faults,
        serve: Serve,
    ) -> None:
        self._reader, self._writer = pipes
        self._greeting, self._faults, self._serve = greeting, faults, serve
        self._chunk = 4096
        self._streams: dict[int, Stream] = {}
        self._next_id = 1
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        transport = self._writer.transport
        transport.set_write_buffer_limits(_BUFFER)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def run(self) -> None:
        """Until the connection ends; all its streams are closed then."""
        ends = (asyncio.IncompleteReadError, OSError, ProtocolError)
        try:
            with contextlib.suppress(*ends):
                while True:
                    message = await read_message(self._reader)
                    await self._while_frozen()
                    come = self._faults.arrived(message.size)
                    if come == message.size:
                        await self._receive(message)
                    else:
                        self._receive_part(message, come)
                    self._faults.cut_if_due()
        finally:
            self._over.set()
            for stream in self._streams.values():
                stream.shut()
            self._writer.transport.abort()
            for task in list(self._tasks):
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def cut(self) -> None:
        """Ends the connection at once, as a pulled cable does: the host gets a reset."""
        self._over.set()
        sock = self._writer.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _while_frozen(self) -> None:
        """Waits for the thaw.

        Raises:
            OSError: When the connection is cut before that.
        """
        if self._faults.running.is_set():
            return
        thaw = asyncio.ensure_future(self._faults.running.wait())
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait({thaw, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            thaw.cancel()
            over.cancel()
        if self._over.is_set():
            raise OSError(errno.ECONNRESET, "cut")

    async def _send(self, message: Message) -> None:
        await self._while_frozen()
        old = self._greeting.version <= VERSION_WITH_CHECKSUM
        self._writer.write(message.header(with_checksum=old))
        if message.payload:
            self._writer.write(message.payload)
        await self._writer.drain()

    async def _receive(self, message: Message) -> None:
        match message.command:
            case Command.CNXN:
                self._chunk = min(message.arg1, self._greeting.max_payload)
                await self._greet()
            case Command.AUTH:
                if not self._faults.unauthorized or message.arg0 == _SIGNATURE:
                    await self._greet()
            case Command.OPEN:
                self._open(message)
            case _ if message.arg1 in self._streams:
                self._stream_message(self._streams[message.arg1], message)

    def _receive_part(self, message: Message, size: int) -> None:
        """Takes as much of the data as came before the link was cut."""
        data = message.payload[: max(0, size - HEADER.size)]
        stream = self._streams.get(message.arg1)
        if message.command == Command.WRTE and stream is not None and data:
            stream.feed(data)

    def _stream_message(self, stream: Stream, message: Message) -> None:
        if message.command == Command.OKAY:
            stream.acknowledged()
        elif message.command == Command.WRTE:
            stream.feed(message.payload)
        elif message.command == Command.CLSE:
            stream.shut()

    async def _greet(self) -> None:
        """The banner, or as long as nobody tapped "Allow" the request to prove who asks."""
        if self._faults.unauthorized:
            await self._send(Message(Command.AUTH, _TOKEN, 0, os.urandom(20)))
            return
        greeting = self._greeting
        banner = greeting.banner.encode()
        await self._send(Message(Command.CNXN, greeting.version, greeting.max_payload, banner))

    def _open(self, message: Message) -> None:
        stream = Stream(self._send, (self._next_id, message.arg0), self._chunk)
        self._streams[self._next_id] = stream
        self._next_id += 1
        name = bytes(message.payload).split(b"\0")[0].decode("utf-8", "surrogateescape")
        task = asyncio.ensure_future(self._run_service(stream, name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_service(self, stream: Stream, name: str) -> None:
        known = True
        try:
            known = await self._serve(stream, name)
        except (StreamClosed, OSError):
            pass
        finally:
            del self._streams[stream.local]
            if not stream.gone.is_set():
                with contextlib.suppress(OSError):
                    closing = Message(Command.CLSE, stream.local if known else 0, stream.remote)
                    await self._send(closing)
            stream.shut()

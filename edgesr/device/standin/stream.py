"""One adb stream: bytes both ways, at most one unacknowledged message in each direction."""

import asyncio
from collections.abc import Awaitable, Callable

from edgesr.device.standin.wire import Command, Message


class StreamClosed(Exception):  # noqa: N818 - an event, not a mistake
    """The host closed the stream, or the connection is gone."""


class Stream:
    """The device's end of a stream.

    Args:
        send: Sends a message over the connection.
        ids: The device's number of the stream, then the host's.
        chunk: Most bytes that fit in one message.
    """

    def __init__(
        self, send: Callable[[Message], Awaitable[None]], ids: tuple[int, int], chunk: int
    ) -> None:
        self._send, self._chunk = send, chunk
        self.local, self.remote = ids
        self._received = bytearray()
        self._owes_okay = False
        self._arrived, self._may_write = asyncio.Event(), asyncio.Event()
        self._may_write.set()
        self._writing = asyncio.Lock()
        self.gone = asyncio.Event()
        """Set once nothing can be sent or received any more."""

    async def acknowledge(self) -> None:
        """Tells the host that the service it opened is there."""
        await self._send(Message(Command.OKAY, self.local, self.remote))

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Takes bytes that came from the host; it sends no more before they were read."""
        self._received += data
        self._owes_okay = True
        self._arrived.set()

    def acknowledged(self) -> None:
        """The host took the last message."""
        self._may_write.set()

    def shut(self) -> None:
        """Wakes everyone who waits for this stream; they meet `StreamClosed`."""
        self.gone.set()
        self._arrived.set()
        self._may_write.set()

    async def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes."""
        while len(self._received) < size:
            await self._more()
        data = bytes(memoryview(self._received)[:size])
        del self._received[:size]
        return data

    async def read_some(self) -> bytes:
        """At least one byte."""
        if not self._received:
            await self._more()
        data = bytes(self._received)
        self._received.clear()
        return data

    async def _more(self) -> None:
        if self.gone.is_set():
            raise StreamClosed
        self._arrived.clear()
        if self._owes_okay:
            self._owes_okay = False
            await self._send(Message(Command.OKAY, self.local, self.remote))
        await self._arrived.wait()

    async def write(self, data: bytes | bytearray) -> None:
        """Sends ``data`` and waits until the host has taken all of it.

        Raises:
            StreamClosed: When the host goes before that.
        """
        view = memoryview(data)
        async with self._writing:
            for start in range(0, len(view), self._chunk):
                await self._turn()
                self._may_write.clear()
                part = view[start : start + self._chunk]
                await self._send(Message(Command.WRTE, self.local, self.remote, part))
            await self._turn()

    async def _turn(self) -> None:
        await self._may_write.wait()
        if self.gone.is_set():
            raise StreamClosed

"""The services ``shell:``, ``shell,v2:`` and ``exec:``."""

import asyncio
import contextlib
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from edgesr.device.standin.child import Child, Launch
from edgesr.device.standin.fdio import read_chunk, write_all
from edgesr.device.standin.phone import Phone
from edgesr.device.standin.stream import Stream, StreamClosed

_PACKET = struct.Struct("<BI")


class Packet(IntEnum):
    """Kinds of packets of the second shell protocol."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    EXIT = 3
    CLOSE_STDIN = 4
    WINDOW_SIZE = 5


@dataclass(frozen=True)
class ShellRequest:
    """What a service name asks for."""

    command: str
    """Empty for an interactive shell."""
    packets: bool
    """The second protocol: output, errors and exit code apart."""
    terminal: bool
    raw: bool

    @classmethod
    def parse(cls, service: str, *, crlf: bool) -> "ShellRequest":
        """Reads ``shell:CMD``, ``shell,v2,raw:CMD`` or ``exec:CMD``.

        Args:
            service: Name of the service.
            crlf: The phone is so old that its terminal turns LF into CR LF.
        """
        options, _, command = service.partition(":")
        kind, *flags = options.split(",")
        if kind == "exec":
            return cls(command, packets=False, terminal=True, raw=True)
        packets = "v2" in flags
        interactive = "pty" in flags or (not command and "raw" not in flags)
        # without packets there is no other way than a terminal to learn that the host went
        terminal = interactive or not packets
        return cls(command, packets, terminal, raw=not interactive and not crlf)


async def run_shell(phone: Phone, stream: Stream, request: ShellRequest) -> None:
    """Runs the command until it ends or the host goes, which hangs up on it."""
    argv = phone.shell_argv(request.command)
    env = phone.environment()
    if request.terminal:
        env["TERM"] = "dumb"
    child = Child(Launch(argv, env, phone.root, request.terminal, request.raw))
    talk = asyncio.ensure_future(_talk(stream, child, packets=request.packets))
    gone = asyncio.ensure_future(stream.gone.wait())
    finished = False
    try:
        await asyncio.wait({talk, gone}, return_when=asyncio.FIRST_COMPLETED)
        if talk.done():
            await talk
            finished = True
    finally:
        await _cancel(gone, talk)
        if finished:
            child.close()
        else:
            child.hang_up()


async def _talk(stream: Stream, child: Child, *, packets: bool) -> None:
    outputs = {child.output: Packet.STDOUT, child.errors: Packet.STDERR}
    if child.output == child.errors:
        outputs = {child.output: Packet.STDOUT}
    pumps = [
        asyncio.ensure_future(_pump(stream, fd, kind if packets else None))
        for fd, kind in outputs.items()
    ]
    feeding = asyncio.ensure_future(_feed(stream, child, packets=packets))
    try:
        await asyncio.gather(*pumps)
        code = await asyncio.shield(child.exited)
        if packets:
            status = code if code >= 0 else 128 - code
            await stream.write(_packet(Packet.EXIT, bytes([status & 0xFF])))
    finally:
        await _cancel(feeding, *pumps)


async def _cancel(*tasks: "asyncio.Future[Any]") -> None:
    """Ends tasks and waits until they have let go of their descriptors."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(stream: Stream, fd: int, kind: Packet | None) -> None:
    while chunk := await read_chunk(fd):
        await stream.write(chunk if kind is None else _packet(kind, chunk))


async def _feed(stream: Stream, child: Child, *, packets: bool) -> None:
    """Hands what the host types to the command, until either goes."""
    with contextlib.suppress(StreamClosed, OSError):
        while not packets:
            await write_all(child.input, await stream.read_some())
        while True:
            kind, size = _PACKET.unpack(await stream.read(_PACKET.size))
            data = await stream.read(size)
            if kind == Packet.STDIN:
                await write_all(child.input, data)
            elif kind == Packet.CLOSE_STDIN:
                child.close_input()


def _packet(kind: Packet, data: bytes) -> bytes:
    return _PACKET.pack(kind, len(data)) + data

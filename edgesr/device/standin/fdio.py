"""Reading and writing file descriptors of children and terminals in asyncio."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

CHUNK = 1 << 18


async def _ready(fd: int, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
    ready = asyncio.get_running_loop().create_future()

    def wake() -> None:
        remove(fd)
        if not ready.done():
            ready.set_result(None)

    add(fd, wake)
    try:
        await ready
    finally:
        remove(fd)


async def readable(fd: int) -> None:
    """Waits until a read does not block."""
    loop = asyncio.get_running_loop()
    await _ready(fd, loop.add_reader, loop.remove_reader)


async def read_chunk(fd: int) -> bytes:
    """Some bytes of a non-blocking descriptor; empty at its end.

    A terminal whose programs have all gone gives an error instead of an end; it is one too.
    """
    while True:
        try:
            return os.read(fd, CHUNK)
        except BlockingIOError:
            await readable(fd)
        except OSError:
            return b""


async def write_all(fd: int, data: bytes) -> None:
    """Writes all bytes to a non-blocking descriptor.

    Raises:
        OSError: When nobody reads any more.
    """
    loop = asyncio.get_running_loop()
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            await _ready(fd, loop.add_writer, loop.remove_writer)

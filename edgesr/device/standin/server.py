"""The process behind stand-in phones: starts them, takes commands, cleans up."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgesr.device.standin.adbd import Adbd
from edgesr.device.standin.control import Control
from edgesr.device.standin.options import PhoneOptions
from edgesr.device.standin.profile import load_phone

_LONGEST_SOCKET_PATH = 80


class Host:
    """The phones of this process.

    Args:
        phones: What to start.
        folder: For control sockets and the folders of phones that have none of their own.
    """

    def __init__(self, phones: Sequence[PhoneOptions], folder: Path) -> None:
        self._options, self._folder = phones, folder
        self._phones: list[Adbd] = []
        self._sockets: list[asyncio.Server] = []

    async def start(self) -> list[dict[str, str]]:
        """All phones listen afterwards; returns serial, folder and control socket of each."""
        started = []
        for number, options in enumerate(self._options):
            root = Path(options.root or self._folder / f"phone{number}")
            program = Path(options.benchmark_model) if options.benchmark_model else None
            own = {"ro.serialno": secrets.token_hex(6).upper()}  # no two phones share one
            profile = load_phone(options.phone, {**own, **options.props})
            adbd = Adbd(profile, root, program, options.port)
            adbd.faults.unauthorized = options.unauthorized
            self._phones.append(adbd)
            await adbd.accept()
            socket = self._folder / f"control{number}"
            self._sockets.append(await self._listen(Control(adbd), socket))
            started.append(
                {
                    "serial": adbd.serial,
                    "root": str(adbd.phone.root),
                    "control": str(socket),
                    "mark": adbd.phone.mark,
                }
            )
        return started

    async def _listen(self, control: Control, path: Path) -> asyncio.Server:
        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while line := await reader.readline():
                    answer = await control.run(line.decode("utf-8", "replace"))
                    writer.write(f"{answer}\n".encode())
                    await writer.drain()
            writer.close()

        return await asyncio.start_unix_server(converse, path)

    def close(self) -> None:
        """Ends the phones and all their processes."""
        for socket in self._sockets:
            socket.close()
        for phone in self._phones:
            phone.close()


async def serve(phones: Sequence[PhoneOptions]) -> None:
    """Runs phones until a signal, or the end of stdin.

    Prints one JSON list once they listen. A caller that dies closes our stdin: no phone outlives
    the tests that started it.
    """
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, done.set)
    folder = Path(tempfile.mkdtemp(prefix="edgesr-phone-", dir=_short_folder()))
    host = Host(phones, folder)
    try:
        started = await host.start()
        sys.stdout.write(json.dumps(started) + "\n")
        sys.stdout.flush()
        await _wait(done)
    finally:
        host.close()
        shutil.rmtree(folder, ignore_errors=True)


def _short_folder() -> str | None:
    """Paths of sockets are limited to about a hundred characters."""
    return "/tmp" if len(tempfile.gettempdir()) > _LONGEST_SOCKET_PATH else None  # noqa: S108


async def _wait(done: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def stdin_changed() -> None:
        if not os.read(0, 4096):
            done.set()

    with contextlib.suppress(PermissionError):  # stdin is a file or /dev/null: signals only
        loop.add_reader(0, stdin_changed)
    await done.wait()

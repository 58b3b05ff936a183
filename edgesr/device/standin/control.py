"""Faults as lines of text: what the control socket and ``edgesr devices simulate`` take."""

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from edgesr.device.standin.adbd import Adbd
from edgesr.device.standin.rootfs import replace_text

HELP = {
    "cut": "end all connections, as a pulled cable does",
    "freeze": "answer nothing, the connections stay",
    "thaw": "go on after freeze",
    "refuse": "refuse new connections",
    "accept": "take connections again",
    "cut_after": "BYTES [refuse] [keep]: cut after so many more bytes from the host; "
    "refuse: stay away; keep: half a pushed file stays under its final name",
    "push_error": "TEXT: pushes fail with it; without TEXT they work again",
    "disk_full": "BYTES: so much can still be pushed, and no command that starts then can write a "
    "larger file; without BYTES no limit",
    "reboot": "[SECONDS]: kill all processes, be away so long, come back with a new boot id",
    "unauthorized": "1 or 0: whether the phone still waits for a tap on Allow",
    "unplug": "cut and refuse",
    "replug": "be there again",
    "set": "TARGET VALUE: prop.NAME, dumpsys.SERVICE.KEY, busy or a path such as /sys/...",
    "log": "the services that were opened",
}
"""What each command does."""


class BadCommand(Exception):  # noqa: N818 - its text is the answer
    """A line that is no command, or lacks what the command needs."""


class Control:
    """Carries out commands on one phone.

    Args:
        adbd: The phone's daemon.
    """

    def __init__(self, adbd: Adbd) -> None:
        self._adbd = adbd
        self._commands: dict[str, Callable[[str], Awaitable[str | None]]] = {
            name: getattr(self, f"_{name}") for name in HELP
        }

    async def run(self, line: str) -> str:
        """Does what a line says; returns ``ok``, what was asked for, or ``error: why``."""
        name, _, argument = line.strip().partition(" ")
        command = self._commands.get(name)
        if command is None:
            return f"error: no command {name!r}; there are: {', '.join(HELP)}"
        try:
            return await command(argument.strip()) or "ok"
        except (BadCommand, ValueError, OSError) as error:
            return f"error: {name}: {error}"

    async def _cut(self, _: str) -> None:
        self._adbd.cut()

    async def _freeze(self, _: str) -> None:
        self._adbd.faults.running.clear()

    async def _thaw(self, _: str) -> None:
        self._adbd.faults.running.set()

    async def _refuse(self, _: str) -> None:
        self._adbd.refuse()

    async def _accept(self, _: str) -> None:
        await self._adbd.accept()

    async def _cut_after(self, argument: str) -> None:
        size, *words = argument.split() or [""]
        if not size.isdigit() or set(words) - {"refuse", "keep"}:
            raise BadCommand("needs BYTES [refuse] [keep]")
        self._adbd.faults.keep_half = "keep" in words
        then = self._adbd.refuse if "refuse" in words else None
        self._adbd.faults.cut_after(int(size), then)

    async def _push_error(self, text: str) -> None:
        self._adbd.faults.push_error = text

    async def _disk_full(self, size: str) -> None:
        self._adbd.faults.bytes_free = int(size) if size else None
        self._adbd.phone.show_space()

    async def _reboot(self, seconds: str) -> None:
        self._adbd.reboot(*([float(seconds)] if seconds else []))

    async def _unauthorized(self, value: str) -> None:
        if value not in {"0", "1"}:
            raise BadCommand("needs 0 or 1")
        self._adbd.faults.unauthorized = value == "1"
        self._adbd.cut()

    async def _unplug(self, _: str) -> None:
        self._adbd.refuse()
        self._adbd.cut()

    async def _replug(self, _: str) -> None:
        await self._accept("")

    async def _log(self, _: str) -> str:
        return json.dumps(list(self._adbd.log))

    async def _set(self, argument: str) -> None:
        target, _, value = argument.partition(" ")
        kind, _, name = target.partition(".")
        phone = self._adbd.phone
        if target == "busy":
            phone.tick()
            phone.busy_pct = float(value)
        elif target.startswith(("/sys/", "/proc/")):
            _change(phone.resolve(target), f"{value}\n")
        elif kind == "prop" and name:
            replace_text(phone.root / "prop" / name, value)
        elif kind == "dumpsys" and name:
            service, _, key = name.partition(".")
            _set_line(phone.root / "dumpsys" / service, key, value)
        else:
            raise BadCommand("needs prop.NAME, dumpsys.SERVICE.KEY, busy or a path, and a value")


def _change(path: Path, text: str) -> None:
    """Rewrites a file behind whatever links lead to it."""
    replace_text(path.resolve(strict=True), text)


def _set_line(path: Path, key: str, value: str) -> None:
    """Changes the value of the first line ``key: value`` or ``key=value``.

    ``_`` in the key stands for itself or a blank.
    """
    pattern = re.escape(key).replace("_", "[_ ]")
    text = path.read_text(encoding="utf-8")
    line = re.compile(rf"^(\s*{pattern}\s*[:=]\s*).*$", re.MULTILINE)
    changed, count = line.subn(lambda found: found[1] + value, text, count=1)
    if not count:
        raise BadCommand(f"dumpsys {path.name} has no line {key!r}")
    replace_text(path, changed)

"""Starting stand-in phones in a process of their own, and making things go wrong there."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from edgesr.device.standin.options import PhoneOptions
from edgesr.device.standin.processes import end_processes, processes_of
from edgesr.device.standin.profile import load_phone
from edgesr.errors import TransportError

_PATIENCE_S = 20.0


@dataclass(frozen=True)
class _Started:
    serial: str
    root: str
    control: str
    mark: str


class _Process:
    """A process that hosts one phone or several."""

    def __init__(self, phones: Sequence[PhoneOptions]) -> None:
        if not hasattr(os, "pidfd_open"):
            raise TransportError("simulated phones need Linux")
        for options in phones:
            load_phone(options.phone, options.props)
        argv = [sys.executable, "-m", "edgesr.device.standin", *(it.to_json() for it in phones)]
        self._child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for the caller, who then ends the phones
        )
        assert self._child.stdout is not None  # noqa: S101 - PIPE above
        line = self._child.stdout.readline()
        if not line:
            _, errors = self._child.communicate()
            why = errors.decode("utf-8", "replace").strip().removeprefix("error: ")
            raise TransportError(f"the stand-in phone did not start: {why}")
        self.phones = [_Started(**entry) for entry in json.loads(line)]

    def close(self) -> None:
        """Ends the process; whatever its phones started dies too, even if it was killed."""
        try:
            self._child.communicate(timeout=_PATIENCE_S)  # closes its stdin: the sign to end
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.communicate()
        for phone in self.phones:
            end_processes(phone.mark)


class StandIn:
    """A simulated phone that a real adb server can connect to.

    Args:
        options: What kind of phone, or just its name.
    """

    def __init__(self, options: PhoneOptions | str = "pixel-7") -> None:
        self.options = PhoneOptions(phone=options) if isinstance(options, str) else options
        self._process: _Process | None = None
        self._phone: _Started | None = None

    def start(self) -> Self:
        """Starts the phone; it listens when this returns.

        Raises:
            ConfigError: When there is no such phone.
            TransportError: When it does not start.
        """
        self._process = _Process([self.options])
        self._phone = self._process.phones[0]
        return self

    def close(self) -> None:
        """Ends the phone and every process it started."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def serial(self) -> str:
        """As adb names the phone: ``127.0.0.1:PORT``."""
        return self._running.serial

    @property
    def root(self) -> Path:
        """The phone's folder on this machine."""
        return Path(self._running.root)

    @property
    def scratch(self) -> Path:
        """What the phone calls /data/local/tmp."""
        return self.root / "data/local/tmp"

    @property
    def _running(self) -> _Started:
        if self._phone is None:
            raise TransportError("the stand-in phone is not started")
        return self._phone

    def control(self, line: str) -> str:
        """Gives the phone a command of `edgesr.device.standin.control.HELP`.

        Raises:
            TransportError: When the phone does not take it.
        """
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(_PATIENCE_S)
            try:
                link.connect(self._running.control)
                link.sendall(f"{line}\n".encode())
                answer = link.makefile(encoding="utf-8").readline().rstrip("\n")
            except OSError as error:
                raise TransportError(f"the stand-in phone is gone: {error}") from error
        if not answer or answer.startswith("error: "):
            raise TransportError(answer.removeprefix("error: ") or "the stand-in phone is gone")
        return answer

    def cut(self) -> None:
        """Ends all connections, as a pulled cable does; the next ones are taken."""
        self.control("cut")

    def freeze(self) -> None:
        """Connections stay, nothing is answered."""
        self.control("freeze")

    def thaw(self) -> None:
        """Goes on after `freeze`."""
        self.control("thaw")

    def refuse(self) -> None:
        """Refuses new connections."""
        self.control("refuse")

    def accept(self) -> None:
        """Takes connections again."""
        self.control("accept")

    def cut_after(self, size: int, *, refuse: bool = False, keep_half: bool = False) -> None:
        """Cuts once the host has sent ``size`` more bytes.

        Args:
            size: Bytes, headers included.
            refuse: Stays away afterwards, until `accept`.
            keep_half: Half of a file that was being pushed stays under its final name.
        """
        words = " refuse" * refuse + " keep" * keep_half
        self.control(f"cut_after {size}{words}")

    def push_error(self, text: str = "") -> None:
        """Pushes fail with a text; without one they work again."""
        self.control(f"push_error {text}")

    def disk_full(self, size: int | None = 0) -> None:
        """Only ``size`` more bytes can be pushed; None takes the limit away.

        Commands that start meanwhile can't write a larger file either. The error they get is
        "File too large", which this machine has to offer in the place of "No space left".
        """
        self.control(f"disk_full {'' if size is None else size}")

    def reboot(self, seconds: float) -> None:
        """Every process dies, and the phone is away for ``seconds``."""
        self.control(f"reboot {seconds}")

    def unauthorized(self, waiting: bool) -> None:  # noqa: FBT001 - reads well
        """Whether the phone waits for a tap on "Allow"; connections end, the next ones see it."""
        self.control(f"unauthorized {int(waiting)}")

    def unplug(self) -> None:
        """Away until `replug`."""
        self.control("unplug")

    def replug(self) -> None:
        """There again."""
        self.control("replug")

    def set(self, target: str, value: object) -> None:
        """Changes an answer.

        Args:
            target: ``prop.NAME``, ``dumpsys.SERVICE.KEY`` (``_`` for blanks), ``busy`` (per cent of
                all cores), or a path below /sys or /proc.
            value: The new one.
        """
        self.control(f"set {target} {value}")

    def processes(self) -> list[int]:
        """Ids of the processes that the phone has started and that live."""
        return processes_of(self._running.mark)

    def services(self) -> list[str]:
        """Names of the services that hosts opened, as ``shell,v2,raw:ls``."""
        names: list[str] = json.loads(self.control("log"))
        return names


class StandIns:
    """Several phones in one process, which is cheaper than one for each.

    Args:
        phones: What to start.
    """

    def __init__(self, phones: Sequence[PhoneOptions]) -> None:
        self._options = phones
        self._process: _Process | None = None

    def start(self) -> list[StandIn]:
        """Starts them; all listen when this returns."""
        self._process = _Process(self._options)
        return [
            _adopted(options, started)
            for options, started in zip(self._options, self._process.phones, strict=True)
        ]

    def close(self) -> None:
        """Ends the phones and every process they started."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def __enter__(self) -> list[StandIn]:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _adopted(options: PhoneOptions, started: _Started) -> StandIn:
    phone = StandIn(options)
    phone._phone = started  # noqa: SLF001 - the same module
    return phone

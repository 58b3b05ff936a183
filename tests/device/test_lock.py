"""One edgesr at a time on a phone, from this machine and from others."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgesr.device.adb import AdbServer
from edgesr.device.adb_transport import AdbTransport
from edgesr.device.lock import PhoneLock, locked
from edgesr.device.standin import PhoneOptions, PrivateAdbServer, StandIn, StandIns
from edgesr.errors import DeviceBusyError, DeviceFileError

KEY = "28291FDH2000AB"


@dataclass(frozen=True)
class Phone:
    standin: StandIn
    server: AdbServer

    def transport(self) -> AdbTransport:
        return AdbTransport(self.server, self.standin.serial)

    @property
    def owner(self) -> Path:
        return self.standin.scratch / "edgesr/lock/owner"


@pytest.fixture(scope="module")
def phones() -> Iterator[dict[str, Phone]]:
    names = ["pixel-7", "nexus-5"]
    standins = StandIns([PhoneOptions(name) for name in names])
    with PrivateAdbServer() as server, standins as started:
        for standin in started:
            server.connect(standin.serial)
        made = [Phone(standin, AdbServer(port=server.port)) for standin in started]
        yield dict(zip(names, made, strict=True))


@pytest.fixture
def phone(phones: dict[str, Phone]) -> Iterator[Phone]:
    yield phones["pixel-7"]
    phones["pixel-7"].transport().close()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """``machine("b")``: what follows happens on another machine, or as another user."""

    def change(name: str) -> None:
        monkeypatch.setenv("EDGESR_CACHE", str(tmp_path / name))

    change("a")
    return change


Machine = Callable[[str], None]


def make_old(path: Path) -> None:
    past = time.time() - 3600
    os.utime(path, (past, past))


@pytest.mark.parametrize("model", ["pixel-7", "nexus-5"])
@pytest.mark.usefixtures("machine")
def test_second_holder_on_this_machine(phones: dict[str, Phone], model: str) -> None:
    first, second = (PhoneLock(phones[model].transport(), KEY) for _ in range(2))
    first.acquire()
    with pytest.raises(DeviceBusyError, match="by another edgesr on this machine") as caught:
        second.acquire()
    assert phones[model].standin.serial in str(caught.value)
    first.release()
    assert not phones[model].owner.parent.exists()
    second.acquire()
    second.release()
    second.release()  # it is not held any more
    phones[model].transport().close()


@pytest.mark.usefixtures("machine")
def test_phones_have_locks_of_their_own(phones: dict[str, Phone]) -> None:
    pixel, nexus = (phones[name].transport() for name in ("pixel-7", "nexus-5"))
    with locked(pixel, "1"), locked(nexus, "2"):
        pass
    pixel.close()
    nexus.close()


HOLDER = """
import sys, time
from edgesr.device.adb import AdbServer
from edgesr.device.adb_transport import AdbTransport
from edgesr.device.lock import PhoneLock
lock = PhoneLock(AdbTransport(AdbServer(port=int(sys.argv[1])), sys.argv[2]), sys.argv[3])
lock.acquire()
print("taken", flush=True)
time.sleep(20)
"""


@pytest.mark.usefixtures("machine")
def test_holder_that_was_killed(phone: Phone) -> None:
    argv = [sys.executable, "-c", HOLDER, str(phone.server.port), phone.standin.serial, KEY]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "taken\n"
        with pytest.raises(DeviceBusyError, match="this machine"):
            PhoneLock(phone.transport(), KEY).acquire()
        holder.send_signal(signal.SIGKILL)
    assert phone.owner.exists()
    began = time.monotonic()
    with locked(phone.transport(), KEY):
        assert time.monotonic() - began < 3
        assert f"pid {os.getpid()}" in phone.owner.read_text()


def test_holder_on_another_machine(phone: Phone, machine: Machine) -> None:
    first, second = (PhoneLock(phone.transport(), KEY) for _ in range(2))
    first.acquire()
    machine("b")
    with pytest.raises(DeviceBusyError, match=rf"on another machine \(.* pid {os.getpid()}\)"):
        second.acquire()
    first.release()
    second.acquire()
    machine("a")
    with pytest.raises(DeviceBusyError):
        first.acquire()
    second.release()


def test_silent_holder_on_another_machine(phone: Phone, machine: Machine) -> None:
    first, second = (PhoneLock(phone.transport(), KEY) for _ in range(2))
    first.acquire()
    machine("b")
    make_old(phone.owner)
    second.acquire()
    noted = phone.owner.read_text()
    make_old(phone.owner)
    first._last_beat = -1e9
    with pytest.raises(DeviceBusyError, match="another machine"):
        first.beat()  # it wakes up, and is late
    first.release()
    assert phone.owner.read_text() == noted
    assert phone.owner.stat().st_mtime < time.time() - 600
    second.release()
    assert not phone.owner.parent.exists()


@pytest.mark.usefixtures("machine")
def test_beat(phone: Phone) -> None:
    lock = PhoneLock(phone.transport(), KEY)
    lock.beat()  # not held: nothing to do
    lock.acquire()
    make_old(phone.owner)
    asked = len(phone.standin.services())
    lock.beat()
    assert len(phone.standin.services()) == asked  # once a minute at most
    lock._last_beat -= 61
    lock.beat()
    assert phone.owner.stat().st_mtime > time.time() - 60
    lock.release()


@pytest.mark.usefixtures("machine")
def test_waiting_for_it(phone: Phone) -> None:
    first, second = (PhoneLock(phone.transport(), KEY) for _ in range(2))
    first.acquire()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            first.release()

    second.acquire(wait_s=60, pause=pause)
    assert pauses == [1.0, 1.0]
    began = time.monotonic()
    with pytest.raises(DeviceBusyError):
        first.acquire(wait_s=0.2, pause=lambda _: time.sleep(0.05))
    assert 0.2 <= time.monotonic() - began < 3
    second.release()


@pytest.mark.usefixtures("machine")
def test_waiting_can_be_interrupted(phone: Phone) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with locked(phone.transport(), KEY):
        with pytest.raises(KeyboardInterrupt):
            PhoneLock(phone.transport(), KEY).acquire(wait_s=60, pause=interrupt)
        assert phone.owner.exists()


@pytest.mark.usefixtures("machine")
def test_given_back_after_an_error(phone: Phone) -> None:
    transport = phone.transport()
    with pytest.raises(ZeroDivisionError), locked(transport, KEY):
        raise ZeroDivisionError
    assert not phone.owner.parent.exists()
    with locked(transport, KEY):
        pass


@pytest.mark.usefixtures("machine")
def test_a_phone_that_refuses_the_note_is_not_busy(phone: Phone) -> None:
    phone.owner.parent.parent.mkdir()
    phone.owner.parent.write_text("a file")
    lock = PhoneLock(phone.transport(), KEY)
    with pytest.raises(DeviceFileError, match=r"can't note who measures on it: mkdir"):
        lock.acquire()
    phone.owner.parent.unlink()
    lock.acquire()
    lock.release()


@pytest.mark.usefixtures("machine")
def test_phone_that_went_away(
    adb_server: PrivateAdbServer, make_phone: Callable[..., StandIn]
) -> None:
    standin = make_phone()
    transport = AdbTransport(AdbServer(port=adb_server.port), standin.serial)
    lock = PhoneLock(transport, KEY)
    lock.acquire()
    standin.unplug()
    lock._last_beat = -1e9
    lock.beat()
    lock.release()
    standin.replug()
    adb_server.connect(standin.serial)
    lock.acquire()
    lock.release()

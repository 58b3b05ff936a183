"""Waiting for a phone that went away: what comes back, what is lost, what is never repeated."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from edgesr.device.adb import AdbServer
from edgesr.device.adb_transport import AdbTransport
from edgesr.device.patient import Patience, PatientTransport
from edgesr.device.standin import PrivateAdbServer, StandIn
from edgesr.errors import DeviceBusyError, DeviceFileError, DeviceLostError, TransportError


class Watched:
    """Patience whose pauses are short and counted; ``then`` happens in the second one."""

    def __init__(self, wait_s: float = 20, then: Callable[[], object] = lambda: None) -> None:
        self.told: list[str] = []
        self._pauses, self._then = 0, then
        self.patience = Patience(wait_s, self._pause, self.told.append)

    def _pause(self, _: float) -> None:
        self._pauses += 1
        if self._pauses == 2:
            self._then()
        time.sleep(0.02)


@pytest.fixture
def make(adb_server: PrivateAdbServer, phone: StandIn) -> Callable[..., PatientTransport]:
    def transport(watched: Watched) -> PatientTransport:
        inner = AdbTransport(AdbServer(port=adb_server.port), phone.serial)
        inner.exists("/")  # it knows the phone's features
        return PatientTransport(inner, watched.patience)

    return transport


Make = Callable[[Watched], PatientTransport]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(bytes(range(256)) * 8000)
    return path


def files(phone: StandIn) -> list[str]:
    return sorted(path.name for path in (phone.scratch / "edgesr").rglob("*") if path.is_file())


def test_cut_in_mid_command(make: Make, phone: StandIn) -> None:
    transport = make(Watched())
    threading.Timer(0.2, phone.cut).start()
    done = transport.run(["sh", "-c", "echo begun; sleep 0.6; echo ended"], timeout_s=20)
    assert (done.exit_code, done.stdout) == (0, "begun\nended\n")


def test_unplugged_and_replugged(make: Make, phone: StandIn) -> None:
    watched = Watched(then=phone.replug)
    transport = make(watched)
    phone.unplug()
    assert transport.run(["echo", "hi"], timeout_s=10).stdout == "hi\n"
    assert len(watched.told) >= 2
    assert watched.told[0] == "away for 0 s, waiting"


def test_rebooted(make: Make, phone: StandIn, data: Path) -> None:
    transport = make(Watched())
    remote = transport.stage(data)
    phone.reboot(0.3)
    assert transport.exists(remote)


@pytest.mark.parametrize("keep_half", [False, True])
def test_push_that_broke_off(make: Make, phone: StandIn, data: Path, keep_half: bool) -> None:
    watched = Watched(then=phone.accept)
    transport = make(watched)
    phone.cut_after(1 << 20, refuse=True, keep_half=keep_half)
    remote = transport.stage(data)
    assert watched.told
    assert files(phone) == [Path(remote).name]
    assert (phone.root / remote.lstrip("/")).read_bytes() == data.read_bytes()
    assert transport.inner.pushed_bytes == data.stat().st_size


def test_staged_files_are_looked_for_again(make: Make, phone: StandIn, data: Path) -> None:
    transport = make(Watched())
    remote = transport.stage(data)
    (phone.root / remote.lstrip("/")).unlink()
    phone.cut()
    assert transport.exists("/")
    assert transport.stage(data) == remote
    assert transport.exists(remote)


def test_adb_server_killed(
    make: Make, phone: StandIn, adb_server: PrivateAdbServer, tmp_path: Path
) -> None:
    """It is started again, and the phone connected again, which a new server doesn't know."""
    transport = make(Watched())
    (tmp_path / "f").write_text("x")
    transport.push(tmp_path / "f", f"{transport.folder}/f")
    adb_server.kill()
    transport.pull(f"{transport.folder}/f", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "x"
    assert adb_server.states() == {phone.serial: "device"}


def test_adb_server_killed_in_mid_command(make: Make, adb_server: PrivateAdbServer) -> None:
    transport = make(Watched())
    threading.Timer(0.2, adb_server.kill).start()
    assert transport.run(["sleep", "0.6"], timeout_s=20).exit_code == 0


def test_phone_that_stays_away(make: Make, phone: StandIn) -> None:
    watched = Watched(wait_s=0.3)
    transport = make(watched)
    phone.unplug()
    began = time.monotonic()
    with pytest.raises(DeviceLostError, match=r"did not come back within 0\.3 s: ") as caught:
        transport.run(["true"], timeout_s=5)
    assert time.monotonic() - began < 5
    assert phone.serial in str(caught.value)
    assert "--resume" in caught.value.hint
    assert watched.told
    phone.replug()
    again = PatientTransport(transport.inner, Watched().patience)
    assert again.run(["true"], timeout_s=5).exit_code == 0


def test_what_the_phone_refuses_is_not_repeated(make: Make, phone: StandIn, data: Path) -> None:
    watched = Watched()
    transport = make(watched)
    phone.push_error("Input/output error")
    with pytest.raises(DeviceFileError, match="Input/output error"):
        transport.push(data, f"{transport.folder}/f")
    assert phone.services().count("sync:") == 1
    with pytest.raises(DeviceFileError):
        transport.pull(f"{transport.folder}/f", data.parent / "back")
    assert phone.services().count("sync:") == 2
    assert watched.told == []


def test_a_slow_command_is_not_repeated(make: Make, phone: StandIn) -> None:
    transport = make(Watched())
    before = len(phone.services())
    assert transport.run(["sleep", "60"], timeout_s=0.3).exit_code is None
    assert sum("sleep" in name for name in phone.services()[before:]) == 1


def test_interrupted_while_waiting(make: Make, phone: StandIn) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    transport = make(Watched(then=interrupt))
    phone.unplug()
    with pytest.raises(KeyboardInterrupt):
        transport.run(["true"], timeout_s=5)


def test_closing_does_not_wait(make: Make, phone: StandIn) -> None:
    watched = Watched()
    transport = make(watched)
    phone.unplug()
    transport.close()
    assert watched.told == []


class Flaky:
    """Stands for an `AdbTransport` that answers, and whose pulls go wrong."""

    name, serial, folder = "flaky", "R58M12ABCDE", "/folder"
    server = AdbServer("192.0.2.1", 1)  # on another machine: nothing to start here

    def __init__(self, error: TransportError, times: int) -> None:
        self.error, self.left, self.tried = error, times, 0

    def pull(self, _: str, __: Path) -> None:
        self.tried += 1
        if self.left:
            self.left -= 1
            raise self.error

    def booted(self) -> bool:
        return True

    def forget_staged(self) -> None:
        pass


def pull(flaky: Flaky) -> None:
    transport = PatientTransport(cast(AdbTransport, flaky), Watched(wait_s=0).patience)
    transport.pull("remote", Path("local"))


def test_a_step_that_always_breaks_the_link_is_given_up() -> None:
    flaky = Flaky(TransportError("it broke"), 99)
    with pytest.raises(TransportError, match="it broke"):
        pull(flaky)
    assert 2 <= flaky.tried <= 5


def test_a_step_that_breaks_it_twice_is_done() -> None:
    flaky = Flaky(TransportError("it broke"), 2)
    pull(flaky)
    assert flaky.tried == 3


@pytest.mark.parametrize("kind", [DeviceFileError, DeviceBusyError])
def test_an_answer_is_no_broken_link(kind: type[TransportError]) -> None:
    flaky = Flaky(kind("no"), 1)
    with pytest.raises(kind):
        pull(flaky)
    assert flaky.tried == 1

"""What every way to a device has to keep, and what adb alone can get wrong."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgesr.device import adb_transport
from edgesr.device.adb import AdbServer
from edgesr.device.adb_transport import AdbTransport
from edgesr.device.host import HostTransport
from edgesr.device.patient import Patience, PatientTransport
from edgesr.device.standin import PhoneOptions, PrivateAdbServer, StandIn, StandIns
from edgesr.device.transport import Transport
from edgesr.errors import DeviceFileError, TransportError
from tests.device.waiting import until

DATA_AS_IS = [
    "two words", "it's", 'quo"te', "semi;colon", "$(id)", "`id`", "line\nbreak", "tab\there", "*",
    "~", "", "-n", "back\\slash\\n", "a&b|c>d<e", "$HOME", "Größe", "🙂", "%s", "#no", "!", "{1,2}",
]  # fmt: skip
ODD_NAMES = ["a b.bin", "it's.bin", 'quo"te.bin', "semi;colon.bin", "$(id).bin", "Größe-ä.bin"]
SIZES = {"empty": b"", "large": os.urandom(3 << 20)}


@dataclass(frozen=True)
class Lab:
    """An adb server and two phones for all tests that leave them sound."""

    server: PrivateAdbServer
    new: StandIn
    old: StandIn

    def transport(self, phone: StandIn) -> AdbTransport:
        self.server.connect(phone.serial)
        return AdbTransport(AdbServer(port=self.server.port), phone.serial)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    phones = StandIns([PhoneOptions("pixel-7"), PhoneOptions("nexus-5")])
    with PrivateAdbServer() as server, phones as (new, old):
        yield Lab(server, new, old)


@dataclass(frozen=True)
class Way:
    """A transport and the phone behind it, if any."""

    transport: Transport
    phone: StandIn | None

    def left_on_phone(self) -> list[str]:
        return sorted(path.name for path in self.phone.scratch.iterdir()) if self.phone else []


def _way(name: str, lab: Lab) -> Way:
    if name == "host":
        return Way(HostTransport(), None)
    phone = lab.old if name == "adb-old" else lab.new
    inner = lab.transport(phone)
    patient = PatientTransport(inner, Patience(wait_s=0))
    return Way(patient if name == "patient" else inner, phone)


@pytest.fixture(params=["host", "adb", "adb-old", "patient"])
def way(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Way]:
    made = _way(request.param, lab)
    before = made.left_on_phone()
    yield made
    made.transport.close()
    assert made.left_on_phone() == before


@pytest.fixture
def adb(lab: Lab) -> Iterator[AdbTransport]:
    """The new phone, which a test may harm."""
    made = lab.transport(lab.new)
    yield made
    for line in ("thaw", "push_error", "disk_full", "accept"):
        lab.new.control(line)
    lab.server.connect(lab.new.serial)
    made.close()


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link soon counts as frozen."""
    monkeypatch.setattr(adb_transport, "_PROBE_TIMEOUT_S", 0.4)
    monkeypatch.setattr(adb_transport, "_FILE_TIMEOUT_S", 0.4)
    monkeypatch.setattr(adb_transport, "_SLOWEST", 1e9)


def running(word: str) -> list[int]:
    """Processes of this machine that have a word among their arguments."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if word.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def below(transport: Transport, name: str) -> str:
    return f"{transport.folder}/{name}"


@contextlib.contextmanager
def after(seconds: float, action: Callable[[], object]) -> Iterator[None]:
    timer = threading.Timer(seconds, action)
    timer.start()
    try:
        yield
    finally:
        timer.join()


# ---- commands


def test_exit_codes(way: Way, request: pytest.FixtureRequest) -> None:
    step = 1 if request.node.callspec.params["way"] in {"host", "adb"} else 15  # 255 included

    def code(number: int) -> int | None:
        return way.transport.run(["sh", "-c", f"exit {number}"], timeout_s=20).exit_code

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(code, range(0, 256, step))) == list(range(0, 256, step))


def test_a_signal_is_an_exit_code(way: Way) -> None:
    assert way.transport.run(["sh", "-c", "kill -ABRT $$"], timeout_s=10).exit_code == 134


def test_absent_program(way: Way) -> None:
    done = way.transport.run(["no-such-program", "x"], timeout_s=10)
    assert done.exit_code == 127
    assert "no-such-program" in done.stderr


def test_streams_are_apart(way: Way) -> None:
    done = way.transport.run(["sh", "-c", "echo out; echo err >&2; exit 7"], timeout_s=10)
    assert (done.exit_code, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert 0 < done.seconds < 10


def test_output_without_a_line_end(way: Way) -> None:
    done = way.transport.run(["printf", "a\\r\\nb"], timeout_s=10)
    assert (done.stdout, done.stderr) == ("a\r\nb", "")


def test_undecodable_bytes_are_replaced(way: Way) -> None:
    done = way.transport.run(["sh", "-c", r"printf '\377x'; printf '\376y' >&2"], timeout_s=10)
    assert (done.stdout, done.stderr) == ("\ufffdx", "\ufffdy")


def test_a_megabyte_on_both_streams(way: Way) -> None:
    text = "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2"
    done = way.transport.run(["sh", "-c", text], timeout_s=30)
    assert done.exit_code == 0
    assert (len(done.stdout), len(done.stderr)) == (1_000_000, 1_000_000)


def test_arguments_are_data(way: Way) -> None:
    done = way.transport.run(["printf", "[%s]\\n", *DATA_AS_IS], timeout_s=10)
    assert done.stdout == "".join(f"[{word}]\n" for word in DATA_AS_IS)


def test_program_whose_name_is_odd(way: Way, tmp_path: Path) -> None:
    local = tmp_path / "tool"
    local.write_text("#!/bin/sh\necho tool\n")
    remote = below(way.transport, "it's $(my) tool;")
    way.transport.push(local, remote)
    way.transport.run(["chmod", "755", remote], timeout_s=10)
    done = way.transport.run(["sh", remote], timeout_s=10)
    assert (done.exit_code, done.stdout) == (0, "tool\n")


def test_there_is_no_input(way: Way) -> None:
    done = way.transport.run(["cat"], timeout_s=5)
    assert (done.exit_code, done.stdout) == (0, "")


@pytest.mark.parametrize("way", ["host", "adb", "adb-old"], indirect=True)
def test_total_time_out(way: Way) -> None:
    """Also of a command that prints without end: no single read takes long."""
    word = f"slow-{os.urandom(4).hex()}"
    text = f"while :; do echo tick; sleep 0.02; done; : {word}"
    began = time.monotonic()
    done = way.transport.run(["sh", "-c", text], timeout_s=0.5)
    assert done.exit_code is None
    assert done.stdout.startswith("tick\ntick\n")
    assert 0.5 <= done.seconds <= time.monotonic() - began < 4
    until(lambda: not running(word))
    if way.phone:
        until(lambda: way.phone and not way.phone.processes())


def test_total_time_out_of_a_silent_command(lab: Lab) -> None:
    for transport in (HostTransport(), lab.transport(lab.new)):
        done = transport.run(["sleep", "60"], timeout_s=0.3)
        assert (done.exit_code, done.stdout, done.stderr) == (None, "", "")
        assert 0.3 <= done.seconds < 4


@pytest.mark.parametrize("way", ["host", "adb"], indirect=True)
def test_interruption_ends_the_command(way: Way) -> None:
    word = f"slow-{os.urandom(4).hex()}"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            way.transport.run(["sh", "-c", f"sleep 60; : {word}"], timeout_s=30)
    finally:
        signal.signal(signal.SIGALRM, former)
    until(lambda: not running(word))


def test_host_does_not_wait_for_a_child_that_left_the_group() -> None:
    began = time.monotonic()
    text = "echo begun; setsid sleep 9.75 & sleep 60"
    done = HostTransport().run(["sh", "-c", text], timeout_s=0.3)
    assert (done.exit_code, done.stdout) == (None, "begun\n")
    assert time.monotonic() - began < 5
    for pid in running("9.75"):
        os.kill(pid, signal.SIGKILL)


# ---- files


@pytest.mark.parametrize("size", SIZES)
def test_push_and_pull(way: Way, size: str, tmp_path: Path) -> None:
    local, back = tmp_path / "there", tmp_path / "new folder" / "back"
    local.write_bytes(SIZES[size])
    remote = below(way.transport, "deep/er/file")
    way.transport.push(local, remote)
    assert way.transport.exists(remote)
    way.transport.pull(remote, back)
    assert back.read_bytes() == SIZES[size]
    listed = way.transport.run(["ls", "-A", below(way.transport, "deep/er")], timeout_s=10)
    assert listed.stdout == "file\n"


def test_odd_names(way: Way, tmp_path: Path) -> None:
    folder = below(way.transport, "o'dd $(fold)er;")
    for name in ODD_NAMES:
        (tmp_path / name).write_text(name)
        way.transport.push(tmp_path / name, f"{folder}/{name}")
        way.transport.pull(f"{folder}/{name}", tmp_path / "back")
        assert (tmp_path / "back").read_text() == name
    text = 'for file in "$1"/*; do echo "${file##*/}"; done'
    listed = way.transport.run(["sh", "-c", text, "sh", folder], timeout_s=10)
    assert sorted(listed.stdout.splitlines()) == sorted(ODD_NAMES)
    way.transport.remove(f"{folder}/{ODD_NAMES[4]}")
    assert not way.transport.exists(f"{folder}/{ODD_NAMES[4]}")
    assert way.transport.exists(f"{folder}/{ODD_NAMES[3]}")


def test_push_replaces(way: Way, tmp_path: Path) -> None:
    remote = below(way.transport, "f")
    for text in ("first, and longer", "second"):
        (tmp_path / "f").write_text(text)
        way.transport.push(tmp_path / "f", remote)
    way.transport.pull(remote, tmp_path / "back")
    assert (tmp_path / "back").read_text() == "second"


@pytest.mark.parametrize("what", ["nothing", "folder"])
def test_pull_of_what_is_no_file(way: Way, what: str, tmp_path: Path) -> None:
    remote = below(way.transport, what)
    if what == "folder":
        way.transport.run(["mkdir", "-p", remote], timeout_s=10)
    with pytest.raises(DeviceFileError, match=what):
        way.transport.pull(remote, tmp_path / "local")
    assert list(tmp_path.iterdir()) == []


def test_failed_pull_keeps_the_older_file(way: Way, tmp_path: Path) -> None:
    (tmp_path / "local").write_text("older")
    with pytest.raises(DeviceFileError):
        way.transport.pull(below(way.transport, "nothing"), tmp_path / "local")
    assert (tmp_path / "local").read_text() == "older"


def test_remove_and_exists(way: Way, tmp_path: Path) -> None:
    transport = way.transport
    (tmp_path / "f").write_text("x")
    for name in ("alone", "folder/f", "folder/deep/g"):
        transport.push(tmp_path / "f", below(transport, name))
    for name in ("alone", "folder"):
        assert transport.exists(below(transport, name))
        for _ in range(2):  # the second time it is absent
            transport.remove(below(transport, name))
        assert not transport.exists(below(transport, name))


def test_stage(way: Way, tmp_path: Path) -> None:
    model = tmp_path / "my model.tflite"
    model.write_bytes(b"old weights")
    first = way.transport.stage(model)
    assert first.endswith(".tflite")
    assert way.transport.run(["cat", first], timeout_s=10).stdout == "old weights"
    model.write_bytes(b"new weights")  # of equal size
    second = way.transport.stage(model)
    assert way.transport.run(["cat", second], timeout_s=10).stdout == "new weights"
    assert (first != second) == (way.phone is not None)


def test_close_leaves_nothing_and_may_be_repeated(way: Way, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    folder = way.transport.folder
    way.transport.push(tmp_path / "f", f"{folder}/f")
    probe = way.transport
    way.transport.close()
    assert not probe.exists(folder)
    way.transport.close()


# ---- adb: what is sent


def pushes(phone: StandIn) -> int:
    return phone.services().count("sync:")


@pytest.mark.parametrize("old", [False, True])
def test_same_content_is_pushed_once(lab: Lab, old: bool, tmp_path: Path) -> None:
    phone = lab.old if old else lab.new
    transport = lab.transport(phone)
    for name in ("a.tflite", "b.tflite"):
        (tmp_path / name).write_bytes(b"x" * 5000)
    try:
        assert transport.stage(tmp_path / "a.tflite") == transport.stage(tmp_path / "b.tflite")
        transport.stage(tmp_path / "a.tflite")
        assert transport.pushed_bytes == 5000
        if not old:  # one without sha256sum can't tell what it has
            before = pushes(phone)
            lab.transport(phone).stage(tmp_path / "a.tflite")
            assert pushes(phone) == before
    finally:
        transport.close()


def test_a_staged_file_that_was_damaged_is_pushed_again(
    lab: Lab, adb: AdbTransport, tmp_path: Path
) -> None:
    (tmp_path / "m.tflite").write_bytes(b"right")
    remote = adb.stage(tmp_path / "m.tflite")
    (lab.new.root / remote.lstrip("/")).write_bytes(b"wrong")
    adb.forget_staged()
    adb.stage(tmp_path / "m.tflite")
    assert (lab.new.root / remote.lstrip("/")).read_bytes() == b"right"


def test_threads_stage_one_file_once(adb: AdbTransport, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"x" * 1000)
    with ThreadPoolExecutor(4) as pool:
        names = set(pool.map(adb.stage, [tmp_path / "m.tflite"] * 4))
    assert len(names) == 1
    assert adb.pushed_bytes == 1000


# ---- adb: what goes wrong


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(SIZES["large"])
    return path


def files(phone: StandIn) -> list[str]:
    """Names of the files in edgesr's folder of a phone."""
    folder = phone.scratch / "edgesr"
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("keep_half", [False, True])
def test_link_cut_in_mid_push(lab: Lab, adb: AdbTransport, data: Path, keep_half: bool) -> None:
    adb.exists("/")  # it knows the phone's features
    remote = below(adb, "f")
    lab.new.cut_after(1 << 20, refuse=True, keep_half=keep_half)
    with pytest.raises(TransportError) as caught:
        adb.push(data, remote)
    assert not isinstance(caught.value, DeviceFileError)
    if keep_half:
        half = until(lambda: files(lab.new))
        assert len(half) == 1
        assert half[0].endswith(".part")
    lab.new.accept()
    lab.server.connect(lab.new.serial)
    adb.push(data, remote)
    assert files(lab.new) == ["f"]
    assert (lab.new.scratch / "edgesr/f").read_bytes() == SIZES["large"]


def test_link_cut_in_mid_pull(lab: Lab, adb: AdbTransport, data: Path, tmp_path: Path) -> None:
    adb.push(data, below(adb, "f"))
    lab.new.cut_after(130)  # the request, and its acknowledgement of the first megabyte
    with pytest.raises(TransportError):
        adb.pull(below(adb, "f"), tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("old", [False, True])
def test_link_cut_in_mid_command(lab: Lab, old: bool) -> None:
    phone = lab.old if old else lab.new
    transport = lab.transport(phone)
    transport.exists("/")
    with after(0.3, phone.cut), pytest.raises(TransportError, match=phone.serial):
        transport.run(["sh", "-c", "echo begun; sleep 60"], timeout_s=20)
    until(lambda: not phone.processes())


def test_refused_push(lab: Lab, adb: AdbTransport, data: Path) -> None:
    lab.new.push_error("Input/output error")
    with pytest.raises(DeviceFileError, match="Input/output error"):
        adb.push(data, below(adb, "f"))
    assert files(lab.new) == []
    lab.new.push_error()
    adb.push(data, below(adb, "f"))
    assert files(lab.new) == ["f"]


def test_full_disk(lab: Lab, adb: AdbTransport, data: Path) -> None:
    adb.exists("/")
    lab.new.disk_full(1 << 20)
    with pytest.raises(DeviceFileError, match="No space left on device") as caught:
        adb.stage(data)
    assert "edgesr devices clean" in caught.value.hint
    assert files(lab.new) == []


def test_folder_that_can_not_be_made(adb: AdbTransport, data: Path) -> None:
    adb.push(data, below(adb, "f"))
    with pytest.raises(DeviceFileError, match="can't make a folder: mkdir"):
        adb.push(data, below(adb, "f/g"))


@pytest.mark.usefixtures("hurry")
def test_frozen_link(lab: Lab, adb: AdbTransport, data: Path, tmp_path: Path) -> None:
    adb.push(data, below(adb, "f"))
    steps: list[Callable[[], object]] = [
        lambda: adb.run(["true"], timeout_s=0.3),
        lambda: adb.push(data, below(adb, "g")),
        lambda: adb.pull(below(adb, "f"), tmp_path / "back"),
        lambda: adb.exists(below(adb, "f")),
    ]
    lab.new.freeze()
    for step in steps:
        began = time.monotonic()
        with pytest.raises(TransportError, match="did not answer within"):
            step()
        assert time.monotonic() - began < 3
    lab.new.thaw()
    assert adb.run(["echo", "hi"], timeout_s=10).stdout == "hi\n"
    adb.pull(below(adb, "f"), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == SIZES["large"]


@pytest.mark.usefixtures("hurry")
def test_link_that_freezes_in_mid_push(lab: Lab, adb: AdbTransport, data: Path) -> None:
    send = adb._send

    def freeze(data: bytes, remote: str) -> None:
        lab.new.freeze()
        send(data, remote)

    adb._send = freeze  # type: ignore[method-assign]
    with pytest.raises(TransportError, match="did not answer within"):
        adb.push(data, below(adb, "f"))
    lab.new.thaw()
    adb._send = send  # type: ignore[method-assign]
    assert not adb.exists(below(adb, "f"))


def flip_a_byte(transport: AdbTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    send = transport._send

    def damaged(content: bytes, remote: str) -> None:
        send(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:], remote)

    monkeypatch.setattr(transport, "_send", damaged)


@pytest.mark.parametrize("old", [False, True])
def test_damaged_transfer_is_noticed(
    lab: Lab, old: bool, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = lab.old if old else lab.new
    transport = lab.transport(phone)
    flip_a_byte(transport, monkeypatch)
    for step in (transport.stage, lambda path: transport.push(path, below(transport, "f"))):
        with pytest.raises(DeviceFileError, match="damaged"):
            step(data)
    assert files(phone) == []
    assert transport.pushed_bytes == 0
    transport.close()


def test_adb_server_killed(adb_server: PrivateAdbServer, phone: StandIn, tmp_path: Path) -> None:
    transport = AdbTransport(AdbServer(port=adb_server.port), phone.serial)
    transport.exists("/")
    with after(0.3, adb_server.kill), pytest.raises(TransportError, match="broke"):
        transport.run(["sleep", "60"], timeout_s=20)
    for step in (
        lambda: transport.run(["true"], timeout_s=5),
        lambda: transport.push(Path(__file__), below(transport, "f")),
        lambda: transport.pull(below(transport, "f"), tmp_path / "f"),
        transport.attached,
    ):
        with pytest.raises(TransportError, match="no adb server answers at 127"):
            step()
    transport.close()  # as far as it can be reached
    until(lambda: not phone.processes())


def test_phone_that_waits_for_allow(
    adb_server: PrivateAdbServer, make_phone: Callable[..., StandIn]
) -> None:
    phone = make_phone(unauthorized=True)
    transport = AdbTransport(AdbServer(port=adb_server.port), phone.serial)
    with pytest.raises(TransportError, match="unauthorized") as caught:
        transport.run(["true"], timeout_s=5)
    message = str(caught.value)
    assert phone.serial in message
    assert "\n" not in message
    assert not transport.attached()


def test_phone_that_is_absent(lab: Lab) -> None:
    transport = AdbTransport(AdbServer(port=lab.server.port), "R58M12ABCDE")
    with pytest.raises(TransportError, match="device 'R58M12ABCDE' not found"):
        transport.run(["true"], timeout_s=5)


def test_a_command_that_adb_can_not_carry(adb: AdbTransport) -> None:
    with pytest.raises(TransportError, match="longer than adb can carry"):
        adb.run(["echo", "x" * 70_000], timeout_s=5)
    assert adb.run(["echo", "x" * 60_000], timeout_s=5).stdout == "x" * 60_000 + "\n"

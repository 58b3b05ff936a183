"""adb servers: what they list, which one is meant, and that none is started by accident."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgesr.device import adb
from edgesr.device.adb import (
    AdbServer,
    Deadline,
    adb_allowed,
    adb_program,
    default_servers,
    parse_devices,
)
from edgesr.device.standin.adb_server import find_adb
from edgesr.errors import LinkTimeoutError, TransportError, UsageError

SERVER = AdbServer()
NO_PERMISSIONS = (
    "no permissions (user in plugdev group; are your udev rules wrong?); "
    "see [http://developer.android.com/tools/device.html]"
)
MISSING_RULES = (
    "no permissions (missing udev rules? user is in the plugdev group); "
    "see [http://developer.android.com/tools/device.html]"
)
PIXEL_TAGS = "product:panther model:Pixel_7 device:panther transport_id:1"
PIXEL = {"product": "panther", "model": "Pixel_7", "device": "panther", "transport_id": "1"}


@pytest.mark.parametrize(
    ("line", "serial", "state", "tags"),
    [
        (
            f"2A251FDH2000AB         device usb:1-1.2 {PIXEL_TAGS}",
            "2A251FDH2000AB", "device", {"usb": "1-1.2", **PIXEL},
        ),
        (
            f"192.168.1.23:5555      device {PIXEL_TAGS}",
            "192.168.1.23:5555", "device", PIXEL,
        ),
        ("emulator-5554          offline transport_id:1", "emulator-5554", "offline",
         {"transport_id": "1"}),
        ("R58M12ABCDE            unauthorized usb:1-2 transport_id:4", "R58M12ABCDE",
         "unauthorized", {"usb": "1-2", "transport_id": "4"}),
        ("R58M12ABCDE            authorizing usb:1-2 transport_id:4", "R58M12ABCDE",
         "authorizing", {"usb": "1-2", "transport_id": "4"}),
        (f"????????????           {NO_PERMISSIONS} usb:1-1 transport_id:3", "????????????",
         NO_PERMISSIONS, {"usb": "1-1", "transport_id": "3"}),
        (f"R58M12ABCDE            {NO_PERMISSIONS}  usb:1-1 transport_id:3", "R58M12ABCDE",
         NO_PERMISSIONS, {"usb": "1-1", "transport_id": "3"}),
        (f"R58M12ABCDE            {MISSING_RULES} usb:3-4 transport_id:2", "R58M12ABCDE",
         MISSING_RULES, {"usb": "3-4", "transport_id": "2"}),
        ("R58M12ABCDE            no permissions usb:1-1", "R58M12ABCDE", "no permissions",
         {"usb": "1-1"}),
        ("(no serial number)     device usb:1-1 transport_id:5", "(no serial number)", "device",
         {"usb": "1-1", "transport_id": "5"}),
        ("adb-2A251FDH2000AB-xYz123._adb-tls-connect._tcp device transport_id:6",
         "adb-2A251FDH2000AB-xYz123._adb-tls-connect._tcp", "device", {"transport_id": "6"}),
        ("adb-2A251FDH2000AB-xYz123 (2)._adb-tls-connect._tcp offline transport_id:6",
         "adb-2A251FDH2000AB-xYz123 (2)._adb-tls-connect._tcp", "offline",
         {"transport_id": "6"}),
        ("[fe80::1%eth0]:5555    connecting transport_id:7", "[fe80::1%eth0]:5555",
         "connecting", {"transport_id": "7"}),
        ("0123456789ABCDEF\tdevice", "0123456789ABCDEF", "device", {}),
        ("R58M12ABCDE            bootloader", "R58M12ABCDE", "bootloader", {}),
        *[(f"R58M12ABCDE            {state} usb:1-1 transport_id:9", "R58M12ABCDE", state,
           {"usb": "1-1", "transport_id": "9"})
          for state in ("host", "recovery", "rescue", "sideload", "detached", "unknown")],
    ],
)  # fmt: skip
def test_device_lines(line: str, serial: str, state: str, tags: dict[str, str]) -> None:
    (found,) = parse_devices(f"{line}\n", SERVER)
    assert (found.serial, found.state, found.tags) == (serial, state, tags)
    assert found.usable == (state == "device")
    assert found.server is SERVER


@pytest.mark.parametrize("text", ["", "\n", "\n\n", "R58M12ABCDE\n"])
def test_no_devices(text: str) -> None:
    assert parse_devices(text, SERVER) == []


def test_several_devices_keep_their_order() -> None:
    text = "b device\na offline\nc unauthorized\n"
    found = [(it.serial, it.state) for it in parse_devices(text, SERVER)]
    assert found == [("b", "device"), ("a", "offline"), ("c", "unauthorized")]


# ---- which server

VARIABLES = (
    "ADB_SERVER_SOCKET", "ANDROID_ADB_SERVER_HOST", "ANDROID_ADB_SERVER_ADDRESS",
    "ANDROID_ADB_SERVER_PORT",
)  # fmt: skip


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("name", "server"),
    [
        ("farm:5038", AdbServer("farm", 5038)),
        ("192.168.1.5:5037", AdbServer("192.168.1.5", 5037)),
        ("tcp:farm:5038", AdbServer("farm", 5038)),
        ("farm", AdbServer("farm", 5037)),
        ("[::1]:5038", AdbServer("::1", 5038)),
        ("[fe80::1%eth0]", AdbServer("fe80::1%eth0", 5037)),
    ],
)
def test_named_server(name: str, server: AdbServer) -> None:
    assert default_servers([name]) == [server]
    assert default_servers([str(server)]) == [server]


@pytest.mark.parametrize(
    "name",
    ["", ":5037", "farm:", "farm:x", "farm:0", "farm:65536", "farm:-1", "::1", "a b:1", "[:1"],
)
def test_name_that_is_no_server(name: str) -> None:
    with pytest.raises(UsageError, match=r"--adb-server .* is no HOST:PORT") as caught:
        default_servers([name])
    assert "192.168.1.5:5037" in caught.value.hint


def test_a_server_named_twice_is_one(plain: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    servers = [AdbServer("b", 1), AdbServer("a", 5037)]
    assert default_servers(["b:1", "a", "b:1", "a:5037"]) == servers


@pytest.mark.parametrize(
    ("variables", "server"),
    [
        ({}, AdbServer("127.0.0.1", 5037)),
        ({"ANDROID_ADB_SERVER_PORT": "5038"}, AdbServer("127.0.0.1", 5038)),
        ({"ANDROID_ADB_SERVER_ADDRESS": "farm"}, AdbServer("farm", 5037)),
        ({"ANDROID_ADB_SERVER_HOST": "farm", "ANDROID_ADB_SERVER_PORT": ""},
         AdbServer("farm", 5037)),
        ({"ADB_SERVER_SOCKET": "tcp:farm:5039", "ANDROID_ADB_SERVER_PORT": "1"},
         AdbServer("farm", 5039)),
        ({"ADB_SERVER_SOCKET": "tcp:5039"}, AdbServer("127.0.0.1", 5039)),
    ],
)  # fmt: skip
def test_server_of_the_environment(
    plain: pytest.MonkeyPatch, variables: dict[str, str], server: AdbServer
) -> None:
    for name, value in variables.items():
        plain.setenv(name, value)
    assert default_servers() == [server]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANDROID_ADB_SERVER_PORT", "five"),
        ("ANDROID_ADB_SERVER_PORT", "99999"),
        ("ADB_SERVER_SOCKET", "localfilesystem:/run/adb"),
    ],
)
def test_environment_that_makes_no_sense(plain: pytest.MonkeyPatch, name: str, value: str) -> None:
    plain.setenv(name, value)
    with pytest.raises(UsageError, match=name):
        default_servers()


# ---- which program


def test_edgesr_adb_off(no_adb: None) -> None:  # noqa: ARG001
    assert not adb_allowed()
    assert adb_program() is None


def test_edgesr_adb_names_a_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGESR_ADB", str(tmp_path / "adb"))
    assert adb_allowed()
    assert adb_program() is None
    (tmp_path / "adb").touch()
    assert adb_program() == tmp_path / "adb"


def test_adb_of_the_path_goes_before_that_of_adbutils(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("EDGESR_ADB")
    monkeypatch.setenv("PATH", str(tmp_path))
    bundled = adb_program()
    assert bundled is None or bundled.is_file()
    (tmp_path / "adb").touch(mode=0o755)
    assert adb_program() == tmp_path / "adb"


# ---- servers that answer, or don't


def dead_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*argv: object, **_: object) -> None:
        raise AssertionError(f"a process is started: {argv}")

    monkeypatch.setattr(subprocess, "Popen", refuse)


@pytest.mark.usefixtures("no_processes")
def test_asking_a_dead_port_starts_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGESR_ADB")
    server = AdbServer(port=dead_port())
    steps: list[Callable[[], Any]] = [
        server.version,
        server.list_devices,
        lambda: server.features("x"),
        lambda: server.service("x", "shell:true", Deadline(1)).__enter__(),
    ]
    for step in steps:
        with pytest.raises(TransportError, match=f"no adb server answers at {server}") as caught:
            step()
        assert "doctor" in caught.value.hint
    assert not server.connect("127.0.0.1:1")
    assert not server.running()


@pytest.mark.usefixtures("no_processes")
def test_starting_without_a_program() -> None:
    with pytest.raises(TransportError, match="no adb program") as caught:
        AdbServer(port=dead_port()).start()
    assert "EDGESR_ADB" in caught.value.hint


@pytest.mark.usefixtures("no_processes")
def test_a_server_elsewhere_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AdbServer, "running", lambda _: False)
    with pytest.raises(TransportError, match="no adb server answers at farm:5038") as caught:
        AdbServer("farm", 5038).start()
    assert "-P 5038" in caught.value.hint


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo noise >&2; echo '* cannot bind: Permission denied' >&2; exit 1", "cannot bind"),
        ("exit 0", "it does not answer"),
    ],
)
def test_program_that_starts_no_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, why: str
) -> None:
    program = tmp_path / "adb"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("EDGESR_ADB", str(program))
    with pytest.raises(TransportError, match=f"can't be started: .*{why}"):
        AdbServer(port=dead_port()).start()


def test_start_and_start_again(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    plain: pytest.MonkeyPatch,  # noqa: ARG001
) -> None:
    program = find_adb()
    monkeypatch.setenv("EDGESR_ADB", str(program))
    for name in ("HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("ADB_USB", "ADB_MDNS", "ADB_EMU"):
        monkeypatch.setenv(name, "0")
    server = AdbServer(port=dead_port())
    try:
        server.start()
        monkeypatch.setattr(subprocess, "Popen", None)
        server.start()
        monkeypatch.undo()
        assert server.version() >= 41
        assert server.list_devices() == []
        with pytest.raises(TransportError, match=r"^R58M12ABCDE: device 'R58M12ABCDE' not found$"):
            server.features("R58M12ABCDE")
        assert not server.connect("127.0.0.1:1")
    finally:
        kill = [str(program), "-P", str(server.port), "kill-server"]
        subprocess.run(kill, capture_output=True, check=False, timeout=10)
    assert not server.running()


@contextlib.contextmanager
def answering(*answer: bytes, hold: bool = False) -> Iterator[AdbServer]:
    """A server that takes one request, says something and hangs up, or does not."""
    released = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                for part in answer:
                    connection.sendall(part)
                if hold:
                    released.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield AdbServer(port=listener.getsockname()[1])
        finally:
            released.set()
            thread.join()


def test_answer_in_pieces() -> None:
    with answering(b"OK", b"AY00", b"11a\tdev", b"ice\nb offline") as server:
        assert [it.serial for it in server.list_devices()] == ["a", "b"]


UNAUTHORIZED = (
    b"device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\n"
    b"Try 'adb kill-server' if that seems wrong.\n"
)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is no adb server: it says b'HTTP'"),
        (b"OKAYzzzz", "is no adb server: it says b'zzzz'"),
        (b"FAIL0000", "adb gives no reason"),
        (b"", "the connection to x broke"),
        (b"OKAY0010half", "the connection to x broke"),
        (
            b"FAIL%04x" % len(UNAUTHORIZED) + UNAUTHORIZED,
            r"^x: device unauthorized\. This .* is not set Try .* if that seems wrong\.$",
        ),
    ],
)
def test_answers_that_are_none(answer: bytes, message: str) -> None:
    with answering(answer) as server, pytest.raises(TransportError, match=message) as caught:
        server.features("x")
    assert not isinstance(caught.value, LinkTimeoutError)


def test_answer_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adb, "_QUERY_TIMEOUT_S", 0.2)
    with (
        answering(b"OKAY00", hold=True) as server,
        pytest.raises(LinkTimeoutError, match=r"the adb server did not answer within 0\.2 s"),
    ):
        server.version()


def test_server_of_another_address_family() -> None:
    with (
        contextlib.suppress(OSError),
        socket.create_server(("::1", 0), family=socket.AF_INET6) as it,
    ):
        assert AdbServer("::1", it.getsockname()[1]).running()


def test_deadline() -> None:
    assert 9 < Deadline(10).left() <= 10
    with pytest.raises(TimeoutError):
        Deadline(0).left()

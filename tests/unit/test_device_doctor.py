"""What ``edgesr doctor`` finds, and the fix it gives."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgesr.cli import doctor as cli
from edgesr.device import doctor
from edgesr.device.adb import AdbServer, Attached
from edgesr.device.doctor import (
    Check,
    Examination,
    check_program,
    check_wireless,
    examine,
    exit_code,
)
from edgesr.device.standin import PrivateAdbServer, StandIn
from edgesr.device.states import advice, known_state
from edgesr.device.usb import access_fix, usb_devices
from edgesr.errors import TransportError

SERVER = AdbServer("127.0.0.1", 1)
NO_RIGHTS = "no permissions (missing udev rules? user is in the plugdev group); see [http://x]"


@pytest.mark.parametrize(
    ("state", "known", "words"),
    [
        ("device", "device", ""),
        ("unauthorized", "unauthorized", "Allow"),
        ("offline", "offline", "replug"),
        (NO_RIGHTS, "no permissions", "udev"),
        ("recovery", "recovery", "adb -s X reboot"),
        ("sideload", "sideload", "Reboot system"),
        ("something new", "unknown", "replug"),
    ],
)
def test_every_state_has_advice(state: str, known: str, words: str) -> None:
    assert known_state(state) == known
    assert words in advice(state, "X")
    assert bool(advice(state)) == (known != "device")


# ---- USB


def plug(root: Path, bus: str, vendor: str, interface: str, *, rights: bool) -> None:
    """A device on a made-up USB; ``interface`` as "ff 42 01"."""
    folder = root / "sys/bus/usb/devices"
    device, number = folder / f"1-{bus}", f"{int(bus):03}"
    files = {"idVendor": vendor, "product": "Phone", "busnum": "1", "devnum": bus}
    kinds = zip(("Class", "SubClass", "Protocol"), interface.split(), strict=True)
    inside = {f"bInterface{kind}": value for kind, value in kinds}
    for place, content in ((device, files), (folder / f"1-{bus}:1.0", inside)):
        place.mkdir(parents=True)
        for name, value in content.items():
            (place / name).write_text(f"{value}\n")
    if rights:
        node = root / "dev/bus/usb/001" / number
        node.parent.mkdir(parents=True, exist_ok=True)
        node.touch()


def test_usb_devices_are_told_apart(tmp_path: Path) -> None:
    plug(tmp_path, "1", "18d1", "ff 42 01", rights=True)
    plug(tmp_path, "2", "04e8", "06 01 01", rights=True)
    plug(tmp_path, "3", "2717", "ff 42 01", rights=False)
    plug(tmp_path, "4", "04e8", "08 06 50", rights=True)  # a disk of a phone maker
    found = [(one.vendor, one.debugging, one.writable, one.mute) for one in usb_devices(tmp_path)]
    assert found == [
        ("18d1", True, True, False),
        ("04e8", False, True, True),
        ("2717", True, False, False),
        ("04e8", False, True, False),
    ]
    assert usb_devices(tmp_path / "nowhere") == []


def test_the_udev_rule_is_for_the_phone_there(tmp_path: Path) -> None:
    plug(tmp_path, "3", "2717", "ff 42 01", rights=False)
    fix = access_fix(usb_devices(tmp_path), tmp_path)
    assert 'ATTR{idVendor}=="2717", MODE="0660"' in fix
    assert "udevadm control --reload-rules" in fix
    assert "18d1" not in fix
    assert "18d1" in access_fix([], tmp_path)
    rules = tmp_path / "etc/udev/rules.d/51-android.rules"
    rules.parent.mkdir(parents=True)
    rules.touch()
    assert "there is one" in access_fix([], tmp_path)


def usb(attached: list[Attached], root: Path) -> list[tuple[str, str]]:
    return [(check.name, check.outcome) for check in doctor._usb_checks(attached, root)]


def test_usb_rights_and_debugging_are_checked(tmp_path: Path) -> None:
    assert usb([], tmp_path) == []
    assert usb([Attached("X", NO_RIGHTS, SERVER)], tmp_path) == [("usb rights", "fail")]
    plug(tmp_path, "2", "04e8", "06 01 01", rights=True)
    assert usb([], tmp_path) == [("usb debugging", "warn")]
    assert usb([Attached("X", "device", SERVER, {"usb": "1-2"})], tmp_path) == []
    plug(tmp_path, "1", "18d1", "ff 42 01", rights=True)
    assert usb([], tmp_path)[0] == ("usb rights", "ok")


# ---- adb


def program(folder: Path, text: str) -> Path:
    path = folder / "adb"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_adb_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESR_ADB", "off")
    assert (check_program().outcome, "unset" in check_program().fix) == ("fail", True)
    missing = tmp_path / "missing"
    monkeypatch.setenv("EDGESR_ADB", str(missing))
    assert check_program().what == f"EDGESR_ADB names {missing}, no such file"
    said = "echo 'Android Debug Bridge version 1.0.41'; echo 'Version 36.0.0-1'"
    monkeypatch.setenv("EDGESR_ADB", str(program(tmp_path, said)))
    assert check_program().what.endswith("adb, version 36.0.0-1")
    program(tmp_path, "exit 1")
    assert check_program().outcome == "fail"
    assert exit_code([check_program()]) == 5


class Announcing(AdbServer):
    """A server whose answers to questions about mDNS are made up."""

    def ask(self, request: str) -> str:
        if request == "host:mdns:check":
            return "mdns daemon version [Openscreen discovery 0.0.0]"
        return ANNOUNCED[self.port]


ANNOUNCED = {
    1: "",
    2: "adb-37101FDH-x\t_adb-tls-pairing._tcp\t10.0.0.7:37001\n",
    3: "adb-37101FDH-x\t_adb-tls-connect._tcp\t10.0.0.7:40001\n",
}


def test_phones_in_the_network_are_named_unless_attached() -> None:
    def look(port: int, *serials: str) -> Check:
        server = Announcing("127.0.0.1", port)
        return check_wireless(server, [Attached(serial, "device", server) for serial in serials])

    assert look(1).outcome == "ok"
    assert "adb pair 10.0.0.7:37001" in look(2).fix
    assert "adb connect 10.0.0.7:40001" in look(3).fix
    assert look(3, "10.0.0.7:40001").outcome == "ok"
    assert look(3, "37101FDH").outcome == "ok", "the same phone by cable"
    assert look(3, "adb-37101FDH-x._adb-tls-connect._tcp").outcome == "ok"
    assert look(3, "OTHER").outcome == "warn"


class Silent(AdbServer):
    """A server that can't be reached."""

    def running(self) -> bool:
        return False

    def start(self) -> None:
        raise TransportError("no adb server answers", hint="start it")


class Other(AdbServer):
    """A server of another adb, with one phone that waits for a tap."""

    def running(self) -> bool:
        return True

    def ask(self, request: str) -> str:
        answers = {"host:version": "001f", "host:devices-l": "X unauthorized usb:1-2\n"}
        if request not in answers:
            raise TransportError("unknown request")
        return answers[request]


def test_servers_and_their_phones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "echo 'Android Debug Bridge version 1.0.41'; echo 'Version 36.0.0-1'"
    monkeypatch.setenv("EDGESR_ADB", str(program(tmp_path, said)))
    checks = examine(
        Examination((Other("127.0.0.1", 1), Silent("127.0.0.1", 2, startable=True)), (), tmp_path)
    )
    found = {check.name: check for check in checks}
    assert found["adb server 127.0.0.1:1"].what == "answers, protocol 31, 1 phone"
    assert "protocol 31" in found["adb server 127.0.0.1:1 version"].what
    assert found["wireless 127.0.0.1:1"].outcome == "warn"
    assert "Allow" in found["phone X"].fix
    assert found["adb server 127.0.0.1:2"].fix == "start it"
    assert "phones" not in found
    assert exit_code(checks) == 5
    assert exit_code([found["phone X"]]) == 4
    assert exit_code([found["adb"]]) == 0


def test_no_phone_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESR_ADB", "off")
    assert [check.name for check in examine(Examination((SERVER,), (), tmp_path))] == ["adb"]
    said = "echo 'Android Debug Bridge version 1.0.31'"
    monkeypatch.setenv("EDGESR_ADB", str(program(tmp_path, said)))

    class Empty(Other):
        def ask(self, request: str) -> str:
            return "" if request == "host:devices-l" else super().ask(request)

    checks = examine(Examination((Empty("127.0.0.1", 1),), (), tmp_path))
    assert (checks[-1].name, checks[-1].outcome) == ("phones", "fail")
    assert "Build number" in checks[-1].fix
    assert exit_code(checks) == 4


# ---- settings


def test_settings_are_known_and_what_they_name_is_there(tmp_path: Path) -> None:
    there = tmp_path / "bm"
    there.touch()
    checks = cli.setting_checks(
        {
            "EDGESR_BENCHMARK_MODEL": f"{there}:{tmp_path}/gone",
            "EDGESR_BINARIES": str(there),
            "EDGESR_CASHE": "x",
            "EDGESR_STANDIN": "x",
            "EDGESR_OFFLINE": "",
            "HOME": "x",
        }
    )
    found = {check.name: check for check in checks}
    assert [check.outcome for check in found.values()] == ["fail", "ok", "warn"]
    assert found["EDGESR_BENCHMARK_MODEL"].what == f"{tmp_path}/gone does not exist"
    assert found["EDGESR_CASHE"].fix == "did you mean EDGESR_CACHE?"
    assert exit_code(found.values()) == 3


# ---- with a stand-in phone behind a real server


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateAdbServer]:
    with PrivateAdbServer() as server:
        yield server


@pytest.fixture
def invoke(server: PrivateAdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # noqa: ANN201
    """Runs ``edgesr doctor --json``; gives the exit code and the checks by name."""
    import typer

    monkeypatch.setenv("EDGESR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EDGESR_ADB", str(server.program))
    monkeypatch.delenv("EDGESR_BENCHMARK_MODEL", raising=False)
    app = typer.Typer()
    app.command()(cli.command)

    def run() -> tuple[int, dict[str, dict[str, str]]]:
        done = CliRunner().invoke(app, ["--json", "--adb-server", f"127.0.0.1:{server.port}"])
        return done.exit_code, {one["name"]: one for one in json.loads(done.stdout)["checks"]}

    return run


def test_a_healthy_phone(server: PrivateAdbServer, invoke) -> None:  # noqa: ANN001
    with StandIn("pixel-7") as phone:
        server.connect(phone.serial)
        code, found = invoke()
        name = f"phone {phone.serial}"
        assert code == 0, found
        assert "stand-in" in found[name]["what"]
        assert found[f"{name} benchmark_model"]["outcome"] == "ok"
        assert f"{name} condition" not in found
        assert [one.name for one in phone.scratch.iterdir() if "doctor" in one.name] == []

        phone.set("dumpsys.battery.temperature", 450)
        phone.set("prop.ro.edgesr.simulated", "0")
        phone.set("prop.ro.product.model", "Nobody's")
        code, found = invoke()
        assert code == 0, "warnings only"
        assert found[f"{name} condition"]["what"] == "it is hot: 45 °C"
        assert "no profile knows it" in found[name]["what"]
        assert "put it at" in found[f"{name} benchmark_model"]["fix"]


def test_phones_that_can_not_be_used(server: PrivateAdbServer, invoke) -> None:  # noqa: ANN001
    with StandIn("pixel-7") as phone:
        phone.unauthorized(True)
        server.connect(phone.serial)
        code, found = invoke()
        assert code == 4
        assert "Allow" in found[f"phone {phone.serial}"]["fix"]


def test_a_frozen_phone_holds_nothing_up(server: PrivateAdbServer, invoke) -> None:  # noqa: ANN001
    with StandIn("pixel-7") as phone:
        server.connect(phone.serial)
        phone.freeze()
        began = time.monotonic()
        code, found = invoke()
        assert code == 4
        assert "did not answer" in found[f"phone {phone.serial}"]["what"]
        assert time.monotonic() - began < 15
        phone.thaw()

"""Stand-in phones against the real adb server, the adb program and adbutils."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgesr.device.standin import PhoneOptions, PrivateAdbServer, StandIn
from edgesr.device.standin.processes import processes_of
from edgesr.device.standin.profile import TOOL, load_phone, phone_names
from edgesr.errors import ConfigError, TransportError
from tests.device.waiting import until
from tests.fixtures.tiny import tiny_tflite

SCRATCH = "/data/local/tmp"
ODD_NAMES = ["a b.bin", "it's.bin", 'quo"te.bin', "semi;colon.bin", "$(id).bin", "Größe-ä.bin"]

MakePhone = Callable[..., StandIn]


def client(server: PrivateAdbServer, phone: StandIn) -> Any:
    """The phone as adbutils sees it."""
    import adbutils

    return adbutils.AdbClient(port=server.port, socket_timeout=10).device(phone.serial)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file of 3 MB of noise."""
    path = tmp_path / "noise.bin"
    path.write_bytes(os.urandom(3 << 20))
    return path


@pytest.fixture(scope="module")
def lasting() -> Iterator[tuple[PrivateAdbServer, StandIn]]:
    """One server and phone for all tests that leave them sound; the scratch folder fills up."""
    with PrivateAdbServer() as server, StandIn() as standin:
        server.connect(standin.serial)
        yield server, standin


class Lasting:
    """Tests that share one phone."""

    @pytest.fixture
    def adb_server(
        self, lasting: tuple[PrivateAdbServer, StandIn], monkeypatch: pytest.MonkeyPatch
    ) -> PrivateAdbServer:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(lasting[0].port))
        return lasting[0]

    @pytest.fixture
    def phone(self, lasting: tuple[PrivateAdbServer, StandIn]) -> StandIn:
        server, standin = lasting
        server.connect(standin.serial)
        return standin


@pytest.fixture
def device(adb_server: PrivateAdbServer, phone: StandIn) -> Any:
    return client(adb_server, phone)


@pytest.fixture
def push(adb_server: PrivateAdbServer, phone: StandIn) -> Callable[..., Any]:
    def run(local: Path, remote: str) -> Any:
        return adb_server.adb("-s", phone.serial, "push", str(local), f"{SCRATCH}/{remote}")

    return run


class TestShell(Lasting):
    def test_exit_code_and_streams_apart(self, device: Any) -> None:
        done = device.shell2("echo out; echo err >&2; exit 7", v2=True)
        assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")

    def test_signal_is_an_exit_code(self, device: Any) -> None:
        assert device.shell2("sh -c 'kill -ABRT $$'", v2=True).returncode == 134

    def test_adb_program(self, adb_server: PrivateAdbServer, phone: StandIn) -> None:
        done = adb_server.adb("-s", phone.serial, "shell", "echo out; echo err >&2; exit 3")
        assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")

    def test_output_is_binary_safe(
        self, adb_server: PrivateAdbServer, phone: StandIn, data: Path
    ) -> None:
        (phone.scratch / "noise").write_bytes(data.read_bytes())
        for service in ("shell", "exec-out"):
            done = adb_server.adb("-s", phone.serial, service, f"cat {SCRATCH}/noise")
            assert done.stdout == data.read_bytes(), service

    def test_input_reaches_the_command(self, adb_server: PrivateAdbServer, phone: StandIn) -> None:
        argv = [str(adb_server.program), "-s", phone.serial, "shell", "sha256sum"]
        sent = os.urandom(1 << 20)
        done = subprocess.run(argv, env=adb_server.env, input=sent, capture_output=True, check=True)
        assert done.stdout.split()[0].decode() == hashlib.sha256(sent).hexdigest()

    def test_device_paths_are_mapped(self, device: Any, phone: StandIn) -> None:
        text = f"mkdir -p '{SCRATCH}/a b' && cd \"{SCRATCH}/a b\" && echo x >f; ls {SCRATCH}"
        assert "a b" in device.shell2(text, v2=True).stdout
        assert (phone.scratch / "a b/f").read_text() == "x\n"
        where = device.shell2(f"cd {SCRATCH} && pwd", v2=True).stdout.strip()
        assert device.shell2(f"cat '{where}/a b/f'", v2=True).stdout == "x\n"
        device.sync.push(b"y", f"{where}/g")
        assert (phone.scratch / "g").read_bytes() == b"y"

    def test_plain_child_dies_and_detached_child_lives(
        self, adb_server: PrivateAdbServer, phone: StandIn
    ) -> None:
        plain, detached = phone.scratch / "plain", phone.scratch / "detached"
        text = (
            f"sleep 100 & echo $! >{SCRATCH}/plain; "
            f"setsid nohup sleep 100 </dev/null >/dev/null 2>&1 & echo $! >{SCRATCH}/detached; "
            "sleep 100"
        )
        argv = [str(adb_server.program), "-s", phone.serial, "shell", text]
        with subprocess.Popen(argv, env=adb_server.env, stdin=subprocess.DEVNULL) as shell:
            until(lambda: detached.exists() and detached.read_text().strip())
            until(lambda: len(phone.processes()) >= 4)
            phone.cut()
            assert shell.wait(10) == 255
        until(lambda: not alive(plain.read_text()))
        assert alive(detached.read_text())

    def test_terminal_is_hung_up(self, adb_server: PrivateAdbServer, phone: StandIn) -> None:
        text = f"echo $$ >{SCRATCH}/pid; sleep 100"
        argv = [str(adb_server.program), "-s", phone.serial, "exec-out", text]
        with subprocess.Popen(argv, env=adb_server.env, stdin=subprocess.DEVNULL) as shell:
            pid = until(
                lambda: (phone.scratch / "pid").exists() and (phone.scratch / "pid").read_text()
            )
            phone.cut()
            shell.wait(10)
        until(lambda: not alive(pid))

    def test_only_own_processes_are_seen(self, device: Any) -> None:
        with subprocess.Popen(["sleep", "98.76"]) as other:
            assert "98.76" not in device.shell2("ps -A -o pid,args", v2=True).stdout
            assert device.shell2("pgrep -x sleep", v2=True).returncode == 1
            assert device.shell2("pkill -x sleep", v2=True).returncode == 1
            own = "sleep 99 & ps -A -o pid,ppid,args; pkill -x sleep; echo $?"
            said = device.shell2(own, v2=True).stdout
            assert "sleep 99" in said
            assert said.splitlines()[-1] == "0"
            assert other.poll() is None
            other.kill()


def alive(pid: str) -> bool:
    """Whether a process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid.strip()}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class TestSync(Lasting):
    def test_adb_push_and_pull(
        self, adb_server: PrivateAdbServer, phone: StandIn, push: Callable[..., Any], data: Path
    ) -> None:
        for name in ODD_NAMES:
            assert push(data, name).returncode == 0
            assert (phone.scratch / name).read_bytes() == data.read_bytes()
            back = data.parent / name
            adb_server.adb("-s", phone.serial, "pull", f"{SCRATCH}/{name}", str(back))
            assert back.read_bytes() == data.read_bytes()

    def test_adbutils_push_and_pull(self, device: Any, data: Path) -> None:
        folder = f"{SCRATCH}/deep"
        for name in ODD_NAMES:
            device.sync.push(name.encode(), f"{folder}/{name}", check=True)
            assert device.sync.read_bytes(f"{folder}/{name}") == name.encode()
        assert sorted(entry.path for entry in device.sync.list(folder)) == sorted(ODD_NAMES)
        device.sync.push(data, f"{folder}/large", check=True)
        device.sync.pull(f"{folder}/large", data.parent / "back")
        assert (data.parent / "back").read_bytes() == data.read_bytes()
        assert device.sync.stat(f"{folder}/large").size == 3 << 20
        assert not device.sync.exists(f"{folder}/nothing")

    def test_modes_are_widened(self, push: Callable[..., Any], phone: StandIn, data: Path) -> None:
        data.chmod(0o640)
        push(data, "f")
        assert (phone.scratch / "f").stat().st_mode & 0o777 == 0o666

    def test_folders_and_listing(
        self, adb_server: PrivateAdbServer, phone: StandIn, tmp_path: Path
    ) -> None:
        folder = tmp_path / "tree"
        (folder / "deep").mkdir(parents=True)
        (folder / "deep/file").write_text("x")
        adb_server.adb("-s", phone.serial, "push", str(folder), f"{SCRATCH}/")
        assert (phone.scratch / "tree/deep/file").read_text() == "x"
        listed = adb_server.adb("-s", phone.serial, "ls", f"{SCRATCH}/tree").stdout
        assert listed.split()[-1] == b"deep"
        adb_server.adb("-s", phone.serial, "pull", f"{SCRATCH}/tree", str(tmp_path / "back"))
        assert (tmp_path / "back/deep/file").read_text() == "x"

    def test_other_folders_are_read_only(
        self, adb_server: PrivateAdbServer, phone: StandIn
    ) -> None:
        done = adb_server.adb("-s", phone.serial, "push", __file__, "/system/x")
        assert done.returncode == 1
        assert b"Read-only file system" in done.stderr
        meminfo = adb_server.adb(
            "-s", phone.serial, "shell", "cat $EDGESR_ROOT/proc/meminfo"
        ).stdout
        assert b"MemTotal:        7749804 kB" in meminfo


class TestAnswers(Lasting):
    def test_properties(self, device: Any) -> None:
        assert device.shell2("getprop ro.product.model", v2=True).stdout == "Pixel 7\n"
        assert device.shell2("getprop ro.none", v2=True).stdout == "\n"
        assert "[ro.edgesr.simulated]: [1]\n" in device.shell2("getprop", v2=True).stdout
        assert device.shell2("getprop ro.edgesr.benchmark_model", v2=True).stdout.strip() == TOOL

    def test_values_can_be_changed(self, device: Any, phone: StandIn) -> None:
        phone.set("dumpsys.battery.temperature", 420)
        phone.set("dumpsys.thermalservice.Thermal_Status", 3)
        phone.set("/sys/devices/system/cpu/cpu7/cpufreq/scaling_max_freq", 1000000)
        phone.set("prop.ro.build.version.release", 99)
        said = device.shell2("dumpsys battery; dumpsys thermalservice", v2=True).stdout
        assert "  temperature: 420\n" in said
        assert "Thermal Status: 3\n" in said
        text = 'cat "$EDGESR_ROOT"/sys/devices/system/cpu/cpu6/cpufreq/scaling_max_freq'
        assert device.shell2(text, v2=True).stdout == "1000000\n"
        assert device.shell2("getprop ro.build.version.release", v2=True).stdout == "99\n"
        with pytest.raises(TransportError, match="no line 'nothing'"):
            phone.set("dumpsys.battery.nothing", 1)

    def test_processor_time_goes_on(self, device: Any, phone: StandIn) -> None:
        phone.set("busy", 50)
        read = 'read -r _ u _ s i rest <"$EDGESR_ROOT/proc/stat"; echo $u $s $i;'
        first, last = (
            [int(part) for part in line.split()]
            for line in device.shell2(f"{read} sleep 0.6; {read}", v2=True).stdout.splitlines()
        )
        user, system, idle = (after - before for before, after in zip(first, last, strict=True))
        assert 0.4 < (user + system) / (user + system + idle) < 0.6

    def test_fixed_performance_is_remembered(self, device: Any, phone: StandIn) -> None:
        state = phone.root / "state/fixed_performance"
        for value in ("true", "false"):
            device.shell2(f"cmd power set-fixed-performance-mode-enabled {value}", v2=True)
            assert state.read_text() == f"{value}\n"

    def test_taskset_knows_the_phones_cores(self, device: Any, phone: StandIn) -> None:
        assert device.shell2("taskset f0 echo hi", v2=True).stdout == "hi\n"
        assert (phone.root / "state/taskset").read_text() == "f0\n"
        for mask in ("0xf0", "100", "-c"):
            assert device.shell2(f"taskset {mask} echo hi", v2=True).returncode == 1

    def test_benchmark_model_runs_a_model(self, device: Any) -> None:
        device.sync.push(tiny_tflite(), f"{SCRATCH}/tiny.tflite")
        text = f"{TOOL} --graph={SCRATCH}/tiny.tflite --num_runs=3 --min_secs=0 --warmup_min_secs=0"
        done = device.shell2(text, v2=True)
        assert done.returncode == 0, done.stderr
        assert re.search(r"^INFO: count=3 ", done.stdout, re.MULTILINE)

    def test_knobs_of_benchmark_model(
        self, make_phone: MakePhone, adb_server: Any, tmp_path: Path
    ) -> None:
        sleepy = make_phone()
        (sleepy.root / "benchmark_model.d/sleep").write_text("0.5\n")
        began = time.monotonic()
        done = client(adb_server, sleepy).shell2(f"exec {TOOL} --help", v2=True)
        assert "--num_threads" in done.stdout + done.stderr
        assert time.monotonic() - began > 0.5
        script = tmp_path / "tool.sh"
        script.write_text("#!/bin/sh\necho mine $1\n")
        device = client(adb_server, make_phone(benchmark_model=str(script)))
        assert device.shell2(f"{TOOL} --x", v2=True).stdout == "mine --x\n"


class TestOldPhone:
    @pytest.fixture
    def old(self, make_phone: MakePhone) -> StandIn:
        return make_phone("nexus-5")

    def test_shell_without_exit_code(self, old: StandIn, adb_server: PrivateAdbServer) -> None:
        done = adb_server.adb("-s", old.serial, "shell", "echo out; echo err >&2; exit 3")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"out\r\nerr\r\n", b"")
        assert old.services() == ["shell:echo out; echo err >&2; exit 3"]

    def test_push_and_pull(self, old: StandIn, adb_server: PrivateAdbServer, data: Path) -> None:
        adb_server.adb("-s", old.serial, "push", str(data), f"{SCRATCH}/x")
        assert (old.scratch / "x").read_bytes() == data.read_bytes()
        adb_server.adb("-s", old.serial, "pull", f"{SCRATCH}/x", str(data.parent / "y"))
        assert (data.parent / "y").read_bytes() == data.read_bytes()

    def test_what_it_lacks(self, old: StandIn, adb_server: PrivateAdbServer) -> None:
        device = client(adb_server, old)
        assert "Can't find service: thermalservice" in device.shell("dumpsys thermalservice")
        for program in ("cmd", "sha256sum"):
            assert "not found" in device.shell(program)


class TestFaults:
    def test_cut_and_back(self, adb_server: PrivateAdbServer, phone: StandIn) -> None:
        phone.cut()
        until(lambda: adb_server.states()[phone.serial] == "offline")
        adb_server.connect(phone.serial)
        assert adb_server.states()[phone.serial] == "device"

    @pytest.mark.parametrize("keep", [False, True])
    def test_push_cut_half_way(
        self,
        adb_server: PrivateAdbServer,
        phone: StandIn,
        push: Callable[..., Any],
        data: Path,
        keep: bool,
    ) -> None:
        phone.cut_after(1 << 20, refuse=True, keep_half=keep)
        assert push(data, "f").returncode == 1
        assert adb_server.states()[phone.serial] == "offline"
        half = phone.scratch / "f"
        if keep:
            assert 0 < until(lambda: half.exists() and half.stat().st_size) < 3 << 20
        else:
            until(lambda: not half.exists())
        phone.accept()
        adb_server.connect(phone.serial)
        assert push(data, "f").returncode == 0
        assert half.read_bytes() == data.read_bytes()

    def test_freeze_and_thaw(self, adb_server: PrivateAdbServer, phone: StandIn) -> None:
        phone.freeze()
        with pytest.raises(subprocess.TimeoutExpired):
            adb_server.adb("-s", phone.serial, "shell", "echo hi", timeout_s=0.5)
        assert adb_server.states()[phone.serial] == "device"
        phone.thaw()
        assert adb_server.adb("-s", phone.serial, "shell", "echo hi").stdout == b"hi\n"

    def test_frozen_link_cut(self, adb_server: PrivateAdbServer, phone: StandIn) -> None:
        argv = [str(adb_server.program), "-s", phone.serial, "shell", "sleep 100"]
        with subprocess.Popen(argv, env=adb_server.env, stdin=subprocess.DEVNULL) as shell:
            until(phone.processes)
            phone.freeze()
            phone.cut()
            assert shell.wait(10) == 255
        until(lambda: not phone.processes())

    def test_refuse_and_accept(self, adb_server: PrivateAdbServer, make_phone: MakePhone) -> None:
        phone = make_phone(connect=False)
        host, _, port = phone.serial.partition(":")
        phone.refuse()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=5)
        phone.accept()
        adb_server.connect(phone.serial)

    def test_push_error(self, phone: StandIn, push: Callable[..., Any], data: Path) -> None:
        phone.push_error("Input/output error")
        done = push(data, "f")
        assert done.returncode == 1
        assert b"Input/output error" in done.stderr
        assert not (phone.scratch / "f").exists()
        phone.push_error()
        assert push(data, "f").returncode == 0

    def test_disk_full(
        self, device: Any, phone: StandIn, push: Callable[..., Any], data: Path
    ) -> None:
        phone.disk_full(0)
        assert device.shell2(f"echo x >{SCRATCH}/small", v2=True).returncode != 0
        phone.disk_full(2 << 20)
        assert device.shell2(f"echo x >{SCRATCH}/small", v2=True).returncode == 0
        assert device.shell2("df -k /data", v2=True).stdout.splitlines()[1].split()[3] == "2048"
        done = push(data, "f")
        assert done.returncode == 1
        assert b"No space left on device" in done.stderr
        assert not (phone.scratch / "f").exists()
        phone.disk_full(None)
        assert push(data, "f").returncode == 0

    def test_reboot(self, adb_server: PrivateAdbServer, phone: StandIn, device: Any) -> None:
        boot_id = phone.root / "proc/sys/kernel/random/boot_id"
        before = boot_id.read_text()
        (phone.scratch / "stays").touch()
        text = f"setsid nohup sleep 100 </dev/null >/dev/null 2>&1 & echo $! >{SCRATCH}/pid"
        device.shell2(text, v2=True)
        pid = (phone.scratch / "pid").read_text()
        assert alive(pid)
        phone.reboot(0.3)
        until(lambda: not alive(pid))
        adb_server.connect(phone.serial)
        assert boot_id.read_text() != before
        assert float((phone.root / "proc/uptime").read_text().split()[0]) < 60
        assert (phone.scratch / "stays").exists()

    def test_reboot_by_adb(self, adb_server: PrivateAdbServer, phone: StandIn) -> None:
        boot_id = phone.root / "proc/sys/kernel/random/boot_id"
        before = boot_id.read_text()
        adb_server.adb("-s", phone.serial, "reboot")
        until(lambda: boot_id.read_text() != before)

    def test_unplugged_while_it_reboots(self, adb_server: PrivateAdbServer, phone: StandIn) -> None:
        boot_id = phone.root / "proc/sys/kernel/random/boot_id"
        before = boot_id.read_text()
        phone.reboot(0.1)
        phone.unplug()
        until(lambda: boot_id.read_text() != before)
        adb_server.adb("disconnect", phone.serial)
        assert b"refused" in adb_server.adb("connect", phone.serial).stdout

    def test_unauthorized(self, adb_server: PrivateAdbServer, make_phone: MakePhone) -> None:
        phone = make_phone(connect=False, unauthorized=True)
        adb_server.connect(phone.serial)
        until(lambda: adb_server.states()[phone.serial] == "unauthorized")
        phone.unauthorized(False)
        until(lambda: adb_server.states()[phone.serial] == "device")

    def test_unplug_and_replug(self, adb_server: PrivateAdbServer, phone: StandIn) -> None:
        phone.unplug()
        until(lambda: adb_server.states()[phone.serial] == "offline")
        phone.replug()
        adb_server.connect(phone.serial)

    def test_adb_server_killed(self, adb_server: PrivateAdbServer, phone: StandIn) -> None:
        adb_server.kill()
        adb_server.start()
        assert adb_server.states() == {}
        adb_server.connect(phone.serial)
        assert adb_server.adb("-s", phone.serial, "shell", "echo hi").stdout == b"hi\n"

    def test_one_fault_leaves_the_others_alone(
        self, adb_server: PrivateAdbServer, make_phones: Callable[..., list[StandIn]]
    ) -> None:
        frozen, other = make_phones("pixel-7", "galaxy-a14")
        frozen.freeze()
        assert adb_server.adb("-s", other.serial, "shell", "echo hi").stdout == b"hi\n"
        frozen.thaw()

    def test_bad_command(self, phone: StandIn) -> None:
        for line in ("explode", "cut_after", "cut_after x", "unauthorized 2", "set x"):
            with pytest.raises(TransportError):
                phone.control(line)


class TestLife:
    @pytest.mark.parametrize("name", phone_names())
    def test_every_phone_answers(self, name: str) -> None:
        profile = load_phone(name)
        needed = {"ro.product.model", "ro.product.device", "ro.board.platform"}
        needed |= {"ro.product.cpu.abilist", "ro.build.fingerprint", "ro.build.version.sdk"}
        assert needed <= profile.props.keys()
        assert {"battery", "power", "SurfaceFlinger"} <= profile.dumpsys.keys()
        assert ("thermalservice" in profile.dumpsys) == (profile.api >= 29)
        assert "/proc/meminfo" in profile.files

    def test_nothing_is_left(self, adb_server: PrivateAdbServer) -> None:
        with StandIn() as phone:
            adb_server.connect(phone.serial)
            text = "setsid nohup sleep 100 </dev/null >/dev/null 2>&1 &"
            adb_server.adb("-s", phone.serial, "shell", text)
            assert phone.processes()
            root, mark = phone.root, phone._running.mark
        assert not root.exists()
        assert processes_of(mark) == []

    def test_it_does_not_outlive_its_starter(self) -> None:
        program = (
            "import time\n"
            "from edgesr.device.standin import StandIn\n"
            "phone = StandIn().start()\n"
            "print(phone.root, flush=True)\n"
            "time.sleep(100)\n"
        )
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as starter:
            assert starter.stdout is not None
            root = Path(starter.stdout.readline().decode().strip())
            assert root.is_dir()
            starter.send_signal(signal.SIGKILL)
        until(lambda: not root.exists())

    def test_unknown_phone(self) -> None:
        with pytest.raises(ConfigError, match="no stand-in phone 'nokia'"):
            load_phone("nokia")
        with pytest.raises(ConfigError, match="no stand-in phone 'nokia'"):
            StandIn("nokia").start()

    def test_folder_that_a_shell_would_split(self, tmp_path: Path) -> None:
        with pytest.raises(TransportError, match="can't live in"):
            StandIn(PhoneOptions(root=str(tmp_path / "a b"))).start()

    def test_without_toybox_and_mksh(
        self, adb_server: PrivateAdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("sh", "cat", "grep", "ps", "pgrep", "sleep", "sha256sum"):
            (tmp_path / name).symlink_to(shutil.which(name) or pytest.skip(f"no {name} here"))
        monkeypatch.setenv("PATH", str(tmp_path))
        with StandIn() as phone:
            adb_server.connect(phone.serial)
            text = (
                "getprop ro.product.model; dumpsys battery | grep level; sleep 99 & ps -A -o args"
            )
            said = adb_server.adb("-s", phone.serial, "shell", f"{text}; pkill -x sleep; echo $?")
            assert said.stdout.startswith(b"Pixel 7\n  level: 86\n")
            assert b"sleep 99" in said.stdout
            assert said.stdout.splitlines()[-1] == b"0"
        adb_server.disconnect(phone.serial)


class TestSimulate:
    @pytest.fixture
    def start(self) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
        """``edgesr devices simulate``, ended by Ctrl-C at the latest after the test."""
        with contextlib.ExitStack() as running:

            def run(*argv: str) -> "subprocess.Popen[str]":
                child = subprocess.Popen(
                    [sys.executable, "-m", "edgesr", "devices", "simulate", *argv],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                running.enter_context(child)
                running.callback(child.send_signal, signal.SIGINT)
                return child

            yield run

    def test_document_faults_and_clean_end(
        self, start: Callable[..., "subprocess.Popen[str]"]
    ) -> None:
        child = start("--json", "--phone", "pixel-7", "--phone", "nexus-5", "--count", "3")
        assert child.stdin is not None
        assert child.stdout is not None
        document = json.loads("".join(iter(child.stdout.readline, "}\n")) + "}")
        assert [phone["phone"] for phone in document["phones"]] == ["pixel-7", "nexus-5", "pixel-7"]
        assert (
            document["next"] == f"edgesr bench --adb-server {document['adb_server']} --device all"
        )
        child.stdin.write("2 set busy 40\nall log\n7 cut\n1 explode\nhelp\n")
        child.stdin.flush()
        root = Path(document["phones"][1]["root"])
        assert root.is_dir()
        assert child.stderr is not None
        said = [child.stderr.readline() for _ in range(7)]
        assert said[0] == "ok\n"
        assert said[1:4] == ["[]\n"] * 3
        assert said[4].startswith("which phone? 1 to 3, or all")
        assert said[5].startswith("no command 'explode'")
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 0
        assert not root.exists()

    def test_unknown_phone_is_one_line(self, start: Callable[..., "subprocess.Popen[str]"]) -> None:
        child = start("--phone", "nokia")
        _, errors = child.communicate(timeout=10)
        assert child.returncode == 3
        assert errors.startswith("error: no stand-in phone 'nokia'\nnext:  there are: galaxy-a14")

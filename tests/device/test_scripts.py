"""The phone's scripts: through mksh with toybox, through dash, and over a link that breaks."""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgesr.assets import asset
from edgesr.device.adb import AdbServer
from edgesr.device.adb_transport import AdbTransport
from edgesr.device.standin import PrivateAdbServer, StandIn
from tests.device.waiting import until

RUN_BENCH, LOCK = asset("android_bench", "run_bench.sh"), asset("android_bench", "lock.sh")
APPLETS = [
    "cat", "date", "false", "find", "grep", "ls", "mkdir", "mv", "nohup", "printf",
    "rm", "rmdir", "setsid", "sha256sum", "stat", "touch", "true",
]  # fmt: skip
FAKES = {  # cmd and taskset note how they were called
    "cmd": 'echo "$*" >> "$STATE/cmd"',
    "sleep": '[ "$1" = 1 ] && set -- 0.1; exec "$SLEEP" "$@"',  # tests have no time
    "taskset": 'echo "$1" >> "$STATE/taskset"; shift; exec "$@"',
}
SHELLS = {"mksh": ["mksh", "toybox"], "dash": ["dash"]}


def processes(job: str) -> list[int]:
    """Living processes that work in a folder whose name begins so."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{(folder / 'cwd').readlink()}/".startswith(job):
                found.append(int(folder.name))
    return found


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@dataclass(frozen=True)
class Device:
    """A folder of this machine as a phone: a shell, its programs, and edgesr's folder."""

    bin: Path
    state: Path
    folder: Path
    path: str

    def sh(self, *argv: str | Path) -> "subprocess.CompletedProcess[str]":
        env = {
            "PATH": self.path,
            "STATE": str(self.state),
            "SLEEP": str(shutil.which("sleep")),
            "LC_ALL": "C.UTF-8",
        }
        command = [str(self.bin / "sh"), *map(str, argv)]
        return subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=30, check=False
        )

    def bench(self, *argv: str | Path) -> list[str]:
        done = self.sh(RUN_BENCH, *argv)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    def start(self, job: Path, *argv: str, options: str = "", limit: int = 20) -> list[str]:
        return self.bench("start", job, "the note", str(limit), *options.split(), "--", *argv)

    def finish(self, job: Path) -> list[str]:
        said = self.bench("wait", job, "15")
        assert said[0] == "done"
        return said[1:]

    def job(self, name: str = "run/one") -> Path:
        return self.folder / "jobs" / name

    def noted(self, program: str) -> list[str]:
        """Calls of a program that the phone's scripts made."""
        file = self.state / program
        return file.read_text().splitlines() if file.exists() else []


def build(tmp_path: Path, shell: str) -> Device:
    for program in SHELLS[shell]:
        if not shutil.which(program):
            pytest.skip(f"no {program} here")
    programs, state = tmp_path / "bin", tmp_path / "state"
    folder = tmp_path / """it's "the" $(phone)'s; ä 🙂"""
    for made in (programs, state, folder):
        made.mkdir()
    (programs / "sh").symlink_to(str(shutil.which(shell)))
    for name in APPLETS if shell == "mksh" else ():
        (programs / name).symlink_to(str(shutil.which("toybox")))
    for name, body in FAKES.items():
        (programs / name).write_text(f"#!{programs}/sh\n{body}\n")
        (programs / name).chmod(0o755)
    path = str(programs) if shell == "mksh" else f"{programs}:/usr/bin:/bin"
    return Device(programs, state, folder, path)


@pytest.fixture(params=SHELLS)
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Device]:
    yield build(tmp_path, request.param)
    for pid in processes(str(tmp_path)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def fixed(value: str) -> str:
    return f"power set-fixed-performance-mode-enabled {value}"


# ---- run_bench.sh: start and wait


def test_what_is_left(device: Device) -> None:
    job = device.job()
    text = "pwd; echo err >&2; echo x > result; mkdir folder; exit 7"
    assert device.start(job, "sh", "-c", text) == ["started"]
    listed = dict(line.split("  ", 1)[::-1] for line in device.finish(job))
    assert listed.keys() == {"rc", "result", "seconds", "stderr", "stdout"}
    for name, digest in listed.items():
        assert digest == hashlib.sha256((job / name).read_bytes()).hexdigest()
    left = {name: (job / name).read_text() for name in [*listed, "note"]}
    assert left.pop("seconds") in {"0\n", "1\n", "2\n"}
    expected = {"rc": "7\n", "stdout": f"{job}\n", "stderr": "err\n", "result": "x\n"}
    assert left == {**expected, "note": "the note"}
    until(lambda: not processes(str(job)))


def test_arguments_are_data(device: Device) -> None:
    words = ["two words", "it's", '"', "$(id)", "`id`", ";", "*", "", "-n", "line\nbreak", "ä🙂"]
    device.start(device.job(), "printf", "[%s]", *words)
    device.finish(device.job())
    assert (device.job() / "stdout").read_text() == "".join(f"[{word}]" for word in words)


def test_started_twice_measured_once(device: Device) -> None:
    job, count = device.job(), device.state / "count"
    argv = ["sh", "-c", f"echo . >> '{count}'; sleep 0.5"]
    assert device.start(job, *argv) == ["started"]
    assert device.start(job, *argv) == ["running"]
    listed = device.finish(job)
    assert device.start(job, "false") == ["done", *listed]
    assert count.read_text() == ".\n"


def test_none_running_done(device: Device) -> None:
    job = device.job()
    assert device.bench("wait", job, "5") == ["none"]
    device.start(job, "sleep", "0.6")
    assert device.bench("wait", job, "0") == ["running"]
    assert device.bench("wait", job, "10")[0] == "done"
    assert device.bench("wait", job, "0")[0] == "done"


@pytest.mark.parametrize("pid", ["", str(os.getpid())])
def test_gone_after_a_reboot(device: Device, pid: str) -> None:
    """Another process may have got the number."""
    job = device.job()
    job.mkdir(parents=True)
    (job / "note").write_text("note")
    (job / "pid").write_text(pid)
    began = time.monotonic()
    assert device.bench("wait", job, "15") == ["gone"]
    assert device.start(job, "true") == ["gone"]
    assert time.monotonic() - began < 5


def test_gone_takes_what_is_left_along(device: Device) -> None:
    """The system killed the script alone: a second launch must not run beside the first."""
    job = device.job()
    device.start(job, "sleep", "60", options="-f")
    until((job / "stdout").exists)
    os.kill(int((job / "pid").read_text()), signal.SIGKILL)
    assert device.bench("wait", job, "15") == ["gone"]
    until(lambda: not processes(str(job)))
    assert device.noted("cmd")[-1] == fixed("false")


@pytest.mark.parametrize(
    ("argv", "code"),
    [(["sh", "-c", "kill -ABRT $$"], 134), (["no-such-program"], 127), (["true"], 0)],
)
def test_exit_codes(device: Device, argv: list[str], code: int) -> None:
    device.start(device.job(), *argv)
    device.finish(device.job())
    assert (device.job() / "rc").read_text() == f"{code}\n"


def test_exit_code_of_a_command_that_ends_at_once(device: Device) -> None:
    for number in range(8):
        job = device.job(f"run/{number}")
        device.start(job, "true")
        device.finish(job)
        assert (job / "rc").read_text() == "0\n"


def test_a_command_can_not_leave_anything_running(device: Device) -> None:
    device.start(device.job(), "sh", "-c", "sleep 60 & exit 3")
    device.finish(device.job())
    assert (device.job() / "rc").read_text() == "3\n"
    until(lambda: not processes(str(device.job())))


@pytest.mark.parametrize("options", ["", "-p"])
def test_time_out(device: Device, options: str) -> None:
    job = device.job()
    device.start(job, "sh", "-c", "echo begun; exec sleep 60", options=options, limit=1)
    device.finish(job)
    assert (job / "rc").read_text() == "124\n"
    assert (job / "stdout").read_text() == "begun\n"
    assert int((job / "seconds").read_text()) in range(5)
    until(lambda: not processes(str(job)))


def test_it_can_not_start(device: Device) -> None:
    device.folder.rmdir()
    device.folder.write_text("a file")
    done = device.sh(RUN_BENCH, "start", device.job(), "note", "5", "--", "true")
    assert done.returncode != 0
    assert "mkdir" in done.stderr
    assert done.stdout == ""


def test_unknown_verb(device: Device) -> None:
    assert device.sh(RUN_BENCH, "explode").returncode == 64


# ---- run_bench.sh: options


def test_pinned_to_cores(device: Device) -> None:
    device.start(device.job(), "echo", "hi", options="-m f0")
    device.finish(device.job())
    assert device.noted("taskset") == ["f0"]
    assert (device.job() / "stdout").read_text() == "hi\n"


def test_state_before_and_after(device: Device) -> None:
    script = device.state / "state.sh"
    script.write_text("echo state; [ -e stdout ] && echo 'it ran'")
    device.start(device.job(), "true", options=f"-s {script}")
    assert {"before", "after"} <= {line.split("  ")[1] for line in device.finish(device.job())}
    assert (device.job() / "before").read_text() == "state\n"
    assert (device.job() / "after").read_text() == "state\nit ran\n"


def test_pss(device: Device) -> None:
    text = "import time; x = bytearray(b'x') * (40 << 20); time.sleep(0.6)"
    device.start(device.job(), sys.executable, "-c", text, options="-p -m f")
    device.finish(device.job())
    assert (device.job() / "rc").read_text() == "0\n"
    assert 40 << 10 <= int((device.job() / "pss").read_text()) < 80 << 10
    assert device.noted("taskset") == ["f"]


def test_pss_keeps_the_exit_code(device: Device) -> None:
    device.start(device.job(), "sh", "-c", "exit 9", options="-p")
    device.finish(device.job())
    assert (device.job() / "rc").read_text() == "9\n"


@pytest.mark.parametrize("argv", [["true"], ["sleep", "60"]])
def test_fixed_performance_is_turned_off_again(device: Device, argv: list[str]) -> None:
    device.start(device.job(), *argv, options="-f", limit=1)
    device.finish(device.job())
    assert device.noted("cmd") == [fixed("true"), fixed("false")]


@pytest.mark.parametrize("options", ["-f", "-p"])
def test_terminated_script_turns_it_off_and_ends_the_command(device: Device, options: str) -> None:
    job = device.job()
    device.start(job, "sleep", "60", options=options)
    until((job / "stdout").exists)
    os.kill(int((job / "pid").read_text()), signal.SIGTERM)
    until(lambda: not processes(str(job)), 5)
    assert device.noted("cmd") == ([fixed("true"), fixed("false")] if options == "-f" else [])
    assert device.bench("wait", job, "1") == ["gone"]


# ---- run_bench.sh: clean


def test_clean(device: Device, tmp_path: Path) -> None:
    other = tmp_path / "jobs" / "run"  # another folder than this phone's
    jobs = [device.job("run/one"), device.job("run2/one"), device.job("ru/one"), other]
    for job in jobs:
        device.start(job, "sleep", "60")
    device.bench("clean", device.folder, "run2")
    until(lambda: not processes(f"{jobs[0]}/") and not processes(f"{jobs[2]}/"))
    assert names(device.folder / "jobs") == ["run2"]
    assert device.bench("wait", jobs[1], "0") == device.bench("wait", other, "0") == ["running"]
    device.bench("clean", device.folder)
    until(lambda: not processes(f"{jobs[1]}/"))
    assert names(device.folder / "jobs") == []
    assert device.bench("wait", other, "0") == ["running"]
    assert device.noted("cmd") == []


def test_clean_of_nothing(device: Device) -> None:
    assert device.bench("clean", device.folder) == []
    assert device.bench("clean", device.folder / "absent", "keep") == []


def test_clean_turns_fixed_performance_off(device: Device) -> None:
    device.start(device.job(), "sleep", "60", options="-f")
    until(lambda: device.noted("cmd"))
    device.bench("clean", device.folder)
    assert device.noted("cmd") == [fixed("true"), fixed("false")]


# ---- lock.sh


def lock(device: Device, verb: str, holder: str, *more: str) -> str:
    done = device.sh(LOCK, verb, device.folder / "edgesr", holder, *more)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def owner(device: Device) -> Path:
    return device.folder / "edgesr/lock/owner"


def test_lock_is_taken_once(device: Device) -> None:
    assert lock(device, "take", "aa", "here pid 1", "600") == "taken"
    assert lock(device, "take", "bb", "there pid 2", "600") == "aa here pid 1"
    assert lock(device, "take", "a", "there pid 2", "600") == "aa here pid 1"
    assert lock(device, "take", "aa", "here pid 3", "600") == "taken"
    assert owner(device).read_text() == "aa here pid 3\n"
    lock(device, "drop", "aa")
    assert not (device.folder / "edgesr").exists()
    assert lock(device, "take", "bb", "there pid 2", "600") == "taken"


def test_lock_of_a_dead_holder(device: Device) -> None:
    lock(device, "take", "aa", "here pid 1", "600")
    before = time.time() - 700
    os.utime(owner(device), (before, before))
    lock(device, "beat", "bb")
    assert owner(device).stat().st_mtime < time.time() - 600
    lock(device, "beat", "aa")
    assert owner(device).stat().st_mtime > time.time() - 60
    os.utime(owner(device), (before, before))
    assert lock(device, "take", "bb", "there pid 2", "600") == "taken"
    lock(device, "drop", "aa")  # it wakes up
    assert owner(device).read_text() == "bb there pid 2\n"


def test_lock_whose_taker_died_half_way(device: Device) -> None:
    owner(device).parent.mkdir(parents=True)
    assert lock(device, "take", "aa", "here pid 1", "600") == "taken"


def test_lock_that_can_not_be_written(device: Device) -> None:
    (device.folder / "edgesr").mkdir()
    owner(device).parent.write_text("a file")
    done = device.sh(LOCK, "take", device.folder / "edgesr", "aa", "here", "600")
    assert done.returncode != 0
    assert (done.stdout, "mkdir" in done.stderr) == ("", True)


# ---- over adb


def phone_script(transport: AdbTransport, *argv: str) -> list[str]:
    script = transport.stage(RUN_BENCH)
    return transport.run(["sh", script, *argv], timeout_s=20).stdout.splitlines()


@pytest.mark.parametrize("model", ["pixel-7", "nexus-5"])
def test_a_job_outlives_the_link_and_the_adb_server(
    adb_server: PrivateAdbServer, make_phone: Callable[..., StandIn], model: str
) -> None:
    phone = make_phone(model)
    transport = AdbTransport(AdbServer(port=adb_server.port), phone.serial)
    job = f"{transport.folder}/jobs/run/o'ne $(x)"
    command = ["sh", "-c", "echo . >> ../count; sleep 0.8; echo result"]
    assert phone_script(transport, "start", job, "note", "20", "--", *command) == ["started"]
    phone.cut()
    adb_server.kill()
    adb_server.start()
    adb_server.connect(phone.serial)
    assert phone_script(transport, "start", job, "note", "20", "--", *command) == ["running"]
    said = phone_script(transport, "wait", job, "15")
    assert said[0] == "done"
    assert transport.run(["cat", f"{job}/stdout"], timeout_s=5).stdout == "result\n"
    assert transport.run(["cat", f"{job}/../count"], timeout_s=5).stdout == ".\n"
    digest = hashlib.sha256(b"result\n").hexdigest() if model == "pixel-7" else "-"
    assert f"{digest}  stdout" in said


def test_a_start_that_is_cut_off_can_be_repeated(
    adb_server: PrivateAdbServer, phone: StandIn
) -> None:
    transport = AdbTransport(AdbServer(port=adb_server.port), phone.serial)
    job = f"{transport.folder}/jobs/run/one"
    order = ("start", job, "note", "20", "--", "sh", "-c", "echo . >> ../count; sleep 1")
    script = transport.stage(RUN_BENCH)
    text = " ".join(f"'{word}'" for word in ("sh", script, *order))
    argv = [str(adb_server.program), "-s", phone.serial, "shell", f"{text}; sleep 60"]
    with subprocess.Popen(argv, env=adb_server.env, stdin=subprocess.DEVNULL) as shell:
        until((phone.scratch / "edgesr/jobs/run/count").exists)
        phone.cut()
        shell.wait(10)
    adb_server.connect(phone.serial)
    assert phone_script(transport, *order) == ["running"]
    assert phone_script(transport, "wait", job, "15")[0] == "done"
    assert (phone.scratch / "edgesr/jobs/run/count").read_text() == ".\n"


def test_phones_of_one_machine_do_not_meet(
    adb_server: PrivateAdbServer, make_phones: Callable[..., list[StandIn]]
) -> None:
    phones = make_phones("pixel-7", "galaxy-a14")
    transports = [AdbTransport(AdbServer(port=adb_server.port), it.serial) for it in phones]
    for transport in transports:
        job = f"{transport.folder}/jobs/run/one"
        order = ("start", job, "note", "60", "-f", "-m", "f0", "--", "sleep", "60")
        assert phone_script(transport, *order) == ["started"]
    for phone in phones:
        until(lambda phone=phone: (phone.root / "state/taskset").exists())  # type: ignore[misc]
    phone_script(transports[0], "clean", transports[0].folder)
    assert phone_script(transports[1], "wait", job, "0") == ["running"]
    until(lambda: not phones[0].processes())
    modes = [(phone.root / "state/fixed_performance").read_text().strip() for phone in phones]
    assert modes == ["false", "true"]
    phone_script(transports[1], "clean", transports[1].folder)
    until(lambda: not phones[1].processes())
    log = (phones[1].root / "state/cmd.log").read_text()
    assert re.findall(r"enabled (\w+)", log) == ["true", "false"]

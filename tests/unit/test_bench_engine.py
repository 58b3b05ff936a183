"""A benchmark_model on a device: put there, asked for its flags, refused with the reason."""

import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edgesr.bench.engine import choose_tool, official, own_runner, preinstalled
from edgesr.device.host import HostTransport
from edgesr.device.transport import Completed
from edgesr.errors import InputError
from edgesr.files import sha256_file
from tests.fixtures.elf import ANDROID, LINUX, elf

RECORDED = Path(__file__).parents[1] / "fixtures" / "benchmark_model"


@dataclass
class Phone:
    """A device whose programs answer what they are told to, in the order they are asked."""

    answers: list[Completed]
    name: str = "serial-1"
    platform: str = "android"
    folder: str = "/data/local/tmp/edgesr"
    staged: list[Path] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed:
        assert timeout_s > 0
        self.asked.append(list(argv))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]

    def stage(self, local: Path) -> str:
        self.staged.append(local)
        return f"{self.folder}/files/{sha256_file(local)}"

    def push(self, local: Path, remote: str) -> None:
        raise NotImplementedError

    def pull(self, remote: str, local: Path) -> None:
        raise NotImplementedError

    def exists(self, remote: str) -> bool:
        raise NotImplementedError

    def remove(self, remote: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def said(code: int | None, stderr: str = "", stdout: str = "") -> Completed:
    return Completed(code, stdout, stderr, 0.1)


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


@pytest.fixture
def binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGESR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGESR_BENCHMARK_MODEL", raising=False)
    path = elf(tmp_path / "benchmark_model", 183, ANDROID)
    path.chmod(0o644)  # a phone's copy gets its own mode
    return path


def test_tensorflow_lites_tool_is_asked_once(binary: Path) -> None:
    phone = Phone([said(1, recorded("01_help.stderr"))])
    tool = official(phone, binary)
    remote = f"/data/local/tmp/edgesr/files/{sha256_file(binary)}"
    assert phone.asked == [[remote, "--help"]]
    assert phone.staged == [binary]
    assert tool.command == (remote,)
    assert tool.family == "classic"
    assert {"use_xnnpack", "output_filepath"} <= tool.flags
    assert "use_gpu" not in tool.flags
    assert tool.engine.model_dump() == {
        "name": "benchmark_model", "sha256": sha256_file(binary), "version": None,
    }  # fmt: skip
    assert tool.path == str(binary.resolve())


def test_literts_tool_lists_its_flags_after_a_bad_value_only(tmp_path: Path, binary: Path) -> None:
    cached = tmp_path / "cache" / "binaries" / "litert-2.1.5" / "arm64-v8a" / "benchmark_model"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(binary.read_bytes())
    phone = Phone(
        [
            said(1, stdout=recorded("20a_litert_help.stdout")),
            said(1, recorded("20a3_litert_badbool.stderr")),
        ]
    )
    tool = official(phone, cached)
    assert [argv[1] for argv in phone.asked] == ["--help", "--use_gpu=True"]
    assert tool.family == "litert"
    assert {"use_npu", "gpu-precision", "result_file_path"} <= tool.flags
    assert "input_layer_value_files" not in tool.flags
    assert tool.engine.version == "2.1.5"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (said(126, "/system/bin/sh: {}: not executable: 64-bit ELF file\n"), "64-bit ELF"),
        (said(1, "sh: {}: not executable: 32-bit ELF file\n"), "not executable: 32-bit"),
        (said(127, "/system/bin/sh: {}: inaccessible or not found\n"), "inaccessible or not found"),
        (said(127, "/system/bin/sh: {}: No such file or directory\n"), "No such file"),
        (said(126, "sh: 1: {}: Exec format error\n"), "Exec format error"),
        (said(126, "/system/bin/sh: {}: can't execute: Permission denied\n"), "Permission denied"),
        (said(1, 'CANNOT LINK EXECUTABLE "{}": library "libx.so" not found\n'), "libx.so"),
        (said(126, "some words of a shell of tomorrow\n"), "some words"),
        (said(126), "nothing and ends with exit code 126"),
        (said(127), "dynamic linker"),
        (said(132), "exit code 132"),
        (said(None), "no answer within 60 s"),
    ],
)  # fmt: skip
def test_what_can_not_run_there_is_named_with_device_file_and_reason(
    binary: Path, answer: Completed, words: str
) -> None:
    remote = f"/data/local/tmp/edgesr/files/{sha256_file(binary)}"
    stderr = answer.stderr.replace("{}", remote)
    phone = Phone([said(answer.exit_code, stderr)])
    with pytest.raises(InputError) as raised:
        official(phone, binary)
    message = str(raised.value)
    assert message.startswith(f"can't run {binary} on serial-1: ")
    assert words in message
    assert "\n" not in message
    assert remote not in message or "CANNOT LINK" in message
    assert "built for arm64-v8a (Android)" in raised.value.hint


def test_another_program_is_not_taken_for_it(binary: Path) -> None:
    with pytest.raises(InputError, match="on serial-1 does not answer like a benchmark_model"):
        official(Phone([said(0, stdout="hello\n")]), binary)


def test_a_missing_file_never_reaches_the_device(tmp_path: Path) -> None:
    phone = Phone([said(0)])
    with pytest.raises(InputError, match="nothing does not exist"):
        official(phone, tmp_path / "nothing")
    with pytest.raises(InputError, match="is not a file"):
        official(phone, tmp_path)
    assert not phone.asked
    assert not phone.staged


def test_the_tool_that_a_stand_in_carries_is_our_runner(tmp_path: Path) -> None:
    phone = Phone([said(1, recorded("01_help.stderr"))])
    tool = preinstalled(phone, "/data/local/tmp/x/benchmark_model")
    assert tool.command == ("/data/local/tmp/x/benchmark_model",)
    assert (tool.engine, tool.path) == (own_runner().engine, None)
    runner = tmp_path / "runner"
    runner.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edgesr.bench.host_runner "$@"\n')
    runner.chmod(0o755)
    assert preinstalled(HostTransport(), str(runner)).flags == own_runner().flags
    gone = Phone([said(127, "sh: /x: inaccessible or not found")])
    with pytest.raises(InputError, match="can't run /x on serial-1: inaccessible"):
        preinstalled(gone, "/x")


def test_on_this_machine_a_foreign_program_is_never_started(tmp_path: Path) -> None:
    for number, interpreter in enumerate((ANDROID, "/lib/ld-linux-riscv64.so.1")):
        path = elf(tmp_path / f"tool{number}", 62 if number == 0 else 243, interpreter)
        with pytest.raises(InputError, match=f"tool{number} can't run on this machine: it is"):
            official(HostTransport(), path)


def script(path: Path) -> Path:
    usage = RECORDED / "01_help.stderr"
    path.write_text(f'#!/bin/sh\ncat "{usage}" >&2\nexit 1\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_host_takes_what_fits_of_the_environments_list(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = HostTransport()
    ours = script(tmp_path / "ours")
    monkeypatch.setenv("EDGESR_BENCHMARK_MODEL", str(binary))
    assert choose_tool(transport, None).engine.name == "litert-python"
    monkeypatch.setenv("EDGESR_BENCHMARK_MODEL", f"{binary}:{ours}")
    assert choose_tool(transport, None).path == str(ours.resolve())
    assert choose_tool(transport, None, {"path": None}).engine.name == "litert-python"
    assert choose_tool(transport, None, {"path": str(ours)}).command == (str(ours.resolve()),)
    other = script(tmp_path / "other")
    assert choose_tool(transport, other, {"path": str(ours)}).path == str(other.resolve())


def test_a_program_without_its_linker_is_told_so(tmp_path: Path) -> None:
    path = elf(tmp_path / "tool", 62, LINUX.replace("ld-", "ld-missing-"))
    with pytest.raises(InputError, match="can't run") as raised:
        official(HostTransport(), path)
    assert "x86_64 (Linux, not Android)" in raised.value.hint or "machine" in str(raised.value)

"""The program that measures: the official benchmark_model where one is given, else our own.

Asked once for its flags; a flag that it doesn't know is never passed, because an unknown flag
is no error to it: it would measure something else.
"""

import importlib.metadata
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesr.bench.binaries import (
    ENVIRONMENT,
    environment_binaries,
    first_fitting,
    host_abi,
    locate,
    version_of,
)
from edgesr.bench.delegates import Family
from edgesr.bench.elf import misfit, read_elf
from edgesr.bench.host_flags import FLAGS
from edgesr.device.transport import Completed, Transport
from edgesr.errors import InputError, UsageError
from edgesr.files import sha256_file
from edgesr.results.records import Engine

_FLAG = re.compile(r"^\s*--([A-Za-z0-9_\-]+)=", re.MULTILINE)
_ABSL_FLAG = re.compile(r"^\s+--(?:\[no\])?([A-Za-z0-9_\-]+) \(", re.MULTILINE)
_NOT_STARTED = re.compile(
    r"Exec format error|not executable|cannot execute|CANNOT LINK EXECUTABLE|Permission denied"
    r"|not found$|No such file or directory$|Illegal instruction|Segmentation fault"
)
_PROBE_TIMEOUT_S = 60


@dataclass(frozen=True)
class Tool:
    """A benchmark_model (or our runner) on one device, with the flags it understands."""

    command: tuple[str, ...]
    """Program on the device and fixed arguments."""
    family: Family
    flags: frozenset[str]
    """Names without dashes."""
    engine: Engine
    """How records name it."""
    path: str | None = None
    """Of the binary on this machine; None for our runner and for what a device carries."""

    def to_dict(self) -> dict[str, Any]:
        """As ``run.json`` describes it."""
        return {**self.engine.model_dump(), "path": self.path, "family": self.family}


def choose_tool(
    transport: Transport, binary: Path | None, begun_with: Mapping[str, Any] | None = None
) -> Tool:
    """The program for this machine: ``binary``, else EDGESR_BENCHMARK_MODEL, else our runner.

    Of several that the environment names, the first that is built for this machine. A run that
    goes on keeps the engine that it was begun with, whatever the environment names.

    Raises:
        InputError: When the named binary is missing, can't run here, or is no benchmark_model.
    """
    if binary is None and begun_with:
        before = begun_with.get("path")
        binary = Path(before) if before else None
    elif binary is None:
        binary = first_fitting(environment_binaries(), host_abi())
    return own_runner() if binary is None else official(transport, binary)


def own_runner() -> Tool:
    """Our host runner, on the ai-edge-litert that is installed.

    Raises:
        UsageError: When ai-edge-litert is not installed.
    """
    version = _litert_version()
    if version is None:
        raise UsageError(
            "ai-edge-litert is not installed, and no benchmark_model is named",
            hint=f"pip install ai-edge-litert, or name one by --binary or {ENVIRONMENT}",
        )
    return Tool(
        command=(sys.executable, "-m", "edgesr.bench.host_runner"),
        family="classic",
        flags=frozenset(FLAGS),
        engine=Engine(name="litert-python", version=version),
    )


def official(transport: Transport, path: Path) -> Tool:
    """Puts a benchmark_model on the device and asks it there for its flags.

    Args:
        transport: The device.
        path: The binary here, or its bare name along PATH.

    Raises:
        InputError: When it is missing, can't run there, or doesn't answer like one.
        TransportError: When the way to the device breaks.
    """
    found = locate(path)
    if transport.platform == "host":
        _check_on_host(found)
    digest = sha256_file(found)
    command = (transport.stage(found),)
    family, flags = _ask(transport, command, found)
    engine = Engine(name="benchmark_model", sha256=digest, version=version_of(found))
    return Tool(command, family, flags, engine, path=str(found.resolve()))


def preinstalled(transport: Transport, path: str) -> Tool:
    """The tool that a stand-in phone carries: our host runner, on this machine's ai-edge-litert.

    Args:
        transport: The stand-in.
        path: Of the tool, on the device.

    Raises:
        InputError: When it can't run there, or doesn't answer like a benchmark_model.
        TransportError: When the way to the device breaks.
    """
    family, flags = _ask(transport, (path,), None)
    engine = Engine(name="litert-python", version=_litert_version())
    return Tool((path,), family, flags, engine)


def _litert_version() -> str | None:
    try:
        return importlib.metadata.version("ai-edge-litert")
    except importlib.metadata.PackageNotFoundError:
        return None


def _check_on_host(path: Path) -> None:
    """What would end in a riddle of the shell."""
    if reason := misfit(path, host_abi()):
        raise InputError(
            f"{path} can't run on this machine: {reason}",
            hint="the name of the right one ends in linux_x86-64_benchmark_model",
        )
    if not os.access(path, os.X_OK):
        raise InputError(
            f"{path} is not executable", hint=f"if it is a benchmark_model, run: chmod +x {path}"
        )


def _ask(
    transport: Transport, command: tuple[str, ...], local: Path | None
) -> tuple[Family, frozenset[str]]:
    """Family and flags of a program on a device.

    Args:
        transport: The device.
        command: The program there.
        local: Where it came from, None for one that the device carries.

    Raises:
        InputError: When it can't run there, or doesn't answer like a benchmark_model.
    """
    answers: list[Completed] = []

    def ask(argument: str) -> str:
        answer = transport.run([*command, argument], timeout_s=_PROBE_TIMEOUT_S)
        answers.append(answer)
        return f"{answer.stdout}\n{answer.stderr}"

    family, flags = read_flags(ask)
    if "graph" in flags:
        return family, flags
    where = f"{local or command[0]} on {transport.name}"
    elf = read_elf(local) if local else None
    linker = f", with the linker {elf.interpreter}" if elf and elf.interpreter else ""
    hint = f"it is built for {elf.built_for}{linker}: " if elf else ""
    if reason := _cant_run(answers[0], command[0]):
        raise InputError(
            f"can't run {where}: {reason}", hint=f"{hint}take the one for the device's ABI"
        )
    raise InputError(
        f"{where} does not answer like a benchmark_model (no --graph in its --help)",
        hint=f"{hint}take TensorFlow Lite's or LiteRT's benchmark_model",
    )


def _cant_run(answer: Completed, program: str) -> str | None:
    """Why a program did not even start, or None when it did and said something.

    Shells differ in the exit code of that, not all of them give 126 or 127.
    """
    if answer.exit_code is None:
        return f"no answer within {_PROBE_TIMEOUT_S} s"
    lines = [line.strip() for line in f"{answer.stderr}\n{answer.stdout}".splitlines()]
    said = next((line for line in lines if _NOT_STARTED.search(line)), "")
    if not said and answer.exit_code in (126, 127):
        said = next((line for line in lines if line), "")
    if said:
        return said.rpartition(f"{program}: ")[2]
    if any(lines):
        return None
    ended = {126: "not executable", 127: "not found, or its dynamic linker is missing"}
    code = answer.exit_code
    return f"it prints nothing and ends with exit code {code}" + (
        f" ({ended[code]})" if code in ended else ""
    )


def read_flags(ask: Callable[[str], str]) -> tuple[Family, frozenset[str]]:
    """Family and flags from what a binary answers.

    TensorFlow Lite's tool lists its flags on ``--help``; LiteRT's says "No flags matched." there
    and lists them when a value can't be parsed.

    Args:
        ask: Runs the binary with one argument and gives back all it printed.
    """
    text = ask("--help")
    flags = set(_FLAG.findall(text))
    if "graph" not in flags:
        text = ask("--use_gpu=True")
        flags = set(_FLAG.findall(text)) | set(_ABSL_FLAG.findall(text))
    family: Family = "litert" if "use_npu" in flags else "classic"
    return family, frozenset(flags)

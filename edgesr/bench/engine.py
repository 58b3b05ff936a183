"""The program that measures: the official benchmark_model where one is given, else our own.

Asked once for its flags; a flag that it doesn't know is never passed, because an unknown flag
is no error to it: it would measure something else.
"""

import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesr.bench.delegates import Family
from edgesr.bench.host_flags import FLAGS
from edgesr.device.transport import Transport
from edgesr.errors import InputError, UsageError
from edgesr.files import sha256_file
from edgesr.results.records import Engine

ENVIRONMENT = "EDGESR_BENCHMARK_MODEL"
_FLAG = re.compile(r"^\s*--([A-Za-z0-9_\-]+)=", re.MULTILINE)
_ABSL_FLAG = re.compile(r"^\s+--(?:\[no\])?([A-Za-z0-9_\-]+) \(", re.MULTILINE)
_PROBE_TIMEOUT_S = 60


@dataclass(frozen=True)
class Tool:
    """A benchmark_model (or our runner) on one device, with the flags it understands."""

    command: tuple[str, ...]
    """Program and fixed arguments."""
    family: Family
    flags: frozenset[str]
    """Names without dashes."""
    engine: Engine
    """How records name it."""
    path: str | None = None
    """Of the binary, None for our runner."""

    def to_dict(self) -> dict[str, Any]:
        """As ``run.json`` describes it."""
        return {**self.engine.model_dump(), "path": self.path, "family": self.family}


def choose_tool(
    transport: Transport, binary: Path | None, begun_with: Mapping[str, Any] | None = None
) -> Tool:
    """The program for this machine: ``binary``, else EDGESR_BENCHMARK_MODEL, else our runner.

    A run that goes on keeps the engine that it was begun with, whatever the environment names.

    Raises:
        InputError: When the named binary is missing, can't run here, or is no benchmark_model.
    """
    named = begun_with.get("path") if begun_with else os.environ.get(ENVIRONMENT)
    path = binary or (Path(named) if named else None)
    return own_runner() if path is None else official(transport, path)


def own_runner() -> Tool:
    """Our host runner, on the ai-edge-litert that is installed.

    Raises:
        UsageError: When ai-edge-litert is not installed.
    """
    try:
        version = importlib.metadata.version("ai-edge-litert")
    except importlib.metadata.PackageNotFoundError as error:
        raise UsageError(
            "ai-edge-litert is not installed, and no benchmark_model is named",
            hint=f"pip install ai-edge-litert, or name one by --binary or {ENVIRONMENT}",
        ) from error
    return Tool(
        command=(sys.executable, "-m", "edgesr.bench.host_runner"),
        family="classic",
        flags=frozenset(FLAGS),
        engine=Engine(name="litert-python", version=version),
    )


def official(transport: Transport, path: Path) -> Tool:
    """Checks a benchmark_model and asks it for its flags.

    Raises:
        InputError: When it is missing, can't run here, or doesn't answer like one.
    """
    found = path if path.parent != Path() else Path(shutil.which(str(path)) or path)
    if not found.is_file():
        problem = "is not a file" if found.exists() else "does not exist"
        raise InputError(f"{path} {problem}", hint="name a benchmark_model with --binary")
    if not os.access(found, os.X_OK):
        raise InputError(
            f"{path} is not executable", hint=f"if it is a benchmark_model, run: chmod +x {path}"
        )
    digest = sha256_file(found)
    command = (str(found.resolve()),)

    def ask(argument: str) -> str:
        answer = transport.run([*command, argument], timeout_s=_PROBE_TIMEOUT_S)
        return f"{answer.stdout}\n{answer.stderr}"

    family, flags = read_flags(ask)
    if "graph" not in flags:
        raise InputError(
            f"{path} does not answer like a benchmark_model (no --graph in its --help)",
            hint="is it built for this machine? the name of the right one ends in linux_x86-64",
        )
    engine = Engine(name="benchmark_model", sha256=digest)
    return Tool(command, family, flags, engine, path=str(found.resolve()))


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

"""Running a converter as a child process, so that its crash, memory and noise stay its own."""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesr.errors import ConversionError

STEP = "edgesr-step: "
"""Prefix of the lines by which a child tells what it is doing."""

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1",
          "TF_USE_LEGACY_KERAS": "1", "PYTHONWARNINGS": "ignore",
          "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
# Rounding makes many small products, whose threads wait for each other where cores are shared.
_LAST_LINES = 6


@dataclass(frozen=True)
class ChildJob:
    """One call of a converter."""

    module: str
    """Python module that is run with ``-m`` and gets the path of the parameters."""
    parameters: dict[str, Any]
    """Written as JSON into the folder."""
    folder: Path
    """The child's working directory."""
    timeout_s: float


def run_child(job: ChildJob, on_step: Callable[[str], None]) -> None:
    """Runs a converter to its end.

    Args:
        job: What to run.
        on_step: Called with each step's name as the child announces it.

    Raises:
        ConversionError: When it fails, is killed or takes too long, with its last lines.
    """
    path = job.folder / "job.json"
    path.write_text(json.dumps(job.parameters), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", job.module, str(path)],
        cwd=job.folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        process.kill()

    timer = threading.Timer(job.timeout_s, expire)
    timer.start()
    try:
        last = _follow(process, on_step)
        code = process.wait()
    finally:  # also on Ctrl-C: no child is left behind
        timer.cancel()
        process.kill()
        process.communicate()
    if code != 0:
        raise _failure(job, code, last, expired=expired.is_set())


def _follow(process: "subprocess.Popen[str]", on_step: Callable[[str], None]) -> list[str]:
    last: deque[str] = deque(maxlen=_LAST_LINES)
    for line in process.stdout or ():
        if line.startswith(STEP):
            on_step(line.removeprefix(STEP).strip())
        elif line.strip():
            last.append(line.rstrip())
    return list(last)


def _failure(job: ChildJob, code: int, last: list[str], *, expired: bool) -> ConversionError:
    detail = "".join(f"\n    {line}" for line in last)
    if expired:
        return ConversionError(f"{job.module} did not finish in {job.timeout_s:.0f} s{detail}")
    if code < 0:
        return ConversionError(
            f"{job.module} was killed by signal {-code}{detail}",
            hint="is there enough memory? a smaller --size takes less" if code == -9 else "",
        )
    return ConversionError(f"{job.module} failed with exit code {code}{detail}")


def _environment() -> dict[str, str]:
    """The child finds edgesr where the parent found it, whatever its working directory."""
    package_parent = str(Path(__file__).resolve().parents[2])
    search = os.pathsep.join(filter(None, (package_parent, os.environ.get("PYTHONPATH"))))
    return {**os.environ, **_QUIET, "PYTHONPATH": search}

"""Finding and ending the processes of one stand-in phone, wherever they went."""

import contextlib
import os
import signal
import time
from pathlib import Path

MARK = "EDGESR_STANDIN"
"""Environment variable that holds the phone's mark in each of its processes."""
_DEADLINE_S = 5.0


def processes_of(mark: str) -> list[int]:
    """Ids of the living processes that carry a phone's mark."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def end_processes(mark: str) -> None:
    """Kills all processes of a phone, and those they start meanwhile."""
    deadline = time.monotonic() + _DEADLINE_S
    while (alive := processes_of(mark)) and time.monotonic() < deadline:
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)

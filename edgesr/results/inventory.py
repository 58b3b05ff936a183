"""What a workspace's runs hold, told without failing: a damaged run is listed as damaged."""

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgesr.errors import StoreError
from edgesr.results.records import Job
from edgesr.results.store import RunFolder, Workspace

STATES = ("ok", "refused", "failed", "not measured")
"""What may become of a job, the best first: its best round counts."""


@dataclass(frozen=True)
class DeviceInRun:
    """One device as run.json tells of it."""

    name: str
    model: str
    simulated: bool


@dataclass(frozen=True)
class RunInfo:
    """One run folder, counted."""

    path: Path
    problem: str | None = None
    """Why it can't be read at all, or None."""
    created: datetime | None = None
    """UTC."""
    suite: str = ""
    devices: tuple[DeviceInRun, ...] = ()
    candidates: int = 0
    jobs: Mapping[str, int] = field(default_factory=dict)
    """How many jobs came to what, by `STATES`."""
    records: int = 0
    """Whole records."""
    rounds: int = 0
    """Most good rounds of a job."""
    torn_lines: int = 0
    doubled_lines: int = 0
    paced: bool = False
    """Whether frames were due at a rate, as in a sustained suite."""
    measuring: bool = False
    """Whether an edgesr is at it now."""
    size_bytes: int = 0
    """Of all its files, with those of a report within."""

    @property
    def name(self) -> str:
        """The folder's name: what runs are called by."""
        return self.path.name

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "run": self.name,
            "path": str(self.path),
            "problem": self.problem,
            "created_at": self.created.isoformat(timespec="seconds") if self.created else None,
            "suite": self.suite,
            "devices": [vars(device) for device in self.devices],
            "candidates": self.candidates,
            "jobs": {state.replace(" ", "_"): self.jobs.get(state, 0) for state in STATES},
            "records": self.records,
            "rounds": self.rounds,
            "torn_lines": self.torn_lines,
            "doubled_lines": self.doubled_lines,
            "sustained": self.paced,
            "measuring": self.measuring,
            "size_bytes": self.size_bytes,
        }


def run_folders(workspace: Workspace) -> list[RunFolder]:
    """Every folder of the workspace's runs, oldest first, also those without a run.json.

    Raises:
        StoreError: When the folder can't be read.
    """
    root = workspace.root / "runs"
    try:
        paths = sorted(root.iterdir()) if root.is_dir() else []
    except OSError as error:
        raise StoreError(f"can't read {root}: {error.strerror or error}") from error
    return [RunFolder(p) for p in paths if not p.name.startswith(".") and p.is_dir()]


def inspect_run(folder: RunFolder) -> RunInfo:
    """Counts what a run folder holds; what can't be read is told as its ``problem``."""
    base: dict[str, Any] = {"size_bytes": folder_size(folder.path), "measuring": folder.busy()}
    try:
        header = folder.header()
        counted = _counts(folder, header)
    except StoreError as error:
        return RunInfo(folder.path, str(error), created=_named_time(folder.path.name), **base)
    suite = header.get("suite")
    suite = suite if isinstance(suite, dict) else {}
    candidates = header.get("candidates")
    return RunInfo(
        folder.path,
        created=created_at(folder, header),
        suite=str(suite.get("name") or ""),
        devices=tuple(_devices(header)),
        candidates=len(candidates) if isinstance(candidates, dict) else 0,
        **counted,
        **base,
    )


def created_at(folder: RunFolder, header: Mapping[str, Any]) -> datetime | None:
    """When a run was begun: as it says itself, else as its name does; UTC."""
    with contextlib.suppress(ValueError, OverflowError):
        told = datetime.fromisoformat(str(header.get("created_at")))
        return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
    return _named_time(folder.path.name)


def folder_size(path: Path) -> int:
    """Bytes of all files below a folder; links are not followed."""
    total = 0
    for root, _, files in os.walk(path):
        for name in files:
            with contextlib.suppress(OSError):  # a file that goes away meanwhile
                total += (Path(root) / name).lstat().st_size
    return total


def _named_time(name: str) -> datetime | None:
    with contextlib.suppress(ValueError):
        return datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return None


def _devices(header: Mapping[str, Any]) -> Iterator[DeviceInRun]:
    found = header.get("devices")
    for name, told in found.items() if isinstance(found, dict) else ():
        facts = told if isinstance(told, dict) else {}
        model = facts.get("model")
        yield DeviceInRun(
            str(name), model if isinstance(model, str) else "", facts.get("simulated") is True
        )


def _counts(folder: RunFolder, header: Mapping[str, Any]) -> dict[str, Any]:
    """Jobs by what became of them, and records."""
    planned = header.get("jobs")
    states: dict[object, str] = {}
    paced = False
    for tree in planned if isinstance(planned, list) else ():
        with contextlib.suppress(ValidationError):
            job = Job.model_validate(tree)
            states[job] = "not measured"
            paced |= job.pace_fps is not None
    good: Counter[object] = Counter()
    lines, records = folder.scan(), 0
    for record in lines:
        records += 1
        if record.job is None:
            continue
        job = record.job
        paced |= job.pace_fps is not None
        good[job] += record.status == "ok"
        state = record.status if record.status in {"ok", "refused"} else "failed"
        before = states.get(job, "not measured")
        states[job] = min(state, before, key=STATES.index)
    return {
        "jobs": {state: list(states.values()).count(state) for state in STATES},
        "records": records,
        "rounds": max(good.values(), default=0),
        "torn_lines": lines.torn,
        "doubled_lines": lines.doubled,
        "paced": paced,
    }

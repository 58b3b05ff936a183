"""``run.json``: written before the first job, read again by ``--resume``."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgesr import __version__
from edgesr.bench.launch import Station
from edgesr.bench.phone_station import PhoneUse
from edgesr.bench.pictures import Pictures
from edgesr.bench.suite import Suite
from edgesr.device.info import DeviceInfo
from edgesr.errors import InputError, StoreError
from edgesr.files import sha256_file
from edgesr.results.manifest import Manifest
from edgesr.results.records import Job
from edgesr.results.store import Candidate, RunFolder, Workspace

_PACKAGES = ("ai-edge-litert", "numpy", "scikit-image", "pillow")


@dataclass(frozen=True)
class Plan:
    """What a run measures."""

    candidates: Sequence[Candidate]
    jobs: Sequence[Job]
    suite: Suite


@dataclass(frozen=True)
class Unready:
    """A device that was chosen and can't be measured."""

    info: DeviceInfo
    reason: str


@dataclass(frozen=True)
class Setup:
    """What a run measures with."""

    stations: Mapping[str, Station]
    """By device."""
    unready: Mapping[str, Unready] = field(default_factory=dict)
    """Devices that were chosen and can't be measured."""
    unreached: Mapping[str, str] = field(default_factory=dict)
    """Devices that were chosen and did not even say what they are, and why."""
    pictures: Pictures | None = None
    """What the accuracy pass looks at; None measures none."""
    op_profile: bool = False
    phones: PhoneUse = field(default_factory=PhoneUse)


def write_header(plan: Plan, setup: Setup) -> dict[str, Any]:
    """The JSON-ready content, without the keys that the store adds itself."""
    devices = {
        name: {**station.info.to_dict(), "engine": station.tool.to_dict()}
        for name, station in setup.stations.items()
    }
    devices |= {
        name: {**lost.info.to_dict(), "engine": None, "error": lost.reason}
        for name, lost in setup.unready.items()
    }
    engines = [device["engine"] for device in devices.values() if device["engine"]]
    return {
        "suite": plan.suite.model_dump(mode="json"),
        "jobs": [job.to_dict() for job in plan.jobs],
        "candidates": {
            c.manifest.id: c.manifest.model_dump(mode="json", by_alias=True)
            for c in plan.candidates
        },
        "candidate_files": {c.manifest.id: str(c.path.resolve()) for c in plan.candidates},
        "devices": devices,
        "unreached": dict(setup.unreached),
        "engine": engines[0] if len(devices) == 1 and engines else None,
        "options": {**setup.phones.to_dict(), "op_profile": setup.op_profile},
        "versions": _versions(),
        "accuracy": setup.pictures.to_dict() if setup.pictures else None,
    }


def read_plan(run: RunFolder, workspace: Workspace) -> Plan:
    """The plan of a run, with its candidates' files found and checked.

    Raises:
        StoreError: When run.json is damaged.
        InputError: When a candidate is gone or its file has changed since.
    """
    header = run.header()
    try:
        suite = Suite.model_validate(header["suite"])
        jobs = [Job.model_validate(job) for job in header["jobs"]]
        manifests = [Manifest.model_validate(tree) for tree in header["candidates"].values()]
    except (KeyError, AttributeError, TypeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"{run.path / 'run.json'} is damaged: {reason}") from error
    files = header.get("candidate_files") or {}
    candidates = [_find(m, files.get(m.id), workspace) for m in manifests]
    return Plan(candidates, jobs, suite)


def _find(manifest: Manifest, noted: str | None, workspace: Workspace) -> Candidate:
    """The candidate's file where the run noted it, else in the workspace."""
    standard = workspace.root / "candidates" / manifest.short_id / "model.tflite"
    for path in (Path(noted) if noted else standard, standard):
        if path.is_file():
            if sha256_file(path) != manifest.id:
                raise InputError(
                    f"{path} has changed since the run began",
                    hint="a resumed run must measure the same file: start a new run",
                )
            return Candidate(path, manifest)
    raise InputError(
        f"the candidate {manifest.name} of this run is gone",
        hint="convert its checkpoint again, or start a new run",
    )


def _versions() -> dict[str, str]:
    versions = {"edgesr": __version__}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions

"""What was measured of one candidate, from run folders, ready for a contract and a card."""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from edgesr.analysis.devices import devices_of, mapping
from edgesr.analysis.rows import RunData, read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise
from edgesr.errors import InputError, StoreError
from edgesr.package.text import nameless
from edgesr.results.manifest import Manifest
from edgesr.results.store import RunFolder, Workspace
from edgesr.select.store import StoredSelection
from edgesr.text import plural


@dataclass(frozen=True)
class Measurements:
    """One candidate's jobs, and the runs that they come from."""

    jobs: tuple[JobSummary, ...] = ()
    runs: tuple[RunData, ...] = ()
    missing: tuple[str, ...] = ()
    """Runs that the selection names and that are not in the workspace."""

    def engine(self, job: JobSummary) -> dict[str, str]:
        """``name``, ``version`` and ``sha256`` of the program that measured, where known."""
        for run in self.runs:
            device = devices_of(run.header).get(job.device) if run.name == job.run else None
            if device is not None:
                known = {key: device.engine.get(key) for key in ("name", "version", "sha256")}
                return {key: value for key, value in known.items() if isinstance(value, str)}
        return {}

    def pairs(self) -> tuple[str, ...]:
        """Which pictures quality was measured on, one line per run that tells."""
        lines = []
        for run in self.runs:
            about = mapping(run.header.get("accuracy"))
            images = about.get("images")
            if about:
                count = len(images) if isinstance(images, list) else 0
                name = PurePath(str(about.get("pairs") or "unknown pairs")).name
                lines.append(f"{name}, {plural(count, 'picture')}")
        return tuple(dict.fromkeys(lines))


def measurements(
    workspace: Workspace, manifest: Manifest, selection: StoredSelection | None, run: str | None
) -> Measurements:
    """Reads what was measured of a candidate.

    Args:
        workspace: Holds the runs.
        manifest: Of the candidate.
        selection: Its runs are read where it chose the candidate.
        run: One run by name or folder instead; without both the newest that measured it is read.

    Raises:
        InputError: When the named run is not there, or did not measure the candidate.
        StoreError: When a run is damaged or of a newer schema.
    """
    missing: tuple[str, ...] = ()
    if run is not None:
        folders = [workspace.run(run)]
    elif selection is not None and selection.of(manifest.id):
        folders, missing = _named(workspace, selection.runs)
    else:
        folders = _newest(workspace, manifest.id)
    runs = [read_run(folder) for folder in folders]
    jobs = [job for job in summarise(tidy_rows(runs)) if job.candidate == manifest.id]
    if run is not None and not jobs:
        raise InputError(
            f"{folders[0].path} did not measure {manifest.name} ({manifest.short_id})",
            hint=f"measure it with: edgesr bench {manifest.short_id}",
        )
    kept = {job.run for job in jobs}
    return Measurements(tuple(jobs), tuple(one for one in runs if one.name in kept), missing)


def _named(workspace: Workspace, names: Sequence[str]) -> tuple[list[RunFolder], tuple[str, ...]]:
    found, missing = [], []
    known = {folder.path.name: folder for folder in workspace.runs()}
    for name in names:
        if name in known:
            found.append(known[name])
        else:
            missing.append(name)
    return found, tuple(missing)


def _newest(workspace: Workspace, candidate: str) -> list[RunFolder]:
    for folder in reversed(workspace.runs()):
        with contextlib.suppress(StoreError):  # another run's damage is no reason to stop here
            if candidate in mapping(folder.header().get("candidates")):
                return [folder]
    return []


_NUMBERS = (
    "rounds", "median_ms", "median_low_ms", "median_high_ms", "p95_ms", "init_ms", "init_cold_ms",
    "init_warm_ms", "memory_mb", "memory_peak_mb", "psnr_y", "psnr_y_low", "psnr_y_high",
    "bicubic_psnr_y", "ssim_y", "ssim_y_low", "ssim_y_high", "cer", "cer_low", "cer_high",
    "bicubic_cer",
)  # fmt: skip


def job_dict(job: JobSummary, engine: dict[str, str]) -> dict[str, Any]:
    """One job for the contract; what is not known is null."""
    return {
        "run": job.run,
        "device": nameless(job.device_label),
        "device_class": job.device_class,
        "simulated": job.simulated,
        "delegate": job.delegate,
        "placed": job.placed,
        "threads": int(job.threads) if math.isfinite(job.threads) else None,
        "verdict": job.outcome,
        "nodes_delegated": _known(job.nodes_delegated),
        "nodes_total": _known(job.nodes_total),
        "status": job.status,
        **{name: _known(float(getattr(job, name))) for name in _NUMBERS},
        "ocr": job.ocr or None,
        "trust": job.trust,
        "doubts": list(dict.fromkeys([*job.trust_reasons, *(d.code for d in job.doubts)])),
        "engine": engine or None,
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None

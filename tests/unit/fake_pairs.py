"""Pairs of run folders, the second a changed copy of the first, made through the real store."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.analysis.changes import Comparison, compare_runs
from edgesr.analysis.run_side import read_side
from edgesr.results.records import Job, Record
from edgesr.results.store import RunFolder, Workspace
from tests.unit.fake_runs import PHONES, candidate_id, header, manifest, ok_record

PHONE = "2A111FDH2005XY"
SUITE = {"name": "quick", "rounds": 20, "num_runs": 5, "min_secs": 0.3, "max_secs": 6.0,
         "warmup_runs": 1, "warmup_min_secs": 0.2, "pace": None}  # fmt: skip
Make = Callable[[Job, int, float], Record]


def job(number: int = 0, **changes: Any) -> Job:
    """One of as many candidates as one likes."""
    fields = {"candidate": candidate_id(name(number)), "variant": "fp32", "device": "host",
              "delegate": "xnnpack", "threads": 2, **changes}  # fmt: skip
    return Job(**fields)


def name(number: int) -> str:
    return f"elsr_x2-{number}-360x640-fp32"


def run_of(
    workspace: Path,
    records: Sequence[Record],
    manifests: Sequence[dict[str, Any]] | None = None,
    **changes: Any,
) -> RunFolder:
    """A run that holds these records; ``changes`` go into its header."""
    jobs = list({record.job.key: record.job for record in records if record.job}.values())
    names = {candidate_id(name(number)): name(number) for number in range(200)}
    if manifests is None:
        manifests = [
            manifest(names[candidate], "fp32", "elsr_x2")
            for candidate in {one.candidate for one in jobs} & names.keys()
        ]
    head = header(list(manifests), jobs, **{"suite": SUITE, **changes})
    run = Workspace(workspace).new_run(head)
    lines = (json.dumps(record.to_dict(), ensure_ascii=False) + "\n" for record in records)
    (run.path / "records.jsonl").write_text("".join(lines), encoding="utf-8")
    return run


def rounds_of(
    job: Job, middle_ms: float, seed: int, *, rounds: int = 20, scatter: float = 0.02,
    make: Make = ok_record,
) -> list[Record]:  # fmt: skip
    """Rounds that scatter by so much around a median."""
    random = np.random.default_rng(seed)
    times = middle_ms * np.exp(random.normal(0, scatter, rounds))
    return [make(job, number, float(ms)) for number, ms in enumerate(times)]


def phones(**changes: Any) -> dict[str, Any]:
    """The header's part about one phone."""
    return {"devices": {PHONE: {**PHONES[PHONE], **changes}}, "engine": None}


def compared(before: RunFolder, after: RunFolder, **options: Any) -> Comparison:
    return compare_runs(read_side(before), read_side(after), **options)

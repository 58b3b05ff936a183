"""Invented job summaries, each changed from one that a real run folder gives."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise
from edgesr.select.choose import select
from edgesr.select.criteria import Criteria
from edgesr.select.selection import GroupResult
from tests.unit.fake_runs import candidate_id, simple_run

ROUNDS = 10


@cache
def _base() -> JobSummary:
    with tempfile.TemporaryDirectory() as folder:
        return summarise(tidy_rows([read_run(simple_run(Path(folder)))]))[0]


def job(name: str = "net", ms: float = 20.0, **changes: Any) -> JobSummary:
    """A good job of ten rounds within 1 %, 35 dB, bicubic 33 dB; of trust A on the host."""
    rounds = {n: ms * (1 + 0.001 * (n % 3 - 1)) for n in range(ROUNDS)}
    fields: dict[str, Any] = {
        "candidate": candidate_id(name), "name": name, "round_ms": rounds, "rounds": ROUNDS,
        "statuses": {"ok": ROUNDS}, "median_ms": ms, "median_low_ms": 0.99 * ms,
        "median_high_ms": 1.01 * ms, "fastest_ms": 0.99 * ms, "slowest_ms": 1.01 * ms,
        "p95_ms": 1.1 * ms, "p95_low_ms": 1.08 * ms, "p95_high_ms": 1.12 * ms,
        "longest_ms": 1.3 * ms, "init_ms": 12.0, "memory_mb": 50.0, "size_bytes": 20_000.0,
        "psnr_y": 35.0, "psnr_y_low": 34.9, "psnr_y_high": 35.1, "bicubic_psnr_y": 33.0,
        "ssim_y": 0.95, "ssim_y_low": 0.94, "ssim_y_high": 0.96, "doubts": (), "trust": "A",
        "trust_reasons": (), "run": "20261125T100000Z-00000001",
        **changes,
    }  # fmt: skip
    fields.setdefault("key", f"{name}-{fields.get('device')}-{fields.get('delegate')}")
    return replace(_base(), **fields)


def phone_job(serial: str, name: str = "net", ms: float = 20.0, **changes: Any) -> JobSummary:
    """The same on a budget phone."""
    model = {"P1": "Redmi 12C", "P2": "Galaxy A14"}.get(serial, "Pixel 7")
    phone = {"device": serial, "device_label": f"{serial} ({model})", "device_class": "budget"}
    return job(name, ms, **{**phone, "delegate": "xnnpack", **changes})


def criteria(
    constraints: Mapping[str, Any] | None = None,
    order: tuple[str, ...] = ("latency_median_ms",),
    **changes: Any,
) -> Criteria:
    objective = changes.pop("objective", {"order": order})
    tree = {"name": "test", "constraints": constraints or {}, "objective": objective, **changes}
    return Criteria.model_validate(tree)


def only_group(
    jobs: list[JobSummary], wanted: Criteria, manifests: Mapping[str, Any] | None = None
) -> GroupResult:
    (group,) = select(jobs, [], wanted, manifests or {}).groups
    return group

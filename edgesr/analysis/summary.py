"""Tidy rows -> one summary per job: what was measured, where it ran, how far to trust it."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

FEW_ROUNDS = 3
"""Below this many good rounds a spread says little."""
WIDE_SPREAD = 0.15
"""(slowest - fastest round) / median above which the measurement counts as unsteady."""
_WORST_FIRST = ("fallback", "unknown", "partial", "full")


@dataclass(frozen=True)
class JobDoubt:
    """A reason not to trust a job's numbers fully."""

    code: str
    numbers: dict[str, Any]
    rounds: int
    """In how many rounds it was seen; 0 for one found over all rounds together."""


@dataclass(frozen=True)
class JobSummary:
    """One job over all its rounds. Unknown numbers are NaN."""

    run: str
    key: str
    candidate: str
    """Sha256 of the .tflite."""
    name: str
    variant: str
    arch: str
    scale: float
    input: str
    """Width × height of the input in pixels."""
    size_bytes: float
    device: str
    device_label: str
    delegate: str
    """The delegate that was asked for."""
    threads: float
    status: str
    """``ok`` when any round is; else the most frequent other status."""
    statuses: dict[str, int]
    reasons: tuple[str, ...]
    """Distinct reasons of the rounds that are not ok."""
    outcome: str
    """Worst verdict over the good rounds, or over all when none is good; else ``unknown``."""
    nodes_delegated: float
    nodes_total: float
    partitions: float
    rounds: int
    """Good rounds: what the latency is taken over."""
    rounds_planned: float
    median_ms: float
    """Median of the rounds' medians."""
    fastest_ms: float
    """Smallest of the rounds' medians."""
    slowest_ms: float
    """Largest of the rounds' medians."""
    init_ms: float
    memory_init_mb: float
    """Growth of the resident set until the model is ready, MiB."""
    memory_mb: float
    """Growth of the resident set over the whole round, MiB."""
    memory_peak_mb: float
    psnr_y: float
    ssim_y: float
    bicubic_psnr_y: float
    bicubic_ssim_y: float
    reference_psnr_db: float
    """Against the fp32 reference's pixels; infinite when not one value differs."""
    reference_max_abs: float
    """Largest difference to the fp32 reference in 8-bit steps."""
    doubts: tuple[JobDoubt, ...]

    @property
    def measured(self) -> bool:
        """Whether there is a latency."""
        return not math.isnan(self.median_ms)

    @property
    def verified(self) -> bool:
        """Measured, no round went wrong, and all of the graph ran where it was asked to."""
        return self.measured and set(self.statuses) == {"ok"} and self.outcome == "full"

    @property
    def placed(self) -> str:
        """Where it ran, in words that never credit a delegate which fell back."""
        if not self.measured or self.outcome in {"full", "partial"}:
            return self.delegate
        if self.outcome == "fallback":
            return f"{self.delegate} fell back"
        return f"{self.delegate} unproven"

    @property
    def gain_db(self) -> float:
        """PSNR over bicubic on the same pairs, dB."""
        return self.psnr_y - self.bicubic_psnr_y


def summarise(rows: pd.DataFrame) -> list[JobSummary]:
    """One `JobSummary` per run and job, in the order of first appearance.

    A try of a round that came to nothing does not count when the round was later measured well.

    Args:
        rows: What `rows.tidy_rows` gives.
    """
    groups = rows.groupby(["run", "key"], sort=False, dropna=False)
    return [_summary(_settled(group)) for _, group in groups]


def summary_frame(jobs: Sequence[JobSummary]) -> pd.DataFrame:
    """The summaries as a table with plain cells, one row per job, for a CSV file."""
    table = [
        {
            **asdict(job),
            "statuses": "; ".join(f"{name} {count}" for name, count in job.statuses.items()),
            "reasons": " | ".join(job.reasons),
            "doubts": " ".join(doubt.code for doubt in job.doubts),
            "placed": job.placed,
            "verified": job.verified,
            "gain_db": job.gain_db,
        }
        for job in jobs
    ]
    return pd.DataFrame(table)


def _settled(group: pd.DataFrame) -> pd.DataFrame:
    """Without the bad tries of a round that a later good one answers, as after ``--resume``."""
    answered: set[Any] = set()
    kept = []
    for number, status in zip(group["round"][::-1], group["status"][::-1], strict=True):
        kept.append(status == "ok" or number not in answered)
        if status == "ok":
            answered.add(number)
    return group[kept[::-1]]


def _summary(group: pd.DataFrame) -> JobSummary:
    good = group[group["latency_ms"].notna()]
    latency = good["latency_ms"]
    first = group.iloc[0]
    statuses = {str(name): int(n) for name, n in group["status"].value_counts().items()}
    outcome, verdict = _worst_verdict(good if len(good) else group)
    fields: dict[str, Any] = {
        **{name: str(first[name]) for name in _TEXTS},
        **{name: float(first[name]) for name in _CONSTANTS},
        **{name: _middle(good[name]) for name in _MIDDLES},
        **{name: _middle(group[name]) for name in _QUALITIES},
        **verdict,
    }
    return JobSummary(
        **fields,
        status="ok" if "ok" in statuses else next(iter(statuses)),
        statuses=statuses,
        reasons=tuple(dict.fromkeys(str(r) for r in group["reason"].dropna() if r)),
        outcome=outcome,
        rounds=len(good),
        median_ms=_middle(latency),
        fastest_ms=float(latency.min()) if len(good) else math.nan,
        slowest_ms=float(latency.max()) if len(good) else math.nan,
        reference_psnr_db=_reference(group),
        doubts=(*_round_doubts(group["doubts"]), *_job_doubts(good)),
    )


_TEXTS = ("run", "key", "candidate", "name", "variant", "arch", "input", "device",
          "device_label", "delegate")  # fmt: skip
_CONSTANTS = ("scale", "size_bytes", "threads", "rounds_planned", "bicubic_psnr_y",
              "bicubic_ssim_y")  # fmt: skip
_MIDDLES = ("init_ms", "memory_init_mb", "memory_mb", "memory_peak_mb")
_QUALITIES = ("psnr_y", "ssim_y", "reference_max_abs")


def _middle(values: "pd.Series[Any]") -> float:
    found = values.dropna()
    return float(found.median()) if len(found) else math.nan


def _worst_verdict(group: pd.DataFrame) -> tuple[str, dict[str, float]]:
    """The least favourable outcome over the rounds, with the node counts of that round."""
    for outcome in _WORST_FIRST:
        rounds = group[group["outcome"] == outcome]
        if len(rounds):
            row = rounds.iloc[0]
            return outcome, {name: float(row[name]) for name in _NODES}
    return "unknown", dict.fromkeys(_NODES, math.nan)


_NODES = ("nodes_delegated", "nodes_total", "partitions")


def _reference(group: pd.DataFrame) -> float:
    """PSNR against the reference, dB; a comparison without any difference is infinite."""
    found = _middle(group["reference_psnr_db"])
    identical = bool((group["reference_max_abs"] == 0).any())
    return math.inf if math.isnan(found) and identical else found


def _round_doubts(column: Iterable[str]) -> list[JobDoubt]:
    """The rounds' doubts, each code once, with the numbers of its first appearance."""
    found: dict[str, JobDoubt] = {}
    for text in column:
        for code, numbers in {d["code"]: d["numbers"] for d in json.loads(text)}.items():
            before = found.get(code)
            count = before.rounds + 1 if before else 1
            found[code] = JobDoubt(code, before.numbers if before else numbers, count)
    return list(found.values())


def _job_doubts(good: pd.DataFrame) -> list[JobDoubt]:
    """Doubts that only show over all rounds together."""
    doubts, latency = [], good["latency_ms"]
    if not len(good):
        return []
    if len(good) < FEW_ROUNDS:
        doubts.append(JobDoubt("few_rounds", {"rounds": len(good)}, 0))
    spread = float((latency.max() - latency.min()) / latency.median())
    if spread > WIDE_SPREAD:
        doubts.append(JobDoubt("wide_spread", {"percent": round(100 * spread)}, 0))
    if (good["latency_from"] == "avg").any():
        doubts.append(JobDoubt("average_used", {}, 0))
    if good["outcome"].nunique() > 1:
        doubts.append(JobDoubt("verdict_varies", {}, 0))
    return doubts

"""Tidy rows -> one summary per job: what was measured, where it ran, how far to trust it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import pandas as pd

from edgesr.analysis.doubts import JobDoubt, job_doubts
from edgesr.analysis.legibility import TEXT_NUMBERS
from edgesr.analysis.operations import OpCost, costs
from edgesr.analysis.rows import Row, grouped, known
from edgesr.analysis.statistics import median_interval
from edgesr.analysis.trust import DISQUALIFYING, Grade, Trust, place_findings, weigh

_WORST_FIRST = ("fallback", "unknown", "partial", "full")


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
    device_class: str
    """Tier of the device's profile: ``budget``, ``mid``, ``flagship``, ``host``, ``unlisted``."""
    simulated: bool
    """Whether a stand-in phone ran it: the times are of the machine behind it."""
    delegate: str
    """The delegate that was asked for."""
    threads: float
    status: str
    """``ok`` when any round is; else the most frequent other status."""
    statuses: dict[str, int]
    reasons: tuple[str, ...]
    """Distinct reasons of the rounds that are not ok."""
    cause: str | None
    """The kind of the latest of them, for programs."""
    outcome: str
    """Worst verdict over the good rounds, or over all when none is good; else ``unknown``."""
    nodes_delegated: float
    nodes_total: float
    partitions: float
    refused_ops: tuple[str, ...]
    """Operations that the delegate refused, in any round."""
    rounds: int
    """Good rounds: what the latency is taken over."""
    rounds_planned: float
    """NaN where the run measured until medians were known well enough (``--until``)."""
    round_ms: dict[int, float]
    """Round -> its median: what jobs of one run are compared by."""
    median_ms: float
    """Median of the rounds' medians."""
    median_low_ms: float
    """Lower end of its 95 % interval over rounds; NaN where there are too few."""
    median_high_ms: float
    fastest_ms: float
    """Smallest of the rounds' medians."""
    slowest_ms: float
    """Largest of the rounds' medians."""
    p95_ms: float
    """Median over rounds of what 95 % of a round's inferences are not slower than; NaN where the
    tool doesn't tell."""
    p95_low_ms: float
    p95_high_ms: float
    longest_ms: float
    """Of all inferences of all rounds."""
    init_ms: float
    """Of rounds that don't tell cold from warm."""
    init_cold_ms: float
    """The delegate compiled its kernels."""
    init_warm_ms: float
    """The delegate loaded kernels that it had compiled before."""
    memory_init_mb: float
    """Growth of the resident set until the model is ready, MiB."""
    memory_mb: float
    """Growth of the resident set over the whole round, MiB."""
    memory_peak_mb: float
    memory_pss_mb: float
    """Proportional set size, from a pass of its own, MiB."""
    temperature_before_c: float
    """Highest before any good round, °C."""
    temperature_after_c: float
    """Highest after any good round, °C."""
    psnr_y: float
    """Mean over pictures, with the ends of its 95 % interval; NaN in older runs, and of one
    picture."""
    psnr_y_low: float
    psnr_y_high: float
    ssim_y: float
    ssim_y_low: float
    ssim_y_high: float
    bicubic_psnr_y: float
    bicubic_ssim_y: float
    reference_psnr_db: float
    """Against the fp32 reference's pixels; infinite when not one value differs."""
    reference_max_abs: float
    """Largest difference to the fp32 reference in 8-bit steps."""
    cer: float
    """Character error rate of the text in the device's pictures; NaN, as all below, without text.
    Means over pictures, with the ends of their 95 % intervals."""
    cer_low: float
    cer_high: float
    word_recall: float
    confidence: float
    """The OCR engine's own, 0 to 1."""
    text_images: float
    """Pictures with text."""
    ocr: str
    """The engine with version and language; empty where nothing was read."""
    bicubic_cer: float
    truth_cer: float
    """The engine's own errors, in the high-resolution pictures."""
    cer_vs_bicubic: float
    """Difference on the same pictures; below zero it reads better."""
    cer_vs_bicubic_low: float
    cer_vs_bicubic_high: float
    cer_vs_reference: float
    """To the fp32 reference; above zero letters are lost."""
    cer_vs_reference_low: float
    cer_vs_reference_high: float
    profile: tuple[OpCost, ...]
    """What its operations cost, the costliest kind first; empty where nobody asked."""
    doubts: tuple[JobDoubt, ...]
    trust: Grade
    """A nothing to doubt, B usable with care, C don't decide on it."""
    trust_reasons: tuple[str, ...]
    """Codes that keep it from A, the worst first."""

    @property
    def measured(self) -> bool:
        """Whether there is a latency."""
        return not math.isnan(self.median_ms)

    @property
    def verified(self) -> bool:
        """Measured, no round went wrong, and all of the graph ran where it was asked to."""
        return self.measured and set(self.statuses) == {"ok"} and self.outcome == "full"

    @property
    def bad_rounds_pct(self) -> float:
        """Share of the rounds that are not ok, per cent."""
        return _bad_pct(self.statuses)

    @property
    def selectable(self) -> bool:
        """Whether it may be chosen at all: verified, and its pixels are not known to be wrong."""
        return self.verified and self.pixels_ok

    @property
    def pixels_ok(self) -> bool:
        """Whether nothing says that its pixels are wrong."""
        return not any(doubt.code in DISQUALIFYING for doubt in self.doubts)

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
    Paced jobs are not among them (`analysis.sustained`): a device rests between frames, and its
    clocks are others then.

    Args:
        rows: What `rows.tidy_rows` gives.
    """
    return [summarise_job(_settled(group)) for group in grouped(rows[rows["pace_fps"].isna()])]


def summary_frame(jobs: Sequence[JobSummary]) -> pd.DataFrame:
    """The summaries as a table with plain cells, one row per job, for a CSV file."""
    table = [
        {
            **{name: value for name, value in vars(job).items() if name != "round_ms"},
            "statuses": "; ".join(f"{name} {count}" for name, count in job.statuses.items()),
            "reasons": " | ".join(job.reasons),
            "refused_ops": " ".join(job.refused_ops),
            "profile": "; ".join(f"{c.op} x{c.nodes}: {c.ms:.4g} ms" for c in job.profile),
            "doubts": " ".join(doubt.code for doubt in job.doubts),
            "trust_reasons": " ".join(job.trust_reasons),
            "placed": job.placed,
            "verified": job.verified,
            "selectable": job.selectable,
            "gain_db": job.gain_db,
        }
        for job in jobs
    ]
    return pd.DataFrame(table)


def _settled(group: Sequence[Row]) -> list[Row]:
    """Without the bad tries of a round that a later good one answers, as after ``--resume``."""
    answered: set[Any] = set()
    kept = []
    for row in reversed(group):
        good = row["status"] == "ok"
        if good or row["round"] not in answered:
            kept.append(row)
        if good:
            answered.add(row["round"])
    return kept[::-1]


def summarise_job(group: Sequence[Row]) -> JobSummary:
    """The summary of one job.

    Args:
        group: Its rows, at least one, without tries that a later one answers.
    """
    good = [row for row in group if not math.isnan(row["latency_ms"])]
    first, times = group[0], [float(row["latency_ms"]) for row in good]
    statuses = dict(Counter(str(row["status"]) for row in group).most_common())
    outcome, verdict = _worst_verdict(good or group)
    doubts = job_doubts(group, good)
    time, late = median_interval(times), median_interval(known(good, "latency_p95_ms"))
    trust = job_trust(statuses, outcome, doubts, measured=bool(good))
    fields: dict[str, Any] = {
        **{name: str(first[name]) for name in _TEXTS},
        **{name: float(first[name]) for name in _CONSTANTS},
        **{name: _middle(good, name) for name in _MIDDLES},
        **{name: _middle(group, name) for name in _QUALITIES},
        **{name: max(known(good, name), default=math.nan) for name in _HIGHEST},
        **_init(good),
        **verdict,
    }
    return JobSummary(
        **fields,
        simulated=any(row["simulated"] for row in group),
        status=_status(statuses),
        statuses=statuses,
        reasons=tuple(dict.fromkeys(str(r) for r in known(group, "reason") if r)),
        cause=next((str(cause) for cause in reversed(known(group, "cause")) if cause), None),
        outcome=outcome,
        rounds=len(good),
        refused_ops=_refused(group),
        round_ms={int(row["round"]): row["latency_ms"] for row in good if known([row], "round")},
        median_ms=time.value,
        median_low_ms=time.low,
        median_high_ms=time.high,
        p95_ms=late.value,
        p95_low_ms=late.low,
        p95_high_ms=late.high,
        longest_ms=max(known(good, "latency_max_ms"), default=math.nan),
        fastest_ms=min(times, default=math.nan),
        slowest_ms=max(times, default=math.nan),
        reference_psnr_db=_reference(group),
        ocr=next((str(name) for name in known(group, "ocr")), ""),
        profile=costs(next(iter(known(group, "profile")), None)),
        doubts=doubts,
        trust=trust.grade,
        trust_reasons=trust.reasons,
    )


def _status(statuses: dict[str, int]) -> str:
    """``ok`` when any round is, else the most frequent of the others."""
    return "ok" if "ok" in statuses else next(iter(statuses))


def _bad_pct(statuses: dict[str, int]) -> float:
    return 100 * (1 - statuses.get("ok", 0) / sum(statuses.values()))


def job_trust(
    statuses: dict[str, int], outcome: str, doubts: Sequence[JobDoubt], *, measured: bool
) -> Trust:
    """The job's grade: from what became of it, how many rounds went wrong, and its doubts."""
    found = place_findings(_status(statuses), outcome, measured=measured)
    bad = _bad_pct(statuses)
    if 0 < bad < 100:
        found.append(("rounds_bad", {"percent": bad}))
    return weigh([*found, *((doubt.code, doubt.numbers) for doubt in doubts)])


_TEXTS = ("run", "key", "candidate", "name", "variant", "arch", "input", "device",
          "device_label", "device_class", "delegate")  # fmt: skip
_CONSTANTS = ("scale", "size_bytes", "threads", "rounds_planned", "bicubic_psnr_y",
              "bicubic_ssim_y", "bicubic_cer", "truth_cer")  # fmt: skip
_MIDDLES = ("memory_init_mb", "memory_mb", "memory_peak_mb", "memory_pss_mb")
_HIGHEST = ("temperature_before_c", "temperature_after_c")
_QUALITIES = ("psnr_y", "psnr_y_low", "psnr_y_high", "ssim_y", "ssim_y_low", "ssim_y_high",
              "reference_max_abs", *TEXT_NUMBERS)  # fmt: skip


def _middle(rows: Sequence[Row], name: str) -> float:
    """The median of what is known of a column."""
    found = known(rows, name)
    return float(median(found)) if found else math.nan


def _refused(group: Sequence[Row]) -> tuple[str, ...]:
    names = (name for cell in known(group, "refused_ops") for name in str(cell).split())
    return tuple(dict.fromkeys(names))


def _init(good: Sequence[Row]) -> dict[str, float]:
    """Cold, warm, and neither known: three numbers that no median may mix."""
    by_kind: dict[str, list[Row]] = {}
    for row in good:
        by_kind.setdefault(str(row["init_kind"]), []).append(row)
    told = {kind: by_kind.pop(kind, []) for kind in ("cold", "warm")}
    rest = [row for rows in by_kind.values() for row in rows]
    return {
        "init_cold_ms": _middle(told["cold"], "init_ms"),
        "init_warm_ms": _middle(told["warm"], "init_ms"),
        "init_ms": _middle(rest, "init_ms"),
    }


def _worst_verdict(rows: Sequence[Row]) -> tuple[str, dict[str, float]]:
    """The least favourable outcome over the rounds, with the node counts of that round."""
    for outcome in _WORST_FIRST:
        for row in rows:
            if row["outcome"] == outcome:
                return outcome, {name: float(row[name]) for name in _NODES}
    return "unknown", dict.fromkeys(_NODES, math.nan)


_NODES = ("nodes_delegated", "nodes_total", "partitions")


def _reference(rows: Sequence[Row]) -> float:
    """PSNR against the reference, dB; a comparison without any difference is infinite."""
    found = _middle(rows, "reference_psnr_db")
    identical = 0 in known(rows, "reference_max_abs")
    return math.inf if math.isnan(found) and identical else found

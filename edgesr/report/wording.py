"""Codes of the records in words for people; a code without words is shown as it is."""

import math

from edgesr.analysis.summary import JobDoubt, JobSummary
from edgesr.report.text import NONE, clean, plural

DOUBTS = {
    # found over all rounds of a job (edgesr.analysis.summary)
    "few_rounds": "fewer than three good rounds ({rounds}): the spread says little",
    "wide_spread": "rounds differ by {percent} % of their median",
    "average_used": "the engine printed no median: averages are used instead",
    "verdict_varies": "rounds disagree about where the graph ran; the worst is shown",
    # written into records while measuring (edgesr.bench.doubts)
    "busy": "other programs kept {load} cores busy",
    "hot": "the device was hot: {temperature_c} °C, its limit is {limit_c}",
    "clock_changed": "the clock fell from {before_mhz} to {after_mhz} MHz",
    "count_low": "only {count} of {asked} inferences were run",
    "memory_failed": "the peak of memory could not be measured: {reason}",
    "accuracy_failed": "the quality could not be measured: {reason}",
    "accuracy_no_pairs": "the quality was not measured: {reason}",
    "accuracy_window": "quality is of the top left {pct} % of each picture",
    "engine_changed": "the engine changed during the run: {before} before, {now} now",
}
"""Code -> sentence; names in braces come from the doubt's numbers."""

ONCE = frozenset({"memory_failed", "accuracy_failed", "accuracy_no_pairs", "accuracy_window"})
"""Doubts about what is measured once per job: in how many rounds they were seen says nothing."""

STATUSES = {
    "ok": "ok",
    "failed": "failed",
    "refused": "refused",
    "timeout": "timed out",
    "device_lost": "device lost",
    "aborted": "aborted",
    "not measured": "not measured",
}

DELEGATES = {"cpu": "CPU", "xnnpack": "XNNPACK", "gpu": "GPU", "nnapi": "NNAPI"}


def delegate_words(placed: str) -> str:
    """``xnnpack`` -> ``XNNPACK``, ``gpu fell back`` -> ``GPU fell back``."""
    first, _, rest = placed.partition(" ")
    return f"{DELEGATES.get(first, clean(first))} {rest}".strip()


def doubt_words(doubt: JobDoubt) -> str:
    """A doubt as a phrase; an unknown code stands there raw with its numbers."""
    sentence = DOUBTS.get(doubt.code)
    values = {key: _value(value) for key, value in doubt.numbers.items()}
    try:
        words = sentence.format_map(values) if sentence else ""
    except (KeyError, IndexError, ValueError):
        words = ""
    if not words:
        numbers = ", ".join(f"{key} {value}" for key, value in values.items())
        words = f"{clean(doubt.code)} ({numbers})" if numbers else clean(doubt.code)
    counted = doubt.rounds and doubt.code not in ONCE
    return f"{words} [{plural(doubt.rounds, 'round')}]" if counted else words


def status_words(job: JobSummary) -> str:
    """The status with counts when the rounds differ: ``ok 2, timed out 1``.

    A job that fell back or gave no usable time is not called ok.
    """
    if job.outcome == "fallback":
        return "fell back"
    if job.status == "ok" and not job.measured:
        return "no usable time"
    if len(job.statuses) == 1:
        return STATUSES.get(job.status, clean(job.status))
    return ", ".join(f"{STATUSES.get(s, clean(s))} {n}" for s, n in job.statuses.items())


def verdict_words(job: JobSummary) -> str:
    """Where the graph really ran, with node counts where the log gave them."""
    if not job.measured:
        return ""
    nodes = f" {node_words(job)}".rstrip()
    if job.delegate == "cpu":
        plain = {"full": "plain CPU kernels", "fallback": "not on plain CPU kernels"}
        return plain.get(job.outcome, "unproven on plain CPU kernels")
    where = delegate_words(job.delegate)
    return {
        "full": f"all on {where}{nodes}",
        "partial": f"partly on {where}{nodes}",
        "fallback": f"not on {where}: CPU{nodes}",
    }.get(job.outcome, f"unproven on {where}{nodes}")


def node_words(job: JobSummary) -> str:
    """``8/9 nodes``: delegated of all; empty where the log gave no counts."""
    if not (math.isfinite(job.nodes_delegated) and math.isfinite(job.nodes_total)):
        return ""
    return f"{job.nodes_delegated:.0f}/{job.nodes_total:.0f} nodes"


def reference_words(job: JobSummary) -> str:
    """How far the device's pixels are from the fp32 reference's."""
    if math.isinf(job.reference_psnr_db):
        return "identical"
    if math.isnan(job.reference_psnr_db):
        return NONE
    steps = "" if math.isnan(job.reference_max_abs) else f", max {job.reference_max_abs:.0f}/255"
    return f"{job.reference_psnr_db:.1f} dB{steps}"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else clean(str(value))

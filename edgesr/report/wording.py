"""Codes of the records in words for people; a code without words is shown as it is."""

import math

from edgesr.analysis.doubts import JobDoubt
from edgesr.analysis.summary import JobSummary
from edgesr.text import NONE, clean, plural

NOT_AN_APP = (
    "Latency of a command-line program is not that of an app: schedulers treat both differently."
)
SIMULATED = "simulated phone: times are of the machine behind it"
UNLISTED = "no device profile knows this phone: its big cores are worked out, limits are general"

DOUBTS = {
    # found over all rounds of a job (edgesr.analysis.doubts)
    "few_rounds": "fewer than three good rounds ({rounds}): the spread says little",
    "wide_spread": "rounds differ by {percent} % of their median",
    "average_used": "the engine printed no median: averages are used instead",
    "verdict_varies": "rounds disagree about where the graph ran; the worst is shown",
    "drift": "it became slower from round to round: by {percent} % over {rounds} rounds",
    "clock_drift": "the clock fell from round to round: by {percent} % over {rounds} rounds",
    "bimodal": "rounds fall into two clumps, {percent} % apart: {slow} of {rounds} are slow",
    "outliers": "{far} of {rounds} rounds lie apart, the farthest {percent} % from the median",
    # found over a paced series (edgesr.analysis.sustained)
    "rested": "{percent} % of the time passed between launches, where the device could rest",
    "series_torn": "only {done} of {planned} segments have figures",
    # written into records while measuring (edgesr.bench.doubts)
    "busy": "other programs kept {load} cores busy",
    "hot": "the device was hot: {temperature_c} °C, its limit is {limit_c}",
    "temperature_unknown": "the device tells no temperature: whether it was hot is not known",
    "throttled": "Android slowed the phone down for its heat: thermal status {thermal_status}",
    "battery_low": "the battery was low: {battery_pct} %, the limit is {limit_pct} %",
    "clock_changed": "the clock fell from {before_mhz} to {after_mhz} MHz",
    "clock_capped": "the system allowed only {limit_mhz} of {max_mhz} MHz",
    "screen_changed": "the screen went from {before} to {after} during the round",
    "count_low": "only {count} of {asked} inferences were run",
    "picked_up": "the result waited {seconds} s on the phone until it could be fetched",
    "not_pinned": "launches were not pinned: the phone's big cores are not known",
    "clocks_not_fixed": "the phone refused fixed-performance mode",
    "relaunched": "the round was started a second time: {reason}",
    "gpu_dequantizes": "the GPU computes an integer model in floating point",
    "simulated": SIMULATED,
    "unlisted": UNLISTED,
    "memory_failed": "the peak of memory could not be measured: {reason}",
    "no_pss": "the phone's own measure of memory (PSS) could not be read: {reason}",
    "profile_failed": "the times of single operations could not be measured: {reason}",
    "accuracy_failed": "the quality could not be measured: {reason}",
    "accuracy_no_pairs": "the quality was not measured: {reason}",
    "accuracy_sampled": "quality is of {images} of {of} pictures: the limit on launches",
    "accuracy_window": "quality is of the top left {pct} % of each picture",
    "pixels_wrong": "wrong pixels: {psnr_db} dB to the fp32 reference, the floor is {floor_db} dB",
    "pixels_not_finite": "wrong pixels: some are not even finite numbers",
    "cer_worse": "it blurs letters: its CER of {cer} is {more} above that of the fp32 reference on "
    "the same {images} pictures (95 % interval {low} to {high})",
    "confidence_misleads": "OCR confidence misleads: {confidence_more} above that of {against}, "
    "while CER is {cer_more} worse",
    "engine_changed": "the engine changed during the run: {before} before, {now} now",
    "binary_changed": "the same download now gives another program: {before} before, {now} now",
}
"""Code -> sentence; names in braces come from the doubt's numbers."""

ONCE = frozenset({
    "memory_failed", "no_pss", "profile_failed", "accuracy_failed", "accuracy_no_pairs",
    "accuracy_sampled", "accuracy_window", "pixels_wrong", "pixels_not_finite", "cer_worse",
    "confidence_misleads", "simulated", "unlisted", "gpu_dequantizes", "binary_changed",
})  # fmt: skip
"""Doubts about what holds for the whole job: in how many rounds they were seen says nothing."""

TRUST = {"A": "nothing to doubt", "B": "usable with care", "C": "don't decide on it"}
"""Trust grade -> what it means."""
TRUST_LEGEND = ", ".join(f"{grade} {words}" for grade, words in TRUST.items())

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
_GPU_PARTS = {"cl": "(OpenCL)", "gl": "(OpenGL)"}


def split_placed(placed: str) -> tuple[str, str]:
    """(delegate, what became of it): ``gpu-cl fell back`` -> ``gpu-cl``, ``fell back``."""
    for suffix in ("fell back", "unproven"):
        if placed.endswith(f" {suffix}"):
            return placed.removesuffix(f" {suffix}"), suffix
    return placed, ""


def delegate_base(delegate: str) -> str:
    """What a variant is of: ``gpu-cl-fp32`` -> ``gpu``, ``nnapi:NAME`` -> ``nnapi``."""
    if delegate.startswith("nnapi:"):
        return "nnapi"
    return "gpu" if delegate.startswith("gpu-") else delegate


def delegate_words(placed: str) -> str:
    """``xnnpack`` -> ``XNNPACK``, ``gpu-cl-fp32 fell back`` -> ``GPU (OpenCL) fp32 fell back``."""
    delegate, fate = split_placed(placed)
    base = delegate_base(delegate)
    rest = delegate[len(base) + 1 :]
    parts = [rest] if base == "nnapi" else [_GPU_PARTS.get(p, p) for p in rest.split("-")]
    words = [DELEGATES.get(base, clean(base)), *(clean(part) for part in parts), fate]
    return " ".join(word for word in words if word)


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

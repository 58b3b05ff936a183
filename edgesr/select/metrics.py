"""The metrics that criteria may name, in one table: a new one is an entry in `METRICS`."""

import difflib
import math
from collections.abc import Callable

from edgesr.analysis.devices import mapping
from edgesr.analysis.statistics import FEWEST
from edgesr.select.metric import Facts, Metric, Reading
from edgesr.text import clean, figures, plural, short

MORE_ROUNDS = 5
"""Advised where rounds are too few: from so many on the interval assumes no distribution."""


def metric(name: str) -> Metric:
    """A metric by its name.

    Raises:
        ValueError: When there is none; the message holds near names.
    """
    if name in METRICS:
        return METRICS[name]
    close = difflib.get_close_matches(name, METRICS, n=3, cutoff=0.5)
    told = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(METRICS)}"
    raise ValueError(f"{short(name, 60)!r} is no metric: {told}")


def delegate_base(delegate: str) -> str:
    """What a delegate is a way to run: ``gpu-cl-fp32`` -> ``gpu``, ``nnapi:NAME`` -> ``nnapi``."""
    return delegate.partition(":")[0].partition("-")[0]


def _exact(value: float, missing: str = "", remark: str = "") -> Reading:
    return Reading(value, value, value, missing if math.isnan(value) else "", remark)


def _interval(
    value: float, ends: tuple[float, float], facts: Facts, missing: Callable[[Facts], str]
) -> Reading:
    low, high = ends
    told = math.isfinite(low) and math.isfinite(high)
    return Reading(value, low, high, "" if told else missing(facts))


def _nothing(why: str) -> Reading:
    return Reading(math.nan, math.nan, math.nan, why)


def _few_rounds(facts: Facts) -> str:
    job = facts.job
    if facts.paced_only:
        return "only measured at a fixed frame rate: measure it with another suite too"
    if not job.measured:
        return "not measured"
    if job.rounds < FEWEST:
        return f"only {plural(job.rounds, 'round')}: measure with --rounds {MORE_ROUNDS}"
    return "no interval: measure it again"


def _latency(facts: Facts) -> Reading:
    job = facts.job
    if facts.paced_only:
        return _nothing(_few_rounds(facts))
    return _interval(job.median_ms, (job.median_low_ms, job.median_high_ms), facts, _few_rounds)


def _p95(facts: Facts) -> Reading:
    """The longest inference stands for it where the tool doesn't tell: only as an upper bound."""
    job = facts.job
    if facts.paced_only:
        return _nothing(_few_rounds(facts))
    if math.isfinite(job.p95_ms):
        return _interval(job.p95_ms, (job.p95_low_ms, job.p95_high_ms), facts, _few_rounds)
    silent = "this build of the engine does not tell the p95, newer ones do"
    if job.rounds < FEWEST or not math.isfinite(job.longest_ms):
        return _nothing(silent if job.rounds >= FEWEST else _few_rounds(facts))
    bound = f"{silent}; its longest inference took {figures(job.longest_ms)} ms"
    return Reading(job.longest_ms, math.nan, job.longest_ms, bound, "longest inference")


def _init(facts: Facts) -> Reading:
    job = facts.job
    kinds = ((job.init_cold_ms, "cold"), (job.init_ms, ""), (job.init_warm_ms, "warm"))
    found = next(((ms, kind) for ms, kind in kinds if math.isfinite(ms)), (math.nan, ""))
    return _exact(found[0], "not told by this engine", found[1])


def _memory(facts: Facts) -> Reading:
    job = facts.job
    if math.isfinite(job.memory_peak_mb):
        return _exact(job.memory_peak_mb, remark="peak")
    return _exact(job.memory_mb, "not told by this engine", "growth, no peak told")


_NO_QUALITY = "quality was not measured: measure with --accuracy PAIRS.csv"
_NO_TEXT = "no text was read: measure with --accuracy PAIRS.csv whose pairs hold text"


def _of_pictures(name: str, nothing: str, again: str) -> Callable[[Facts], Reading]:
    """Reads a mean over pictures with its interval."""
    low, high = f"{name}_low", f"{name}_high"

    def read(facts: Facts) -> Reading:
        job = facts.job
        value = getattr(job, name)
        missing = nothing if math.isnan(value) else again
        return _interval(value, (getattr(job, low), getattr(job, high)), facts, lambda _: missing)

    return read


def _quality(name: str) -> Callable[[Facts], Reading]:
    again = "of too few pictures or an older run: measure with --accuracy on more pairs"
    return _of_pictures(name, _NO_QUALITY, again)


def _text(name: str) -> Callable[[Facts], Reading]:
    again = "of too few pictures with text: measure with --accuracy on more pairs"
    return _of_pictures(name, _NO_TEXT, again)


_psnr = _quality("psnr_y")


def _gain(facts: Facts) -> Reading:
    """On the same pictures; where their figures aren't at hand, as wide as the PSNR's interval.

    That is too wide: pictures that are hard are hard for bicubic too.
    """
    job = facts.job
    psnr, bicubic = _psnr(facts), job.bicubic_psnr_y
    if math.isnan(bicubic) and not math.isnan(psnr.value):
        return _nothing("bicubic was not measured: measure again with --accuracy PAIRS.csv")
    paired = facts.evidence.gain(job)
    if paired.told:
        return Reading(psnr.value - bicubic, paired.low, paired.high)
    ends = psnr.low - bicubic, psnr.high - bicubic
    return Reading(psnr.value - bicubic, *ends, psnr.missing)


def _sustained(facts: Facts) -> Reading:
    """The highest frame rate that was held over a whole series; 0 where none was."""
    if not any(one.measured for one in facts.series):
        return _nothing("not measured at a fixed frame rate: measure with --suite sustained")
    held = [one for one in facts.series if one.holds and one.job.selectable]
    best = max(held, key=lambda one: one.fps, default=None)
    if best is None:
        return _exact(0.0)
    return _exact(best.fps, remark=f"trust {best.job.trust}")


def _refused(facts: Facts) -> Reading:
    """What the delegate refused; where not all of the graph ran there, what it is expected to."""
    names = set(facts.job.refused_ops)
    if facts.job.outcome != "full":
        expected = mapping(mapping(facts.manifest.get("coverage")).get(
            delegate_base(facts.job.delegate)))  # fmt: skip
        names |= set(map(str, mapping(expected.get("refused"))))
    return _exact(float(len(names)), remark=short(", ".join(sorted(names)), 60))


def _verdict(facts: Facts) -> Reading:
    return _rank(VERDICTS, facts.job.outcome)


def _trust(facts: Facts) -> Reading:
    reasons = ", ".join(facts.job.trust_reasons[:3])
    return _rank(GRADES, facts.job.trust, clean(reasons).replace("_", " "))


def _rank(ranks: tuple[str, ...], found: str, remark: str = "") -> Reading:
    return _exact(float(ranks.index(found)) if found in ranks else 0.0, remark=remark)


VERDICTS = ("fallback", "unknown", "partial", "full")
GRADES = ("C", "B", "A")

_ENTRIES = (
    Metric("latency_median_ms", "latency", "ms", "lower", _latency, samples="rounds"),
    Metric("latency_p95_ms", "latency p95", "ms", "lower", _p95, samples="rounds"),
    Metric("init_ms", "initialisation", "ms", "lower", _init),
    Metric("memory_peak_mb", "memory", "MiB", "lower", _memory),
    Metric("size_mb", "size", "MB", "lower", lambda facts: _exact(facts.job.size_bytes / 1e6,
                                                                "not told by the run")),
    Metric("psnr_y", "PSNR-Y", "dB", "higher", _psnr, may_be_negative=True,
           samples="pictures", negligible=0.05),
    Metric("psnr_gain_db", "gain over bicubic", "dB", "higher", _gain, may_be_negative=True,
           samples="pictures", negligible=0.05),
    Metric("ssim_y", "SSIM-Y", "", "higher", _quality("ssim_y"), may_be_negative=True,
           samples="pictures", negligible=0.001),
    Metric("cer", "CER", "", "lower", _text("cer"), samples="pictures", negligible=0.001),
    Metric("cer_vs_bicubic", "CER over bicubic's", "", "lower", _text("cer_vs_bicubic"),
           may_be_negative=True, samples="pictures", negligible=0.001),
    Metric("fps_sustained", "sustained rate", "fps", "higher", _sustained),
    Metric("refused_ops", "refused operations", "", "lower", _refused),
    Metric("verdict", "verdict", "", "higher", _verdict, VERDICTS,
           ("partial", "full")),
    Metric("trust", "trust", "", "higher", _trust, GRADES, GRADES),
)  # fmt: skip
METRICS: dict[str, Metric] = {one.name: one for one in _ENTRIES}

"""How well text in the device's pictures can be read, in words and numbers."""

import math
from collections.abc import Sequence

from edgesr.analysis.summary import JobSummary
from edgesr.results.records import FEWEST_IMAGES
from edgesr.text import NONE, fixed, plural, short


def cer_words(job: JobSummary) -> str:
    """``0.123 (0.101–0.150)``: character error rate with its interval."""
    if math.isnan(job.cer):
        return NONE
    if math.isnan(job.cer_low):
        return f"{job.cer:.3f}"
    return f"{job.cer:.3f} ({job.cer_low:.3f}–{job.cer_high:.3f})"


def against_bicubic_words(job: JobSummary) -> str:
    """Difference of the CER to bicubic's on the same pictures, with its interval."""
    return _difference(job.cer_vs_bicubic, job.cer_vs_bicubic_low, job.cer_vs_bicubic_high)


def against_reference_words(job: JobSummary) -> str:
    """Difference of the CER to the fp32 reference's on the same pictures, with its interval."""
    return _difference(job.cer_vs_reference, job.cer_vs_reference_low, job.cer_vs_reference_high)


def best_read(jobs: Sequence[JobSummary]) -> JobSummary | None:
    """The fastest of those whose CER is the lowest of a panel; None where nothing was read."""
    read = [job for job in jobs if math.isfinite(job.cer)]
    lowest = min((job.cer for job in read), default=math.nan)
    tied = [job for job in read if job.cer <= lowest]
    return min(tied, key=lambda job: job.median_ms, default=None)


def reading_sentence(jobs: Sequence[JobSummary], place: str) -> str:
    """Whose pictures are read best, and whether that is more than chance against bicubic.

    Args:
        jobs: Verified measurements of one panel.
        place: Where the best of them ran, in words.
    """
    best = best_read(jobs)
    if best is None:
        return ""
    known = math.isfinite(best.text_images)
    over = f" over {plural(int(best.text_images), 'picture')}" if known else ""
    return (
        f"Of these, text is read best in the pictures of {short(best.name, 60)} on {place}: CER "
        f"{_with_interval(best)}{over}{_beside(best)}."
    )


def _with_interval(job: JobSummary) -> str:
    if math.isnan(job.cer_low):
        return f"{job.cer:.3f}"
    return f"{job.cer:.3f} (95 % interval {job.cer_low:.3f} to {job.cer_high:.3f})"


def _beside(job: JobSummary) -> str:
    """Bicubic's and the truth's CER, and the verdict against bicubic."""
    parts = []
    if math.isfinite(job.bicubic_cer):
        parts.append(f"bicubic {job.bicubic_cer:.3f}{_verdict(job)}")
    if math.isfinite(job.truth_cer):
        parts.append(f"the originals themselves {job.truth_cer:.3f}")
    return f"; {', '.join(parts)}" if parts else ""


def _verdict(job: JobSummary) -> str:
    low, high = job.cer_vs_bicubic_low, job.cer_vs_bicubic_high
    if job.text_images < FEWEST_IMAGES:
        return " (too few pictures to tell them apart)"
    if math.isnan(low) or math.isnan(high):
        return ""
    if high < 0:
        return " (significantly worse)"
    return " (significantly better)" if low > 0 else " (no significant difference)"


def _difference(mean: float, low: float, high: float) -> str:
    if math.isnan(mean):
        return NONE
    words = fixed(mean, 3, sign=True)
    if math.isnan(low):
        return words
    return f"{words} ({fixed(low, 3, sign=True)} to {fixed(high, 3, sign=True)})"

"""The facts that a reader takes away first, one sentence per comparable group."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

from edgesr.analysis.summary import JobSummary
from edgesr.report.legibility import best_read, reading_sentence
from edgesr.report.wording import delegate_words, doubt_words, node_words
from edgesr.text import clean, figures, fixed, join_known, plural, short

PanelT = TypeVar("PanelT")
MOST_PANELS = 12
"""Panels drawn per plot."""
SAME_QUALITY_DB = 0.05
"""PSNR differences below this are taken for none when the best is named."""


def panels(jobs: Sequence[JobSummary]) -> dict[str, list[JobSummary]]:
    """Title -> jobs that may be compared: same run, device, scale and input size.

    In order of first appearance. Two panels never share a title.
    """
    several = len({job.run for job in jobs}) > 1
    found: dict[tuple[str, str, str, str], list[JobSummary]] = {}
    for job in jobs:
        found.setdefault((job.run, job.device, f"{job.scale:.0f}", job.input), []).append(job)
    titled: dict[str, list[JobSummary]] = {}
    for members in found.values():
        title = wanted = _title(members[0], several_runs=several)
        number = 1
        while title in titled:  # two long names, shortened to the same one
            number += 1
            title = f"{wanted} ({number})"
        titled[title] = members
    return titled


def first_panels(drawn: Mapping[str, PanelT]) -> tuple[dict[str, PanelT], str]:
    """The panels that a plot shows, and a remark about those it leaves out.

    A fleet has hundreds; a plot of so many is no picture any more.
    """
    shown = dict(list(drawn.items())[:MOST_PANELS])
    rest = len(drawn) - len(shown)
    return shown, f"{plural(rest, 'further panel')} left out: see the table." if rest else ""


def _title(job: JobSummary, *, several_runs: bool) -> str:
    scale = f"×{job.scale:.0f}" if math.isfinite(job.scale) else "scale unknown"
    run = f"run {short(job.run, 26)}" if several_runs else ""
    return join_known(short(job.device_label, 48), scale, job.input, run)


def headline(jobs: Sequence[JobSummary]) -> str:
    """The fastest verified measurement of a panel and its quality, in a few sentences."""
    return " ".join(headline_sentences(jobs))


def headline_sentences(jobs: Sequence[JobSummary]) -> list[str]:
    """The sentences of `headline`; the first is about the fastest, and there is always one."""
    verified = [job for job in jobs if job.selectable]
    if not verified:
        measured = sum(job.measured for job in jobs)
        none = (
            f"Nothing here is verified: of {plural(len(jobs), 'job')}, {measured} gave a time, "
            "and none of them without a failed round, with the whole graph where it was asked "
            "to run, and with pixels that are right."
        )
        return [none]
    best = min(verified, key=lambda job: job.median_ms)
    sentences = [_fastest(best, len(verified))]
    weighing = [doubt for doubt in best.doubts if doubt.code in best.trust_reasons]
    if weighing:
        doubts = "; ".join(doubt_words(doubt) for doubt in weighing)
        sentences.append(f"Trust {best.trust}: {doubts}.")
    partial = _faster_partial(jobs, best)
    if partial is not None:
        nodes = f" ({node_words(partial)})" if node_words(partial) else ""
        sentences.append(
            f"{short(partial.name, 60)} is faster, {figures(partial.median_ms)} ms, but runs "
            f"partly on {_place(partial)}{nodes}."
        )
    sharpest = _sharpest(verified)
    if sharpest is not None and sharpest.candidate != best.candidate:
        sentences.append(
            f"The highest quality (within {SAME_QUALITY_DB} dB) is {short(sharpest.name, 60)}'s: "
            f"{fixed(sharpest.psnr_y, 2)} dB at {figures(sharpest.median_ms)} ms on "
            f"{_place(sharpest)}."
        )
    read = best_read(verified)
    if read is not None:
        sentences.append(reading_sentence(verified, _place(read)))
    return [clean(sentence) for sentence in sentences]


def _faster_partial(jobs: Sequence[JobSummary], best: JobSummary) -> JobSummary | None:
    """The fastest of those that beat the best with only a part of the graph delegated."""
    partial = [job for job in jobs if job.measured and job.outcome == "partial" and job.pixels_ok]
    faster = [job for job in partial if job.median_ms < best.median_ms]
    return min(faster, key=lambda job: job.median_ms, default=None)


def _sharpest(verified: Sequence[JobSummary]) -> JobSummary | None:
    """The fastest of those whose quality is as good as the best."""
    scored = [job for job in verified if math.isfinite(job.psnr_y)]
    highest = max((job.psnr_y for job in scored), default=math.nan)
    tied = [job for job in scored if job.psnr_y >= highest - SAME_QUALITY_DB]
    return min(tied, key=lambda job: job.median_ms, default=None)


def _fastest(best: JobSummary, verified: int) -> str:
    among = "measurement" if verified == 1 else f"of {verified} measurements"
    return (
        f"{short(best.name, 60)} on {_place(best)} is the fastest {among} with the whole graph "
        f"where it was asked to run: {figures(best.median_ms)} ms per frame "
        f"({_spread(best)}), {_quality(best)}."
    )


def _place(job: JobSummary) -> str:
    threads = f" with {plural(int(job.threads), 'thread')}" if math.isfinite(job.threads) else ""
    return f"{delegate_words(job.placed)}{threads}"


def _spread(job: JobSummary) -> str:
    if job.rounds == 1:
        return "one round"
    low, high = job.median_low_ms, job.median_high_ms
    if math.isfinite(low) and math.isfinite(high):
        return f"95 % {figures(low)} to {figures(high)}, {job.rounds} rounds"
    return f"{figures(job.fastest_ms)} to {figures(job.slowest_ms)} ms over {job.rounds} rounds"


def _quality(job: JobSummary) -> str:
    if math.isnan(job.psnr_y):
        return "its quality was not measured"
    text = f"PSNR-Y {fixed(job.psnr_y, 2)} dB"
    if math.isnan(job.gain_db):
        return f"{text} (bicubic was not measured)"
    where = "above" if job.gain_db >= 0 else "below"
    return f"{text}, {abs(job.gain_db):.2f} dB {where} bicubic"

"""Series at a fixed frame rate: one sentence each, and their part of the page."""

import math
from collections.abc import Sequence
from typing import Any

from edgesr.analysis.sustained import DONE, SegmentSummary, Series, typical
from edgesr.report.markup import Markup, element
from edgesr.report.wording import delegate_words, doubt_words, status_words
from edgesr.text import figures, plural, short

TITLE, ANCHOR = "Sustained frame rate", "pace"
EXPLAINED = (
    "Frames were due at a fixed rate, in segments of one launch each. A segment holds the rate "
    f"when {100 * DONE:.0f} % of the frames due were done, and 95 % of them in less than the time "
    "from one frame to the next. Between launches the device can rest: in an app it does not."
)
_ALIKE = 1.1
"""Rates within this ratio are told as one."""
_ALMOST = 0.95
"""From this share of the rate on, the rate alone does not tell what is wrong."""
_CLOCK_FELL = 0.95
"""Below this share of its highest clock limit a phone counts as capped."""


def sentence(series: Series) -> str:
    """Does it hold the rate, and from when on not: without name and place."""
    if not series.measured:
        why = series.job.reasons[-1] if series.job.reasons else status_words(series.job)
        return f"no figure at {_rate(series)}: {short(why, 200)}."
    parts = [_held(series), _torn(series)]
    return "; ".join(part for part in parts if part) + "."


def place(series: Series) -> str:
    """Which candidate, where."""
    job = series.job
    threads = f", {plural(int(job.threads), 'thread')}" if math.isfinite(job.threads) else ""
    where = f"{delegate_words(job.placed)}{threads}, {short(job.device_label, 48)}"
    return f"{short(job.name, 60)} on {where}"


def remarks(series: Series) -> list[str]:
    """Doubts in words, but for what the sentence says already."""
    return [doubt_words(doubt) for doubt in series.job.doubts if doubt.code != "series_torn"]


def minutes(seconds: float) -> str:
    """``4:20``, minutes and seconds."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def clock_fell(series: Series, segment: SegmentSummary) -> bool:
    """Whether the big cores' clock is held below the highest of the series."""
    highest = max((s.clock_mhz for s in series.measured if s.clock_mhz > 0), default=math.nan)
    return segment.clock_mhz < _CLOCK_FELL * highest


def _rate(series: Series) -> str:
    return f"{series.fps:g} fps"


def _held(series: Series) -> str:
    rate, lost = _rate(series), series.lost
    if not lost:
        return f"holds {rate} for {_length(sum(s.seconds for s in series.measured))}"
    after = [s for s in series.measured if s.number >= lost[0].number]
    again = sum(bool(s.holds) for s in after)
    told = f", and holds it in {again} of the {plural(len(after), 'segment')} from then on"
    if lost[0] is not series.measured[0]:
        begin = f"holds {rate} until {minutes(lost[0].start_s)}, then {_reached(series)}"
        return begin + _condition(series) + (told if again else "")
    if again:
        begin = f"does not hold {rate} from the beginning: {_reached(series)}"
        return f"{begin}{_condition(series)}{told}"
    return f"does not hold {rate}: {_reached(series)}{_condition(series)}"


def _reached(series: Series) -> str:
    """What the segments do that do not hold the rate."""
    low, high = min(s.fps for s in series.lost), max(s.fps for s in series.lost)
    rate = f"{figures(low)} to {figures(high)} fps"
    if high < low * _ALIKE:
        rate = f"{figures(typical(series.lost, 'fps'))} fps"
    if low < _ALMOST * series.fps:
        return rate
    p95 = figures(typical(series.lost, "p95_ms"))
    late = f"late frames (p95 {p95} ms, one is due every {figures(series.budget_ms)} ms)"
    return f"{rate} with {late}" if low < DONE * series.fps else late


def _condition(series: Series) -> str:
    """Heat and clock when the rate was lost, where the device tells them."""
    first = series.lost[0]
    slowest = min(series.lost, key=lambda s: s.clock_mhz if s.clock_mhz > 0 else math.inf)
    heat = "" if math.isnan(first.temperature_c) else f" at {first.temperature_c:.0f} °C"
    if not clock_fell(series, slowest):
        return heat
    when = "" if clock_fell(series, first) else "later with "
    return f"{heat}, {when}big cores capped at {slowest.clock_mhz / 1000:.2g} GHz"


def _torn(series: Series) -> str:
    if series.whole:
        return ""
    why = f": {short(series.job.reasons[-1], 200)}" if series.job.reasons else ""
    return f"only {len(series.measured)} of {plural(series.planned, 'segment')} have figures{why}"


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.3g} min"


def series_document(series: Series) -> dict[str, Any]:
    """A series in a JSON document; a number that is not known is null.

    * ``candidate``, ``id``, ``delegate``, ``threads``, ``device``, ``simulated``, ``trust``,
      ``doubts``: as of a job;
    * ``fps`` (frames due per second), ``holds`` (from the first to the last segment), ``held_s``
      (seconds since its beginning for which it does), ``idle_pct`` (share of the time between
      launches), ``sentence``;
    * ``segments``: {number, start_s, seconds, status, fps, median_ms, p95_ms, temperature_c,
      clock_mhz, thermal_status, holds}.
    """
    job = series.job
    return {
        "candidate": job.name,
        "id": job.candidate,
        "delegate": job.delegate,
        "threads": int(job.threads) if math.isfinite(job.threads) else None,
        "device": job.device,
        "simulated": job.simulated,
        "trust": job.trust,
        "doubts": [doubt.code for doubt in job.doubts],
        "fps": series.fps,
        "holds": series.holds,
        "held_s": series.held_s,
        "idle_pct": series.idle_pct,
        "sentence": sentence(series),
        "segments": [vars(one) for one in series.segments],
    }


def sustained_section(series: Sequence[Series]) -> Markup:
    """The page's section: a sentence per series, and what they rest on."""
    items = (
        element(
            "li",
            element("b", f"{place(one)}: "),
            f"{sentence(one)} Trust {one.job.trust}. ",
            element("span", "; ".join(remarks(one)), class_="quiet"),
        )
        for one in series
    )
    return element(
        "section",
        element("h2", TITLE),
        element("p", EXPLAINED, class_="quiet"),
        element("ul", *items),
        element("p", "Every segment stands in sustained.csv, beside this page.", class_="quiet"),
        id=ANCHOR,
    )


def sustained_markdown(series: Sequence[Series]) -> list[str]:
    """The section's lines for report.md; nothing where there is no series."""
    if not series:
        return []
    from edgesr.report.table import markdown_cell

    lines = [f"## {TITLE}", "", EXPLAINED, ""]
    for one in series:
        words = f"{sentence(one)} Trust {one.job.trust}. {'; '.join(remarks(one))}"
        lines.append(f"* **{markdown_cell(place(one))}**: {markdown_cell(words.strip())}")
    return [*lines, "", "Every segment stands in sustained.csv.", ""]

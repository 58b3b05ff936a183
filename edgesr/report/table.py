"""Tables of jobs: columns defined once for the page and for Markdown."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgesr.analysis.summary import JobSummary
from edgesr.analysis.trust import Grade, severity
from edgesr.report.legibility import against_bicubic_words, against_reference_words, cer_words
from edgesr.report.markup import Markup, element, join
from edgesr.report.wording import (
    TRUST_LEGEND,
    delegate_words,
    doubt_words,
    reference_words,
    status_words,
    verdict_words,
)
from edgesr.text import NONE, count, figures, fixed, short


@dataclass(frozen=True)
class Column:
    """One column of the table of jobs."""

    title: str
    text: Callable[[JobSummary], str]
    value: Callable[[JobSummary], float] | None = None
    """The number to sort by, where the column holds numbers."""
    optional: bool = False
    """Left out where no job has it."""
    more: bool = False
    """Hidden where the table is compact."""
    choice: bool = False
    """Whether the table can be filtered by its values."""
    wraps: bool = False
    """Whether its texts are long and may be broken."""


def _range(job: JobSummary) -> str:
    if job.rounds < 2:
        return NONE
    return f"{figures(job.fastest_ms)}–{figures(job.slowest_ms)}"


def _interval(job: JobSummary) -> str:
    """Ends of the median's interval; the dash where rounds are too few."""
    if math.isnan(job.median_low_ms):
        return NONE
    return f"{figures(job.median_low_ms)}–{figures(job.median_high_ms)}"


def _hottest(job: JobSummary) -> float:
    """The highest temperature before or after a round; NaN where none is known."""
    known = (job.temperature_before_c, job.temperature_after_c)
    return max((value for value in known if not math.isnan(value)), default=math.nan)


def _rounds(job: JobSummary) -> str:
    planned = job.rounds_planned
    return f"{job.rounds} of {planned:.0f}" if math.isfinite(planned) else str(job.rounds)


COLUMNS = (
    Column("Candidate", lambda job: short(job.name, 60)),
    Column("Asked for", lambda job: delegate_words(short(job.delegate, 40)), choice=True),
    Column("Threads", lambda job: count(job.threads), lambda job: job.threads),
    Column("Status", status_words),
    Column("Trust", lambda job: job.trust, choice=True),
    Column("Median ms", lambda job: figures(job.median_ms), lambda job: job.median_ms),
    Column("95 % interval", _interval, lambda job: job.median_high_ms - job.median_low_ms),
    Column("Range ms", _range, lambda job: job.slowest_ms - job.fastest_ms, more=True),
    Column(
        "p95 ms", lambda job: figures(job.p95_ms), lambda job: job.p95_ms, optional=True, more=True
    ),
    Column("Rounds", _rounds, lambda job: job.rounds, more=True),
    Column("PSNR-Y dB", lambda job: fixed(job.psnr_y, 2), lambda job: job.psnr_y),
    Column("vs bicubic dB", lambda j: fixed(j.gain_db, 2, sign=True), lambda j: j.gain_db),
    Column("SSIM-Y", lambda job: fixed(job.ssim_y, 4), lambda job: job.ssim_y, more=True),
    Column("CER", cer_words, lambda job: job.cer, optional=True),
    Column("CER vs bicubic", against_bicubic_words, lambda job: job.cer_vs_bicubic,
           optional=True, more=True),
    Column("CER vs fp32", against_reference_words, lambda job: job.cer_vs_reference,
           optional=True, more=True),
    Column("Confidence", lambda j: fixed(j.confidence, 3), lambda j: j.confidence,
           optional=True, more=True),
    Column("Size kB", lambda job: figures(job.size_bytes / 1e3), lambda job: job.size_bytes),
    Column("Memory MiB", lambda job: fixed(job.memory_mb, 1), lambda job: job.memory_mb),
    Column("PSS MiB", lambda j: fixed(j.memory_pss_mb, 1), lambda j: j.memory_pss_mb,
           optional=True, more=True),
    Column("Init ms", lambda job: figures(job.init_ms), lambda job: job.init_ms, more=True),
    Column("Cold init ms", lambda j: figures(j.init_cold_ms), lambda j: j.init_cold_ms,
           optional=True, more=True),
    Column("Warm init ms", lambda j: figures(j.init_warm_ms), lambda j: j.init_warm_ms,
           optional=True, more=True),
    Column("Hottest °C", lambda job: fixed(_hottest(job), 1), _hottest, optional=True, more=True),
    Column("Ran on", verdict_words, wraps=True),
    Column("vs fp32 reference", reference_words, lambda job: job.reference_psnr_db, more=True),
    Column("Variant", lambda job: short(job.variant, 20), choice=True),
    Column("Input", lambda job: job.input, more=True),
    Column("Device", lambda job: short(job.device_label, 48), choice=True, wraps=True),
    Column("Class", lambda job: short(job.device_class, 24), choice=True),
    Column("Remarks", lambda job: "; ".join(remarks(job)), more=True),
)  # fmt: skip


def remarks(job: JobSummary) -> list[str]:
    """Reasons of what went wrong, and doubts in words with what each does to the grade."""
    reasons = [short(reason, 300) for reason in job.reasons]
    return [*reasons, *(f"{grade}: {words}" for _, grade, words in _worded_doubts(job))]


def doubt_reasons(job: JobSummary) -> list[tuple[str, Grade, str]]:
    """(code, grade, words) for all that keeps a job with a time from grade A."""
    found = [one for one in _worded_doubts(job) if one[1] != "A"]
    if job.outcome != "full":
        code = f"verdict_{job.outcome}"
        found.append((code, severity(code), verdict_words(job)))
    if set(job.statuses) != {"ok"}:
        words = f"not every round is good: {status_words(job)}"
        weight = severity("rounds_bad", {"percent": job.bad_rounds_pct})
        found.append(("rounds_bad", weight, words))
    return found


def _worded_doubts(job: JobSummary) -> list[tuple[str, Grade, str]]:
    return [(d.code, severity(d.code, d.numbers), doubt_words(d)) for d in job.doubts]


def grade(job: JobSummary) -> str:
    """``bad`` without a usable time, ``doubt`` with a reason to look twice, else ``good``."""
    if not job.measured or job.outcome == "fallback":
        return "bad"
    return "good" if job.trust == "A" else "doubt"


def columns(jobs: Sequence[JobSummary]) -> list[Column]:
    """The columns that have something to show; of several devices, the device comes second."""
    shown = [
        column
        for column in COLUMNS
        if not column.optional or any(column.text(job) != NONE for job in jobs)
    ]
    if len({job.device_class for job in jobs}) < 2:
        shown = [column for column in shown if column.title != "Class"]
    if len({job.device for job in jobs}) > 1:
        device = next(column for column in shown if column.title == "Device")
        shown.remove(device)
        shown.insert(1, device)
    return shown


def cells(job: JobSummary, titles: Sequence[str]) -> dict[str, str]:
    """Some columns' text for one job, by title."""
    by_title = {column.title: column for column in COLUMNS}
    return {title: by_title[title].text(job) for title in titles}


def html_table(jobs: Sequence[JobSummary], links: Mapping[str, str]) -> Markup:
    """The table for the page: complete without scripts, sortable and to be filtered with them.

    Args:
        jobs: The rows.
        links: Candidate -> anchor of its page.
    """
    shown = columns(jobs)
    head = join(
        *(
            element(
                "th",
                column.title,
                scope="col",
                class_=_classes(column),
                data_sort="number" if column.value else "text",
                data_choice="" if column.choice else None,
            )
            for column in shown
        )
    )
    caption = element(
        "caption",
        element(
            "span",
            "Every job, also those that were refused, failed or not measured. 95 % interval: of "
            "the median over rounds. Range: smallest to largest of the rounds' medians. Memory: "
            f"growth of the resident set over a round. {_about_reading(jobs)}"
            f"Trust: {TRUST_LEGEND}; the remarks say why.",
        ),
    )
    body = element("tbody", *(_html_row(job, shown, links) for job in jobs))
    return element("table", caption, element("thead", element("tr", head)), body, id="jobs")


def brief_table(
    caption: str, jobs: Sequence[JobSummary], titles: Sequence[str], links: Mapping[str, str]
) -> Markup:
    """A table of a few columns for the pages of single devices and candidates.

    Args:
        caption: What the table holds.
        jobs: The rows.
        titles: Of the columns; those that are optional and empty are left out.
        links: Candidate -> anchor of its page.
    """
    by_title = {column.title: column for column in columns(jobs)}
    shown = [by_title[title] for title in titles if title in by_title]
    head = (element("th", c.title, scope="col", class_="n" if c.value else None) for c in shown)
    rows = (
        element("tr", *(_cell(job, column, links) for column in shown), class_=grade(job))
        for job in jobs
    )
    return element(
        "table",
        element("caption", element("span", caption)),
        element("thead", element("tr", *head)),
        element("tbody", *rows),
        class_="brief",
    )


def _classes(column: Column) -> str | None:
    kinds = (("n", column.value), ("more", column.more), ("wraps", column.wraps))
    return " ".join(name for name, holds in kinds if holds) or None


def _about_reading(jobs: Sequence[JobSummary]) -> str:
    """What the columns about text hold, where there are any."""
    if all(math.isnan(job.cer) for job in jobs):
        return ""
    return (
        "CER: character error rate of the text in the pictures that the device made, with its "
        "95 % interval over pictures; the differences are on the same pictures. "
    )


def markdown_table(jobs: Sequence[JobSummary]) -> str:
    """The table for report.md."""
    shown = columns(jobs)
    lines = [
        "| " + " | ".join(column.title for column in shown) + " |",
        "|" + "|".join(" --: " if column.value else " --- " for column in shown) + "|",
    ]
    lines += [
        "| " + " | ".join(markdown_cell(column.text(job)) for column in shown) + " |"
        for job in jobs
    ]
    return "\n".join(lines)


def markdown_cell(text: str) -> str:
    """Text that stays text inside a Markdown table."""
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}" if character != "<" else "&lt;")
    return text


def _html_row(job: JobSummary, shown: Sequence[Column], links: Mapping[str, str]) -> Markup:
    cells = []
    for column in shown:
        if column.title == "Remarks":
            items = [element("li", remark) for remark in remarks(job)]
            text = element("ul", *items) if items else ""
            cells.append(element("td", text, class_="remarks more"))
        elif column.value is not None:
            value = column.value(job)
            number = None if math.isnan(value) else repr(value)
            cells.append(element("td", column.text(job), class_=_classes(column), data_v=number))
        else:
            cells.append(_cell(job, column, links))
    return element("tr", *cells, class_=grade(job))


def _cell(job: JobSummary, column: Column, links: Mapping[str, str]) -> Markup:
    if column.title == "Candidate":
        anchor = links.get(job.candidate)
        name = element("a", column.text(job), href=f"#{anchor}") if anchor else column.text(job)
        return element("th", name, scope="row", title=job.name if len(job.name) > 60 else None)
    if column.title == "Status":
        return element("td", _badge(job), class_=_classes(column))
    if column.title == "Trust":
        return element("td", element("b", job.trust, class_=f"trust {job.trust}"))
    return element("td", column.text(job), class_=_classes(column))


def _badge(job: JobSummary) -> Markup:
    mark = {"good": "●", "doubt": "▲", "bad": "✕"}[grade(job)]
    return element(
        "span",
        element("span", mark, aria_hidden="true"),
        f" {status_words(job)}",
        class_=f"badge {grade(job)}",
    )

"""The table of all jobs: columns defined once for the page and for Markdown."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgesr.analysis.summary import JobSummary
from edgesr.report.text import NONE, Markup, count, element, figures, fixed, join, short
from edgesr.report.wording import (
    delegate_words,
    doubt_words,
    reference_words,
    status_words,
    verdict_words,
)


@dataclass(frozen=True)
class Column:
    """One column of the table of jobs."""

    title: str
    text: Callable[[JobSummary], str]
    value: Callable[[JobSummary], float] | None = None
    """The number to sort by, where the column holds numbers."""


def _range(job: JobSummary) -> str:
    if job.rounds < 2:
        return NONE
    return f"{figures(job.fastest_ms)}–{figures(job.slowest_ms)}"


def _rounds(job: JobSummary) -> str:
    planned = job.rounds_planned
    return f"{job.rounds} of {planned:.0f}" if math.isfinite(planned) else str(job.rounds)


COLUMNS = (
    Column("Candidate", lambda job: short(job.name, 60)),
    Column("Asked for", lambda job: delegate_words(job.delegate)),
    Column("Threads", lambda job: count(job.threads), lambda job: job.threads),
    Column("Status", status_words),
    Column("Median ms", lambda job: figures(job.median_ms), lambda job: job.median_ms),
    Column("Range ms", _range, lambda job: job.slowest_ms - job.fastest_ms),
    Column("Rounds", _rounds, lambda job: job.rounds),
    Column("PSNR-Y dB", lambda job: fixed(job.psnr_y, 2), lambda job: job.psnr_y),
    Column("vs bicubic dB", lambda j: fixed(j.gain_db, 2, sign=True), lambda j: j.gain_db),
    Column("SSIM-Y", lambda job: fixed(job.ssim_y, 4), lambda job: job.ssim_y),
    Column("Size kB", lambda job: figures(job.size_bytes / 1e3), lambda job: job.size_bytes),
    Column("Memory MiB", lambda job: fixed(job.memory_mb, 1), lambda job: job.memory_mb),
    Column("Init ms", lambda job: figures(job.init_ms), lambda job: job.init_ms),
    Column("Ran on", verdict_words),
    Column("vs fp32 reference", reference_words, lambda job: job.reference_psnr_db),
    Column("Variant", lambda job: short(job.variant, 20)),
    Column("Input", lambda job: job.input),
    Column("Device", lambda job: short(job.device_label, 40)),
    Column("Remarks", lambda job: "; ".join(remarks(job))),
)


def remarks(job: JobSummary) -> list[str]:
    """Reasons of what went wrong and doubts about what went right, in words."""
    reasons = [short(reason, 300) for reason in job.reasons]
    return [*reasons, *(doubt_words(doubt) for doubt in job.doubts)]


def doubt_reasons(job: JobSummary) -> list[tuple[str, str]]:
    """(code, words) for all that makes a job with a time doubtful."""
    reasons = [(doubt.code, doubt_words(doubt)) for doubt in job.doubts]
    if job.outcome != "full":
        reasons.append((f"verdict {job.outcome}", verdict_words(job)))
    if set(job.statuses) != {"ok"}:
        reasons.append(("rounds", f"not every round is good: {status_words(job)}"))
    return reasons


def grade(job: JobSummary) -> str:
    """``bad`` without a usable time, ``doubt`` with a reason to look twice, else ``good``."""
    if not job.measured or job.outcome == "fallback":
        return "bad"
    return "doubt" if job.doubts or set(job.statuses) != {"ok"} or not job.verified else "good"


def html_table(jobs: Sequence[JobSummary]) -> Markup:
    """The table for the page: complete without scripts, sortable with them."""
    head = join(
        *(
            element(
                "th",
                column.title,
                scope="col",
                class_="n" if column.value else None,
                data_sort="number" if column.value else "text",
            )
            for column in COLUMNS
        )
    )
    caption = element(
        "caption",
        element(
            "span",
            "Every job, also those that were refused, failed or not measured. Range: smallest to "
            "largest of the rounds' medians. Memory: growth of the resident set over a round.",
        ),
    )
    body = element("tbody", *(_html_row(job) for job in jobs))
    return element("table", caption, element("thead", element("tr", head)), body, id="jobs")


def markdown_table(jobs: Sequence[JobSummary]) -> str:
    """The table for report.md."""
    lines = [
        "| " + " | ".join(column.title for column in COLUMNS) + " |",
        "|" + "|".join(" --: " if column.value else " --- " for column in COLUMNS) + "|",
    ]
    lines += [
        "| " + " | ".join(markdown_cell(column.text(job)) for column in COLUMNS) + " |"
        for job in jobs
    ]
    return "\n".join(lines)


def markdown_cell(text: str) -> str:
    """Text that stays text inside a Markdown table."""
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}" if character != "<" else "&lt;")
    return text


def _html_row(job: JobSummary) -> Markup:
    cells = []
    for column in COLUMNS:
        if column.title == "Candidate":
            cells.append(element("th", column.text(job), scope="row", title=job.name))
        elif column.title == "Status":
            cells.append(element("td", _badge(job)))
        elif column.title == "Remarks":
            items = [element("li", remark) for remark in remarks(job)]
            cells.append(element("td", element("ul", *items) if items else "", class_="remarks"))
        elif column.value is not None:
            cells.append(_number_cell(column.text(job), column.value(job)))
        else:
            cells.append(element("td", column.text(job)))
    return element("tr", *cells, class_=grade(job))


def _badge(job: JobSummary) -> Markup:
    mark = {"good": "●", "doubt": "▲", "bad": "✕"}[grade(job)]
    words = status_words(job) + (", with doubt" if grade(job) == "doubt" else "")
    return element(
        "span", element("span", mark, aria_hidden="true"), f" {words}", class_=f"badge {grade(job)}"
    )


def _number_cell(text: str, value: float) -> Markup:
    return element("td", text, class_="n", data_v=None if math.isnan(value) else repr(value))

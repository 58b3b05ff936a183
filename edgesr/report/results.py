"""The facts to take away, and what is wrong or doubtful."""

from collections.abc import Sequence

from edgesr.analysis.summary import JobSummary
from edgesr.analysis.trust import Grade
from edgesr.report.headline import first_panels, headline_sentences, panels
from edgesr.report.integer import Comparison, integer_findings
from edgesr.report.markup import Markup, element
from edgesr.report.table import doubt_reasons, grade
from edgesr.report.ties import tie_sentence
from edgesr.report.wording import NOT_AN_APP, TRUST_LEGEND, delegate_words
from edgesr.text import plural, short


def results(jobs: Sequence[JobSummary], integers: Sequence[Comparison] = ()) -> Markup:
    """The section of what was found, and of what went wrong.

    Args:
        jobs: All jobs.
        integers: Integer files against fp32.
    """
    found, left_out = first_panels(panels(jobs))
    cards = [card(title, members) for title, members in found.items()]
    empty = element("p", "These runs hold no jobs.")
    return element(
        "section",
        element("h2", "Results"),
        _tally(jobs),
        *(cards or [empty]),
        element("p", f"{left_out} {NOT_AN_APP} Trust: {TRUST_LEGEND}.".strip(), class_="quiet"),
        *integer_findings(integers),
        *trouble(jobs),
        *doubts(jobs),
        id="results",
    )


def card(title: str, jobs: Sequence[JobSummary]) -> Markup:
    """What is to be taken away of one panel: who is the fastest, and below it what else to know."""
    first, *others = headline_sentences(jobs)
    others += [tied] if (tied := tie_sentence(jobs)) else []
    listed = element("ul", *(element("li", sentence) for sentence in others)) if others else ""
    return element("article", element("h3", title), element("p", first), listed, class_="card")


def _tally(jobs: Sequence[JobSummary]) -> Markup:
    timed = [job.trust for job in jobs if grade(job) != "bad"]
    numbers = [(len({job.candidate for job in jobs}), "candidates", ""), (len(jobs), "jobs", "")]
    if (count := len({job.device for job in jobs})) > 1:
        numbers.insert(0, (count, "devices", ""))
    numbers += [
        (timed.count("A"), "of trust A", "good"),
        (timed.count("B"), "of trust B", "doubt"),
        (timed.count("C"), "of trust C", "bad"),
        (len(jobs) - len(timed), "without a usable time", "bad"),
    ]
    return element(
        "ul",
        *(
            element("li", element("b", str(n)), f" {what}", class_=kind if n else "zero")
            for n, what, kind in numbers
        ),
        class_="tally",
    )


def trouble(jobs: Sequence[JobSummary]) -> list[Markup]:
    """Reasons of refused, failed and unmeasured jobs, each once with the number of its jobs."""
    counts: dict[tuple[str, str, str], int] = {}
    for job in jobs:
        if grade(job) == "bad":
            reason = job.reasons[0] if job.reasons else _silent_reason(job)
            key = (job.delegate, _kind(job), reason)
            counts[key] = counts.get(key, 0) + 1
    if not counts:
        return []
    items = [
        element(
            "li",
            element("b", f"{delegate_words(short(delegate, 40))}, {plural(n, 'job')} {kind}: "),
            short(reason, 300),
        )
        for (delegate, kind, reason), n in sorted(counts.items(), key=lambda item: -item[1])[:12]
    ]
    rest = len(counts) - len(items)
    more = [element("li", f"and {plural(rest, 'other reason')}, see the table")] if rest else []
    return [element("h3", "What gave no usable time, and why"),
            element("ul", *items, *more, class_="trouble")]  # fmt: skip


def doubts(jobs: Sequence[JobSummary]) -> list[Markup]:
    """Why jobs with a time are doubtful: each reason once, with an example's numbers."""
    found: dict[tuple[Grade, str], list[str]] = {}
    for job in jobs:
        if grade(job) == "doubt":
            for code, weight, words in doubt_reasons(job):
                found.setdefault((weight, code), []).append(words)
    if not found:
        return []
    worst_first = sorted(found.items(), key=lambda item: (item[0][0], len(item[1])), reverse=True)
    items = [
        element(
            "li",
            element("b", f"Trust {weight}, {plural(len(words), 'job')}: "),
            "for example, " if len(set(words)) > 1 else "",
            short(words[0], 300),
        )
        for (weight, _), words in worst_first[:16]
    ]
    rest = len(found) - len(items)
    more = [element("li", f"and {plural(rest, 'other reason')}, see the table")] if rest else []
    return [element("h3", "What is doubtful, and why"),
            element("ul", *items, *more, class_="trouble")]  # fmt: skip


def _kind(job: JobSummary) -> str:
    if job.outcome == "fallback":
        return "fell back"
    return "ended without a usable time" if job.status == "ok" else job.status


def _silent_reason(job: JobSummary) -> str:
    if job.outcome == "fallback":
        return "the delegate took nothing; the times are the CPU's and are not credited to it"
    return "planned, and no record of it" if job.status == "not measured" else "no reason recorded"

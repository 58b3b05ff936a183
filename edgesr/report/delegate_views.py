"""The pages of the delegates: what they took, refused and brought against XNNPACK."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from edgesr.analysis.statistics import Estimate, paired_ratio
from edgesr.analysis.summary import JobSummary
from edgesr.report.content import Content
from edgesr.report.links import Links
from edgesr.report.markup import Markup, element, join
from edgesr.report.results import trouble
from edgesr.report.shown import most_telling
from edgesr.report.table import grade
from edgesr.report.views import View, list_table
from edgesr.report.wording import delegate_words, node_words, verdict_words
from edgesr.text import NONE, fixed, plural, short

ANCHOR, TITLE = "delegates", "Delegates"
BASE = "xnnpack"
"""What the others are compared with: what an app gets without asking for anything."""
MOST_PAIRS, MOST_OPS, MOST_PARTLY = 60, 40, 40
_FATES = {
    "full": "ran wholly on it",
    "partial": "partly",
    "fallback": "fell back",
    "unknown": "unproven",
    "none": "gave no usable time",
}


@dataclass(frozen=True)
class Pair:
    """A job beside the one on XNNPACK with the same candidate, device and threads of its run."""

    job: JobSummary
    base: JobSummary

    @property
    def speed_up(self) -> Estimate:
        """By what factor the job is faster, over the rounds that both have."""
        both = sorted(self.job.round_ms.keys() & self.base.round_ms.keys())
        return paired_ratio(
            [self.base.round_ms[n] for n in both], [self.job.round_ms[n] for n in both]
        )


def delegate_views(content: Content, links: Links) -> list[View]:
    """A list of the delegates, and a page for each."""
    own: dict[str, list[JobSummary]] = {}
    for job in content.jobs:
        own.setdefault(job.delegate, []).append(job)
    base = {_place(job): job for job in own.get(BASE, ()) if job.selectable}
    pairs = {name: _pairs(jobs, base) if name != BASE else [] for name, jobs in own.items()}
    first = View(ANCHOR, TITLE, (_list(own, pairs, links), _about()))
    pages = [
        View(
            anchor,
            delegate_words(short(name, 40)),
            tuple(_parts(own.get(name, []), pairs.get(name, []), links)),
            ANCHOR,
            TITLE,
        )
        for name, anchor in links.delegates.items()
    ]
    return [first, *pages]


def _place(job: JobSummary) -> tuple[str, str, str, float]:
    return job.run, job.device, job.candidate, job.threads


def _pairs(
    jobs: Sequence[JobSummary], base: dict[tuple[str, str, str, float], JobSummary]
) -> list[Pair]:
    """Of jobs that ran where they were asked to, with good pixels."""
    found = (Pair(job, base[_place(job)]) for job in jobs if job.selectable and _place(job) in base)
    return [pair for pair in found if pair.job.round_ms.keys() & pair.base.round_ms.keys()]


def _about() -> Markup:
    words = delegate_words(BASE)
    return element(
        "p",
        f"Against {words}: by what factor a job is faster than the same candidate on {words}, "
        "with as many threads, on the same device and in the same rounds; only jobs whose whole "
        "graph ran where it was asked to. The list tells the middle of the medians' ratios.",
        class_="quiet",
    )


def _list(own: dict[str, list[JobSummary]], pairs: dict[str, list[Pair]], links: Links) -> Markup:
    def rows() -> Iterator[list[str | Markup]]:
        for name, anchor in links.delegates.items():
            jobs, words = own[name], delegate_words(short(name, 40))
            fates = Counter(_fate(job) for job in jobs)
            counts = [str(fates[fate]) for fate in ("full", "partial", "fallback", "unknown")]
            ratios = [pair.base.median_ms / pair.job.median_ms for pair in pairs[name]]
            speed = f"{median(ratios):.2f} × ({plural(len(ratios), 'job')})" if ratios else NONE
            link = element("a", words, href=f"#{anchor}")
            yield [link, str(len(jobs)), *counts, str(fates["none"]), speed]

    head = [("Delegate", False), ("Jobs", True), ("Took all", True), ("Partly", True),
            ("Fell back", True), ("Unproven", True), ("No time", True),
            (f"Against {delegate_words(BASE)}", True)]  # fmt: skip
    return list_table("What became of the jobs, by delegate asked for", head, rows())


def _fate(job: JobSummary) -> str:
    return job.outcome if job.measured else "none"


def _parts(jobs: Sequence[JobSummary], pairs: Sequence[Pair], links: Links) -> Iterator[Markup]:
    fates = Counter(_fate(job) for job in jobs)
    told = [f"{fates[fate]} {words}" for fate, words in _FATES.items() if fates[fate]]
    yield element("p", f"{plural(len(jobs), 'job')}: {', '.join(told)}.")
    if pairs:
        yield _speed(pairs, links)
    yield _refused(jobs)
    yield _partly(jobs, links)
    yield join(*trouble([job for job in jobs if grade(job) == "bad"]))


def _speed(pairs: Sequence[Pair], links: Links) -> Markup:
    chosen = {id(job) for job in most_telling([pair.job for pair in pairs], MOST_PAIRS)}

    def rows() -> Iterator[list[str | Markup]]:
        for pair in pairs:
            if id(pair.job) in chosen:
                found = pair.speed_up
                threads = f"{pair.job.threads:.0f}" if math.isfinite(pair.job.threads) else NONE
                yield [
                    _link(pair.job, links),
                    short(pair.job.device_label, 48),
                    threads,
                    f"{fixed(found.value, 2)} ×",
                    f"{found.low:.2f}–{found.high:.2f}" if found.told else NONE,
                    str(found.n),
                    pair.job.trust,
                ]

    head = [("Candidate", False), ("Device", False), ("Threads", True), ("As fast as", True),
            ("95 % interval", True), ("Rounds", True), ("Trust", False)]  # fmt: skip
    shown = min(len(pairs), MOST_PAIRS)
    caption = f"Times as fast as {delegate_words(BASE)} in the same rounds: {shown} of {len(pairs)}"
    return join(element("h3", f"Against {delegate_words(BASE)}"), list_table(caption, head, rows()))


def _refused(jobs: Sequence[JobSummary]) -> Markup:
    counts: Counter[str] = Counter()
    where: dict[str, set[str]] = {}
    for job in jobs:
        for name in job.refused_ops:
            counts[name] += 1
            where.setdefault(name, set()).add(job.device)
    if not counts:
        return Markup("")
    items = [
        element(
            "li",
            element("b", short(name, 60)),
            f": in {plural(n, 'job')} on {plural(len(where[name]), 'device')}",
        )
        for name, n in counts.most_common(MOST_OPS)
    ]
    return join(element("h3", "Operations it refused"), element("ul", *items))


def _partly(jobs: Sequence[JobSummary], links: Links) -> Markup:
    """Who ran not, or not wholly, where it was asked to, although a time came out."""
    found = [job for job in jobs if job.measured and job.outcome != "full"]
    if not found:
        return Markup("")
    rows = (
        [
            _link(job, links),
            short(job.device_label, 48),
            f"{job.threads:.0f}" if math.isfinite(job.threads) else NONE,
            verdict_words(job) if node_words(job) else f"{verdict_words(job)}, nodes not told",
        ]
        for job in most_telling(found, MOST_PARTLY)
    )
    head = [("Candidate", False), ("Device", False), ("Threads", True), ("Ran on", False)]
    caption = f"Not wholly delegated: {min(len(found), MOST_PARTLY)} of {plural(len(found), 'job')}"
    return join(element("h3", "Not wholly delegated"), list_table(caption, head, rows))


def _link(job: JobSummary, links: Links) -> Markup:
    name, anchor = short(job.name, 60), links.candidates.get(job.candidate)
    return element("a", name, href=f"#{anchor}") if anchor else join(name)

"""The pages of the candidates: what each is, how it did everywhere, and its pictures."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgesr.analysis.devices import mapping, number
from edgesr.analysis.summary import JobSummary
from edgesr.report.content import Content
from edgesr.report.links import Links
from edgesr.report.markup import Markup, element, join
from edgesr.report.provenance import manifest_facts
from edgesr.report.recommendation import verdicts
from edgesr.report.results import doubts, trouble
from edgesr.report.shown import most_telling
from edgesr.report.table import brief_table, cells
from edgesr.report.views import View, facts_table, list_table, scroll_box
from edgesr.report.wording import delegate_words
from edgesr.select.choose import manifests_of
from edgesr.text import NONE, clean, figures, plural, short

ANCHOR, TITLE = "candidates", "Candidates"
MOST_ROWS, LEAST_ROWS, ALL_ROWS = 80, 12, 6000
"""Jobs per page, at most and at least, and on all pages together."""
_COLUMNS = ("Device", "Asked for", "Threads", "Status", "Trust", "Median ms", "95 % interval",
            "PSNR-Y dB", "CER", "Memory MiB", "Ran on")  # fmt: skip
_LIST = ("Variant", "Input", "Size kB", "PSNR-Y dB", "CER")


def candidate_views(content: Content, links: Links) -> list[View]:
    """A list of the candidates, and a page for each."""
    own: dict[str, list[JobSummary]] = {}
    for job in content.jobs:
        own.setdefault(job.candidate, []).append(job)
    known = manifests_of(content.runs)
    rows = min(MOST_ROWS, max(LEAST_ROWS, ALL_ROWS // max(1, len(links.candidates))))
    pages = [
        View(
            anchor,
            _name(candidate, known, own),
            tuple(_parts(candidate, own.get(candidate, []), content, known, rows)),
            ANCHOR,
            TITLE,
        )
        for candidate, anchor in links.candidates.items()
    ]
    told = [_list(links, known, own)]
    if rest := len(own.keys() - links.candidates.keys()):
        told.append(element("p", f"{plural(rest, 'candidate')} have no page here."))
    return [View(ANCHOR, TITLE, tuple(told)), *pages]


def _name(
    candidate: str, known: Mapping[str, Mapping[str, Any]], own: Mapping[str, Sequence[JobSummary]]
) -> str:
    named = mapping(known.get(candidate)).get("name") or next(
        (job.name for job in own.get(candidate, ())), candidate[:12]
    )
    return short(str(named), 60) or "unnamed"


def _list(
    links: Links,
    known: Mapping[str, Mapping[str, Any]],
    own: Mapping[str, Sequence[JobSummary]],
) -> Markup:
    best = {candidate: min(own.get(candidate, ()), key=_quickness, default=None)
            for candidate in links.candidates}  # fmt: skip
    told = {c: cells(job, _LIST) if job else dict.fromkeys(_LIST, NONE) for c, job in best.items()}
    shown = [title for title in _LIST if any(row[title] != NONE for row in told.values())]

    def rows() -> Iterator[list[str | Markup]]:
        for candidate, anchor in links.candidates.items():
            link = element("a", _name(candidate, known, own), href=f"#{anchor}")
            texts = [told[candidate][title] for title in shown]
            yield [link, *texts, _best(best[candidate]), str(len(own.get(candidate, ())))]

    head = [("Candidate", False), *((title, title not in _LIST[:2]) for title in shown)]
    head += [("Fastest that may be chosen", False), ("Jobs", True)]
    return list_table("All candidates", head, rows())


def _quickness(job: JobSummary) -> tuple[bool, bool, float]:
    """Sorts what may be chosen before the rest, then by time."""
    return not job.selectable, not job.measured, job.median_ms


def _best(job: JobSummary | None) -> str:
    if job is None or not job.selectable:
        return "none"
    where = f"{delegate_words(job.placed)}, {short(job.device_label, 40)}"
    return f"{figures(job.median_ms)} ms on {where} (trust {job.trust})"


def _parts(
    candidate: str,
    jobs: Sequence[JobSummary],
    content: Content,
    known: Mapping[str, Mapping[str, Any]],
    most: int,
) -> Iterator[Markup]:
    for sentence in verdicts(content.selection, candidate):
        yield element("p", sentence)
    yield facts_table("What it is", _facts(candidate, mapping(known.get(candidate))))
    if jobs:
        shown = most_telling(jobs, most)
        devices = len({job.device for job in jobs})
        caption = f"{len(shown)} of {plural(len(jobs), 'job')} on {plural(devices, 'device')}"
        table = brief_table(caption, shown, _COLUMNS, {})
        yield join(element("h3", "Jobs"), scroll_box(table, caption))
        yield join(*trouble(jobs), *doubts(jobs))
    looks = [
        element("li", element("a", f"{scene.title}: {tile.detail}", href=f"#{tile.anchor}"))
        for scene in content.scenes
        for tile in scene.tiles
        if tile.candidate == candidate
    ]
    if looks:
        yield join(element("h3", "Its pictures"), element("ul", *looks, class_="looks"))


def _facts(candidate: str, manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    variant, size = manifest.get("variant"), number(manifest.get("size_bytes"), least=0)
    yield "Variant", short(str(variant or ""), 40)
    yield "Scale", _text(mapping(manifest.get("model")).get("scale"))
    yield "File size", "" if math.isnan(size) else f"{size / 1e3:,.1f} kB"
    facts = manifest_facts(candidate, manifest).items()
    yield from ((what, text) for what, text in facts if what != "Candidate")
    for side in ("inputs", "outputs"):
        tensors = manifest.get(side)
        for tensor in tensors[:4] if isinstance(tensors, list) else ():
            yield side[:-1].title(), _tensor(mapping(tensor))
    quantization = mapping(manifest.get("quantization"))
    yield "Quantization", short(_text(quantization.get("method")), 40)
    for delegate, one in mapping(manifest.get("coverage")).items():
        yield f"Expected on {delegate_words(short(str(delegate), 30))}", _coverage(mapping(one))


def _tensor(tensor: dict[str, Any]) -> str:
    shape = tensor.get("shape")
    size = " × ".join(_text(n) for n in shape[:6]) if isinstance(shape, list) else ""
    names = ("dtype", "layout", "range")
    return short(
        " · ".join(part for part in (size, *(_text(tensor.get(n)) for n in names)) if part), 120
    )


def _coverage(one: dict[str, Any]) -> str:
    taken, total = _text(one.get("nodes_delegated")), _text(one.get("nodes_total"))
    refused = ", ".join(clean(str(name)) for name in mapping(one.get("refused")))
    words = f"{taken} of {total} nodes" if taken and total else ""
    return short(words + (f"; refused: {refused}" if refused else ""), 300)


def _text(value: object) -> str:
    if isinstance(value, list):
        return "–".join(_text(one) for one in value[:4])
    return "" if value is None or isinstance(value, dict) else clean(str(value))

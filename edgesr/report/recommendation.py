"""What `edgesr select` says of the measurements: the sentence, and why not the others."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgesr.report.markup import Markup, element, join
from edgesr.report.views import View, list_table
from edgesr.report.wording import delegate_words
from edgesr.select.metrics import METRICS
from edgesr.text import join_known, plural, short

if TYPE_CHECKING:
    from edgesr.select.selection import Choice, GroupResult, Selection

ANCHOR, TITLE = "choice", "Why not the others"
MOST, LEAST = 300, 12
"""Candidates told over all groups, and of each at least; the others stand in
`edgesr select --json`."""


def criteria_words(selection: "Selection", *, chosen: bool) -> str:
    """Which criteria were applied, and whether anybody asked for them."""
    name = short(selection.criteria.name, 60)
    if chosen:
        return f"Chosen by the criteria {name}."
    return f"Chosen by the default criteria, {name}: give your own with --criteria."


def recommendation(selection: "Selection", *, chosen: bool) -> Markup:
    """The overview's first part: one sentence per scale, input size and class of devices."""
    cards = (
        element(
            "article",
            element("h3", group_title(group)),
            element("p", short(group.recommendation, 900)),
            class_="card" if group.winner else "card none",
        )
        for group in selection.groups
    )
    link = element("a", "Why not the others, and what would change the choice", href=f"#{ANCHOR}")
    return element(
        "section",
        element("h2", "Recommendation"),
        *cards,
        element("p", criteria_words(selection, chosen=chosen), " ", link, ".", class_="quiet"),
        id="recommendation",
    )


def choice_view(selection: "Selection", links: Mapping[str, str], *, chosen: bool) -> View:
    """The page with winner, Pareto set and reasons.

    Args:
        selection: What was selected.
        links: Candidate -> anchor of its page.
        chosen: Whether the criteria were asked for.
    """
    about = short(selection.criteria.description, 600)
    notes = [element("p", short(note, 600), class_="quiet") for note in selection.notes]
    most = _most(selection)
    parts = [_group(group, links, most) for group in selection.groups]
    first = element("p", criteria_words(selection, chosen=chosen), f" {about}")
    return View(ANCHOR, TITLE, (first, *notes, *parts))


def recommendation_markdown(selection: "Selection", *, chosen: bool) -> list[str]:
    """The lines of report.md."""
    from edgesr.report.table import markdown_cell

    lines = ["## Recommendation", "", markdown_cell(criteria_words(selection, chosen=chosen)), ""]
    for group in selection.groups:
        words = markdown_cell(short(group.recommendation, 900))
        lines += [f"**{markdown_cell(group_title(group))}**: {words}", ""]
        told = [f"* {markdown_cell(line)}" for line in _why_lines(group, _most(selection))]
        lines += [*told, ""] if told else []
    return lines


def group_title(group: "GroupResult") -> str:
    """``budget phones · ×2 · 640×360``."""
    scale = f"×{group.scale}" if group.scale else "scale unknown"
    return join_known(short(group.device_class, 60), scale, group.input)


def _most(selection: "Selection") -> int:
    return max(LEAST, MOST // max(1, len(selection.groups)))


def _group(group: "GroupResult", links: Mapping[str, str], most: int) -> Markup:
    devices = ", ".join(short(name, 48) for name in group.devices[:20])
    return join(
        element("h3", group_title(group)),
        element("p", short(group.recommendation, 900), class_="choice" if group.winner else "none"),
        element("p", f"{plural(len(group.devices), 'device')}: {devices}", class_="quiet"),
        element("p", f"The chosen file elsewhere: {short(group.elsewhere, 900)}.", class_="quiet")
        if group.elsewhere
        else "",
        _pareto(group, links, most),
        _rejected(group, links, most),
    )


def _pareto(group: "GroupResult", links: Mapping[str, str], most: int) -> Markup:
    choices = group.pareto[:most]
    if not choices:
        return Markup("")
    metrics = {metric for one in choices for metric in one.values}
    shown = [m for m in ("latency_median_ms", "cer", "psnr_y", "size_mb") if m in metrics]
    rows = (
        [_link(one, links), _place(one), *(_value(one, metric) for metric in shown)]
        for one in choices
    )
    head = [("Candidate", False), ("Where", False), *((_title(m), True) for m in shown)]
    *names, last = (METRICS[m].title for m in group.pareto_axes)
    caption = (
        f"Pareto set of {', '.join(names)} and {last}, {group_title(group)}: no other that may be "
        "chosen is better in one of these and no worse in the others"
    )
    return list_table(caption, head, rows)


def _rejected(group: "GroupResult", links: Mapping[str, str], most: int) -> Markup:
    if not group.rejected:
        return Markup("")
    rows = (
        [
            _link(one.choice, links),
            _place(one.choice),
            short("; ".join(one.why), 500),
            short(one.would_win, 300),
        ]
        for one in group.rejected[:most]
    )
    head = [("Candidate", False), ("Asked for", False), ("Why not", False),
            ("What would help", False)]  # fmt: skip
    rest = len(group.rejected) - most
    more = element("p", f"And {rest} more: see edgesr select --json.") if rest > 0 else ""
    return join(list_table(f"Not chosen, {group_title(group)}", head, rows), more)


def _why_lines(group: "GroupResult", most: int) -> list[str]:
    return [
        f"{short(one.choice.name, 60)} ({_place(one.choice)}): {short('; '.join(one.why), 600)}"
        for one in group.rejected[:most]
    ]


def _link(choice: "Choice", links: Mapping[str, str]) -> Markup:
    name, anchor = short(choice.name, 60), links.get(choice.candidate)
    return element("a", name, href=f"#{anchor}") if anchor else join(name)


def _place(choice: "Choice") -> str:
    return f"{delegate_words(choice.delegate)}, {plural(choice.threads, 'thread')}"


def _value(choice: "Choice", metric: str) -> str:
    value = choice.values.get(metric)
    return short(value.text, 60) if value is not None else ""


def _title(metric: str) -> str:
    title = METRICS[metric].title
    return f"{title[:1].upper()}{title[1:]}"


def verdicts(selection: "Selection | None", candidate: str) -> list[str]:
    """What the selection says of one candidate, a sentence per group.

    Args:
        selection: None where nothing was selected.
        candidate: Its sha256.
    """
    found = []
    for group in selection.groups if selection is not None else ():
        title = group_title(group)
        if group.winner is not None and group.winner.candidate == candidate:
            found.append(f"Chosen for {title}, on {_place(group.winner)}.")
        found += [
            f"Not chosen for {title}: {short('; '.join(one.why), 600)}."
            for one in group.rejected
            if one.choice.candidate == candidate
        ]
    return found

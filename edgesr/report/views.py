"""Views: the pages that the one file is divided into.

With scripts one view is shown at a time, by the address's fragment; without, and on paper, they
stand one below the other.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgesr.report.markup import Markup, element

_UNSAFE = re.compile(r"[^a-z0-9]+")
LONGEST = 48
"""Characters of an anchor."""


@dataclass(frozen=True)
class View:
    """One page of the report."""

    anchor: str
    """Its id, and what stands behind ``#`` in a link to it."""
    title: str
    """The heading."""
    body: tuple[Markup, ...]
    parent: str = ""
    """Anchor of the view that lists it; empty for those that the navigation names."""
    parent_title: str = ""
    entry: str = ""
    """What the navigation calls it; by default the title."""


def view_markup(view: View, *, current: bool) -> Markup:
    """The view as a section; ``current`` is the one that is shown first."""
    back = element(
        "p", element("a", f"All {view.parent_title.lower()}", href=f"#{view.parent}"), class_="back"
    )
    names = ["view", "detail" if view.parent else "", "current" if current else ""]
    return element(
        "section",
        back if view.parent else "",
        element("h2", view.title, tabindex="-1", id=f"{view.anchor}-title"),
        *view.body,
        id=view.anchor,
        class_=" ".join(name for name in names if name),
        aria_labelledby=f"{view.anchor}-title",
    )


def navigation(views: Sequence[View]) -> Markup:
    """Links to the views that are not below others; the first is the current one."""
    shown = [view for view in views if not view.parent]
    items = (
        element(
            "li",
            element(
                "a",
                view.entry or view.title,
                href=f"#{view.anchor}",
                aria_current="page" if view is shown[0] else None,
            ),
        )
        for view in shown
    )
    return element("nav", element("ul", *items), aria_label="Pages")


def anchors(kind: str, names: Iterable[str]) -> dict[str, str]:
    """Name -> an anchor of its own: ``device-pixel-7``; the same names give the same ones."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        if name in found:
            continue
        slug = _UNSAFE.sub("-", name.lower()).strip("-")[:LONGEST].strip("-") or "unnamed"
        anchor, number = f"{kind}-{slug}", 1
        while anchor in taken:
            number += 1
            anchor = f"{kind}-{slug}-{number}"
        found[name] = anchor
        taken.add(anchor)
    return found


def scroll_box(table: Markup, label: str) -> Markup:
    """A box that a wide table can be moved in, also by keyboard."""
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)


def facts_table(caption: str, facts: Iterable[tuple[str, str | Markup]]) -> Markup:
    """A table of (what, value), without those that are empty."""
    rows = [
        element("tr", element("th", what, scope="row"), element("td", value))
        for what, value in facts
        if value
    ]
    if not rows:
        return Markup("")
    table = element("table", element("caption", caption), element("tbody", *rows), class_="facts")
    return element("div", table, class_="scroll")


def list_table(
    caption: str, head: Sequence[tuple[str, bool]], rows: Iterable[Sequence[str | Markup]]
) -> Markup:
    """A table with a heading row; the first cell of each row names it.

    Args:
        caption: What the table holds.
        head: (title, whether the column holds numbers).
        rows: As many cells each.
    """
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(
                element("td", cell, class_="n" if numeric else None)
                for cell, (_, numeric) in zip(row[1:], head[1:], strict=True)
            ),
        )
        for row in rows
    ]
    titles = (element("th", t, scope="col", class_="n" if numeric else None) for t, numeric in head)
    table = element(
        "table",
        element("caption", element("span", caption)),
        element("thead", element("tr", *titles)),
        element("tbody", *body),
        class_="list",
    )
    return scroll_box(table, caption)

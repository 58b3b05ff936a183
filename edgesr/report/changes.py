"""Changes between two runs on the page, in Markdown and as CSV."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

from edgesr.analysis.changes import Change, Comparison, compare_runs
from edgesr.analysis.rows import RunData
from edgesr.analysis.run_side import read_side, side_of
from edgesr.errors import UsageError
from edgesr.report.change_words import (
    ABOUT,
    COLUMNS,
    RUN_TO_RUN,
    STATE_COLUMNS,
    cells,
    change_row,
    headline,
    notes,
    state_cells,
)
from edgesr.report.gate import Gate
from edgesr.report.markup import Markup, element, join
from edgesr.report.table import markdown_cell
from edgesr.report.views import View, list_table
from edgesr.results.store import RunFolder
from edgesr.text import plural, short

ANCHOR, TITLE = "changes", "Changes since the baseline"
MOST_AT_FIRST, MOST_WORSE, MOST_BETTER, MOST_OTHERS = 10, 60, 30, 60
"""Rows of a table; all changes are in the CSV."""
MOST_IN_COMMENT = 25
"""Rows of each table of a comment: sites allow some 65,000 characters."""
_NUMBERS = frozenset({"Before", "After"})
_ORDER = ("Candidate", "Change", "Figure", "Before", "After", "Where", "Device",
          "Told by", "Trust")  # fmt: skip
"""On the page: what matters stands at the left of a narrow screen; the verdict is a mark there."""
_STATE_ORDER = ("Candidate", "Verdict", "Before", "After", "Where", "Device")
_EMPTY = Markup("")
_MARKS = {"worse": ("▲", "bad"), "better": ("▼", "good")}
Rows = Sequence[tuple[str, ...]]


def changes_since(baseline: RunFolder | None, runs: Sequence[RunData]) -> tuple[Comparison, ...]:
    """What changed in each run since a baseline, the newest run first; nothing without one.

    Raises:
        UsageError: When the baseline is the only run.
        StoreError: When it can't be read.
    """
    if baseline is None:
        return ()
    place = baseline.path.resolve()
    others = [run for run in reversed(runs) if run.folder.path.resolve() != place]
    if not others:
        raise UsageError("the run is its own baseline", hint="name another: --baseline RUN")
    before = read_side(baseline)
    return tuple(compare_runs(before, side_of(run)) for run in others)


def changes_view(comparisons: Sequence[Comparison]) -> View:
    """The page about a baseline.

    Args:
        comparisons: The baseline with each run of the report; at least one.
    """
    body = [_one(each, named=len(comparisons) > 1) for each in comparisons]
    about = f"{ABOUT} {RUN_TO_RUN} Every change stands in changes.csv, beside this page."
    return View(ANCHOR, TITLE, (*body, element("p", about, class_="quiet")), entry="Changes")


def changes_section(comparisons: Sequence[Comparison]) -> Markup:
    """The part of the overview about a baseline: what got worse, and where all stands."""
    return element(
        "section",
        element("h2", TITLE),
        *(_short(each) for each in comparisons),
        element("p", element("a", "All changes", href=f"#{ANCHOR}")),
    )


def _short(comparison: Comparison) -> Markup:
    worse = comparison.of("worse")
    return join(element("p", _against(comparison)), _states(comparison, MOST_AT_FIRST),
                _changes("Worse", worse, MOST_AT_FIRST, full="on the page of changes"))  # fmt: skip


def _one(comparison: Comparison, *, named: bool) -> Markup:
    title = f"Run {short(comparison.after.run.name, 40)}" if named else ""
    others = [*comparison.of("unclear"), *comparison.of("same")]
    folded = element("details", element("summary", "Unclear and the same"),
                     _changes("Unclear and the same", others, MOST_OTHERS))  # fmt: skip
    told = notes(comparison)
    return join(
        element("h3", title) if title else "",
        element("p", _against(comparison)),
        _states(comparison, MOST_WORSE),
        _changes("Worse", comparison.of("worse"), MOST_WORSE),
        _changes("Better", comparison.of("better"), MOST_BETTER),
        folded if others else "",
        element("ul", *(element("li", note) for note in told), class_="trouble") if told else "",
    )


def _against(comparison: Comparison) -> str:
    after, before = (short(side.run.name, 40) for side in (comparison.after, comparison.before))
    return f"Run {after} against {before}: {headline(comparison)}"


def _states(comparison: Comparison, most: int) -> Markup:
    rest = len(comparison.states) - most
    title = "What became of jobs" + (f": the first {most}, {rest} more" if rest > 0 else "")
    rows = [_row(STATE_COLUMNS, state_cells(state), _STATE_ORDER)
            for state in comparison.states[:most]]  # fmt: skip
    return list_table(title, [(column, False) for column in _STATE_ORDER], rows) if rows else _EMPTY


def _changes(
    title: str, changes: Sequence[Change], most: int, full: str = "in changes.csv"
) -> Markup:
    rows = [_row(COLUMNS, cells(one), _ORDER) for one in changes[:most]]
    head = [(column, column in _NUMBERS) for column in _ORDER]
    return list_table(_titled(title, changes, most, full), head, rows) if rows else _EMPTY


def _titled(title: str, changes: Sequence[Change], most: int, full: str) -> str:
    if len(changes) <= most:
        return title
    return f"{title}: the first {most} of {len(changes)}, all are {full}"


def _row(columns: Sequence[str], row: Sequence[str], order: Sequence[str]) -> list[str | Markup]:
    """A row in the page's order, with the verdict's mark and colour."""
    known: dict[str, str | Markup] = dict(zip(columns, row, strict=True))
    verdict = str(known["Verdict"])
    mark, kind = _MARKS.get(verdict, ("●", ""))
    seen = element("span", mark, aria_hidden="true")
    spoken = element("span", verdict, class_="unseen")
    marked, badge = ("Change", (seen, spoken)) if "Change" in known else ("Verdict", (seen,))
    known[marked] = element("span", *badge, f" {known[marked]}", class_=f"badge {kind}".strip())
    return [known[column] for column in order]


def changes_markdown(comparisons: Sequence[Comparison]) -> list[str]:
    """The part of report.md about a baseline; nothing without one."""
    lines = [f"## {TITLE}", ""] if comparisons else []
    for each in comparisons:
        lines += [markdown_cell(_against(each)), ""]
        lines += _tables(each, MOST_WORSE, "in changes.csv")
        lines += [f"* {markdown_cell(note)}" for note in notes(each)]
        lines += ["", f"{ABOUT} {RUN_TO_RUN}", ""]
    return lines


def pull_request_markdown(comparison: Comparison, gate: Gate) -> str:
    """A short summary of a comparison, for a comment on a pull request."""
    after, before = (
        markdown_cell(short(side.run.name, 60)) for side in (comparison.after, comparison.before)
    )
    failures = gate.failures(comparison)
    result = f"**{plural(failures, 'regression')}.** " if failures else ""
    if gate.limit is not None and not failures:
        result = f"**Nothing got worse by more than {100 * gate.limit:g} %.** "
    others = [*comparison.of("unclear"), *comparison.of("same"), *comparison.of("not_comparable")]
    details = _markdown_table(COLUMNS, [cells(one) for one in others[:MOST_IN_COMMENT]])
    rest = len(others) - MOST_IN_COMMENT
    more = [f"and {rest} more", ""] if rest > 0 else []
    lines = [
        f"### edgesr: {after} against {before}",
        "",
        f"{result}{headline(comparison)}",
        "",
        *_tables(comparison, MOST_IN_COMMENT, "in the JSON document"),
        "<details><summary>Details</summary>",
        "",
        *(f"* {markdown_cell(note)}" for note in [*notes(comparison), *gate.remarks(comparison)]),
        "",
        *details,
        *more,
        f"{ABOUT} {RUN_TO_RUN}",
        "",
        "</details>",
    ]
    return "\n".join(lines) + "\n"


def _tables(comparison: Comparison, most: int, full: str) -> list[str]:
    """What became of jobs, what got worse, what got better."""
    lines: list[str] = []
    if comparison.states:
        states = [state_cells(state) for state in comparison.states[:most]]
        rest = len(comparison.states) - len(states)
        title = "What became of jobs" + (f" ({rest} more are left out)" if rest else "")
        lines += [f"**{title}**", "", *_markdown_table(STATE_COLUMNS, states)]
    for title, changes in (("Worse", comparison.of("worse")), ("Better", comparison.of("better"))):
        if changes:
            rows = [cells(one, _ORDER) for one in changes[:most]]
            lines += [f"**{_titled(title, changes, most, full)}**", ""]
            lines += _markdown_table(_ORDER, rows)
    return lines


def _markdown_table(columns: Sequence[str], rows: Rows) -> list[str]:
    if not rows:
        return []
    return [
        "| " + " | ".join(columns) + " |",
        "|" + "|".join(" --: " if column in _NUMBERS else " --- " for column in columns) + "|",
        *("| " + " | ".join(markdown_cell(text) for text in row) + " |" for row in rows),
        "",
    ]


def changes_csv(comparisons: Iterable[Comparison]) -> str:
    """Every change of every comparison, one per line; an unknown number is empty."""
    rows = [
        {"before_run": each.before.run.name, "after_run": each.after.run.name, **change_row(one)}
        for each in comparisons
        for one in each.changes
    ]
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def _plain(value: Any) -> Any:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value

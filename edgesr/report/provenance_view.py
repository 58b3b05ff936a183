"""The page that tells where the numbers come from."""

from collections.abc import Sequence

from edgesr.analysis.rows import RunData
from edgesr.report.markup import Markup, element, join
from edgesr.report.provenance import candidate_facts, run_facts
from edgesr.report.views import View, facts_table, scroll_box
from edgesr.text import plural, short

ANCHOR, TITLE = "provenance", "Provenance"
MOST_RUNS, MOST_CANDIDATES = 60, 300
"""Runs told, and candidates of each."""


def provenance_view(runs: Sequence[RunData]) -> View:
    """Facts of each run; its candidates once for all runs that have the same ones."""
    parts: list[Markup] = []
    told: dict[tuple[str, ...], str] = {}
    for run in runs[-MOST_RUNS:]:
        parts += [element("h3", f"Run {short(run.name, 60)}")]
        parts += [facts_table("How the run was made", run_facts(run))]
        rows = candidate_facts(run)
        key = tuple(row["File sha256"] for row in rows)
        if key in told:
            parts.append(element("p", f"Its candidates are those of run {told[key]}."))
        elif rows:
            told[key] = short(run.name, 60)
            parts.append(_candidates(rows))
    if rest := max(0, len(runs) - MOST_RUNS):
        parts.insert(0, element("p", f"{plural(rest, 'older run')} left out."))
    return View(ANCHOR, TITLE, tuple(parts))


def _candidates(rows: Sequence[dict[str, str]]) -> Markup:
    head = (element("th", title, scope="col") for title in rows[0])
    body = (
        element(
            "tr",
            *(
                element("th", text, scope="row")
                if what == "Candidate"
                else element("td", text, class_="sha" if "sha256" in what else None)
                for what, text in row.items()
            ),
        )
        for row in rows[:MOST_CANDIDATES]
    )
    title = "Candidates and what they were made from"
    table = element(
        "table",
        element("caption", element("span", title)),
        element("thead", element("tr", *head)),
        element("tbody", *body),
        class_="made",
    )
    rest = len(rows) - MOST_CANDIDATES
    more = element("p", f"{plural(rest, 'candidate')} left out.") if rest > 0 else ""
    return join(scroll_box(table, title), more)

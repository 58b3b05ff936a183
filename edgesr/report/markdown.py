"""The report as Markdown: headline, table, provenance."""

from edgesr.analysis.summary import JobSummary
from edgesr.report.changes import changes_markdown
from edgesr.report.content import Content
from edgesr.report.devices import devices, notice
from edgesr.report.headline import headline, panels
from edgesr.report.integer import integer_markdown
from edgesr.report.provenance import run_facts
from edgesr.report.recommendation import recommendation_markdown
from edgesr.report.shown import most_telling
from edgesr.report.sustained import sustained_markdown
from edgesr.report.table import markdown_cell, markdown_table
from edgesr.report.ties import tie_sentence
from edgesr.report.wording import NOT_AN_APP, TRUST_LEGEND


def markdown_report(content: Content) -> str:
    """The text of report.md; its plots are the files below plots/."""
    runs, jobs = content.runs, content.jobs
    lines = ["# edgesr report", ""]
    if warning := notice(devices(runs)):
        lines += [f"**{markdown_cell(warning)}**", ""]
    if content.selection is not None and content.selection.groups:
        chosen = content.criteria_given
        lines += [*recommendation_markdown(content.selection, chosen=chosen), "## Results", ""]
    for title, members in panels(jobs).items():
        lines += [f"**{markdown_cell(title)}**: {markdown_cell(_told(members))}", ""]
    lines += [f"{NOT_AN_APP} Trust: {TRUST_LEGEND}.", "", *changes_markdown(content.changes)]
    lines += ["## Plots", ""]
    lines += [f"![{plot.title}](plots/{plot.name}.png)" for plot in content.plots]
    lines += ["", *integer_markdown(content.integers)]
    lines += sustained_markdown(content.series)
    lines += (
        [] if content.only_series else ["## All jobs", "", markdown_table(most_telling(jobs)), ""]
    )
    lines += ["## Provenance", ""]
    for run in runs:
        lines += ["| What | Value |", "| --- | --- |"]
        lines += [f"| {markdown_cell(w)} | {markdown_cell(v)} |" for w, v in run_facts(run)]
        lines.append("")
    return "\n".join(lines)


def _told(jobs: list[JobSummary]) -> str:
    return f"{headline(jobs)} {tie_sentence(jobs)}".strip()

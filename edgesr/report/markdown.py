"""The report as Markdown: headline, table, provenance."""

from collections.abc import Sequence

from edgesr.analysis.rows import RunData
from edgesr.analysis.summary import JobSummary
from edgesr.report.devices import devices, notice
from edgesr.report.headline import NO_CRITERIA, headline, panels
from edgesr.report.provenance import run_facts
from edgesr.report.table import markdown_cell, markdown_table
from edgesr.report.wording import NOT_AN_APP, TRUST_LEGEND


def markdown_report(
    runs: Sequence[RunData], jobs: Sequence[JobSummary], plots: Sequence[tuple[str, str]]
) -> str:
    """The text of report.md.

    Args:
        runs: The runs reported on.
        jobs: Their summaries.
        plots: (file name below plots/, title) of each plot that was drawn.
    """
    lines = ["# edgesr report", ""]
    if warning := notice(devices(runs)):
        lines += [f"**{markdown_cell(warning)}**", ""]
    for title, members in panels(jobs).items():
        lines += [f"**{markdown_cell(title)}**: {markdown_cell(headline(members))}", ""]
    lines += [f"{NO_CRITERIA} {NOT_AN_APP} Trust: {TRUST_LEGEND}.", "", "## Plots", ""]
    lines += [f"![{title}](plots/{file})" for file, title in plots]
    lines += ["", "## All jobs", "", markdown_table(jobs), "", "## Provenance", ""]
    for run in runs:
        lines += ["| What | Value |", "| --- | --- |"]
        lines += [f"| {markdown_cell(w)} | {markdown_cell(v)} |" for w, v in run_facts(run)]
        lines.append("")
    return "\n".join(lines)

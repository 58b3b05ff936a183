"""The report as Markdown: headline, table, provenance."""

from collections.abc import Sequence

from edgesr.analysis.rows import RunData
from edgesr.analysis.summary import JobSummary
from edgesr.report.headline import NO_CRITERIA, headline, panels
from edgesr.report.provenance import run_facts
from edgesr.report.table import markdown_cell, markdown_table


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
    for title, members in panels(jobs).items():
        lines += [f"**{markdown_cell(title)}**: {markdown_cell(headline(members))}", ""]
    lines += [NO_CRITERIA, "", "## Plots", ""]
    lines += [f"![{title}](plots/{file})" for file, title in plots]
    lines += ["", "## All jobs", "", markdown_table(jobs), "", "## Provenance", ""]
    for run in runs:
        lines += ["| What | Value |", "| --- | --- |"]
        lines += [f"| {markdown_cell(w)} | {markdown_cell(v)} |" for w, v in run_facts(run)]
        lines.append("")
    return "\n".join(lines)

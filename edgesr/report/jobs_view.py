"""The page with the table of all jobs."""

from collections.abc import Mapping, Sequence

from edgesr.analysis.summary import JobSummary
from edgesr.report.markup import element
from edgesr.report.shown import most_telling
from edgesr.report.table import html_table
from edgesr.report.views import View, scroll_box
from edgesr.text import plural

ANCHOR, TITLE = "table", "All jobs"


def jobs_view(jobs: Sequence[JobSummary], links: Mapping[str, str]) -> View:
    """The table, as far as it is one that a browser can still show.

    Args:
        jobs: All jobs.
        links: Candidate -> anchor of its page.
    """
    shown = most_telling(jobs)
    about = "Every round stands in results.csv, this table in summary.csv, beside this page."
    if rest := len(jobs) - len(shown):
        about += (
            f" Shown are {len(shown)} of {plural(len(jobs), 'job')}, first for each candidate, "
            f"device and delegate its best thread count; the other {rest} are in summary.csv only."
        )
    box = scroll_box(html_table(shown, links), "Table of all jobs")
    return View(ANCHOR, TITLE, (element("p", about), box))

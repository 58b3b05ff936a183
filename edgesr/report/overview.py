"""The overview: what to take, what was found, and what is doubtful."""

from edgesr.report.changes import changes_section
from edgesr.report.content import Content
from edgesr.report.devices import devices, notice
from edgesr.report.markup import Markup, element
from edgesr.report.recommendation import recommendation
from edgesr.report.results import results
from edgesr.report.sustained import sustained_section
from edgesr.report.views import View

ANCHOR, TITLE = "overview", "Overview"


def overview(content: Content) -> View:
    """The first page."""
    warning = notice(devices(content.runs))
    parts: list[Markup] = [element("p", warning, class_="notice")] if warning else []
    if content.selection is not None and content.selection.groups:
        parts.append(recommendation(content.selection, chosen=content.criteria_given))
    if not content.only_series:
        parts.append(results(content.jobs, content.integers))
    if content.changes:
        parts.append(changes_section(content.changes))
    if content.series:
        parts.append(sustained_section(content.series))
    return View(ANCHOR, TITLE, tuple(parts))

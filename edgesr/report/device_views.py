"""The pages of the devices: what each is, and what was measured on it."""

from collections.abc import Mapping, Sequence

from edgesr.analysis.devices import DeviceFacts
from edgesr.analysis.summary import JobSummary
from edgesr.report.content import Content
from edgesr.report.devices import device_cells, devices, devices_table, marks
from edgesr.report.headline import panels
from edgesr.report.links import Links
from edgesr.report.markup import Markup, element
from edgesr.report.results import card, doubts, trouble
from edgesr.report.shown import most_telling
from edgesr.report.table import brief_table
from edgesr.report.views import View, facts_table, scroll_box
from edgesr.text import join_known, plural, short

ANCHOR, TITLE = "devices", "Devices"
MOST_ROWS = 80
"""Jobs per page; the others stand in the table of all jobs, or in summary.csv."""
_COLUMNS = ("Candidate", "Asked for", "Threads", "Status", "Trust", "Median ms", "95 % interval",
            "PSNR-Y dB", "CER", "Ran on")  # fmt: skip


def device_views(content: Content, links: Links) -> list[View]:
    """A list of the devices, and a page for each."""
    own: dict[str, list[JobSummary]] = {}
    for job in content.jobs:
        own.setdefault(job.device, []).append(job)
    found = devices(content.runs)
    told = {device.name for device in found}
    found += [DeviceFacts(name, {}, {}) for name in own if name not in told]
    first = View(ANCHOR, TITLE, (devices_table(found, links.devices), *_left_out(found, links)))
    pages = [
        _view(device, own.get(device.name, []), links)
        for device in found
        if device.name in links.devices
    ]
    return [first, *pages]


def _left_out(found: Sequence[DeviceFacts], links: Links) -> list[Markup]:
    rest = sum(device.name not in links.devices for device in found)
    return [element("p", f"{plural(rest, 'device')} have no page here.")] if rest else []


def _view(device: DeviceFacts, jobs: Sequence[JobSummary], links: Links) -> View:
    warnings = join_known(*marks(device))
    facts = [(what, value) for what, value in device_cells(device).items() if value]
    parts = [
        element("p", f"▲ {warnings}", class_="notice") if warnings else Markup(""),
        facts_table("What is known of it", facts),
        *_measured(jobs, links.candidates),
    ]
    model = "" if device.model == device.name else short(device.model, 40)
    title = join_known(short(device.name, 40) or "unnamed", model)
    return View(links.devices[device.name], title, tuple(parts), ANCHOR, TITLE)


def _measured(jobs: Sequence[JobSummary], links: Mapping[str, str]) -> list[Markup]:
    if not jobs:
        return [element("p", "No jobs were measured on it without a pace.")]
    cards = (card(title, own) for title, own in panels(jobs).items())
    shown = most_telling(jobs, MOST_ROWS)
    caption = f"{len(shown)} of {plural(len(jobs), 'job')} on this device"
    table = scroll_box(brief_table(caption, shown, _COLUMNS, links), caption)
    return [*cards, element("h3", "Jobs"), table, *trouble(jobs), *doubts(jobs)]

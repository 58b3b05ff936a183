"""The page itself: every section as HTML, styles and script inline, nothing from the network."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources

from edgesr import __version__
from edgesr.analysis.rows import RunData
from edgesr.analysis.summary import JobSummary
from edgesr.report.content import Content, PlotOnPage
from edgesr.report.crops import Scene
from edgesr.report.devices import devices, devices_section, notice
from edgesr.report.integer import TITLE, integer_section
from edgesr.report.markup import Markup, element, join
from edgesr.report.provenance import candidate_facts, run_facts
from edgesr.report.results import results
from edgesr.report.sustained import ANCHOR as PACE
from edgesr.report.sustained import TITLE as PACE_TITLE
from edgesr.report.sustained import sustained_section
from edgesr.report.table import html_table
from edgesr.text import plural, short

GENERATOR = "edgesr report"
"""How a page is recognised as ours."""


def document(content: Content) -> str:
    """The whole index.html."""
    style, script = _static("page.css"), _static("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    head = join(
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="generator", content=f"{GENERATOR} {__version__}"),
        element("meta", name_="color-scheme", content="light dark"),
        element("title", "edgesr report"),
        Markup(f"<style>{style}</style>"),
    )
    body = element(
        "body",
        _skip_link(),
        _header(content),
        element("main", *_sections(content), id="main"),
        _footer(),
        Markup(f"<script>{script}</script>"),
    )
    page = element("html", element("head", head), body, lang="en")
    return f"<!doctype html>\n{page}\n"


def _static(name: str) -> str:
    return (resources.files("edgesr.report") / "static" / name).read_text(encoding="utf-8")


def _skip_link() -> Markup:
    return element("a", "Skip to the report", href="#main", class_="skip")


def _header(content: Content) -> Markup:
    first = content.runs[-1].header
    when = str(first.get("created_at") or "")
    names = ", ".join(short(run.name, 40) for run in content.runs[:4])
    links = [] if content.only_series else [("results", "Results")]
    links += [("devices", "Devices")]
    links += [("integers", TITLE)] if content.integers else []
    links += [(PACE, PACE_TITLE)] if content.series else []
    links += [(p.name, p.title) for p in content.plots]
    links += [("pictures", "Pictures")] if content.scenes else []
    links += [] if content.only_series else [("table", "All jobs")]
    links += [("provenance", "Provenance")]
    items = (element("li", element("a", title, href=f"#{anchor}")) for anchor, title in links)
    return element(
        "header",
        element("p", "edgesr report", class_="eyebrow"),
        element("h1", "Super-resolution models, measured"),
        element(
            "p",
            f"{plural(len(content.runs), 'run')}: {names}",
            " · ",
            short(when, 40),
            class_="meta",
        ),
        element("nav", element("ul", *items), aria_label="Sections"),
    )


def _sections(content: Content) -> list[Markup]:
    found = devices(content.runs)
    if content.only_series:
        paced = sustained_section(content.series, notice(found))
        plots = [_plot(one) for one in content.plots]
        return [paced, *plots, devices_section(found), _provenance(content.runs)]
    first = results(content.jobs, content.integers, notice(found))
    sections = [first, devices_section(found)]
    sections += [integer_section(content.integers)] if content.integers else []
    sections += [sustained_section(content.series)] if content.series else []
    sections += [_plot(one) for one in content.plots]
    if content.scenes:
        sections.append(_pictures(content.scenes))
    return [*sections, _table(content.jobs), _provenance(content.runs)]


def _plot(plot: PlotOnPage) -> Markup:
    return element(
        "section",
        element("h2", plot.title),
        element(
            "figure",
            element("div", plot.wide, class_="wide"),
            element("div", plot.narrow, class_="narrow"),
            element("figcaption", f"{plot.caption} {plot.note}".strip()),
            element("p", plot.alt, id=f"alt-{plot.name}", class_="unseen"),
        ),
        id=plot.name,
    )


def _pictures(scenes: Sequence[Scene]) -> Markup:
    return element(
        "section",
        element("h2", "Pictures"),
        element(
            "p",
            "The same place in the low-res input, bicubic, each candidate (pixels as the "
            "device produced them, per device in order of latency) and the truth. The window is "
            "the one with the most edges. dB and CER: means over all images.",
        ),
        *(_scene(scene) for scene in scenes),
        id="pictures",
    )


def _scene(scene: Scene) -> Markup:
    tiles = [
        element(
            "figure",
            element("img", src=tile.data_uri, alt=f"{tile.title}: cut-out of {scene.title}"),
            element("figcaption", element("b", tile.title), element("span", tile.detail)),
            class_=f"tile {tile.kind}",
        )
        for tile in scene.tiles
    ]
    overview = element(
        "figure",
        element("img", src=scene.overview_uri, alt=f"{scene.title}, whole, window marked"),
        element("figcaption", element("b", "Whole picture"), element("span", scene.where)),
        class_="tile overview",
    )
    notes = [element("p", note, class_="quiet") for note in scene.notes]
    return join(
        element("h3", scene.title),
        element(
            "div",
            overview,
            *tiles,
            class_="tiles",
            tabindex="0",
            role="region",
            aria_label=f"Cut-outs of {scene.title}",
        ),
        *notes,
    )


def _table(jobs: Sequence[JobSummary]) -> Markup:
    return element(
        "section",
        element("h2", "All jobs"),
        element(
            "p", "Every round stands in results.csv, this table in summary.csv, beside this page."
        ),
        element(
            "div",
            html_table(jobs),
            class_="scroll",
            tabindex="0",
            role="region",
            aria_label="Table of all jobs",
        ),
        id="table",
    )


def _provenance(runs: Sequence[RunData]) -> Markup:
    return element(
        "section", element("h2", "Provenance"), *(_run(run) for run in runs), id="provenance"
    )


def _run(run: RunData) -> Markup:
    facts = (
        element("tr", element("th", what, scope="row"), element("td", value))
        for what, value in run_facts(run)
    )
    about = element(
        "table",
        element("caption", "How the run was made"),
        element("tbody", *facts),
        class_="facts",
    )
    return join(
        element("h3", f"Run {short(run.name, 60)}"),
        element("div", about, class_="scroll"),
        _candidates(run),
    )


def _candidates(run: RunData) -> Markup:
    rows = candidate_facts(run)
    if not rows:
        return Markup("")
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
        for row in rows
    )
    table = element(
        "table",
        element("caption", "Candidates and what they were made from"),
        element("thead", element("tr", *head)),
        element("tbody", *body),
        class_="made",
    )
    return element(
        "div",
        table,
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label="Candidates and what they were made from",
    )


def _footer() -> Markup:
    return element(
        "footer",
        element("p", f"Made by edgesr {__version__}. Plots also lie in plots/ as PNG and SVG."),
    )

"""The page itself: one file, styles and script inline, nothing from the network."""

import base64
import hashlib
from datetime import UTC, datetime
from importlib import resources

from edgesr import __version__
from edgesr.report.candidate_views import candidate_views
from edgesr.report.changes import changes_view
from edgesr.report.content import Content
from edgesr.report.delegate_views import delegate_views
from edgesr.report.device_views import device_views
from edgesr.report.integer import integer_view
from edgesr.report.jobs_view import jobs_view
from edgesr.report.links import Links, links_of
from edgesr.report.markup import Markup, element, join
from edgesr.report.overview import overview
from edgesr.report.pictures import pictures_view
from edgesr.report.plots_view import plots_view
from edgesr.report.provenance_view import provenance_view
from edgesr.report.recommendation import choice_view
from edgesr.report.views import View, navigation, view_markup
from edgesr.text import plural, short

GENERATOR = "edgesr report"
"""How a page is recognised as ours."""


def document(content: Content) -> str:
    """The whole index.html."""
    style = _static("page.css")
    script = "".join(_static(name) for name in ("pages.js", "table.js", "compare.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    head = join(
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="generator", content=f"{GENERATOR} {__version__}"),
        element("meta", name_="color-scheme", content="light dark"),
        element("title", "edgesr report"),
        Markup(f"<style>{style}</style>"),
        Markup(f"<script>{script}</script>"),
    )
    views = _views(content, links_of(content.runs, content.all_jobs))
    body = element(
        "body",
        element("a", "Skip to the report", href="#main", class_="skip"),
        _header(content, views),
        element(
            "main",
            *(view_markup(view, current=view is views[0]) for view in views),
            id="main",
            tabindex="-1",
        ),
        _footer(),
    )
    page = element("html", element("head", head), body, lang="en")
    return f"<!doctype html>\n{page}\n"


def _views(content: Content, links: Links) -> list[View]:
    """Every page in the order of the navigation."""
    views = [overview(content)]
    if content.selection is not None and content.selection.groups:
        chosen = content.criteria_given
        views.append(choice_view(content.selection, links.candidates, chosen=chosen))
    views += [changes_view(content.changes)] if content.changes else []
    views += [integer_view(content.integers)] if content.integers else []
    views += device_views(content, links)
    views += candidate_views(content, links)
    views += delegate_views(content, links) if content.jobs else []
    views += [plots_view(content.plots)] if content.plots else []
    views += [pictures_view(content.scenes)] if content.scenes else []
    views += [] if content.only_series else [jobs_view(content.jobs, links.candidates)]
    return [*views, provenance_view(content.runs)]


def _header(content: Content, views: list[View]) -> Markup:
    when = when_words(str(content.runs[-1].header.get("created_at") or ""))
    names = ", ".join(short(run.name, 40) for run in content.runs[:4])
    names += " ..." if len(content.runs) > 4 else ""
    return element(
        "header",
        element("p", "edgesr report", class_="eyebrow"),
        element("h1", "Super-resolution models, measured"),
        element(
            "p",
            f"{plural(len(content.runs), 'run')}: {names}",
            " · ",
            element("span", when, class_="when"),
            class_="meta",
        ),
        navigation(views),
    )


def when_words(told: str) -> str:
    """``2026-11-25 23:16 UTC``; what is no time stays as it is."""
    try:
        when = datetime.fromisoformat(told)
        return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if when.tzinfo else f"{when}"
    except (ValueError, OverflowError):
        return short(told, 40)


def _footer() -> Markup:
    return element(
        "footer",
        element("p", f"Made by edgesr {__version__}. Plots also lie in plots/ as PNG and SVG."),
        element(
            "p",
            "Pages of single devices, candidates and delegates are not printed with the others: "
            "what they tell stands in the tables.",
            class_="paper",
        ),
    )


def _static(name: str) -> str:
    return (resources.files("edgesr.report") / "static" / name).read_text(encoding="utf-8")

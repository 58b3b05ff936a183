"""The page of the plots."""

from collections.abc import Sequence

from edgesr.report.content import PlotOnPage
from edgesr.report.markup import Markup, element
from edgesr.report.views import View

ANCHOR, TITLE = "plots", "Plots"


def plots_view(plots: Sequence[PlotOnPage]) -> View:
    """Links to the plots, and the plots."""
    items = (element("li", element("a", one.title, href=f"#{one.name}")) for one in plots)
    links = element("nav", element("ul", *items), aria_label="Plots", class_="within")
    return View(ANCHOR, TITLE, (links, *(_plot(one) for one in plots)))


def _plot(plot: PlotOnPage) -> Markup:
    return element(
        "section",
        element("h3", plot.title),
        element(
            "figure",
            element("div", plot.wide, class_="wide"),
            element("div", plot.narrow, class_="narrow"),
            element("figcaption", f"{plot.caption} {plot.note}".strip()),
            element("p", plot.alt, id=f"alt-{plot.name}", class_="unseen"),
        ),
        id=plot.name,
        class_="plot",
    )

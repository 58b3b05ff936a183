"""The page of the plots."""

import re
from collections.abc import Sequence

from edgesr.report.content import PlotOnPage
from edgesr.report.markup import Markup, element
from edgesr.report.views import View

ANCHOR, TITLE = "plots", "Plots"
TALL = 2.0
"""Height by width."""


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
        class_="plot tall" if _is_tall(plot.wide) else "plot",
    )


def _is_tall(svg: str) -> bool:
    """Whether nobody could read it any more if it had to fit on one sheet of paper."""
    box = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', svg)
    return box is not None and float(box[2]) > TALL * float(box[1])

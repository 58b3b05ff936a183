"""The page of the pictures: cut-outs side by side; scripts make a slider of them."""

from collections.abc import Sequence

from edgesr.report.crops import Scene
from edgesr.report.markup import Markup, element, join
from edgesr.report.views import View

ANCHOR, TITLE = "pictures", "Pictures"


def pictures_view(scenes: Sequence[Scene]) -> View:
    """Every scene with its tiles."""
    about = element(
        "p",
        "The same place in the low-res input, bicubic, each candidate (pixels as the device "
        "produced them, per device in order of latency) and the truth. The window is the one with "
        "the most edges: text, where there is any. dB and CER: means over all images.",
    )
    return View(ANCHOR, TITLE, (about, *(_scene(scene) for scene in scenes)))


def _scene(scene: Scene) -> Markup:
    tiles = [
        element(
            "figure",
            element(
                "img",
                src=tile.data_uri,
                alt=f"{tile.title}: cut-out of {scene.title}",
                width=str(scene.width),
                height=str(scene.height),
            ),
            element("figcaption", element("b", tile.title), element("span", tile.detail)),
            class_=f"tile {tile.kind}",
            id=tile.anchor,
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
    tiles_box = element(
        "div",
        overview,
        *tiles,
        class_="tiles",
        tabindex="0",
        role="region",
        aria_label=f"Cut-outs of {scene.title}",
    )
    return element(
        "div",
        element("h3", scene.title),
        join(tiles_box, *notes),
        class_="scene",
        data_title=scene.title,
    )

"""Every kind of source, and how a config's text finds its kind."""

from collections.abc import Sequence
from pathlib import Path

from edgesr.data.sources import folder, h5, hub, meta, pairs, slides, video
from edgesr.data.sources.base import Kind, Source
from edgesr.data.sources.combined import curated, joined
from edgesr.errors import ConfigError
from edgesr.files import read_errors

KINDS: tuple[Kind, ...] = (
    slides.KIND,
    meta.KIND,
    hub.KIND,
    h5.KIND,
    video.KIND,
    pairs.KIND,
    folder.KIND,
)
"""The first that matches a text opens it; a new kind is a module and an entry."""


def open_source(text: str, scale: int) -> Source:
    """Opens what one text of a config names; no image but perhaps the first is read.

    Args:
        text: In one of the forms of `KINDS`.
        scale: Large over small side, which pairs must have.

    Returns:
        At least one image.

    Raises:
        ConfigError: When the text has none of the forms, or there is nothing under its path.
        InputError: When a file is missing, damaged or of a layout that is not known, or empty.
        PairsError: When pairs are of another scale.
        MissingExtraError: When it needs a package that is not installed.
    """
    with read_errors(Path(text)):
        for kind in KINDS:
            if text and kind.matches(text):
                return kind.open(text, scale)
        there = bool(text) and Path(text).exists()
    what = "is a file of no kind that is known" if there else "does not exist"
    raise ConfigError(
        f"the source of images {text!r} {what}",
        hint=f"a source is {'; '.join(kind.form for kind in KINDS)}",
    )


def open_sources(texts: Sequence[str], scale: int, *, limit: int = 0, seed: int = 0) -> Source:
    """Opens several sources as one, or a curated part of them.

    Args:
        texts: At least one, each as `open_source` takes it.
        scale: Large over small side, which pairs must have.
        limit: Takes so many images (see `curated`); 0 takes all.
        seed: Decides which.

    Returns:
        The images of the first source, then those of the second, and so on.

    Raises:
        ConfigError: When there is no text; else as `open_source`.
    """
    if not texts:
        raise ConfigError("no source of images is named", hint="name one as data.train")
    return curated(joined([open_source(text, scale) for text in texts]), limit, seed)

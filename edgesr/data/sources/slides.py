"""``slides:COUNT:SEED``: slides that are rendered here, with exactly known text."""

import re
from dataclasses import dataclass

from edgesr.data.slides import render_slide
from edgesr.data.sources.base import Kind, Scene, Source, digest_of
from edgesr.errors import ConfigError

_FORM = "slides:COUNT:SEED"


@dataclass(frozen=True)
class SlideSource:
    """The first ``count`` slides of a seed; a slide takes a few tenths of a second to render."""

    count: int
    seed: int

    @property
    def name(self) -> str:
        """As written in the config."""
        return f"slides:{self.count}:{self.seed}"

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Scene:
        """As `Source`."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        slide = render_slide(self.seed, index)
        return Scene(f"slide-{self.seed}-{index:04d}", slide.image, text=slide.text)

    def label(self, index: int) -> str:
        """The slide's number."""
        return f"{self.name}, slide {index}"

    def digest(self) -> str:
        """Over count and seed, which decide everything."""
        return digest_of("slides", self.count, self.seed)


def _open(text: str, _scale: int) -> Source:
    found = re.fullmatch(r"slides:(\d+):(\d+)", text, re.ASCII)
    if not found or int(found[1]) < 1:
        raise ConfigError(
            f"{text!r} is not of the form {_FORM}", hint="for example slides:100:1, 100 of seed 1"
        )
    return SlideSource(int(found[1]), int(found[2]))


KIND = Kind(_FORM, lambda text: text.startswith("slides:"), _open)

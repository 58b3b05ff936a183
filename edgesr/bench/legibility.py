"""Reading the pictures of the accuracy pass: what should be read, and how far it is."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgesr.bench.scenes import Scene, Scenes, Scoring
from edgesr.quality.readability import Reading
from edgesr.quality.reader import Reader, describe, open_reader
from edgesr.quality.text import TEXT_PROTOCOL, Reference, normalise, score_text

DEFAULT_ENGINE = "rapidocr"
NO_ENGINE = "none"


@dataclass(frozen=True)
class Wanted:
    """What a picture's reader should find in it."""

    text: str
    kind: Reference
    """Where the text comes from."""


Pending = Callable[[], Reading]
"""Waits for a reading; raises InputError when the engine fails."""


class Judge:
    """An OCR engine that judges pictures by how well their text is read.

    Args:
        reader: What reads; may be used from several threads.
        guess: Takes what is read in the truth where a pair has no text; else such a pair is not
            judged by its text.
    """

    def __init__(self, reader: Reader, *, guess: bool) -> None:
        self._reader, self._guess = reader, guess

    def wanted(self, scene: Scene) -> Wanted | None:
        """What should be read in a picture; None where there is nothing to compare with.

        Raises:
            InputError: When the engine fails.
        """
        if normalise(scene.pair.text):
            return Wanted(scene.pair.text, "text")
        if not self._guess:
            return None
        text = "\n".join(line.text for line in self._reader.read(scene.truth()))
        return Wanted(text, "truth-ocr") if normalise(text) else None

    def begin(self, image: NDArray[np.uint8], wanted: Wanted) -> Pending:
        """Begins to read a picture."""
        future = self._reader.submit(image)

        def finish() -> Reading:
            lines = future.result()
            score = score_text(lines, wanted.text, wanted.kind)
            return Reading(score, lines, wanted.text)

        return finish

    def engine(self) -> dict[str, str]:
        """Engine, version and language."""
        return describe(self._reader)

    def protocol(self) -> dict[str, str]:
        """How text is read and scored, in words."""
        return {**self.engine(), **TEXT_PROTOCOL}


@contextlib.contextmanager
def open_judge(scenes: Scenes, scoring: Scoring) -> Iterator[Judge | None]:
    """The judge that was asked for, else rapidocr where a picture's text is known, else None.

    Raises:
        UsageError: When no engine has this name.
        MissingExtraError: When its package is not installed.
        InputError: When its model can't be loaded.
    """
    told = any(normalise(s.pair.text) for chosen in scenes.by_group.values() for s in chosen)
    spec = scoring.ocr or (DEFAULT_ENGINE if told else NO_ENGINE)
    if spec == NO_ENGINE:
        yield None
        return
    with open_reader(spec) as reader:
        yield Judge(reader, guess=scoring.ocr is not None)

"""Whether the text in an upscaled image can be read, and how models are ranked by it."""

import hashlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgesr.data.images import RgbImage
from edgesr.quality.ocr import OcrEngine, open_engine
from edgesr.quality.text import NO_TEXT, TextScore, normalise, score_text


@dataclass(frozen=True)
class Readability:
    """Means over the images that have a text to read; None where none has."""

    cer: float | None
    """Character error rate."""
    word_recall: float | None
    """Share of words read without an error."""
    confidence: float | None
    """The engine's own, 0 to 1."""
    images: int
    """How many images count."""


class ReadabilityBenchmark:
    """An engine, and what it read in the high-res images so far.

    Args:
        engine: What reads; None opens the default one.

    Raises:
        MissingExtraError: When the default engine is not installed.
    """

    def __init__(self, engine: OcrEngine | None = None) -> None:
        self.engine = engine or open_engine()
        self._truths: dict[bytes, str] = {}

    def score(self, sr: RgbImage, *, text: str, hr: RgbImage) -> TextScore:
        """Reads an upscaled image and compares with the known text, else with the high-res image.

        Args:
            sr: Array (H, W, 3), uint8, RGB.
            text: What it shows; empty when not known.
            hr: The high-res image, read once however often it comes.

        Returns:
            The score, or `NO_TEXT` when no text is known and none is read in ``hr``.

        Raises:
            InputError: When the engine fails.
        """
        if normalise(text):
            return score_text(self.engine.read(sr), text)
        truth = self._read_truth(hr)
        if not normalise(truth):
            return NO_TEXT
        return score_text(self.engine.read(sr), truth, "truth-ocr")

    def _read_truth(self, hr: RgbImage) -> str:
        key = hashlib.sha256(repr(hr.shape).encode() + np.ascontiguousarray(hr).tobytes()).digest()
        if key not in self._truths:
            self._truths[key] = "\n".join(line.text for line in self.engine.read(hr))
        return self._truths[key]


def readability(scores: Sequence[TextScore]) -> Readability:
    """Means over the images whose truth shows text."""
    return Readability(
        cer=_mean([score.cer for score in scores]),
        word_recall=_mean([score.word_recall for score in scores]),
        confidence=_mean([score.confidence for score in scores]),
        images=sum(score.cer is not None for score in scores),
    )


def ocr_primary(cer: float, confidence: float) -> tuple[float, float]:
    """The key by which readable models come first: fewest errors, then the surest engine.

    Confidence only breaks ties, because it can rise while more is misread.
    """
    return (cer, -confidence)


def _mean(values: Sequence[float | None]) -> float | None:
    counted = [value for value in values if value is not None]
    return statistics.fmean(counted) if counted else None

"""Whether the text in an upscaled image can be read, and how models are ranked by it."""

import hashlib
from dataclasses import dataclass

import numpy as np

from edgesr.data.images import RgbImage
from edgesr.quality.ocr import OcrEngine, open_engine
from edgesr.quality.reading import Line
from edgesr.quality.text import NO_TEXT, Reference, TextScore, normalise, score_text

Lines = tuple[Line, ...]


@dataclass(frozen=True)
class Reading:
    """What was read in one image, and how right it is."""

    score: TextScore
    lines: Lines = ()
    """As the engine read them; empty where there is nothing to read."""
    reference: str = ""
    """What they were compared with."""


class ReadabilityBenchmark:
    """An engine, and what it read in the high-res images so far.

    Args:
        engine: What reads; None opens the default one.
        ignore_case: Whether a capital read as a small letter is no error.

    Raises:
        MissingExtraError: When the default engine is not installed.
    """

    def __init__(self, engine: OcrEngine | None = None, *, ignore_case: bool = False) -> None:
        self.engine = engine or open_engine()
        self.ignore_case = ignore_case
        self._truths: dict[bytes, str] = {}

    def score(self, sr: RgbImage, *, text: str, hr: RgbImage) -> TextScore:
        """The score alone; see `read`."""
        return self.read(sr, text=text, hr=hr).score

    def read(self, sr: RgbImage, *, text: str, hr: RgbImage) -> Reading:
        """Reads an upscaled image and compares with the known text, else with the high-res image.

        Args:
            sr: Array (H, W, 3), uint8, RGB.
            text: What it shows; empty when not known.
            hr: The high-res image, read once however often it comes.

        Returns:
            The reading; its score is `NO_TEXT` when no text is known and none is read in ``hr``.

        Raises:
            InputError: When the engine fails.
        """
        kind: Reference = "text" if normalise(text) else "truth-ocr"
        reference = text if kind == "text" else self._read_truth(hr)
        if not normalise(reference):
            return Reading(NO_TEXT)
        lines = self.engine.read(sr)
        score = score_text(lines, reference, kind, ignore_case=self.ignore_case)
        return Reading(score, lines, reference)

    def _read_truth(self, hr: RgbImage) -> str:
        key = hashlib.sha256(repr(hr.shape).encode() + np.ascontiguousarray(hr).tobytes()).digest()
        if key not in self._truths:
            self._truths[key] = "\n".join(line.text for line in self.engine.read(hr))
        return self._truths[key]


def ocr_primary(cer: float, confidence: float) -> tuple[float, float]:
    """The key by which readable models come first: fewest errors, then the surest engine.

    Confidence only breaks ties, because it can rise while more is misread.
    """
    return (cer, -confidence)

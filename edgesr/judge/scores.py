"""Scores of an OCR set: CER, exact match, character accuracy."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgesr.quality.intervals import Interval, bootstrap_mean, bootstrap_ratio
from edgesr.quality.reading import Line
from edgesr.quality.text import TEXT_PROTOCOL, normalise, score_text

PROTOCOL = {
    "cer": "edits over all images by characters of all texts (micro average); above 1 is possible",
    "character_accuracy": "1 - cer, not below 0; micro average too",
    "exact_match": "share of the images whose text was read without any error",
    "confidence": "mean over the images of what the engine says of itself",
    "asking": "vision-language models by their own prompt and limits; one that tells none, by those"
    " of the first that does",
    "interval": "95 % bootstrap over images, percentiles expanded as Student's t, seed 0",
    "normalisation": TEXT_PROTOCOL["normalisation"],
    "line_order": TEXT_PROTOCOL["line_order"],
}
"""What the numbers mean."""


@dataclass(frozen=True)
class Scored:
    """One image that was read."""

    edits: int
    """Characters to be put in, left out or changed."""
    characters: int
    """Of the text that is there."""
    confidence: float

    @property
    def cer(self) -> float:
        """Edits per character."""
        return self.edits / self.characters


@dataclass(frozen=True)
class Summary:
    """Scores over images, each with its interval."""

    images: int
    characters: int
    cer: Interval
    exact_match: Interval
    character_accuracy: Interval
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def score(lines: Sequence[Line], text: str) -> Scored:
    """Compares what was read in one image with its text, which is not empty."""
    found = score_text(lines, text)
    length = len(normalise(text))
    return Scored(round((found.cer or 0.0) * length), length, found.confidence or 0.0)


def error_rate(scored: Sequence[Scored]) -> float:
    """CER over images, at least one."""
    return sum(one.edits for one in scored) / sum(one.characters for one in scored)


def summarise(scored: Sequence[Scored]) -> Summary:
    """Scores over images, at least one, with intervals."""
    lengths = [float(one.characters) for one in scored]
    cer = bootstrap_ratio([float(one.edits) for one in scored], lengths)
    accuracy = Interval(
        max(0.0, 1 - cer.mean),
        None if cer.high is None else max(0.0, 1 - cer.high),
        None if cer.low is None else max(0.0, 1 - cer.low),
        cer.n,
    )
    return Summary(
        images=len(scored),
        characters=int(sum(lengths)),
        cer=cer,
        exact_match=bootstrap_mean([float(one.edits == 0) for one in scored]),
        character_accuracy=accuracy,
        confidence=sum(one.confidence for one in scored) / len(scored),
    )

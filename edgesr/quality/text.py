"""How far text that was read differs from the text that is there.

The order of lines is hardly scored: a slide's two columns, a table or a plot can be read in several
right orders, and engines differ. So lines are compared in reading order and once more with each at
the place where it fits the reference best, and the lower rates count. The idea is that of the
flexible character accuracy (Clausner, Pletschacher and Antonacopoulos, 2020); here only whole lines
move, so that the rates stay the usual ones of one text against another.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edgesr.quality.reading import Line

if TYPE_CHECKING:
    from rapidfuzz.distance import ScoreAlignment

Reference = Literal["text", "truth-ocr", "none"]
"""What was compared with: the known text, what the engine reads in the high-res image, nothing."""

TEXT_PROTOCOL = {
    "normalisation": "Unicode NFC and compatibility forms as plain signs (NFKC); white space"
    " collapsed; case kept; dashes, quotes and times signs as in ASCII; list bullets and"
    " control characters left out",
    "line_order": "reading order, or every line where it fits the reference best: the lower CER",
    "word": "word_recall: runs of letters and digits, wherever they stand",
    "confidence": "mean over the characters read",
}
"""How `score_text` scores, in words."""

_ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u2018\u2019\u201a\u2032\u00b4\u0060", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u2033", '"'),
        "\u00d7": "x",
        "\u2206": "\u0394",  # increment, Delta
        "\u2211": "\u03a3",  # sum, Sigma
        "\u220f": "\u03a0",  # product, Pi
    }
)
"""Signs that look the same in print, so that an engine is free to give either."""

_BULLETS = frozenset("•◦●○■□▪▫◆◇►▶▸‣∙·❒❑")
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co"})  # a PDF's text layer may hold such
_TAKEN = "\ufdd0"  # never a character of any text


@dataclass(frozen=True)
class TextScore:
    """How well the text of one image was read; all None where there is none to read."""

    cer: float | None
    """Character error rate: edits per character of the reference; above 1 is possible."""
    wer: float | None
    """Word error rate, likewise; words are what white space parts."""
    word_recall: float | None
    """Share of the reference's words that were read without an error, wherever they stand."""
    confidence: float | None
    """Mean of the engine's confidence over all characters read; 0 when nothing was read."""
    reference: Reference


NO_TEXT = TextScore(None, None, None, None, "none")
"""Of an image that shows no text."""


def normalise(text: str) -> str:
    """Text as it is compared, in one line; `TEXT_PROTOCOL` says how."""
    plain = unicodedata.normalize("NFKC", text.translate(_ALIKE))
    seen = (sign for sign in plain if sign.isspace() or unicodedata.category(sign) not in _UNSEEN)
    words = "".join(seen).split()
    return " ".join(word for word in words if not set(word) <= _BULLETS)


def score_text(lines: Sequence[Line], reference: str, kind: Reference = "text") -> TextScore:
    """Compares what was read with the text that is there.

    Args:
        lines: As the engine read them, in reading order.
        reference: What should have been read; not empty once normalised.
        kind: Where the reference comes from.

    Raises:
        ValueError: When the reference holds no text.
    """
    import jiwer

    truth = normalise(reference)
    if not truth:
        raise ValueError("there is no text to compare with")
    read = [(normalise(line.text), line.confidence) for line in lines]
    read = [(text, confidence) for text, confidence in read if text]
    texts = [text for text, _ in read]
    orders = (" ".join(texts), " ".join(in_reference_order(texts, truth)))
    cer, _, found = min((float(jiwer.cer(truth, text)), n, text) for n, text in enumerate(orders))
    wanted, words = Counter(_words(truth)), Counter(_words(found))
    return TextScore(
        cer=cer,
        wer=float(jiwer.wer(truth, found)),
        word_recall=(wanted & words).total() / wanted.total() if wanted else float(not cer),
        confidence=_confidence(read),
        reference=kind,
    )


def in_reference_order(lines: Sequence[str], reference: str) -> list[str]:
    """Sorts lines by the place at which they fit the reference best.

    Lines with the most matching characters choose first, and no part of the reference is taken
    twice, so equal lines end up at different places.

    Args:
        lines: Normalised, in reading order, which decides where two places are equal.
        reference: Normalised.

    Returns:
        The same lines.
    """
    free = f" {reference} "
    first = [_place(line, free) for line in lines]
    placed = []
    for index in sorted(range(len(lines)), key=lambda i: (-first[i].score * len(lines[i]), i)):
        found = _place(lines[index], free)
        start, end = found.dest_start, found.dest_end
        start += free[start:end].startswith(" ")  # the space stays, for the line before
        end -= free[start:end].endswith(" ")
        placed.append((start, index))
        free = free[:start] + _TAKEN * (end - start) + free[end:]
    return [lines[index] for _, index in sorted(placed)]


def _place(line: str, free: str) -> "ScoreAlignment":
    """Where a line fits best, as whole words where it can; similarity 0 to 100."""
    from rapidfuzz.distance import ScoreAlignment
    from rapidfuzz.fuzz import partial_ratio_alignment

    found = partial_ratio_alignment(f" {line} ", free)
    return found or ScoreAlignment(0.0, 0, len(line), 0, 0)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _confidence(read: Sequence[tuple[str, float]]) -> float:
    characters = sum(len(text) for text, _ in read)
    return sum(len(text) * value for text, value in read) / characters if characters else 0.0

"""How far text that was read differs from the text that is there.

The order of lines is hardly scored: a slide's two columns, a table or a plot can be read in several
right orders, and engines differ. So lines are compared in reading order and once more with each at
the place where it fits the reference best, and the lower rates count. The idea is that of the
flexible character accuracy (Clausner, Pletschacher and Antonacopoulos, 2020); here only whole lines
move, so that the rates stay the usual ones of one text against another.
"""

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
    " collapsed; dashes, quotes and times signs as in ASCII; list bullets and"
    " control characters left out",
    "case": "kept",
    "line_order": "reading order, or every line where it fits the reference best: the lower CER",
    "word": "word_recall: runs of letters with their marks, and digits, wherever they stand",
    "exact_lines": "share of the reference's lines that were read as they are, wherever they stand",
    "confidence": "mean over the characters read",
}
"""How `score_text` scores, in words; without regard to case, ``case`` is another."""

IGNORED_CASE = "ignored: compared as casefold() gives it"
"""What ``case`` says then."""

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
_JOINERS = frozenset("\u200c\u200d")  # unseen too, but Indic scripts look otherwise with them
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
    exact_lines: float | None
    """Share of the reference's lines that were read without an error, wherever they stand."""
    confidence: float | None
    """Mean of the engine's confidence over all characters read; 0 when nothing was read."""
    reference: Reference


NO_TEXT = TextScore(None, None, None, None, None, "none")
"""Of an image that shows no text."""


def normalise(text: str, *, ignore_case: bool = False) -> str:
    """Text as it is compared, in one line; `TEXT_PROTOCOL` says how."""
    plain = unicodedata.normalize("NFKC", text.translate(_ALIKE))
    plain = plain.translate(_ALIKE)  # a raised minus is a plain one only now
    seen = (sign for sign in plain if sign.isspace() or sign in _JOINERS or _visible(sign))
    words = "".join(seen).split()
    joined = " ".join(word for word in words if not set(word) <= _BULLETS)
    return unicodedata.normalize("NFC", joined.casefold() if ignore_case else joined)


def score_text(
    lines: Sequence[Line], reference: str, kind: Reference = "text", *, ignore_case: bool = False
) -> TextScore:
    """Compares what was read with the text that is there.

    Args:
        lines: As the engine read them, in reading order.
        reference: What should have been read, in lines; not empty once normalised.
        kind: Where the reference comes from.
        ignore_case: Whether a capital read as a small letter is no error.

    Raises:
        ValueError: When the reference holds no text.
    """
    import jiwer

    truth = normalise(reference, ignore_case=ignore_case)
    if not truth:
        raise ValueError("there is no text to compare with")
    texts = [normalise(line.text, ignore_case=ignore_case) for line in lines]
    found = " ".join(texts[index] for index in best_order(texts, truth))
    cer = float(jiwer.cer(truth, found))
    read = [(text, line.confidence) for text, line in zip(texts, lines, strict=True) if text]
    wanted, words = Counter(_words(truth)), Counter(_words(found))
    parts = (normalise(part, ignore_case=ignore_case) for part in reference.splitlines())
    return TextScore(
        cer=cer,
        wer=float(jiwer.wer(truth, found)),
        word_recall=(wanted & words).total() / wanted.total() if wanted else float(not cer),
        exact_lines=_exact([part for part in parts if part], found),
        confidence=_confidence(read),
        reference=kind,
    )


def best_order(lines: Sequence[str], reference: str) -> list[int]:
    """The order in which lines make the fewest errors: as they come, or each where it fits.

    Args:
        lines: Normalised, in reading order.
        reference: Normalised.

    Returns:
        Indices of the lines that hold text.
    """
    import jiwer

    some = [index for index, line in enumerate(lines) if line]
    if len(some) < 2:  # also, to place one very long line takes minutes
        return some
    moved = [some[n] for n in in_reference_order([lines[index] for index in some], reference)]
    return min(
        (some, moved),
        key=lambda order: float(jiwer.cer(reference, " ".join(lines[index] for index in order))),
    )


def in_reference_order(lines: Sequence[str], reference: str) -> list[int]:
    """Sorts lines by the place at which they fit the reference best.

    Lines with the most matching characters choose first, and no part of the reference is taken
    twice, so equal lines end up at different places.

    Args:
        lines: Normalised, in reading order, which decides where two places are equal.
        reference: Normalised.

    Returns:
        Indices of all lines.
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
    return [index for _, index in sorted(placed)]


def _place(line: str, free: str) -> "ScoreAlignment":
    """Where a line fits best, as whole words where it can; similarity 0 to 100."""
    from rapidfuzz.distance import ScoreAlignment
    from rapidfuzz.fuzz import partial_ratio_alignment

    found = partial_ratio_alignment(f" {line} ", free)
    return found or ScoreAlignment(0.0, 0, len(line), 0, 0)


def _visible(sign: str) -> bool:
    return unicodedata.category(sign) not in _UNSEEN


def _words(text: str) -> list[str]:
    """Runs of letters, digits and the marks that scripts such as Odia put on letters."""
    return "".join(sign if _in_word(sign) else " " for sign in text).split()


def _in_word(sign: str) -> bool:
    return sign == "_" or unicodedata.category(sign)[0] in "LNM"


def _exact(wanted: Sequence[str], found: str) -> float:
    """Share of lines that stand in a text as whole words, each at a place of its own.

    Longer lines choose first, so that a short one does not take the middle of a long one.
    """
    free, exact = f" {found} ", 0
    for line in sorted(wanted, key=len, reverse=True):
        at = free.find(f" {line} ")
        if at >= 0:
            free = f"{free[: at + 1]}{_TAKEN}{free[at + 1 + len(line) :]}"
            exact += 1
    return exact / len(wanted)


def _confidence(read: Sequence[tuple[str, float]]) -> float:
    characters = sum(len(text) for text, _ in read)
    return sum(len(text) * value for text, value in read) / characters if characters else 0.0

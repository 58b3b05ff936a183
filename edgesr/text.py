"""Numbers and foreign text as people read them, on the page, in tables and in sentences."""

import math
import unicodedata

NONE = "–"
"""What stands where there is no number."""


def clean(text: str) -> str:
    """Foreign text on one line: no control, bidi-override or surrogate characters."""
    if text.isprintable():  # most texts are, and a page has a million
        return text
    spaced = (" " if c in "\t\r\n" else c for c in text)
    return "".join(
        c if unicodedata.category(c) not in _UNSEEN else "\N{REPLACEMENT CHARACTER}" for c in spaced
    )


_UNSEEN = {"Cc", "Cf", "Cs"}


def short(text: str, limit: int) -> str:
    """At most ``limit`` characters, cut in the middle: names tell apart at both ends."""
    text = clean(text)
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[-(limit - 1 - head) :]}"


def figures(value: float, digits: int = 3) -> str:
    """A plain decimal with so many significant digits: 0.123, 12.3, 1234; never 1e+03."""
    if not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(max(decimals, 0), 6)}f}"


def fixed(value: float, decimals: int, *, sign: bool = False) -> str:
    """So many decimals, or the dash when there is no number."""
    if not math.isfinite(value):
        return NONE
    text = f"{value:{'+' if sign else ''}.{decimals}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def join_known(*parts: str) -> str:
    """The parts that are not empty, side by side."""
    return " · ".join(part for part in parts if part)


def count(value: float) -> str:
    """A whole number, or the dash."""
    return f"{value:.0f}" if math.isfinite(value) else NONE


def plural(number: int, noun: str) -> str:
    """``1 round``, ``2 rounds``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"

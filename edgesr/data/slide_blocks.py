"""Blocks that fill an area of a slide: text, formulas, tables, code. Pictures are in slide_plots.

Every block draws from the top of its area and returns what is left below, or raises `DoesNotFit`.
"""

import random
import re
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from edgesr.data.slide_canvas import Box, DoesNotFit, Font, Page
from edgesr.data.slide_content import OUTLINE, Subject, TableSpec
from edgesr.data.slide_themes import Theme

_Card = TypeVar("_Card")

MONO = "DejaVu Sans Mono"
SMALLEST = 12
"""No body text is set smaller, pixels: capitals are then 9 pixels high."""


@dataclass(frozen=True)
class Sheet:
    """A page with everything that decides what comes onto it."""

    page: Page
    rng: random.Random
    theme: Theme
    subject: Subject
    body: float
    """Size of body text, pixels."""
    sentences: list[str]
    """Sentences of the subject not yet on the page, in random order."""
    definitions: list[tuple[str, str]]
    """Definitions of the subject not yet on the page, in random order."""

    def font(
        self,
        size: float | None = None,
        color: str | None = None,
        *,
        weight: str = "normal",
        style: Literal["normal", "italic"] = "normal",
    ) -> Font:
        """The theme's font; body size and ink where nothing else is asked for."""
        theme = self.theme
        return Font(size or self.body, color or theme.ink, theme.family, weight, style, theme.math)


def take(deck: list[_Card], count: int) -> list[_Card]:
    """The next ``count`` cards of a deck, which loses them.

    Raises:
        DoesNotFit: When not so many are left.
    """
    if len(deck) < count:
        raise DoesNotFit("the subject has nothing more to say")
    taken = deck[:count]
    del deck[:count]
    return taken


def fitting(sheet: Sheet, text: str, font: Font, width: float) -> tuple[str, float]:
    """The text and the largest size up to the font's at which it is not wider than ``width``."""
    needed = sheet.page.measure(text, font)
    return text, font.size if needed <= width else int(font.size * width / needed)


def wrap(sheet: Sheet, text: str, font: Font, width: float) -> list[str]:
    """The text in lines not wider than ``width`` pixels.

    Raises:
        DoesNotFit: When a single word is wider.
    """
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and sheet.page.measure(longer, font) <= width:
            lines[-1] = longer
        else:
            if sheet.page.measure(word, font) > width:
                raise DoesNotFit(f"the word {word!r} is wider than its column")
            lines.append(word)
    return lines


def write_lines(sheet: Sheet, area: Box, lines: list[str], font: Font) -> Box:
    """Writes lines from the top of an area; returns the rest of the area.

    Raises:
        DoesNotFit: When the lines are higher than the area.
    """
    top = area.top
    for line in lines:
        if top + 1.35 * font.size > area.bottom:
            raise DoesNotFit(f"no room for {line!r}")
        sheet.page.text((area.left, top + font.size), line, font)
        top += 1.38 * font.size
    return replace(area, top=top)


def draw_bullets(sheet: Sheet, area: Box) -> Box:
    """Sentences with bullets, some with a smaller point below them, as many as fit."""
    rng, font = sheet.rng, sheet.font()
    square = rng.random() < 0.4
    spacing = rng.uniform(0.35, 0.9) * sheet.body
    for count, sentence in enumerate(take(sheet.sentences, rng.randint(3, 9))):
        rest = _bullet(sheet, area, sentence, font, square=square)
        if rest is None:
            if count < 2:
                raise DoesNotFit("no room for two points")
            return area
        area = replace(rest, top=rest.top + spacing)
        if sheet.definitions and count % 3 == 1 and rng.random() < 0.5:
            small = sheet.font(max(SMALLEST, 0.85 * sheet.body))
            top = area.top - 0.4 * spacing
            indented = replace(area, left=area.left + 1.3 * sheet.body, top=top)
            term, meaning = take(sheet.definitions, 1)[0]
            below = _bullet(sheet, indented, f"{term}: {meaning}", small, square=not square)
            if below:
                area = replace(area, top=below.top + spacing)
    return area


def draw_outline(sheet: Sheet, area: Box) -> Box:
    """A numbered list of short items."""
    font = sheet.font(min(30, 1.15 * sheet.body))
    items = sorted(sheet.rng.sample(OUTLINE, sheet.rng.randint(4, 8)), key=OUTLINE.index)
    for number, item in enumerate(items, 1):
        area = write_lines(sheet, area, [f"{number}. {item}"], font)
        area = replace(area, top=area.top + 0.4 * font.size)
    return area


def draw_definitions(sheet: Sheet, area: Box) -> Box:
    """Terms in bold with their meaning below, as many as fit, in panels now and then."""
    rng, theme = sheet.rng, sheet.theme
    panels = rng.random() < 0.6
    font = sheet.font()
    bold = sheet.font(color=theme.ink, weight="bold")
    chosen = take(sheet.definitions, rng.randint(2, 4))
    for count, (term, meaning) in enumerate(chosen):
        inner = Box(area.left + 16, area.top + 12, area.right - 16, area.bottom - 12)
        lines = wrap(sheet, f"{meaning[0].upper()}{meaning[1:]}.", font, inner.width)
        height = 24 + 1.38 * font.size * (len(lines) + 1)
        if area.top + height > area.bottom:
            if count == 0:
                raise DoesNotFit("no room for one definition")
            return area
        if panels:
            box = Box(area.left, area.top, area.right, area.top + height)
            sheet.page.rectangle(box, theme.panel)
            sheet.page.rectangle(replace(box, right=area.left + 5), theme.accent)
        rest = write_lines(sheet, inner, [term], bold)
        write_lines(sheet, rest, lines, font)
        area = replace(area, top=area.top + height + 0.7 * font.size)
    return area


def draw_paragraphs(sheet: Sheet, area: Box) -> Box:
    """Running text in two or three paragraphs."""
    rng, font = sheet.rng, sheet.font()
    for count in range(rng.randint(2, 3)):
        text = " ".join(take(sheet.sentences, rng.randint(2, 4)))
        lines = wrap(sheet, text, font, area.width)
        if area.top + 1.38 * font.size * len(lines) > area.bottom:
            if count == 0:
                raise DoesNotFit("no room for one paragraph")
            return area
        area = write_lines(sheet, area, lines, font)
        area = replace(area, top=area.top + 0.8 * font.size)
    return area


def draw_formulas(sheet: Sheet, area: Box) -> Box:
    """One to three formulas, each with a sentence that explains it, as many as fit."""
    rng, page = sheet.rng, sheet.page
    panels = rng.random() < 0.5
    big = sheet.font(sheet.body * rng.uniform(1.3, 1.8))
    font = sheet.font()
    formulas = rng.sample(sheet.subject.formulas, min(3, len(sheet.subject.formulas)))
    for count, formula in enumerate(formulas):
        width, height, below = page.measure_formula(formula.tex, big)
        if width > area.width - 20:
            raise DoesNotFit(f"{formula.reading!r} is wider than its column")
        lines = wrap(sheet, formula.note, font, area.width)
        needed = height + 44 + 1.38 * font.size * len(lines)
        if area.top + needed > area.bottom:
            if count == 0:
                raise DoesNotFit("no room for one formula")
            return area
        if panels:
            box = Box(area.left, area.top, area.right, area.top + height + 28)
            page.rectangle(box, sheet.theme.panel, radius=8)
        middle = (area.left + area.right) / 2
        page.formula((middle, area.top + 14 + height - below), formula.tex, formula.reading, big)
        rest = write_lines(sheet, replace(area, top=area.top + height + 40), lines, font)
        area = replace(area, top=rest.top + 1.1 * font.size)
    return area


def draw_table(sheet: Sheet, area: Box) -> Box:
    """A table with random numbers and a caption, as many rows as fit."""
    rng = sheet.rng
    spec = rng.choice(sheet.subject.tables)
    size = max(SMALLEST, min(sheet.body, 26))
    names = rng.sample(spec.rows, rng.randint(3, len(spec.rows)))
    step = size * rng.uniform(1.6, 2.0)
    fit = int((area.height - 2.2 * size) / step) - 1
    if fit < 2:
        raise DoesNotFit("no room for two rows")
    rows = [spec.head, *(_numbers(rng, spec, name) for name in names[:fit])]
    font = sheet.font(size)
    bold = sheet.font(size, weight="bold")
    widths = [
        max(sheet.page.measure(cell, bold) for cell in column) for column in zip(*rows, strict=True)
    ]
    spare = (area.width - sum(widths)) / len(widths)
    if spare < 14:
        raise DoesNotFit("the table is wider than its area")
    pitch = min(spare, 90.0)
    right = area.left + sum(widths) + pitch * len(widths)
    _table_lines(sheet, Box(area.left, area.top, right, area.top + step * len(rows)), len(rows))
    for row, cells in enumerate(rows):
        left = area.left
        baseline = area.top + step * (row + 0.5) + 0.36 * size
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            use = bold if row == 0 else font
            if column == 0:
                sheet.page.text((left + pitch / 2, baseline), cell, use)
            else:
                sheet.page.text((left + width + pitch / 2, baseline), cell, use, align="right")
            left += width + pitch
    caption = replace(area, top=area.top + step * len(rows) + 0.5 * size)
    small = sheet.font(max(SMALLEST, 0.85 * size), sheet.theme.muted, style="italic")
    rest = write_lines(sheet, caption, wrap(sheet, spec.caption, small, area.width), small)
    return replace(rest, top=rest.top + size)


def draw_code(sheet: Sheet, area: Box) -> Box:
    """Source text in a fixed-width font with coloured words, numbered now and then."""
    rng, theme, page = sheet.rng, sheet.theme, sheet.page
    lines = rng.choice(sheet.subject.code).splitlines()
    numbered = rng.random() < 0.4
    columns = max(len(line) for line in lines) + 2
    size = min(
        sheet.body,
        (area.width - 80) / (0.61 * columns),
        (area.height - 40) / (1.42 * len(lines)),
    )
    if size < SMALLEST:
        raise DoesNotFit("the code is larger than its area")
    size = int(size)
    height = 1.42 * size * len(lines) + 36
    page.rectangle(Box(area.left, area.top, area.right, area.top + height), theme.panel,
                   edge=theme.muted, radius=6)  # fmt: skip
    font = Font(size, theme.ink, MONO)
    gutter = 58 if numbered else 22
    for number, line in enumerate(lines):
        baseline = area.top + 18 + 1.42 * size * number + 1.02 * size
        if numbered:
            muted = replace(font, color=theme.muted)
            page.text((area.left + 40, baseline), str(number + 1), muted, align="right")
        page.code((area.left + gutter, baseline), _colored(line, theme), font)
    return replace(area, top=area.top + height + sheet.body)


_TOKEN = re.compile(
    r"(?P<string>\"[^\"]*\")|(?P<word>\b(?:def|class|for|in|if|else|while|return|import|from|int|"
    r"continue|break|None|self|print|SELECT|FROM|WHERE|BETWEEN|AND|ORDER|GROUP|BY|DESC|SUM|AS|"
    r"HAVING|COUNT|TRUE)\b)"
)


def _colored(line: str, theme: Theme) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    done = 0
    for match in _TOKEN.finditer(line):
        parts.append((line[done : match.start()], theme.ink))
        color = theme.third if match.lastgroup == "string" else theme.second
        parts.append((match.group(), color))
        done = match.end()
    return [*parts, (line[done:], theme.ink)]


def _bullet(sheet: Sheet, area: Box, text: str, font: Font, *, square: bool) -> Box | None:
    """Writes one point; None, and nothing drawn, when there is no room for it."""
    indent = 1.1 * font.size
    lines = wrap(sheet, text, font, area.width - indent)
    if area.top + 1.38 * font.size * len(lines) > area.bottom:
        return None
    x, y = area.left + 0.4 * font.size, area.top + 0.66 * font.size
    radius = 0.17 * font.size
    if square:
        mark = Box(x - radius, y - radius, x + radius, y + radius)
        sheet.page.rectangle(mark, sheet.theme.accent)
    else:
        sheet.page.dot(x, y, radius, sheet.theme.accent)
    rest = write_lines(sheet, replace(area, left=area.left + indent), lines, font)
    return replace(area, top=rest.top)


def _numbers(rng: random.Random, spec: TableSpec, name: str) -> tuple[str, ...]:
    numbers = (f"{rng.uniform(low, high):.{decimals}f}" for low, high, decimals in spec.ranges)
    return (name, *numbers)


def _table_lines(sheet: Sheet, box: Box, rows: int) -> None:
    """The rules and shades of a table; nothing where the style has none."""
    theme, page = sheet.theme, sheet.page
    step = box.height / rows
    style = sheet.rng.choice(("booktabs", "zebra", "grid"))
    if style == "zebra":
        for row in range(0, rows, 2):
            top = box.top + step * row
            page.rectangle(Box(box.left, top, box.right, top + step), theme.panel)
    if style == "grid":
        for row in range(rows + 1):
            y = box.top + step * row
            page.line([(box.left, y), (box.right, y)], theme.muted, width=1)
        for x in (box.left, box.right):
            page.line([(x, box.top), (x, box.bottom)], theme.muted, width=1)
    else:
        for y in (box.top, box.top + step, box.bottom):
            page.line([(box.left, y), (box.right, y)], theme.ink, width=1.5)

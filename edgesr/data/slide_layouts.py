"""Whole slides: header, footer, and the areas between them filled with blocks."""

from collections.abc import Callable
from dataclasses import replace

from edgesr.data.slide_blocks import (
    Sheet,
    draw_bullets,
    draw_code,
    draw_definitions,
    draw_formulas,
    draw_outline,
    draw_paragraphs,
    draw_table,
    fitting,
    take,
    wrap,
    write_lines,
)
from edgesr.data.slide_canvas import HEIGHT, WIDTH, Align, Box
from edgesr.data.slide_content import INSTITUTES, LECTURERS, REMARKS, TERMS_OF_YEAR
from edgesr.data.slide_plots import draw_bars, draw_diagram, draw_plot

Layout = Callable[[Sheet], None]
Block = Callable[[Sheet, Box], Box]

_TEXT_BLOCKS: tuple[Block, ...] = (draw_bullets, draw_bullets, draw_definitions, draw_paragraphs)
_PICTURES: tuple[Block, ...] = (draw_plot, draw_bars, draw_diagram, draw_table, draw_formulas)
_WIDE: tuple[Block, ...] = (draw_table, draw_code, draw_plot, draw_diagram, draw_formulas)


def title_slide(sheet: Sheet) -> None:
    """The first slide of a lecture: title, course, lecturer, institute, term."""
    rng, theme, page = sheet.rng, sheet.theme, sheet.page
    left = rng.random() < 0.5
    align: Align = "left" if left else "center"
    x = 110 if left else WIDTH / 2
    title = fitting(sheet, rng.choice(sheet.subject.titles), sheet.font(58, weight="bold"), 1060)
    color = theme.ink if theme.header == "bar" else theme.title
    y = rng.uniform(230, 300)
    page.text((x, y), title[0], sheet.font(title[1], color, weight="bold"), align=align)
    page.rectangle(Box(110, y + 34, 110 + (320 if left else 1060), y + 38), theme.accent)
    number = rng.randint(1, 28)
    page.text((x, y + 92), f"{sheet.subject.course}, lecture {number}", sheet.font(30), align=align)
    page.text((x, y + 170), rng.choice(LECTURERS), sheet.font(26), align=align)
    page.text((x, y + 208), rng.choice(INSTITUTES), sheet.font(20, theme.muted), align=align)
    term = f"{rng.choice(TERMS_OF_YEAR)} {rng.randint(2015, 2026)}"
    page.text((x, y + 244), term, sheet.font(18, theme.muted), align=align)


def one_block(sheet: Sheet) -> None:
    """A title and one block over the whole width, with a remark below it now and then."""
    area = _frame(sheet)
    block = sheet.rng.choice((*_TEXT_BLOCKS, *_WIDE, draw_outline))
    if block in _WIDE and sheet.rng.random() < 0.6:
        font = sheet.font(min(sheet.body, 24), style="italic")
        remark = sheet.rng.choice((sheet.rng.choice(REMARKS), *take(sheet.sentences, 1)))
        sheet.page.text((area.left, area.bottom - 6), remark, font)
        area = replace(area, bottom=area.bottom - 2.2 * font.size)
    _stack(sheet, area, block)


def two_columns(sheet: Sheet) -> None:
    """A title, text on one side and a picture, table or formulas on the other."""
    area = _frame(sheet)
    split = area.left + area.width * sheet.rng.uniform(0.42, 0.56)
    first = Box(area.left, area.top, split - 24, area.bottom)
    second = Box(split + 24, area.top, area.right, area.bottom)
    blocks: list[Block] = [sheet.rng.choice(_TEXT_BLOCKS), sheet.rng.choice(_PICTURES)]
    if sheet.rng.random() < 0.3:
        blocks.reverse()
    for block, box in zip(blocks, (first, second), strict=True):
        _stack(sheet, box, block)


def text_over_block(sheet: Sheet) -> None:
    """A title, a sentence or two, and a block below."""
    area = _frame(sheet)
    font = sheet.font()
    sentences = take(sheet.sentences, sheet.rng.randint(1, 2))
    area = write_lines(sheet, area, wrap(sheet, " ".join(sentences), font, area.width), font)
    block = sheet.rng.choice(_WIDE)
    _stack(sheet, replace(area, top=area.top + 0.8 * font.size), block)


LAYOUTS: tuple[Layout, ...] = (
    title_slide,
    *(one_block,) * 5,
    *(two_columns,) * 6,
    *(text_over_block,) * 3,
)
"""Every layout as often as it should be drawn."""


def _stack(sheet: Sheet, area: Box, first: Block) -> None:
    """Draws a block, and more blocks of text below while much of the area is empty."""
    enough = sheet.rng.uniform(0.3, 0.6) * area.height
    rest = first(sheet, area)
    while rest.height > max(enough, 8 * sheet.body):
        block = sheet.rng.choice(_TEXT_BLOCKS)
        rest = block(sheet, replace(rest, top=rest.top + 0.6 * sheet.body))


def _frame(sheet: Sheet) -> Box:
    """Draws title and footer; returns what is left between them."""
    theme, page = sheet.theme, sheet.page
    left, right = 64.0, WIDTH - 64.0
    largest = sheet.font(sheet.rng.choice((32, 36, 40)), weight="bold")
    text, size = fitting(sheet, sheet.rng.choice(sheet.subject.titles), largest, right - left)
    font = sheet.font(size, theme.title, weight="bold")
    if theme.header == "bar":
        page.rectangle(Box(0, 0, WIDTH, 84), theme.accent)
        page.text((left, 42 + 0.36 * size), text, font)
    elif theme.header == "stripe":
        page.rectangle(Box(0, 0, 18, HEIGHT), theme.accent)
        page.text((left, 62 + 0.3 * size), text, font)
    else:
        page.text((left, 58 + 0.3 * size), text, font)
        if theme.header == "line":
            page.rectangle(Box(left, 92, right, 95), theme.accent)
    return Box(left, 116, right, _footer(sheet, left, right))


def _footer(sheet: Sheet, left: float, right: float) -> float:
    """Draws the footer if there is one; returns where the area above it ends."""
    rng, theme, page = sheet.rng, sheet.theme, sheet.page
    kind = rng.choice(("none", "number", "course", "full"))
    if kind == "none":
        return HEIGHT - 40.0
    font = sheet.font(rng.choice((12, 14, 16)), theme.muted)
    baseline = HEIGHT - 20.0
    last = rng.randint(20, 64)
    number = rng.randint(2, last)
    page.text((right, baseline), f"{number} / {last}" if kind == "full" else str(number), font,
              align="right")  # fmt: skip
    if kind in ("course", "full"):
        page.text((left, baseline), sheet.subject.course, font)
    if kind == "full":
        page.text((WIDTH / 2 + 60, baseline), rng.choice(LECTURERS), font, align="center")
    return HEIGHT - 58.0

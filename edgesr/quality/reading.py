"""Lines of text as an OCR engine finds them, and the order in which a person reads them."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_CELL_CHARACTERS = 16
"""What stands side by side and is shorter than this is a table or a plot, read row by row."""


@dataclass(frozen=True)
class Line:
    """One piece of text that the engine saw as a line."""

    text: str
    """As the engine gives it."""
    confidence: float
    """The engine's own, 0 to 1."""
    box: tuple[float, float, float, float]
    """(left, top, right, bottom), pixels, y downwards."""

    @property
    def middle(self) -> float:
        """Of the middle, pixels from the top."""
        return (self.box[1] + self.box[3]) / 2

    @property
    def height(self) -> float:
        """Pixels."""
        return self.box[3] - self.box[1]


Row = list[Line]


def reading_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Puts lines into the order in which a person reads them.

    Rows run from top to bottom, what stands in one row from left to right. Neighbouring rows that
    leave an empty strip from top to bottom between longer texts are columns, read one after the
    other; short texts side by side are a table or a plot and stay rows. In the spirit of the
    recursive XY cut (Nagy and Seth, 1984), with bands of rows instead of horizontal cuts, since
    a slide's rows have gaps everywhere.

    Args:
        lines: In any order.

    Returns:
        The same lines.
    """
    ordered: list[Line] = []
    for band, gutter in _bands(_rows(lines)):
        flat = [line for row in band for line in row]
        if gutter is None or not _is_columns(band, gutter):
            ordered += flat
            continue
        ordered += reading_order(line for line in flat if line.box[0] < gutter)
        ordered += reading_order(line for line in flat if line.box[0] >= gutter)
    return tuple(ordered)


def _rows(lines: Iterable[Line]) -> list[Row]:
    """Groups lines whose middles lie within half the height of the row's lowest line."""
    rows: list[Row] = []
    for line in sorted(lines, key=lambda line: (line.middle, line.box[0])):
        last = rows[-1] if rows else []
        if last and line.middle - last[0].middle < 0.5 * min(one.height for one in last):
            last.append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.box[0]) for row in rows]


def _bands(rows: Sequence[Row]) -> list[tuple[list[Row], float | None]]:
    """Cuts rows into runs that share a gutter, each as long as can be; (rows, x of the gutter)."""
    bands: list[tuple[list[Row], float | None]] = []
    for row in rows:
        if bands:
            band, _ = bands[-1]
            gutter = _gutter([*band, row])
            split = any(_gutter([one]) is not None for one in (row, *band))
            if gutter is not None or not split:
                bands[-1] = ([*band, row], gutter)
                continue
        bands.append(([row], _gutter([row])))
    return bands


def _gutter(rows: Sequence[Row]) -> float | None:
    """Right end of the widest empty strip that is wider than a line is high; None without one."""
    spans = sorted((line.box[0], line.box[2]) for row in rows for line in row)
    least = statistics.median(line.height for row in rows for line in row)
    widest, at, reach = least, None, spans[0][1]
    for left, right in spans[1:]:
        if left - reach > widest:
            widest, at = left - reach, left
        reach = max(reach, right)
    return at


def _is_columns(band: Sequence[Row], gutter: float) -> bool:
    """Whether both sides of a gutter hold at least two lines of running text."""
    sides: tuple[list[int], list[int]] = ([], [])
    for row in band:
        for line in row:
            sides[line.box[0] >= gutter].append(len(line.text))
    return all(len(side) > 1 and statistics.mean(side) >= _CELL_CHARACTERS for side in sides)

"""The table that says which text each frame of a video shows."""

import bisect
import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgesr.errors import InputError
from edgesr.files import read_errors, write_text

_COLUMNS = ("frame", "time_s", "slide", "transition", "covered", "stable", "text")
_NEEDED = ("time_s", "slide", "stable", "text")


@dataclass(frozen=True)
class FrameText:
    """What is known about the text of one frame."""

    frame: int
    """Its number, from 0."""
    time_s: float
    slide: int
    text: str
    transition: bool = False
    """Whether its slide is still coming in."""
    covered: bool = False
    """Whether something lies on the text."""

    @property
    def stable(self) -> bool:
        """Whether the text, all of it and no other, can be seen."""
        return not self.transition and not self.covered


@dataclass(frozen=True)
class KnownText:
    """One row as it is read back: when, on which slide, what, and whether all of it is visible."""

    time_s: float
    slide: str
    text: str
    stable: bool


class TextTrack:
    """Known text by time.

    Args:
        rows: In any order; at least one.
    """

    def __init__(self, rows: Sequence[KnownText]) -> None:
        self.rows = tuple(sorted(rows, key=lambda row: row.time_s))
        self._times = [row.time_s for row in self.rows]

    def at(self, time_s: float, within_s: float) -> KnownText | None:
        """The row nearest to a time, None when none lies within ``within_s``."""
        place = bisect.bisect_left(self._times, time_s)
        near = self.rows[max(0, place - 1) : place + 1]
        best = min(near, key=lambda row: abs(row.time_s - time_s), default=None)
        return best if best and abs(best.time_s - time_s) <= within_s else None


def write_frame_texts(path: Path, rows: Sequence[FrameText]) -> None:
    """Writes one row per frame as CSV; flags are 0 or 1.

    Raises:
        StoreError: When the file can't be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        flags = (int(row.transition), int(row.covered), int(row.stable))
        writer.writerow((row.frame, f"{row.time_s:.6f}", row.slide, *flags, row.text))
    write_text(path, text.getvalue())


def read_text_track(path: Path) -> TextTrack:
    """Reads such a table; columns other than time_s, slide, stable and text may be missing.

    Raises:
        InputError: When the file is missing, lacks a column, or a row does not hold.
    """
    with read_errors(path), path.open(encoding="utf-8-sig", newline="") as file:
        try:
            table = csv.DictReader(file, strict=True)
            missing = [name for name in _NEEDED if name not in (table.fieldnames or ())]
            if missing:
                raise InputError(
                    f"{path} has no column {missing[0]}",
                    hint=f"its first line has to name {', '.join(_NEEDED)}",
                )
            rows = [_row(path, table.line_num, row) for row in table]
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(
                f"{path} is no CSV file in UTF-8: {error}", hint="write it again"
            ) from error
    if not rows:
        raise InputError(f"{path} holds no row", hint="give one row per frame, or per slide")
    return TextTrack(rows)


def _row(path: Path, line: int, row: dict[str, str]) -> KnownText:
    try:
        time_s, stable = float(row["time_s"]), {"0": False, "1": True}[row["stable"].strip()]
    except (ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path}, line {line}: time_s has to be a number, and stable 0 or 1",
            hint="correct or remove the row",
        ) from error
    if not math.isfinite(time_s) or row["text"] is None:
        raise InputError(
            f"{path}, line {line}: a value is missing or no number", hint="correct the row"
        )
    return KnownText(time_s, row["slide"], row["text"], stable)

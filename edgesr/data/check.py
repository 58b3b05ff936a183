"""Finding everything that is wrong with a pairs.csv and its images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgesr.data.images import read_image
from edgesr.data.pairs import Row, read_rows
from edgesr.errors import ImageError

Size = tuple[int, int]
"""(height, width) in pixels."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where."""

    line: int
    """Line of the pairs.csv."""
    file: str
    """The image as the pairs.csv names it; for a pair of sizes the large one."""
    what: str
    """What is wrong with it."""


@dataclass(frozen=True)
class PairsCheck:
    """What `check_pairs` found."""

    rows: int
    """Rows looked at."""
    scale: int | None
    """The scale of the first good row; None when there is none."""
    problems: tuple[Problem, ...]
    """In the order of the rows; empty when all is well."""


def check_pairs(path: Path, progress: Callable[[str, int, int], None] | None = None) -> PairsCheck:
    """Reads every image that a pairs.csv names and collects all problems.

    Problems are: an empty path, a missing or unreadable image, a large image that is not exactly
    an integer factor (2 or more, the same on both axes) larger than the small one, and a factor
    other than the first good row's.

    Args:
        path: The csv file.
        progress: Told about every row.

    Raises:
        PairsError: When the csv itself can't be read, lacks a column or has no row.
    """
    path = Path(path)
    rows = read_rows(path)
    problems: list[Problem] = []
    scale: int | None = None
    for done, row in enumerate(rows):
        if progress:
            progress("checking pairs", done, len(rows))
        sizes = [_size(path.parent, row.line, file, problems) for file in (row.lr, row.hr)]
        found = _scale(row, sizes, problems)
        scale = scale or found
        if found and found != scale:
            problems.append(
                Problem(row.line, row.hr, f"scale {found}; the rows before have {scale}")
            )
    return PairsCheck(len(rows), scale, tuple(problems))


def _size(folder: Path, line: int, file: str, problems: list[Problem]) -> Size | None:
    if not file:
        problems.append(Problem(line, file, "the path is empty"))
        return None
    try:
        height, width, _ = read_image(folder / file).shape
    except ImageError as error:
        missing = not (folder / file).exists()
        problems.append(Problem(line, file, "does not exist" if missing else str(error)))
        return None
    return height, width


def _scale(row: Row, sizes: list[Size | None], problems: list[Problem]) -> int | None:
    lr, hr = sizes
    if not lr or not hr:
        return None
    scale = hr[0] // lr[0]
    if scale >= 2 and hr == (scale * lr[0], scale * lr[1]):
        return scale
    what = f"is {hr[1]}x{hr[0]}, not an integer factor (2 or more) of lr's {lr[1]}x{lr[0]}"
    problems.append(Problem(row.line, row.hr, what))
    return None

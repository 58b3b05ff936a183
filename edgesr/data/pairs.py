"""``pairs.csv``: which low-resolution image belongs to which high-resolution one, and its text.

The file has the columns ``lr,hr,text``. Paths are relative to the file, with forward slashes;
``text`` may be empty and may hold line breaks. It is UTF-8.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgesr.errors import PairsError
from edgesr.files import atomic_file

COLUMNS = ("lr", "hr", "text")
PAIRS_FILE = "pairs.csv"
_FORMAT_HINT = "the first line has to be: lr,hr,text (paths relative to the csv)"


@dataclass(frozen=True)
class Pair:
    """One scene in low and in high resolution."""

    name: str
    """Unique in its pairs.csv, fit for a file name."""
    lr: Path
    """The small image."""
    hr: Path
    """The large image, an integer factor larger."""
    text: str = ""
    """What a reader would read in the image; empty when not known."""


@dataclass(frozen=True)
class Row:
    """One row of a pairs.csv as it stands, nothing checked."""

    line: int
    """Line of the file at which the row ends, from 1."""
    lr: str
    """Path of the small image, relative to the csv."""
    hr: str
    """Path of the large image, relative to the csv."""
    text: str
    """May be empty."""


def read_pairs(path: Path) -> list[Pair]:
    """Reads a pairs.csv; every image it names has to exist.

    Args:
        path: The csv file.

    Returns:
        The pairs in the file's order, at least one.

    Raises:
        PairsError: When the file can't be read, lacks a column, has no row, or names a file that
            does not exist.
    """
    path = Path(path)
    rows = read_rows(path)
    for row in rows:
        for column, value in (("lr", row.lr), ("hr", row.hr)):
            if not value:
                raise PairsError(
                    f"{path}, line {row.line}: the column {column} is empty",
                    hint=f"run: edgesr data check {path}",
                )
            if not (path.parent / value).is_file():
                raise PairsError(
                    f"{path}, line {row.line}: {column} file {path.parent / value} does not exist",
                    hint=f"see all problems with: edgesr data check {path}",
                )
    names = unique_names([row.hr for row in rows])
    folder = path.parent
    return [
        Pair(name, folder / row.lr, folder / row.hr, row.text)
        for name, row in zip(names, rows, strict=True)
    ]


def pairs_from(path: Path) -> list[Pair]:
    """Reads the pairs of a csv file or of a folder that holds a ``pairs.csv``.

    Args:
        path: The csv file, or the folder.

    Returns:
        At least one pair.

    Raises:
        PairsError: As `read_pairs`, and for a folder without a ``pairs.csv``.
    """
    path = Path(path)
    if not path.is_dir():
        return read_pairs(path)
    if not (path / PAIRS_FILE).is_file():
        raise PairsError(
            f"{path} holds no {PAIRS_FILE}",
            hint=f"make pairs with: edgesr data pairs {path} OUT --scale 2",
        )
    return read_pairs(path / PAIRS_FILE)


def read_rows(path: Path) -> list[Row]:
    """Reads the rows of a pairs.csv without looking at the images.

    Args:
        path: The csv file.

    Returns:
        The rows in the file's order, at least one.

    Raises:
        PairsError: When the file can't be read, lacks a column or has no row.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(_parse(path, file))
    except FileNotFoundError as error:
        raise PairsError(f"{path} does not exist", hint="check the path") from error
    except OSError as error:
        raise PairsError(
            f"can't read {path}: {error.strerror or error}",
            hint="name a pairs.csv, or the folder that holds it",
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise PairsError(f"{path} is not a UTF-8 csv file: {error}", hint=_FORMAT_HINT) from error
    if not rows:
        raise PairsError(f"{path} has no rows", hint="make pairs with: edgesr data slides OUT")
    return rows


def write_pairs(path: Path, pairs: list[Pair]) -> None:
    """Writes a pairs.csv, atomically.

    Args:
        path: The csv file; the images have to lie below its folder.
        pairs: What to write, in this order.

    Raises:
        StoreError: When the file can't be written.
        ValueError: When an image does not lie below the csv's folder.
    """
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for pair in pairs:
            lr, hr = (image.relative_to(path.parent).as_posix() for image in (pair.lr, pair.hr))
            writer.writerow((lr, hr, pair.text))


def unique_names(paths: list[str]) -> list[str]:
    """Short names for image paths, no two alike even where upper and lower case are not told apart.

    A name is the file's stem; where stems collide, the folders come before it, and where that is
    not enough either, a number after it.

    Args:
        paths: Relative paths with forward slashes.

    Returns:
        As many names, in the same order, without slashes.
    """
    stems = [Path(path).stem for path in paths]
    counts: dict[str, int] = {}
    for stem in stems:
        counts[stem.lower()] = counts.get(stem.lower(), 0) + 1
    taken: set[str] = set()
    names = []
    for path, stem in zip(paths, stems, strict=True):
        parts = [part for part in Path(path).with_suffix("").parts if part not in ("/", "..")]
        base = stem if counts[stem.lower()] == 1 else "-".join(parts)
        name, number = base, 2
        while name.lower() in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(name.lower())
        names.append(name)
    return names


def _parse(path: Path, lines: Iterator[str]) -> Iterator[Row]:
    reader = csv.DictReader(lines, strict=True)
    missing = [column for column in ("lr", "hr") if column not in (reader.fieldnames or ())]
    if missing:
        raise PairsError(
            f"{path} has no column {' and no column '.join(missing)}", hint=_FORMAT_HINT
        )
    for cells in reader:
        lr, hr, text = ((cells.get(column) or "") for column in COLUMNS)
        yield Row(reader.line_num, lr.strip(), hr.strip(), text)

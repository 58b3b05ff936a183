"""``meta:LIST.txt[:ROOT]``: lists of images as BasicSR and Real-ESRGAN keep them.

Each line names an image, in one of the forms that the scripts of the two repositories write and
their data sets read (BasicSR ``data/meta_info`` and ``paired_paths_from_meta_info_file``,
Real-ESRGAN ``scripts/generate_meta_info.py`` and ``generate_meta_info_pairdata.py``)::

    0001_s001.png                       a large image
    0001_s001.png (480,480,3)           with its shape, which is not needed here
    HR/0001.png, LR/0001.png            a large and its small image
    000 100 (720,1280,3)                a folder of so many frames: REDS and Vimeo90K

Paths are relative to the list's own folder, or to ROOT.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from edgesr.data.make_pairs import find_images
from edgesr.data.pairs import unique_names
from edgesr.data.sources.base import Kind, Source, check_first, is_file_like
from edgesr.data.sources.files import Entry, FileSource
from edgesr.errors import InputError
from edgesr.files import read_errors

_PREFIX = "meta:"
_TXT = frozenset({".txt"})
_TAIL = re.compile(r"(?:\s+(?P<count>\d+))?\s+\(\d+(?:,\s*\d+)*\)$")
"""What follows the path: perhaps a number of frames, and a shape."""


@dataclass(frozen=True)
class _Line:
    """One line of a list."""

    where: str
    """List and line number, for messages."""
    hr: str
    lr: str = ""
    count: int | None = None
    """Of frames, where ``hr`` is a folder of them."""


def _matches(text: str) -> bool:
    return text.startswith(_PREFIX) or is_file_like(text, _TXT)


def _open(text: str, scale: int) -> Source:
    path, root = _places(text)
    pairs = [pair for line in _lines(path, root) for pair in _images(line, root)]
    if not pairs:
        raise InputError(f"{path} names no image", hint="write one path a line")
    names = unique_names([hr for hr, _ in pairs])
    entries = tuple(Entry(name, hr, lr) for name, (hr, lr) in zip(names, pairs, strict=True))
    return check_first(FileSource(text, root, entries, scale))


def _places(text: str) -> tuple[Path, Path]:
    """The list, and the folder that its paths are relative to."""
    rest = text.removeprefix(_PREFIX)
    if Path(rest).is_file():
        return Path(rest), Path(rest).parent
    for colon in re.finditer(":", rest):
        path, root = Path(rest[: colon.start()]), Path(rest[colon.end() :])
        if path.is_file():
            if not root.is_dir():
                raise InputError(f"{text}: {root} is no folder", hint="write meta:LIST.txt:ROOT")
            return path, root
    raise InputError(
        f"{text}: there is no such list", hint="write meta:LIST.txt, or meta:LIST.txt:ROOT"
    )


def _lines(path: Path, root: Path) -> list[_Line]:
    with read_errors(path):
        data = path.read_bytes()
    try:
        texts = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text", hint="write one path a line") from error
    return [
        _line(f"{path}, line {number}", text.strip(), root)
        for number, text in enumerate(texts, start=1)
        if text.strip()
    ]


def _line(where: str, text: str, root: Path) -> _Line:
    tail = _TAIL.search(text)
    if tail:
        count = int(tail["count"]) if tail["count"] else None
        return _Line(where, text[: tail.start()], count=count)
    if "," not in text or (root / text).is_file():
        return _Line(where, text)
    paths = [part.strip() for part in text.split(",")]
    if len(paths) != 2 or not all(paths):
        raise InputError(
            f"{where} names {len(paths)} images", hint="write LARGE or LARGE, SMALL on a line"
        )
    return _Line(where, paths[0], paths[1])


def _images(line: _Line, root: Path) -> list[tuple[str, str]]:
    """(large, small or empty) of a line; a folder gives all its images."""
    if (root / line.hr).is_dir() and not line.lr:
        found = find_images(root / line.hr)
        if line.count not in (None, len(found)):
            raise InputError(
                f"{line.where}: {root / line.hr} holds {len(found)} images, not {line.count}",
                hint="get the missing ones, or repair the list",
            )
        return [(image.relative_to(root).as_posix(), "") for image in found]
    for path in filter(None, (line.hr, line.lr)):
        if not (root / path).is_file():
            raise InputError(
                f"{line.where}: {root / path} does not exist",
                hint="name the folder that paths start from: meta:LIST.txt:ROOT",
            )
    return [(line.hr, line.lr)]


KIND = Kind("meta:LIST.txt[:ROOT]", _matches, _open)

"""A ``pairs.csv``, or a folder that holds one: small and large images with their texts."""

import os
from pathlib import Path

from edgesr.data.pairs import PAIRS_FILE, pairs_from
from edgesr.data.sources.base import Kind, Source, check_first, is_file_like
from edgesr.data.sources.files import Entry, FileSource


def _matches(text: str) -> bool:
    return is_file_like(text, frozenset({".csv"})) or (Path(text) / PAIRS_FILE).is_file()


def _open(text: str, scale: int) -> Source:
    path = Path(text)
    root = path if path.is_dir() else path.parent
    entries = tuple(
        Entry(pair.name, os.path.relpath(pair.hr, root), os.path.relpath(pair.lr, root), pair.text)
        for pair in pairs_from(path)
    )
    return check_first(FileSource(text, root, entries, scale))


KIND = Kind("pairs.csv or its folder", _matches, _open)

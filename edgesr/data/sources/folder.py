"""A folder of large images with its subfolders."""

from pathlib import Path

from edgesr.data.make_pairs import find_images
from edgesr.data.pairs import unique_names
from edgesr.data.sources.base import Kind, Source
from edgesr.data.sources.files import Entry, FileSource


def _open(text: str, scale: int) -> Source:
    root = Path(text)
    files = [image.relative_to(root).as_posix() for image in find_images(root)]
    entries = tuple(map(Entry, unique_names(files), files))
    return FileSource(text, root, entries, scale)


KIND = Kind("a folder of images", lambda text: Path(text).is_dir(), _open)

"""A source of image files: what folders, pairs.csv and meta_info lists come down to."""

from dataclasses import dataclass
from pathlib import Path

from edgesr.data.images import read_image
from edgesr.data.sources.base import Scene, check_scale, digest_of
from edgesr.files import read_errors


@dataclass(frozen=True)
class Entry:
    """One image of a `FileSource`; paths are relative to its root, or absolute."""

    name: str
    """Unique in the source."""
    hr: str
    lr: str = ""
    """Empty where there is none."""
    text: str = ""


@dataclass(frozen=True)
class FileSource:
    """Image files by index."""

    name: str
    """As written in the config."""
    root: Path
    """The folder that paths are relative to."""
    entries: tuple[Entry, ...]
    scale: int
    """What large over small images have to be."""

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Scene:
        """As `Source`."""
        entry = self.entries[index]
        hr = read_image(self.root / entry.hr)
        if not entry.lr:
            return Scene(entry.name, hr, text=entry.text)
        lr = read_image(self.root / entry.lr)
        check_scale(self.label(index), lr, hr, self.scale)
        return Scene(entry.name, hr, lr, entry.text)

    def label(self, index: int) -> str:
        """Path of the large image."""
        return str(self.root / self.entries[index].hr)

    def digest(self) -> str:
        """Over relative path and size of every file, and the texts."""
        return digest_of(
            "files",
            [
                (entry.hr, self._size(entry.hr), entry.lr, self._size(entry.lr), entry.text)
                for entry in self.entries
            ],
        )

    def _size(self, file: str) -> int:
        if not file:
            return 0
        with read_errors(self.root / file):
            return (self.root / file).stat().st_size

"""Several sources as one, and a curated part of one."""

import bisect
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from edgesr.data.sources.base import Scene, Source, digest_of


@dataclass(frozen=True)
class Joined:
    """Sources one after another. Scene names are those of the parts."""

    parts: tuple[Source, ...]

    @property
    def name(self) -> str:
        """Names of all parts."""
        return ", ".join(part.name for part in self.parts)

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Scene:
        """As `Source`."""
        part, place = self._place(index)
        return part[place]

    def label(self, index: int) -> str:
        """That of the part."""
        part, place = self._place(index)
        return part.label(place)

    def digest(self) -> str:
        """Over the parts' digests in their order."""
        return digest_of("joined", [part.digest() for part in self.parts])

    @cached_property
    def _ends(self) -> list[int]:
        return list(itertools.accumulate(len(part) for part in self.parts))

    def _place(self, index: int) -> tuple[Source, int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = bisect.bisect_right(self._ends, index)
        return self.parts[number], index - (self._ends[number - 1] if number else 0)


@dataclass(frozen=True)
class Subset:
    """Some images of a source."""

    source: Source
    indices: tuple[int, ...]
    """In the source."""

    @property
    def name(self) -> str:
        """How many of what."""
        return f"{len(self)} of {self.source.name}"

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Scene:
        """As `Source`."""
        return self.source[self.indices[index]]

    def label(self, index: int) -> str:
        """That of the source."""
        return self.source.label(self.indices[index])

    def digest(self) -> str:
        """Over the source's digest and which images are taken."""
        return digest_of("subset", self.source.digest(), self.indices)


def curated(source: Source, limit: int, seed: int) -> Source:
    """``limit`` images of a source, drawn without replacement and kept in the source's order.

    Taken are the images whose sha256 of ``SEED:INDEX`` is smallest. So the choice is the same on
    every machine and with every version of numpy, and a smaller subset lies within a larger one of
    the same seed.

    Args:
        source: Where from.
        limit: How many; 0, or as many as there are, gives the source itself.
        seed: Decides which.
    """
    count = len(source)
    if not 0 < limit < count:
        return source
    drawn = sorted(range(count), key=lambda i: hashlib.sha256(f"{seed}:{i}".encode()).digest())
    return Subset(source, tuple(sorted(drawn[:limit])))


def joined(sources: Sequence[Source]) -> Source:
    """One source after another; a single one stays itself."""
    return sources[0] if len(sources) == 1 else Joined(tuple(sources))

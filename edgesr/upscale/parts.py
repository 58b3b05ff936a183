"""What is finished of a video, kept beside the result until all of it is there.

The folder ``.<name>.edgesr-part`` holds a journal that says what the segments were made from and
how, and per segment its packets in one file and their times in another. The second one is written
last, so a segment that has it is whole. Times are kept as they are, which no container promises.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgesr.errors import UsageError
from edgesr.files import store_errors, write_text

_JOURNAL, _LOCK = "journal.json", "lock"


@dataclass(frozen=True)
class Entry:
    """One packet of a segment, in the order of decoding."""

    pts: int
    """In the units of the encoding's time base."""
    size: int
    """Bytes."""
    key: bool


@dataclass(frozen=True)
class Segment:
    """A whole segment: it begins with a key frame, and refers to none outside of it."""

    data: Path
    frames: int
    reused: int
    """Frames that were identical to the one before."""
    reorder: int
    """Packets by which the order of decoding runs ahead of that of display, at most."""
    last_pts: int
    """Of the frame that is shown last."""
    duration: int
    """Of that frame, in the units of the time base; 0 where the source doesn't tell."""

    def entries(self) -> list[Entry]:
        """Its packets, in the order of decoding."""
        return [Entry(*row) for row in json.loads(_about(self.data).read_text())["packets"]]


class SegmentFile:
    """A segment that is being written.

    Args:
        data: Where its packets go.
    """

    def __init__(self, data: Path) -> None:
        self._path = data
        self._file = data.open("wb")
        self._entries: list[Entry] = []

    def add(self, pts: int, data: bytes, *, key: bool) -> None:
        """Appends a packet."""
        self._file.write(data)
        self._entries.append(Entry(pts, len(data), key))

    def close(self) -> None:
        """Stops without finishing: the segment does not count."""
        self._file.close()

    def finish(self, *, reused: int, duration: int) -> Segment:
        """Makes it count."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        order = {pts: rank for rank, pts in enumerate(sorted(entry.pts for entry in self._entries))}
        segment = Segment(
            data=self._path,
            frames=len(self._entries),
            reused=reused,
            reorder=max(place - order[entry.pts] for place, entry in enumerate(self._entries)),
            last_pts=max(order),
            duration=duration,
        )
        document = asdict(segment) | {"data": self._path.name}
        document["packets"] = [[entry.pts, entry.size, entry.key] for entry in self._entries]
        write_text(_about(self._path), json.dumps(document))
        return segment


@dataclass
class Parts:
    """The folder while it is held."""

    folder: Path
    segments: list[Segment]
    """Whole, from the start of the video on, without a gap."""
    discarded: tuple[str, ...] = ()
    """What differs from the call that left other segments here, which were removed."""

    @property
    def frames(self) -> int:
        """Frames in whole segments."""
        return sum(segment.frames for segment in self.segments)

    def begin(self) -> SegmentFile:
        """Opens the next segment."""
        return SegmentFile(self.folder / f"{len(self.segments):06d}.bin")


def parts_folder(out: Path) -> Path:
    """Where the parts of a result are kept."""
    return out.parent / f".{out.name}.edgesr-part"


@contextlib.contextmanager
def hold_parts(out: Path, key: dict[str, Any]) -> Iterator[Parts]:
    """Opens the parts of a result; those that are whole stay where the block fails, to go on from.

    Args:
        out: The result.
        key: Everything that decides about the segments; those of another key are removed.

    Raises:
        UsageError: When another edgesr writes the same result.
        StoreError: When the folder can't be written.
    """
    folder = parts_folder(out)
    with store_errors(out):
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, out):
            differ = _differing(folder, key)
            if differ is not None:
                for path in folder.iterdir():
                    if path.name != _LOCK:
                        path.unlink()
                write_text(folder / _JOURNAL, json.dumps(key, indent=2) + "\n")
            parts, finished = Parts(folder, _whole_segments(folder), differ or ()), False
            try:
                yield parts
                finished = True
            finally:
                if finished or not parts.segments:
                    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, out: Path) -> Iterator[None]:
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"another edgesr is writing {out}", hint="wait for it, or name another file"
            ) from error
        yield


def _differing(folder: Path, key: dict[str, Any]) -> tuple[str, ...] | None:
    """Names of what differs from the journal's key; None when nothing does."""
    try:
        there = json.loads((folder / _JOURNAL).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except ValueError:
        return ("the journal",)
    wanted = json.loads(json.dumps(key))
    differ = tuple(name for name in wanted if there.get(name) != wanted[name])
    return differ or None


def _whole_segments(folder: Path) -> list[Segment]:
    found: list[Segment] = []
    while True:
        data = folder / f"{len(found):06d}.bin"
        try:
            document = json.loads(_about(data).read_text(encoding="utf-8"))
            size = data.stat().st_size
        except (FileNotFoundError, ValueError):
            return found
        packets = document.pop("packets")
        if size != sum(entry[1] for entry in packets):
            return found
        found.append(Segment(**document | {"data": data}))


def _about(data: Path) -> Path:
    return data.with_suffix(".json")

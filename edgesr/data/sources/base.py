"""What a source of images is, and what all kinds of them share."""

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edgesr.data.images import RgbImage
from edgesr.errors import ImageError, PairsError
from edgesr.files import read_errors

_SAMPLE_BYTES = 1 << 20


@dataclass(frozen=True)
class Scene:
    """One image of a source."""

    name: str
    """Unique in its source; for messages and file names."""
    hr: RgbImage
    """H, W, 3 uint8 RGB, not yet cut to a multiple of the scale."""
    lr: RgbImage | None = None
    """The small image (H / s, W / s, 3), where the source has one itself."""
    text: str = ""
    """What a reader would read in it; empty where it is not known."""


class Source(Protocol):
    """Images by index. An implementation can be pickled and holds no open file: workers read it."""

    @property
    def name(self) -> str:
        """As written in the config."""

    def __len__(self) -> int:
        """How many images, at least one."""

    def __getitem__(self, index: int) -> Scene:
        """Reads an image, 0 to len - 1.

        Raises:
            ImageError: When it can't be read; names its file.
            PairsError: When small and large image are not of the source's scale.
        """

    def label(self, index: int) -> str:
        """The file, frame or row behind an index, for messages; reads no pixels."""

    def digest(self) -> str:
        """Hex sha256 of what identifies the images, the same wherever they lie.

        Folders and lists count by relative path and size in bytes of every file, single files by
        size and samples of their bytes: quick, and blind to an image changed within its size.

        Raises:
            InputError: When a file is gone.
        """


@dataclass(frozen=True)
class Kind:
    """One kind of source."""

    form: str
    """How it is written, for messages."""
    matches: Callable[[str], bool]
    """Whether a text means this kind; may look whether a path exists."""
    open: Callable[[str, int], Source]
    """Opens a text that matches, for a scale."""


def check_scale(label: str, lr: RgbImage, hr: RgbImage, scale: int) -> None:
    """Refuses a pair whose large image is not exactly ``scale`` times its small one.

    Raises:
        PairsError: With both sizes.
    """
    height, width = lr.shape[:2]
    if hr.shape[:2] != (height * scale, width * scale):
        raise PairsError(
            f"{label}: its high-res image of {hr.shape[1]}x{hr.shape[0]} is not {scale} times its "
            f"low-res image of {width}x{height}",
            hint=f"give pairs of scale {scale}, or set model.scale to that of the pairs",
        )


def check_first(source: Source) -> Source:
    """Reads a first pair, so that a wrong scale shows before the training, not at its last stage.

    An image that can't be read is no reason to stop yet: the training leaves out a few of them.

    Raises:
        PairsError: When the pair is not of the source's scale.
    """
    with contextlib.suppress(ImageError):
        source[0]
    return source


def digest_of(*parts: Any) -> str:
    """Hex sha256 of values that JSON can express, unambiguously."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def content_sample(path: Path) -> list[int | str]:
    """Size in bytes and hex sha256 of the first, middle and last MiB of a file: quick at any size.

    Raises:
        InputError: When it can't be read.
    """
    with read_errors(path), path.open("rb") as file:
        size = path.stat().st_size
        found = hashlib.sha256()
        for start in (0, (size - _SAMPLE_BYTES) // 2, size - _SAMPLE_BYTES):
            file.seek(max(0, start))
            found.update(file.read(_SAMPLE_BYTES))
    return [size, found.hexdigest()]


def is_file_like(path: str, suffixes: frozenset[str]) -> bool:
    """Whether a path's ending tells a kind of file, there or not; a folder never is one."""
    return Path(path).suffix.lower() in suffixes and not Path(path).is_dir()

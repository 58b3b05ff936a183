"""Making a folder of pairs: ``hr/*.png``, ``lr_x<scale>/*.png`` and ``pairs.csv``, or nothing."""

import contextlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgesr.data.degrade import DEGRADATIONS
from edgesr.data.images import IMAGE_SUFFIXES, RgbImage, crop_to_multiple, read_image, write_png
from edgesr.data.pairs import PAIRS_FILE, Pair, unique_names, write_pairs
from edgesr.errors import ImageError, InputError, UsageError
from edgesr.files import atomic_folder

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, steps done, steps in all)."""


@dataclass(frozen=True)
class PairOptions:
    """How the small image comes from the large one."""

    scale: int = 2
    """Large size over small size: 2, 3 or 4."""
    degrade: str = "bicubic"
    """A name in `edgesr.data.degrade.DEGRADATIONS`."""
    seed: int = 0
    """With the image's name, decides everything random."""

    def __post_init__(self) -> None:
        if self.scale not in (2, 3, 4):
            raise UsageError(f"the scale must be 2, 3 or 4, not {self.scale}")
        if self.degrade not in DEGRADATIONS:
            known = ", ".join(DEGRADATIONS)
            raise UsageError(f"unknown degradation {self.degrade!r}", hint=f"choose from: {known}")


class PairFolder:
    """Writes pairs into a folder that `pair_folder` opened.

    Args:
        folder: The (temporary) folder.
        options: How the small images are made.
    """

    def __init__(self, folder: Path, options: PairOptions) -> None:
        self._folder = folder
        self._options = options
        self._pairs: list[Pair] = []

    def add(self, name: str, hr: RgbImage, text: str = "") -> None:
        """Writes one pair.

        Args:
            name: File name without ending, unique in the folder.
            hr: Array (H, W, 3), uint8; cut to multiples of the scale at the right and bottom.
            text: What a reader would read in it.

        Raises:
            ImageError: When the image has fewer pixels than the scale on a side.
            StoreError: When it can't be written.
        """
        scale = self._options.scale
        hr = crop_to_multiple(hr, scale)
        if 0 in hr.shape:
            raise ImageError(
                f"the image {name} is too small for scale {scale}", hint="remove it from the folder"
            )
        rng = np.random.default_rng([self._options.seed, zlib.crc32(name.encode())])
        lr = DEGRADATIONS[self._options.degrade](hr, scale, rng)
        pair = Pair(
            name,
            self._folder / f"lr_x{scale}" / f"{name}.png",
            self._folder / "hr" / f"{name}.png",
            text,
        )
        write_png(pair.hr, hr)
        write_png(pair.lr, lr)
        self._pairs.append(pair)

    def finish(self) -> None:
        """Writes pairs.csv over all pairs added."""
        write_pairs(self._folder / PAIRS_FILE, self._pairs)


@contextlib.contextmanager
def pair_folder(out: Path, options: PairOptions) -> Iterator[PairFolder]:
    """Opens a folder for pairs; it appears under its name only when the block succeeds.

    Args:
        out: The folder; one that is there is replaced (`refuse_to_replace` guards it).
        options: How the small images are made.

    Raises:
        StoreError: When it can't be written; nothing is left behind.
    """
    with atomic_folder(out) as temporary:
        folder = PairFolder(temporary, options)
        yield folder
        folder.finish()


def refuse_to_replace(
    out: Path, *, overwrite: bool, source: Path | None = None, mark: str = PAIRS_FILE
) -> None:
    """Guards what is there already under the name of an output folder.

    Args:
        out: Where files will be written. Nothing there, or an empty folder, is always fine.
        overwrite: Whether a folder that holds ``mark`` may be replaced.
        source: What the files are made from; it must not lie in ``out``.
        mark: The file by which an earlier output of the same kind is known.

    Raises:
        UsageError: When ``out`` is a file, holds the source, or is a folder with content that is
            not to be replaced.
    """
    out = Path(out)
    if source and source.resolve().is_relative_to(out.resolve()):
        raise UsageError(f"{source} lies in the folder to write, {out}", hint="name another folder")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file, not a folder", hint="name another folder")
    if not out.is_dir() or next(out.iterdir(), None) is None:
        return
    if not (out / mark).is_file():
        raise UsageError(
            f"{out} is not empty and holds no {mark}, so it is left alone",
            hint="name another folder",
        )
    if not overwrite:
        raise UsageError(
            f"{out} holds a {mark} already",
            hint="name another folder, or add --overwrite to replace it",
        )


def make_pairs(
    hr_folder: Path, out: Path, options: PairOptions, progress: Progress | None = None
) -> int:
    """Makes pairs from every image below a folder.

    Args:
        hr_folder: Searched with its subfolders for images (`IMAGE_SUFFIXES`), hidden ones left out.
        out: The folder to write; replaced when it is there.
        options: Scale, degradation and seed.
        progress: Told about every image.

    Returns:
        How many pairs were made, at least one.

    Raises:
        InputError: When the folder does not exist or holds no image.
        ImageError: When an image can't be read or is too small, by name.
        StoreError: When ``out`` can't be written; nothing is left behind.
    """
    images = find_images(hr_folder, leave_out=out)
    names = unique_names([image.relative_to(hr_folder).as_posix() for image in images])
    with pair_folder(out, options) as folder:
        for done, (name, image) in enumerate(zip(names, images, strict=True)):
            if progress:
                progress("making pairs", done, len(images))
            folder.add(name, read_image(image))
    if progress:
        progress("making pairs", len(images), len(images))
    return len(images)


def find_images(folder: Path, leave_out: Path | None = None) -> list[Path]:
    """All images below a folder, sorted by path; hidden files and folders are left out.

    Args:
        folder: Searched with its subfolders.
        leave_out: A folder below it that is not searched.

    Returns:
        At least one path.

    Raises:
        InputError: When the folder does not exist or holds no image.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", hint="name a folder of images")
    hidden = leave_out.resolve() if leave_out else None
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
        and not (hidden and path.resolve().is_relative_to(hidden))
    ]
    if not found:
        raise InputError(
            f"{folder} holds no images",
            hint=f"files ending in {', '.join(sorted(IMAGE_SUFFIXES))} are taken",
        )
    return found

"""An ``.h5`` file with arrays ``lr`` and ``hr``, as ELSR-torch and its relatives write them.

ELSR-torch (``dataset.py``) keeps two arrays of N, 3, H, W, float32 from 0 to 255, RGB. Evaluation
files of the SRCNN/FSRCNN family hold two groups instead, with one array per image under "0", "1"
and so on. Both are read, with channels first or last, as uint8, or as floats to 1 or to 255.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.data.images import RgbImage
from edgesr.data.sources.base import (
    Kind,
    Scene,
    Source,
    check_first,
    check_scale,
    content_sample,
    digest_of,
    is_file_like,
)
from edgesr.errors import ImageError, InputError, PairsError
from edgesr.files import read_errors

_SUFFIXES = frozenset({".h5", ".hdf5"})
_LAYOUT_HINT = "it needs RGB arrays lr and hr of N, 3, H, W, or groups lr and hr of such images"
_SAMPLES = 8
"""So many images tell whether floats end at 1 or at 255: none is dark enough to mislead all."""

File = Any
"""An open h5py file; the package has no types."""


@dataclass(frozen=True)
class H5Source:
    """Pairs of an HDF5 file, which is opened for every image: handles don't survive a fork."""

    name: str
    """As written in the config."""
    path: Path
    scale: int
    """What large over small images have to be."""
    count: int
    keys: tuple[str, ...]
    """Names of the images in both groups; empty where ``lr`` and ``hr`` are single arrays."""
    white: int
    """The value of white in float arrays: 1 or 255."""

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Scene:
        """As `Source`."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        label = self.label(index)
        with _opened(self.path) as file:
            try:
                lr, hr = (_item(file[part], self.keys, index) for part in ("lr", "hr"))
            except OSError as error:
                raise ImageError(
                    f"{label} can't be read: {error}", hint="the file is damaged; get it again"
                ) from error
        lr, hr = _rgb(lr, self.white, label), _rgb(hr, self.white, label)
        check_scale(label, lr, hr, self.scale)
        return Scene(f"{self.path.stem}-{index:06d}", hr, lr)

    def label(self, index: int) -> str:
        """The file with the image's key."""
        return f"{self.path}, image {self.keys[index] if self.keys else index}"

    def digest(self) -> str:
        """Over the file's size and samples of its bytes."""
        return digest_of("h5", content_sample(self.path))


def _open(text: str, scale: int) -> Source:
    path = Path(text)
    with _opened(path) as file:
        missing = [part for part in ("lr", "hr") if part not in file]
        if missing:
            there = ", ".join(list(file)[:10]) or "nothing"
            raise InputError(
                f"{path} has no {' and no '.join(missing)}; it holds {there}", hint=_LAYOUT_HINT
            )
        keys = _keys(path, file)
        count = len(file["lr"])
        if count != len(file["hr"]) or not count:
            raise PairsError(
                f"{path} holds {count} low-res and {len(file['hr'])} high-res images",
                hint="it needs as many of both, and at least one",
            )
        white = _white(path, file["lr"], keys, count)
    return check_first(H5Source(text, path, scale, count, keys, white))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[File]:
    import h5py  # type: ignore[import-untyped]

    with read_errors(path):
        path.open("rb").close()
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ImageError(
            f"{path} is no HDF5 file, or damaged: {error}", hint="make or get it again"
        ) from error
    with file:
        yield file


def _keys(path: Path, file: File) -> tuple[str, ...]:
    """Names of the images in the order of their numbers, where the file has groups."""
    groups = [part for part in ("lr", "hr") if hasattr(file[part], "keys")]
    if not groups:
        for part in ("lr", "hr"):
            if file[part].ndim < 3:
                raise InputError(f"{path}: {part} is no array of images", hint=_LAYOUT_HINT)
        return ()
    names = [sorted(file[part]) for part in groups]
    if len(groups) == 1 or names[0] != names[1]:
        raise PairsError(f"{path}: lr and hr do not hold the same images", hint=_LAYOUT_HINT)
    return tuple(sorted(names[0], key=lambda name: (int(name) if name.isdecimal() else -1, name)))


def _item(part: Any, keys: Sequence[str], index: int) -> NDArray[Any]:
    return np.asarray(part[keys[index]][()] if keys else part[index])


def _white(path: Path, part: Any, keys: Sequence[str], count: int) -> int:
    """1 where the floats of sampled images go little beyond it, else 255."""
    highest = 0.0
    for index in np.unique(np.linspace(0, count - 1, _SAMPLES).astype(int)):
        try:
            image = _item(part, keys, int(index))
        except OSError:
            continue
        if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
            raise InputError(f"{path} holds {image.dtype}", hint="store uint8 or floats")
        highest = max(highest, float(np.max(image, initial=0)))
    return 1 if highest <= 2 else 255


def _rgb(image: NDArray[Any], white: int, label: str) -> RgbImage:
    """Any layout to H, W, 3 uint8."""
    if image.ndim != 3 or 3 not in (image.shape[0], image.shape[2]):
        grey = image.ndim == 2 or 1 in image.shape
        raise InputError(
            f"{label} has the shape {image.shape}, "
            f"which is {'brightness alone' if grey else 'no RGB image'}",
            hint="write the file from RGB images: edgesr trains on colour",
        )
    if image.shape[2] != 3:
        image = image.transpose(1, 2, 0)
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    if not np.isfinite(image).all():
        raise ImageError(f"{label} holds values that are no numbers", hint="make it again")
    return np.rint(np.clip(image * (255 / white), 0, 255)).astype(np.uint8)


KIND = Kind("an .h5 file", lambda text: is_file_like(text, _SUFFIXES), _open)

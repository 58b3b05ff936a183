"""``hub:NAME_OR_PATH[:SPLIT]``: image datasets of Hugging Face, by the package ``datasets``.

A name is fetched once into the package's own cache, a path is a folder of images or one that
``save_to_disk`` wrote. With ``HF_HUB_OFFLINE=1`` in the environment only the cache is asked. The
ESPCN of the quantization work was trained on ``hub:food101``.
"""

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.data.images import RgbImage, read_image
from edgesr.data.sources.base import Kind, Scene, Source, digest_of
from edgesr.errors import ImageError, InputError, MissingExtraError
from edgesr.files import read_errors, store_errors

_PREFIX = "hub:"
_FORM = "hub:NAME[:SPLIT]"
_SPLIT = re.compile(r"(?P<name>.+):(?P<split>[A-Za-z_]\w*(?:\.\w+)*(?:\[[^\]]*\])?)", re.ASCII)
_DEFAULT_SPLIT = "train"
_SAMPLES = 16
"""So many rows are read for a digest, spread over the dataset."""

Dataset = Any
"""A ``datasets.Dataset``; the package has no types."""


@dataclass(frozen=True)
class HubSource:
    """The first column of images of a dataset, in the order of its rows."""

    name: str
    """As written in the config."""
    column: str
    rows: Dataset
    """The dataset, its images not decoded; it maps files and can be pickled."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Scene:
        """As `Source`."""
        label = self.label(index)
        try:
            cell = self.rows[index][self.column]
        except (OSError, ValueError) as error:
            raise ImageError(f"{label} can't be read: {error}", hint="fetch it again") from error
        return Scene(f"row-{index:06d}", _decode(cell or {}, label))

    def label(self, index: int) -> str:
        """The dataset with the row's number."""
        return f"{self.name}, row {index}"

    def digest(self) -> str:
        """Over file name and size in bytes of every image, and the bytes of a few."""
        import pyarrow.compute as pc

        images = self.rows.data.column(self.column)
        paths = pc.struct_field(images, "path").to_pylist()
        sizes = pc.binary_length(pc.struct_field(images, "bytes")).to_pylist()
        files = [
            (Path(path or "").name, _size(path) if size is None else size)
            for path, size in zip(paths, sizes, strict=True)
        ]
        few = np.unique(np.linspace(0, len(self) - 1, _SAMPLES).astype(int)).tolist()
        cells = [(self.rows[index][self.column] or {}).get("bytes") or b"" for index in few]
        return digest_of("hub", files, [hashlib.sha256(cell).hexdigest() for cell in cells])


def _open(text: str, _scale: int) -> Source:
    try:
        import datasets  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError(text, extra="hub") from error
    name, split = _parts(text)
    try:
        rows = _load(name, split)
    except InputError:
        raise
    except Exception as error:  # builders and their network layers raise nearly anything
        reason = " ".join(str(error).split())
        raise InputError(
            f"{text} can't be loaded: {reason or type(error).__name__}",
            hint="check name and split; without a network only what was fetched before is there",
        ) from error
    features = rows.features
    column = next((key for key in features if isinstance(features[key], datasets.Image)), None)
    if column is None:
        raise InputError(
            f"{text} has no column of images; there are {', '.join(features)}",
            hint="choose an image dataset",
        )
    undecoded = rows.select_columns([column]).cast_column(column, datasets.Image(decode=False))
    return HubSource(text, column, undecoded)


def _parts(text: str) -> tuple[str, str]:
    """Name or path, and split; a path that exists as written keeps its colons."""
    rest = text.removeprefix(_PREFIX)
    found = _SPLIT.fullmatch(rest)
    if not rest:
        raise InputError(f"{text!r} names no dataset", hint=f"write {_FORM}")
    return (found["name"], found["split"]) if found and not Path(rest).exists() else (rest, "")


def _load(name: str, split: str) -> Dataset:
    """One split; without a name for it ``train``, or the only one."""
    import datasets

    folder = Path(name)
    if name.startswith(("/", ".")) and not folder.exists():
        raise InputError(f"{name} does not exist", hint="check the path")
    saved = any((folder / file).is_file() for file in ("state.json", "dataset_dict.json"))
    if split and not saved:
        return datasets.load_dataset(name, split=split)
    found = datasets.load_from_disk(name) if saved else datasets.load_dataset(name)
    if not isinstance(found, dict):
        if split:
            raise InputError(f"{name} has no splits", hint=f"write {_PREFIX}{name}")
        return found
    wanted = split or (_DEFAULT_SPLIT if len(found) > 1 else next(iter(found)))
    if wanted not in found:
        raise InputError(
            f"{name} has no split {wanted!r}; there are {', '.join(found)}", hint=f"write {_FORM}"
        )
    return found[wanted]


def _decode(cell: dict[str, Any], label: str) -> RgbImage:
    """Reads an image that lies in a file of its own or in the dataset."""
    data = cell.get("bytes")
    if data is None:
        if not cell.get("path"):
            raise ImageError(f"{label} holds no image", hint="leave it out of the dataset")
        return read_image(Path(cell["path"]))
    folder = Path(tempfile.gettempdir())
    with store_errors(folder), tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            return read_image(Path(file.name))
        except ImageError as error:
            message = str(error).replace(file.name, label)
            raise ImageError(message, hint=error.hint) from error


def _size(path: str | None) -> int:
    if not path:
        return 0
    with read_errors(Path(path)):
        return Path(path).stat().st_size


KIND = Kind(_FORM, lambda text: text.startswith(_PREFIX), _open)

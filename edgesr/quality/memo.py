"""Evaluations that were made before, kept in the user's cache.

An evaluation is found again only when nothing that it depends on has changed: the model's bytes,
every image, every text, the options, edgesr's own code and the packages that compute.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgesr.assets import asset_folder, cache_folder
from edgesr.data.pairs import Pair
from edgesr.errors import StoreError
from edgesr.files import atomic_file, sha256_file
from edgesr.quality.evaluation import Evaluation, ImageScore
from edgesr.quality.onnxrun import weight_files
from edgesr.quality.own_code import code_digest
from edgesr.quality.readability import Reading
from edgesr.quality.reading import Line
from edgesr.quality.text import TextScore

_COMPUTES = ("ai-edge-litert", "jiwer", "numpy", "onnxruntime", "pillow", "rapidfuzz",
             "scikit-image", "torch")  # fmt: skip
_CODE = ("data", "models", "quality", "quantize")


def evaluation_key(pairs: Sequence[Pair], model: str, options: Iterable[object]) -> str:
    """Names an evaluation by all that it depends on.

    Args:
        pairs: Each by its name, its text and the bytes of both images.
        model: As `edgesr.quality.runners.open_runner` takes it, by its bytes where it is a file.
        options: Everything else; each by its ``repr``.

    Raises:
        InputError: When an image or the model can't be read.
    """
    digest = hashlib.sha256()
    code = code_digest(*_CODE)
    for part in (code, *map(_version, _COMPUTES), model, _model_sha256(model), *options):
        digest.update(f"{part!r}\n".encode())
    for pair in pairs:
        images = sha256_file(pair.lr), sha256_file(pair.hr)
        digest.update(f"{(pair.name, pair.text, *images)!r}\n".encode())
    return digest.hexdigest()


def recall(key: str) -> Evaluation | None:
    """What was found before; None where nothing was, or its file is damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        tree = json.loads(_path(key).read_text(encoding="utf-8"))
        return Evaluation(tree["protocol"], tuple(_image(row) for row in tree["images"]))
    return None


def remember(key: str, evaluation: Evaluation) -> None:
    """Keeps an evaluation; a cache that can't be written only costs time."""
    tree = {"protocol": evaluation.protocol, "images": [asdict(one) for one in evaluation.images]}
    with contextlib.suppress(StoreError), atomic_file(_path(key), durable=False) as temporary:
        temporary.write_text(json.dumps(tree), encoding="utf-8")


def _path(key: str) -> Path:
    return cache_folder() / "eval" / f"{key}.json"


def _image(row: dict[str, Any]) -> ImageScore:
    reading = row["reading"]
    return ImageScore(
        row["name"],
        float(row["psnr_y"]) if row["psnr_y"] is not None else math.inf,
        row["ssim_y"],
        row["lpips"],
        None if reading is None else _reading(reading),
    )


def _reading(row: dict[str, Any]) -> Reading:
    lines = tuple(Line(**line | {"box": tuple(line["box"])}) for line in row["lines"])
    return Reading(TextScore(**row["score"]), lines, row["reference"])


def _model_sha256(model: str) -> tuple[str, ...]:
    """Of every file that a model is of; of none where it needs none."""
    path = Path(model)
    folder = path.parent if path.name == "manifest.json" else path
    for file in (folder / "model.tflite", path, asset_folder("weights") / f"{model}.pt"):
        if file.is_file():
            more = weight_files(file) if file.suffix.lower() == ".onnx" else ()
            return tuple(map(sha256_file, (file, *more)))
    return ()


def _version(package: str) -> str | None:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return None

"""PP-OCR's networks in onnxruntime: the default, because the package brings its models."""

import importlib.metadata
import os
from typing import Any

import numpy as np

from edgesr.data.images import RgbImage
from edgesr.errors import InputError, MissingExtraError, UsageError
from edgesr.quality.cores import usable_cores
from edgesr.quality.reading import Line, reading_order

_PACKAGES = ("rapidocr", "onnxruntime")
_LONGEST = 8
"""Of the sides of an image that is read as it is: rapidocr enlarges the short one to 736 pixels, so
a strip would take all memory."""


class RapidOcr:
    """PP-OCR's networks in onnxruntime, as the package rapidocr brings them; works offline.

    Lines of any confidence are kept: a threshold would hide what a blurred image costs. Text is
    taken to be upright, so the check for lines upside down is left out.

    Args:
        argument: None; the package brings models for one language only.
        threads: CPU threads; None takes every core this process may use.

    Raises:
        UsageError: When there is an argument.
        MissingExtraError: When rapidocr or something it needs is not installed.
    """

    name = "rapidocr"
    copies = True

    def __init__(self, argument: str | None = None, threads: int | None = None) -> None:
        if argument is not None:
            raise UsageError(
                f"rapidocr takes no {argument!r}: its package brings one set of models",
                hint="say rapidocr alone; other languages: tesseract:LANG",
            )
        wanted = max(1, min(threads or usable_cores(), os.cpu_count() or 1))
        self._engine = _rapidocr(
            {
                "Global.log_level": "critical",
                "Global.text_score": 0.0,
                "Global.use_cls": False,
                "EngineConfig.onnxruntime.intra_op_num_threads": wanted,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        models = self._engine.cfg.Rec
        package = importlib.metadata.version("rapidocr")
        self.version = f"{package}, {models.ocr_version.value} {models.model_type.value}"
        self.language = str(models.lang_type.value)

    @staticmethod
    def version_of(_argument: str | None) -> str:
        """The packages' versions; their files are theirs."""
        try:
            return ", ".join(importlib.metadata.version(name) for name in _PACKAGES)
        except importlib.metadata.PackageNotFoundError as error:
            raise _missing() from error

    def read(self, image: RgbImage) -> tuple[Line, ...]:
        """Reads an image; see `edgesr.quality.ocr.OcrEngine`."""
        blue_first = np.ascontiguousarray(_filled(image)[..., ::-1])  # rapidocr follows OpenCV
        try:
            found: Any = self._engine(blue_first)
        except Exception as error:  # its models load here; rapidocr lets any exception through
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise InputError(
                f"rapidocr can't read an image of {image.shape[1]}x{image.shape[0]} pixels:"
                f" {reason}",
                hint="if its models are damaged: python3 -m pip install --force-reinstall rapidocr",
            ) from error
        if found.boxes is None or found.txts is None or found.scores is None:
            return ()
        rows = zip(found.boxes, found.txts, found.scores, strict=True)
        return reading_order(
            Line(str(text), float(score), (*_corner(box.min(0)), *_corner(box.max(0))))
            for box, text, score in rows
        )


ENGINE = RapidOcr


def _rapidocr(params: dict[str, Any]) -> Any:
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise _missing() from error
    return RapidOCR(params=params)


def _missing() -> MissingExtraError:
    missing = MissingExtraError("the OCR engine rapidocr", extra="")
    missing.hint = f"install them with: python3 -m pip install {' '.join(_PACKAGES)}"
    return missing


def _filled(image: RgbImage) -> RgbImage:
    """A strip with more of its usual colour below or to the right; other images as they are."""
    height, width = image.shape[:2]
    size = max(height, -(-width // _LONGEST)), max(width, -(-height // _LONGEST))
    if size == (height, width):
        return image
    filled = np.empty((*size, 3), np.uint8)
    filled[:] = np.median(image, axis=(0, 1))
    filled[:height, :width] = image
    return filled


def _corner(point: Any) -> tuple[float, float]:
    return float(point[0]), float(point[1])

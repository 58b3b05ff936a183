"""Engines that read text in images, behind one interface."""

import contextlib
import difflib
import importlib.metadata
import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from edgesr.data.images import RgbImage
from edgesr.errors import InputError, MissingExtraError, UsageError
from edgesr.quality.reading import Line, reading_order


class OcrEngine(Protocol):
    """What reads text. Equal images give equal lines."""

    name: str
    """As `open_engine` takes it."""
    version: str
    """Of the program and its models: other versions read other text."""
    language: str
    """Which texts the models were made for, in the engine's own words."""

    def read(self, image: RgbImage) -> tuple[Line, ...]:
        """Reads an image.

        Args:
            image: Array (H, W, 3), uint8, RGB.

        Returns:
            Lines in reading order; none where there is no text.

        Raises:
            InputError: When the engine's models can't be loaded or it fails on the image.
        """
        ...


class RapidOcr:
    """PP-OCR's networks in onnxruntime, as the package rapidocr brings them; works offline.

    Lines of any confidence are kept: a threshold would hide what a blurred image costs. Text is
    taken to be upright, so the check for lines upside down is left out.

    Args:
        threads: CPU threads; None takes every core this process may use.

    Raises:
        MissingExtraError: When rapidocr or something it needs is not installed.
    """

    name = "rapidocr"

    def __init__(self, threads: int | None = None) -> None:
        wanted = max(1, min(threads or _cores(), os.cpu_count() or 1))
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

    def read(self, image: RgbImage) -> tuple[Line, ...]:
        """Reads an image; see `OcrEngine`."""
        blue_first = np.ascontiguousarray(image[..., ::-1])  # rapidocr follows OpenCV
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


ENGINES: dict[str, Callable[[int | None], OcrEngine]] = {"rapidocr": RapidOcr}
"""Every engine by name; called with the number of threads."""


def open_engine(name: str = "rapidocr", threads: int | None = None) -> OcrEngine:
    """Opens an engine; it loads its models when it reads for the first time.

    Args:
        name: A key of `ENGINES`.
        threads: CPU threads; None leaves the choice to the engine.

    Raises:
        UsageError: When no engine has this name.
        MissingExtraError: When its package is not installed.
    """
    if name not in ENGINES:
        close = difflib.get_close_matches(name, ENGINES, n=1)
        raise UsageError(
            f"no OCR engine is called {name!r}",
            hint=f"did you mean {close[0]}?" if close else f"there are: {', '.join(ENGINES)}",
        )
    return ENGINES[name](threads)


def _rapidocr(params: dict[str, Any]) -> Any:
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        missing = MissingExtraError("the OCR engine rapidocr", extra="")
        missing.hint = "install them with: python3 -m pip install rapidocr onnxruntime"
        raise missing from error
    return RapidOCR(params=params)


def _cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine has."""
    with contextlib.suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _corner(point: Any) -> tuple[float, float]:
    return float(point[0]), float(point[1])

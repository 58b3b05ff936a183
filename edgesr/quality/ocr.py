"""What reads text in images: one interface, and engines by name."""

import difflib
import importlib
import pkgutil
from typing import Any, Protocol, cast

from edgesr.data.images import RgbImage
from edgesr.errors import UsageError
from edgesr.quality import engines
from edgesr.quality.reading import Line


class OcrEngine(Protocol):
    """What reads text. Equal images give equal lines."""

    name: str
    """As `open_engine` takes it, without an argument."""
    version: str
    """Of the program and its models: other versions read other text."""
    language: str
    """Which texts the models were made for, in the engine's own words."""
    copies: bool
    """Whether several copies of one thread each read faster than one copy: not where a copy fills
    the memory."""

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


def engine_names() -> list[str]:
    """Every engine that `open_engine` knows: a file in `edgesr.quality.engines` each."""
    return [module.name for module in pkgutil.iter_modules(engines.__path__)]


def open_engine(spec: str = "rapidocr", threads: int | None = None) -> OcrEngine:
    """Opens an engine; it loads its models when it reads for the first time.

    Args:
        spec: ``NAME`` or ``NAME:ARGUMENT``: ``rapidocr``, ``tesseract:deu+eng``, ``vlm:FOLDER``.
        threads: CPU threads; None leaves the choice to the engine.

    Raises:
        UsageError: When no engine has this name, or it does not take this argument.
        MissingExtraError: When its package is not installed.
        InputError: When the model that is named can't be loaded.
    """
    engine, argument = _find(spec)
    return cast("OcrEngine", engine(argument, threads))


def reads_in_copies(spec: str) -> bool:
    """Whether an engine is one of `OcrEngine.copies`, told without opening it."""
    return bool(_find(spec)[0].copies)


def engine_version(spec: str) -> str:
    """What an engine reads by, told without loading it: equal versions give equal lines.

    Raises:
        UsageError: When no engine has this name.
        MissingExtraError: When its package is not installed.
        InputError: When the model that is named can't be read.
    """
    engine, argument = _find(spec)
    return f"{spec} {engine.version_of(argument)}"


def _find(spec: str) -> tuple[Any, str | None]:
    """An engine's class, and what follows its name."""
    name, colon, argument = spec.partition(":")
    known = engine_names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            f"no OCR engine is called {name!r}",
            hint=f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}",
        )
    module = importlib.import_module(f"{engines.__name__}.{name}")
    return module.ENGINE, argument if colon else None

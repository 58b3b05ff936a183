"""Tesseract, for any language that there is a pack for."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgesr.data.images import RgbImage
from edgesr.errors import InputError, MissingExtraError, UsageError
from edgesr.files import sha256_file
from edgesr.quality.reading import Line, reading_order

_PAGE = "--psm 3 --dpi 96"
"""Fully automatic page segmentation; a fixed resolution, or it guesses one from each image."""


class Tesseract:
    """The program ``tesseract`` by pytesseract.

    Args:
        argument: Languages as the program names them, ``deu`` or ``deu+eng``; None is ``eng``.
        threads: Taken as 1: its OpenMP threads cost more than they save on single pages.

    Raises:
        MissingExtraError: When pytesseract or the program is not installed.
        UsageError: When a language's pack is not installed.
    """

    name = "tesseract"
    copies = True

    def __init__(self, argument: str | None = None, threads: int | None = None) -> None:  # noqa: ARG002
        self._module = _pytesseract()
        os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # the only way to tell the program
        self.language = argument or "eng"
        self.version = self.version_of(argument)

    @staticmethod
    def version_of(argument: str | None) -> str:
        """The program's version, and the digest of each language's pack."""
        program = _pytesseract().get_tesseract_version()
        return f"{program}, {', '.join(_packs((argument or 'eng').split('+')))}"

    def read(self, image: RgbImage) -> tuple[Line, ...]:
        """Reads an image; see `edgesr.quality.ocr.OcrEngine`."""
        from PIL import Image

        if not image.size:
            return ()
        try:
            words = self._module.image_to_data(
                Image.fromarray(image),
                lang=self.language,
                config=_PAGE,
                output_type=self._module.Output.DICT,
            )
        except (self._module.TesseractError, OSError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise InputError(
                f"tesseract can't read an image of {image.shape[1]}x{image.shape[0]} pixels:"
                f" {reason}"
            ) from error
        return reading_order(_lines(words))


ENGINE = Tesseract


def _pytesseract() -> Any:
    try:
        import pytesseract
    except ImportError as error:
        raise MissingExtraError("the OCR engine tesseract", extra="tesseract") from error
    if shutil.which(pytesseract.pytesseract.tesseract_cmd) is None:
        missing = MissingExtraError("the program tesseract", extra="tesseract")
        missing.hint = "install it; on Debian: apt install tesseract-ocr"
        raise missing
    return pytesseract


def _packs(languages: Iterable[str]) -> list[str]:
    """``LANG SHA256[:8]`` of every language: packs of one name differ in what they read.

    Raises:
        UsageError: When one is not installed.
    """
    listed = subprocess.run(
        ("tesseract", "--list-langs"), capture_output=True, text=True, check=False
    ).stdout
    first, *known = listed.split("\n")
    folder = re.search(r'"(.*)"', first)
    found = []
    for language in languages:
        pack = Path(folder[1] if folder else ".") / f"{language}.traineddata"
        if language not in known or not pack.is_file():
            raise UsageError(
                f"tesseract has no language {language!r}",
                hint=f"there are: {', '.join(filter(None, known)) or 'none'}; more on Debian:"
                f" apt install tesseract-ocr-{language or 'LANG'}",
            )
        found.append(f"{language} {sha256_file(pack)[:8]}")
    return found


def _lines(words: dict[str, list[Any]]) -> Iterable[Line]:
    """Puts words together that tesseract counts to one line; a line's confidence is by characters.

    Args:
        words: Columns of its table: text, conf (0..100, -1 for no word), left, top, width, height,
            and the numbers of block, paragraph and line.
    """
    rows: dict[tuple[int, int, int], list[int]] = {}
    for index, text in enumerate(words["text"]):
        if text.strip():
            key = (words["block_num"][index], words["par_num"][index], words["line_num"][index])
            rows.setdefault(key, []).append(index)
    for row in rows.values():
        texts = [words["text"][index].strip() for index in row]
        sure = [max(0.0, float(words["conf"][index]) / 100) for index in row]
        characters = [len(text) for text in texts]
        weighted = sum(value * length for value, length in zip(sure, characters, strict=True))
        yield Line(" ".join(texts), weighted / sum(characters), _around(words, row))


def _around(words: dict[str, list[Any]], row: list[int]) -> tuple[float, float, float, float]:
    left = min(words["left"][index] for index in row)
    top = min(words["top"][index] for index in row)
    right = max(words["left"][index] + words["width"][index] for index in row)
    bottom = max(words["top"][index] + words["height"][index] for index in row)
    return float(left), float(top), float(right), float(bottom)

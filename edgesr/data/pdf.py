"""Pages of a PDF as images with the text of their text layer."""

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2  # type: ignore[import-untyped]

from edgesr.data.images import RgbImage, crop_to_multiple
from edgesr.data.make_pairs import PairOptions, pair_folder
from edgesr.errors import ImageError, InputError, UsageError
from edgesr.files import read_errors

Document = Any
"""pypdfium2's ``PdfDocument``; the package has no types."""

WIDTH, HEIGHT = 1280, 720
"""Pages are made as large as fits into this, pixels."""

_LARGEST_RATIO = 20
"""Pages longer than this many times their width are refused: they would be a few pixels wide."""


def read_page(document: Document, index: int) -> tuple[RgbImage, str]:
    """Renders one page and reads its text.

    Args:
        document: An open PDF (`open_pdf`).
        index: Of the page, from 0.

    Returns:
        The image (H, W, 3), uint8, RGB, one side 1280 wide or 720 high (rounded up to a pixel), and
        the text layer, line by line; empty where the page has none, as in scans.

    Raises:
        ImageError: When the page is damaged or far too long.
    """
    try:
        page = document[index]
        width, height = page.get_size()
        if not 1 / _LARGEST_RATIO < width / max(height, 1e-6) < _LARGEST_RATIO:
            raise ImageError(
                f"page {index + 1} is {width:.0f} x {height:.0f} points, which is no slide"
            )
        bitmap = page.render(scale=min(WIDTH / width, HEIGHT / height), may_draw_forms=False)
        image: RgbImage = np.array(bitmap.to_pil().convert("RGB"))
        text = page.get_textpage().get_text_range()
    except pypdfium2.PdfiumError as error:
        raise ImageError(
            f"page {index + 1} can't be read: {error}", hint="the file is damaged; save it again"
        ) from error
    return image[:HEIGHT, :WIDTH], _clean(text)


@contextlib.contextmanager
def open_pdf(path: Path) -> Iterator[Document]:
    """Opens a PDF that has at least one page.

    Args:
        path: The file.

    Raises:
        InputError: When the file is missing, damaged, encrypted, empty or no PDF.
    """
    path = Path(path)
    with read_errors(path):
        data = path.read_bytes()
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise _refused(path, data) from error
    try:
        if len(document) == 0:
            raise InputError(f"{path} has no pages", hint="choose another PDF")
        yield document
    finally:
        document.close()


def write_pages(
    pdf: Path,
    out: Path,
    options: PairOptions,
    count: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Writes pairs of a PDF's pages: ``hr/``, ``lr_x<scale>/``, ``pairs.csv`` with the text layer.

    Args:
        pdf: The file.
        out: The folder; one that is there is replaced.
        options: Scale, degradation and seed. Sides are cut to even multiples of the scale.
        count: How many pages from the first on; None takes all.
        progress: Told about every page.

    Returns:
        How many pages were written, at least one.

    Raises:
        InputError: When the PDF can't be opened or has no pages.
        ImageError: When a page can't be read.
        StoreError: When the folder can't be written; nothing is left behind.
    """
    if count is not None and count < 1:
        raise UsageError(f"the number of pages must be at least 1, not {count}")
    multiple = math.lcm(2, options.scale)
    with open_pdf(pdf) as document, pair_folder(out, options) as folder:
        pages = min(count or len(document), len(document))
        for index in range(pages):
            if progress:
                progress("rendering pages", index, pages)
            try:
                image, text = read_page(document, index)
            except ImageError as error:
                raise ImageError(f"{pdf}: {error}", hint=error.hint) from error
            folder.add(f"page-{index + 1:04d}", crop_to_multiple(image, multiple), text)
    if progress:
        progress("rendering pages", pages, pages)
    return pages


def _refused(path: Path, data: bytes) -> InputError:
    # PDFium's own reason is of no use: it repeats that of an earlier file when it knows none.
    if b"/Encrypt" in data:
        return InputError(
            f"{path} is encrypted and needs a password, or is damaged",
            hint="save a copy without a password and use that",
        )
    return InputError(
        f"{path} is no PDF with pages that can be read (empty, damaged or of another kind)",
        hint="open it in a viewer and save it again",
    )


def _clean(text: str) -> str:
    """The text layer without control characters and empty lines; soft hyphens become hyphens."""
    text = (
        text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufffe", "-").replace("\x02", "-")
    )
    lines = (" ".join("".join(c for c in line if c.isprintable()).split())
             for line in text.replace("\t", " ").split("\n"))  # fmt: skip
    return "\n".join(line for line in lines if line)

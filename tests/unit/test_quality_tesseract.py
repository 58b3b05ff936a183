"""Tesseract, where it is installed; a stand-in for its program where it matters."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from edgesr.data.slides import render_slide
from edgesr.errors import MissingExtraError, UsageError
from edgesr.quality.engines.tesseract import _lines
from edgesr.quality.ocr import engine_version, open_engine
from edgesr.quality.text import score_text

installed = pytest.mark.skipif(shutil.which("tesseract") is None, reason="needs tesseract-ocr")


def test_words_become_lines_with_confidence_by_characters() -> None:
    words = {
        "text": ["", "Gradient", "of", "next"],
        "conf": [-1, 90.0, 40, 50],
        "left": [0, 10, 120, 10],
        "top": [0, 20, 22, 60],
        "width": [200, 100, 20, 50],
        "height": [100, 18, 12, 18],
        "block_num": [1, 1, 1, 1],
        "par_num": [0, 1, 1, 1],
        "line_num": [0, 1, 1, 2],
    }
    first, second = _lines(words)
    assert (first.text, first.box) == ("Gradient of", (10.0, 20.0, 140.0, 38.0))
    assert first.confidence == pytest.approx((8 * 0.9 + 2 * 0.4) / 10)
    assert second.text == "next"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytesseract", None)
    with pytest.raises(MissingExtraError, match="tesseract") as caught:
        open_engine("tesseract")
    assert "edgesr[tesseract]" in caught.value.hint


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pytesseract")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match="program") as caught:
        open_engine("tesseract")
    assert "apt install tesseract-ocr" in caught.value.hint


@installed
def test_a_language_without_a_pack_is_named() -> None:
    pytest.importorskip("pytesseract")
    for spec in ("tesseract:xyz", "tesseract:eng+xyz"):
        with pytest.raises(UsageError, match="'xyz'") as caught:
            open_engine(spec)
        assert "eng" in caught.value.hint


@installed
def test_a_slide_is_read() -> None:
    pytest.importorskip("pytesseract")
    engine = open_engine("tesseract", 1)
    slide = render_slide(77, 2)
    lines = engine.read(slide.image)
    cer = score_text(lines, slide.text).cer
    assert cer is not None
    assert cer < 0.1
    assert engine.read(slide.image) == lines
    assert engine.read(np.full((40, 90, 3), 200, np.uint8)) == ()
    assert engine.read(np.zeros((0, 0, 3), np.uint8)) == ()
    assert engine.language == "eng"
    assert engine_version("tesseract:eng").endswith(engine.version)

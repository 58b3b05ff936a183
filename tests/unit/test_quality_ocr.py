"""Engines that read text, and the benchmark around them."""

import importlib.metadata
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from edgesr.data.images import RgbImage
from edgesr.data.slides import render_slide
from edgesr.errors import InputError, MissingExtraError, UsageError
from edgesr.quality.ocr import OcrEngine, engine_names, engine_version, open_engine
from edgesr.quality.readability import ReadabilityBenchmark, ocr_primary
from edgesr.quality.reading import Line
from edgesr.quality.text import NO_TEXT, TextScore, score_text


class Typist:
    """Reads what the first pixel's red stands for, and counts how often it is asked."""

    name, version, language, copies = "typist", "1", "none", True

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.calls = 0

    def read(self, image: RgbImage) -> tuple[Line, ...]:
        self.calls += 1
        text = self.texts[image[0, 0, 0]]
        return (Line(text, 0.5, (0, 0, 9, 9)),) if text else ()


def picture(red: int) -> RgbImage:
    return np.full((8, 8, 3), red, np.uint8)


def test_a_known_text_is_the_reference() -> None:
    engine = Typist("truth", "troth")
    score = ReadabilityBenchmark(engine).score(picture(1), text="truth", hr=picture(0))
    assert score == TextScore(0.2, 1.0, 0.0, 0.0, 0.5, "text")
    assert engine.calls == 1


def test_else_it_is_what_is_read_in_the_large_image_once() -> None:
    engine = Typist("truth", "troth")
    benchmark = ReadabilityBenchmark(engine)
    scores = [benchmark.score(picture(1), text=" ", hr=picture(0)) for _ in range(3)]
    assert scores == [TextScore(0.2, 1.0, 0.0, 0.0, 0.5, "truth-ocr")] * 3
    assert engine.calls == 4
    assert benchmark.score(picture(1), text="", hr=picture(1)).cer == 0.0


def test_an_image_without_text_has_no_score() -> None:
    engine = Typist("", "ghost")
    assert ReadabilityBenchmark(engine).score(picture(1), text="", hr=picture(0)) is NO_TEXT


def test_confidence_only_breaks_ties() -> None:
    ranks = [ocr_primary(0.2, 0.9), ocr_primary(0.1, 0.1), ocr_primary(0.2, 0.95)]
    assert sorted(ranks) == [(0.1, -0.1), (0.2, -0.95), (0.2, -0.9)]


def test_case_may_be_no_matter() -> None:
    engine = Typist("Truth", "tRUTH")
    strict, loose = ReadabilityBenchmark(engine), ReadabilityBenchmark(engine, ignore_case=True)
    assert strict.score(picture(1), text="", hr=picture(0)).cer == 1.0
    assert loose.score(picture(1), text="", hr=picture(0)).cer == 0.0


def test_every_engine_is_a_file() -> None:
    assert set(engine_names()) == {"rapidocr", "tesseract", "vlm"}


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(UsageError, match="'rapidocrr'") as caught:
        open_engine("rapidocrr")
    assert "rapidocr?" in caught.value.hint


def test_an_argument_that_an_engine_does_not_take_is_refused() -> None:
    with pytest.raises(UsageError, match="'deu'"):
        open_engine("rapidocr:deu")


def test_a_version_is_told_without_loading() -> None:
    told = engine_version("rapidocr")
    assert importlib.metadata.version("rapidocr") in told
    assert importlib.metadata.version("onnxruntime") in told


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(MissingExtraError, match="rapidocr") as caught:
        open_engine()
    assert "pip install rapidocr onnxruntime" in caught.value.hint
    assert "edgesr[" not in caught.value.hint


@pytest.fixture(scope="module")
def rapidocr() -> OcrEngine:
    return open_engine(threads=1)


def test_rapidocr_says_what_it_is(rapidocr: OcrEngine) -> None:
    assert rapidocr.name == "rapidocr"
    assert rapidocr.version.startswith("3.")
    assert "PP-OCR" in rapidocr.version
    assert rapidocr.language


def test_rapidocr_reads_a_slide(rapidocr: OcrEngine, capfd: pytest.CaptureFixture[str]) -> None:
    slide = render_slide(77, 2)
    lines = rapidocr.read(slide.image)
    score = score_text(lines, slide.text)
    assert score.cer is not None
    assert score.cer < 0.02
    assert score.confidence is not None
    assert score.confidence > 0.95
    assert rapidocr.read(slide.image) == lines
    title = slide.pieces[0]
    first = next(line for line in lines if line.text == title.text)
    corners = (title.box.left, title.box.top, title.box.right, title.box.bottom)
    assert first.box == pytest.approx(corners, abs=0.5 * title.box.height)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shape", [(8, 8), (40, 90)])
def test_rapidocr_reads_nothing_where_there_is_nothing(
    rapidocr: OcrEngine, shape: tuple[int, int]
) -> None:
    assert rapidocr.read(np.full((*shape, 3), 200, np.uint8)) == ()


def test_an_image_that_rapidocr_fails_on_is_one_line(rapidocr: OcrEngine) -> None:
    with pytest.raises(InputError, match=r"rapidocr can't read an image of 0x0 pixels: ."):
        rapidocr.read(np.zeros((0, 0, 3), np.uint8))


@pytest.mark.parametrize("size", [(500, 1), (1, 500), (90, 720), (720, 1280)])
def test_rapidocr_gets_no_strip(
    rapidocr: OcrEngine, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    """It makes a short side 736 pixels long, which of a strip takes all memory."""
    seen: list[RgbImage] = []
    found = SimpleNamespace(boxes=None, txts=None, scores=None)
    monkeypatch.setattr(rapidocr, "_engine", lambda image: seen.append(image) or found)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert rapidocr.read(image) == ()
    (given,) = seen
    assert max(given.shape[:2]) <= 8 * min(given.shape[:2])
    np.testing.assert_array_equal(given[: size[0], : size[1], ::-1], image)
    assert (given.shape == image.shape) == (min(size) * 8 >= max(size))

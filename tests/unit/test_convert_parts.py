"""Samples, parity and requests: the parts of convert that need no converter."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.tiny import tiny_tflite

from edgesr.cli.convert import parse_size
from edgesr.convert.pipeline import ConvertRequest, _parity_source, convert
from edgesr.convert.samples import crops, load_samples
from edgesr.convert.tflite import write_sample
from edgesr.convert.verify import measure_parity, run_tflite
from edgesr.data.images import write_png
from edgesr.errors import ConversionError, InputError, MissingExtraError, ParityError, UsageError
from edgesr.results.store import Workspace


def _images(folder: Path, count: int, height: int = 40, width: int = 60) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        write_png(folder / f"{i}.png", rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    return folder


def test_samples_of_a_folder(tmp_path: Path) -> None:
    samples = load_samples(_images(tmp_path / "images", 8), 2, (16, 24))
    assert samples.calibration.shape == (12, 16, 24, 3)
    assert samples.checked.shape == (2, 16, 24, 3)
    assert samples.calibration.min() == 0.0
    assert samples.calibration.max() == 1.0
    steps = samples.checked * 255
    assert np.abs(steps - steps.round()).max() < 1e-4
    assert samples.source == "images"


def test_samples_of_one_small_image_are_mirrored(tmp_path: Path) -> None:
    samples = load_samples(_images(tmp_path / "images", 1, 10, 10), 2, (16, 24))
    assert samples.calibration.shape == (1, 16, 24, 3)
    assert samples.checked.shape == (1, 16, 24, 3)


def test_parity_says_when_its_images_are_those_of_calibration(tmp_path: Path) -> None:
    few = load_samples(_images(tmp_path / "few", 3), 2, (16, 24))
    assert few.checked.shape[0] == 3
    assert _parity_source(few, "int8") == "few, the same images as for calibration"
    assert _parity_source(few, "fp32") == "few"
    enough = load_samples(_images(tmp_path / "enough", 4), 2, (16, 24))
    assert _parity_source(enough, "int8") == "enough"


def test_samples_of_pairs_are_the_low_res_images(tmp_path: Path) -> None:
    _images(tmp_path / "lr", 4)
    _images(tmp_path / "hr", 4, 80, 120)
    rows = "".join(f"lr/{i}.png,hr/{i}.png,\n" for i in range(4))
    (tmp_path / "pairs.csv").write_text("lr,hr,text\n" + rows)
    assert load_samples(tmp_path / "pairs.csv", 2, (40, 60)).checked.shape == (1, 40, 60, 3)
    assert load_samples(tmp_path, 2, (40, 60)).calibration.shape[0] == 3


def test_images_of_one_colour_tell_no_range(tmp_path: Path) -> None:
    write_png(tmp_path / "black.png", np.zeros((40, 40, 3), np.uint8))
    with pytest.raises(InputError, match="one colour"):
        load_samples(tmp_path, 2, (24, 24))


def test_no_images_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        load_samples(tmp_path, 2, (16, 16))
    with pytest.raises(InputError, match="neither a folder"):
        load_samples(tmp_path / "missing", 2, (16, 16))


def test_crops_put_contrast_first() -> None:
    image = np.zeros((30, 60, 3), np.uint8)
    image[:, 40:] = np.arange(20, dtype=np.uint8)[None, :, None] * 12
    found = crops(image, (30, 20), 9)
    assert len(found) == 3  # three distinct columns, one row
    assert found[0].std() > found[1].std() == 0


def test_sample_file_has_the_shape_onnx2tf_wants(tmp_path: Path) -> None:
    write_sample(np.full((3, 20, 200, 3), 0.5, np.float32), tmp_path / "a.npy")
    found = np.load(tmp_path / "a.npy")
    assert found.shape == (20, 128, 128, 3)
    assert found.dtype == np.float32
    assert (found == 0.5).all()


def test_parity_of_equal_and_of_different_pixels() -> None:
    expected = np.full((2, 4, 4, 3), 0.5, np.float32)
    assert measure_parity(expected, expected, "fp32", "x").psnr_db is None
    found = measure_parity(expected, expected + np.float32(0.001), "fp16", "x")
    assert found.psnr_db == pytest.approx(60, abs=0.01)
    assert found.max_abs == pytest.approx(0.001, rel=1e-3)
    with pytest.raises(ParityError, match=r"fp32: 60\.0 dB"):
        measure_parity(expected, expected + np.float32(0.001), "fp32", "x")
    with pytest.raises(ParityError, match="nan dB"):
        measure_parity(expected, expected * np.nan, "int8", "x")
    with pytest.raises(ParityError, match="output is"):
        measure_parity(expected, expected[:1], "int8", "x")


def test_integer_variants_are_compared_as_pixels() -> None:
    expected = np.full((1, 2, 2, 3), 1.2, np.float32)
    assert measure_parity(expected, np.ones_like(expected), "int8", "x").psnr_db is None
    with pytest.raises(ParityError):
        measure_parity(expected, np.ones_like(expected), "dynamic", "x")


def test_run_tflite_takes_and_gives_real_values(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 3)).astype(np.float32) / 255
    (tmp_path / "f.tflite").write_bytes(tiny_tflite())
    (tmp_path / "u.tflite").write_bytes(tiny_tflite(uint8_io=True))
    real, stored = (run_tflite(tmp_path / name, images) for name in ("f.tflite", "u.tflite"))
    assert real.shape == (2, 24, 32, 3)
    assert np.abs(real.clip(0, 1) - stored).max() <= 0.51 / 255
    (tmp_path / "b.tflite").write_bytes(b"TFL3TFL3TFL3")
    with pytest.raises(ConversionError, match=r"LiteRT refuses b\.tflite"):
        run_tflite(tmp_path / "b.tflite", images)


def test_sizes() -> None:
    assert parse_size("360x640") == (360, 640)
    for text in ("360", "axb", "360x640x3", ""):
        with pytest.raises(UsageError, match="HEIGHTxWIDTH"):
            parse_size(text)


def test_requests_that_make_no_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="out of range"):
        ConvertRequest("a.pt", size=(4, 640))
    with pytest.raises(UsageError, match="fp32 only"):
        ConvertRequest("a.pt", ("fp16",), backend="litert")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError) as caught:
        convert(ConvertRequest("a.pt", backend="litert"), Workspace(tmp_path))
    assert caught.value.exit_code == 9
    assert 'edgesr[litert]"' in caught.value.hint

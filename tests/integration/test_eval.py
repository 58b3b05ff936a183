"""`edgesr eval` from the command line to its files."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.tiny import tiny_tflite
from typer.testing import CliRunner, Result

from edgesr.cli.app import app
from edgesr.data.images import read_image, write_png
from edgesr.data.resize import imresize
from edgesr.data.slides import render_slide
from edgesr.quality.bicubic import upscale_bicubic


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


def document(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def write_rows(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["lr,hr,text", *(f"{lr},{hr}," for lr, hr in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two smooth pictures of scale 2; the second's HR is a row larger than twice the LR."""
    rng = np.random.default_rng(0)
    for name, (height, width) in {"first": (48, 64), "second": (41, 60)}.items():
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        hr = imresize(coarse, 8)[:height, :width]
        write_png(tmp_path / f"hr/{name}.png", hr)
        write_png(tmp_path / f"lr/{name}.png", imresize(hr[: height // 2 * 2], 0.5))
    rows = [(f"lr/{name}.png", f"hr/{name}.png") for name in ("first", "second")]
    return write_rows(tmp_path / "pairs.csv", rows)


def test_json_names_protocol_mean_and_images(pairs: Path) -> None:
    found = document("bicubic", "--pairs", pairs)
    assert [image["name"] for image in found["images"]] == ["first", "second"]
    for metric in ("psnr_y", "ssim_y"):
        values = [image[metric] for image in found["images"]]
        assert found["mean"][metric] == pytest.approx(sum(values) / 2)
    protocol = found["protocol"]
    assert (protocol["scale"], protocol["border_crop_px"], protocol["model"]) == (2, 2, "bicubic")
    assert protocol["pairs"] == str(pairs)
    assert protocol["model_sha256"] is None


def test_csv_summary_and_images_are_written(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files = ("--csv", out / "o.csv", "--summary", out / "o.json", "--save", out / "sr")
    found = document("bicubic", "--pairs", pairs.parent, *files)
    assert json.loads((out / "o.json").read_text()) == found
    rows = list(csv.DictReader((out / "o.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["first", "second"]
    assert float(rows[0]["psnr_y"]) == pytest.approx(found["images"][0]["psnr_y"], abs=1e-5)
    saved = read_image(out / "sr" / "first.png")
    expected = upscale_bicubic(read_image(pairs.parent / "lr/first.png"), 2)
    np.testing.assert_array_equal(saved, expected)


def test_the_table_shows_images_and_mean(pairs: Path) -> None:
    result = run("bicubic", "--pairs", pairs)
    assert result.exit_code == 0
    assert all(word in result.stdout for word in ("first", "second", "mean", "PSNR-Y"))


def test_identical_images_are_null_and_leave_the_mean_alone(pairs: Path) -> None:
    folder = pairs.parent
    perfect = upscale_bicubic(read_image(folder / "lr/first.png"), 2)
    write_png(folder / "hr/first.png", perfect)
    found = document("bicubic", "--pairs", pairs)
    assert found["images"][0]["psnr_y"] is None
    assert found["images"][0]["ssim_y"] == pytest.approx(1.0)
    assert found["mean"]["psnr_y"] == found["images"][1]["psnr_y"]
    only = write_rows(folder / "one.csv", [("lr/first.png", "hr/first.png")])
    assert document("bicubic", "--pairs", only)["mean"]["psnr_y"] is None
    assert "inf" in run("bicubic", "--pairs", only).stdout


def test_a_tflite_is_evaluated_with_its_digest(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.tflite").write_bytes(tiny_tflite())
    found = document(tmp_path / "tiny.tflite", "--pairs", pairs, "--threads", 1)
    assert len(found["protocol"]["model_sha256"]) == 64
    assert all(0 < image["psnr_y"] < 60 for image in found["images"])


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    """Part of a slide with its text, the same without, and an empty page, of scale 2."""
    page = render_slide(77, 2).image[230:476, 90:590]
    empty = np.full((60, 100, 3), 230, np.uint8)
    rows = ["lr,hr,text"]
    for name, hr, text in (
        ("known", page, '"Diffraction\nPhysics for Engineers, lecture 18\nProf. Hannah Fisher"'),
        ("unknown", page, ""),
        ("empty", empty, ""),
    ):
        write_png(tmp_path / f"{name}.png", hr)
        write_png(tmp_path / f"{name}-lr.png", imresize(hr, 0.5))
        rows.append(f"{name}-lr.png,{name}.png,{text}")
    (tmp_path / "pairs.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "pairs.csv"


def test_text_is_read_against_the_known_one_or_the_large_image(
    slides: Path, tmp_path: Path
) -> None:
    found = document(
        "bicubic", "--pairs", slides, "--ocr", "rapidocr", "--threads", 1,
        "--csv", tmp_path / "o.csv", "--summary", tmp_path / "o.json",
    )  # fmt: skip
    known, unknown, empty = found["images"]
    assert known["cer"] == pytest.approx(1 / 65)  # the text in the csv spells Fischer otherwise
    assert known["word_recall"] == pytest.approx(8 / 9)
    assert unknown["cer"] == 0.0
    assert [image["reference"] for image in found["images"]] == ["text", "truth-ocr", "none"]
    assert empty["cer"] is empty["word_recall"] is empty["confidence"] is None
    for metric in ("cer", "word_recall", "confidence"):
        assert found["mean"][metric] == pytest.approx((known[metric] + unknown[metric]) / 2)
    ocr = found["protocol"]["ocr"]
    assert (ocr["engine"], ocr["references"]) == (
        "rapidocr", {"text": 1, "truth-ocr": 1, "none": 1},
    )  # fmt: skip
    assert ocr["version"]
    assert ocr["language"]
    assert json.loads((tmp_path / "o.json").read_text()) == found
    rows = list(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    assert float(rows[0]["cer"]) == pytest.approx(known["cer"], abs=1e-6)
    assert (rows[2]["cer"], rows[2]["reference"]) == ("", "none")


def test_the_table_shows_what_was_read_and_how_many_count(slides: Path) -> None:
    result = run("bicubic", "--pairs", slides, "--ocr", "rapidocr", "--threads", 1)
    assert result.exit_code == 0
    assert all(word in result.stdout for word in ("CER", "word recall", "confidence", "no text"))
    assert "2 of 3 images" in result.stderr


def test_without_ocr_nothing_about_text_is_said(pairs: Path) -> None:
    found = document("bicubic", "--pairs", pairs)
    assert set(found["mean"]) == {"psnr_y", "ssim_y"}
    assert set(found["images"][0]) == {"name", "psnr_y", "ssim_y"}
    assert "ocr" not in found["protocol"]


def test_the_truth_is_read_as_well_as_can_be(slides: Path) -> None:
    found = document("truth", "--pairs", slides, "--ocr", "rapidocr", "--threads", 1)
    assert found["protocol"]["scale"] == 2
    assert all(image["psnr_y"] is None for image in found["images"])
    assert found["images"][1]["cer"] == 0.0
    assert found["mean"]["ssim_y"] == pytest.approx(1.0)


def test_two_models_are_compared_on_the_same_images(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.tflite").write_bytes(tiny_tflite())
    alone = document(tmp_path / "tiny.tflite", "--pairs", pairs)
    found = document(tmp_path / "tiny.tflite", "--pairs", pairs, "--against", "bicubic")
    other = document("bicubic", "--pairs", pairs)
    against = found.pop("against")
    assert found == alone
    assert against["model"] == "bicubic"
    assert against["mean"] == other["mean"]
    difference = against["difference"]["psnr_y"]
    assert difference["mean"] == pytest.approx(alone["mean"]["psnr_y"] - other["mean"]["psnr_y"])
    assert difference["n"] == 2
    assert difference["verdict"] == "tied"  # two images are too few to tell
    table = run(tmp_path / "tiny.tflite", "--pairs", pairs, "--against", "bicubic").stdout
    assert "against bicubic" in table
    same = document("bicubic", "--pairs", pairs, "--against", "bicubic")["against"]
    assert {one["verdict"] for one in same["difference"].values()} == {"tied"}


def test_means_have_intervals(pairs: Path) -> None:
    found = document("bicubic", "--pairs", pairs)
    for metric, mean in found["mean"].items():
        interval = found["interval"][metric]
        assert interval["low"] <= mean <= interval["high"]
        assert interval["n"] == 2


def test_the_worst_read_image_is_drawn(slides: Path, tmp_path: Path) -> None:
    result = run(
        "bicubic", "--pairs", slides, "--ocr", "rapidocr", "--threads", 1, "--worst", tmp_path / "w"
    )
    assert result.exit_code == 0
    (drawn,) = (tmp_path / "w").iterdir()  # the others were read without an error
    assert drawn.name == "1-known.png"
    picture = read_image(drawn)
    assert picture.shape[1] == 1600
    red = (picture.astype(int) - [194, 24, 7] == 0).all(-1)
    assert red.sum() > 50  # the frame around the line, and the marked signs
    fails(run("bicubic", "--pairs", slides, "--worst", tmp_path / "v"), 2, "--worst")


def test_a_second_call_is_answered_from_the_cache(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgesr.quality import evaluate as module
    from edgesr.quality.runners import open_runner_with

    opened: list[str] = []
    monkeypatch.setattr(
        module, "open_runner_with", lambda *args: opened.append(args[0]) or open_runner_with(*args)
    )
    monkeypatch.setenv("EDGESR_CACHE", str(tmp_path / "cache"))
    call = ("bicubic", "--pairs", slides, "--ocr", "rapidocr", "--threads", 1)
    first = document(*call)
    assert document(*call) == first
    assert len(opened) == 1
    assert document(*call, "--fresh") == first
    assert len(opened) == 2
    (entry,) = (tmp_path / "cache" / "eval").iterdir()
    entry.write_text(entry.read_text()[:-9])  # cut off
    assert document(*call) == first
    assert len(opened) == 3
    entry.write_text("")
    assert document(*call, "--fresh") == document(*call) == first  # the fresh one is kept
    assert len(opened) == 4
    slides.write_text(slides.read_text().replace("Fisher", "Fischer"))
    assert document(*call)["images"][0]["cer"] == 0.0
    assert len(opened) == 5


def test_lpips_is_taken_with_the_users_weights(pairs: Path, tmp_path: Path) -> None:
    fails(run("bicubic", "--pairs", pairs, "--lpips", tmp_path / "none.pth"), 3, "none.pth")


def fails(result: Result, code: int, *words: str) -> None:
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    error = result.stderr.splitlines()[0]
    assert all(word in error for word in words), error


def test_an_unknown_ocr_engine_is_a_usage_error(pairs: Path) -> None:
    fails(run("bicubic", "--pairs", pairs, "--ocr", "tesserocr"), 2, "tesserocr")


def test_a_missing_image_is_named(pairs: Path) -> None:
    (pairs.parent / "lr/second.png").unlink()
    fails(run("bicubic", "--pairs", pairs), 3, "pairs.csv", "second.png")


def test_an_image_that_is_none_is_named(pairs: Path) -> None:
    (pairs.parent / "lr/second.png").write_text("no picture")
    fails(run("bicubic", "--pairs", pairs), 3, "second.png")


def test_missing_pairs_are_named(tmp_path: Path) -> None:
    fails(run("bicubic", "--pairs", tmp_path / "none.csv"), 3, "none.csv")


def test_pairs_that_do_not_enlarge_are_named(pairs: Path) -> None:
    same = write_rows(pairs.parent / "same.csv", [("lr/first.png", "lr/first.png")])
    fails(run("bicubic", "--pairs", same), 3, "first", "not larger")


def test_a_model_of_another_scale_is_named(pairs: Path) -> None:
    fails(run("bicubic", "--scale", 4, "--pairs", pairs), 3, "first", "x4")


def test_a_scale_that_is_not_the_models_is_a_usage_error(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.tflite").write_bytes(tiny_tflite())
    fails(run(tmp_path / "tiny.tflite", "--scale", 3, "--pairs", pairs), 2, "tiny.tflite", "x3")


def test_a_model_of_unknown_kind_is_named(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "model.xyz").write_bytes(b"?")
    fails(run(tmp_path / "model.xyz", "--pairs", pairs), 3, "model.xyz")


def test_a_state_dict_of_no_network_is_named(pairs: Path, tmp_path: Path) -> None:
    torch.save({"a.weight": torch.zeros(3)}, tmp_path / "odd.pth")
    fails(run(tmp_path / "odd.pth", "--pairs", pairs), 3, "odd.pth")


def test_an_output_that_cannot_be_written_is_exit_8(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("bicubic", "--pairs", pairs, "--save", tmp_path / "file" / "sr")
    fails(result, 8, "sr")
    result = run("bicubic", "--pairs", pairs, "--csv", tmp_path / "file" / "o.csv")
    assert result.exit_code == 8
    assert (tmp_path / "file").read_text() == ""


SET5 = {
    ("bicubic", 2): (33.682, 0.9305),
    ("bicubic", 3): (30.405, 0.8690),
    ("bicubic", 4): (28.431, 0.8113),
    ("span_ch28_x4_slim.pth", 4): (31.739, None),
    ("realesr_animevideov3_x4.pth", 4): (28.233, None),
    ("elsr_x2_best.pth", 2): (32.951, None),
    ("espcn_tanh_x2.pt", 2): (34.217, None),
}


@pytest.mark.parametrize(("model", "scale"), SET5)
def test_published_figures_on_set5(shared: Path, tmp_path: Path, model: str, scale: int) -> None:
    names = sorted(path.stem for path in (shared / "Set5/HR").glob("*.png"))
    lr, hr = shared / f"Set5/LRbicx{scale}", shared / "Set5/HR"
    rows = [(f"{lr}/{name}x{scale}.png", f"{hr}/{name}.png") for name in names]
    pairs = write_rows(tmp_path / "set5.csv", rows)
    file = model if model == "bicubic" else shared / "checkpoints" / model
    flags = ("--activation", "tanh") if "tanh" in model else ()
    mean = document(file, "--pairs", pairs, *flags)["mean"]
    psnr, ssim = SET5[model, scale]
    assert mean["psnr_y"] == pytest.approx(psnr, abs=0.005)
    if ssim is not None:
        assert mean["ssim_y"] == pytest.approx(ssim, abs=1e-4)

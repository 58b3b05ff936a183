"""`edgesr eval --video` from the command line to its files."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
from fixtures.tiny import tiny_tflite
from typer.testing import CliRunner, Result

from edgesr.cli.app import app
from edgesr.data.footage import FootageOptions, write_footage


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


def document(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("footage") / "out"
    write_footage(
        out, FootageOptions(seconds=2, fps=10, seed=9, size=(320, 180), hold_s=(0.8, 1.1))
    )
    return out


def test_one_document_with_protocol_means_speed_and_frames(footage: Path, tmp_path: Path) -> None:
    found = document(
        "bicubic", "--video", footage / "lr.mp4", "--truth", footage / "hr.mp4",
        "--text", footage / "text.csv", "--ocr", "rapidocr", "--every", 8, "--threads", 1,
        "--csv", tmp_path / "o.csv", "--summary", tmp_path / "o.json",
    )  # fmt: skip
    assert {
        "psnr_y",
        "ssim_y",
        "cer",
        "word_recall",
        "confidence",
        "flicker",
        "flicker_bicubic",
    } <= (set(found["mean"]))
    assert found["speed"]["fps"] > 0
    assert found["speed"]["real_time_factor"] == pytest.approx(found["speed"]["fps"] / 10)
    assert found["speed"]["threads"] == 1
    numbers = [frame["frame"] for frame in found["frames"]]
    assert {0, 8, 16} <= set(numbers)
    assert found["protocol"]["frames_scored"] == len(numbers)
    read = [frame["cer"] for frame in found["frames"] if frame["cer"] is not None]
    assert read
    assert found["mean"]["cer"] == pytest.approx(math.fsum(read) / len(read))
    assert found["protocol"]["ocr"]["engine"] == "rapidocr"
    assert json.loads((tmp_path / "o.json").read_text()) == found
    rows = list(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    assert [int(row["frame"]) for row in rows] == numbers


def test_the_table_shows_frames_flicker_and_speed(footage: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.tflite").write_bytes(tiny_tflite())
    result = run(
        tmp_path / "tiny.tflite", "--video", footage / "lr.mp4", "--truth", footage / "hr.mp4",
        "--threads", 1,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert all(word in result.stdout for word in ("PSNR-Y", "SSIM-Y", "flicker", "speed"))
    assert "CER" not in result.stdout.replace("#CER", "").split("SSIM-Y:")[-1]


def test_without_a_truth_there_are_flicker_and_speed(footage: Path) -> None:
    found = document("bicubic", "--scale", 3, "--video", footage / "lr.mp4")
    assert set(found["mean"]) == {"flicker", "flicker_bicubic"}
    assert found["protocol"]["truth"] is None
    assert found["protocol"]["scale"] == 3
    result = run("bicubic", "--scale", 2, "--video", footage / "lr.mp4")
    assert result.exit_code == 0
    assert "speed" in result.stdout


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ((), "nothing"),
        (("--video", "lr.mp4", "--pairs", "pairs.csv"), "--pairs"),
        (("--video", "lr.mp4", "--save", "out"), "--save"),
        (("--video", "lr.mp4", "--against", "bicubic"), "--against"),
        (("--pairs", "pairs.csv", "--truth", "hr.mp4"), "--truth"),
        (("--pairs", "pairs.csv", "--every", "2"), "--every"),
        (("--video", "lr.mp4", "--ocr", "rapidocr"), "compare"),
        (("--video", "lr.mp4"), "scale"),
    ],
)
def test_flags_that_do_not_fit_together_are_usage_errors(
    footage: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], word: str
) -> None:
    monkeypatch.chdir(footage)
    result = run("bicubic", *flags)
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert word in result.stderr.splitlines()[0]


@pytest.mark.parametrize("flag", ["--video", "--truth", "--text"])
def test_a_missing_file_is_named(footage: Path, flag: str) -> None:
    files = {"--video": "lr.mp4", "--truth": "hr.mp4", "--text": "text.csv"} | {flag: "none.x"}
    flags = [part for name, file in files.items() for part in (name, footage / file)]
    result = run("bicubic", *flags)
    assert result.exit_code == 3, result.stderr
    assert "none.x" in result.stderr.splitlines()[0]
    assert result.stdout == ""


def test_a_file_that_cannot_be_written_is_exit_8(footage: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    flags = ("--scale", 2, "--video", footage / "lr.mp4")
    assert run("bicubic", *flags, "--csv", tmp_path / "file" / "o.csv").exit_code == 8

"""``edgesr ocr``: from two sets of images to a judge with a card, through the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from edgesr.cli.app import app
from tests.fixtures.vlm import (
    DIGITS,
    ODIA_LETTERS,
    has_font,
    merged_words,
    words,
    write_tiny_vlm,
    write_words,
)

TRAIN = ("prompt=Read.", "max_new_tokens=5", "batch_size=16", "lr=3e-3", "val_images=30")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def answer(*arguments: object) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def training(folder: Path, steps: int, check_every: int) -> list[object]:
    sets = [*TRAIN, f"steps={steps}", f"check_every={check_every}"]
    flags = [flag for setting in sets for flag in ("--set", setting)]
    model = ["--model", folder / "tiny", "--out", folder / "judge"]
    return ["ocr", "train", folder / "all.parquet", *model, *flags]


def test_merge_counts_and_says_so(tmp_path: Path) -> None:
    texts = words(12, 0)
    one, two = write_words(tmp_path / "a", texts[:8]), write_words(tmp_path / "b", texts[6:])
    out = tmp_path / "all.parquet"
    found = answer("ocr", "merge", one, f"other={two}", "--out", out, "--val", "0.1")
    assert found["total"]["read"] == 14
    assert found["kept"] == 12 == sum(found["splits"].values())
    assert found["sources"]["other"]["duplicates_across"] == 2
    done = run("ocr", "merge", one, "--out", out)
    assert done.exit_code == 0
    assert "8 images" in done.stdout
    (two / "0000.txt").write_text("else")
    assert run("ocr", "merge", one, two, "--out", out, "--strict").exit_code == 3


@pytest.mark.parametrize("share", ["x", "100%", "-1%", "1.5"])
def test_merge_refuses_a_share_that_is_none(share: str, tmp_path: Path) -> None:
    source = write_words(tmp_path / "a", words(2, 0))
    done = run("ocr", "merge", source, "--out", tmp_path / "a.parquet", f"--val={share}")
    assert done.exit_code == 2
    assert not (tmp_path / "a.parquet").exists()


def test_merge_needs_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("transformers", "peft", "datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    source = write_words(tmp_path / "a", words(3, 0))
    out = tmp_path / "a.parquet"
    assert answer("ocr", "merge", source, "--out", out)["kept"] == 3
    for call in (
        ("train", out, "--model", tmp_path),
        ("eval", out, "--model", tmp_path, "--split", "all"),
        ("export", tmp_path, tmp_path / "new"),
    ):
        assert run("ocr", *call).exit_code in (3, 9), call
    assert run("ocr", "train", out, "--model", tmp_path).exit_code == 9


def test_errors_have_their_exit_codes(tmp_path: Path) -> None:
    assert run("ocr", "merge", tmp_path / "no", "--out", tmp_path / "a.parquet").exit_code == 3
    assert run("ocr", "train", tmp_path / "no.parquet").exit_code == 2
    assert run("ocr", "eval", tmp_path / "no.parquet", "--model", "rapidocr").exit_code == 3
    done = run("ocr", "card", tmp_path, "--eval", tmp_path / "no.json")
    assert done.exit_code == 3
    assert "tells nothing" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("letters", [DIGITS, ODIA_LETTERS])
def test_from_images_to_a_card(letters: str, tmp_path: Path) -> None:
    """A tiny random model learns to read words that it has never seen."""
    pytest.importorskip("transformers")
    pytest.importorskip("peft")
    if not has_font(letters):
        pytest.skip("no font draws Odia here")
    write_tiny_vlm(tmp_path / "tiny")
    merged_words(tmp_path, count=400, letters=letters)
    done = answer(*training(tmp_path, 400, 100))
    best = Path(done["best"])
    reading = ("ocr", "eval", tmp_path / "all.parquet", "--batch-size", 16)
    found = answer(*reading, "--model", tmp_path / "tiny", "--model", best)
    base, adapted = found["readers"]
    assert base["overall"]["cer"]["mean"] > 1.0
    assert adapted["overall"]["cer"]["high"] < 0.5
    assert adapted["overall"]["exact_match"]["mean"] > 0.2
    (tmp_path / "eval.json").write_text(json.dumps(found))
    answer("ocr", "card", best, "--eval", tmp_path / "eval.json", "--license", "apache-2.0")
    assert f"{adapted['overall']['cer']['mean']:.4f}" in (best / "README.md").read_text()
    answer("ocr", "export", best, tmp_path / "merged")
    merged = answer(*reading, "--model", tmp_path / "merged")
    cer = merged["readers"][0]["overall"]["cer"]["mean"]
    assert cer == pytest.approx(adapted["overall"]["cer"]["mean"], abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("ends", [signal.SIGKILL, signal.SIGINT])
def test_killed_and_resumed(ends: signal.Signals, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("peft")
    for folder in (tmp_path / "straight", tmp_path / "killed"):
        write_tiny_vlm(folder / "tiny")
        merged_words(folder, count=60)
    assert launch(tmp_path / "straight").wait(300) == 0
    process = launch(tmp_path / "killed")
    while not (tmp_path / "killed/judge/checkpoint-000010").is_dir():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(ends)
    assert process.wait(60) == (130 if ends is signal.SIGINT else -ends)
    assert not (tmp_path / "killed/judge/checkpoint-000060").exists()
    assert launch(tmp_path / "killed", "--resume").wait(300) == 0
    for name in ("metrics.csv", "best/adapter_model.safetensors"):
        one, two = (
            (tmp_path / way / "judge" / name).read_bytes() for way in ("straight", "killed")
        )
        assert one == two, name
    assert not list((tmp_path / "killed/judge").glob(".*.part"))


def launch(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "edgesr", *map(str, training(folder, 60, 10)), *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        program, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

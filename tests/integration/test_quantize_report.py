"""`edgesr quantize-report` from the command line to its plot."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.quantized import network, quantized
from typer.testing import CliRunner, Result

from edgesr.cli.app import app
from edgesr.data.images import read_image, write_png
from edgesr.data.resize import imresize
from edgesr.models.checkpoint import save_checkpoint

LAYERS = ["conv1", "conv2", "conv3"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["quantize-report", *map(str, arguments)])


def document(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A small ESPCN."""
    model = network("espcn")
    save_checkpoint(tmp_path / "net.pt", model, {})
    return tmp_path / "net.pt"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Eight smooth pictures of scale 2."""
    random = np.random.default_rng(0)
    rows = ["lr,hr,text"]
    for place in range(8):
        hr = imresize(random.integers(0, 256, (8, 10, 3), dtype=np.uint8), 12)
        write_png(tmp_path / f"hr/{place}.png", hr)
        write_png(tmp_path / f"lr/{place}.png", imresize(hr, 0.5))
        rows.append(f"lr/{place}.png,hr/{place}.png,")
    (tmp_path / "pairs.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path / "pairs.csv"


def test_json_tells_every_layer_and_what_to_do(
    checkpoint: Path, pairs: Path, tmp_path: Path
) -> None:
    found = document(checkpoint, "--calibration", pairs, "--out", tmp_path / "out", "--budget", 99)
    assert [layer["layer"] for layer in found["layers"]] == LAYERS
    assert sum(layer["macs_share"] for layer in found["layers"]) == pytest.approx(1)
    lost = found["float"]["psnr_y"] - found["int8"]["psnr_y"]
    assert found["int8"]["drop_db"] == pytest.approx(lost)
    assert found["mixed"] is None
    assert (found["images"], found["tested_on"]) == (2, "pairs.csv")
    assert found["advice"][0].startswith("Quantize it as it is")
    assert found["files"] == [str(tmp_path / f"out/sensitivity.{kind}") for kind in ("png", "svg")]
    assert read_image(tmp_path / "out/sensitivity.png").shape[1] == 1720
    assert "conv2" in (tmp_path / "out/sensitivity.svg").read_text(encoding="utf-8")


def test_a_tight_budget_searches_for_mixed_precision(checkpoint: Path, pairs: Path) -> None:
    loose = document(checkpoint, "--calibration", pairs, "--budget", 99)
    budget = 0.6 * loose["int8"]["drop_db"]
    found = document(
        checkpoint, "--calibration", pairs, "--budget", budget, "--rounding", "nearest"
    )
    assert found["rounding"] == "nearest"
    assert set(found["int8_by_ranges"]) == {"minmax", "percentile"}
    mixed = found["mixed"]
    assert mixed["searched_drop_db"] <= budget
    assert 0 < mixed["macs_share"] < 1
    assert set(mixed["float_layers"]) < set(LAYERS)
    assert [point["float_layers"] for point in mixed["curve"]] == [3, 2, 1, 0]
    assert any("--mixed --budget" in sentence for sentence in found["advice"])


def test_the_table_and_the_words(checkpoint: Path, pairs: Path) -> None:
    result = run(checkpoint, "--calibration", pairs, "--budget", 0)
    assert result.exit_code == 0
    words = (*LAYERS, "integers everywhere", "like float", "edgesr train --recipe qat-lsq")
    assert all(word in result.stdout for word in words)


def test_images_without_a_truth_are_told_apart_by_likeness(checkpoint: Path, pairs: Path) -> None:
    found = document(checkpoint, "--calibration", pairs.parent / "lr")
    assert found["int8"]["drop_db"] is None
    assert found["float"]["psnr_y"] is None
    assert 30 < found["int8"]["likeness_db"] < 80
    assert found["mixed"] is None
    assert any("--test" in sentence for sentence in found["advice"])


def test_test_images_may_be_others(checkpoint: Path, pairs: Path) -> None:
    found = document(
        checkpoint, "--calibration", pairs.parent / "lr", "--test", pairs, "--budget", 0
    )
    assert found["int8"]["drop_db"] > 0
    assert found["images"] == 14
    assert any("was not searched for" in sentence for sentence in found["advice"])


def test_bad_input_is_one_line(checkpoint: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "trained.pt", quantized("espcn"), {})
    (tmp_path / "empty").mkdir()
    torch.save({"x": 1}, tmp_path / "strange.pt")
    cases: list[tuple[tuple[object, ...], int, str]] = [
        ((tmp_path / "missing.pt",), 3, "missing.pt"),
        ((tmp_path / "strange.pt",), 3, "strange.pt"),
        ((tmp_path / "trained.pt",), 2, "was trained for integers by lsq"),
        ((checkpoint, "--budget", -1), 2, "--budget -1 is below 0"),
        ((checkpoint, "--budget", "nan"), 2, "--budget nan is below 0 or no number"),
        ((checkpoint, "--calibration", tmp_path / "empty"), 3, "empty"),
        ((checkpoint, "--test", tmp_path / "none.csv"), 3, "none.csv"),
        ((checkpoint, "--scale", 4), 3, "scale"),
    ]
    for arguments, code, text in cases:
        result = run(*arguments)
        assert result.exit_code == code, (arguments, result.stderr)
        assert text in result.stderr
        assert len(result.stderr.splitlines()) <= 2
        assert not result.stdout

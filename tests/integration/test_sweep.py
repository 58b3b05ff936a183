"""`edgesr sweep` from the command line to its table, with and without real trainings."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from edgesr.cli.app import app
from edgesr.convert.graph import read_graph
from edgesr.convert.pipeline import ConvertRequest
from edgesr.errors import ConfigError, ConversionError, StoreError
from edgesr.models.checkpoint import load_checkpoint, save_checkpoint
from edgesr.quality.evaluate import EvalRequest, evaluate
from edgesr.results.manifest import VARIANTS
from edgesr.results.store import Candidate, Workspace
from edgesr.sweep import run as sweep_run
from edgesr.sweep.training import Schooling
from tests.fixtures.quantized import network
from tests.fixtures.tiny import tiny_candidate
from tests.fixtures.training import write_images


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    save_checkpoint(tmp_path / "mine.pt", network("espcn"), {})
    pairs = str(write_images(tmp_path / "images"))
    where = ["--out", str(tmp_path / "out"), "--data", pairs, "--test", pairs]
    short = ["--steps", "2", "--rounds", "1", "--threads", "1", "--size", "24x32"]
    return [str(tmp_path / "mine.pt"), *where, *short]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["sweep", *arguments])


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Trains nothing and converts to tiny networks; quality and latency stay real.

    pact diverges, 16x8 can't be converted. Lists what was trained.
    """
    trained = []

    def train(_self: Schooling, method: str, _progress: object = None) -> Path:
        trained.append(method)
        if method == "pact":
            raise ConfigError("training has diverged")
        return tmp_path / f"{method}.pt"

    def convert(request: ConvertRequest, workspace: Workspace, _: object) -> list[Candidate]:
        if "16x8" in request.variants:
            raise ConversionError("no kernel for it")
        order = {variant: seed for seed, variant in enumerate(VARIANTS)}
        wanted = [variant for variant in VARIANTS if variant in request.variants]
        return [tiny_candidate(workspace, each, seed=order[each]) for each in wanted]

    monkeypatch.setattr(Schooling, "train", train)
    monkeypatch.setattr(sweep_run, "convert", convert)
    return trained


def test_a_way_that_fails_costs_its_row_only(arguments: list[str], pretended: list[str]) -> None:
    result = run(*arguments, "--methods", "lsq,pact,16x8,fp16", "--json")
    assert result.exit_code == 10, result.stderr
    rows = {row["method"]: row for row in json.loads(result.stdout)["rows"]}
    assert list(rows) == ["float", "fp32", "lsq", "pact", "16x8", "fp16"]
    assert pretended == ["", "lsq", "pact"]
    assert rows["pact"]["error"] == "training has diverged"
    assert rows["16x8"]["error"] == "no kernel for it"
    for name in ("float", "fp32", "lsq", "fp16"):
        assert rows[name]["psnr_y"] > 5
        assert rows[name]["latency_us"]["cpu"] > 0
    assert "pact, 16x8" in result.stderr
    assert "sweep.json" in result.stderr


@pytest.mark.usefixtures("pretended")
def test_nothing_came_out_is_an_error_of_its_own(arguments: list[str]) -> None:
    result = run(*arguments, "--methods", "pact,16x8")
    assert result.exit_code == 7
    assert result.stdout.count("failed") == 2
    assert "16x8 failed: no kernel for it" in result.stderr


@pytest.mark.usefixtures("pretended")
def test_a_delegate_that_this_machine_lacks_is_null_with_the_reason(arguments: list[str]) -> None:
    result = run(*arguments, "--methods", "fp16", "--delegate", "cpu,gpu", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    for row in document["rows"]:
        assert row["latency_us"]["gpu"] is None
        assert any("gpu" in note and "Android" in note for note in row["notes"])
    assert "Nothing ran on gpu." in document["findings"]


@pytest.mark.usefixtures("pretended")
def test_ctrl_c_leaves_what_was_finished(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Schooling, "train", interrupted)
    result = run(*arguments, "--methods", "lsq,fp16")
    assert result.exit_code == 130
    assert {c.manifest.variant for c in Workspace(tmp_path / "out").candidates()} == {
        "fp32",
        "fp16",
    }
    (written,) = (tmp_path / "out" / "sweeps").glob("*/sweep.json")
    rows = json.loads(written.read_text())["rows"]
    assert [(row["method"], row["psnr_y"] > 5) for row in rows] == [("fp32", True), ("fp16", True)]


@pytest.mark.usefixtures("pretended")
def test_a_full_disk_ends_the_sweep(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Path:
        raise StoreError("can't write: the disk is full")

    monkeypatch.setattr(Schooling, "train", full)
    result = run(*arguments, "--methods", "lsq")
    assert result.exit_code == 8
    assert "disk is full" in result.stderr


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        (["--methods", "lqs"], 2, "did you mean lsq"),
        (["--methods", "int8-island"], 2, "no PReLU"),
        (["--delegate", "xnpack"], 2, "xnnpack"),
        (["--ocr", "rapidcr"], 2, "did you mean rapidocr"),
        (["--test", "nowhere.csv"], 3, "nowhere.csv does not exist"),
        (["--data", "nowhere"], 3, "nowhere does not exist"),
        (["--size", "big"], 2, "--size"),
        (["--set", "train.lrr=1"], 3, "did you mean 'lr'"),
    ],
)
def test_bad_input_is_told_before_the_work(
    arguments: list[str], pretended: list[str], changed: list[str], code: int, message: str
) -> None:
    result = run(*arguments, "--methods", "lsq", *changed)
    assert result.exit_code == code
    assert message in result.stderr
    assert not pretended


@pytest.mark.slow
def test_the_table_holds_what_the_files_are(arguments: list[str], tmp_path: Path) -> None:
    result = run(*arguments, "--methods", "lsq,fp16,ptq,int8", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    rows: dict[str, dict[str, Any]] = {row["method"]: row for row in document["rows"]}
    assert list(rows) == ["float", "fp32", "lsq", "fp16", "ptq", "int8"]
    for row in rows.values():
        path = Path(row["path"])
        dtypes = {tensor.dtype for tensor in read_graph(path).tensors}
        assert row["integer_only"] == (dtypes <= {"int8", "uint8", "int32"})
        assert row["size_bytes"] == path.stat().st_size
        again = evaluate(EvalRequest(str(path), tmp_path / "images" / "pairs.csv")).mean()
        assert row["psnr_y"] == pytest.approx(again["psnr_y"], abs=1e-6)
        reference = rows[row["reference"]]["psnr_y"]
        assert row["psnr_drop_db"] == pytest.approx(reference - row["psnr_y"])
        assert set(row["latency_us"]) == {"cpu", "xnnpack"}
    assert [name for name, row in rows.items() if row["integer_only"]] == ["lsq", "ptq"]
    assert (rows["lsq"]["reference"], rows["ptq"]["reference"]) == ("float", "fp32")
    assert rows["lsq"]["equal"] > 0.97
    trained = load_checkpoint(Path(document["folder"]) / "mine-lsq" / "best_model.pt")
    assert trained.spec.quantizer == "lsq"


@pytest.mark.slow
def test_the_same_command_takes_up_what_was_trained(arguments: list[str]) -> None:
    first = json.loads(run(*arguments, "--methods", "lsq", "--json").stdout)
    checkpoint = Path(first["folder"]) / "mine-lsq" / "best_model.pt"
    before = checkpoint.stat().st_mtime_ns
    second = json.loads(run(*arguments, "--methods", "lsq", "--json").stdout)
    assert checkpoint.stat().st_mtime_ns == before
    assert [row["candidate"] for row in second["rows"]] == [
        row["candidate"] for row in first["rows"]
    ]
    assert [row["psnr_y"] for row in second["rows"]] == [row["psnr_y"] for row in first["rows"]]

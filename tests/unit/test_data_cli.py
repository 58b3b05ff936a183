"""The verbs of ``edgesr data``."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edgesr.cli.data import Degrade, app
from edgesr.data.degrade import DEGRADATIONS
from edgesr.data.images import write_png


def _call(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def _photo(path: Path) -> None:
    write_png(path, np.random.default_rng(0).integers(0, 256, (24, 36, 3), dtype=np.uint8))


def test_slides_then_check(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, stdout, _ = _call("slides", out, "--count", 2, "--seed", 3, "--scale", 2)
    assert code == 0
    assert "2 pairs" in stdout
    code, stdout, _ = _call("check", out / "pairs.csv")
    assert (code, "no problems" in stdout) == (0, True)
    code, stdout, _ = _call("check", out, "--json")
    assert code == 0
    found = json.loads(stdout)
    assert (found["rows"], found["scale"], found["problems"]) == (2, 2, [])


def test_existing_out_needs_overwrite(tmp_path: Path) -> None:
    _photo(tmp_path / "in" / "a.png")
    assert _call("pairs", tmp_path / "in", tmp_path / "out")[0] == 0
    code, _, stderr = _call("pairs", tmp_path / "in", tmp_path / "out")
    assert code == 2
    assert "--overwrite" in stderr
    assert _call("pairs", tmp_path / "in", tmp_path / "out", "--overwrite", "--scale", 3)[0] == 0
    assert not (tmp_path / "out" / "lr_x2").exists()


def test_pairs_as_json(tmp_path: Path) -> None:
    _photo(tmp_path / "in" / "a.png")
    code, stdout, stderr = _call(
        "pairs", tmp_path / "in", tmp_path / "out", "--degrade", "real", "--seed", 4, "--json"
    )
    assert code == 0, stderr
    table = str(tmp_path / "out" / "pairs.csv")
    assert json.loads(stdout) == {"pairs": table, "count": 1, "scale": 2}


def test_the_source_is_never_overwritten(tmp_path: Path) -> None:
    _photo(tmp_path / "set" / "hr" / "a.png")
    (tmp_path / "set" / "pairs.csv").write_text("lr,hr,text\n")
    code, _, stderr = _call("pairs", tmp_path / "set" / "hr", tmp_path / "set", "--overwrite")
    assert code == 2, stderr
    assert (tmp_path / "set" / "hr" / "a.png").exists()


@pytest.mark.parametrize("as_json", [False, True])
def test_check_names_problems_and_exits_3(tmp_path: Path, as_json: bool) -> None:
    (tmp_path / "pairs.csv").write_text("lr,hr,text\n[b]x.png,y.png,\n")
    code, stdout, stderr = _call("check", tmp_path / "pairs.csv", *(["--json"] if as_json else []))
    assert code == 3
    assert "2 problems" in stderr
    if as_json:
        assert [problem["file"] for problem in json.loads(stdout)["problems"]] == [
            "[b]x.png", "y.png",
        ]  # fmt: skip
    else:
        assert stdout.splitlines() == [
            "line 2: [b]x.png: does not exist", "line 2: y.png: does not exist",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("pairs", "none", "out"), 3),
        (("check", "none.csv"), 3),
        (("slides", "out", "--pdf", "none.pdf"), 3),
        (("slides", "out", "--count", "0"), 2),
        (("slides", "out", "--scale", "7"), 2),
        (("pairs", "none", "out", "--degrade", "magic"), 2),
    ],
)
def test_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    got, stdout, stderr = _call(*arguments)
    assert got == code, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == []


def test_names_of_degradations_agree() -> None:
    assert {degrade.value for degrade in Degrade} == set(DEGRADATIONS)

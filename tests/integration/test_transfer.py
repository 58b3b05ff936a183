"""``edgesr transfer`` from the command line."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edgesr.cli.app import app
from edgesr.data.images import write_png
from edgesr.files import sha256_file
from edgesr.models.checkpoint import bundled_checkpoints, load_checkpoint
from edgesr.train.transfer.images import make_texture


def run(folder: Path, *arguments: str) -> Result:
    with contextlib.chdir(folder):
        return CliRunner().invoke(app, ["transfer", *arguments])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for index in range(6):
        write_png(
            tmp_path / "images" / f"{index}.png", make_texture(97, np.random.default_rng(index))
        )
    return tmp_path / "images"


def test_a_fit_on_images_of_the_user_is_written_with_its_figures(
    tmp_path: Path, pictures: Path
) -> None:
    out = tmp_path / "small.pt"
    result = run(
        tmp_path,
        *("residual-x2-slides", str(out), "--arch", "residual", "--features", "10"),
        *("--set", "blocks=1", "--data", str(pictures), "--json"),
    )
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["method"] == "fit"
    assert document["result"]["options"] == {"features": 10, "blocks": 1}
    truth = document["to_truth"]
    assert document["better_than_nearest"] == (truth["result"] > truth["nearest"])
    loaded = load_checkpoint(out)
    assert loaded.spec.options == {"features": 10, "blocks": 1}
    about = loaded.provenance["transfer"]
    assert about["source_sha256"] == sha256_file(bundled_checkpoints()["residual-x2-slides"])
    assert about["method"] == "fit"
    assert about["to_truth"] == truth
    assert about["images"] == [str(pictures)]


def test_another_scale_takes_the_head_by_itself_and_says_so_in_a_table(tmp_path: Path) -> None:
    result = run(tmp_path, "elsr-x2-slides", "x4.pt", "--scale", "4")
    assert result.exit_code == 0, result.stderr
    assert "head: x2 -> x4" in result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    values = {row[1]: float(row[3]) for row in rows if len(row) > 3 and row[0] == "│"}
    assert set(values) == {"source", "result", "nearest", "bicubic"}
    assert values["result"] > values["nearest"]
    assert result.stdout.splitlines()[-1] == "x4.pt: the start is better than nearest"
    assert load_checkpoint(tmp_path / "x4.pt").spec.scale == 4


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["elsr-x2-slides", "o.pt"], 2, "nothing to take over"),
        (["elsr-x2-slides", "o.pt", "--features", "6"], 2, "nothing to take over"),
        (["elsr-x2-slides", "o.pt", "--arch", "srvgg"], 2, "can't be taken over to srvgg"),
        (["elsr-x2-slides", "o.pt", "--arch", "elrs"], 2, "no network is called 'elrs'"),
        (["elsr-x2-slides", "o.pt", "--convs", "3"], 2, "elsr has no option 'convs'"),
        (["elsr-x2-slides", "o.pt", "--features", "4", "--method", "head"], 2, "sizes differ"),
        (["elsr-x2-slides", "o.pt", "--scale", "9"], 2, "--scale"),
        (["elsr-x2-slides", "o.pt", "--set", "features"], 2, "expected NAME=VALUE"),
        (["elsr-x2-slides", "o.pt", "--set", "features=many"], 2, "features = 'many'"),
        (["absent.pt", "o.pt", "--scale", "4"], 3, "absent.pt does not exist"),
        (["elsr-x2-slides", "o.pt", "--scale", "4", "--data", "absent"], 3, "absent"),
        (["elsr-x2-slides", "one.png", "--scale", "4", "--data", "one"], 3, "holds one image"),
        (["elsr-x2-slides", "one/o.png/o.pt", "--scale", "4", "--data", "two"], 8, "o.png"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    arguments: list[str], code: int, message: str, tmp_path: Path
) -> None:
    picture = make_texture(64, np.random.default_rng(0))
    for path in ("one/o.png", "two/a.png", "two/b.png"):
        write_png(tmp_path / path, picture)
    result = run(tmp_path, *arguments)
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
    assert not (tmp_path / "o.pt").exists()


def test_the_source_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    path.write_bytes(bundled_checkpoints()["elsr-x2-slides"].read_bytes())
    result = run(tmp_path, "c.pt", "./c.pt", "--scale", "4")
    assert result.exit_code == 2
    assert "the same file" in result.stderr


def test_an_activation_that_shapes_do_not_tell_is_taken_from_the_call(
    tmp_path: Path, pictures: Path
) -> None:
    import torch

    model = load_checkpoint("espcn-x2-slides").model
    torch.save(model.state_dict(), tmp_path / "foreign.pt")
    arguments = ("foreign.pt", "o.pt", "--features", "32", "--data", str(pictures))
    result = run(tmp_path, *arguments, "--set", "activation=tanh")
    assert result.exit_code == 0, result.stderr
    assert load_checkpoint(tmp_path / "o.pt").spec.options["activation"] == "tanh"

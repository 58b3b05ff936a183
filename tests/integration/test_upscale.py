"""`edgesr upscale` from the command line to its files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.clips import Recipe, contents, moving, write_clip
from fixtures.tiny import tiny_tflite
from PIL import Image
from typer.testing import CliRunner, Result

from edgesr.cli.app import app
from edgesr.data.images import read_image
from edgesr.quality.runners import open_runner


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["upscale", *map(str, arguments)])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_tflite(48, 64))
    return path


def test_a_video_through_a_tflite(tmp_path: Path, model: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", Recipe(audio="aac"), range(9))
    result = run(source, tmp_path / "out.mp4", "--model", model, "--threads", 2, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    assert (found["frames"], found["size_in"], found["size_out"]) == (9, [64, 48], [128, 96])
    assert (found["audio_streams"], found["workers"], found["scale"]) == (1, 2, 2)
    assert found["model_sha256"] == open_runner(str(model)).sha256
    assert found["fps"] > 0
    assert found["realtime_factor"] == pytest.approx(found["fps"] / 25)
    assert found["peak_rss_mib"] > 10
    before, after = contents(source), contents(tmp_path / "out.mp4")
    assert (after.times, after.sound) == (before.times, before.sound)
    expected = open_runner(str(model)).upscale(before.images[3])
    luma = [image @ (0.299, 0.587, 0.114) for image in (after.images[3], expected)]
    assert abs(luma[0] - luma[1]).mean() < 8  # of random weights, whose colours 4:2:0 can't hold
    assert np.corrcoef(luma[0].ravel(), luma[1].ravel())[0, 1] > 0.95


def test_threads_change_no_pixel(tmp_path: Path, model: Path) -> None:
    source = tmp_path / "in.png"
    Image.fromarray(moving(0)).save(source)
    for threads in (1, 2):
        out = tmp_path / f"{threads}.png"
        assert run(source, out, "--model", model, "--threads", threads).exit_code == 0
    assert (read_image(tmp_path / "1.png") == read_image(tmp_path / "2.png")).all()


def test_a_bundled_checkpoint_at_scale_three(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", times=range(3))
    result = run(source, tmp_path / "out.mkv", "--model", "elsr-x3-slides", "--codec", "h265")
    assert result.exit_code == 0, result.stderr
    assert "192x144" in result.stdout
    assert "no sound" in result.stdout
    assert contents(tmp_path / "out.mkv").images[0].shape == (144, 192, 3)


def test_a_folder_and_its_second_call(tmp_path: Path) -> None:
    for name in ("a.png", "sub/b.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(moving(0)).save(path)
    (tmp_path / "in" / "c.png").write_text("broken")
    arguments = (tmp_path / "in", tmp_path / "out", "--model", "bicubic", "--scale", 2)
    first = run(*arguments, "--json")
    assert first.exit_code == 10
    assert len(json.loads(first.stdout)["written"]) == 2
    assert "c.png" in first.stderr
    (tmp_path / "in" / "c.png").unlink()
    second = run(*arguments)
    assert second.exit_code == 0
    assert "2 were there already" in second.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("none.mp4", "o.mp4", "--model", "bicubic", "--scale", 2), 3),
        (("in.mp4", "in.mp4", "--model", "bicubic", "--scale", 2), 2),
        (("in.mp4", "o.mp4", "--model", "bicubic"), 2),
        (("in.mp4", "o.mp4", "--model", "none.tflite"), 3),
        (("in.mp4", "o.mp4", "--model", "in.mp4"), 3),
        (("in.mp4", "o.mp4", "--model", "bicubic", "--scale", 2, "--crf", 99), 2),
        (("in.mp4", "o.mp4", "--model", "bicubic", "--scale", 2, "--preset", "warp"), 2),
        (("in.mp4", "o.mp4", "--model", "elsr-x2-slides", "--scale", 3), 3),
        (("in.mp4", "o.mp4"), 2),
    ],
)
def test_exit_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "in.mp4", times=range(2))
    result = run(*arguments)
    assert result.exit_code == code, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]

"""What users do wrong, and what machines do to them: one clear line, the documented exit code."""

import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from edgesr.data.images import write_png
from edgesr.models.checkpoint import save_checkpoint
from edgesr.models.registry import ModelSpec, build_model


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch bomb-went-off",)


def small_files_only() -> None:
    """As on a full disk, the kernel refuses to write beyond 20 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def edgesr(folder: Path, *arguments: str, full_disk: bool = False) -> tuple[int, str]:
    result = subprocess.run(
        [sys.executable, "-m", "edgesr", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=small_files_only if full_disk else None,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert "Traceback" not in result.stderr
    return result.returncode, result.stdout + result.stderr


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "good.pt"
    model = build_model(ModelSpec("elsr", 2))
    model.start_at_interpolation()
    save_checkpoint(path, model, {})
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    image = np.random.default_rng(1).integers(0, 255, (32, 48, 3)).astype(np.uint8)
    write_png(tmp_path / "hr.png", image)
    write_png(tmp_path / "lr.png", image[::2, ::2])
    (tmp_path / "pairs.csv").write_text("lr,hr,text\nlr.png,hr.png,\n")
    return tmp_path / "pairs.csv"


def test_bad_checkpoints_are_refused_before_anything_is_written(
    checkpoint: Path, tmp_path: Path
) -> None:
    bad = {
        "cut.pt": (checkpoint.read_bytes()[:-300], "damaged"),
        "bomb.pkl": (pickle.dumps(Bomb()), "wants to run code"),
        "text.pt": (b"hello", "damaged"),
    }
    for name, (data, _) in bad.items():
        (tmp_path / name).write_bytes(data)
    torch.save({"strange.weight": torch.zeros(2)}, tmp_path / "unknown.pt")
    before = files(tmp_path)
    for name, message in [(n, m) for n, (_, m) in bad.items()] + [("unknown.pt", "no known")]:
        code, stderr = edgesr(tmp_path, "convert", name)
        assert code == 3, stderr
        assert name in stderr
        assert message in stderr
    assert files(tmp_path) == before


def test_an_image_that_is_none_and_a_missing_one_are_named(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "lr.png").write_bytes(b"not a picture")
    for verb in (["eval", "bicubic", "--pairs"], ["data", "check"]):
        code, stderr = edgesr(tmp_path, *verb, pairs.name)
        assert code == 3
        assert "lr.png" in stderr
    (tmp_path / "lr.png").unlink()
    for verb in (["eval", "bicubic", "--pairs"], ["data", "check"]):
        code, stderr = edgesr(tmp_path, *verb, pairs.name)
        assert code == 3
        assert "lr.png" in stderr
    assert files(tmp_path) == {"hr.png", "pairs.csv"}


def test_a_full_disk_leaves_nothing_half_written(pairs: Path, tmp_path: Path) -> None:
    before = files(tmp_path)
    code, stderr = edgesr(tmp_path, "data", "slides", "out", "--count", "1", full_disk=True)
    assert code == 8, stderr
    assert "file size limit" in stderr
    config = tmp_path / "c.toml"
    config.write_text(
        f'[model]\narch = "elsr"\nscale = 2\n[data]\ntrain = "{pairs}"\nval = "{pairs}"\n'
        "[train]\nepochs = 1\nsteps_per_epoch = 1\nbatch_size = 1\npatch = 8\n"
        "[model.options]\nfeatures = 32"
    )
    code, stderr = edgesr(tmp_path, "train", "c.toml", "--out", "run", full_disk=True)
    assert code == 8, stderr
    assert files(tmp_path) - before <= {"c.toml", "run"}


def test_a_read_only_workspace_is_named(checkpoint: Path, tmp_path: Path) -> None:
    """The kernel lets nobody make a folder below /sys, not even root."""
    where = ("--workspace", "/sys/edgesr")
    code, stderr = edgesr(tmp_path, "convert", str(checkpoint), "--size", "16x24", *where)
    assert code == 8, stderr
    assert "/sys/edgesr" in stderr
    code, stderr = edgesr(tmp_path, "train", "--recipe", "elsr-tiny", *where)
    assert code == 8, stderr
    assert files(tmp_path) == {"good.pt"}

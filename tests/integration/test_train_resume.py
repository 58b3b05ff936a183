"""A training that is killed and resumed ends bit for bit as one that was not."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgesr.config import parse_config
from edgesr.errors import CheckpointError, ConfigError, InputError, UsageError
from edgesr.models.checkpoint import read_document
from edgesr.train.config import TrainingConfig
from edgesr.train.loop import TrainRequest, TrainResult, train
from edgesr.train.state import StateFolder
from edgesr.train.step import Optimisation
from tests.fixtures.training import ADVERSARIAL, config, metrics, tree, write_images

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_images(tmp_path / "pairs")


def run(settings: TrainingConfig, out: Path, **how: bool) -> TrainResult:
    return train(TrainRequest(settings, out, **how))


def stop_at(monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """The optimiser's so-manieth step is interrupted, once."""
    real, count = Optimisation.step, 0

    def stops(self: Optimisation, *args: Any) -> Any:
        nonlocal count
        count += 1
        if count == calls:
            raise KeyboardInterrupt
        return real(self, *args)

    monkeypatch.setattr(Optimisation, "step", stops)


def tensors(value: Any, key: str = "") -> dict[str, Any]:
    """Every leaf of a document by its path."""
    if isinstance(value, dict):
        return {
            k: v for name, item in value.items() for k, v in tensors(item, f"{key}/{name}").items()
        }
    if isinstance(value, list | tuple):
        return tensors(dict(enumerate(value)), key)
    return {key: value}


def assert_identical(one: Path, two: Path) -> None:
    """Every weight, average, moment, discriminator and row is the same, but for the speed."""
    leaves = [tensors(read_document(folder / "last_model.pt")) for folder in (one, two)]
    assert leaves[0].keys() == leaves[1].keys()
    compared = 0
    for key, value in leaves[0].items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, leaves[1][key]), key
            compared += 1
        elif not key.endswith(("images_per_s", "/workers")):
            assert value == leaves[1][key], key
    assert compared > 10
    tables = [metrics(folder) for folder in (one, two)]
    for first, second in zip(*tables, strict=True):
        assert {**first, "images_per_s": ""} == {**second, "images_per_s": ""}


@pytest.mark.parametrize("workers", [0, 2])
def test_stopped_in_an_epoch_and_resumed(
    workers: int, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(config(pairs), tmp_path / "straight")
    with monkeypatch.context() as patch:
        stop_at(patch, 8)  # in the middle of the second epoch
        with pytest.raises(KeyboardInterrupt):
            run(config(pairs, workers=workers), tmp_path / "stopped")
    run(config(pairs, workers=workers), tmp_path / "stopped", resume=True)
    assert_identical(tmp_path / "straight", tmp_path / "stopped")


def test_adversarial_training_stopped_and_resumed(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(pairs, **{**ADVERSARIAL, "epochs": 2, "steps_per_epoch": 3})
    run(settings, tmp_path / "straight")
    with monkeypatch.context() as patch:
        stop_at(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            run(settings, tmp_path / "stopped")
    run(settings, tmp_path / "stopped", resume=True)
    assert_identical(tmp_path / "straight", tmp_path / "stopped")
    keys = tensors(read_document(tmp_path / "stopped/last_model.pt"))
    assert any("/discriminator/" in key for key in keys)


def test_stopped_between_and_in_stages(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = staged(pairs)
    run(settings, tmp_path / "straight")
    for calls in (4, 8, 9, 15):  # the last step of a stage, the first of the next, in the third
        out = tmp_path / f"stopped{calls}"
        with monkeypatch.context() as patch:
            stop_at(patch, calls)
            with pytest.raises(KeyboardInterrupt):
                run(settings, out)
        run(settings, out, resume=True)
        assert_identical(tmp_path / "straight", out)
        for name in ("stage_a.pt", "stage_b.pt", "best_model.pt"):
            first, second = (
                read_document(f / name)["params"] for f in (tmp_path / "straight", out)
            )
            assert all(torch.equal(first[key], second[key]) for key in first)


def staged(pairs: Path) -> TrainingConfig:
    stages = [
        {"name": "a", "epochs": 2, "steps_per_epoch": 4},
        {"name": "b", "epochs": 1, "steps_per_epoch": 4, "lr": 1e-4},
        {"name": "c", "epochs": 2, "steps_per_epoch": 3, "loss": "mse", "weights": "stage:a"},
    ]
    return parse_config({**tree(pairs), "stage": stages}, TrainingConfig, source="test")


def write_config(folder: Path, pairs: Path, *, workers: int, adversarial: bool) -> Path:
    loss = "loss = { l1 = 1.0, adversarial = 0.1 }\nadversarial = { features = 8 }\npatch = 16"
    path = folder / "config.toml"
    path.write_text(
        f'seed = 3\n[model]\narch = "elsr"\nscale = 2\n[data]\ntrain = "{pairs}"\nval = "{pairs}"\n'
        f"workers = {workers}\n[train]\nepochs = 3\nsteps_per_epoch = 4\nbatch_size = 2\n"
        f"samples = 0\n{loss if adversarial else 'patch = 12'}\n"
    )
    return path


def launch(*arguments: object, processes: int = 1) -> int:
    """Trains in processes of their own; the exit code, negative for a signal."""
    program = ["-m", "tests.fixtures.training", *map(str, arguments)]
    if processes > 1:
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
        program = [*torchrun, str(processes), *program]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *program],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        timeout=300,
    )
    return done.returncode


@pytest.mark.slow
@pytest.mark.parametrize("adversarial", [False, True])
def test_killed_in_an_epoch_and_resumed(adversarial: bool, pairs: Path, tmp_path: Path) -> None:
    path = write_config(tmp_path, pairs, workers=2, adversarial=adversarial)
    assert launch(path, tmp_path / "straight", -1) == 0
    assert launch(path, tmp_path / "killed", 6) == -signal.SIGKILL
    assert (tmp_path / "killed/checkpoint_epoch_001.pt").is_file()
    assert launch(path, tmp_path / "killed", -1, "--resume") == 0
    assert_identical(tmp_path / "straight", tmp_path / "killed")


@pytest.mark.slow
@pytest.mark.parametrize("adversarial", [False, True])
def test_two_processes_killed_and_resumed(adversarial: bool, pairs: Path, tmp_path: Path) -> None:
    path = write_config(tmp_path, pairs, workers=0, adversarial=adversarial)
    assert launch(path, tmp_path / "straight", -1, processes=2) == 0
    assert launch(path, tmp_path / "killed", 6, processes=2) != 0
    assert not (tmp_path / "killed/checkpoint_epoch_003.pt").exists()
    assert launch(path, tmp_path / "killed", -1, "--resume", processes=2) == 0
    assert_identical(tmp_path / "straight", tmp_path / "killed")
    document = read_document(tmp_path / "killed/last_model.pt")
    assert document["trainer"]["processes"] == 2
    assert launch(path, tmp_path / "alone", -1) == 0
    alone = read_document(tmp_path / "alone/last_model.pt")["params"]
    assert any(not torch.equal(alone[key], document["params"][key]) for key in alone)


def test_killed_before_the_first_epoch(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(config(pairs), tmp_path / "straight")
    with monkeypatch.context() as patch:
        stop_at(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(config(pairs), tmp_path / "stopped")
    run(config(pairs), tmp_path / "stopped", resume=True)
    assert_identical(tmp_path / "straight", tmp_path / "stopped")


def test_a_damaged_last_checkpoint_falls_back(pairs: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "out", []
    run(config(pairs), tmp_path / "straight")
    run(config(pairs), out)
    for name, cut in (("last_model.pt", 1000), ("checkpoint_epoch_003.pt", -200)):
        data = bytearray((out / name).read_bytes())
        data[len(data) // 2] ^= 0xFF  # one byte of a weight
        (out / name).write_bytes(data[:cut] if cut > 0 else data)
    train(TrainRequest(config(pairs), out, resume=True), note=said.append)
    assert sum("is damaged" in line and "going back" in line for line in said) == 2
    assert any("checkpoint_epoch_002.pt, after epoch 2" in line for line in said)
    assert_identical(tmp_path / "straight", out)
    for path in out.glob("*_model.pt"):
        path.unlink()
    for path in out.glob("checkpoint_*"):
        path.write_bytes(b"PK junk")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read"):
        run(config(pairs), out, resume=True)


def test_any_damage_is_passed_over(pairs: Path, tmp_path: Path) -> None:
    run(config(pairs, epochs=1), tmp_path)
    whole = (tmp_path / "last_model.pt").read_bytes()
    random = np.random.default_rng(1)
    places = random.choice(len(whole), 150, replace=False).tolist()
    places += range(len(whole) - 400, len(whole) - 20, 5)  # the directory at the end
    passed = 0
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        (tmp_path / "last_model.pt").write_bytes(damaged)
        found = StateFolder(tmp_path, config(pairs, epochs=1)).find()
        passed += bool(found.notes)
        assert found.progressed.epochs == 1
        assert all(
            torch.equal(value, read_document(tmp_path / "checkpoint_epoch_001.pt")["params"][key])
            for key, value in found.document["params"].items()
        )
    assert passed > 100


def test_a_fall_back_into_a_stage_that_was_done(pairs: Path, tmp_path: Path) -> None:
    settings = staged(pairs)
    run(settings, tmp_path / "straight")
    run(settings, tmp_path / "out")
    for name in ("last_model", *(f"checkpoint_epoch_00{n}" for n in (2, 3, 4, 5))):
        (tmp_path / f"out/{name}.pt").write_bytes(b"gone")
    (tmp_path / "out/.last_model.pt.1.part").write_bytes(b"of a process that was killed")
    run(settings, tmp_path / "out", resume=True)
    assert_identical(tmp_path / "straight", tmp_path / "out")
    for name in ("stage_a.pt", "stage_b.pt", "best_model.pt"):
        first, second = (
            read_document(tmp_path / folder / name)["params"] for folder in ("straight", "out")
        )
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert not list((tmp_path / "out").glob(".*.part"))


def test_what_can_not_be_resumed_is_said(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="nothing to resume"):
        run(config(pairs), out, resume=True)
    run(config(pairs, epochs=1), out)
    with pytest.raises(UsageError, match="already holds a training"):
        run(config(pairs, epochs=1), out)
    with pytest.raises(
        ConfigError, match=r"another config: stage\.main\.train\.lr was 0\.001, is 0\.5"
    ):
        run(config(pairs, epochs=1, lr=0.5), out, resume=True)
    (pairs.parent / "hr1.png").write_bytes((pairs.parent / "hr0.png").read_bytes() + b"more")
    with pytest.raises(InputError, match="not those it was started with"):
        run(config(pairs, epochs=1), out, resume=True)


def test_a_finished_training_resumes_to_itself(pairs: Path, tmp_path: Path) -> None:
    first = run(config(pairs), tmp_path)
    again = run(config(pairs, workers=1), tmp_path, resume=True)
    assert again.last.end == first.last.end
    assert again.last.best == tmp_path / "best_model.pt"

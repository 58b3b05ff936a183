"""Training of an adapter: exact resume, what is kept, and what is refused."""

import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgesr.errors import (
    CheckpointError,
    ConfigError,
    InputError,
    MissingExtraError,
    ParityError,
    UsageError,
)
from edgesr.judge import adapter as adapters
from edgesr.judge.adapter import export_merged
from edgesr.judge.batches import batch_indices
from edgesr.judge.config import JudgeConfig, load_judge_config
from edgesr.judge.train import JudgeRequest, JudgeResult, JudgeTrainer, train_judge
from edgesr.quality.ocr import open_engine
from edgesr.quality.vlm.files import find_vlm
from tests.fixtures.vlm import merged_words, render, write_tiny_vlm

pytest.importorskip("transformers")
pytest.importorskip("peft")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vlm(tmp_path_factory.mktemp("vlm") / "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return merged_words(tmp_path_factory.mktemp("words"))


def config(tiny: Path, **changes: Any) -> JudgeConfig:
    settings = {
        "model": str(tiny),
        "prompt": "Read.",
        "max_new_tokens": 4,
        "steps": 6,
        "batch_size": 3,
        "accumulate": 2,
        "lr": 3e-3,
        "warmup": 2,
        "check_every": 2,
        "val_images": 2,
        "lora": {"rank": 4, "alpha": 4, "dropout": 0.1},
    }
    return JudgeConfig(**{**settings, **changes})


def run(data: Path, settings: JudgeConfig, out: Path, **how: bool) -> JudgeResult:
    return train_judge(JudgeRequest(data, settings, out, **how), lambda _: None, lambda *_: None)


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    real = JudgeTrainer._loss

    def stops(self: JudgeTrainer, number: int) -> Any:
        if number == step:
            raise KeyboardInterrupt
        return real(self, number)

    monkeypatch.setattr(JudgeTrainer, "_loss", stops)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def assert_identical(one: Path, two: Path) -> None:
    assert (one / "metrics.csv").read_text() == (two / "metrics.csv").read_text()
    for name in ("best", "checkpoint-000006"):
        first, second = weights(one / name), weights(two / name)
        assert first.keys() == second.keys()
        assert len(first) > 10
        assert all(torch.equal(first[key], second[key]) for key in first)
    states = [torch.load(f / "checkpoint-000006/trainer.pt", weights_only=True) for f in (one, two)]
    moments = [state["optimiser"]["state"] for state in states]
    for number, found in moments[0].items():
        assert all(torch.equal(found[key], moments[1][number][key]) for key in found)


@pytest.fixture(scope="module")
def straight(tiny: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("straight") / "judge"
    run(data, config(tiny), out)
    return out


@pytest.mark.parametrize("forward", [4, 7, 11])  # two per step: at a checkpoint, in a step, last
def test_stopped_and_resumed(
    forward: int,
    tiny: Path,
    data: Path,
    straight: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, forward)
        with pytest.raises(KeyboardInterrupt):
            run(data, config(tiny), tmp_path)
    torch.manual_seed(forward)  # resume must not depend on the program's own random state
    run(data, config(tiny), tmp_path, resume=True)
    assert_identical(straight, tmp_path)


def test_other_seeds_train_otherwise(
    tiny: Path, data: Path, straight: Path, tmp_path: Path
) -> None:
    run(data, config(tiny, seed=1), tmp_path)
    assert (tmp_path / "metrics.csv").read_text() != (straight / "metrics.csv").read_text()


def test_a_finished_training_resumed_changes_nothing(
    tiny: Path, data: Path, straight: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(straight, tmp_path / "judge"))
    result = run(data, config(tiny), out, resume=True)
    assert result.steps == 6
    assert_identical(straight, out)
    with pytest.raises(UsageError, match="already holds a training"):
        run(data, config(tiny), out)


def test_damage_goes_back_to_the_checkpoint_before(
    tiny: Path, data: Path, straight: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(straight, tmp_path / "judge"))
    path = out / "checkpoint-000006/adapter_model.safetensors"
    damaged = bytearray(path.read_bytes())
    damaged[-5] ^= 1
    path.write_bytes(damaged)
    shutil.rmtree(out / "best")  # as a kill between two renames leaves it
    (out / ".checkpoint-000008.x.part").mkdir()
    said: list[str] = []
    request = JudgeRequest(data, config(tiny), out, resume=True)
    train_judge(request, said.append, lambda *_: None)
    assert "going back" in said[0]
    assert_identical(straight, out)
    assert not list(out.glob(".*.part"))
    assert (out / "metrics.csv").read_text() == (straight / "metrics.csv").read_text()
    for state in out.glob("checkpoint-*/trainer.pt"):
        state.write_bytes(b"PK junk")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read"):
        run(data, config(tiny), out, resume=True)


def test_a_resume_writes_the_metrics_and_spoils_no_best(
    tiny: Path, data: Path, straight: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(straight, tmp_path / "judge"))
    (out / "metrics.csv").unlink()  # as a kill right after the last checkpoint leaves it
    step = run(data, config(tiny), out, resume=True).best_step
    assert (out / "metrics.csv").read_text() == (straight / "metrics.csv").read_text()
    best = out / "best/adapter_model.safetensors"
    good, kept = best.read_bytes(), out / f"checkpoint-{step:06d}"
    if kept == max(out.glob("checkpoint-*")):  # the newest that is whole must be another one
        newer = Path(shutil.copytree(kept, out / "checkpoint-000099"))
        assert newer.is_dir()
    (kept / "adapter_model.safetensors").write_bytes(b"junk")
    run(data, config(tiny), out, resume=True)
    assert best.read_bytes() == good


def test_another_config_base_or_data_is_refused(
    tiny: Path, data: Path, straight: Path, tmp_path: Path
) -> None:
    def resume(settings: JudgeConfig, on: Path = data) -> None:
        run(on, settings, straight, resume=True)

    with pytest.raises(ConfigError, match=r"another lr: lr was 0\.003, is 0\.1"):
        resume(config(tiny, lr=0.1))
    with pytest.raises(ConfigError, match="another data"):
        resume(config(tiny), merged_words(tmp_path, seed=5))
    other = write_tiny_vlm(tmp_path / "other", seed=3)
    with pytest.raises(ConfigError, match="another base"):
        resume(config(other))
    moved = Path(shutil.copytree(tiny, tmp_path / "moved"))
    resume(config(moved, keep_checkpoints=5))
    with pytest.raises(UsageError, match="nothing to resume"):
        run(data, config(tiny), tmp_path / "new", resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        run(data, config(tiny), tmp_path / "file")


def test_what_is_kept(straight: Path) -> None:
    notes = json.loads((straight / "best/edgesr_judge.json").read_text())
    assert not (straight / "best/trainer.pt").exists()
    assert not (straight / "best/README.md").exists()
    best = straight / f"checkpoint-{notes['step']:06d}"
    assert (best / "adapter_model.safetensors").read_bytes() == (
        straight / "best/adapter_model.safetensors"
    ).read_bytes()
    checkpoints = {path.name for path in straight.glob("checkpoint-*")}
    assert checkpoints == {"checkpoint-000004", "checkpoint-000006", best.name}
    lines = (straight / "metrics.csv").read_text().splitlines()
    cers = {int(c[0]): float(c[3]) for c in (line.split(",") for line in lines[1:]) if c[3]}
    assert set(cers) == {0, 2, 4, 6}
    assert cers[notes["step"]] == min(value for step, value in cers.items() if step)
    assert notes["validation"]["val_cer"] == cers[notes["step"]]
    assert sum(notes["data"]["sources"].values()) == notes["data"]["train_images"]
    assert len(lines) == 1 + 7


def test_an_adapter_as_engine_asks_as_in_training(
    tiny: Path, data: Path, straight: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(data, config(tiny, language="digits", steps=2), out)
    engine = open_engine(f"vlm:{out / 'best'}")
    assert engine.language == "digits"
    found = find_vlm(str(out / "best"))
    assert (found.asking.prompt, found.asking.max_new_tokens) == ("Read.", 4)
    assert found.adapter == out / "best"
    assert found.base == tiny
    assert (
        len({found.sha256, find_vlm(str(straight / "best")).sha256, find_vlm(str(tiny)).sha256})
        == 3
    )
    assert engine.read(render("12")) == engine.read(render("12"))


def test_an_adapter_refuses_another_base(tiny: Path, straight: Path, tmp_path: Path) -> None:
    best = Path(shutil.copytree(straight / "best", tmp_path / "best"))
    settings = best / "adapter_config.json"
    written = json.loads(settings.read_text())
    digest = find_vlm(str(best)).sha256
    moved = shutil.copytree(tiny, tmp_path / "moved")
    settings.write_text(json.dumps({**written, "base_model_name_or_path": str(moved)}))
    assert find_vlm(str(best)).sha256 == digest
    other = write_tiny_vlm(tmp_path / "other", seed=3)
    settings.write_text(json.dumps({**written, "base_model_name_or_path": str(other)}))
    with pytest.raises(CheckpointError, match="another base"):
        find_vlm(str(best))
    settings.write_text(json.dumps({**written, "base_model_name_or_path": "./gone"}))
    with pytest.raises(InputError, match=r"base model of .* is missing"):
        find_vlm(str(best))
    settings.write_text(json.dumps({**written, "base_model_name_or_path": None}))
    with pytest.raises(CheckpointError, match="names no base"):
        find_vlm(str(best))


def test_a_merged_export_answers_the_same(
    straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "merged"
    assert export_merged(straight / "best", out) < 1e-4
    assert not (out / "adapter_config.json").exists()
    words = [render(word) for word in ("12", "90", "456")]
    one, two = open_engine(f"vlm:{straight / 'best'}"), open_engine(f"vlm:{out}")
    for image in words:
        assert [line.text for line in one.read(image)] == [line.text for line in two.read(image)]
    with pytest.raises(UsageError, match="exists"):
        export_merged(straight / "best", out)
    with pytest.raises(UsageError, match="holds no adapter"):
        export_merged(out, tmp_path / "again")
    monkeypatch.setattr(adapters, "_TOLERANCE", {torch.float32: 0.0})
    with pytest.raises(ParityError, match="answers otherwise"):
        export_merged(straight / "best", tmp_path / "wrong")
    assert not [path for path in tmp_path.iterdir() if "wrong" in path.name]


def test_layers_are_chosen(tiny: Path, data: Path, tmp_path: Path) -> None:
    for name, lora in {
        "language": {"targets": "language"},
        "named": {"targets": ["q_proj", "v_proj"]},
        "whole": {"targets": "all-linear", "also_train": ["embed_tokens"]},
    }.items():
        run(data, config(tiny, steps=1, lora={"rank": 2, **lora}), tmp_path / name)
    languages = weights(tmp_path / "language/best")
    assert all("language_model" in key for key in languages)
    assert len(languages) == 2 * 2 * 7
    assert len(weights(tmp_path / "named/best")) == 2 * 2 * 2
    assert any("embed_tokens" in key for key in weights(tmp_path / "whole/best"))
    settings = config(tiny, steps=1, lora={"rank": 2, "targets": ["nowhere"]})
    with pytest.raises(ConfigError, match="no adapter fits"):
        run(data, settings, tmp_path / "none")


def test_a_loss_that_is_no_number(tiny: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the loss is"):
        run(data, config(tiny, lr=1e30, warmup=0, steps=10), tmp_path)


def test_a_set_without_validation_images(tiny: Path, tmp_path: Path) -> None:
    from edgesr.judge.merge import MergeOptions, merge
    from edgesr.judge.sources import parse_sources
    from tests.fixtures.vlm import write_words

    source = write_words(tmp_path / "words", ["12", "34"])
    merge(parse_sources([str(source)]), tmp_path / "a.parquet", MergeOptions(0, 0), lambda *_: None)
    with pytest.raises(InputError, match="no images in its split val"):
        run(tmp_path / "a.parquet", config(tiny), tmp_path / "out")


def test_without_the_extra(
    tiny: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError):
        run(data, config(tiny), tmp_path / "out")


def test_batches_are_a_function_of_seed_and_number() -> None:
    epochs = [i for number in range(10) for i in batch_indices(25, 5, seed=3, batch=number)]
    assert Counter(epochs) == dict.fromkeys(range(25), 2)
    assert epochs[:25] != epochs[25:]
    assert batch_indices(25, 5, seed=3, batch=7) == epochs[35:40]
    assert batch_indices(3, 8, seed=0, batch=0) != batch_indices(3, 8, seed=1, batch=0)
    assert set(batch_indices(3, 8, seed=0, batch=0)) == {0, 1, 2}
    assert np.array_equal(batch_indices(1, 2, 0, 5), [0, 0])


def test_a_config_from_file_and_settings(tmp_path: Path) -> None:
    path = tmp_path / "judge.toml"
    path.write_text('model = "a"\nsteps = 5\n[lora]\nrank = 8\n')
    loaded = load_judge_config(path, "b", ["lora.alpha=3", "prompt=What is it?"])
    assert (loaded.model, loaded.steps, loaded.lora.rank, loaded.lora.alpha) == ("b", 5, 8, 3)
    assert loaded.asking.prompt == "What is it?"
    assert load_judge_config(None, "b", []).model == "b"
    assert load_judge_config(None, "", ["model=c"]).model == "c"
    with pytest.raises(UsageError, match="no base model"):
        load_judge_config(None, "", ["steps=3"])
    for wrong in ("stepz=3", "steps=0", "lora.rank=x", "max_pixels=10", "lora.targets=all"):
        with pytest.raises(ConfigError):
            load_judge_config(None, "b", [wrong])

"""Training: it learns, it writes what it promises, and what is wrong is said before it costs."""

import errno
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from accelerate import Accelerator

from edgesr.config import parse_config
from edgesr.data.images import read_image
from edgesr.errors import ConfigError, InputError, PairsError, StoreError, UsageError
from edgesr.models.checkpoint import load_checkpoint, read_document
from edgesr.models.registry import ModelSpec, build_model
from edgesr.quality.text import TextScore
from edgesr.train import stage as stage_module
from edgesr.train.config import TrainingConfig
from edgesr.train.loop import Trainer, TrainRequest, TrainResult, train
from edgesr.train.losses import L1Loss
from edgesr.train.patches import PatchDataset, StepSampler, batches, to_device
from edgesr.train.scenes import Scenes, open_training
from edgesr.train.stage import Stage, Surroundings
from tests.fixtures.training import ADVERSARIAL, config, metrics, tree, write_images


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_images(tmp_path / "pairs")


def run(settings: TrainingConfig, out: Path, **how: bool) -> TrainResult:
    return train(TrainRequest(settings, out, **how))


def parsed(document: dict[str, Any]) -> TrainingConfig:
    return parse_config(document, TrainingConfig, source="test")


def test_training_improves_on_its_start_and_writes_its_files(pairs: Path, tmp_path: Path) -> None:
    settings = config(
        pairs, epochs=4, steps_per_epoch=40, batch_size=8, lr=4e-3, ema=0.9, samples=1,
        keep_checkpoints=2,
    )  # fmt: skip
    out = tmp_path / "out"
    result = run(settings, out).last
    assert result.end.psnr_y > result.start.psnr_y + 0.5
    rows = metrics(out)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert {"train_loss", "train_l1", "val_psnr_y", "val_ssim_y", "val_l1", "lr"} <= set(rows[0])
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    best = load_checkpoint(out / "best_model.pt")
    assert best.provenance["config"] == settings.model_dump(mode="json")
    assert best.provenance["data_sha256"].keys() == {"main"}
    assert best.provenance["validation"]["psnr_y"] == pytest.approx(result.end.psnr_y, abs=1e-6)
    kept = sorted(path.name for path in out.glob("checkpoint_*"))
    assert kept == ["checkpoint_epoch_003.pt", "checkpoint_epoch_004.pt"]
    assert (out / "best_loss_model.pt").is_file()
    assert list((out / "tensorboard").glob("events*"))
    (picture,) = (out / "samples/epoch_004").iterdir()
    assert read_image(picture).std() > 10


def test_the_average_is_what_is_validated_and_saved(pairs: Path, tmp_path: Path) -> None:
    run(config(pairs, epochs=1, ema=0.5), tmp_path)
    document = read_document(tmp_path / "last_model.pt")
    assert document["trainer"]["averaged_steps"] == 5
    name = "layer5.weight"
    assert not torch.equal(document["params"][name], document["params_ema"][name])
    best = read_document(tmp_path / "best_model.pt")["params"]
    assert torch.equal(best[name], document["params_ema"][name])


def test_a_batch_depends_on_seed_step_and_rank_only(pairs: Path) -> None:
    (stage,) = config(pairs, batch_size=3).stage
    dataset = PatchDataset(open_training(stage.data, 2, 1), stage, (1, 0))
    from_start = list(batches(dataset, range(6)))
    from_four = list(batches(dataset, range(4, 6)))
    for straight, later in zip(from_start[4:], from_four, strict=True):
        assert torch.equal(straight.lr, later.lr)
        assert torch.equal(straight.hr, later.hr)
    other_rank = next(batches(dataset, range(4, 5), rank=1))
    assert not torch.equal(other_rank.lr, from_start[4].lr)
    assert list(StepSampler(4, 6, 2, rank=1)) == [(4, 1, 0), (4, 1, 1), (5, 1, 0), (5, 1, 1)]


@pytest.mark.parametrize("degrade", ["bicubic", "real"])
def test_patches_of_both_sides_show_the_same_place(degrade: str, tmp_path: Path) -> None:
    write_images(tmp_path)
    for small in tmp_path.glob("lr*"):
        small.unlink()
    (tmp_path / "pairs.csv").unlink()
    document = tree(tmp_path)
    document["data"]["degrade"] = degrade
    (stage,) = parsed(document).stage
    dataset = PatchDataset(open_training(stage.data, 2, 1), stage, (1, 0))
    aligned, shifted = [], []
    for batch in batches(dataset, range(20)):
        found = to_device(batch, torch.device("cpu"))
        assert found.lr.shape == (2, 3, 12, 12)
        assert found.hr.shape == (2, 3, 24, 24)
        small = torch.nn.functional.avg_pool2d(found.hr, 2)
        aligned.append((small - found.lr).abs().mean())
        shifted.append((small.roll(1, dims=3) - found.lr)[..., 1:].abs().mean())
    assert torch.stack(aligned).mean() < 0.1
    assert torch.stack(aligned).mean() < 0.7 * torch.stack(shifted).mean()


def test_images_smaller_than_a_patch_are_mirrored_alike(pairs: Path) -> None:
    (stage,) = config(pairs, patch=40, augment=False).stage  # low-res images are 32x24
    dataset = PatchDataset(open_training(stage.data, 2, 1), stage, (1, 0))
    for batch in batches(dataset, range(4)):
        found = to_device(batch, torch.device("cpu"))
        assert found.lr.shape == (2, 3, 40, 40)
        assert torch.equal(found.lr[:, :, 24:40], found.lr[:, :, 8:24].flip(2))
        small = torch.nn.functional.avg_pool2d(found.hr, 2)
        assert (small - found.lr).abs().mean() < 0.03


def test_accumulated_batches_are_one_larger_batch(pairs: Path, tmp_path: Path) -> None:
    run(config(pairs, batch_size=4), tmp_path / "whole")
    run(config(pairs, batch_size=2, accumulate=2), tmp_path / "halves")
    one, two = (
        read_document(tmp_path / name / "last_model.pt")["params"] for name in ("whole", "halves")
    )
    for key in one:
        assert torch.allclose(one[key], two[key], atol=1e-4), key


def test_stages_start_from_the_result_of_another(pairs: Path, tmp_path: Path) -> None:
    stages = [
        {"name": "x2", "epochs": 1, "steps_per_epoch": 80, "lr": 4e-3, "ema": 0.9},
        {"name": "again", "epochs": 1, "steps_per_epoch": 1, "lr": 1e-9, "lr_end": 0},
        {"name": "x4", "scale": 4, "transfer": "head", "patch": 8, "epochs": 1, "loss": "mse"},
    ]
    document = {**tree(pairs.parent), "stage": stages}
    for path in (pairs, *pairs.parent.glob("lr*")):
        path.unlink()
    result = run(parsed(document), tmp_path / "out")
    first, second, third = result.stages
    assert first.end.psnr_y > first.start.psnr_y
    assert second.start.psnr_y == pytest.approx(first.end.psnr_y, abs=1e-3)
    assert load_checkpoint(tmp_path / "out/stage_x2.pt").spec.scale == 2
    assert third.best == tmp_path / "out/best_model.pt"
    assert load_checkpoint(third.best).spec.scale == 4
    rows = metrics(tmp_path / "out")
    assert [(row["stage"], row["epoch"]) for row in rows] == [
        ("x2", "1"),
        ("again", "2"),
        ("x4", "3"),
    ]


def test_a_stage_ends_early_without_progress(pairs: Path, tmp_path: Path) -> None:
    result = run(config(pairs, epochs=9, lr=1e-12, lr_end=0, patience=2), tmp_path).last
    assert result.steps < 9 * 5
    assert result.end == result.start


def test_a_smaller_network_learns_from_a_larger_one(pairs: Path, tmp_path: Path) -> None:
    teacher = build_model(ModelSpec("residual", 2))
    teacher.start_at_interpolation()
    from edgesr.models.checkpoint import save_checkpoint

    save_checkpoint(tmp_path / "teacher.pt", teacher, {})
    settings = config(
        pairs, loss={"l1": 0.5, "distill": 0.5}, distill={"teacher": str(tmp_path / "teacher.pt")}
    )
    run(settings, tmp_path / "out")
    rows = metrics(tmp_path / "out")
    assert 0 < float(rows[-1]["train_distill"]) < 0.2


def test_the_discriminator_waits_for_its_step(pairs: Path, tmp_path: Path) -> None:
    late = {**ADVERSARIAL, "adversarial": {"features": 8, "start_step": 4}}
    run(config(pairs, epochs=2, steps_per_epoch=4, **late), tmp_path)
    first, second = metrics(tmp_path)
    assert first["train_discriminator"] == ""
    assert float(second["train_discriminator"]) > 0
    assert float(second["train_adversarial"]) > 0


def test_dry_run_checks_every_stage_and_writes_nothing(pairs: Path, tmp_path: Path) -> None:
    document = {**tree(pairs), "stage": [{"name": "a"}, {"name": "b", "loss": "mse"}]}
    plans = Trainer(TrainRequest(parsed(document), tmp_path / "out")).plan()
    assert [plan.name for plan in plans] == ["a", "b"]
    assert plans[1].start.psnr_y > 10
    assert plans[1].memory_mb > 50
    assert not (tmp_path / "out").exists()


def test_divergence_saves_the_batch_and_keeps_the_last_checkpoint(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nan_later(_: L1Loss, sample: Any) -> torch.Tensor:
        calls.append(1)
        value: torch.Tensor = (sample.sr - sample.hr).abs().mean()
        return value * float("nan") if len(calls) > 7 else value

    calls: list[int] = []
    monkeypatch.setattr(L1Loss, "forward", nan_later)
    with pytest.raises(ConfigError, match="step 7 of stage main: training has diverged") as caught:
        run(config(pairs), tmp_path)
    assert "stage.main.train.lr=0.00025" in caught.value.hint
    batch = read_document(tmp_path / "diverged_step_7_rank_0.pt")
    assert batch["lr"].shape == (2, 3, 12, 12)
    assert all(torch.isfinite(value).all() for value in batch["params"].values())
    assert read_document(tmp_path / "last_model.pt")["trainer"]["epoch"] == 1


def test_unreadable_images_are_named_and_too_many_end_it(pairs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(4):
        whole = (pairs.parent / f"hr{number % 3}.png").read_bytes()
        (folder / f"{number}.png").write_bytes(whole if number < 3 else whole[:200])
    document = tree(pairs, workers=2)
    document["data"]["train"] = str(folder)
    said: list[str] = []
    train(TrainRequest(parsed(document), tmp_path / "out"), note=said.append)
    (left_out,) = [line for line in said if line.startswith("left out")]
    assert str(folder / "3.png") in left_out
    document["data"]["max_unreadable"] = 0
    with pytest.raises(InputError, match=r"1 training images can't be read.*3\.png") as caught:
        run(parsed(document), tmp_path / "strict")
    assert "max_unreadable" in caught.value.hint
    assert "\n" not in str(caught.value)


def test_memory_that_runs_out_names_a_smaller_batch(pairs: Path, tmp_path: Path) -> None:
    settings = config(pairs, batch_size=4096, patch=24, accumulate=2)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    run(config(pairs, epochs=1), tmp_path / "warm")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (150 << 20), hard))
    try:
        with pytest.raises(ConfigError, match="out of memory with batches of 4096") as caught:
            run(settings, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert "stage.main.train.batch_size=2048" in caught.value.hint
    assert "train.accumulate=4" in caught.value.hint


def test_a_worker_that_is_killed_is_no_bug_of_ours(pairs: Path, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        f'[model]\narch = "elsr"\nscale = 2\n[data]\ntrain = "{pairs}"\nval = "{pairs}"\n'
        "workers = 1\n[train]\nepochs = 1000\nsteps_per_epoch = 20\npatch = 12\nsamples = 0\n"
    )
    command = [sys.executable, "-m", "edgesr", "train", str(path), "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as training:
        assert training.stderr
        line = next(line for line in training.stderr if "epoch 2/" in line)
        assert "images/s" in line
        parent = psutil.Process(training.pid)
        (worker,) = (each for each in parent.children() if each.cmdline() == parent.cmdline())
        worker.kill()
        said = training.stderr.read()
        assert training.wait(60) == 3
    assert "a process that reads images ended" in said
    assert "--resume" in said
    assert "Traceback" not in said


def test_a_full_disk_keeps_the_state_before(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgesr.train import state

    real = state.write_bytes

    def full(path: Path, data: bytes) -> None:
        if path.name == "checkpoint_epoch_002.pt":
            raise StoreError(f"can't write {path}: {errno.errorcode[errno.ENOSPC]}")
        real(path, data)

    monkeypatch.setattr(state, "write_bytes", full)
    with pytest.raises(StoreError, match="can't write"):
        run(config(pairs), tmp_path)
    assert read_document(tmp_path / "last_model.pt")["trainer"]["epoch"] == 1
    assert not list(tmp_path.glob("*.tmp*"))


def test_what_does_not_fit_is_said_first(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(PairsError, match="smaller than half the patch"):
        run(config(pairs, patch=500), tmp_path / "a")
    run(config(pairs, epochs=1), tmp_path / "a")  # no epoch was trained there: it may start again
    with pytest.raises(UsageError, match="is a file"):
        run(config(pairs), pairs)
    document = tree(pairs)
    document["data"]["train"] = "slides:many:1"
    with pytest.raises(ConfigError, match="slides:COUNT:SEED"):
        run(parsed(document), tmp_path / "b")
    document = tree(pairs)
    document["model"]["scale"] = 3
    with pytest.raises(PairsError):
        run(parsed(document), tmp_path / "c")
    document = tree(pairs)
    document["data"]["degrade"] = "bicubik"
    with pytest.raises(ConfigError, match="no degradation is called"):
        run(parsed(document), tmp_path / "d")
    document = {**tree(pairs), "stage": [{"name": "a"}, {"name": "b", "scale": 4}]}
    document["data"]["val"] = document["data"]["train"] = "slides:1:1"
    document["train"]["epochs"] = 1
    with pytest.raises(ConfigError, match="wants elsr x4, its weights are elsr x2") as caught:
        Trainer(TrainRequest(parsed(document), tmp_path / "e")).plan()
    assert "head" in caught.value.hint


class FakeReading:
    """Reads what it is told to, one error rate after another."""

    rates: tuple[float | None, ...] = ()

    def __init__(self) -> None:
        self._left = list(self.rates)

    def score(self, *_: object, **__: object) -> TextScore:
        rate = self._left.pop(0)
        confidence = None if rate is None else 0.5
        return TextScore(
            cer=rate,
            wer=rate,
            word_recall=rate,
            exact_lines=rate,
            confidence=confidence,
            reference="text",
        )


def reading(monkeypatch: pytest.MonkeyPatch, *rates: float | None) -> None:
    monkeypatch.setattr(FakeReading, "rates", rates)
    monkeypatch.setattr(stage_module, "ReadabilityBenchmark", FakeReading)


def test_the_error_rate_selects_and_patience_counts_readings_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = write_images(tmp_path / "pairs", count=1)
    reading(monkeypatch, 0.5, 0.4, 0.3, 0.35, 0.35)
    settings = config(pairs, epochs=20, select="ocr_primary", ocr_every=3, patience=2)
    result = run(settings, tmp_path / "out").last
    assert result.steps == 12 * 5  # readings after 3, 6, 9 and 12 epochs, the last two no better
    assert (result.start.cer, result.end.cer) == (0.5, 0.3)
    best = read_document(tmp_path / "out/best_model.pt")["provenance"]
    assert (best["epoch"], best["validation"]["cer"]) == (6, 0.3)
    assert (tmp_path / "out/best_ocr_model.pt").is_file()
    read = [row["val_cer"] for row in metrics(tmp_path / "out")]
    assert read[:6] == ["", "", "0.4", "", "", "0.3"]


def test_without_text_to_read_the_error_rate_can_not_select(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading(monkeypatch, None, None, None)
    with pytest.raises(ConfigError, match="ocr_primary can't be measured"):
        run(config(pairs, select="ocr_primary"), tmp_path / "out")


def test_the_newest_weights_are_the_result_where_that_is_asked(pairs: Path, tmp_path: Path) -> None:
    result = run(config(pairs, lr=1.0, ema=0, select="last", patience=1), tmp_path).last
    assert result.end.psnr_y < result.start.psnr_y
    assert result.steps == 15
    best, last = (read_document(tmp_path / f"{name}_model.pt") for name in ("best", "last"))
    assert torch.equal(best["params"]["layer1.weight"], last["params_ema"]["layer1.weight"])


def test_images_that_a_transfer_looked_at_are_degraded_anew(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    (tmp_path / "images/pairs.csv").unlink()
    document = tree(tmp_path / "images")
    document["data"]["degrade"] = "real"
    document["model"] = {"arch": "residual", "scale": 2, "options": {"features": 8},
                         "weights": "residual-x2-slides", "transfer": "fit"}  # fmt: skip
    (config_,) = parsed(document).stage
    around = Surroundings(Accelerator(cpu=True), 1, tmp_path, lambda _: None)
    stage = Stage(around, 0, config_, {})
    assert [stage.scenes[index].lr for index in range(3)] == [None, None, None]


def test_a_random_degradation_is_the_same_in_every_validation(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    (tmp_path / "images/pairs.csv").unlink()
    document = tree(tmp_path / "images")
    document["data"]["degrade"] = "real"
    (stage,) = parsed(document).stage
    one, two = (open_training(stage.data, 2, seed) for seed in (1, 2))
    assert np.array_equal(one.whole(1)[0], two.whole(1)[0])
    assert isinstance(one, Scenes)

"""Training: it learns, it resumes exactly, and what is wrong is said before anything is lost."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edgesr.config import parse_config
from edgesr.data.images import write_png
from edgesr.data.resize import imresize
from edgesr.errors import CheckpointError, ConfigError, PairsError, UsageError
from edgesr.models.checkpoint import load_checkpoint, read_document
from edgesr.train.config import TrainConfig, TrainingConfig
from edgesr.train.loop import Trainer, TrainRequest, TrainResult, train
from edgesr.train.patches import ImagePairs, PatchDataset, StepSampler, batches
from edgesr.train.schedules import learning_rate


@pytest.fixture
def pairs_csv(tmp_path: Path) -> Path:
    """Three pairs x2 of soft random shapes."""
    random = np.random.default_rng(5)
    folder = tmp_path / "pairs"
    rows = ["lr,hr,text"]
    for i in range(3):
        blocks = random.integers(0, 255, (6, 8, 3)).astype(np.uint8)
        hr = imresize(np.kron(blocks, np.ones((16, 16, 1), np.uint8)), 1 / 2)
        write_png(folder / f"hr{i}.png", hr)
        write_png(folder / f"lr{i}.png", imresize(hr, 1 / 2))
        rows.append(f"lr{i}.png,hr{i}.png,")
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    return folder / "pairs.csv"


def config(pairs_csv: Path, **train: object) -> TrainingConfig:
    table = {"epochs": 3, "steps_per_epoch": 5, "batch_size": 2, "patch": 12, **train}
    data = {"train": str(pairs_csv), "val": str(pairs_csv)}
    tree = {"seed": 3, "model": {"arch": "elsr", "scale": 2}, "data": data, "train": table}
    return parse_config(tree, TrainingConfig, source="test")


def run(settings: TrainingConfig, out: Path, **how: bool) -> TrainResult:
    return train(TrainRequest(settings, out, **how))


def test_training_improves_on_its_start(pairs_csv: Path, tmp_path: Path) -> None:
    settings = config(pairs_csv, epochs=4, steps_per_epoch=40, batch_size=8, lr=4e-3, ema=0.9)
    result = run(settings, tmp_path / "out")
    assert result.end.psnr_y > result.start.psnr_y + 0.5
    rows = (tmp_path / "out/metrics.csv").read_text().splitlines()
    assert len(rows) == 5
    assert rows[0].startswith("epoch,step,train_loss")
    assert load_checkpoint(result.best).provenance["config"] == settings.model_dump(mode="json")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stopped_and_resumed_run_is_bit_identical(
    workers: int, pairs_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(pairs_csv)
    run(settings, tmp_path / "straight")
    settings = settings.model_copy(
        update={"data": settings.data.model_copy(update={"workers": workers})}
    )
    real = Trainer._step

    def stops(self: Trainer, step: int, *batch: torch.Tensor) -> torch.Tensor:
        if step == 7:  # in the middle of the second epoch
            raise KeyboardInterrupt
        return real(self, step, *batch)

    monkeypatch.setattr(Trainer, "_step", stops)
    with pytest.raises(KeyboardInterrupt):
        run(settings, tmp_path / "stopped")
    monkeypatch.setattr(Trainer, "_step", real)
    run(settings, tmp_path / "stopped", resume=True)

    one, two = (read_document(tmp_path / d / "last_model.pt") for d in ("straight", "stopped"))
    for part in ("params", "params_ema"):
        assert all(torch.equal(one[part][key], two[part][key]) for key in one[part])
    moments = (document["trainer"]["optimizer"]["state"] for document in (one, two))
    for first, second in zip(*(state.values() for state in moments), strict=True):
        assert torch.equal(first["exp_avg"], second["exp_avg"])
    for first, second in zip(one["trainer"]["rows"], two["trainer"]["rows"], strict=True):
        assert {**first, "images_per_s": 0} == {**second, "images_per_s": 0}


def test_a_batch_depends_on_seed_step_and_rank_only(pairs_csv: Path) -> None:
    settings = TrainConfig(epochs=1, steps_per_epoch=9, batch_size=3, patch=12)
    dataset = PatchDataset(ImagePairs(str(pairs_csv), 2), settings, seed=1)
    from_start = list(batches(dataset, StepSampler(0, 6, 3), workers=0))
    from_four = list(batches(dataset, StepSampler(4, 6, 3), workers=0))
    for straight, later in zip(from_start[4:], from_four, strict=True):
        assert torch.equal(straight[0], later[0])
        assert torch.equal(straight[1], later[1])
    other_rank = next(iter(batches(dataset, StepSampler(4, 5, 3, rank=1), workers=0)))
    assert not torch.equal(other_rank[0], from_start[4][0])


def test_patches_of_both_sides_show_the_same_place(pairs_csv: Path) -> None:
    settings = TrainConfig(epochs=1, steps_per_epoch=1, patch=12)
    dataset = PatchDataset(ImagePairs(str(pairs_csv), 2), settings, seed=1)
    for step in range(20):
        lr, hr = dataset[step, 0, 0]
        assert lr.shape == (3, 12, 12)
        assert hr.shape == (3, 24, 24)
        small = torch.nn.functional.avg_pool2d(hr[None], 2)[0]
        assert (small - lr).abs().mean() < 0.03


def test_the_rate_is_what_the_schedule_says() -> None:
    settings = TrainConfig(epochs=2, steps_per_epoch=50, lr=1e-2, lr_end=1e-4, warmup_steps=10)
    assert learning_rate(settings, 0) == pytest.approx(1e-3)
    assert learning_rate(settings, 10) == pytest.approx(1e-2)
    assert learning_rate(settings, 55) == pytest.approx((1e-2 + 1e-4) / 2)
    assert learning_rate(settings, 99) < 1.1e-4 + 1e-5


def test_dry_run_writes_nothing(pairs_csv: Path, tmp_path: Path) -> None:
    result = run(config(pairs_csv), tmp_path / "out", dry_run=True)
    assert result.start.psnr_y > 10
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(
    pairs_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nan_later(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        value = (prediction - target).abs().mean()
        return value * float("nan") if len(calls) > 7 else value

    calls: list[int] = []
    monkeypatch.setitem(__import__("edgesr.train.losses").train.losses.LOSSES, "l1", nan_later)
    with pytest.raises(ConfigError, match="step 7: training has diverged"):
        run(config(pairs_csv), tmp_path / "out")
    assert read_document(tmp_path / "out/last_model.pt")["trainer"]["epoch"] == 1


def test_what_does_not_fit_is_said_first(pairs_csv: Path, tmp_path: Path) -> None:
    with pytest.raises(PairsError, match="smaller than the patch"):
        run(config(pairs_csv, patch=500), tmp_path / "a")
    with pytest.raises(UsageError, match="nothing to resume"):
        run(config(pairs_csv), tmp_path / "b", resume=True)
    run(config(pairs_csv), tmp_path / "c")
    with pytest.raises(UsageError, match="already holds a training"):
        run(config(pairs_csv), tmp_path / "c")
    with pytest.raises(ConfigError, match="another config"):
        run(config(pairs_csv, lr=0.5), tmp_path / "c", resume=True)
    (tmp_path / "c/last_model.pt").write_bytes(b"PK junk")
    with pytest.raises(CheckpointError, match="damaged"):
        run(config(pairs_csv), tmp_path / "c", resume=True)
    tree = config(pairs_csv).model_dump()
    tree["data"]["train"] = "slides:many:1"
    with pytest.raises(ConfigError, match="slides:COUNT:SEED"):
        run(TrainingConfig.model_validate(tree), tmp_path / "d")
    tree["data"]["train"] = str(pairs_csv)
    tree["model"]["scale"] = 3
    with pytest.raises(PairsError, match="x3 of its low-res"):
        run(TrainingConfig.model_validate(tree), tmp_path / "e")

"""Training for 8 bits: it starts from float, learns scales, and saves what it trained."""

import dataclasses
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgesr.config import parse_config
from edgesr.data.images import read_image, write_png
from edgesr.errors import ConfigError, InputError, UsageError
from edgesr.models.checkpoint import load_checkpoint, read_document, save_checkpoint
from edgesr.models.registry import ModelSpec, build_model
from edgesr.quality.metrics import psnr_y
from edgesr.quality.runners import open_runner
from edgesr.quantize.method import methods
from edgesr.quantize.network import QuantizedNetwork
from edgesr.train.calibration import Calibration
from edgesr.train.config import TrainingConfig
from edgesr.train.loop import Trainer, TrainRequest, TrainResult, train
from edgesr.train.scenes import open_training
from edgesr.train.transfer.method import transfer
from tests.fixtures.training import metrics, tree, write_images
from tests.integration.test_train_resume import assert_identical, launch, stop_at

METHODS = sorted(methods())
TRAINED = "espcn-x2-slides"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_images(tmp_path / "pairs")


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A small float network near interpolation, whose weights are on no grid."""
    torch.manual_seed(7)
    model = build_model(ModelSpec("elsr", 2))
    model.start_at_interpolation()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.02 * torch.randn_like(value))
    save_checkpoint(tmp_path / "start.pt", model, {})
    return tmp_path / "start.pt"


def document(pairs: Path, start: Path | str | None, method: str, **train: Any) -> dict[str, Any]:
    found = {**tree(pairs, **train), "quantize": {"method": method, "calibration": 2}}
    if start:
        found["model"]["weights"] = str(start)
    if start == TRAINED:
        found["model"]["arch"] = "espcn"
    return found


def parsed(tree: dict[str, Any]) -> TrainingConfig:
    return parse_config(tree, TrainingConfig, source="test")


def run(tree: dict[str, Any], out: Path, **how: bool) -> TrainResult:
    return train(TrainRequest(parsed(tree), out, **how))


def learned(path: Path, key: str = "params") -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = read_document(path)[key]
    return found


def test_it_comes_nearer_to_the_float_network(pairs: Path, start: Path, tmp_path: Path) -> None:
    """Where the float network's own output is the truth, all that is lost is rounding."""
    runner = open_runner(str(start))
    for number in range(3):
        small = read_image(pairs.parent / f"lr{number}.png")
        write_png(pairs.parent / f"hr{number}.png", runner.upscale(small))
    teacher = {"loss": "distill", "distill": {"teacher": str(start)}, "select": "last"}
    short = {"epochs": 1, "steps_per_epoch": 60, "lr": 2e-4, "batch_size": 4, "ema": 0.9}
    result = run(document(pairs, start, "lsq", **short, **teacher), tmp_path / "out").last
    assert result.quantizer == "lsq"
    assert 40 < result.start.psnr_y < 60
    assert result.end.psnr_y > result.start.psnr_y + 0.3


@pytest.mark.parametrize("method", METHODS)
def test_a_checkpoint_is_what_was_validated(
    method: str, pairs: Path, start: Path, tmp_path: Path
) -> None:
    result = run(document(pairs, start, method, epochs=1, select="last"), tmp_path / "out").last
    checkpoint = load_checkpoint(result.best)
    assert checkpoint.spec == dataclasses.replace(load_checkpoint(start).spec, quantizer=method)
    assert isinstance(checkpoint.model, QuantizedNetwork)
    runner = open_runner(str(result.best))
    images = [
        [read_image(pairs.parent / f"{side}{i}.png") for side in ("lr", "hr")] for i in (0, 1, 2)
    ]
    found = np.mean([psnr_y(runner.upscale(lr), hr, 2) for lr, hr in images])
    assert found == pytest.approx(result.end.psnr_y, abs=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_stopped_in_an_epoch_and_resumed(
    method: str, pairs: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = document(pairs, start, method, epochs=2, steps_per_epoch=3)
    run(settings, tmp_path / "straight")
    with monkeypatch.context() as patch:
        stop_at(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            run(settings, tmp_path / "stopped")
    start.unlink()  # all that is needed is in the state
    run(settings, tmp_path / "stopped", resume=True)
    assert_identical(tmp_path / "straight", tmp_path / "stopped")
    params, average = (
        learned(tmp_path / "straight/last_model.pt", k) for k in ("params", "params_ema")
    )
    assert params.keys() == average.keys()
    moved = [key for key in params if not torch.equal(params[key], average[key])]
    assert moved


def test_scales_are_learned_averaged_and_saved(pairs: Path, start: Path, tmp_path: Path) -> None:
    run(document(pairs, start, "lsq", epochs=1, lr=1e-2, ema=0.5, select="last"), tmp_path)
    params, average = (learned(tmp_path / "last_model.pt", key) for key in ("params", "params_ema"))
    factors = [key for key in params if key.endswith("learned.factor")]
    assert len(factors) > 4
    for key in factors:
        assert not torch.equal(params[key], torch.ones_like(params[key])), key
        assert not torch.equal(params[key], average[key]), key
        assert torch.equal(learned(tmp_path / "best_model.pt")[key], average[key])


def write_config(folder: Path, pairs: Path, start: Path, method: str) -> Path:
    path = folder / "config.toml"
    path.write_text(
        f'seed = 3\n[model]\narch = "elsr"\nscale = 2\nweights = "{start}"\n'
        f'[data]\ntrain = "{pairs}"\nval = "{pairs}"\nworkers = 1\n[train]\nepochs = 3\n'
        "steps_per_epoch = 4\nbatch_size = 2\nsamples = 0\npatch = 12\n"
        f'[quantize]\nmethod = "{method}"\ncalibration = 2\n'
    )
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "processes"), [("lsq", 1), ("pact", 2), ("ste", 2), ("adaround", 2)]
)
def test_killed_in_an_epoch_and_resumed(
    method: str, processes: int, pairs: Path, start: Path, tmp_path: Path
) -> None:
    path = write_config(tmp_path, pairs, start, method)
    assert launch(path, tmp_path / "straight", -1, processes=processes) == 0
    killed = launch(path, tmp_path / "killed", 6, processes=processes)
    assert killed == (-signal.SIGKILL if processes == 1 else 1)
    assert (tmp_path / "killed/checkpoint_epoch_001.pt").is_file()
    assert not (tmp_path / "killed/checkpoint_epoch_002.pt").is_file()
    assert launch(path, tmp_path / "killed", -1, "--resume", processes=processes) == 0
    assert_identical(tmp_path / "straight", tmp_path / "killed")


def test_from_a_float_stage_to_a_quantized_one_to_another(pairs: Path, tmp_path: Path) -> None:
    settings = tree(pairs, epochs=1, steps_per_epoch=3)
    settings["stage"] = [
        {"name": "float"},
        {"name": "int8", "method": "lsq", "calibration": 2},
        {"name": "on", "method": "lsq", "train": {"lr": 1e-9, "lr_end": 0}},
    ]
    result = run(settings, tmp_path / "out")
    assert [stage.quantizer for stage in result.stages] == ["", "lsq", "lsq"]
    files = [
        tmp_path / "out" / name for name in ("stage_float.pt", "stage_int8.pt", "best_model.pt")
    ]
    assert [load_checkpoint(path).spec.quantizer for path in files] == ["", "lsq", "lsq"]
    second, third = result.stages[1:]
    assert third.start.psnr_y == pytest.approx(second.end.psnr_y, abs=1e-9)
    ranges = [
        {k: v for k, v in learned(path).items() if k.endswith(".start")} for path in files[1:]
    ]
    assert ranges[0]
    assert all(torch.equal(value, ranges[1][key]) for key, value in ranges[0].items())


def test_dry_run_of_a_quantized_stage(pairs: Path, start: Path, tmp_path: Path) -> None:
    plan = Trainer(TrainRequest(parsed(document(pairs, start, "lsq")), tmp_path / "out")).plan()
    assert plan[0].start.psnr_y > 10
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("weights", "method", "message", "hint"),
    [
        (None, "lsq", "model.weights names none", "--set stage.main.model.weights=FILE"),
        ("lsq", "ste", "quantizes by ste, its weights are quantized by lsq", "quantize.method=lsq"),
        ("lsq", "", "trains in float, its weights are quantized by lsq", "float network"),
    ],
)
def test_weights_that_do_not_fit_the_method_are_refused(
    weights: str | None, method: str, message: str, hint: str, start: Path, tmp_path: Path
) -> None:
    pairs = write_images(tmp_path / "pairs")
    if weights:
        run(document(pairs, start, weights, epochs=1), tmp_path / "first")
    source = tmp_path / "first/best_model.pt" if weights else None
    with pytest.raises(ConfigError, match=message) as caught:
        run(document(pairs, source, method), tmp_path / "out")
    assert hint in caught.value.hint


def test_a_quantized_network_is_taken_over_to_no_other_size(
    pairs: Path, start: Path, tmp_path: Path
) -> None:
    run(document(pairs, start, "lsq", epochs=1), tmp_path / "out")
    source = load_checkpoint(tmp_path / "out/best_model.pt").model
    with pytest.raises(UsageError, match="quantized by lsq, for its own size") as caught:
        transfer(source, ModelSpec("elsr", 3), "head")
    assert "float network" in caught.value.hint


def test_transfer_comes_before_the_quantizer(pairs: Path, tmp_path: Path) -> None:
    settings = document(pairs, "elsr-x3-slides", "lsq", epochs=1, steps_per_epoch=1)
    settings["model"]["transfer"] = "head"
    result = run(settings, tmp_path / "out").last
    assert load_checkpoint(result.best).spec == ModelSpec(
        "elsr", 2, load_checkpoint("elsr-x3-slides").spec.options, "lsq"
    )


@pytest.mark.parametrize("teacher", ["float", "quantized"])
def test_a_teacher_may_be_float_or_quantized(
    teacher: str, pairs: Path, start: Path, tmp_path: Path
) -> None:
    path = start
    if teacher == "quantized":
        run(document(pairs, start, "lsq", epochs=1), tmp_path / "first")
        path = tmp_path / "first/best_model.pt"
    train_table = {"loss": {"l1": 0.5, "distill": 0.5}, "distill": {"teacher": str(path)}}
    run(document(pairs, start, "lsq", epochs=1, **train_table), tmp_path / "out")
    (row,) = metrics(tmp_path / "out")
    assert 0 < float(row["train_distill"]) < 0.1


def test_the_methods_own_term_is_weighted_and_told(
    pairs: Path, start: Path, tmp_path: Path
) -> None:
    rows, ends = {}, {}
    for weight in (0.0, 1e-2):
        settings = document(pairs, start, "pact", epochs=1, lr=1e-2)
        settings["quantize"]["penalty"] = weight
        run(settings, tmp_path / str(weight))
        (rows[weight],) = metrics(tmp_path / str(weight))
        network = build_model(ModelSpec("elsr", 2, {}, "pact"))
        network.load_state_dict(learned(tmp_path / str(weight) / "last_model.pt"))
        assert isinstance(network, QuantizedNetwork)
        term = network.penalty()
        assert term is not None
        ends[weight] = float(term.detach())
    for weight, row in rows.items():
        assert float(row["train_loss"]) == pytest.approx(
            float(row["train_l1"]) + weight * float(row["train_quantizer"]), rel=1e-5
        )
    assert ends[1e-2] < ends[0.0]


def test_a_method_without_a_term_has_no_column(pairs: Path, start: Path, tmp_path: Path) -> None:
    run(document(pairs, start, "lsq", epochs=1), tmp_path / "out")
    assert "train_quantizer" not in metrics(tmp_path / "out")[0]


def calibration(folder: Path, sizes: list[tuple[int, int]], seed: int = 1) -> Calibration:
    random = np.random.default_rng(0)
    for number, (height, width) in enumerate(sizes):
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        write_png(folder / f"{number}.png", image)
    (stage,) = parsed(tree(folder)).stage
    return Calibration(open_training(stage.data, 2, 1), (seed, 0))


def test_calibration_crops_are_of_one_size_and_drawn_by_the_seed(tmp_path: Path) -> None:
    tmp_path.joinpath("images").mkdir()
    found = calibration(tmp_path / "images", [(60, 80), (100, 70), (24, 200)])
    crops = found.crops(5)
    assert crops.shape == (5, 3, 35, 35)  # the largest is 35 at low resolution
    assert torch.equal(crops, found.crops(5))
    assert torch.equal(crops * 255, (crops * 255).round())
    assert 0.2 < float(crops.mean()) < 0.8
    other = calibration(tmp_path / "images", [], seed=2).crops(5)
    assert not torch.equal(crops, other)
    assert found.crops(2).shape[:2] == (2, 3)


def test_calibration_crops_are_pieces_of_the_images(tmp_path: Path) -> None:
    found = calibration(tmp_path, [(400, 300)])
    whole = torch.from_numpy(found.images()[0]).permute(2, 0, 1).float() / 255
    crops = found.crops(3)
    assert crops.shape == (3, 3, 128, 128)
    places = whole.unfold(1, 128, 1).unfold(2, 128, 1)  # 3, 73, 23, 128, 128
    for crop in crops:
        assert (places == crop[:, None, None]).all(dim=-1).all(dim=-1).all(dim=0).any()


def test_calibration_without_an_image_that_can_be_read(tmp_path: Path) -> None:
    found = calibration(tmp_path, [(40, 40)])
    (tmp_path / "0.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="can be read"):
        found.crops(4)

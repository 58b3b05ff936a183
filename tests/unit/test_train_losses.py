"""Losses against formulas in numpy and scipy, and everything that can be missing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.signal import correlate2d
from torch import Tensor, nn

from edgesr.errors import CheckpointError, ConfigError, InputError
from edgesr.models.checkpoint import load_checkpoint, save_checkpoint
from edgesr.models.registry import ModelSpec, build_model
from edgesr.train.config import DistillConfig, PerceptualConfig, TrainConfig
from edgesr.train.distill import DistillLoss
from edgesr.train.losses import (
    CHARBONNIER_EPSILON,
    LOSSES,
    STROKE_GAIN,
    Loss,
    Sample,
    build_losses,
    stroke_weights,
)
from edgesr.train.perceptual import LAYERS, PerceptualLoss, _stack

FORMULAS = ("l1", "mse", "charbonnier", "text", "fft")


def config_of(**options: object) -> TrainConfig:
    return TrainConfig.model_validate({"epochs": 1, "steps_per_epoch": 1, **options})


def loss_of(name: str) -> Loss:
    return LOSSES[name](config_of(), 2)


def sample_of(size: int = 12, dtype: torch.dtype = torch.float64) -> Sample:
    random = np.random.default_rng(7)
    sr, hr = (torch.from_numpy(random.random((2, 3, size, size + 1))).to(dtype) for _ in range(2))
    return Sample(1.4 * sr - 0.2, hr, hr[..., ::2, ::2])  # overshoots 0..1, as networks do


def reference(name: str, sr: np.ndarray, hr: np.ndarray) -> float:
    difference = sr - hr
    if name == "l1":
        return float(np.abs(difference).mean())
    if name == "mse":
        return float((difference**2).mean())
    if name == "charbonnier":
        return float(np.sqrt(difference**2 + 1e-6).mean())
    if name == "fft":
        full = np.fft.fft2(sr) - np.fft.fft2(hr)
        half = full[..., : sr.shape[-1] // 2 + 1] / np.sqrt(sr.shape[-1] * sr.shape[-2])
        return float((np.abs(half.real) + np.abs(half.imag)).mean() / 2)
    return float((reference_weights(hr) * np.abs(difference)).mean())


def reference_weights(hr: np.ndarray) -> np.ndarray:
    size = (1, 1, 5, 5)
    contrast = maximum_filter(hr, size, mode="nearest") - minimum_filter(hr, size, mode="nearest")
    weights = 1 + 4 * np.minimum(contrast.max(axis=1, keepdims=True) / 0.5, 1)
    return np.asarray(weights / weights.mean(axis=(1, 2, 3), keepdims=True))


@pytest.mark.parametrize("name", FORMULAS)
def test_value_is_the_formula(name: str) -> None:
    sample = sample_of()
    expected = reference(name, sample.sr.numpy(), sample.hr.numpy())
    assert loss_of(name)(sample).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", FORMULAS)
def test_gradient_is_the_derivative(name: str) -> None:
    sample, loss = sample_of(6), loss_of(name)

    def of_output(sr: Tensor) -> Tensor:
        return loss(Sample(sr, sample.hr, sample.lr))

    assert torch.autograd.gradcheck(of_output, (sample.sr.requires_grad_(),))


@pytest.mark.parametrize("name", FORMULAS)
def test_is_least_at_the_target(name: str) -> None:
    hr = sample_of().hr
    least = CHARBONNIER_EPSILON if name == "charbonnier" else 0
    assert loss_of(name)(Sample(hr, hr, hr)).item() == pytest.approx(least, abs=1e-15)


@pytest.mark.parametrize("name", FORMULAS)
def test_is_computed_in_float32_where_the_network_ran_in_bfloat16(name: str) -> None:
    sample = sample_of(dtype=torch.float32)
    coarse = Sample(sample.sr.bfloat16(), sample.hr.bfloat16(), sample.lr.bfloat16())
    exact = Sample(coarse.sr.double(), coarse.hr.double(), coarse.lr.double())
    value = loss_of(name)(coarse)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss_of(name)(exact).item(), rel=1e-5)


def text_on_background(contrast: float) -> Tensor:
    """A vertical stroke three pixels wide at columns 10 to 12 of a flat image."""
    image = torch.full((1, 3, 20, 40), 0.9)
    image[..., 10:13] -= contrast
    return image


@pytest.mark.parametrize(("contrast", "factor"), [(0.9, 5.0), (0.5, 5.0), (0.25, 3.0)])
def test_error_on_a_stroke_costs_more_by_the_documented_factor(
    contrast: float, factor: float
) -> None:
    assert STROKE_GAIN == 4
    hr, loss = text_on_background(contrast), loss_of("text")
    costs = []
    for column in (11, 30):  # the middle of the stroke, flat background
        sr = hr.clone()
        sr[..., column] += 0.1
        costs.append(loss(Sample(sr, hr, hr)).item())
    assert costs[0] / costs[1] == pytest.approx(factor, rel=1e-4)


def test_stroke_weights_reach_two_pixels_beyond_a_stroke_and_have_mean_one() -> None:
    hr = torch.cat([text_on_background(0.9), text_on_background(0.1)])
    weights = stroke_weights(hr)
    assert weights.shape == (2, 1, 20, 40)
    torch.testing.assert_close(weights.mean(dim=(1, 2, 3)), torch.ones(2))
    strong = weights[0, 0, 5] > weights[0, 0, 5].min()
    assert strong.nonzero().flatten().tolist() == list(range(8, 15))


def test_coloured_strokes_weigh_as_much_as_black_ones() -> None:
    hr = torch.zeros(1, 3, 20, 40)
    hr[:, 2, :, 10:13] = 0.6  # dark blue on black: 0.07 in luma
    weights = stroke_weights(hr)
    assert (weights[..., 11] / weights[..., 30]).mean().item() == pytest.approx(5)


def test_text_loss_without_strokes_is_l1() -> None:
    hr = torch.full((2, 3, 8, 8), 0.3)
    sample = Sample(torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)), hr, hr)
    torch.testing.assert_close(loss_of("text")(sample), loss_of("l1")(sample))


def vgg_state(*keys: int) -> dict[str, Tensor]:
    """Random weights of the size that keeps activations alive, for some of ``features.N``."""
    random = torch.Generator().manual_seed(3)
    shapes = {0: (64, 3), 2: (64, 64), 5: (128, 64)}
    state = {}
    for key in keys:
        outputs, inputs = shapes[key]
        weight = torch.randn(outputs, inputs, 3, 3, generator=random) * (2 / (9 * inputs)) ** 0.5
        state[f"features.{key}.weight"] = weight
        state[f"features.{key}.bias"] = torch.randn(outputs, generator=random) * 0.1
    return state


def vgg_config(path: Path, state: object, **layers: float) -> PerceptualConfig:
    torch.save(state, path)
    return PerceptualConfig(weights=str(path), layers=layers or {"conv1_2": 1.0})


def reference_features(state: dict[str, Tensor], image: np.ndarray) -> dict[str, np.ndarray]:
    """conv1_1 and conv1_2 of 3, H, W before the activation."""
    x = (image - np.array([0.485, 0.456, 0.406])[:, None, None]) / np.array([0.229, 0.224, 0.225])[
        :, None, None
    ]
    found = {}
    for name, key in (("conv1_1", 0), ("conv1_2", 2)):
        weight = state[f"features.{key}.weight"].double().numpy()
        bias = state[f"features.{key}.bias"].double().numpy()
        x = np.stack(
            [
                b + sum(correlate2d(plane, w, mode="same") for plane, w in zip(x, row, strict=True))
                for row, b in zip(weight, bias, strict=True)
            ]
        )
        found[name] = x
        x = np.maximum(x, 0)
    return found


def test_layers_are_numbered_as_in_torchvision() -> None:
    known = {"conv1_2": 2, "conv2_2": 7, "conv3_4": 16, "conv4_4": 25, "conv5_4": 34}
    assert {name: LAYERS[name] for name in known} == known
    assert len(LAYERS) == 16
    with torch.device("meta"):
        stack = _stack(LAYERS["conv5_4"])
    convs = [n for n, layer in enumerate(stack) if isinstance(layer, nn.Conv2d)]
    pools = [n for n, layer in enumerate(stack) if isinstance(layer, nn.MaxPool2d)]
    assert convs == list(LAYERS.values())
    assert pools == [4, 9, 18, 27]
    assert sum(p.numel() for p in stack.parameters()) == 20_024_384  # torchvision's features


def test_perceptual_is_the_weighted_l1_of_features_before_the_activation(tmp_path: Path) -> None:
    state = vgg_state(0, 2)
    loss = PerceptualLoss(vgg_config(tmp_path / "vgg.pth", state, conv1_1=0.5, conv1_2=2.0))
    random = np.random.default_rng(1)
    sr, hr = random.random((2, 3, 9, 10))
    found, wanted = (reference_features(state, image) for image in (sr, hr))
    expected = sum(
        weight * np.abs(found[name] - wanted[name]).mean()
        for name, weight in (("conv1_1", 0.5), ("conv1_2", 2.0))
    )
    pair = [torch.from_numpy(image[None]).float() for image in (sr, hr)]
    assert loss(Sample(pair[0], pair[1], pair[1])).item() == pytest.approx(expected, rel=1e-4)


def test_perceptual_trains_the_output_only_and_moves_as_a_whole(tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    loss = PerceptualLoss(vgg_config(tmp_path / "vgg.pth", vgg_state(0, 2)))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not any(p.requires_grad for p in loss.parameters())
    sample = sample_of(16, torch.float32)
    loss(Sample(sample.sr.requires_grad_(), sample.hr, sample.lr)).backward()
    assert sample.sr.grad is not None
    assert sample.sr.grad.abs().min() > 0
    moved = loss.to("meta")
    assert {t.device.type for t in [*moved.parameters(), *moved.buffers()]} == {"meta"}


def test_perceptual_gradient_is_the_derivative(tmp_path: Path) -> None:
    loss = PerceptualLoss(vgg_config(tmp_path / "vgg.pth", vgg_state(0, 2))).double()
    sample = sample_of(4)

    def of_output(sr: Tensor) -> Tensor:
        return loss(Sample(sr, sample.hr, sample.lr))

    assert torch.autograd.gradcheck(of_output, (sample.sr.requires_grad_(),))


@pytest.mark.parametrize("legacy", [False, True])
def test_classifier_half_floats_and_old_files_are_taken(tmp_path: Path, *, legacy: bool) -> None:
    state = {key: value.half() for key, value in vgg_state(0, 2, 5).items()}
    path = tmp_path / "vgg.pth"
    state["classifier.6.bias"] = torch.zeros(1000)
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    loss = PerceptualLoss(PerceptualConfig(weights=str(path), layers={"conv2_1": 1.0}))
    sample = sample_of(16, torch.float32)
    assert loss(sample).item() > 0
    assert {p.dtype for p in loss.parameters()} == {torch.float32}


def test_missing_vgg_says_what_it_is_and_how_to_get_it(tmp_path: Path) -> None:
    for weights in ("", str(tmp_path / "none.pth")):
        with pytest.raises(ConfigError, match=r"vgg19-dcbb9e9d\.pth") as caught:
            PerceptualLoss(PerceptualConfig(weights=weights))
        assert "torchvision.models.vgg19" in caught.value.hint
        assert "--set train.perceptual.weights=vgg19.pth" in caught.value.hint


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (vgg_state(0), r"it has no features\.2\.weight"),
        ({**vgg_state(0, 2), "features.17.weight": torch.zeros(1)}, r"no place for features\.17"),
        ({"state_dict": vgg_state(0, 2)}, "no place for state_dict"),
        ({**vgg_state(0, 2), "features.2.weight": torch.zeros(64, 3, 3, 3)}, "size mismatch"),
        ([1], "holds a list"),
    ],
)
def test_other_files_than_vgg19_are_refused(tmp_path: Path, state: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        PerceptualLoss(vgg_config(tmp_path / "vgg.pth", state))


@pytest.mark.parametrize(
    ("layers", "message"),
    [({"conv3_5": 1.0}, "no layer 'conv3_5'"), ({}, "empty"), ({"conv1_2": 0.0}, "above 0")],
)
def test_layers_that_make_no_sense_are_refused(layers: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PerceptualLoss(PerceptualConfig(weights="vgg.pth", layers=layers))


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    path = tmp_path / "teacher.pt"
    torch.manual_seed(0)
    model = build_model(ModelSpec("span", 2, {"features": 8}))
    model.start_at_interpolation()
    with torch.no_grad():
        dict(model.named_parameters())["body.upsampler.0.bias"].add_(0.3)
    save_checkpoint(path, model, {})
    return path


def teacher_sample(teacher: Path) -> Sample:
    """The teacher's own output, which overshoots."""
    lr = torch.rand(2, 3, 8, 9, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        sr = load_checkpoint(teacher).model(lr)
    return Sample(sr, torch.zeros_like(sr), lr)


def test_distilling_the_teacher_itself_costs_nothing(teacher: Path) -> None:
    loss, sample = DistillLoss(DistillConfig(teacher=str(teacher)), 2), teacher_sample(teacher)
    shown = Sample(sample.sr.clamp(0, 1), sample.hr, sample.lr)
    assert loss(shown).item() < 1e-6
    overshoot = (sample.sr - sample.sr.clamp(0, 1)).abs().mean().item()
    assert overshoot > 5e-3
    assert loss(sample).item() == pytest.approx(overshoot, rel=1e-4)
    darker = Sample(shown.sr - 0.1, sample.hr, sample.lr)
    assert loss(darker).item() == pytest.approx(0.1, rel=1e-4)


def test_the_teacher_is_frozen_exact_under_autocast_and_moves(teacher: Path) -> None:
    loss, sample = DistillLoss(DistillConfig(teacher=str(teacher)), 2), teacher_sample(teacher)
    sr = sample.sr.clamp(0, 1).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss.train()(Sample(sr, sample.hr, sample.lr))
    assert value.item() < 1e-6
    value.backward()
    assert sr.grad is not None
    assert not any(p.requires_grad for p in loss.parameters())
    assert {p.device.type for p in loss.to("meta").parameters()} == {"meta"}


def test_a_teacher_of_another_scale_is_refused(teacher: Path) -> None:
    with pytest.raises(ConfigError, match=r"is x2, the network to train is x4"):
        DistillLoss(DistillConfig(teacher=str(teacher)), 4)


def test_a_missing_teacher_is_named(teacher: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.distill\.teacher names none"):
        DistillLoss(DistillConfig(), 2)
    with pytest.raises(InputError, match=r"none\.pt does not exist"):
        DistillLoss(DistillConfig(teacher=str(teacher.with_name("none.pt"))), 2)
    with pytest.raises(CheckpointError, match=r"train\.distill\.teacher: .*not srvgg") as caught:
        DistillLoss(DistillConfig(teacher=str(teacher), arch="srvgg"), 2)
    assert "train.distill.arch" in caught.value.hint


def test_every_loss_is_built_with_its_weight_and_the_adversarial_one_is_not(
    tmp_path: Path, teacher: Path
) -> None:
    weights = {name: n + 1.0 for n, name in enumerate([*FORMULAS, "perceptual", "distill"])}
    config = config_of(
        loss={**weights, "adversarial": 0.1},
        perceptual=vgg_config(tmp_path / "vgg.pth", vgg_state(0, 2)).model_dump(),
        distill={"teacher": str(teacher)},
    )
    notes: list[str] = []
    built = build_losses(config, 2, notes.append)
    assert {name: weight for name, (weight, _) in built.items()} == weights
    assert set(built) == set(LOSSES)
    assert not notes
    sample = teacher_sample(teacher)
    assert all(
        torch.isfinite(loss(sample)) and loss(sample).ndim == 0 for _, loss in built.values()
    )


def test_perceptual_that_is_not_required_is_left_out_and_that_is_said() -> None:
    optional: dict[str, object] = {"required": False}
    notes: list[str] = []
    built = build_losses(
        config_of(loss={"l1": 1.0, "perceptual": 1.0}, perceptual=optional), 2, notes.append
    )
    assert list(built) == ["l1"]
    assert len(notes) == 1
    assert "train.perceptual.weights" in notes[0]
    with pytest.raises(ConfigError, match="no loss is left"):
        build_losses(config_of(loss="perceptual", perceptual=optional), 2, notes.append)
    named = config_of(loss="perceptual", perceptual={**optional, "weights": "none.pth"})
    with pytest.raises(ConfigError, match="does not exist"):  # named, so it is wanted
        build_losses(named, 2, notes.append)

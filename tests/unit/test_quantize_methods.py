"""Every method: its gradients against the paper's formula, its integers, its state."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures.quantized import NETWORKS, images, network, quantized
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from edgesr.errors import ConversionError, InputError, UsageError
from edgesr.models.checkpoint import load_checkpoint, save_checkpoint
from edgesr.models.fold import fold
from edgesr.quantize.adaround import AdaroundWeights
from edgesr.quantize.apot import ApotWeights, magnitudes
from edgesr.quantize.dorefa import DorefaWeights
from edgesr.quantize.grid import least_error_scale, round_to_grid
from edgesr.quantize.lsq import LsqActivation, LsqWeights
from edgesr.quantize.method import WeightQuantizer, methods
from edgesr.quantize.network import QuantizedNetwork, quantize
from edgesr.quantize.pact import PactActivation, clip_and_round
from edgesr.quantize.ptq import LeastErrorWeights
from edgesr.quantize.reconstruct import reconstruct, rectified_sigmoid, start_of
from edgesr.quantize.ste import DECAY, RunningRange

METHODS = ("adaround", "apot", "dorefa", "lsq", "pact", "ptq", "ste")
Floats = NDArray[np.float64]


def test_all_methods_are_found() -> None:
    assert tuple(methods()) == METHODS


def _points(count: int = 4000, reach: float = 3.0) -> tuple[Floats, Floats]:
    """Values, and what the loss's gradient is there."""
    rng = np.random.default_rng(0)
    return rng.normal(0, reach, count), rng.normal(size=count)


def _double(values: Floats) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


# -- LSQ: equation 3 of Esser et al. --------------------------------------------------------------


@pytest.mark.parametrize(("low", "high"), [(-127, 127), (0, 255), (-40, 215)])
def test_lsq_gradients_are_the_papers(low: int, high: int) -> None:
    values, outer = _points()
    s, gain = 0.021, 0.37
    x, scale = _double(values), torch.tensor([s], dtype=torch.float64, requires_grad=True)
    bounds = torch.tensor(float(low)), torch.tensor(float(high))
    rounded = round_to_grid(x, scale, *bounds, gain=gain)
    rounded.backward(torch.tensor(outer))
    v = values / s
    q = np.clip(np.round(v), low, high)
    assert np.allclose(rounded.detach().numpy(), q * s)
    inside = (v > low) & (v < high)
    assert {bool(v.min() < low), bool(v.max() > high)} == {True}
    of_scale = np.where(v <= low, low, np.where(v >= high, high, np.round(v) - v))
    assert x.grad is not None
    assert scale.grad is not None
    assert np.allclose(x.grad.numpy(), outer * inside)
    assert np.allclose(scale.grad.numpy(), (outer * of_scale).sum() * gain)


def test_lsq_gains_are_the_papers() -> None:
    """1 / sqrt(N Qp), N the weights of a channel, or the values of an image."""
    conv = _conv()
    weights = LsqWeights(conv).double()
    weights.calibrate(conv.weight.detach())
    weights(conv.weight).sum().backward()
    scale = weights.learned.start.numpy()
    v = conv.weight.detach().numpy() / scale.reshape(-1, 1, 1, 1)
    of_scale = _of_scale(v, -127, 127)
    wanted = of_scale.sum(axis=(1, 2, 3)) / np.sqrt(27 * 127) * scale
    assert weights.learned.factor.grad is not None
    assert np.allclose(weights.learned.factor.grad.numpy(), wanted)

    activation = LsqActivation().double()
    activation.calibrate(0.0, 1.0)
    random = torch.Generator().manual_seed(0)
    x = torch.rand(5, 3, 8, 8, dtype=torch.float64, generator=random) * 1.2
    activation(x).sum().backward()
    s = float(activation.learned.start)
    of_scale = _of_scale(x.numpy() / s, 0, 255)
    assert (of_scale == 255).any()
    assert activation.learned.factor.grad is not None
    wanted_sum = of_scale.sum() / np.sqrt(3 * 8 * 8 * 255) * s
    assert np.allclose(activation.learned.factor.grad.item(), wanted_sum)


def _of_scale(v: Floats, low: int, high: int) -> Floats:
    """Equation 3, but for values at a limit, which count as inside here."""
    near = np.minimum(np.abs(v - low), np.abs(v - high))
    assert ((near < 1e-5) | (near > 2e-3)).all()  # none that could count as either
    return np.where(v < low - 1e-3, low, np.where(v > high + 1e-3, high, np.round(v) - v))


# -- PACT: equation 3 of Choi et al. --------------------------------------------------------------


@pytest.mark.parametrize("signed", [False, True])
def test_pact_gradients_are_the_papers(*, signed: bool) -> None:
    values, outer = _points()
    a, steps, below = 2.5, 127 if signed else 255, -128 / 127 if signed else 0.0
    low = below * a
    x, clip = _double(values), torch.tensor([a], dtype=torch.float64, requires_grad=True)
    rounded = clip_and_round(x, clip, signed=signed)
    rounded.backward(torch.tensor(outer))
    clipped = np.clip(values, low, a)
    assert np.allclose(rounded.detach().numpy(), np.round(clipped * steps / a) * a / steps)
    assert x.grad is not None
    assert clip.grad is not None
    assert np.allclose(x.grad.numpy(), outer * ((values > low) & (values < a)))
    wanted = outer[values >= a].sum() + below * outer[values <= low].sum()
    assert np.allclose(clip.grad.item(), wanted)


def test_pact_adds_the_squared_clip_to_the_loss() -> None:
    activation = PactActivation()
    activation.calibrate(0.0, 3.0)
    term = activation.penalty()
    term.backward()
    assert term.item() == pytest.approx(9.0)
    assert activation.learned.factor.grad is not None
    assert activation.learned.factor.grad.item() == pytest.approx(2 * 3.0 * 3.0)  # 2 a da/dfactor
    quantized_pact = quantized("espcn", "pact")
    total = quantized_pact.penalty()
    assert total is not None
    learned = [a for a in quantized_pact.activations.values() if isinstance(a, PactActivation)]
    assert total.item() == pytest.approx(sum(a.penalty().item() for a in learned))
    assert quantized("espcn", "lsq").penalty() is None


# -- STE ------------------------------------------------------------------------------------------


def test_ste_follows_the_range_in_training_only() -> None:
    activation = RunningRange()
    activation.calibrate(0.0, 1.0)
    x = torch.tensor([[-1.0, 3.0]])
    activation.eval()(x)
    assert (float(activation.low), float(activation.high)) == (0.0, 1.0)
    activation.train()(x)
    assert float(activation.low) == pytest.approx(DECAY * 0 + (1 - DECAY) * -1)
    assert float(activation.high) == pytest.approx(DECAY * 1 + (1 - DECAY) * 3)
    grid = activation.grid()
    assert grid.low <= float(activation.low) + grid.scale
    assert grid.high >= float(activation.high) - grid.scale


def test_ste_keeps_zero_in_the_range() -> None:
    activation = RunningRange()
    activation.calibrate(0.0, 1.0)
    activation.train()(torch.tensor([0.5, 1.0]))
    assert (float(activation.low), activation.grid().zero_point) == (0.0, -128)


# -- DoReFa ---------------------------------------------------------------------------------------


def _conv(outputs: int = 5, inputs: int = 3) -> nn.Conv2d:
    torch.manual_seed(0)
    conv = nn.Conv2d(inputs, outputs, 3).double()
    with torch.no_grad():
        conv.weight[0] *= 100
    return conv


def test_dorefa_starts_at_the_float_weights() -> None:
    conv = _conv()
    weights = DorefaWeights(conv).double()
    u = weights.calibrate(conv.weight.detach())
    scale = weights.scale(u).reshape(-1, 1, 1, 1)
    assert np.allclose(u.abs().amax(dim=(1, 2, 3)).numpy(), np.arctanh(0.5))  # g is 2 max|w|
    apart = (weights(u) - conv.weight).abs() / scale
    assert float(apart.detach().max()) <= 0.5 + 1e-6


def test_dorefa_gradients_are_those_of_the_tanh() -> None:
    conv = _conv()
    weights = DorefaWeights(conv).double()
    u = weights.calibrate(conv.weight.detach()).clone().requires_grad_()
    outer = torch.randn_like(u)
    weights(u).backward(outer)
    g = weights.gain.numpy().reshape(-1, 1, 1, 1)
    x = u.detach().numpy()
    wanted = outer.numpy() * g * (1 - np.tanh(x) ** 2)
    assert u.grad is not None
    assert np.allclose(u.grad.numpy(), wanted)
    c = np.abs(np.tanh(x)).max(axis=(1, 2, 3), keepdims=True) / 127
    assert np.allclose(weights(u).detach().numpy(), g * np.round(np.tanh(x) / c) * c)


# -- APoT -----------------------------------------------------------------------------------------


def test_apot_levels_are_sums_of_powers_of_two() -> None:
    levels = magnitudes()
    assert len(levels) == len(levels.unique()) == 128
    assert (float(levels[0]), float(levels[-1])) == (0.0, 1.0)
    # in units of 2^-9, the smallest power: exponents 0 3 7, 1 4 8, 2 5 9, and 6 alone
    first, second, third, alone = (0, 512, 64, 4), (0, 256, 32, 2), (0, 128, 16, 1), (0, 8)
    wanted = sorted(a + b + c + d for a in first for b in second for c in third for d in alone)
    assert np.allclose(levels.numpy(), np.array(wanted) / (512 + 256 + 128 + 8), rtol=1e-14)


def test_most_apot_levels_are_not_on_the_int8_grid() -> None:
    """Two of 128 levels, 0 and 1, lie on the grid of 127 steps, and 61 stay distinct there."""
    steps = magnitudes() * 127
    on_grid = (steps - steps.round()).abs() < 1e-6
    assert int(on_grid.sum()) == 2
    assert len(steps.round().unique()) == 61


def test_apot_gradients_are_the_papers() -> None:
    conv = _conv()
    weights = ApotWeights(conv).double()
    weights.levels = magnitudes()
    weights.calibrate(conv.weight.detach())
    with torch.no_grad():
        weights.learned.factor.fill_(0.6)  # so that some weights are clipped
    weight = conv.weight.detach().clone().requires_grad_()
    outer = torch.randn_like(weight)
    levelled = weights(weight)
    levelled.backward(outer)
    a = weights.learned().detach().numpy().reshape(-1, 1, 1, 1)
    relative = weight.detach().numpy() / a
    all_levels = np.concatenate([-magnitudes().numpy()[::-1], magnitudes().numpy()])
    nearest = all_levels[np.abs(relative[..., None] - all_levels).argmin(axis=-1)]
    assert np.allclose(levelled.detach().numpy(), nearest * a)
    clipped = np.abs(relative) > 1
    assert 0 < clipped.sum() < clipped.size
    of_clip = np.where(clipped, np.sign(relative), nearest - relative)
    wanted = (outer.numpy() * of_clip).sum(axis=(1, 2, 3)) * weights.learned.start.numpy()
    assert weight.grad is not None
    assert weights.learned.factor.grad is not None
    assert np.allclose(weight.grad.numpy(), outer.numpy() * ~clipped)
    assert np.allclose(weights.learned.factor.grad.numpy(), wanted)


# -- AdaRound -------------------------------------------------------------------------------------


def test_adaround_gradient_passes_the_rectified_sigmoid() -> None:
    conv = _conv()
    weights = AdaroundWeights(conv).double()
    weight = weights.calibrate(conv.weight.detach())
    with torch.no_grad():
        weights.rounding.copy_(torch.randn_like(weights.rounding) * 2)
    outer = torch.randn_like(weight)
    rounded = weights(weight)
    rounded.backward(outer)
    s = weights.fixed.numpy().reshape(-1, 1, 1, 1)
    v = weights.rounding.detach().numpy()
    sigmoid = 1 / (1 + np.exp(-v))
    h = np.clip(1.2 * sigmoid - 0.1, 0, 1)
    whole = np.floor(weight.numpy() / s) + (h >= 0.5)
    assert np.allclose(rounded.detach().numpy(), np.clip(whole, -127, 127) * s)
    passes = (h > 0) & (h < 1) & (np.abs(whole) <= 127)
    wanted = outer.numpy() * s * 1.2 * sigmoid * (1 - sigmoid) * passes
    assert weights.rounding.grad is not None
    assert np.allclose(weights.rounding.grad.numpy(), wanted)


def test_adaround_starts_at_nearest() -> None:
    conv = _conv()
    weights = AdaroundWeights(conv).double()
    weight = weights.calibrate(conv.weight.detach())
    scale = weights.fixed.reshape(-1, 1, 1, 1)
    nearest = torch.round(weight / scale).clamp(-127, 127)
    assert torch.equal(weights.integers(weight), nearest)


def test_adaround_takes_the_roundings_that_were_learned() -> None:
    """Those of `reconstruct`, which has the same scales; weights themselves stay, frozen."""
    model, x = network("espcn"), images(6)
    made, moved = quantize(model, "adaround", x), quantize(model, "ptq", x)
    reconstruct(moved, x)
    turned = 0
    for name in made.weights:
        weight, quantizer = made.conv(name).weight, made.weight_quantizer(name)
        assert not weight.requires_grad
        scale = quantizer.scale(weight).reshape(-1, 1, 1, 1)
        integers = quantizer.integers(weight)
        turned += int((integers != torch.round(weight / scale).clamp(-127, 127)).sum())
        assert torch.equal(integers, moved.weight_quantizer(name).integers(moved.conv(name).weight))
    assert turned > 0


@pytest.mark.parametrize("name", ["espcn", "residual"])
def test_adaround_is_nearer_to_float_than_nearest(name: str) -> None:
    model, seen, unseen = network(name), images(6), images(4, seed=9)
    deploy = fold(model)

    @torch.no_grad()
    def error(method: str) -> float:
        found = quantize(model, method, seen).eval()(unseen)
        return float((found - deploy(unseen).clamp(0, 1)).square().mean())

    assert error("adaround") < error("ptq")


def test_a_soft_rounding_starts_at_the_weight_itself() -> None:
    steps = torch.linspace(-3, 3, 601, dtype=torch.float64)
    v = start_of(steps)
    h = np.clip(1.2 / (1 + np.exp(-v.numpy())) - 0.1, 0, 1)
    assert np.allclose(np.floor(steps.numpy()) + h, steps.numpy(), atol=1e-12)
    assert np.allclose(rectified_sigmoid(v).numpy(), h)


@pytest.mark.parametrize("name", ["espcn", "residual"])
def test_reconstruction_moves_weights_to_a_neighbour_on_their_grid(name: str) -> None:
    seen, unseen = images(6), images(4, seed=9)
    plain, moved = (quantize(network(name), "ptq", seen).eval() for _ in range(2))
    before = {conv: moved.conv(conv).weight.detach().clone() for conv in moved.weights}
    reconstruct(moved, seen, iterations=300)
    turned = 0
    for conv, weight in before.items():
        if not moved.is_trained(conv):
            assert torch.equal(moved.conv(conv).weight, weight)
            continue
        scale = moved.weight_quantizer(conv).scale(weight).reshape(-1, 1, 1, 1)
        steps, integers = weight / scale, moved.weight_quantizer(conv).integers(weight)
        chosen = moved.weight_quantizer(conv).integers(moved.conv(conv).weight)
        assert torch.allclose(moved.conv(conv).weight, chosen * scale, rtol=1e-6, atol=0)
        low, high = (limit.clamp(-127, 127) for limit in (steps.floor(), steps.ceil()))
        assert bool(((chosen == low) | (chosen == high)).all())
        turned += int((chosen != integers).sum())
    assert turned > 0
    with torch.no_grad():
        wanted = fold(network(name))(unseen).clamp(0, 1)
        errors = [float((each(unseen) - wanted).square().mean()) for each in (plain, moved)]
    assert errors[1] < errors[0]


def test_reconstruction_leaves_no_mean_error() -> None:
    """Of the first conv: what it reads is the same in both networks."""
    x = images(5, height=16, width=24)  # small enough that every place is a row
    made = quantize(network("espcn"), "ptq", x).eval()
    first = next(node.name for node in made.nodes if node.op == "conv")
    conv = copy.deepcopy(made.conv(first))
    reconstruct(made, x, iterations=50)
    with torch.no_grad():
        now = made.conv(first)
        rounded = made.weight_quantizer(first)(now.weight)
        moved = F.conv2d(x, rounded, now.bias, padding=now.padding)
        error = (moved - conv(x)).mean(dim=(0, 2, 3))
        uncentred = F.conv2d(x, rounded, conv.bias, padding=now.padding) - conv(x)
    assert float(uncentred.mean(dim=(0, 2, 3)).abs().max()) > 1e-4
    assert float(error.abs().max()) < 1e-6


# -- all ------------------------------------------------------------------------------------------


def _trained(model: QuantizedNetwork) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_exist_from_the_start_and_get_gradients(name: str, method: str) -> None:
    model = quantize(network(name), method, images()) if method != "adaround" else _quick(name)
    before = set(_trained(model))
    model(images(2, seed=4)).square().mean().backward()
    trained = _trained(model)
    assert set(trained) == before
    assert len(trained) >= len([n for n in model.nodes if n.op == "conv"])
    for parameter_name, parameter in trained.items():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
    frozen = {name for name, _ in model.named_parameters()} - before
    assert all("weight" in each for each in frozen)


def _quick(name: str) -> QuantizedNetwork:
    """AdaRound without its search, which has tests of its own."""
    spec = quantize(network(name), "ptq", images()).spec
    model = QuantizedNetwork(type(spec)(spec.arch, spec.scale, spec.options, "adaround"))
    model.calibrate(images(), "mse")
    return model.train()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("low", "high"), [(0.0, 3.0), (-1.0, 2.0), (-4.0, -1.0)])
def test_activations_are_what_their_grid_says(low: float, high: float, method: str) -> None:
    """clamp(round(x / s) + z, -128, 127), as the phone stores them, stands for what comes out."""
    activation = methods()[method].activations().eval()
    activation.calibrate(low, high)
    grid, x = activation.grid(), torch.linspace(-6, 6, 1999)
    assert (grid.zero_point == -128) == (low == 0)
    stored = np.clip(np.round(x.numpy() / grid.scale) + grid.zero_point, -128, 127)
    found = activation(x).detach().numpy() / grid.scale + grid.zero_point
    assert np.allclose(found, found.round(), atol=1e-3)
    at_a_tie = np.abs(x.numpy() / grid.scale % 1 - 0.5) < 1e-3
    assert np.array_equal(found.round()[~at_a_tie], stored[~at_a_tie])
    assert stored.min() <= -127
    assert stored.max() == 127


@pytest.mark.parametrize("method", METHODS)
def test_integers_are_whole_and_make_up_the_weights(method: str) -> None:
    model = quantized("residual", method)
    for name in model.weights:
        weight, quantizer = model.conv(name).weight, model.weight_quantizer(name)
        integers, scale = quantizer.integers(weight), quantizer.scale(weight).detach()
        assert torch.equal(integers, integers.round())
        assert float(integers.abs().max()) <= 127
        assert bool((scale > 0).all())
        stored = integers * scale.reshape(-1, 1, 1, 1)
        apart = (stored - quantizer(weight).detach()).abs() / scale.reshape(-1, 1, 1, 1)
        assert float(apart.max()) <= (0.5 + 1e-4 if method == "apot" else 1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_outputs_are_pixels_near_the_float_networks(method: str) -> None:
    model, deploy, x = quantized("espcn", method), fold(network("espcn")), images(3, seed=6)
    with torch.no_grad():
        found, wanted = model(x), deploy(x).clamp(0, 1)
    steps = found * 255
    assert float((steps - steps.round()).abs().max()) < 1e-3
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    assert float((found - wanted).square().mean()) < 10**-3.5


@pytest.mark.parametrize("method", METHODS)
def test_a_checkpoint_holds_everything(method: str, tmp_path: Path) -> None:
    model = quantized("elsr", method)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 1e-3)
    save_checkpoint(tmp_path / "a.pt", model, {})
    loaded = load_checkpoint(tmp_path / "a.pt").model
    assert isinstance(loaded, QuantizedNetwork)
    assert loaded.spec == model.spec
    x = images(2, seed=8)
    with torch.no_grad():
        assert torch.equal(loaded(x), model(x))


@pytest.mark.parametrize("method", METHODS)
def test_a_channel_without_weights_does_no_harm(method: str) -> None:
    model = network("espcn")
    with torch.no_grad():
        model.get_submodule("conv1").weight[0] = 0  # type: ignore[index]
    made = quantize(model, method, images())
    made(images(1)).sum().backward()
    for parameter in _trained(made).values():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()
    assert torch.isfinite(made.eval()(images(1))).all()


def test_values_outside_an_image_saturate() -> None:
    model, x = quantized("residual"), images(2)
    with torch.no_grad():
        assert torch.equal(model(x * 3 - 1), model((x * 3 - 1).clamp(0, 1)))


def test_images_that_hold_no_numbers_are_refused() -> None:
    x = images(2)
    x[0, 0, 0, 0] = torch.nan
    with pytest.raises(ConversionError, match="no numbers"):
        quantize(network("elsr"), "lsq", x)


def test_images_of_one_colour_are_refused() -> None:
    with pytest.raises(InputError, match="one colour"):
        quantize(network("elsr"), "lsq", torch.zeros(2, 3, 16, 16))


def test_what_is_quantized_is_not_quantized_again() -> None:
    with pytest.raises(UsageError, match="quantized already"):
        quantize(quantized("elsr"), "pact", images())


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        quantize(network("elsr"), "lqs", images())
    assert "did you mean lsq?" in caught.value.hint


@pytest.mark.parametrize(
    "build", [LsqWeights, ApotWeights, DorefaWeights, AdaroundWeights, LeastErrorWeights]
)
def test_scales_belong_to_their_channels(build: Callable[[nn.Conv2d], WeightQuantizer]) -> None:
    conv = _conv()
    quantizer = build(conv).double()
    weight = quantizer.calibrate(conv.weight.detach())
    scale = quantizer.scale(weight).detach()
    assert scale.shape == (5,)
    assert float(scale[0] / scale[1]) > 30


def test_the_scale_of_least_error_beats_the_largest_weight() -> None:
    torch.manual_seed(0)
    weight = torch.randn(3, 512, 3, 3)  # one cut off among many gains more than it costs
    best, widest = least_error_scale(weight), weight.abs().amax(dim=(1, 2, 3)) / 127

    def error(scale: Tensor) -> Tensor:
        s = scale.reshape(-1, 1, 1, 1)
        rounded = torch.round(weight / s).clamp(-127, 127) * s
        return (rounded - weight).square().sum(dim=(1, 2, 3))

    assert bool((error(best) <= error(widest)).all())
    assert float((error(best) / error(widest)).mean()) < 0.99

"""Sensitivity of layers, mixed precision, and what is advised."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from fixtures.quantized import images, network, quantized
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from edgesr.errors import ConversionError
from edgesr.models.fold import fold
from edgesr.quality.metrics import psnr_y as reference_psnr_y
from edgesr.quantize.advice import advise
from edgesr.quantize.compensate import compensate
from edgesr.quantize.mixed import RESERVE, Mix, search_mixed
from edgesr.quantize.network import QuantizedNetwork, quantize
from edgesr.quantize.sensitivity import LayerSensitivity, Sensitivity, measure_sensitivity
from edgesr.quantize.trial import Score, Trial, psnr_y, with_float_weights

NONE: frozenset[str] = frozenset()


def truth_of(name: str, x: Tensor | None = None) -> Tensor:
    """Near what the float network makes of images, so that PSNR falls as it goes astray."""
    with torch.no_grad():
        output = fold(network(name))(images() if x is None else x)
    random = torch.Generator().manual_seed(5)
    return (output + 0.02 * torch.randn(output.shape, generator=random)).clamp(0, 1)


def coarse(name: str, layer: str) -> QuantizedNetwork:
    """A network one of whose layers has weights and outputs of a few steps only."""
    model = quantize(network(name), "lsq", images()).eval()
    nodes = model.operations.layers()[layer]
    conv = next(node for node in nodes if model.node(node).op == "conv")
    with torch.no_grad():
        model.weight_quantizer(conv).learned.start.mul_(32)  # type: ignore[union-attr, operator]
    return model


@pytest.mark.parametrize("border", [0, 2, 3])
def test_psnr_is_that_of_the_evaluation(border: int) -> None:
    random = np.random.default_rng(0)
    sr, hr = random.integers(0, 256, (2, 3, 20, 24, 3), dtype=np.uint8)
    sr[1] = np.clip(hr[1].astype(int) + random.integers(-3, 4, hr[1].shape), 0, 255)
    expected = np.mean([reference_psnr_y(a, b, border) for a, b in zip(sr, hr, strict=True)])
    a, b = (torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255 for x in (sr, hr))
    assert psnr_y(a, b, border) == pytest.approx(float(expected), abs=1e-6)
    # what is beyond white or between two pixel values is what a screen shows of it
    assert psnr_y(torch.where(a == 1, 1.5, a + 0.4 / 255), b, border) == pytest.approx(
        float(expected), abs=1e-6
    )
    assert psnr_y(b, b, border) == 100


@pytest.mark.parametrize("name", ["espcn", "span", "srvgg"])
def test_all_float_is_the_float_network_and_none_the_integer_one(name: str) -> None:
    model, truth = quantized(name), truth_of(name)
    trial = Trial(model, images(), truth)
    with torch.no_grad():
        floating, integer = fold(network(name))(images()), model(images())
    scale = model.spec.scale
    assert trial.float_score.psnr_y == pytest.approx(psnr_y(floating, truth, scale), abs=1e-4)
    half = trial.score(trial.layers)
    assert half.psnr_y == pytest.approx(psnr_y(floating, truth, scale), abs=0.02)
    assert trial.score(()).psnr_y == psnr_y(integer, truth, scale)
    assert trial.score(()).likeness == pytest.approx(psnr_y(integer, floating, scale), abs=0.01)


def test_one_layer_in_integers_is_computed_as_by_hand() -> None:
    model, x = quantized("espcn", "ptq"), images()
    trial = Trial(model, x, None)
    deploy = fold(network("espcn"))
    convs = [module for module in deploy.modules() if isinstance(module, torch.nn.Conv2d)]
    names = [node.name for node in model.nodes if node.op == "conv"]
    labels = list(trial.layers)
    with torch.no_grad():
        scale = model.weight_quantizer(names[1]).scale(convs[1].weight).reshape(-1, 1, 1, 1)
        rounded = torch.round(convs[1].weight / scale).clamp(-127, 127) * scale
        weights = [conv.weight for conv in convs]

        def run(middle: Tensor) -> Tensor:
            values = x
            for place, (conv, weight) in enumerate(zip(convs, weights, strict=True)):
                used = middle if place == 1 else weight
                values = F.conv2d(values, used, conv.bias, padding=conv.padding)
                values = F.relu(values) if place < 2 else values
            # channels of a pixel block stand block first in a deploy graph
            n, _, h, w = values.shape
            blocks = values.reshape(n, 2, 2, 3, h, w).permute(0, 3, 4, 1, 5, 2)
            return blocks.reshape(n, 3, 2 * h, 2 * w)

        expected = psnr_y(run(rounded), run(weights[1]), 2)
    assert trial.score_weights([labels[1]]).likeness == pytest.approx(expected, abs=0.01)
    assert trial.score_weights(labels).likeness < trial.score_weights([labels[1]]).likeness


@pytest.mark.parametrize("place", range(3))
def test_the_layer_that_was_made_coarse_loses_most(place: int) -> None:
    layers = list(quantized("espcn").operations.layers())
    layer, name = layers[place], "espcn"
    found = measure_sensitivity(Trial(coarse(name, layer), images(), truth_of(name)))
    assert [each.label for each in found.layers] == layers
    assert found.ranked()[0].label == layer
    worst = found.ranked()[0]
    drop, all_drop = found.drop(worst.alone), found.drop(found.integer_score)
    assert drop is not None
    assert all_drop is not None
    assert drop > 0.5 * all_drop
    assert found.drop(worst.weights) == pytest.approx(drop, rel=0.2)  # it is its weights
    assert max(found.layers, key=found.gain).label == layer
    assert sum(each.share for each in found.layers) == pytest.approx(1)
    without = measure_sensitivity(Trial(coarse(name, layer), images(), None))
    assert without.drop(without.integer_score) is None
    assert without.ranked()[0].label == layer
    assert without.gain(without.ranked()[0]) > 0


def test_measuring_changes_nothing() -> None:
    model = quantized("residual")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    measure_sensitivity(Trial(model, images(2), None))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert model.float_nodes == NONE


@pytest.mark.parametrize("name", ["espcn", "residual"])
def test_no_cheaper_mix_was_overlooked(name: str) -> None:
    """Against all mixes there are."""
    layer = list(quantized(name).operations.layers())[1]
    model, x, truth = coarse(name, layer), images(), truth_of(name)
    trial = Trial(model, x, truth)
    whole = trial.float_score.psnr_y
    drops = {
        mix: whole - trial.score(mix).psnr_y  # type: ignore[operator]
        for count in range(len(trial.layers) + 1)
        for mix in combinations(trial.layers, count)
    }
    for budget in np.linspace(0.01, 0.9, 5) * drops[()]:
        share = {mix: trial.share(mix) for mix, drop in drops.items() if drop <= RESERVE * budget}
        try:
            found = search_mixed(model, x, truth, float(budget))
        except ConversionError:
            assert min(share.values(), default=1) == 1
            continue
        assert found.drop_db == pytest.approx(drops[found.layers], abs=1e-9)
        assert found.drop_db <= budget
        assert found.share <= min(share.values()) + 0.05
        assert found.path[0].drop_db == pytest.approx(0, abs=0.01)
        assert found.path[-1].drop_db == pytest.approx(drops[()], abs=1e-9)
        assert [len(step.floats) for step in found.path] == [*range(len(trial.layers), -1, -1)]


def test_a_mix_is_checked_on_images_that_the_search_did_not_see() -> None:
    x = torch.cat([images(8), images(17, seed=3)])
    model, truth = quantized("residual"), truth_of("residual", x)
    full = Trial(model, x, truth)
    drop = full.float_score.psnr_y - full.score(()).psnr_y  # type: ignore[operator]
    mix = search_mixed(model, x, truth, 0.5 * drop)
    measured = full.float_score.psnr_y - full.score(mix.layers).psnr_y  # type: ignore[operator]
    assert measured == pytest.approx(mix.drop_db)
    assert measured <= 0.5 * drop
    assert mix.path[-1].drop_db != pytest.approx(drop)  # eight images only


def test_without_a_budget_nothing_can_have_integers() -> None:
    with pytest.raises(ConversionError, match="no layer of the network can have integers") as error:
        search_mixed(quantized("espcn"), images(), truth_of("espcn"), -0.5)
    assert error.value.exit_code == 6
    assert "--fp16" in error.value.hint


def test_with_a_large_budget_nothing_stays_float() -> None:
    mix = search_mixed(quantized("espcn"), images(), truth_of("espcn"), 90)
    assert mix.nodes == NONE


def test_layers_in_float_have_the_weights_from_before_rounding() -> None:
    model = quantized("residual")
    compensate(model, images())
    trial = Trial(model, images(), None)
    (label, nodes), *_ = trial.layers.items()
    conv = next(node for node in nodes if model.node(node).op == "conv")
    twin = with_float_weights(model, frozenset(nodes))
    original = model.operations.modules[conv].weight
    assert torch.equal(twin.conv(conv).weight, original)  # type: ignore[arg-type]
    assert not torch.equal(model.conv(conv).weight, original)  # type: ignore[arg-type]
    others = [name for name in model.weights if name != conv]
    assert all(torch.equal(twin.conv(n).weight, model.conv(n).weight) for n in others)
    with twin.computing(floats=frozenset(nodes), as_stored=True), torch.no_grad():
        output = twin(images())
    assert torch.equal(output, trial._output([label]))


def test_a_loaded_network_has_no_float_weights() -> None:
    trained = quantized("espcn")
    loaded = QuantizedNetwork(trained.spec)
    loaded.load_state_dict(trained.state_dict())
    with pytest.raises(ConversionError, match="was trained for integers"):
        Trial(loaded.eval(), images(), None)


def sensitivity(
    drop: float, alone: tuple[float, ...] = (0.01, 0.01), weights: float = 0.0
) -> Sensitivity:
    def score(lost: float) -> Score:
        return Score(30 - lost, 60 - lost)

    layers = [
        LayerSensitivity(f"conv{n}", 1 / len(alone), score(lost), score(0), score(drop - lost))
        for n, lost in enumerate(alone)
    ]
    return Sensitivity(score(0), score(drop), score(weights), tuple(layers))


def mixed(share: float) -> Mix:
    return Mix(("conv1",), frozenset({"c"}), share, 0.15, ())


def test_little_loss_needs_nothing_else() -> None:
    (advice,) = advise(sensitivity(0.05), "", None, {}, 0.2, "c.pt")
    assert advice.startswith("Quantize it as it is: integers everywhere cost 0.05 dB")
    assert "edgesr convert c.pt --int8" in advice


def test_much_loss_is_explained_and_both_ways_out_are_named() -> None:
    found = sensitivity(1.0, (0.05, 0.7), weights=0.8)
    others = {"percentile": Score(29.5, 40.0), "minmax": Score(28.0, 40.0)}
    first, worst, ranges, mix, train = advise(
        found, mixed(0.1), Score(29.9, 50.0), others, 0.2, "c.pt"
    )
    assert "cost 1.00 dB" in first
    assert "rounding the weights alone costs 0.80 dB" in first
    assert "conv1 0.70 dB (its weights nothing)" in worst
    assert "conv0" not in worst
    assert "--ranges percentile it is 0.50 dB" in ranges
    assert "1 of 2 layers" in mix
    assert "10%" in mix
    assert "edgesr convert c.pt --mixed --budget 0.2" in mix
    assert "little" not in mix
    assert "edgesr train --recipe qat-lsq --set model.weights=c.pt" in train
    everything = advise(found, mixed(0.8), Score(29.7, 50.0), {}, 0.2, "c.pt")
    assert any("leaves little of what integers save" in sentence for sentence in everything)
    assert any("that mix loses 0.30 dB" in sentence for sentence in everything)
    assert not any("--ranges" in sentence for sentence in everything)
    assert "no such thing" in advise(found, "no such thing", None, {}, 0.2, "c.pt")


def test_evenly_spread_loss_names_no_layer() -> None:
    text = " ".join(advise(sensitivity(1.0, (0.05,) * 20), mixed(0.1), None, {}, 0.2, "c.pt"))
    assert "No layer stands out" in text
    assert "256 steps have to cover" in text


def test_without_a_truth_only_likeness_is_told() -> None:
    blind = replace(sensitivity(1.0), float_score=Score(None, 100), integer_score=Score(None, 35.0))
    text = " ".join(advise(blind, "", None, {}, 0.2, "c.pt"))
    assert "35.0 dB like" in text
    assert "can be seen" in text
    assert "dB are allowed" not in text

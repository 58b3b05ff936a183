"""Rounding weights for the least error of the outputs."""

import pytest
import torch
from fixtures.quantized import NETWORKS, images, network
from torch import Tensor

from edgesr.models.fold import fold
from edgesr.quantize.compensate import compensate, compensated_rounding
from edgesr.quantize.network import quantize


def _correlated(rows: int, width: int) -> Tensor:
    """Rows that vary mostly along a quarter of their directions."""
    random = torch.Generator().manual_seed(0)
    basis = torch.randn(width // 4, width, generator=random, dtype=torch.float64)
    along = torch.randn(rows, width // 4, generator=random, dtype=torch.float64)
    return along @ basis + 0.05 * torch.randn(rows, width, generator=random, dtype=torch.float64)


def _weights(outputs: int, width: int) -> Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randn(outputs, width, generator=random, dtype=torch.float64)


def test_outputs_are_nearer_than_with_nearest_weights() -> None:
    x, unseen = _correlated(4000, 72).chunk(2)
    weights = _weights(16, 72)
    scale = weights.abs().amax(dim=1) / 127
    stored = compensated_rounding(weights, scale, x.T @ x / len(x))
    assert float(stored.abs().max()) <= 127
    assert torch.equal(stored, stored.round())

    def error(whole: Tensor) -> float:
        return float(((weights - whole * scale[:, None]) @ unseen.T).square().mean())

    assert error(stored) < error(torch.round(weights / scale[:, None])) / 3


def test_independent_inputs_are_rounded_to_nearest() -> None:
    weights = _weights(4, 9)
    scale = weights.abs().amax(dim=1) / 127
    stored = compensated_rounding(weights, scale, torch.eye(9, dtype=torch.float64))
    assert torch.equal(stored, torch.round(weights / scale[:, None]))


def test_weights_stay_in_range_and_dead_inputs_do_no_harm() -> None:
    weights = torch.full((2, 9), 200.0, dtype=torch.float64)
    dead = torch.zeros(9, 9, dtype=torch.float64)
    stored = compensated_rounding(weights, torch.ones(2, dtype=torch.float64), dead)
    assert (stored == 127).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_loses_less_on_images_it_was_not_rounded_on(name: str) -> None:
    model = network(name)
    deploy, unseen = fold(model), images(4, seed=9)
    quantized = quantize(model, "ptq", images(6)).eval()

    @torch.no_grad()
    def error() -> float:
        return float((quantized(unseen) - deploy(unseen).clamp(0, 1)).square().mean())

    before = error()
    compensate(quantized, images(6))
    assert error() < before * 1.02
    for conv in quantized.weights:
        weight = quantized.conv(conv).weight
        integers = quantized.weight_quantizer(conv).integers(weight)
        scale = quantized.weight_quantizer(conv).scale(weight)
        assert torch.allclose(integers * scale.reshape(-1, 1, 1, 1), weight, atol=1e-6)

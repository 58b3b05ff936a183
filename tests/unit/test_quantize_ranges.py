"""Finding the range of an activation."""

import pytest
import torch
from fixtures.quantized import quantized
from torch import Tensor

from edgesr.quantize.grid import grid_between
from edgesr.quantize.ranges import Finder, Observed, Observer, find_range


def _observed(sample: Tensor) -> Observed:
    return Observed(float(sample.min()), float(sample.max()), sample)


def _error(sample: Tensor, low: float, high: float) -> float:
    grid = grid_between(low, high)
    whole = torch.round(sample / grid.scale) + grid.zero_point
    return float(((whole.clamp(-128, 127) - grid.zero_point) * grid.scale - sample).square().mean())


@pytest.mark.parametrize(("low", "high"), [(0.0, 3.0), (-1.0, 2.0), (0.5, 2.0), (-4.0, -1.0)])
def test_a_grid_covers_its_range_and_holds_zero(low: float, high: float) -> None:
    grid = grid_between(low, high)
    assert -128 <= grid.zero_point <= 127
    assert grid.low <= min(low, 0) + grid.scale / 2
    assert grid.high >= max(high, 0) - grid.scale / 2
    assert (grid.high - grid.low) / 255 == pytest.approx(grid.scale)


def test_minmax_takes_everything() -> None:
    sample = torch.tensor([-0.5, 0.25, 7.0])
    assert find_range(_observed(sample), "minmax") == (-0.5, 7.0)
    assert find_range(_observed(sample.abs()), "minmax") == (0.0, 7.0)


def test_percentile_leaves_the_outermost_out() -> None:
    sample = torch.linspace(0, 1, 30001)
    sample[-1] = 50.0
    low, high = find_range(_observed(sample), "percentile")
    assert low == 0.0
    assert 0.99 < high < 1.01


def test_mse_finds_about_what_all_ranges_tried_show() -> None:
    random = torch.Generator().manual_seed(0)
    sample = torch.randn(8000, generator=random)
    sample = sample * torch.rand(8000, generator=random).pow(-0.5).clamp(max=15)  # long tails
    low, high = find_range(_observed(sample), "mse")
    tried = torch.linspace(0.02, 1.0, 50).tolist()
    ends = float(sample.min()), float(sample.max())
    best = min(_error(sample, ends[0] * a, ends[1] * b) for a in tried for b in tried)
    assert _error(sample, low, high) <= best * 1.1
    assert _error(sample, low, high) < _error(sample, *ends)


@pytest.mark.parametrize("finder", ["minmax", "percentile", "mse"])
def test_a_tensor_of_zeros_has_a_grid(finder: Finder) -> None:
    low, high = find_range(_observed(torch.zeros(100)), finder)
    grid = grid_between(low, high)
    assert grid.scale > 0
    assert (low, high) == (0.0, 0.0)


def test_an_observer_sees_the_ends_of_every_image() -> None:
    observer = Observer(3)
    for value in (1.0, -2.0, 5.0):
        x = torch.zeros(1, 2, 40, 40)
        x[0, 1, 3, 3] = value
        observer.add("a", x)
    seen = observer.observed()["a"]
    assert (seen.low, seen.high) == (-2.0, 5.0)
    assert len(seen.sample) == 3 * (2**15 // 3)


def test_prescribed_grids_stay() -> None:
    span, tanh = quantized("span"), quantized("espcn-tanh")
    gates = [span.grids()[node.name] for node in span.nodes if node.op == "sigmoid"]
    assert len(gates) > 6  # six blocks' own, and those of SiLU
    assert {(grid.scale, grid.zero_point) for grid in gates} == {(1 / 256, -128)}
    squashed = [tanh.grids()[node.name] for node in tanh.nodes if node.op == "tanh"]
    assert {(grid.scale, grid.zero_point) for grid in squashed} == {(1 / 128, 0)}
    for network in (span, tanh):
        ends = network.nodes[0].name, network.grid_owner(network.nodes[-1].name)
        for grid in (network.grids()[name] for name in ends):
            assert (grid.scale, grid.zero_point) == (pytest.approx(1 / 255), -128)

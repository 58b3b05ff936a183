"""Finding the roundings that keep each conv's output, by gradient descent (AdaRound).

Source: "Up or Down? Adaptive Rounding for Post-Training Quantization" (Nagel et al., 2020), arXiv
2004.10568, sections 3.3 and 4. Conv after conv, in the order they run: its input is what the
rounded network hands to it, its target is what the float network made of its own input, ReLU
included. The loss is the squared error plus a term that drives every h(V) to 0 or 1, whose exponent
falls from 20 to 2. Here the squared error counts in units of that of rounding to nearest, and the
term as a mean over the weights: so one setting fits convs of all sizes and ranges. Where nearest
does better on the same rows after all, it stays.

Convs are fitted on rows, the K = inputs * kernel height * kernel width values that one output pixel
reads, taken at random places of the images.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from edgesr.quantize.compensate import rows_read
from edgesr.quantize.graph import Node
from edgesr.quantize.grid import WEIGHT_LIMIT, per_channel
from edgesr.quantize.network import QuantizedNetwork

ITERATIONS = 600
_ROWS = 512
"""From each image."""
_BATCH = 1024
_RATE = 1e-2
_WARM_UP = 0.2
"""Part of the iterations in which only the squared error counts."""
_EXPONENTS = (20.0, 2.0)
_STRETCH = 1.2
_MARGIN = 0.1


@dataclass(frozen=True)
class _Problem:
    """One conv as a product."""

    rows: Tensor
    """What it reads in the rounded network, (M, K)."""
    target: Tensor
    """What the float network writes, after the ReLU, (M, O)."""
    weight: Tensor
    """Float, in units of the scale, (O, K)."""
    scale: Tensor
    """(O)."""
    bias: Tensor
    """(O)."""
    relu: bool

    def error(self, integers: Tensor, places: Tensor | slice) -> Tensor:
        """Mean squared error with these integers, on some of the rows."""
        found = F.linear(self.rows[places], integers * self.scale[:, None], self.bias)
        return F.mse_loss(F.relu(found) if self.relu else found, self.target[places])


def rectified_sigmoid(rounding: Tensor) -> Tensor:
    """h(V) in [0, 1], which reaches both ends."""
    return (torch.sigmoid(rounding) * _STRETCH - _MARGIN).clamp(0, 1)


def start_of(steps: Tensor) -> Tensor:
    """The V for which floor(steps) + h(V) is steps itself."""
    rest = steps - torch.floor(steps)
    return torch.logit((rest + _MARGIN) / _STRETCH)


def reconstruct(network: QuantizedNetwork, images: Tensor, iterations: int = ITERATIONS) -> None:
    """Puts the weights of every conv onto its grid, rounded as learned.

    Args:
        network: Calibrated; its weight scales must not depend on the weights.
        images: N, 3, H, W in [0, 1].
        iterations: Steps of Adam for each conv.
    """
    for name, rounding in learn_roundings(network, images, iterations):
        conv = network.conv(name)
        with torch.no_grad():
            scale = per_channel(network.weight_quantizer(name).scale(conv.weight))
            conv.weight.copy_(_hard(conv.weight / scale, rounding) * scale)


def learn_roundings(
    network: QuantizedNetwork, images: Tensor, iterations: int = ITERATIONS
) -> Iterator[tuple[str, Tensor]]:
    """Yields each conv's name with the V found for its weights, (O, I, k, k).

    Whoever takes them has to put them into the network before the next one is asked for. Biases
    are set so that the mean error of each channel is 0.
    """
    nodes = [node for node in network.nodes if node.op == "conv" and network.is_trained(node.name)]
    targets = _targets(network, nodes, images)
    for node in nodes:
        conv = network.conv(node.name)
        problem = _problem(network, node, images, targets)
        rounding = _solved(problem, iterations).reshape(conv.weight.shape)
        yield node.name, rounding
        _centre(network, node, problem)


@torch.no_grad()
def _targets(network: QuantizedNetwork, nodes: list[Node], images: Tensor) -> Mapping[str, Tensor]:
    """What each conv of the float network writes at the chosen places, (M, O)."""
    every = frozenset(node.name for node in network.nodes)
    targets = {}
    with network.computing(floats=every):
        for node in nodes:
            conv = network.conv(node.name)
            rows = _rows(network, node, images)
            found = F.linear(rows, conv.weight.flatten(1), conv.bias)
            targets[node.name] = F.relu(found) if node.relu else found
    return targets


@torch.no_grad()
def _problem(
    network: QuantizedNetwork, node: Node, images: Tensor, targets: Mapping[str, Tensor]
) -> _Problem:
    conv = network.conv(node.name)
    scale = network.weight_quantizer(node.name).scale(conv.weight).detach()
    bias = conv.bias.detach() if conv.bias is not None else conv.weight.new_zeros(conv.out_channels)
    return _Problem(
        _rows(network, node, images),
        targets[node.name],
        conv.weight.detach().flatten(1) / scale[:, None],
        scale,
        bias.clone(),
        node.relu,
    )


def _rows(network: QuantizedNetwork, node: Node, images: Tensor) -> Tensor:
    """What a conv reads, at the same places in the float and in the rounded network: (M, K)."""
    return rows_read(network, node, images, _ROWS, torch.Generator().manual_seed(0))


@torch.enable_grad()
def _solved(problem: _Problem, iterations: int) -> Tensor:
    """V for every weight, (O, K)."""
    rounding = start_of(problem.weight).requires_grad_()
    nearest = start_of(problem.weight)
    everything = slice(None)
    with torch.no_grad():
        unit = problem.error(_hard(problem.weight, nearest), everything)
        unit = unit.clamp(min=torch.finfo(unit.dtype).tiny)
    optimizer, random = torch.optim.Adam([rounding], lr=_RATE), torch.Generator().manual_seed(0)
    for iteration in range(iterations):
        places = torch.randint(len(problem.rows), (_BATCH,), generator=random)
        soft = rectified_sigmoid(rounding)
        integers = (torch.floor(problem.weight) + soft).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT)
        loss = problem.error(integers, places) / unit
        done = (iteration / iterations - _WARM_UP) / (1 - _WARM_UP)
        if done > 0:
            exponent = _EXPONENTS[0] + (_EXPONENTS[1] - _EXPONENTS[0]) * done
            loss = loss + (1 - (2 * soft - 1).abs().pow(exponent)).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    found = rounding.detach()
    with torch.no_grad():
        better = problem.error(_hard(problem.weight, found), everything) < unit
    return found if bool(better) else nearest


def _hard(steps: Tensor, rounding: Tensor) -> Tensor:
    """Whole numbers: up where h(V) is 1/2 or more."""
    up = (rectified_sigmoid(rounding) >= 0.5).to(steps.dtype)
    return (torch.floor(steps) + up).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT)


@torch.no_grad()
def _centre(network: QuantizedNetwork, node: Node, problem: _Problem) -> None:
    """Takes the mean error of each channel, before the ReLU, off the bias."""
    conv = network.conv(node.name)
    if conv.bias is None:
        return
    moved = network.weight_quantizer(node.name)(conv.weight).flatten(1)
    exact = problem.weight * problem.scale[:, None]
    conv.bias += (exact - moved) @ problem.rows.mean(dim=0)

"""One network with any of its layers in float, judged on a few images."""

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from edgesr.errors import ConversionError
from edgesr.quantize.grid import per_channel
from edgesr.quantize.network import QuantizedNetwork

INVISIBLE_DB = 50.0
"""PSNR-Y against the truth from which on differences count for nothing: else flat pieces, which
lose ten dB by one grey level, decide about all others."""
BEST_DB = 100.0
"""What equal images count as: their PSNR is infinite."""
_Y_WEIGHTS = (65.481, 128.553, 24.966)
_BATCH = 4
_STRANGE = 0.25
"""Relative distance at which float weights can't be those that integers were made of."""


@dataclass(frozen=True)
class Score:
    """How good an output is."""

    psnr_y: float | None
    """Against the truth, dB, mean over images; None where there is none."""
    likeness: float
    """PSNR-Y against what the float network makes of the same images, dB; at most `BEST_DB`."""


class Trial:
    """Runs a network with some layers in float, and tells how good what comes out is.

    A layer in float has the float network's weights in half precision, as the .tflite does, even
    where the network's own were moved onto their grid.

    Args:
        network: Made by `quantize` of a float network, and perhaps rounded by a method that works
            after training. It is not changed.
        images: N, 3, h, w in [0, 1].
        truth: N, 3, s*h, s*w in [0, 1]; None where there is none.

    Raises:
        ConversionError: When the network was loaded, so that its float weights are not known.
    """

    def __init__(self, network: QuantizedNetwork, images: Tensor, truth: Tensor | None) -> None:
        self.network = copy.deepcopy(network).eval()
        self.original = float_weights(network)
        self.layers: Mapping[str, tuple[str, ...]] = network.operations.layers()
        self.macs = {label: self._macs(names) for label, names in self.layers.items()}
        """Multiply-accumulates of each layer per low-res pixel."""
        self._integer = {name: _kept(network.conv(name)) for name in network.weights}
        self._images, self._truth = images, truth
        self._float_output = self._output(self.layers, halves=False)
        self.float_score = self._judged(self._float_output)
        """Of the float network, in full precision."""

    def of(self, network: QuantizedNetwork) -> "Trial":
        """The same trial of another network."""
        return Trial(network, self._images, self._truth)

    def score(self, floats: Collection[str]) -> Score:
        """Of the network with the layers of these labels in float."""
        return self._judged(self._output(floats))

    def score_weights(self, rounded: Collection[str]) -> Score:
        """All in float, but with the integers of some layers as their weights."""
        return self._judged(self._output(self.layers, rounded, halves=False))

    def nodes(self, labels: Collection[str]) -> frozenset[str]:
        """Names of the nodes of some layers."""
        return frozenset(name for label in labels for name in self.layers[label])

    def share(self, labels: Collection[str]) -> float:
        """Their part of all multiply-accumulates, 0..1."""
        return sum(self.macs[label] for label in labels) / sum(self.macs.values())

    def _macs(self, names: tuple[str, ...]) -> int:
        convs = (name for name in names if self.network.node(name).op == "conv")
        return sum(self.network.conv(name).weight.numel() for name in convs)

    def _judged(self, output: Tensor) -> Score:
        scale = self.network.spec.scale
        against_truth = None
        if self._truth is not None:
            against_truth = psnr_y(output, self._truth, scale, best=INVISIBLE_DB)
        return Score(against_truth, psnr_y(output, self._float_output, scale))

    def _output(
        self, floats: Collection[str], rounded: Collection[str] = (), *, halves: bool = True
    ) -> Tensor:
        names, on_grid = self.nodes(floats), self.nodes(rounded)
        for name, integer in self._integer.items():
            conv = self.network.conv(name)
            _fill(conv, self.original[name] if name in names - on_grid else integer)
            if name in on_grid:
                _put_on_grid(self.network, name)
        with self.network.computing(floats=names, as_stored=halves), torch.no_grad():
            return torch.cat([self.network(part) for part in torch.split(self._images, _BATCH)])


def float_weights(network: QuantizedNetwork) -> Mapping[str, nn.Conv2d]:
    """The convs of the float network that a quantized one was made of, by node.

    Raises:
        ConversionError: When the network was loaded, so that they are not known.
    """
    found = {name: cast("nn.Conv2d", network.operations.modules[name]) for name in network.weights}
    for name, conv in found.items():
        weight = conv.weight.detach()
        apart = (network.conv(name).weight.detach() - weight).norm()
        if not apart <= _STRANGE * weight.norm():
            raise ConversionError(
                f"the float weights of {network.node(name).label} are not known: the network was "
                "trained for integers",
                hint="start from the float checkpoint",
            )
    return found


def with_float_weights(network: QuantizedNetwork, floats: frozenset[str]) -> QuantizedNetwork:
    """A copy whose convs among the nodes ``floats`` have the float network's weights.

    Raises:
        ConversionError: As `float_weights`.
    """
    original, twin = float_weights(network), copy.deepcopy(network)
    for name in floats & original.keys():
        _fill(twin.conv(name), original[name])
    return twin


def psnr_y(output: Tensor, truth: Tensor, border: int, best: float = BEST_DB) -> float:
    """Mean PSNR of the luma over images, as `quality.metrics.psnr_y` measures each.

    Args:
        output: N, 3, H, W; it is cut to [0, 1] and rounded to 255ths, as pixels are.
        truth: N, 3, H, W; likewise.
        border: Pixels left out on every side.
        best: dB that no image counts for more than, however near the truth it is.

    Returns:
        dB.
    """
    difference = _luma(output) - _luma(truth)
    height, width = difference.shape[1:]
    inner = difference[:, border : height - border, border : width - border]
    error = inner.square().mean(dim=(1, 2))
    decibels = 10 * torch.log10(255**2 / error)
    return float(decibels.clamp(max=best).mean())


def _luma(images: Tensor) -> Tensor:
    """BT.601 luma in studio range without its offset: N, 3, H, W to N, H, W, float64."""
    pixels = torch.floor(images.double().clamp(0, 1) * 255 + 0.5) / 255
    return torch.einsum("nchw,c->nhw", pixels, pixels.new_tensor(_Y_WEIGHTS))


def _kept(conv: nn.Conv2d) -> nn.Conv2d:
    return copy.deepcopy(conv).requires_grad_(requires_grad=False)


@torch.no_grad()
def _fill(conv: nn.Conv2d, source: nn.Conv2d) -> None:
    conv.weight.copy_(source.weight)
    if conv.bias is not None and source.bias is not None:
        conv.bias.copy_(source.bias)


@torch.no_grad()
def _put_on_grid(network: QuantizedNetwork, name: str) -> None:
    weight, quantizer = network.conv(name).weight, network.weight_quantizer(name)
    scale = per_channel(quantizer.scale(weight))
    weight.copy_(quantizer.integers(weight) * scale)

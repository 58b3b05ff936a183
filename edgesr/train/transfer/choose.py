"""Which channels a thinner network keeps: those that the layers reading them can spare least.

Channels go one by one, each time the one whose loss costs least after the remaining weights have
made good what they can: the "optimal brain surgeon" step of Hassibi and Stork (1993), applied to
all taps of a channel at once. For a layer with weights W and input moments H it costs
``trace(W_c ((H^-1)_cc)^-1 W_c^T)``, summed over all layers that read the channel, each as a share
of its own output energy.

Measured on Set5 x4 with the animevideov3 checkpoint, 64 -> 32 features, 16 convs, kernels solved
alike: 28.73 dB for these channels, 24.80 dB for those of largest norm.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from edgesr.models.layers import RGB, Layer, read_kernel
from edgesr.models.registry import SRModel
from edgesr.train.transfer.pairs import widths

_DAMPING = 1e-4
"""Added to the moments, as a share of their mean diagonal."""


class _Reader:
    """A layer that reads a group, while channels of the group are taken away.

    Args:
        weight: Its kernel (outputs that matter, inputs, k, k).
        moments: Of its input patches (inputs*k*k, inputs*k*k), float64.
        starts: First input channel of each place where it reads the group.
    """

    def __init__(self, weight: Tensor, moments: Tensor, starts: Sequence[int]) -> None:
        self._taps = weight.shape[-1] ** 2
        self._weight = weight.flatten(1).double()
        energy = torch.einsum("oi,ij,oj->", self._weight, moments, self._weight)
        self._share = 1 / max(float(energy), 1e-30)
        damping = _DAMPING * moments.diagonal().mean() + 1e-12
        self._inverse = torch.linalg.inv(moments + torch.diag(damping.expand(len(moments))))
        self._starts = starts

    def costs(self, channels: Sequence[int]) -> Tensor:
        """What the loss of each channel costs, as a share of the output's energy."""
        index = torch.stack([self._index(channel) for channel in channels])
        weights = self._weight[:, index].transpose(0, 1)
        blocks = self._inverse[index[:, :, None], index[:, None, :]]
        solved = torch.linalg.solve(blocks, weights.transpose(1, 2))
        return torch.einsum("cot,cto->c", weights, solved) * self._share

    def remove(self, channel: int) -> None:
        """Takes a channel away; the other weights make good what they can."""
        index = self._index(channel)
        step = torch.linalg.solve(self._inverse[index][:, index], self._inverse[index])
        self._weight = self._weight - self._weight[:, index] @ step
        self._inverse = self._inverse - self._inverse[:, index] @ step
        self._weight[:, index] = 0

    def _index(self, channel: int) -> Tensor:
        taps = torch.arange(self._taps)
        return torch.cat([(start + channel) * self._taps + taps for start in self._starts])


def choose_channels(
    source: SRModel, wanted: Mapping[str, int], moments: Mapping[str, Tensor]
) -> dict[str, list[int]]:
    """Chooses the channels of every group that has more than are wanted.

    Args:
        source: The trained network.
        wanted: Channels to keep, by group; other groups of the source are not looked at.
        moments: Second moments (C*k*k, C*k*k) of the input patches, float64, by name of the layer,
            for all that read such a group.

    Returns:
        The kept channels by group, ascending.
    """
    have, layers = widths(source), source.layers()
    chosen = {group: list(range(have[group])) for group in wanted}
    writers = [layer.writes for layer in layers]
    # From the output inwards, so that what a layer gives is chosen before what it reads. A stream
    # that many write to comes first: everything else serves it.
    groups = sorted(set(wanted) - {RGB}, key=lambda g: (writers.count(g) < 2, -writers.index(g)))
    for group in groups:
        if wanted[group] < have[group]:
            readers = [
                _Reader(
                    _rows(source, layer, chosen), moments[layer.name], _starts(layer, group, have)
                )
                for layer in layers
                if group in layer.reads
            ]
            chosen[group] = _thin(chosen[group], wanted[group], readers)
    return chosen


def _thin(channels: Sequence[int], count: int, readers: Sequence[_Reader]) -> list[int]:
    kept = list(channels)
    while len(kept) > count:
        costs = torch.stack([reader.costs(kept) for reader in readers]).sum(dim=0)
        gone = kept.pop(int(costs.argmin()))
        for reader in readers:
            reader.remove(gone)
    return kept


def _rows(source: SRModel, layer: Layer, chosen: Mapping[str, Sequence[int]]) -> Tensor:
    """The layer's kernel for the outputs that are kept; all where the student has none of them."""
    weight, _ = read_kernel(source.get_submodule(layer.name))
    return weight[list(chosen[layer.writes])] if layer.writes in chosen else weight


def _starts(layer: Layer, group: str, have: Mapping[str, int]) -> list[int]:
    starts, start = [], 0
    for read in layer.reads:
        if read == group:
            starts.append(start)
        start += have[read]
    return starts

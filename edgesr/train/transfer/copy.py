"""The plain transfer: the channels of largest norm, units repeated or left out.

A network thins badly this way, because what follows a channel that is gone is not told; `fit`
exists for that. It needs no images.
"""

import torch
from torch import Tensor

from edgesr.models.layers import PIXELS, Layer, read_kernel, write_kernel
from edgesr.models.registry import SRModel
from edgesr.train.transfer.pairs import (
    Chosen,
    counterparts,
    take_slopes,
    wanted_widths,
    widths,
)


def copy_channels(source: SRModel, student: SRModel) -> None:
    """Fills the student with the source's channels of largest L2 norm, in their old order.

    Channels that the source does not have keep the student's weights, and nothing reads them yet:
    a wider network of the same depth starts as the same function.

    Args:
        source: The trained network.
        student: Of the same architecture and scale; is changed.
    """
    pairs = counterparts(source, student, repeat=True)
    chosen = _largest(source, wanted_widths(pairs, source, student))
    places = _places(student)
    for ours in student.layers():
        theirs = pairs[ours.name]
        assert theirs is not None  # noqa: S101 - repeat leaves none without
        weight, bias = read_kernel(student.get_submodule(ours.name))
        given, given_bias = read_kernel(source.get_submodule(theirs.name))
        rows = chosen[theirs.writes]
        weight, bias = weight.clone(), bias.clone()
        weight[: len(rows)] = 0
        for start, columns in zip(places[ours.name], _columns(source, theirs, chosen), strict=True):
            weight[: len(rows), start : start + len(columns)] = given[rows][:, columns]
        bias[: len(rows)] = given_bias[rows]
        write_kernel(student.get_submodule(ours.name), weight, bias)
        take_slopes(source, theirs, student, ours, rows)


def _largest(source: SRModel, wanted: dict[str, int]) -> Chosen:
    energy: dict[str, Tensor] = {}
    for layer in source.layers():
        weight, _ = read_kernel(source.get_submodule(layer.name))
        own = weight.flatten(1).square().sum(dim=1)
        energy[layer.writes] = energy.get(layer.writes, torch.zeros_like(own)) + own
    chosen: dict[str, list[int]] = {"rgb": [0, 1, 2]}
    for group, values in energy.items():
        count = len(values) if group == PIXELS else wanted.get(group, 0)
        chosen[group] = sorted(torch.topk(values, count).indices.tolist())
    return chosen


def _columns(source: SRModel, layer: Layer, chosen: Chosen) -> list[list[int]]:
    """The source's input channels to take, for each group that the layer reads."""
    have = widths(source)
    found, start = [], 0
    for group in layer.reads:
        found.append([start + channel for channel in chosen[group]])
        start += have[group]
    return found


def _places(student: SRModel) -> dict[str, list[int]]:
    """Where each group that a layer reads begins among its input channels."""
    have = widths(student)
    found = {}
    for layer in student.layers():
        starts = [0]
        for group in layer.reads[:-1]:
            starts.append(starts[-1] + have[group])
        found[layer.name] = starts
    return found

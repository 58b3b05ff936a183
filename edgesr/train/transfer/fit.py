"""The transfer that works: every conv is solved for features of the source.

Layer by layer, in the order of execution, a ridge regression finds the kernel that makes the
student's own features so far give the source's features, those of the chosen channels before the
activation. So each layer makes good what the ones before it miss, and what a left-out unit did is
absorbed by the next: the reconstruction of He et al., "Channel Pruning for Accelerating Very Deep
Neural Networks" (2017), here with other channels (see `choose`), depth, and residual
streams, whose blocks are solved for the stream behind them.

Measured on Set5, PSNR-Y, without any training, fitted on the images of `images`
(in brackets: `copy`):

* srvgg x4, animevideov3, 64 features and 16 convs, 28.23 dB (nearest 26.26): 32 features 28.78
  (25.86), 32 features and 32 convs 28.78 (25.82), 16 features and 8 convs 28.35. Above the source,
  because that one is trained to sharpen, and least squares does it less;
* span x4, 28 features, 31.74 dB: 20 features 30.68 (11.5);
* espcn x2, tanh, 34.22 dB (nearest 30.86): half of both widths 33.83 (9.0);
* elsr x2, 6 features, 32.95 dB: 4 features 32.40 (10.6).
"""

import contextlib
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from edgesr.data.images import RgbImage
from edgesr.models.layers import Layer, read_kernel, write_kernel
from edgesr.models.registry import SRModel
from edgesr.quality.pixels import to_unit
from edgesr.train.transfer.choose import choose_channels
from edgesr.train.transfer.pairs import Chosen, counterparts, take_slopes, wanted_widths, widths

_RIDGE = 1e-4
"""Weight of the penalty, as a share of the features' mean energy."""
_TINY = 1e-9
"""Keeps the equations solvable where all features are 0."""


@dataclass
class _Recording:
    """What the source did on the calibration crops."""

    outputs: dict[str, Tensor] = field(default_factory=dict)
    """By layer: its output (N, C, H, W), and what it is added to where it is."""
    moments: dict[str, Tensor] = field(default_factory=dict)
    """By layer: second moments of its input's patches (C*k*k, C*k*k), float64."""


def fit_features(source: SRModel, student: SRModel, crops: Sequence[RgbImage]) -> None:
    """Fills the student so that its features are those of the source.

    Channels that the source does not have keep the student's weights; later layers are free to
    use them. Units that it does not have hand their input on.

    Args:
        source: The trained network, on the CPU.
        student: Of the same architecture and scale; is changed.
        crops: Low-res images (S, S, 3) of one size, at least one.
    """
    batch = torch.from_numpy(np.stack([to_unit(crop) for crop in crops])).permute(0, 3, 1, 2)
    pairs = counterparts(source, student)
    wanted, have = wanted_widths(pairs, source, student), widths(source)
    thinned = {group for group, count in wanted.items() if count < have[group]}
    read = [layer.name for layer in source.layers() if thinned & set(layer.reads)]
    recording = _record(source, batch, read)
    chosen = choose_channels(source, wanted, recording.moments)
    with torch.no_grad():
        for layer in student.layers():
            theirs = pairs[layer.name]
            if theirs is not None:
                take_slopes(source, theirs, student, layer, chosen[theirs.writes])
            elif layer.unit is not None:
                student.pass_through(layer.unit)
        _solve_all(student, batch, pairs, recording.outputs, chosen)


def _record(source: SRModel, batch: Tensor, moments_of: Sequence[str]) -> _Recording:
    found = _Recording()
    inputs: dict[str, Tensor] = {}

    def watch(layer: Layer, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        x = inputs[layer.name] = args[0]
        found.outputs[layer.name] = output + inputs[layer.adds_to] if layer.adds_to else output
        if layer.name in moments_of:
            found.moments[layer.name] = _normal(x, output[:, :0], _size(module))[0][:-1, :-1]

    with contextlib.ExitStack() as hooks, torch.no_grad():
        for layer in source.layers():
            module = source.get_submodule(layer.name)
            handle = module.register_forward_hook(functools.partial(watch, layer))
            hooks.callback(handle.remove)
        source(batch)
    return found


def _solve_all(
    student: SRModel,
    batch: Tensor,
    pairs: Mapping[str, Layer | None],
    targets: Mapping[str, Tensor],
    chosen: Chosen,
) -> None:
    """One run of the student, in which each conv is solved just before its turn."""
    inputs: dict[str, Tensor] = {}

    def solve(layer: Layer, module: nn.Module, args: tuple[Tensor, ...]) -> None:
        x = inputs[layer.name] = args[0]
        theirs = pairs[layer.name]
        if theirs is None:
            return
        target = targets[theirs.name][:, list(chosen[theirs.writes])]
        if layer.adds_to:
            target = target - inputs[layer.adds_to][:, : target.shape[1]]
        weight, bias = (part.clone() for part in read_kernel(module))
        rows = target.shape[1]
        solution = _ridge(*_normal(x, target, _size(module))).to(weight.dtype)
        weight[:rows] = solution[:-1].T.reshape(rows, *weight.shape[1:])
        bias[:rows] = solution[-1]
        write_kernel(module, weight, bias)

    with contextlib.ExitStack() as hooks, torch.no_grad():
        for layer in student.layers():
            module = student.get_submodule(layer.name)
            handle = module.register_forward_pre_hook(functools.partial(solve, layer))
            hooks.callback(handle.remove)
        student(batch)


def _size(module: nn.Module) -> int:
    return read_kernel(module)[0].shape[-1]


def _normal(x: Tensor, target: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Normal equations of a conv with bias, in float64.

    Args:
        x: Its input (N, C, H, W).
        target: What it is to give (N, O, H, W).
        size: k, odd.

    Returns:
        (C*k*k + 1, C*k*k + 1) and (C*k*k + 1, O); the bias comes last.
    """
    count = x.shape[1] * size * size + 1
    left = torch.zeros(count, count, dtype=torch.double)
    right = torch.zeros(count, target.shape[1], dtype=torch.double)
    for image, wanted in zip(x, target, strict=True):  # one by one: patches take 9 times the room
        patches = F.unfold(image[None].double(), size, padding=size // 2)[0]
        patches = torch.cat([patches, torch.ones(1, patches.shape[1], dtype=torch.double)])
        left += patches @ patches.T
        right += patches @ wanted.flatten(1).double().T
    return left, right


def _ridge(left: Tensor, right: Tensor) -> Tensor:
    """Solves the normal equations; the penalty spares the bias, which is last."""
    penalty = (_RIDGE * left.diagonal()[:-1].mean() + _TINY).repeat(len(left))
    penalty[-1] = 0
    solution: Tensor = torch.linalg.solve(left + torch.diag(penalty), right)
    return solution

"""APoT: weights are sums of powers of two, dense around 0.

Source: "Additive Powers-of-Two Quantization: An Efficient Non-Uniform Discretization for Neural
Networks" (Li et al., 2020), arXiv 1909.13144. Seven bits of magnitude are three terms of two bits
and one of one bit (its k n + 1 bits with k = 2, n = 3): 128 levels, normalised so that the largest
is the learned clip a of the channel. Gradients are those of its reparameterised clipping function:
that of w passes where w is not clipped; a gets sign(w) where it is and level(w / a) - w / a
elsewhere.

The levels don't lie on an int8 grid: the file holds whole steps of a / 127, chosen so that each
conv's output comes nearest (`regrid`), and what that costs is measured when it is written.
Activations have to be even in a .tflite; they are trained as LSQ trains them.
"""

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from edgesr.quantize.grid import WEIGHT_LIMIT, largest, per_channel
from edgesr.quantize.lsq import LsqActivation
from edgesr.quantize.method import Method, RelativeScale, WeightQuantizer, register_method

_TERMS = 3
"""Of two bits each: n."""


def magnitudes() -> Tensor:
    """The 128 levels from 0 to 1, ascending, float64.

    Term i of n has the values 0, 2^-i, 2^-(i+n), 2^-(i+2n+1). The exponent 2n in between is that of
    the term of one bit, 0 or 2^-2n: all terms together have every exponent once.
    """
    last = 2 * _TERMS
    terms = [[0.0, *(2.0**-e for e in (i, i + _TERMS, i + last + 1))] for i in range(_TERMS)]
    terms.append([0.0, 2.0**-last])
    sums = torch.tensor(
        [math.fsum(each) for each in itertools.product(*terms)], dtype=torch.float64
    )
    return (sums / sums.max()).sort().values


class _Levels(Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, clip: Tensor, levels: Tensor) -> Tensor:
        relative = weight / clip
        size = relative.abs().clamp(max=1).contiguous()
        place = torch.bucketize(size, (levels[1:] + levels[:-1]) / 2)
        level = levels[place] * relative.sign()
        ctx.save_for_backward(relative, level)
        ctx.clip_shape = clip.shape
        return level * clip

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        relative, level = ctx.saved_tensors
        inside = relative.abs() <= 1
        to_clip = grad * torch.where(inside, level - relative, relative.sign())
        return grad * inside, to_clip.sum_to_size(ctx.clip_shape), None


class ApotWeights(WeightQuantizer):
    """One learned clip per output channel."""

    levels: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv)
        self.learned = RelativeScale(conv.out_channels)
        self.register_buffer("levels", magnitudes().float(), persistent=False)

    def calibrate(self, weight: Tensor) -> Tensor:
        """The clip starts at max|w|: the levels there are sparse, so cutting off gains little."""
        self.learned.set(largest(weight))
        return weight

    def forward(self, weight: Tensor) -> Tensor:
        """The nearest level."""
        clip = per_channel(self.learned())
        levelled: Tensor = _Levels.apply(weight, clip, self.levels)  # type: ignore[no-untyped-call]
        return levelled

    def scale(self, weight: Tensor) -> Tensor:
        """A / 127."""
        del weight
        clip: Tensor = self.learned()
        return clip / WEIGHT_LIMIT


APOT = register_method(
    Method("apot", "Li et al., 2020, arXiv 1909.13144", ApotWeights, LsqActivation, on_grid=False)
)

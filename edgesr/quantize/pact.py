"""PACT: the upper end of every activation is a parameter.

Source: "PACT: Parameterized Clipping Activation for Quantized Neural Networks" (Choi et al.,
2018), arXiv 1805.06085. y = clip(x, 0, a), rounded to 255 steps of a / 255; the gradient of a is 1
where x is clipped and 0 elsewhere (equation 3), and a squared is a term of the loss (section 3.2).
A tensor with negative values, which the paper does not have, is clipped to [-a 128/127, a] in steps
of a / 127, as far as int8 reaches. Weights take max|w| / 127 of their channel: at 8 bits the paper
leaves them to any method.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from edgesr.quantize.compensate import compensate
from edgesr.quantize.grid import ACTIVATION_LIMITS, Grid
from edgesr.quantize.method import (
    ActivationQuantizer,
    LargestWeights,
    Method,
    RelativeScale,
    register_method,
)

_SIGNED_STEPS = ACTIVATION_LIMITS[1]
_SIGNED_LOW = ACTIVATION_LIMITS[0] / ACTIVATION_LIMITS[1]
_UNSIGNED_STEPS = ACTIVATION_LIMITS[1] - ACTIVATION_LIMITS[0]


class _Clipping(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, clip: Tensor, steps: float, low: float) -> Tensor:
        ctx.save_for_backward(x, clip)
        ctx.low = low
        scale = clip / steps
        return torch.round(x.clamp(low * clip, clip) / scale) * scale

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        x, clip = ctx.saved_tensors
        above, below = x >= clip, x <= ctx.low * clip
        to_clip = (grad * above).sum() + ctx.low * (grad * below).sum()
        return grad * ~(above | below), to_clip.reshape(clip.shape), None, None


def clip_and_round(x: Tensor, clip: Tensor, *, signed: bool) -> Tensor:
    """round(clip(x, low, a) / s) * s with the gradients of PACT.

    Args:
        x: Any shape.
        clip: a, positive, one value.
        signed: low is -a 128/127 and s is a / 127; else low is 0 and s is a / 255.
    """
    steps = float(_SIGNED_STEPS if signed else _UNSIGNED_STEPS)
    rounded: Tensor = _Clipping.apply(x, clip, steps, _SIGNED_LOW if signed else 0.0)  # type: ignore[no-untyped-call]
    return rounded


class PactActivation(ActivationQuantizer):
    """One learned clip."""

    signed: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.learned = RelativeScale()
        self.register_buffer("signed", torch.tensor(0.0))

    def calibrate(self, low: float, high: float) -> None:
        """The clip starts where the range ends, whichever end is farther from 0."""
        self.signed.fill_(float(low < 0))
        self.learned.set(torch.tensor([max(high, -low)]).clamp(min=1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """Clips and rounds."""
        return clip_and_round(x, self.learned(), signed=bool(self.signed))

    def grid(self) -> Grid:
        """A / 255 from 0, or a / 127 around it."""
        clip = float(self.learned().detach())
        if bool(self.signed):
            return Grid(clip / _SIGNED_STEPS, 0)
        return Grid(clip / _UNSIGNED_STEPS, ACTIVATION_LIMITS[0])

    def penalty(self) -> Tensor:
        """The squared clip."""
        clip: Tensor = self.learned()
        return clip.square().sum()


PACT = register_method(
    Method(
        "pact",
        "Choi et al., 2018, arXiv 1805.06085",
        LargestWeights,
        PactActivation,
        prepare=compensate,
    )
)

"""Rounding to a grid of whole numbers, and its gradients.

A grid is a scale and a zero point: the stored whole number q stands for (q - zero_point) * scale.
TFLite's int8 has activations in [-128, 127] with one scale and zero point per tensor, weights in
[-127, 127] with one scale per output channel and zero point 0, and biases in int32 whose scale is
that of the input times that of the weights.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

ACTIVATION_LIMITS = (-128, 127)
WEIGHT_LIMIT = 127
BIAS_LIMIT = 2**31 - 1
SMALLEST_SCALE = 1e-9
"""Below it a tensor is taken for zero: scales stay positive."""


_NOTHING = 1e-7
"""Weights below it are taken for none."""
_TOLERANCE = 1e-3
"""Of a step: a value at the limit counts as inside. The largest weight of a channel whose scale is
max|w| / 127 is always there, and would never be trained."""
_SHRINKS = 41
_SMALLEST_SHRINK = 0.6


@dataclass(frozen=True)
class Grid:
    """What a .tflite stores of an activation's quantization."""

    scale: float
    zero_point: int

    @property
    def low(self) -> float:
        """The smallest value."""
        return (ACTIVATION_LIMITS[0] - self.zero_point) * self.scale

    @property
    def high(self) -> float:
        """The largest value."""
        return (ACTIVATION_LIMITS[1] - self.zero_point) * self.scale


PIXELS = Grid(1 / 255, -128)
"""Of images: a uint8 pixel p is stored as p - 128."""
SIGMOID = Grid(1 / 256, -128)
"""What TFLite's LOGISTIC writes."""
TANH = Grid(1 / 128, 0)
"""What TFLite's TANH writes."""


def grid_between(low: float, high: float) -> Grid:
    """The finest grid that covers [low, high] and holds 0 exactly.

    Args:
        low: Smallest value; anything above 0 counts as 0.
        high: Largest value; anything below 0 counts as 0.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max((high - low) / 255, SMALLEST_SCALE)
    return Grid(scale, round(ACTIVATION_LIMITS[0] - low / scale))


class _Rounding(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor, low: Tensor, high: Tensor, gain: float
    ) -> Tensor:
        v = x / scale
        q = v.clamp(low, high).round_()
        ctx.save_for_backward(v, q, low, high)
        ctx.gain, ctx.scale_shape = gain, scale.shape
        return q * scale

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        v, q, low, high = ctx.saved_tensors
        inside = (v >= low - _TOLERANCE) & (v <= high + _TOLERANCE)
        to_scale = None
        if ctx.needs_input_grad[1]:
            of_each = q - v * inside  # outside q is the limit itself
            to_scale = (grad * of_each).sum_to_size(ctx.scale_shape) * ctx.gain
        return grad * inside, to_scale, None, None, None


def round_to_grid(
    x: Tensor, scale: Tensor, low: Tensor, high: Tensor, *, gain: float = 1.0
) -> Tensor:
    """clamp(round(x / scale), low, high) * scale with the gradients of LSQ.

    The gradient passes to ``x`` where it was not clamped ("straight through"). That of ``scale``
    is the paper's equation 3: round(x/s) - x/s inside, ``low`` or ``high`` outside, summed. A value
    at the limit counts as inside, where the paper has it outside.
    Source: "Learned Step Size Quantization" (Esser et al., 2020).

    Args:
        x: Any shape.
        scale: Positive, of a shape that broadcasts to x's.
        low: Smallest whole number, zero point taken off; a scalar tensor.
        high: Largest one.
        gain: Multiplies the gradient of ``scale``.
    """
    rounded: Tensor = _Rounding.apply(x, scale, low, high, gain)  # type: ignore[no-untyped-call]
    return rounded


def round_straight(x: Tensor) -> Tensor:
    """round(x), whose gradient is 1."""
    return x + (x.round() - x).detach()


def per_channel(values: Tensor) -> Tensor:
    """(O) to (O, 1, 1, 1): broadcasts over a conv's weights."""
    return values.reshape(-1, 1, 1, 1)


def largest(weight: Tensor) -> Tensor:
    """max|w| of each output channel: (O, I, k, k) to (O), positive.

    A channel without weights counts as one of size 127: its bias still has to fit into 32 bits of
    that scale times the input's.
    """
    size = weight.detach().abs().amax(dim=(1, 2, 3))
    return torch.where(size < _NOTHING, float(WEIGHT_LIMIT), size)


def limits(low: int, high: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Both limits as scalar tensors beside another one."""
    return like.new_tensor(float(low)), like.new_tensor(float(high))


def nearest(weight: Tensor, scale: Tensor) -> Tensor:
    """The whole numbers nearest to weight / scale, in [-127, 127], as floats.

    Args:
        weight: (O, I, k, k).
        scale: (O).
    """
    return torch.round(weight / per_channel(scale)).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT)


def least_error_scale(weight: Tensor) -> Tensor:
    """The scale of each channel at which rounding and saturation cost least, (O).

    Args:
        weight: (O, I, k, k).
    """
    widest = largest(weight) / WEIGHT_LIMIT
    best, least = widest, torch.full_like(widest, math.inf)
    for shrink in torch.linspace(1.0, _SMALLEST_SHRINK, _SHRINKS).tolist():
        scale = per_channel(widest * shrink)
        rounded = torch.round(weight / scale).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT) * scale
        error = (rounded - weight).square().sum(dim=(1, 2, 3))
        best = torch.where(error < least, widest * shrink, best)
        least = torch.minimum(error, least)
    return best

"""LSQ: every scale is a parameter, trained with the weights.

Source: "Learned Step Size Quantization" (Esser et al., 2020), arXiv 1902.08153. Gradients are the
paper's equation 3, multiplied by 1 / sqrt(N * Qp) as in its section 2.2. The start is the scale of
least squared error: at 8 bits the paper's 2 mean|v| / sqrt(Qp) cuts off a large part of the range.
The zero point of a tensor with negative values is calibrated and stays.
"""

import math

import torch
from torch import Tensor, nn

from edgesr.quantize.compensate import compensate
from edgesr.quantize.grid import (
    ACTIVATION_LIMITS,
    WEIGHT_LIMIT,
    Grid,
    grid_between,
    least_error_scale,
    limits,
    per_channel,
    round_to_grid,
)
from edgesr.quantize.method import (
    ActivationQuantizer,
    Method,
    RelativeScale,
    WeightQuantizer,
    register_method,
)


class LsqWeights(WeightQuantizer):
    """One learned scale per output channel."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv)
        self.learned = RelativeScale(conv.out_channels)
        self._gain = 1 / math.sqrt(conv.weight[0].numel() * WEIGHT_LIMIT)

    def calibrate(self, weight: Tensor) -> Tensor:
        """The scale of least squared error of each channel."""
        self.learned.set(least_error_scale(weight))
        return weight

    def forward(self, weight: Tensor) -> Tensor:
        """Rounds; both weight and scale get gradients."""
        scale = per_channel(self.learned())
        bounds = limits(-WEIGHT_LIMIT, WEIGHT_LIMIT, weight)
        return round_to_grid(weight, scale, *bounds, gain=self._gain)

    def scale(self, weight: Tensor) -> Tensor:
        """As learned."""
        del weight
        learned: Tensor = self.learned()
        return learned


class LsqActivation(ActivationQuantizer):
    """One learned scale; Qn and Qp follow from the zero point."""

    zero_point: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.learned = RelativeScale()
        self.register_buffer("zero_point", torch.tensor(0.0))

    def calibrate(self, low: float, high: float) -> None:
        """The finest grid over the range."""
        grid = grid_between(low, high)
        self.learned.set(torch.tensor([grid.scale]))
        self.zero_point.fill_(grid.zero_point)

    def forward(self, x: Tensor) -> Tensor:
        """Rounds; N of the gradient's gain are the values of one image."""
        low, high = (limit - self.zero_point for limit in ACTIVATION_LIMITS)
        gain = 1 / math.sqrt(x[0].numel() * max(float(high), 1.0))
        return round_to_grid(x, self.learned(), low, high, gain=gain)

    def grid(self) -> Grid:
        """As learned."""
        return Grid(float(self.learned().detach()), int(self.zero_point))


LSQ = register_method(
    Method(
        "lsq",
        "Esser et al., 2020, arXiv 1902.08153",
        LsqWeights,
        LsqActivation,
        prepare=compensate,
    )
)

"""STE: rounding in the forward pass, none in the backward pass.

Source: "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference" (Jacob et al., 2018), arXiv 1712.05877, section 3, with the straight-through estimator
of Bengio et al. (2013), arXiv 1308.3432. Nothing is learned but weights and biases: a channel's
scale is max|w| / 127 at every step, and a tensor's range is the moving average of the smallest
and the largest value that training shows.
"""

import torch
from torch import Tensor

from edgesr.quantize.compensate import compensate
from edgesr.quantize.grid import ACTIVATION_LIMITS, Grid, grid_between, round_to_grid
from edgesr.quantize.method import (
    ActivationQuantizer,
    LargestWeights,
    Method,
    register_method,
)

DECAY = 0.99
"""Of the moving averages, per forward pass in training."""


class RunningRange(ActivationQuantizer):
    """The finest grid over a moving average of the range, which starts as calibrated."""

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(0.0))
        self.register_buffer("high", torch.tensor(1.0))

    def calibrate(self, low: float, high: float) -> None:
        """Starts the averages."""
        self.low.fill_(min(low, 0.0))
        self.high.fill_(max(high, 0.0))

    def forward(self, x: Tensor) -> Tensor:
        """Rounds; in training the averages move first."""
        if self.training:
            with torch.no_grad():
                low, high = torch.aminmax(x.detach())
                if torch.isfinite(low + high):  # a training that diverges says so itself
                    self.low.lerp_(low.clamp(max=0), 1 - DECAY)
                    self.high.lerp_(high.clamp(min=0), 1 - DECAY)
        grid = self.grid()
        bounds = (x.new_tensor(float(limit - grid.zero_point)) for limit in ACTIVATION_LIMITS)
        return round_to_grid(x, x.new_tensor(grid.scale), *bounds)

    def grid(self) -> Grid:
        """Over the averages as they are."""
        return grid_between(float(self.low), float(self.high))


STE = register_method(
    Method(
        "ste",
        "Jacob et al., 2018, arXiv 1712.05877",
        LargestWeights,
        RunningRange,
        prepare=compensate,
    )
)

"""After training: ranges and scales are found once and stay.

Weights are rounded to nearest on the scale of least squared error of each channel. What rounds them
better (`compensate`, `reconstruct`) moves the weights onto that grid, where nearest finds them.
Training such a network trains its weights and biases, straight through the rounding.
"""

import torch
from torch import Tensor, nn

from edgesr.quantize.grid import WEIGHT_LIMIT, least_error_scale, limits, per_channel, round_to_grid
from edgesr.quantize.method import FixedActivation, Method, WeightQuantizer, register_method


class LeastErrorWeights(WeightQuantizer):
    """One scale per output channel, fixed at calibration."""

    fixed: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv)
        self.register_buffer("fixed", torch.ones(conv.out_channels))

    def calibrate(self, weight: Tensor) -> Tensor:
        """Finds the scales."""
        self.fixed.copy_(least_error_scale(weight))
        return weight

    def forward(self, weight: Tensor) -> Tensor:
        """Rounds to nearest."""
        bounds = limits(-WEIGHT_LIMIT, WEIGHT_LIMIT, weight)
        return round_to_grid(weight, per_channel(self.fixed), *bounds)

    def scale(self, weight: Tensor) -> Tensor:
        """As found."""
        del weight
        return self.fixed


PTQ = register_method(Method("ptq", "after training", LeastErrorWeights, FixedActivation))

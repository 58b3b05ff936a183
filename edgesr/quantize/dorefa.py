"""DoReFa: weights pass a tanh before they are rounded.

Source: "DoReFa-Net: Training Low Bitwidth Convolutional Neural Networks with Low Bitwidth
Gradients" (Zhou et al., 2016), arXiv 1606.06160, equation 9: w = 2 Q(tanh(u) / (2 max|tanh u|) +
1/2) - 1. Two things differ, because the network has to reach an int8 file and an image:

* Q's 255 steps from -1 to 1 hold no 0, which int8 weights with zero point 0 need: here
  w = round(tanh(u) / c) * c with c = max|tanh u| / 127, per output channel.
* The paper's weights always fill [-1, 1]; batch normalisation puts their size right again. A
  network for images has none, so every channel is multiplied by a fixed g. With g = 2 max|w| of the
  float network and u = atanh(w / g) training starts exactly at its weights.

The paper's activations are clipped to [0, 1]; here to the calibrated range, which stays.
"""

import torch
from torch import Tensor, nn

from edgesr.quantize.grid import WEIGHT_LIMIT, largest, limits, per_channel, round_to_grid
from edgesr.quantize.method import FixedActivation, Method, WeightQuantizer, register_method


class DorefaWeights(WeightQuantizer):
    """The conv's parameter is u; what it computes with is g * tanh(u), rounded."""

    gain: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv)
        self.register_buffer("gain", torch.ones(conv.out_channels))

    def calibrate(self, weight: Tensor) -> Tensor:
        """Sets g; returns u."""
        self.gain.copy_(2 * largest(weight))
        return torch.atanh(weight / per_channel(self.gain))

    def forward(self, weight: Tensor) -> Tensor:
        """G * round(tanh(u) / c) * c; the gradient is g * (1 - tanh(u)^2)."""
        values = per_channel(self.gain) * torch.tanh(weight)
        scale = per_channel(self.scale(weight))
        return round_to_grid(values, scale, *limits(-WEIGHT_LIMIT, WEIGHT_LIMIT, weight))

    def scale(self, weight: Tensor) -> Tensor:
        """G * max|tanh u| / 127."""
        return self.gain * largest(torch.tanh(weight)) / WEIGHT_LIMIT


DOREFA = register_method(
    Method("dorefa", "Zhou et al., 2016, arXiv 1606.06160", DorefaWeights, FixedActivation)
)

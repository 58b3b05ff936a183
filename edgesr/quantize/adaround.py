"""AdaRound: whether a weight is rounded up or down is learned, layer by layer, on few images.

Source: "Up or Down? Adaptive Rounding for Post-Training Quantization" (Nagel et al., 2020), arXiv
2004.10568: w = s * clamp(floor(w / s) + h(V)) with h(V) = clip(1.2 sigmoid(V) - 0.1, 0, 1). See
`reconstruct` for how V is found. In training that follows the roundings are hard, and V still gets
the gradient of the loss through h: a weight may turn to its other neighbour. The weights themselves
stay; activations are trained as LSQ trains them.
"""

import torch
from torch import Tensor, nn

from edgesr.quantize.grid import WEIGHT_LIMIT, least_error_scale, per_channel
from edgesr.quantize.lsq import LsqActivation
from edgesr.quantize.method import Method, WeightQuantizer, register_method
from edgesr.quantize.network import QuantizedNetwork
from edgesr.quantize.reconstruct import learn_roundings, rectified_sigmoid, start_of


class AdaroundWeights(WeightQuantizer):
    """V of every weight, and a fixed scale per output channel."""

    fixed: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv)
        self.register_buffer("fixed", torch.ones(conv.out_channels))
        self.rounding = nn.Parameter(torch.zeros_like(conv.weight))
        conv.weight.requires_grad = False

    def calibrate(self, weight: Tensor) -> Tensor:
        """The scale of least squared error; V where it rounds to nearest."""
        self.fixed.copy_(least_error_scale(weight))
        with torch.no_grad():
            self.rounding.copy_(start_of(weight / per_channel(self.fixed)))
        return weight

    def forward(self, weight: Tensor) -> Tensor:
        """Rounds up where h(V) is 1/2 or more; the gradient is that of h."""
        soft = rectified_sigmoid(self.rounding)
        up = soft + ((soft >= 0.5).to(soft.dtype) - soft).detach()
        scale = per_channel(self.fixed)
        return (torch.floor(weight / scale) + up).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT) * scale

    def scale(self, weight: Tensor) -> Tensor:
        """As found."""
        del weight
        return self.fixed


def _prepare(network: QuantizedNetwork, images: Tensor) -> None:
    for name, rounding in learn_roundings(network, images):
        quantizer = network.weight_quantizer(name)
        if isinstance(quantizer, AdaroundWeights):
            with torch.no_grad():
                quantizer.rounding.copy_(rounding)


ADAROUND = register_method(
    Method(
        "adaround",
        "Nagel et al., 2020, arXiv 2004.10568",
        AdaroundWeights,
        LsqActivation,
        prepare=_prepare,
    )
)

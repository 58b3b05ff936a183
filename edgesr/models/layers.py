"""What tools see that rewrite a network conv by conv: which conv reads and writes which channels.

Channels that have to be chosen together form a group with a name. ``RGB`` goes in, ``PIXELS`` come
out; a stream that residual blocks add to is one group however many convs write to it.
"""

from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

RGB = "rgb"
"""The three channels of the input."""
PIXELS = "pixels"
"""The 3 * s * s channels in front of ``nn.PixelShuffle``."""


@dataclass(frozen=True)
class Layer:
    """One conv of a network.

    Attributes:
        name: Of the module, as ``get_submodule`` takes it.
        reads: Groups whose channels are concatenated to its input.
        writes: Group of its output, before the activation.
        unit: Number of the repeated unit it belongs to, from 0; None outside of units. All units
            have the same layers in the same order.
        adds_to: Name of the layer whose input the output is added to; empty for none.
        slopes: Name of the ``nn.PReLU`` behind it; empty for none.
    """

    name: str
    reads: tuple[str, ...]
    writes: str
    unit: int | None = None
    adds_to: str = ""
    slopes: str = ""


class KernelConv(Protocol):
    """A module that equals one conv, whatever it is trained as."""

    def merged(self) -> tuple[Tensor, Tensor]:
        """Weight (outputs, inputs, k, k) and bias (outputs)."""

    def assign(self, weight: Tensor, bias: Tensor) -> None:
        """Makes it equal the conv with this weight and bias."""


def read_kernel(conv: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight (outputs, inputs, k, k) and bias (outputs) of a layer's module, detached."""
    if isinstance(conv, nn.Conv2d):
        return conv.weight.detach(), cast("Tensor", conv.bias).detach()
    weight, bias = cast("KernelConv", conv).merged()
    return weight.detach(), bias.detach()


def write_kernel(conv: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """Sets what `read_kernel` reads; values are cast to the module's type."""
    with torch.no_grad():
        if isinstance(conv, nn.Conv2d):
            conv.weight.copy_(weight)
            cast("Tensor", conv.bias).copy_(bias)
        else:
            cast("KernelConv", conv).assign(weight, bias)

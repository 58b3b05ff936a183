"""Size of a network in parameters and multiply-accumulates."""

import copy
import math

import torch
from torch import Tensor, nn

from edgesr.models.blocks import SharedPReLU


def count_parameters(module: nn.Module) -> int:
    """Number of trained values; fixed and repeated ones don't count."""
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
    shared = (part for part in module.modules() if isinstance(part, SharedPReLU))
    return trained - sum(part.num_parameters - 1 for part in shared)


def count_macs(module: nn.Module, height: int, width: int) -> int:
    """Multiply-accumulates of all convs for one low-res image.

    Args:
        module: A deploy graph.
        height: ``H`` of the low-res image.
        width: ``W`` of the low-res image.
    """
    total = 0

    def add(conv: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(conv, nn.Conv2d):
            kernel = math.prod(conv.kernel_size) * conv.in_channels // conv.groups
            total += output.numel() * kernel

    shadow = copy.deepcopy(module).to("meta")
    for part in shadow.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(add)
    with torch.no_grad():
        shadow(torch.empty(1, 3, height, width, device="meta"))
    return total

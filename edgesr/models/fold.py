"""The deploy graph: folded on a copy, and checked against the network it came from."""

import torch
from torch import nn

from edgesr.errors import ConversionError
from edgesr.models.registry import SRModel

TOLERANCE = 1e-4
"""Largest difference allowed between both graphs, on the scale 0..1."""


def fold(model: SRModel) -> nn.Module:
    """Folds a network for deployment.

    Returns:
        A new module in eval mode, N, 3, H, W in [0, 1] to N, 3, s*H, s*W, that ends in a
        `DepthToSpace`. The model itself is not touched.

    Raises:
        ConversionError: When both graphs differ by more than `TOLERANCE` on a probe image.
    """
    training = model.training
    deploy = model.deploy()
    probe = torch.rand(1, 3, 24, 40, generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            difference = (model.eval()(probe) - deploy(probe)).abs().max().item()
    finally:
        model.train(training)
    if not difference <= TOLERANCE:  # also true for NaN
        raise ConversionError(
            f"folding changed the pixels of {model.spec.arch} by up to {difference:.2g}",
            hint="the checkpoint may hold NaN or huge weights; evaluate it with: edgesr eval",
        )
    return deploy

"""Blocks that several networks share, and the last step of every deploy graph."""

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention


class DepthToSpace(nn.Module):
    """Moves channels into pixels, in TFLite's channel order (ONNX calls it DCR).

    Channel ``(i * s + j) * C + c`` becomes row offset ``i``, column offset ``j`` of colour ``c``.
    ``nn.PixelShuffle`` orders channels as ``c * s * s + i * s + j`` (CRD) instead, which TFLite
    can express only with a GATHER in front; see `depth_to_space_order`.

    Args:
        scale: ``s``.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Maps N, s*s*C, H, W to N, C, s*H, s*W."""
        n, channels, height, width = x.shape
        s = self.scale
        colours = channels // (s * s)
        # N, s, s, C, H, W -> N, C, H, s, W, s
        x = x.reshape(n, s, s, colours, height, width).permute(0, 3, 4, 1, 5, 2)
        return x.reshape(n, colours, height * s, width * s)


def depth_to_space_order(conv: nn.Conv2d, scale: int) -> nn.Conv2d:
    """A copy of a conv that fed ``nn.PixelShuffle``, ordered to feed `DepthToSpace`. Exact."""
    ordered = copy.deepcopy(conv)
    colours = conv.out_channels // (scale * scale)
    for parameter in (ordered.weight, ordered.bias):
        if parameter is not None:
            grid = parameter.data.reshape(colours, scale * scale, *parameter.shape[1:])
            parameter.data = grid.swapaxes(0, 1).reshape(parameter.shape).contiguous()
    return ordered


def nearest_repeat(scale: int, channels: int = 3) -> nn.Conv2d:
    """A fixed 1x1 conv whose `DepthToSpace` is the nearest-neighbour enlargement of its input."""
    conv = nn.Conv2d(channels, channels * scale * scale, 1, bias=False)
    conv.weight.data = torch.eye(channels).repeat(scale * scale, 1)[:, :, None, None]
    return conv.requires_grad_(requires_grad=False)


class SharedPReLU(nn.PReLU):
    """One trained slope, stored once per channel: the GPU delegate takes no shared slope."""


def per_channel_prelu(prelu: nn.PReLU, channels: int) -> SharedPReLU:
    """The same function with its one slope repeated for every channel."""
    wide = SharedPReLU(channels)
    wide.weight.data = prelu.weight.data.expand(channels).clone()
    return wide


def same_conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    """A conv that keeps the size, zero-padded; ``kernel`` is odd."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


def identity_start(conv: nn.Conv2d, channels: int = 3) -> None:
    """Makes the first ``channels`` outputs copies of the inputs; the other weights stay."""
    centre = conv.kernel_size[0] // 2
    with torch.no_grad():
        conv.weight[:channels] = 0
        for c in range(channels):
            conv.weight[c, c, centre, centre] = 1
        cast("Tensor", conv.bias)[:channels] = 0


def bilinear_start(conv: nn.Conv2d, scale: int) -> None:
    """Makes a 3x3 conv before ``nn.PixelShuffle`` enlarge its first three inputs bilinearly.

    The weights of all other inputs become 0: training starts at the quality of bilinear
    interpolation instead of at noise, which on a CPU saves most of the time.
    """
    with torch.no_grad():
        conv.weight.zero_()
        cast("Tensor", conv.bias).zero_()
        for i in range(scale):
            rows = _linear_taps(i, scale)
            for j in range(scale):
                kernel = torch.outer(rows, _linear_taps(j, scale))
                for c in range(3):
                    conv.weight[c * scale * scale + i * scale + j, c] = kernel


def _linear_taps(phase: int, scale: int) -> Tensor:
    """Weights of the left, own and right low-res pixel for one sub-pixel position."""
    offset = (phase + 0.5) / scale - 0.5
    return torch.tensor([max(-offset, 0.0), 1 - abs(offset), max(offset, 0.0)])


def repeat_nearest(x: Tensor, scale: int) -> Tensor:
    """Nearest-neighbour enlargement: N, C, H, W to N, C, s*H, s*W."""
    return F.interpolate(x, scale_factor=scale, mode="nearest")

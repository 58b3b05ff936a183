"""Rounding weights after training so that each conv's output, not each weight, is nearest.

Source: "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers"
(Frantar et al., 2022), arXiv 2210.17323. Weights are rounded one input at a time; what is still
free makes good for each rounding error, as far as the calibration images show inputs that go
together. Scales stay, so size and speed do too.

A conv reads rows x of K = inputs * kernel height * kernel width values. Their mean (K) and second
moment about zero (K, K) are all that is needed of the images.
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from edgesr.quantize.graph import Node
from edgesr.quantize.grid import WEIGHT_LIMIT
from edgesr.quantize.network import QuantizedNetwork

_DAMPING = 0.1
"""Added to the moment's diagonal, in parts of its mean. The paper's 0.01 gave SPAN up to 0.4 dB
more, and took 1.4 dB from ESPCN on slides held out from calibration."""
_ROWS = 1024
"""Rows taken from each image."""


@torch.no_grad()
def compensate(network: QuantizedNetwork, images: Tensor) -> None:
    """Puts the weights of every conv onto its grid, and the mean error of its output to 0.

    Each conv sees the inputs that it has in the network as rounded so far.

    Args:
        network: Calibrated.
        images: N, 3, H, W in [0, 1].
    """
    random = torch.Generator().manual_seed(0)
    for node in network.nodes:
        if node.op != "conv" or not network.is_trained(node.name):
            continue
        conv = network.conv(node.name)
        rows = rows_read(network, node, images, _ROWS, random).double()
        weights = conv.weight.flatten(1).double()
        scale = network.weight_quantizer(node.name).scale(conv.weight).double()
        integers = compensated_rounding(weights, scale, rows.T @ rows / len(rows))
        rounded = integers * scale[:, None]
        if conv.bias is not None:
            conv.bias += ((weights - rounded) @ rows.mean(0)).float()
        conv.weight.copy_(rounded.reshape(conv.weight.shape))


def compensated_rounding(weights: Tensor, scale: Tensor, moment: Tensor) -> Tensor:
    """Rounds weights so that rows with the given second moment lead to a small output error.

    Inputs that matter most are rounded first, while most others are left to compensate. The largest
    weight of each output is rounded to nearest: where the scale is max|w| / 127, it stays that.

    Args:
        weights: (O, K).
        scale: (O), positive; a whole number n stands for n * scale.
        moment: (K, K), symmetric, not negative.

    Returns:
        (O, K), whole numbers in [-127, 127].
    """
    count = len(moment)
    damping = _DAMPING * max(float(moment.trace()) / count, 1e-12)
    order = torch.argsort(moment.diagonal(), descending=True, stable=True)
    damped = moment[order][:, order] + damping * torch.eye(count, dtype=moment.dtype)
    # upper: row i tells how the inputs after it compensate for input i
    factor = torch.linalg.cholesky(torch.linalg.inv(damped), upper=True)
    rest, stored = weights[:, order].clone(), torch.zeros_like(weights)
    largest = weights.abs().argmax(dim=1)
    for i, place in enumerate(order.tolist()):
        wanted = torch.where(largest == place, weights[:, place], rest[:, i])
        stored[:, place] = torch.round(wanted / scale).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT)
        error = (rest[:, i] - stored[:, place] * scale) / factor[i, i]
        rest[:, i + 1 :] -= torch.outer(error, factor[i, i + 1 :])
    return stored


def rows_read(
    network: QuantizedNetwork, node: Node, images: Tensor, count: int, random: torch.Generator
) -> Tensor:
    """What a conv reads at ``count`` places of each image, or all where there are fewer: (M, K).

    Args:
        network: Its convs before ``node`` compute as they are.
        node: A conv.
        images: N, 3, H, W in [0, 1].
        count: Output pixels per image.
        random: Chooses them.
    """
    kernel, chosen = network.conv(node.name).kernel_size, []
    padding = tuple(size // 2 for size in kernel)
    for x in network.seen_by(node, images):
        unfolded = F.unfold(x, kernel, padding=padding)[0]
        places = torch.randperm(unfolded.shape[1], generator=random)[:count]
        chosen.append(unfolded[:, places].T)
    return torch.cat(chosen)

"""Another scale with the same body: the last conv's kernels as a grid of sub-pixels, resampled.

Before the pixel shuffle, channel ``(c, i, j)`` is sub-pixel (i, j) of colour c in every low-res
pixel, centred at ``(i + 0.5) / s``. A kernel of the new scale is interpolated linearly between the
two nearest in each direction, and extrapolated beyond the outermost. From x4 to x2 that is the mean
of 2x2 sub-pixels: exact, also with a nearest-neighbour skip, which has no weights.

From x2 to x4 the ELSR paper repeats each kernel (``[c, i // 2, j // 2]``) instead. Measured without
any training, PSNR-Y of both on the same images: public ELSR on Set5 27.88 against 27.44 dB; bundled
networks on slides 23.49 against 23.32 (elsr), 23.45 against 23.30 (espcn), 23.33 against 23.18
(residual).
"""

import math

import torch
from torch import Tensor

from edgesr.models.layers import read_kernel, write_kernel
from edgesr.models.registry import SRModel
from edgesr.train.transfer.pairs import take_conv, take_slopes, widths

_COLOURS = 3


def resample_head(source: SRModel, student: SRModel) -> SRModel:
    """Fills a network of another scale, or of the same in another form, whose body is as large.

    Args:
        source: The trained network.
        student: Is changed.

    Returns:
        The student.
    """
    *body, last = zip(source.layers(), student.layers(), strict=True)
    for theirs, ours in body:
        take_conv(source, theirs, student, ours)
        take_slopes(source, theirs, student, ours, range(widths(source)[theirs.writes]))
    grid = sub_pixel_map(source.spec.scale, student.spec.scale)
    weight, bias = read_kernel(source.get_submodule(last[0].name))
    write_kernel(
        student.get_submodule(last[1].name), _resample(weight, grid), _resample(bias, grid)
    )
    return student


def sub_pixel_map(scale: int, wanted: int) -> Tensor:
    """How sub-pixels of one scale are mixed from those of another, in one direction.

    Args:
        scale: ``s`` of the source.
        wanted: ``t`` of the result.

    Returns:
        Weights (t, s), float32; rows sum up to 1.
    """
    weights = torch.zeros(wanted, scale)
    for position in range(wanted):
        place = (position + 0.5) * scale / wanted - 0.5
        lower = min(max(math.floor(place), 0), scale - 2)
        weights[position, lower] = 1 - (place - lower)
        weights[position, lower + 1] = place - lower
    return weights


def _resample(values: Tensor, grid: Tensor) -> Tensor:
    """(3 * s * s, ...) -> (3 * t * t, ...)."""
    wanted, scale = grid.shape
    parts = values.reshape(_COLOURS, scale, scale, -1)
    mixed = torch.einsum("ai,bj,cijk->cabk", grid, grid, parts)
    return mixed.reshape(_COLOURS * wanted * wanted, *values.shape[1:])

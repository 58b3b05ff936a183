"""How good a network starts that took its weights over."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from edgesr.data.images import RgbImage
from edgesr.data.resize import imresize
from edgesr.models.registry import SRModel
from edgesr.quality.bicubic import upscale_bicubic
from edgesr.quality.metrics import psnr_y
from edgesr.quality.pixels import to_pixels, to_unit

Figures = dict[str, dict[str, float]]


def compare(
    source: SRModel, student: SRModel, images: Sequence[tuple[RgbImage, RgbImage | None]]
) -> Figures:
    """Mean PSNR-Y of student, nearest and bicubic against the source's output and the truth.

    Where the scales differ, the source's output is resized to the student's by MATLAB's bicubic.

    Args:
        source: The network the weights come from, eval mode, CPU.
        student: The network that took them over, eval mode, CPU.
        images: Low-res (H, W, 3) and, where known, high-res image (sH, sW, 3), s the student's
            scale; at least one.

    Returns:
        ``to_source``: dB against the source's output of ``result``, ``nearest``, ``bicubic``.
        ``to_truth``: dB against the high-res images of ``source``, ``result``, ``nearest``,
        ``bicubic``; empty where none is known. By `quality.metrics.PROTOCOL`; ``inf`` for equal
        pixels.
    """
    scale = student.spec.scale
    methods: dict[str, Callable[[RgbImage], RgbImage]] = {
        "source": lambda lr: _at_scale(upscale(source, lr), scale, source.spec.scale),
        "result": lambda lr: upscale(student, lr),
        "nearest": lambda lr: lr.repeat(scale, axis=0).repeat(scale, axis=1),
        "bicubic": lambda lr: upscale_bicubic(lr, scale),
    }
    to_source: dict[str, list[float]] = {}
    to_truth: dict[str, list[float]] = {}
    for lr, hr in images:
        outputs = {name: method(lr) for name, method in methods.items()}
        for name, output in outputs.items():
            if name != "source":
                to_source.setdefault(name, []).append(psnr_y(output, outputs["source"], scale))
            if hr is not None:
                to_truth.setdefault(name, []).append(psnr_y(output, hr, scale))
    return {"to_source": _means(to_source), "to_truth": _means(to_truth)}


def upscale(model: SRModel, lr: RgbImage) -> RgbImage:
    """Runs a network in one piece: (H, W, 3) -> (sH, sW, 3)."""
    with torch.no_grad():
        output = model(torch.from_numpy(to_unit(lr)).permute(2, 0, 1)[None])
    return to_pixels(output[0].permute(1, 2, 0).numpy())


def _at_scale(image: RgbImage, wanted: int, scale: int) -> RgbImage:
    return image if wanted == scale else imresize(image, wanted / scale)


def _means(values: dict[str, list[float]]) -> dict[str, float]:
    return {name: float(np.mean(column)) for name, column in values.items()}

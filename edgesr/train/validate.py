"""How good the network is now, on whole images that it is not trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from numpy.typing import NDArray

from edgesr.data.images import RgbImage
from edgesr.models.registry import SRModel
from edgesr.quality.metrics import psnr_y, ssim_y
from edgesr.quality.pixels import to_pixels, to_unit
from edgesr.quality.receptive_torch import torch_radius
from edgesr.quality.tiling import UNKNOWN_OVERLAP, Tiling, upscale_tiled
from edgesr.train.scenes import Scenes

if TYPE_CHECKING:
    from edgesr.quality.readability import ReadabilityBenchmark

_TILE = 384
"""Side of the largest low-res piece that is run at once."""


@dataclass(frozen=True)
class Validation:
    """Means over the validation images."""

    l1: float
    """Of the 8-bit pixels, on the scale 0..1."""
    psnr_y: float
    """dB, by the protocol in `quality.metrics`."""
    ssim_y: float
    cer: float | None = None
    """Character error rate on the images whose text is read; None where none was."""
    confidence: float | None = None
    """Of the recogniser, 0..1."""


@dataclass(frozen=True)
class Picture:
    """One validation image before and after, for a sample picture."""

    name: str
    lr: RgbImage
    sr: RgbImage
    hr: RgbImage


class Validator:
    """Runs a network over held-out images, shared out over the processes.

    Args:
        accelerator: Tells rank and device.
        scenes: What PSNR, SSIM and L1 are taken on.
        reading: What text is read on, and the reader; None never reads.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        scenes: Scenes,
        reading: "tuple[Scenes, ReadabilityBenchmark] | None" = None,
    ) -> None:
        self._accelerator = accelerator
        self._scenes = scenes
        self._reading = reading

    def run(self, model: SRModel, *, read: bool) -> Validation:
        """Validates in eval mode; the mode is put back.

        Args:
            model: The network, on the accelerator's device.
            read: Whether text is read too, where there is a reader.
        """
        upscale = self._upscaler(model)
        training = model.training
        model.eval()
        try:
            rows = self._shared(len(self._scenes), lambda index: self._compare(upscale, index))
            texts: list[tuple[float, ...]] = []
            if read and self._reading:
                scenes = self._reading[0]
                texts = self._shared(len(scenes), lambda index: self._read(upscale, index))
        finally:
            model.train(training)
        l1, psnr, ssim = (_mean(column) for column in zip(*rows, strict=True))
        if not texts:
            return Validation(l1, psnr, ssim)
        cer, confidence = (_mean(column) for column in zip(*texts, strict=True))
        return Validation(l1, psnr, ssim, cer, confidence)

    def pictures(self, model: SRModel, count: int) -> list[Picture]:
        """The first ``count`` validation images through the network."""
        upscale = self._upscaler(model)
        training = model.training
        model.eval()
        try:
            made = []
            for index in range(min(count, len(self._scenes))):
                lr, hr = self._scenes.whole(index)
                made.append(Picture(self._scenes[index].name, lr, upscale(lr), hr))
        finally:
            model.train(training)
        return made

    def _compare(
        self, upscale: Callable[[RgbImage], RgbImage], index: int
    ) -> tuple[float, float, float]:
        lr, hr = self._scenes.whole(index)
        sr = upscale(lr)
        scale = self._scenes.options.scale
        l1 = float(np.abs(to_unit(sr) - to_unit(hr)).mean())
        return l1, psnr_y(sr, hr, scale), ssim_y(sr, hr, scale)

    def _read(self, upscale: Callable[[RgbImage], RgbImage], index: int) -> tuple[float, float]:
        assert self._reading is not None  # noqa: S101 - for the type checker
        scenes, benchmark = self._reading
        lr, hr = scenes.whole(index)
        score = benchmark.score(upscale(lr), text=scenes[index].text, hr=hr)
        return (
            np.nan if score.cer is None else score.cer,
            np.nan if score.confidence is None else score.confidence,
        )

    def _shared(
        self, count: int, measure: Callable[[int], tuple[float, ...]]
    ) -> list[tuple[float, ...]]:
        """``measure`` of every index in order, each on one process; all get the whole list."""
        rank, processes = self._accelerator.process_index, self._accelerator.num_processes
        mine = [(index, measure(index)) for index in range(rank, count, processes)]
        everyone: Sequence[tuple[int, tuple[float, ...]]] = gather_object(mine)
        return [row for _, row in sorted(everyone)]

    def _upscaler(self, model: SRModel) -> Callable[[RgbImage], RgbImage]:
        device = self._accelerator.device

        def run(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
            tensor = torch.from_numpy(to_unit(tile)).to(device).permute(2, 0, 1)[None]
            with torch.no_grad():
                output = model(tensor)[0].clamp(0, 1).permute(1, 2, 0).float().cpu().numpy()
            return to_pixels(output)

        radius = torch_radius(model)
        overlap = UNKNOWN_OVERLAP if radius is None else radius
        side = max(_TILE, 3 * overlap)
        tiling = Tiling(side, side, overlap, fixed=False)
        return lambda image: upscale_tiled(image, tiling, model.spec.scale, run)


def _mean(values: Sequence[float]) -> float:
    """Over the finite ones: identical images have an infinite PSNR, images without text no CER."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")

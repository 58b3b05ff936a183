"""Temporal flicker: how much of an upscaled video changes where the scene stands still.

The warping error of Lai et al., "Learning Blind Video Temporal Consistency" (ECCV 2018), for a
camera that does not move: the flow is zero, and what they mask out by occlusion is here what
moves. The difference is taken absolutely, not squared, so that the figure is in steps of luma and
a flicker by 2 steps reads 2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgesr.data.images import RgbImage
from edgesr.quality.metrics import luma

STILL_STEPS = 1.0
"""Luma may change by so much, in 8-bit steps, where a pixel counts as standing still."""

Luma = NDArray[np.float64]


@dataclass(frozen=True)
class Flicker:
    """Mean absolute change from frame to frame over all pixels that stand still."""

    model: float | None
    """8-bit steps of Y (BT.601, studio range); None where no pixel stands still."""
    bicubic: float | None
    """That of the source enlarged bicubically, over the same pixels."""
    still_share: float
    """Share of the pixels of all pairs of frames that stand still, 0..1."""
    pairs: int
    """Pairs of consecutive frames."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"flicker": self.model, "flicker_bicubic": self.bicubic}


class FlickerMeter:
    """Adds up flicker over the frames of a video, in order; keeps one frame."""

    def __init__(self) -> None:
        self._last: tuple[Luma, Luma, Luma] | None = None
        self._model = self._bicubic = 0.0
        self._still = self._pixels = self._pairs = 0

    def add(self, sr: RgbImage, lr: RgbImage, truth: RgbImage | None = None) -> None:
        """Adds the next frame.

        Args:
            sr: The upscaled frame, (sH, sW, 3), uint8, RGB.
            lr: The source, (H, W, 3).
            truth: The high-res frame, (sH, sW, 3); it tells what stands still. None: the source
                enlarged bicubically does.
        """
        enlarged = luma(_enlarged(lr, (sr.shape[1], sr.shape[0])))
        now = (luma(sr), enlarged, enlarged if truth is None else luma(truth))
        if self._last is not None:
            moved = [np.abs(new - old) for new, old in zip(now, self._last, strict=True)]
            still = moved[2] <= STILL_STEPS
            self._model += float(moved[0].sum(where=still))
            self._bicubic += float(moved[1].sum(where=still))
            self._still += int(still.sum())
            self._pixels += still.size
            self._pairs += 1
        self._last = now

    def skip(self) -> None:
        """Leaves out a frame: the one after it has no frame before it."""
        self._last = None

    def result(self) -> Flicker:
        """What was found so far."""
        return Flicker(
            model=self._model / self._still if self._still else None,
            bicubic=self._bicubic / self._still if self._still else None,
            still_share=self._still / self._pixels if self._pixels else 0.0,
            pairs=self._pairs,
        )


def _enlarged(lr: RgbImage, size: tuple[int, int]) -> RgbImage:
    """By Pillow, which takes a tenth of the time of `quality.bicubic` and differs by a step."""
    return np.asarray(Image.fromarray(lr).resize(size, Image.Resampling.BICUBIC))

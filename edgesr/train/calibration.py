"""Training images that a network looks at before its first step."""

import contextlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgesr.data.images import RgbImage
from edgesr.errors import ImageError, InputError
from edgesr.train.scenes import Scenes

_TRANSFER_IMAGES = 16
_SIDE = 128
"""Low-res pixels: a border of zeros around smaller pieces would count for too much."""


@dataclass(frozen=True)
class Calibration:
    """The low-res images of a stage, for a transfer and for the ranges of activations.

    Attributes:
        scenes: The training images.
        seed: Of the training and the stage; everything random is drawn from it.
    """

    scenes: Scenes
    seed: tuple[int, ...]

    def images(self) -> list[RgbImage]:
        """The first sixteen that can be read, whole (H, W, 3)."""
        return self._read(list(range(min(_TRANSFER_IMAGES, len(self.scenes)))))

    def crops(self, count: int) -> Tensor:
        """Pieces of images drawn at random, all of one size; (count, 3, S, S) in [0, 1], S <= 128.

        Images smaller than the largest of them are mirrored at the right and bottom. Where there
        are fewer images than pieces, more than one comes from each.

        Args:
            count: How many.

        Raises:
            InputError: When none of the images drawn can be read.
        """
        random = np.random.default_rng(self.seed)
        drawn = random.permutation(len(self.scenes))[:count].tolist()
        images = self._read(drawn)
        if not images:
            raise InputError(
                f"none of the {len(drawn)} images drawn for calibration can be read",
                hint="repair them, or draw more: --set quantize.calibration=64",
            )
        side = min(_SIDE, max(min(image.shape[:2]) for image in images))
        pieces = [_piece(images[number % len(images)], side, random) for number in range(count)]
        pixels = torch.from_numpy(np.stack(pieces)).permute(0, 3, 1, 2)
        return pixels.float().div(255).contiguous()

    def _read(self, indices: list[int]) -> list[RgbImage]:
        images: list[RgbImage] = []
        for index in indices:
            with contextlib.suppress(ImageError):  # named and counted when training meets it
                images.append(self.scenes.whole(index)[0])
        return images


def _piece(image: RgbImage, side: int, random: np.random.Generator) -> RgbImage:
    """A square (side, side, 3) from anywhere in an image."""
    missing = [(0, max(0, side - length)) for length in image.shape[:2]]
    image = np.pad(image, (*missing, (0, 0)), mode="symmetric")
    top, left = (int(random.integers(length - side + 1)) for length in image.shape[:2])
    return image[top : top + side, left : left + side]

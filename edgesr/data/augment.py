"""Augmentation of a pair of patches; everything is drawn from the generator.

Results may be views of the arguments, which are never changed.
"""

import numpy as np

from edgesr.data.images import RgbImage
from edgesr.data.resize import imresize

_CUT_SIDE = 0.7
_CUT_SPREAD = 0.01
"""Mean and deviation of the rectangle's sides over the patch's, as in the authors' code."""
_SAME = 1.0
"""Mean difference in grey levels up to which a small patch counts as plainly shrunk."""


def augment(rng: np.random.Generator, lr: RgbImage, hr: RgbImage) -> tuple[RgbImage, RgbImage]:
    """Flips, turns and swaps colours of both patches alike.

    Each of the 8 ways to lay a square, and each of the 6 orders of the channels, is equally
    likely. A patch that is not square is only flipped and turned upside down, so that batches
    keep their shape.

    Args:
        rng: Where the choice is drawn from: three numbers, whatever they are.
        lr: Array (H, W, 3), uint8.
        hr: Array (s*H, s*W, 3), uint8.

    Returns:
        Both, with the shapes that they had.
    """
    mirror = bool(rng.integers(2))
    turns = int(rng.integers(4))
    channels = rng.permutation(3)
    if lr.shape[0] != lr.shape[1]:
        turns -= turns % 2
    return _laid(lr, turns, channels, mirror=mirror), _laid(hr, turns, channels, mirror=mirror)


def cutblur(
    rng: np.random.Generator, lr: RgbImage, hr: RgbImage, probability: float
) -> tuple[RgbImage, RgbImage]:
    """CutBlur for a network whose input is small (after Yoo et al., 2020, section 3.2).

    The paper enlarges the input to the size of the target and exchanges a rectangle between the
    two, so that the network sees sharp and blurred places side by side and has to find out *where*
    and *how much* to restore; the target stays. Here the input is small, so the exchange happens
    on its grid, between two versions of the same place:

    * where the small patch is degraded, between it and the large patch shrunk by bicubic: a clean
      rectangle in a degraded patch, or a degraded rectangle in a clean one, equally likely;
    * where it is nothing but the shrunk large patch, that exchange would change nothing. Then a
      rectangle of it is blurred as the paper blurs (shrunk by the scale and enlarged again).

    Pasting the enlarged small patch into the target instead would ask for a blurred output.

    Args:
        rng: Where chance, side and place are drawn from.
        lr: Array (H, W, 3), uint8.
        hr: Array (s*H, s*W, 3), uint8.
        probability: Of any change, 0 to 1.

    Returns:
        (new small patch, the large patch itself).
    """
    if rng.random() >= probability:
        return lr, hr
    height, width = lr.shape[:2]
    side = min(1.0, max(0.0, rng.normal(_CUT_SIDE, _CUT_SPREAD)))
    tall, wide = int(height * side), int(width * side)
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    inside = bool(rng.random() < 0.5)
    scale = hr.shape[0] // height
    clean = imresize(hr, 1 / scale)
    if np.abs(lr.astype(np.int16) - clean).mean() <= _SAME:
        base, piece = lr, imresize(imresize(lr, 1 / scale), scale)
    else:
        base, piece = (lr, clean) if inside else (clean, lr)
    mixed = base.copy()
    cut = np.s_[top : top + tall, left : left + wide]
    mixed[cut] = piece[cut]
    return mixed, hr


def _laid(
    image: RgbImage, turns: int, channels: np.typing.NDArray[np.intp], *, mirror: bool
) -> RgbImage:
    image = np.rot90(image[:, ::-1] if mirror else image, turns)
    return image[:, :, channels]

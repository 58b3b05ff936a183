"""Images for a transfer: some to fit on, others to judge the start by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgesr.data.images import RgbImage, crop_to_multiple
from edgesr.data.resize import imresize
from edgesr.data.slides import render_slide
from edgesr.data.sources import Scene, open_sources
from edgesr.errors import InputError

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, steps done, steps in all)."""
Pair = tuple[RgbImage, RgbImage]
"""Low-res (H, W, 3) and high-res image (sH, sW, 3)."""

_SIDE = 480
"""Of the piece of a large image that is used, in pixels; a multiple of every scale."""
_FIT, _JUDGE = 12, 4
"""How many images of a kind are made."""
_FIT_SEED, _JUDGE_SEED = 7, 9007
"""Slides of seeds from 9000 on are never trained on."""
_COLOURS = ((0, 80), (170, 255), (0, 255))
_MOST = 48
"""So many images of a source are looked at, spread evenly."""


@dataclass(frozen=True)
class TransferImages:
    """Images of a transfer, disjoint."""

    fit: tuple[Pair, ...]
    judge: tuple[Pair, ...]


def made_images(scale: int, progress: Progress | None = None) -> TransferImages:
    """Rendered slides and generated textures, half and half; always the same.

    Args:
        scale: ``s``; the small images are MATLAB's bicubic.
        progress: Told about every image.
    """
    plan = [(seed, i) for seed, n in ((_FIT_SEED, _FIT), (_JUDGE_SEED, _JUDGE)) for i in range(n)]
    found: dict[int, list[Pair]] = {_FIT_SEED: [], _JUDGE_SEED: []}
    for done, (seed, index) in enumerate(plan):
        if progress:
            progress("making images", done, len(plan))
        texture = make_texture(_SIDE // 2, np.random.default_rng((seed, index)))
        for hr in (render_slide(seed, index).image, texture):
            found[seed].append(_pair(Scene("", hr), scale))
    return TransferImages(tuple(found[_FIT_SEED]), tuple(found[_JUDGE_SEED]))


def source_images(
    sources: Sequence[str], scale: int, progress: Progress | None = None
) -> TransferImages:
    """Images of a source; every fifth is kept to judge by.

    Args:
        sources: As in a training config.
        scale: ``s``; small images that a source does not have are MATLAB's bicubic.
        progress: Told about every image.

    Raises:
        InputError: When a source can't be opened, an image can't be read, or there is only one.
    """
    source = open_sources(sources, scale)
    count = min(len(source), _MOST)
    if count < 2:
        raise InputError(
            f"{', '.join(sources)} holds one image: one is needed to fit on, another to judge by",
            hint="add images",
        )
    fit: list[Pair] = []
    judge: list[Pair] = []
    for number in range(count):
        if progress:
            progress("reading images", number, count)
        pair = _pair(source[number * len(source) // count], scale)
        (judge if number % 5 == 1 else fit).append(pair)
    return TransferImages(tuple(fit), tuple(judge))


def make_texture(side: int, rng: np.random.Generator) -> RgbImage:
    """A cloud of natural spectrum, partly cut into areas with sharp borders.

    Amplitudes fall with frequency as 1 / f^a, as those of photographs do on average (a near 1:
    Field, "Relations between the statistics of natural images and the response properties of
    cortical cells", 1987).

    Args:
        side: Pixels.
        rng: Decides everything.

    Returns:
        (side, side, 3).
    """
    cloud, other = (_cloud(side, rng.uniform(0.8, 1.6), rng) for _ in range(2))
    areas = np.tanh((cloud - cloud.mean()) * 30)
    mixed = cloud + rng.uniform(0.0, 1.0) * areas
    # Dark, bright and any: without a difference in brightness there is little to sharpen.
    first, second, third = (rng.uniform(low, high, 3) for low, high in _COLOURS)
    colours = first + mixed[..., None] * (second - first) + other[..., None] * (third - first) / 2
    texture: RgbImage = np.clip(colours + 0.5, 0, 255).astype(np.uint8)
    return texture


def _cloud(side: int, exponent: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(side, side), mean 0.5, six standard deviations in 0..1."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.normal(size=(side, side))) / frequency**exponent
    values = np.fft.irfft2(spectrum, s=(side, side))
    cloud: NDArray[np.float64] = values / (6 * values.std()) + 0.5
    return cloud


def _pair(scene: Scene, scale: int) -> Pair:
    """The middle of a scene."""
    hr = crop_to_multiple(scene.hr, scale)
    lr = imresize(hr, 1 / scale) if scene.lr is None else scene.lr
    side = _SIDE // scale
    top, left = (max(0, (length - side) // 2) for length in lr.shape[:2])
    piece = lr[top : top + side, left : left + side]
    height, width = piece.shape[:2]
    top, left = top * scale, left * scale
    return piece, hr[top : top + height * scale, left : left + width * scale]

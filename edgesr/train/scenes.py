"""The images of a stage: read once, cut to the scale, with the small image where it is fixed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import psutil  # type: ignore[import-untyped]

from edgesr.data.degrade import DEGRADATIONS, sharpen_usm
from edgesr.data.images import RgbImage, crop_to_multiple
from edgesr.data.sources import Scene, Source, open_sources
from edgesr.errors import ConfigError
from edgesr.train.config import DataConfig

_CACHE_BYTES = 1 << 30
"""For decoded images, in each process that reads them, where memory allows."""
_FIXED = "bicubic"
"""The degradation in which nothing is random: made once per image, not once per patch."""
_VALIDATION_SEED = 9176
"""Validation images are degraded alike in every training, so that figures can be compared."""


@dataclass(frozen=True)
class SceneOptions:
    """How a stage uses its images."""

    scale: int
    degrade: str = _FIXED
    sharpen: bool = False
    soften: float = 0.0
    """Sigma of the blur of a training patch's target, high-res pixels."""
    overlays: bool = False
    """Every patch is cut from an image with other things drawn on it, so none has a fixed lr."""
    cache_bytes: int = _CACHE_BYTES


class Scenes:
    """Images by index, decoded once while they fit into memory.

    Args:
        source: Where they come from.
        options: Scale, degradation and target.
    """

    def __init__(self, source: Source, options: SceneOptions) -> None:
        self.source = source
        self.options = options
        self._cache: dict[int, Scene] = {}
        self._cached_bytes = 0
        self._whole: dict[int, RgbImage] = {}

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Scene:
        """A scene whose large image is a multiple of the scale (sH, sW, 3).

        Its small image (H, W, 3) is None where it is drawn anew for every patch.

        Raises:
            ImageError: When it can't be read.
            PairsError: When its two images don't belong to the scale.
        """
        if index in self._cache:
            return self._cache[index]
        scene = self._prepare(self.source[index])
        size = scene.hr.nbytes + (0 if scene.lr is None else scene.lr.nbytes)
        if self._cached_bytes + size <= self.options.cache_bytes:
            self._cache[index] = scene
            self._cached_bytes += size
        return scene

    def whole(self, index: int) -> tuple[RgbImage, RgbImage]:
        """Small (H, W, 3) and large (sH, sW, 3) image; a random degradation is drawn by index."""
        scene = self[index]
        if scene.lr is not None:
            return scene.lr, scene.hr
        if index not in self._whole:
            random = np.random.default_rng((_VALIDATION_SEED, index))
            self._whole[index] = self.degraded(scene.hr, random)
        return self._whole[index], scene.hr

    def degraded(self, hr: RgbImage, rng: np.random.Generator) -> RgbImage:
        """The small image (H, W, 3) of a large one (sH, sW, 3)."""
        return DEGRADATIONS[self.options.degrade](hr, self.options.scale, rng)

    def _prepare(self, scene: Scene) -> Scene:
        hr = crop_to_multiple(scene.hr, self.options.scale)
        if self.options.sharpen:
            hr = sharpen_usm(hr)
        lr = scene.lr
        if lr is None and self.options.degrade == _FIXED and not self.options.overlays:
            lr = self.degraded(hr, np.random.default_rng(0))
        return replace(scene, hr=hr, lr=lr)


def open_training(data: DataConfig, scale: int, seed: int) -> Scenes:
    """The images that a stage is trained on.

    Raises:
        InputError: When a source or the degradation is not known or holds nothing.
    """
    _check_degradation(data.degrade)
    source = open_sources(data.train, scale, limit=data.limit, seed=seed)
    share = min(_CACHE_BYTES, psutil.virtual_memory().available // (4 * (data.workers + 1)))
    options = SceneOptions(scale, data.degrade, data.sharpen, data.soften, data.overlays, share)
    return Scenes(source, options)


def open_held_out(sources: Sequence[str], data: DataConfig, scale: int) -> Scenes:
    """The images that a stage is judged by: degraded alike, never sharpened."""
    _check_degradation(data.degrade)
    return Scenes(open_sources(sources, scale), SceneOptions(scale, data.degrade))


def _check_degradation(name: str) -> None:
    if name not in DEGRADATIONS:
        raise ConfigError(
            f"data.degrade: no degradation is called {name!r}",
            hint=f"choose from: {', '.join(DEGRADATIONS)}",
        )

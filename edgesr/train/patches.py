"""Training batches as a pure function of (seed, step, rank): what makes resuming exact.

A stateful loader can't be stopped and continued without a trace. Here a sampler hands out keys
(step, rank, position), and everything random about a sample is drawn from a generator seeded with
its key; so the batch of step t is the same in a straight run, in a resumed one, and with any
number of workers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from edgesr.data.images import crop_to_multiple, read_image
from edgesr.data.pairs import Pair, pairs_from
from edgesr.data.resize import imresize
from edgesr.data.slides import render_slide
from edgesr.errors import ConfigError, PairsError
from edgesr.train.config import TrainConfig

Image = NDArray[np.uint8]
Key = tuple[int, int, int]

_CACHE_BYTES = 1 << 30


class ImagePairs:
    """Low-res and high-res images by index; decoded once while they fit into memory.

    Args:
        source: ``slides:COUNT:SEED``, a pairs.csv, or a folder holding one.
        scale: Which ``s`` the pairs must have.

    Raises:
        ConfigError: When the source's form is wrong.
        PairsError: When there are no pairs, or of another scale.
    """

    def __init__(self, source: str, scale: int) -> None:
        self.source = source
        self.scale = scale
        self._slides_seed, self._slides = _parse_slides(source)
        self._pairs: list[Pair] = [] if self._slides else list(pairs_from(Path(source)))
        self._cache: dict[int, tuple[Image, Image]] = {}
        self._cached_bytes = 0
        if not len(self):
            raise PairsError(f"{source} holds no pairs")

    def __len__(self) -> int:
        return self._slides or len(self._pairs)

    def __getitem__(self, index: int) -> tuple[Image, Image]:
        """Returns (low-res H, W, 3; high-res sH, sW, 3), uint8 RGB."""
        if index in self._cache:
            return self._cache[index]
        lr, hr = self._load(index)
        expected = (lr.shape[0] * self.scale, lr.shape[1] * self.scale)
        if hr.shape[:2] != expected:
            raise PairsError(
                f"{self.source}: pair {index} has high-res {hr.shape[:2]}, "
                f"x{self.scale} of its low-res is {expected}"
            )
        if self._cached_bytes + lr.nbytes + hr.nbytes <= _CACHE_BYTES:
            self._cache[index] = (lr, hr)
            self._cached_bytes += lr.nbytes + hr.nbytes
        return lr, hr

    def _load(self, index: int) -> tuple[Image, Image]:
        if self._slides:
            hr = crop_to_multiple(render_slide(self._slides_seed, index).image, self.scale)
            return imresize(hr, 1 / self.scale), hr
        pair = self._pairs[index]
        return read_image(pair.lr), read_image(pair.hr)


def _parse_slides(source: str) -> tuple[int, int]:
    """(seed, count) of ``slides:COUNT:SEED``; (0, 0) for anything else."""
    kind, *numbers = source.split(":")
    if kind != "slides":
        return 0, 0
    if len(numbers) != 2 or not all(n.isdecimal() for n in numbers) or int(numbers[0]) < 1:
        raise ConfigError(f"{source!r} is not of the form slides:COUNT:SEED")
    return int(numbers[1]), int(numbers[0])


class StepSampler(Sampler[Key]):
    """Keys of all samples of steps ``start`` to ``stop``, in order.

    Args:
        start: First step.
        stop: One past the last step.
        batch_size: Samples per step and process.
        rank: Number of this process.
    """

    def __init__(self, start: int, stop: int, batch_size: int, rank: int = 0) -> None:
        self._steps = range(start, stop)
        self._batch_size = batch_size
        self._rank = rank

    def __len__(self) -> int:
        return len(self._steps) * self._batch_size

    def __iter__(self) -> Iterator[Key]:
        for step in self._steps:
            for position in range(self._batch_size):
                yield step, self._rank, position


@dataclass(frozen=True)
class PatchDataset(Dataset[tuple[Tensor, Tensor]]):
    """Random patches of pairs.

    Attributes:
        pairs: The images.
        config: Patch size, crops and augmentation.
        seed: Of the whole training.
    """

    pairs: ImagePairs
    config: TrainConfig
    seed: int

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor]:
        """Returns (low-res 3, P, P; high-res 3, sP, sP) in [0, 1] for a (step, rank, position)."""
        random = np.random.default_rng((self.seed, *key))
        lr, hr = self.pairs[int(random.integers(len(self.pairs)))]
        lr, hr = self._crop(random, lr, hr)
        if self.config.augment:
            lr, hr = _augment(random, lr, hr)
        return _tensor(lr), _tensor(hr)

    def _crop(self, random: np.random.Generator, lr: Image, hr: Image) -> tuple[Image, Image]:
        side, s = self.config.patch, self.pairs.scale
        if min(lr.shape[:2]) < side:
            raise PairsError(
                f"{self.pairs.source}: a low-res image of {lr.shape[1]}x{lr.shape[0]} is smaller "
                f"than the patch of {side}",
                hint=f"use --set train.patch={min(lr.shape[:2])}",
            )
        tops = random.integers(lr.shape[0] - side + 1, size=self.config.crops_tried)
        lefts = random.integers(lr.shape[1] - side + 1, size=self.config.crops_tried)
        crops = [lr[t : t + side, x : x + side] for t, x in zip(tops, lefts, strict=True)]
        best = int(np.argmax([crop.std() for crop in crops]))
        top, left = int(tops[best]) * s, int(lefts[best]) * s
        return crops[best], hr[top : top + side * s, left : left + side * s]


def _augment(random: np.random.Generator, lr: Image, hr: Image) -> tuple[Image, Image]:
    turns, flip = int(random.integers(4)), bool(random.integers(2))
    channels = random.permutation(3)
    lr, hr = np.rot90(lr, turns)[..., channels], np.rot90(hr, turns)[..., channels]
    return (lr[:, ::-1], hr[:, ::-1]) if flip else (lr, hr)


def _tensor(image: Image) -> Tensor:
    """uint8 H, W, 3 to float 3, H, W in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255


def batches(
    dataset: PatchDataset, sampler: StepSampler, *, workers: int
) -> DataLoader[tuple[Tensor, Tensor]]:
    """The loader over a sampler's steps."""
    return DataLoader(
        dataset, batch_size=dataset.config.batch_size, sampler=sampler, num_workers=workers
    )

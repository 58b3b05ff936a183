"""Training batches as a pure function of (seed, step, rank): what makes resuming exact.

A stateful loader can't be stopped and continued without a trace. Here a sampler hands out keys
(step, rank, position), and everything random about a sample is drawn from a generator seeded with
its key; so the batch of step t is the same in a straight run, in a resumed one, and with any
number of workers.
"""

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from accelerate.utils import gather_object
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from edgesr.data.augment import augment, cutblur
from edgesr.data.degrade_overlay import lecture_overlay
from edgesr.data.degrade_sharpen import soften
from edgesr.data.images import RgbImage
from edgesr.data.sources import Scene
from edgesr.errors import EdgesrError, ImageError, InputError, PairsError
from edgesr.train.config import StageConfig
from edgesr.train.scenes import Scenes

Key = tuple[int, int, int]

_MARGIN = 16
"""Low-res pixels around a patch that are degraded with it: a blur does not end at its border."""


@dataclass(frozen=True)
class Patch:
    """One sample, or why there is none."""

    lr: RgbImage
    """P, P, 3."""
    hr: RgbImage
    """sP, sP, 3."""
    unreadable: tuple[str, ...] = ()
    """Images that were drawn before it and could not be read."""


@dataclass(frozen=True)
class Batch:
    """The samples of one step on one process, in [0, 1]; rows are kept in N, H, W, C order."""

    lr: Tensor
    """N, 3, P, P."""
    hr: Tensor
    """N, 3, sP, sP."""


class Collated(NamedTuple):
    """The samples of a batch as the loader gives them: uint8, N, H, W, 3."""

    lr: Tensor
    hr: Tensor
    unreadable: tuple[str, ...]
    """Images that could not be read on the way."""


class StepSampler(Sampler[Key]):
    """Keys of all samples of steps ``start`` to ``stop``, in order.

    Args:
        start: First step.
        stop: One past the last step.
        samples: Samples per step and process.
        rank: Number of this process.
    """

    def __init__(self, start: int, stop: int, samples: int, rank: int = 0) -> None:
        self._steps = range(start, stop)
        self._samples = samples
        self._rank = rank

    def __len__(self) -> int:
        return len(self._steps) * self._samples

    def __iter__(self) -> Iterator[Key]:
        for step in self._steps:
            for position in range(self._samples):
                yield step, self._rank, position


@dataclass(frozen=True)
class PatchDataset(Dataset[Patch | EdgesrError]):
    """Random patches of scenes.

    Attributes:
        scenes: The images.
        stage: Patch size, crops and augmentation, and how many images may fail.
        seed: Of the training and the stage; everything random is drawn from it and the key.
    """

    scenes: Scenes
    stage: StageConfig
    seed: tuple[int, ...]
    _bad: dict[int, str] = field(default_factory=dict)

    def __getitem__(self, key: Key) -> Patch | EdgesrError:
        """The sample of a (step, rank, position); errors are returned, to cross processes whole."""
        random = np.random.default_rng((*self.seed, *key))
        failed: list[str] = []
        try:
            while len(failed) <= self.stage.data.max_unreadable:
                index = int(random.integers(len(self.scenes)))
                scene = self._read(index)
                if scene is not None:
                    label = self.scenes.source.label(index)
                    lr, hr = self._augmented(random, *self._crop(random, scene, label))
                    return Patch(lr, hr, tuple(failed))
                failed.append(self._bad[index])
        except EdgesrError as error:
            return error
        return too_many_unreadable(failed, self.stage.name)

    def _read(self, index: int) -> Scene | None:
        if index not in self._bad:
            try:
                return self.scenes[index]
            except ImageError as error:
                self._bad[index] = str(error)
        return None

    def _crop(
        self, random: np.random.Generator, scene: Scene, label: str
    ) -> tuple[RgbImage, RgbImage]:
        side, s = self.stage.train.patch, self.scenes.options.scale
        lr, hr = scene.lr, scene.hr
        if lr is None and self.scenes.options.overlays:
            hr = lecture_overlay(hr, random)
        lr, hr = self._filled(lr, hr, label)
        top, left = self._busiest(random, hr)
        target = hr[top * s : (top + side) * s, left * s : (left + side) * s]
        if self.scenes.options.soften:
            target = soften(target, self.scenes.options.soften)
        if lr is not None:
            return lr[top : top + side, left : left + side], target
        return self._degraded(random, hr, top, left), target

    def _filled(
        self, lr: RgbImage | None, hr: RgbImage, label: str
    ) -> tuple[RgbImage | None, RgbImage]:
        """Both images, mirrored at the right and bottom where a patch is larger."""
        side, s = self.stage.train.patch, self.scenes.options.scale
        height, width = hr.shape[0] // s, hr.shape[1] // s
        if 2 * min(height, width) < side:
            raise PairsError(
                f"{label}: its low-res image of {width}x{height} is smaller than half the patch of "
                f"{side}",
                hint=f"use --set stage.{self.stage.name}.train.patch={2 * min(height, width)}, "
                "or leave small images out",
            )
        rows, columns = max(0, side - height), max(0, side - width)
        if not rows and not columns:
            return lr, hr
        more = ((0, rows * s), (0, columns * s), (0, 0))
        hr = np.pad(hr, more, mode="symmetric")
        if lr is not None:
            lr = np.pad(lr, ((0, rows), (0, columns), (0, 0)), mode="symmetric")
        return lr, hr

    def _busiest(self, random: np.random.Generator, hr: RgbImage) -> tuple[int, int]:
        """Low-res row and column of the patch with the most contrast of those tried."""
        side, s = self.stage.train.patch, self.scenes.options.scale
        height, width = hr.shape[0] // s, hr.shape[1] // s
        tops = random.integers(height - side + 1, size=self.stage.train.crops_tried)
        lefts = random.integers(width - side + 1, size=self.stage.train.crops_tried)
        green = hr[::s, ::s, 1]  # one pixel of s x s is enough to compare by
        contrast = [
            green[top : top + side, left : left + side].std()
            for top, left in zip(tops, lefts, strict=True)
        ]
        best = int(np.argmax(contrast))
        return int(tops[best]), int(lefts[best])

    def _degraded(self, random: np.random.Generator, hr: RgbImage, top: int, left: int) -> RgbImage:
        """The small patch, degraded together with what surrounds it."""
        side, s = self.stage.train.patch, self.scenes.options.scale
        above, before = min(top, _MARGIN), min(left, _MARGIN)
        stop_y, stop_x = (top + side + _MARGIN) * s, (left + side + _MARGIN) * s
        around = hr[(top - above) * s : stop_y, (left - before) * s : stop_x]
        small = self.scenes.degraded(around, random)
        return small[above : above + side, before : before + side]

    def _augmented(
        self, random: np.random.Generator, lr: RgbImage, hr: RgbImage
    ) -> tuple[RgbImage, RgbImage]:
        if self.stage.train.augment:
            lr, hr = augment(random, lr, hr)
        if self.stage.train.cutblur:
            lr, hr = cutblur(random, lr, hr, self.stage.train.cutblur)
        return lr, hr


class Unreadable:
    """Images that could not be read: each is named once, too many end the training.

    Args:
        stage: Says how many are left out.
    """

    def __init__(self, stage: StageConfig) -> None:
        self._stage = stage
        self._seen: set[str] = set()
        self._told: set[str] = set()

    def add(self, messages: Sequence[str]) -> None:
        """Takes the messages of a batch.

        Raises:
            InputError: When this process has met more than the stage allows.
        """
        self._seen.update(messages)
        self._check()

    def share(self, note: Callable[[str], None]) -> None:
        """Joins what all processes met; called by all of them after an epoch.

        Raises:
            InputError: On all of them, when there are more than the stage allows.
        """
        self._seen.update(gather_object(sorted(self._seen)))
        for message in sorted(self._seen - self._told):
            note(f"left out: {message}")
        self._told.update(self._seen)
        self._check()

    def _check(self) -> None:
        if len(self._seen) > self._stage.data.max_unreadable:
            raise too_many_unreadable(self._seen, self._stage.name)


def too_many_unreadable(messages: Collection[str], stage: str) -> InputError:
    """The error that ends a training whose images can't be read."""
    messages = sorted(set(messages))
    return InputError(
        f"{len(messages)} training images can't be read, the last one: {messages[-1]}",
        hint="repair or remove them, or allow more: "
        f"--set stage.{stage}.data.max_unreadable={len(messages)}",
    )


def batches(
    dataset: PatchDataset, steps: range, *, rank: int = 0, pin: bool = False
) -> Generator[Collated]:
    """The batches of some steps, ``accumulate`` for each.

    Args:
        dataset: Where samples come from, and how many at once.
        steps: Which steps.
        rank: Number of this process.
        pin: Whether tensors are put into page-locked memory, for CUDA.

    Raises:
        EdgesrError: What a sample ended with, also in a worker.
    """
    stage, train = dataset.stage, dataset.stage.train
    loader = DataLoader(
        dataset,
        batch_size=train.batch_size,
        sampler=StepSampler(steps.start, steps.stop, train.batch_size * train.accumulate, rank),
        num_workers=stage.data.workers,
        collate_fn=_collate,
        pin_memory=pin,
        prefetch_factor=4 if stage.data.workers else None,
    )
    for batch in loader:
        if isinstance(batch, EdgesrError):
            raise batch
        yield batch


def _collate(samples: Sequence[Patch | EdgesrError]) -> Collated | EdgesrError:
    patches = []
    for sample in samples:
        if isinstance(sample, EdgesrError):
            return sample
        patches.append(sample)
    return Collated(
        torch.from_numpy(np.stack([patch.lr for patch in patches])),
        torch.from_numpy(np.stack([patch.hr for patch in patches])),
        tuple(name for patch in patches for name in patch.unreadable),
    )


def to_device(collated: Collated, device: torch.device) -> Batch:
    """uint8 N, H, W, 3 to float N, 3, H, W in [0, 1] on the device, converted there."""
    lr, hr = (
        pixels.to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)
        for pixels in (collated.lr, collated.hr)
    )
    return Batch(lr, hr)

"""One stage: its images, its network, its epochs."""

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from edgesr.errors import ConfigError
from edgesr.files import write_bytes
from edgesr.models.checkpoint import encode
from edgesr.models.registry import ModelSpec, SRModel, build_model
from edgesr.quality.readability import ReadabilityBenchmark
from edgesr.train.best import BEST
from edgesr.train.calibration import Calibration
from edgesr.train.config import StageConfig
from edgesr.train.initial import initial_model
from edgesr.train.patches import (
    Batch,
    Collated,
    PatchDataset,
    Unreadable,
    batches,
    to_device,
)
from edgesr.train.scenes import Scenes, open_held_out, open_training
from edgesr.train.schedules import learning_rate
from edgesr.train.state import Row
from edgesr.train.step import DivergedError, Optimisation
from edgesr.train.validate import Validation, Validator

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, steps done, steps in all)."""
Note = Callable[[str], None]


@dataclass(frozen=True)
class Surroundings:
    """What all stages share."""

    accelerator: Accelerator
    seed: int
    out: Path
    note: Note
    progress: Progress | None = None


class Stage:
    """A stage that is ready to train.

    Args:
        around: What all stages share.
        number: Of the stage, from 0.
        config: The stage.
        results: Networks that the stages before it ended with.
        resumed: The network of a saved state whose weights will be put in; None starts anew.

    Raises:
        EdgesrError: When images, weights or losses don't fit.
    """

    def __init__(
        self,
        around: Surroundings,
        number: int,
        config: StageConfig,
        results: Mapping[str, SRModel],
        resumed: ModelSpec | None = None,
    ) -> None:
        self.config = config
        self._around = around
        torch.manual_seed(around.seed * 1000 + number)
        self.scenes = open_training(config.data, config.model.scale, around.seed)
        self.validator = _validator(around.accelerator, config)
        if resumed:
            model = build_model(resumed).train()
        else:
            calibration = Calibration(self.scenes, (around.seed, number))
            model = initial_model(config, results, calibration, around.note)
        self.optimisation = Optimisation(around.accelerator, config, model, around.note)
        self._unreadable = Unreadable(config)
        self._dataset = PatchDataset(self.scenes, config, (around.seed, number))
        self._loader: Generator[Collated] | None = None

    @property
    def parameters(self) -> int:
        """Trained numbers of the network."""
        return sum(p.numel() for p in self.optimisation.network.parameters())

    def validate(self, *, read: bool) -> Validation:
        """Validates the averaged weights."""
        return self.validator.run(self.optimisation.averaged, read=read)

    def reads_after(self, epoch: int) -> bool:
        """Whether text is read after an epoch (counted from 0, -1 before the first)."""
        train = self.config.train
        every = train.ocr_every or (train.epochs if train.select == "ocr_primary" else 0)
        return bool(every) and (epoch < 0 or (epoch + 1) % every == 0 or epoch + 1 == train.epochs)

    def validates_after(self, epoch: int) -> bool:
        """Whether there is a validation after an epoch, counted from 0."""
        train = self.config.train
        regular = (epoch + 1) % train.validate_every == 0
        return regular or epoch + 1 == train.epochs or self.reads_after(epoch)

    def train_epoch(self, epoch: int) -> Row:
        """Trains one epoch; returns its part of a row of metrics.csv.

        Args:
            epoch: Counted from 0 over the stage; epochs have to come in order.

        Raises:
            ConfigError: When training diverged.
            InputError: When too many images can't be read.
        """
        train = self.config.train
        first = epoch * train.steps_per_epoch
        sums: dict[str, Tensor] = {}
        began = time.perf_counter()
        for done in range(train.steps_per_epoch):
            for name, value in self.step(first + done).items():
                sums[name] = sums[name] + value.double() if name in sums else value.double()
            self._tell(first + done + 1, done + 1, time.perf_counter() - began)
        self._unreadable.share(self._around.note)
        means = self._means(sums)
        seconds = time.perf_counter() - began
        return {
            "train_loss": means.pop("total"),
            **{f"train_{name}": value for name, value in means.items()},
            "lr": learning_rate(train, first + train.steps_per_epoch - 1),
            "images_per_s": round(train.steps_per_epoch * self._images_a_step / seconds, 2),
        }

    def close(self) -> None:
        """Ends the processes that read images."""
        if self._loader is not None:
            self._loader.close()

    def _means(self, sums: dict[str, Tensor]) -> dict[str, float]:
        """Of every loss over an epoch's steps and all processes."""
        stacked = torch.stack(list(sums.values())) / self.config.train.steps_per_epoch
        means = self._around.accelerator.reduce(stacked, reduction="mean").tolist()
        return dict(zip(sums, means, strict=True))

    def step(self, step: int) -> dict[str, Tensor]:
        """Trains one step, counted from 0 over the stage; steps have to come in order."""
        found = self._next_batches(step)
        try:
            return self.optimisation.step(step, found)
        except DivergedError as error:
            raise self._diverged(step, found) from error

    def _next_batches(self, step: int) -> list[Batch]:
        accelerator = self._around.accelerator
        if self._loader is None:
            steps = range(step, self.config.steps)
            cuda = accelerator.device.type == "cuda"
            rank = accelerator.process_index
            self._loader = batches(self._dataset, steps, rank=rank, pin=cuda)
        taken = [next(self._loader) for _ in range(self.config.train.accumulate)]
        self._unreadable.add([message for batch in taken for message in batch.unreadable])
        return [to_device(batch, accelerator.device) for batch in taken]

    def _diverged(self, step: int, found: list[Batch]) -> ConfigError:
        """Saves what the training stumbled over."""
        rank = self._around.accelerator.process_index
        path = self._around.out / f"diverged_step_{step}_rank_{rank}.pt"
        document = {
            "step": step,
            "stage": self.config.name,
            "lr": torch.cat([batch.lr for batch in found]).cpu(),
            "hr": torch.cat([batch.hr for batch in found]).cpu(),
            "params": self.optimisation.network.state_dict(),
        }
        write_bytes(path, encode(document))
        name, rate = self.config.name, self.config.train.lr
        return ConfigError(
            f"the loss or its gradient is no number at step {step} of stage {name}: "
            f"training has diverged; the batch is saved as {path}",
            hint=f"the weights so far are good: start from {self._around.out / BEST} with another "
            f"--out and a lower rate, --set stage.{name}.train.lr={rate / 4:g}",
        )

    @property
    def _images_a_step(self) -> int:
        train = self.config.train
        processes: int = self._around.accelerator.num_processes
        return train.batch_size * train.accumulate * processes

    def _tell(self, step: int, done: int, seconds: float) -> None:
        if self._around.progress:
            train = self.config.train
            epoch = (step - 1) // train.steps_per_epoch + 1
            rate = done * self._images_a_step / max(seconds, 1e-9)
            text = f"{self.config.name}, epoch {epoch}/{train.epochs}, {rate:.0f} images/s"
            self._around.progress(text, step, self.config.steps)


def _validator(accelerator: Accelerator, config: StageConfig) -> Validator:
    data, scale = config.data, config.model.scale
    scenes = open_held_out(data.val, data, scale)
    if not (config.train.ocr_every or config.train.select == "ocr_primary"):
        return Validator(accelerator, scenes)
    texts: Scenes = open_held_out(data.ocr, data, scale) if data.ocr else scenes
    return Validator(accelerator, scenes, (texts, ReadabilityBenchmark()))


def as_row(validation: Validation) -> Row:
    """A validation's part of a row of metrics.csv."""
    return {f"val_{name}": value for name, value in asdict(validation).items()}

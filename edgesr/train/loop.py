"""The training loop: one stage, exact resume, nothing lost."""

import csv
import io
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edgesr import __version__
from edgesr.errors import CheckpointError, ConfigError, UsageError
from edgesr.files import write_text
from edgesr.models.checkpoint import load_checkpoint, read_document, save_checkpoint
from edgesr.models.registry import SRModel, build_model
from edgesr.train.config import TrainingConfig
from edgesr.train.losses import LOSSES
from edgesr.train.patches import ImagePairs, PatchDataset, StepSampler, batches
from edgesr.train.schedules import learning_rate
from edgesr.train.validate import Validation, validate

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TrainRequest:
    """One training.

    Attributes:
        config: What to train.
        out: Folder for checkpoints and metrics.csv.
        resume: Continue from ``out/last_model.pt``.
        dry_run: Check everything with one batch, write nothing.
    """

    config: TrainingConfig
    out: Path
    resume: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class TrainResult:
    """Where the result lies and how good it is on the validation images."""

    best: Path
    start: Validation
    """Before the first step."""
    end: Validation
    """Of the best checkpoint."""
    steps: int
    parameters: int


@dataclass
class _State:
    """What changes while training; all of it goes into ``last_model.pt``."""

    start: dict[str, float] = field(default_factory=dict)
    epoch: int = 0
    best_psnr: float = -math.inf
    best_l1: float = math.inf
    rows: list[dict[str, float | int]] = field(default_factory=list)


class Trainer:
    """Builds everything a config asks for; `run` trains.

    Args:
        request: Config, folder, whether to resume.

    Raises:
        EdgesrError: When the data, the network or the folder don't fit the config.
    """

    def __init__(self, request: TrainRequest) -> None:
        self.request = request
        self.config = request.config
        _check_folder(request)
        torch.manual_seed(self.config.seed)
        self.accelerator = Accelerator(mixed_precision=self.config.train.precision)
        scale = self.config.model.scale
        self.train_pairs = ImagePairs(self.config.data.train, scale)
        self.val_pairs = ImagePairs(self.config.data.val, scale)
        model = _initial_model(self.config)
        self.parameters = sum(p.numel() for p in model.parameters())
        optimizer = torch.optim.Adam(model.parameters(), lr=self.config.train.lr)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.average = AveragedModel(
            self.accelerator.unwrap_model(self.model),
            multi_avg_fn=get_ema_multi_avg_fn(self.config.train.ema),  # type: ignore[no-untyped-call]
        )
        self.state = _State()
        if request.resume:
            self._restore()

    def run(self, progress: Progress | None = None) -> TrainResult:
        """Trains to the last epoch.

        Args:
            progress: Called with (what, steps done, steps in all).

        Raises:
            ConfigError: When the loss is no longer a number; the last good checkpoint stays.
            StoreError: When a checkpoint can't be written; the one before stays.
        """
        if self.request.dry_run:
            now = self._validate()
            self._train_steps(0, 1, None)
            return TrainResult(self.request.out, now, now, 0, self.parameters)
        if not self.state.start:
            start = self._validate()
            self.state.start = asdict(start)
            self._remember_best(start)
        for epoch in range(self.state.epoch, self.config.train.epochs):
            began = time.perf_counter()
            loss = self._train_epoch(epoch, progress)
            seconds = time.perf_counter() - began
            self._finish_epoch(epoch, loss, seconds)
        self.accelerator.wait_for_everyone()
        best = self.request.out / "best_model.pt"
        model = load_checkpoint(best).model.to(self.accelerator.device)
        end = validate(model, self.val_pairs, self.accelerator.device)
        steps = self.config.train.epochs * self.config.train.steps_per_epoch
        return TrainResult(best, Validation(**self.state.start), end, steps, self.parameters)

    def _train_epoch(self, epoch: int, progress: Progress | None) -> float:
        steps = self.config.train.steps_per_epoch
        return self._train_steps(epoch * steps, (epoch + 1) * steps, progress)

    def _train_steps(self, start: int, stop: int, progress: Progress | None) -> float:
        """Trains steps ``start`` to ``stop``; returns the mean loss."""
        config = self.config.train
        dataset = PatchDataset(self.train_pairs, config, self.config.seed)
        rank = self.accelerator.process_index
        sampler = StepSampler(start, stop, config.batch_size, rank)
        total = config.epochs * config.steps_per_epoch
        losses: list[Tensor] = []
        loader = batches(dataset, sampler, workers=self.config.data.workers)
        for step, (lr, hr) in enumerate(loader, start=start):
            losses.append(self._step(step, lr, hr))
            if progress:
                progress(f"training, epoch {step // config.steps_per_epoch + 1}", step + 1, total)
        return float(torch.stack(losses).mean())

    def _step(self, step: int, lr: Tensor, hr: Tensor) -> Tensor:
        config, device = self.config.train, self.accelerator.device
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        with self.accelerator.autocast():
            loss = LOSSES[config.loss](self.model(lr.to(device)), hr.to(device))
        if not torch.isfinite(loss):
            raise ConfigError(
                f"the loss is {loss.item()} at step {step}: training has diverged",
                hint=f"lower the rate, for example --set train.lr={config.lr / 4:g}; "
                "the last good checkpoint is kept",
            )
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        self.optimizer.step()
        self.average.update_parameters(self.accelerator.unwrap_model(self.model))
        return loss.detach()

    def _validate(self) -> Validation:
        return validate(self._averaged(), self.val_pairs, self.accelerator.device)

    def _averaged(self) -> SRModel:
        model = self.average.module
        assert isinstance(model, SRModel)  # noqa: S101 - for the type checker
        return model

    def _finish_epoch(self, epoch: int, loss: float, seconds: float) -> None:
        """Validates, writes the row and the checkpoints; the last one is written last."""
        validation = self._validate()
        config = self.config.train
        images = config.steps_per_epoch * config.batch_size * self.accelerator.num_processes
        self.state.rows.append(
            {
                "epoch": epoch + 1,
                "step": (epoch + 1) * config.steps_per_epoch,
                "train_loss": loss,
                "val_l1": validation.l1,
                "val_psnr_y": validation.psnr_y,
                "val_ssim_y": validation.ssim_y,
                "lr": learning_rate(config, (epoch + 1) * config.steps_per_epoch - 1),
                "images_per_s": round(images / seconds, 2),
            }
        )
        self.state.epoch = epoch + 1
        self._remember_best(validation)
        if self.accelerator.is_main_process:
            write_text(self.request.out / "metrics.csv", _csv(self.state.rows))
            self._save_state()

    def _remember_best(self, validation: Validation) -> None:
        """Keeps the averaged weights where they are the best so far, by PSNR and by L1."""
        if not self.accelerator.is_main_process:
            return
        if validation.psnr_y > self.state.best_psnr:
            self.state.best_psnr = validation.psnr_y
            self._save("best_model.pt", validation)
        if validation.l1 < self.state.best_l1:
            self.state.best_l1 = validation.l1
            self._save("best_loss_model.pt", validation)

    def _save(self, name: str, validation: Validation) -> None:
        provenance = {
            "edgesr": __version__,
            "torch": str(torch.__version__),
            "config": self.config.model_dump(mode="json"),
            "epoch": self.state.epoch,
            "validation": asdict(validation),
        }
        save_checkpoint(self.request.out / name, self._averaged(), provenance)

    def _save_state(self) -> None:
        model = self.accelerator.unwrap_model(self.model)
        save_checkpoint(
            self.request.out / "last_model.pt",
            model,
            {"edgesr": __version__, "config": self.config.model_dump(mode="json")},
            params_ema=self._averaged().state_dict(),
            trainer={
                "optimizer": self.optimizer.state_dict(),
                "averaged_steps": self.average.n_averaged,
                **asdict(self.state),
            },
        )

    def _restore(self) -> None:
        path = self.request.out / "last_model.pt"
        document = read_document(path)
        trainer: dict[str, Any] | None = document.get("trainer")
        if trainer is None:
            raise CheckpointError(f"{path} is no checkpoint of a training that can be resumed")
        found = document["provenance"].get("config", {})
        wanted = self.config.model_dump(mode="json")
        found.get("data", {})["workers"] = wanted["data"]["workers"]  # batches don't depend on them
        if found != wanted:
            changed = _differing(found, wanted)
            raise ConfigError(
                f"{path} was trained with another config: {', '.join(changed)} differ",
                hint="resume with the config it was started with, or choose another --out",
            )
        self.accelerator.unwrap_model(self.model).load_state_dict(document["params"])
        self._averaged().load_state_dict(document["params_ema"])
        self.average.n_averaged = trainer.pop("averaged_steps").to(self.accelerator.device)
        self.optimizer.load_state_dict(trainer.pop("optimizer"))
        self.state = _State(**trainer)


def train(request: TrainRequest, progress: Progress | None = None) -> TrainResult:
    """Trains what the request says; see `Trainer`."""
    return Trainer(request).run(progress)


def _initial_model(config: TrainingConfig) -> SRModel:
    wanted = config.model
    if wanted.weights is None:
        model = build_model(wanted.spec())
        model.start_at_interpolation()
        return model
    loaded = load_checkpoint(
        wanted.weights, arch=wanted.arch, scale=wanted.scale, options=dict(wanted.options)
    )
    return loaded.model.train()


def _check_folder(request: TrainRequest) -> None:
    last = request.out / "last_model.pt"
    if request.resume and not last.is_file():
        raise UsageError(f"{last} does not exist: nothing to resume", hint="leave --resume out")
    if not request.resume and not request.dry_run and last.exists():
        raise UsageError(
            f"{request.out} already holds a training",
            hint="continue it with --resume, or choose another --out",
        )


def _differing(one: Any, other: Any, key: str = "") -> list[str]:
    """Dotted keys at which two trees of plain values differ."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [key]
    return [
        difference
        for name in sorted({*one, *other})
        for difference in _differing(one.get(name), other.get(name), f"{key}.{name}".strip("."))
    ]


def _csv(rows: list[dict[str, float | int]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

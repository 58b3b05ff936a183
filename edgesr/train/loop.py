"""The training: stage after stage, exact resume, nothing lost.

Runs as one process, or as many under torchrun; the first one writes. After every epoch, in this
order: pictures, best_*.pt, metrics.csv, checkpoint_epoch_NNN.pt, last_model.pt. So whatever moment
a training is killed at, last_model.pt is a state from which the rest is written again, bit for bit.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from edgesr.errors import ConfigError, InputError
from edgesr.files import write_bytes, write_text
from edgesr.models.checkpoint import load_checkpoint, read_document, save_checkpoint
from edgesr.models.registry import ModelSpec, SRModel
from edgesr.train.best import BEST, BEST_OCR, improved, is_measured
from edgesr.train.config import StageConfig, TrainingConfig
from edgesr.train.logs import TensorBoardLog, metrics_csv
from edgesr.train.memory import memory_hint, peak_mb
from edgesr.train.pictures import write_pictures
from edgesr.train.stage import Note, Progress, Stage, Surroundings, as_row
from edgesr.train.state import Found, Progressed, Row, StateFolder, provenance
from edgesr.train.validate import Validation

METRICS = "metrics.csv"
TENSORBOARD = "tensorboard"
SAMPLES = "samples"


@dataclass(frozen=True)
class TrainRequest:
    """One training."""

    config: TrainingConfig
    """What to train."""
    out: Path
    """Folder for checkpoints and metrics.csv."""
    resume: bool = False
    """Continue from the newest checkpoint in ``out`` that is whole."""


@dataclass(frozen=True)
class StageResult:
    """What a stage came to."""

    name: str
    parameters: int
    images: int
    """Training images."""
    steps: int
    """Optimiser steps, those after an early stop not counted."""
    start: Validation
    """Before its first step."""
    best: Path
    """Its best weights by ``[train] select``."""
    end: Validation
    """Of the best weights."""
    quantizer: str = ""
    """Method by which they are quantized; empty for float."""


@dataclass(frozen=True)
class StagePlan:
    """What a stage would do, after its first step."""

    name: str
    parameters: int
    images: int
    """Training images."""
    steps: int
    """Optimiser steps."""
    start: Validation
    seconds_per_step: float
    """Of the first, which is slower than the others."""
    memory_mb: float
    """The most that was held so far."""


@dataclass(frozen=True)
class TrainResult:
    """Where the result lies and how good it is on the validation images."""

    stages: tuple[StageResult, ...]
    """Those that ran now: a resumed training tells of the rest only."""
    notes: tuple[str, ...] = ()

    @property
    def last(self) -> StageResult:
        """The stage whose weights are the result."""
        return self.stages[-1]


@dataclass
class _Log:
    """Told on the first process only."""

    note: Note
    said: list[str] = field(default_factory=list)

    def __call__(self, text: str) -> None:
        self.said.append(text)
        self.note(text)


class Trainer:
    """Builds what a config asks for; `run` trains.

    Args:
        request: Config, folder, whether to resume.
        note: Called with one line about what goes on.
        progress: Called with (what, steps done, steps in all).

    Raises:
        EdgesrError: When there is nothing to resume.
    """

    def __init__(
        self,
        request: TrainRequest,
        note: Note | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.request = request
        self.config = request.config
        self._files = StateFolder(request.out, request.config)
        self._found: Found | None = None
        if request.resume:
            self._found = self._files.find()
        AcceleratorState._reset_state()  # noqa: SLF001 - else the first training's precision stays
        self.accelerator = Accelerator(
            mixed_precision=_precision(request.config), cpu=not torch.cuda.is_available()
        )
        first = self.accelerator.is_main_process
        self._log = _Log(note if note and first else lambda _: None)
        self._around = Surroundings(
            self.accelerator,
            self.config.seed,
            request.out,
            self._log,
            progress if first else None,
        )
        self.state = Progressed(processes=self.accelerator.num_processes)
        self._board: TensorBoardLog | None = None

    def run(self) -> TrainResult:
        """Trains to the last epoch of the last stage.

        Raises:
            UsageError: When the folder holds another training.
            ConfigError: When the loss is no longer a number, or memory runs out; the last good
                checkpoint stays.
            InputError: When too many images can't be read.
            StoreError: When a checkpoint can't be written; the one before stays.
        """
        if not self._found:
            self._files.refuse_another_training()
        results = self._take_up() if self._found else {}
        done = []
        try:
            for number in range(self.state.stage, len(self.config.stage)):
                config = self.config.stage[number]
                with memory_hint(config):
                    stage = Stage(self._around, number, config, results, self._resumed(number))
                    done.append(self._train(number, stage))
                results[config.name] = load_checkpoint(self._result_path(number)).model
        finally:
            if self._board:
                self._board.close()
        self.accelerator.end_training()
        return TrainResult(tuple(done), tuple(self._log.said))

    def _resumed(self, number: int) -> ModelSpec | None:
        """What a saved state of the stage holds; its weights need no other file."""
        if not (self._found and self.state.stage == number and self.state.start):
            return None
        return ModelSpec.from_dict(self._found.document["spec"])

    def _take_up(self) -> dict[str, SRModel]:
        """Puts the progress of a saved state back; returns the results of stages that are done."""
        assert self._found is not None  # noqa: S101 - for the type checker
        for note in self._found.notes:
            self._log(note)
        self.state = self._found.progressed
        if self.state.processes != self.accelerator.num_processes:
            self._log(
                f"was trained by {self.state.processes} processes, goes on with "
                f"{self.accelerator.num_processes}: the result will not be bit-identical"
            )
            self.state.processes = self.accelerator.num_processes
        elif self.state.processes > 2:
            self._log(
                "gradients of more than two processes are summed in another order after a stop: "
                "the result will not be bit-identical"
            )
        self._log(f"resuming from {self._found.path}, after epoch {self.state.epochs}")
        return {
            config.name: load_checkpoint(self._result_path(number)).model
            for number, config in enumerate(self.config.stage[: self.state.stage])
        }

    def _train(self, number: int, stage: Stage) -> StageResult:
        """All epochs of a stage that are not done yet."""
        self._begin(number, stage)
        train = stage.config.train
        try:
            while self.state.epoch < train.epochs and not self._is_exhausted(stage.config):
                self._epoch(stage)
        finally:
            stage.close()
        self.accelerator.wait_for_everyone()
        best = self._result_path(number)
        if self.accelerator.is_main_process and best.name != BEST:
            write_bytes(best, (self.request.out / BEST).read_bytes())
        result = StageResult(
            stage.config.name,
            stage.parameters,
            len(stage.scenes),
            self.state.epoch * train.steps_per_epoch,
            Validation(**self.state.start),  # type: ignore[arg-type]
            best,
            Validation(**self.state.chosen),  # type: ignore[arg-type]
            stage.config.quantize.method,
        )
        if number + 1 < len(self.config.stage):
            self.state.stage, self.state.epoch, self.state.start = number + 1, 0, {}
            self._save(stage)  # from here on the result lies in its own file
        self.accelerator.free_memory()
        return result

    def _begin(self, number: int, stage: Stage) -> None:
        """Restores a saved state into the stage, or validates and saves its start."""
        digest = stage.scenes.source.digest()
        if self._resumed(number):
            self._restore(stage, digest)
            return
        name = stage.config.name
        self.state.digests[name] = digest
        self.state.best, self.state.unimproved = {}, 0
        if self.accelerator.is_main_process:
            (self.request.out / BEST_OCR).unlink(missing_ok=True)  # of the stage before
        start = stage.validate(read=stage.reads_after(-1))
        select = stage.config.train.select
        if not is_measured(start, select):
            raise ConfigError(
                f"stage {name}: {select} can't be measured on the held-out images",
                hint="give images with text as data.ocr, or another train.select",
            )
        images = f"{len(stage.scenes)} images of {stage.scenes.source.name}"
        self._log(f"{name}: {images}, starts at {_say(start)}")
        self._keep_best(stage, start)
        self.state.start = asdict(start)
        self._save(stage)

    def _restore(self, stage: Stage, digest: str) -> None:
        assert self._found is not None  # noqa: S101 - for the type checker
        name = stage.config.name
        if self.state.digests.get(name) != digest:
            raise InputError(
                f"the training images of stage {name} are not those it was started with",
                hint="put them back, or start again with another --out",
            )
        document: dict[str, Any] = self._found.document
        self._take_back_best(name)
        stage.optimisation.load_state(
            document["params"], {**document["trainer"], "params_ema": document["params_ema"]}
        )
        self._found = None

    def _take_back_best(self, name: str) -> None:
        """After a fall back into a stage that was done, best_model.pt is a later stage's."""
        best, result = self.request.out / BEST, self.request.out / f"stage_{name}.pt"
        if not (self.accelerator.is_main_process and result.is_file()):
            return
        if read_document(best)["provenance"]["stage"] != name:
            write_bytes(best, result.read_bytes())

    def _epoch(self, stage: Stage) -> None:
        """Trains, validates and writes one epoch."""
        epoch, train = self.state.epoch, stage.config.train
        row: Row = {"stage": stage.config.name, "epoch": self.state.epochs + 1}
        row["step"] = self.state.steps + train.steps_per_epoch
        row |= stage.train_epoch(epoch)
        self.state.epoch += 1
        self.state.epochs += 1
        self.state.steps += train.steps_per_epoch
        if stage.validates_after(epoch):
            validation = stage.validate(read=stage.reads_after(epoch))
            row |= as_row(validation)
            self._write_pictures(stage)
            self._keep_best(stage, validation)
            self._log(
                f"{stage.config.name}, epoch {self.state.epoch}/{train.epochs}: "
                f"loss {row['train_loss']:.5f}, {_say(validation)}, {row['images_per_s']} images/s"
            )
        self.state.rows.append(row)
        if self.accelerator.is_main_process:
            write_text(self.request.out / METRICS, metrics_csv(self.state.rows))
            self._tensorboard(row)
        self._save(stage)

    def _keep_best(self, stage: Stage, validation: Validation) -> None:
        """Keeps the averaged weights where they are the best so far by a measure."""
        select = stage.config.train.select
        better = improved(self.state.best, validation, select)
        if BEST in better:
            self.state.chosen, self.state.unimproved = asdict(validation), 0
        elif is_measured(validation, select):
            self.state.unimproved += 1
        if not self.accelerator.is_main_process:
            return
        about = {**provenance(self.config, self.state), "validation": _plain(validation)}
        for file in better:
            save_checkpoint(self.request.out / file, stage.optimisation.averaged, about)

    def _save(self, stage: Stage) -> None:
        if self.accelerator.is_main_process:
            parts, keep = stage.optimisation.state(), stage.config.train.keep_checkpoints
            self._files.save(stage.optimisation.network, self.state, parts, keep)
        self.accelerator.wait_for_everyone()

    def _is_exhausted(self, config: StageConfig) -> bool:
        patience = config.train.patience
        stopped = bool(patience) and self.state.unimproved >= patience
        if stopped:
            self._log(f"{config.name}: no better validation for {patience} times, stage ends")
        return stopped

    def _result_path(self, number: int) -> Path:
        """Where the best weights of a stage stay: the last one's are best_model.pt itself."""
        last = number + 1 == len(self.config.stage)
        name = BEST if last else f"stage_{self.config.stage[number].name}.pt"
        return self.request.out / name

    def _write_pictures(self, stage: Stage) -> None:
        count = stage.config.train.samples
        if count and self.accelerator.is_main_process:
            folder = self.request.out / SAMPLES / f"epoch_{self.state.epochs:03d}"
            pictures = stage.validator.pictures(stage.optimisation.averaged, count)
            sheets = write_pictures(folder, pictures, stage.config.model.scale)
            for name, sheet in sheets.items():
                self._opened_board().image(self.state.steps, name, sheet)

    def _tensorboard(self, row: Row) -> None:
        values = {k: float(v) for k, v in row.items() if isinstance(v, int | float)}
        self._opened_board().scalars(self.state.steps, values)

    def _opened_board(self) -> TensorBoardLog:
        if self._board is None:
            self._board = TensorBoardLog(self.request.out / TENSORBOARD, self.state.steps)
        return self._board

    def plan(self) -> tuple[StagePlan, ...]:
        """One step of every stage; writes nothing.

        A later stage starts from what the one before it started with.
        """
        results: dict[str, SRModel] = {}
        plans = []
        for number, config in enumerate(self.config.stage):
            with memory_hint(config):
                stage = Stage(self._around, number, config, results)
                plans.append(self._planned(stage))
            results[config.name] = stage.optimisation.averaged.cpu()
        return tuple(plans)

    def _planned(self, stage: Stage) -> StagePlan:
        start = stage.validate(read=False)
        began = time.perf_counter()
        stage.step(0)
        seconds = time.perf_counter() - began
        stage.close()
        config, held = stage.config, peak_mb(self.accelerator.device)
        images = len(stage.scenes)
        return StagePlan(config.name, stage.parameters, images, config.steps, start, seconds, held)


def train(
    request: TrainRequest,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> TrainResult:
    """Trains what the request says; see `Trainer`."""
    return Trainer(request, note, progress).run()


def _precision(config: TrainingConfig) -> str:
    """The same for all stages: processes are joined once.

    Eight bits of bfloat16 hold no grid of 256 values.
    """
    wanted = config.stage[0].train.precision
    if wanted == "auto" and any(stage.quantize.method for stage in config.stage):
        return "no"
    if wanted == "auto":
        return "bf16" if torch.cuda.is_available() else "no"
    return wanted


def _plain(validation: Validation) -> dict[str, float | None]:
    """JSON knows no NaN."""
    return {
        name: None if value is None or math.isnan(value) else value
        for name, value in asdict(validation).items()
    }


def _say(validation: Validation) -> str:
    text = f"{validation.psnr_y:.3f} dB"
    return text if validation.cer is None else f"{text}, CER {validation.cer:.4f}"

"""Fine-tunes a vision-language model by LoRA to read what others read badly; resumes exactly.

Bit for bit, on one machine with one number of threads: batch and dropout of step t depend on the
seed and t alone, and a checkpoint holds the rest.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edgesr.errors import ConfigError, InputError
from edgesr.files import write_text
from edgesr.judge.adapter import add_adapter, notes_of
from edgesr.judge.batches import batch_indices
from edgesr.judge.config import JudgeConfig
from edgesr.judge.dataset import OcrSet, Split
from edgesr.judge.scores import Scored, error_rate, score
from edgesr.judge.state import BEST, JudgeFolder, Progress, Row
from edgesr.judge.tables import csv_text
from edgesr.quality.readability import ocr_primary
from edgesr.quality.reading import Line
from edgesr.quality.vlm.files import VlmFiles, base_digest, find_base
from edgesr.quality.vlm.model import Vlm, load_adapter, load_base, on_device, require_vlm

METRICS = "metrics.csv"
_COLUMNS = ("step", "loss", "lr", "val_cer", "val_exact_match", "val_confidence")

Tick = Callable[[str, int, int], None]
Note = Callable[[str], None]


@dataclass(frozen=True)
class JudgeRequest:
    """What to train, on what, and where to."""

    data: Path
    """As ``edgesr ocr merge`` wrote it."""
    config: JudgeConfig
    out: Path
    resume: bool = False


@dataclass(frozen=True)
class JudgeResult:
    """What came out."""

    best: Path
    """Folder of the adapter with the lowest CER on the validation images."""
    best_step: int
    start_cer: float
    """Of the base, on the validation images."""
    best_cer: float
    steps: int
    train_images: int
    val_images: int
    notes: tuple[str, ...] = ()


class JudgeTrainer:
    """One training of an adapter.

    Args:
        request: What is asked for.
        note: Told what is worth a line.
        tick: Told (what, steps done, steps in all).

    Raises:
        MissingExtraError: When transformers or peft is not installed.
        InputError: When data or model can't be read, or lack what is needed.
        UsageError: When the folder holds another training, or nothing to resume.
        ConfigError: When a training is resumed with another config, or no adapter fits the model.
    """

    def __init__(self, request: JudgeRequest, note: Note, tick: Tick) -> None:
        require_vlm("edgesr ocr train")
        self._config, self._out, self._tick = request.config, request.out, tick
        self._train, self._val = _part(request.data, "train"), _part(request.data, "val")
        base, asking = find_base(self._config.model, self._config.revision), self._config.asking
        self._notes = self._about(*base)
        digests = {part: self._notes[part]["sha256"] for part in ("data", "base")}
        self._folder = JudgeFolder(self._out, {**self._config.deciding(), **digests})
        found = self._folder.find() if request.resume else None
        if found is None:
            self._folder.refuse_another_training()
        self.notes = found.notes if found else ()
        for line in self.notes:
            note(line)
        model, encoder = load_base(base[0], asking)
        if found:
            note(f"goes on after step {found.progress.step}")
            self._model = load_adapter(model, found.folder, trainable=True)
        else:
            self._model = add_adapter(model, self._config)
        self._progress = found.progress if found else Progress()
        self._vlm = Vlm(self._model, encoder, asking)
        self._trained = [p for p in self._model.parameters() if p.requires_grad]
        decay = self._config.weight_decay
        self._optimiser = torch.optim.AdamW(self._trained, self._config.lr, weight_decay=decay)
        if found:
            self._optimiser.load_state_dict(found.optimiser)

    def _about(self, base: Path, revision: str | None) -> dict[str, Any]:
        """The notes that every checkpoint carries."""
        data = {
            "sha256": self._train.sha256(),
            "train_images": len(self._train),
            "val_images": len(self._val),
            "sources": dict(sorted(Counter(self._train.sources).items())),
        }
        digest = base_digest(base)
        asking = self._config.asking
        files = VlmFiles(self._config.model, base, None, revision, digest, digest, asking)
        return notes_of(self._config, files, data)

    def run(self) -> JudgeResult:
        """Trains to the last step; what was reached is kept when it is interrupted.

        Raises:
            StoreError: When a checkpoint can't be written.
            InputError: When an image can't be read, or memory does not suffice.
            ConfigError: When the loss is no number any more.
        """
        config, progress = self._config, self._progress
        if not progress.rows:
            progress.rows.append(self._validated({"step": 0}))
        self._write_metrics()  # a kill may have come between a checkpoint and its rows
        self._model.train()
        for step in range(progress.step, config.steps):
            self._tick("train", step, config.steps)
            row: Row = {"step": step + 1, "loss": self._step(step), "lr": self._rate(step)}
            progress.step = step + 1
            if progress.step % config.check_every and progress.step < config.steps:
                progress.rows.append(row)
                continue
            progress.rows.append(self._validated(row))
            self._keep()
        return self._result()

    def _step(self, step: int) -> float:
        """One step of the optimiser; the mean loss over its answers' tokens."""
        config = self._config
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate(step)
        total = 0.0
        with torch.random.fork_rng():
            torch.manual_seed(config.seed * 1_000_003 + step)  # of dropout
            for part in range(config.accumulate):
                loss = self._loss(step * config.accumulate + part) / config.accumulate
                loss.backward()
                total += float(loss.detach())
        if not math.isfinite(total):
            raise ConfigError(f"the loss is {total} at step {step + 1}", hint="choose a smaller lr")
        torch.nn.utils.clip_grad_norm_(self._trained, config.clip)
        self._optimiser.step()
        self._optimiser.zero_grad()
        return total

    def _loss(self, number: int) -> Any:
        config = self._config
        chosen = batch_indices(len(self._train), config.batch_size, config.seed, number)
        images = [self._train.image(index) for index in chosen]
        texts = [self._train.texts[index] for index in chosen]
        batch = on_device(self._model, self._vlm.encoder.answered(images, texts))
        try:
            return self._model(**batch, use_cache=False).loss
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"memory does not suffice for {config.batch_size} images at once",
                hint="set a smaller batch_size with a larger accumulate, or smaller max_pixels",
            ) from error

    def _rate(self, step: int) -> float:
        """Learning rate of a step: a linear warm-up, then a cosine to zero."""
        config = self._config
        if step < config.warmup:
            return config.lr * (step + 1) / (config.warmup + 1)
        done = (step - config.warmup) / max(1, config.steps - config.warmup)
        return config.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def _validated(self, row: Row) -> Row:
        """The row with the scores of the validation images."""
        scored = self._read_validation()
        confidence = sum(one.confidence for one in scored) / len(scored)
        cer = error_rate(scored)
        rank = list(ocr_primary(cer, confidence))
        progress = self._progress
        if progress.step and (not progress.best_rank or rank < progress.best_rank):
            progress.best_rank, progress.best_step = rank, progress.step
        exact = sum(one.edits == 0 for one in scored) / len(scored)
        return {**row, "val_cer": cer, "val_exact_match": exact, "val_confidence": confidence}

    def _read_validation(self) -> list[Scored]:
        count, size = min(len(self._val), self._config.val_images), self._config.batch_size
        scored = []
        for start in range(0, count, size):
            self._tick("validate", start, count)
            chosen = range(start, min(start + size, count))
            answers = self._vlm.read([self._val.image(index) for index in chosen])
            for index, answer in zip(chosen, answers, strict=True):
                lines = [Line(text, sure, (0, 0, 0, 0)) for text, sure in answer.lines]
                scored.append(score(lines, self._val.texts[index]))
        return scored

    def _keep(self) -> None:
        step = self._progress.step
        notes = {**self._notes, "step": step, "validation": self._progress.rows[-1]}
        optimiser = self._optimiser.state_dict()
        self._folder.save(
            self._model, self._progress, optimiser, notes, self._config.keep_checkpoints
        )
        self._write_metrics()

    def _write_metrics(self) -> None:
        write_text(self._out / METRICS, csv_text(_COLUMNS, self._progress.rows))

    def _result(self) -> JudgeResult:
        progress = self._progress
        return JudgeResult(
            best=self._out / BEST,
            best_step=progress.best_step,
            start_cer=float(progress.rows[0]["val_cer"] or 0.0),
            best_cer=progress.best_rank[0],
            steps=progress.step,
            train_images=len(self._train),
            val_images=min(len(self._val), self._config.val_images),
            notes=self.notes,
        )


def _part(data: Path, split: Split) -> OcrSet:
    found = OcrSet(data, split)
    if not len(found):
        raise InputError(
            f"{data} has no images in its split {split}",
            hint="merge with other shares: edgesr ocr merge ... --val 10%",
        )
    return found


def train_judge(request: JudgeRequest, note: Note, tick: Tick) -> JudgeResult:
    """Trains an adapter; see `JudgeTrainer` for what it raises."""
    return JudgeTrainer(request, note, tick).run()

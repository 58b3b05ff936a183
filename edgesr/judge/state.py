"""What the training of an adapter has reached: folders that are whole or absent.

``checkpoint-NNNNNN/`` holds the adapter, the notes about it and ``trainer.pt`` with the rest that
resuming needs. There is no random state among it: everything random at a step is drawn anew from
the seed and the number of the step. ``best/`` holds the adapter of the best validation, without
``trainer.pt``; its checkpoint stays as long, so a kill between two renames loses nothing.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from edgesr.errors import CheckpointError, ConfigError, InputError, UsageError
from edgesr.files import atomic_folder, sha256_file, store_errors
from edgesr.judge.adapter import save_adapter
from edgesr.quality.vlm.files import ADAPTER_WEIGHTS

BEST = "best"
_TRAINER = "trainer.pt"
_NAME = "checkpoint-{:06d}"
_PATTERN = re.compile(r"checkpoint-(\d+)")

Row = dict[str, float | int | None]


@dataclass
class Progress:
    """How far a training is; plain values only."""

    step: int = 0
    """Steps that are done."""
    rows: list[Row] = field(default_factory=list)
    """Of metrics.csv."""
    best_step: int = 0
    best_rank: list[float] = field(default_factory=list)
    """The lowest is the best; empty before the first validation."""


@dataclass(frozen=True)
class Found:
    """A checkpoint to resume from."""

    folder: Path
    progress: Progress
    optimiser: dict[str, Any]
    notes: tuple[str, ...]
    """Checkpoints that were damaged and passed over."""


class JudgeFolder:
    """The folder of a training.

    Args:
        folder: Where it lies.
        deciding: Config and data, which a resumed training must share.
    """

    def __init__(self, folder: Path, deciding: Mapping[str, object]) -> None:
        self.folder = folder
        self._deciding = dict(deciding)

    def refuse_another_training(self) -> None:
        """Raises a `UsageError` when the folder holds a training, or is none."""
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self.folder} is a file, not a folder", hint="choose another --out")
        if self._checkpoints():
            raise UsageError(
                f"{self.folder} already holds a training",
                hint="continue it with --resume, or choose another --out",
            )

    def save(
        self,
        model: Any,
        progress: Progress,
        optimiser: Mapping[str, Any],
        notes: Mapping[str, Any],
        keep: int,
    ) -> None:
        """Writes a checkpoint, and ``best/`` where it is the best; older ones go.

        Args:
            model: The peft model.
            progress: How far it is.
            optimiser: Its state.
            notes: What is told about the adapter.
            keep: So many checkpoints stay, and the best one.

        Raises:
            StoreError: When it can't be written; what was there stays.
        """
        path = self.folder / _NAME.format(progress.step)
        with atomic_folder(path) as temporary:
            save_adapter(model, temporary, notes)
            state = {
                "deciding": json.dumps(self._deciding, sort_keys=True),
                "progress": vars(progress),
                "optimiser": dict(optimiser),
                "adapter_sha256": sha256_file(temporary / ADAPTER_WEIGHTS),
            }
            torch.save(state, temporary / _TRAINER)
        if progress.best_step == progress.step:
            self._publish_best(progress.step)
        kept = self._checkpoints()
        for step, old in kept[:-keep]:
            if step != progress.best_step:
                with store_errors(old):
                    shutil.rmtree(old)

    def find(self) -> Found:
        """The newest checkpoint that is whole; ``best/`` is put back to what it knows as best.

        Raises:
            UsageError: When there is none.
            CheckpointError: When all are damaged.
            ConfigError: When it was trained with another config or other data.
        """
        checkpoints = self._checkpoints()
        if not checkpoints:
            raise UsageError(
                f"{self.folder} holds no checkpoint: nothing to resume", hint="leave --resume out"
            )
        with store_errors(self.folder):
            for unfinished in self.folder.glob(".*.part"):  # of a process that was killed
                shutil.rmtree(unfinished)
        notes: list[str] = []
        for _, path in reversed(checkpoints):
            try:
                state = _read_whole(path)
            except InputError as error:
                notes.append(f"{error}; going back to the checkpoint before it")
                continue
            self._insist_same(path, json.loads(state["deciding"]))
            progress = Progress(**state["progress"])
            self._restore_best(progress.best_step)
            return Found(path, progress, state["optimiser"], tuple(notes))
        raise CheckpointError(
            f"no checkpoint in {self.folder} can be read: {notes[0].partition(';')[0]}",
            hint="start again with another --out",
        )

    def _restore_best(self, step: int) -> None:
        """Makes ``best/`` anew, unless its checkpoint is damaged: then what is there is better."""
        with contextlib.suppress(InputError):
            _read_whole(self.folder / _NAME.format(step))
            self._publish_best(step)

    def _publish_best(self, step: int) -> None:
        source = self.folder / _NAME.format(step)
        with atomic_folder(self.folder / BEST) as temporary:
            for file in source.iterdir():
                if file.name != _TRAINER:
                    shutil.copy2(file, temporary / file.name)

    def _insist_same(self, path: Path, other: Mapping[str, Any]) -> None:
        names = sorted({*self._deciding, *other})
        differing = [n for n in names if self._deciding.get(n) != other.get(n)]
        if differing:
            name = differing[0]
            raise ConfigError(
                f"{path} was trained with another {', '.join(differing)}:"
                f" {name} was {other.get(name)}, is {self._deciding.get(name)}",
                hint="resume with what it was started with, or choose another --out",
            )

    def _checkpoints(self) -> Sequence[tuple[int, Path]]:
        """(step, folder), oldest first."""
        found = ((_PATTERN.fullmatch(p.name), p) for p in self.folder.glob("checkpoint-*"))
        return sorted((int(m[1]), path) for m, path in found if m and path.is_dir())


def _read_whole(folder: Path) -> dict[str, Any]:
    """The state in a checkpoint whose every byte is as it was written."""
    path = folder / _TRAINER
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        expected = state["adapter_sha256"]
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing") from error
    except Exception as error:  # torch raises nearly anything for damaged files
        raise CheckpointError(f"{path} is damaged") from error
    if sha256_file(folder / ADAPTER_WEIGHTS) != expected:
        raise CheckpointError(f"{folder / ADAPTER_WEIGHTS} is damaged")
    return state

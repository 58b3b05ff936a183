"""What a training has reached: everything that resuming needs, in files that are whole or absent.

``last_model.pt`` and ``checkpoint_epoch_NNN.pt`` hold the same document, written after every epoch:
weights, their average, optimisers, discriminator, rows of metrics.csv and what was best so far. A
file that is damaged is passed over for the one before it.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from edgesr import __version__
from edgesr.errors import CheckpointError, ConfigError, InputError, UsageError
from edgesr.files import store_errors, write_bytes
from edgesr.models.checkpoint import encode_checkpoint, insist_whole, read_document
from edgesr.models.registry import SRModel
from edgesr.train.config import TrainingConfig

LAST = "last_model.pt"
_EPOCH = "checkpoint_epoch_{:03d}.pt"
_EPOCH_PATTERN = re.compile(r"checkpoint_epoch_(\d+)\.pt")

Row = dict[str, float | int | str | None]


@dataclass
class Progressed:
    """How far a training is; plain values only."""

    stage: int = 0
    """Number of the stage that runs, from 0."""
    epoch: int = 0
    """Epochs of that stage that are done."""
    epochs: int = 0
    """Epochs of all stages that are done."""
    steps: int = 0
    """Optimiser steps of all stages that are done."""
    start: dict[str, float | None] = field(default_factory=dict)
    """Validation of the stage's initial weights."""
    best: dict[str, list[float]] = field(default_factory=dict)
    """Best value so far by the file that holds it; the lowest is the best."""
    chosen: dict[str, float | None] = field(default_factory=dict)
    """Validation of what best_model.pt holds."""
    unimproved: int = 0
    """Validations that could have replaced best_model.pt since it was last written."""
    rows: list[Row] = field(default_factory=list)
    """Of metrics.csv, all stages."""
    digests: dict[str, str] = field(default_factory=dict)
    """Of each stage's training images."""
    processes: int = 1


@dataclass(frozen=True)
class Found:
    """A state to resume from."""

    path: Path
    document: dict[str, Any]
    progressed: Progressed
    notes: tuple[str, ...] = ()
    """Files that were damaged and passed over."""


class StateFolder:
    """The folder of a training.

    Args:
        folder: Where it lies.
        config: What is trained.
    """

    def __init__(self, folder: Path, config: TrainingConfig) -> None:
        self.folder = folder
        self._config = config

    def refuse_another_training(self) -> None:
        """A start that failed in its first epoch is no training: it is written over.

        Raises:
            UsageError: When the folder holds epochs of a training, or is none.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self.folder} is a file, not a folder", hint="choose another --out")
        if self._epochs():
            raise UsageError(
                f"{self.folder} already holds a training",
                hint="continue it with --resume, or choose another --out",
            )

    def save(
        self, model: SRModel, progressed: Progressed, parts: Mapping[str, Any], keep: int
    ) -> None:
        """Writes the state after an epoch, last_model.pt last; older checkpoints go.

        Args:
            model: The network that is trained.
            progressed: How far it is.
            parts: ``params_ema``, and states of optimisers and discriminator.
            keep: So many checkpoint_epoch_NNN.pt stay.

        Raises:
            StoreError: When it can't be written; the state before stays.
        """
        trainer = {**asdict(progressed), **{k: v for k, v in parts.items() if k != "params_ema"}}
        data = encode_checkpoint(
            model,
            provenance(self._config, progressed),
            params_ema=parts["params_ema"],
            trainer=trainer,
        )
        if progressed.epochs:
            write_bytes(self.folder / _EPOCH.format(progressed.epochs), data)
        write_bytes(self.folder / LAST, data)
        for old in self._epochs()[:-keep]:
            with store_errors(old):
                old.unlink(missing_ok=True)

    def find(self) -> Found:
        """The newest state that can be read.

        Raises:
            UsageError: When there is none.
            CheckpointError: When all are damaged.
            ConfigError: When it was trained with another config.
        """
        candidates = self._candidates()
        if not candidates:
            raise UsageError(
                f"{self.folder / LAST} does not exist: nothing to resume",
                hint="leave --resume out",
            )
        for unfinished in self.folder.glob(".*.part"):  # of a process that was killed
            unfinished.unlink(missing_ok=True)
        notes: list[str] = []
        for path in candidates:
            try:
                document = _read_whole(path)
            except InputError as error:
                notes.append(f"{error}; going back to the checkpoint before it")
                continue
            return self._checked(path, document, tuple(notes))
        raise CheckpointError(
            f"no checkpoint in {self.folder} can be read: {notes[0].partition(';')[0]}",
            hint="start again with another --out",
        )

    def _checked(self, path: Path, document: dict[str, Any], notes: tuple[str, ...]) -> Found:
        found = document["provenance"].get("config", {})
        differing = _differing(_deciding(found), _deciding(self._config.model_dump(mode="json")))
        if differing:
            raise ConfigError(
                f"{path} was trained with another config: {', '.join(differing)}",
                hint="resume with the config it was started with; to train on with another one, "
                f"start from it: --set model.weights={self.folder / 'best_model.pt'} --out NEW",
            )
        names = set(Progressed.__dataclass_fields__)
        plain = {key: value for key, value in document["trainer"].items() if key in names}
        return Found(path, document, Progressed(**plain), notes)

    def _epochs(self) -> list[Path]:
        """The checkpoints of epochs, oldest first."""
        found = ((_EPOCH_PATTERN.fullmatch(p.name), p) for p in self.folder.glob("checkpoint_*.pt"))
        return [path for _, path in sorted((int(m[1]), path) for m, path in found if m)]

    def _candidates(self) -> list[Path]:
        """Every state, newest first."""
        last = [self.folder / LAST] if (self.folder / LAST).is_file() else []
        return last + self._epochs()[::-1]


def provenance(config: TrainingConfig, progressed: Progressed) -> dict[str, Any]:
    """What every checkpoint of a training tells about it."""
    return {
        "edgesr": __version__,
        "torch": str(torch.__version__),
        "config": config.model_dump(mode="json"),
        "stage": config.stage[progressed.stage].name,
        "epoch": progressed.epochs,
        "steps": progressed.steps,
        "data_sha256": progressed.digests,
    }


def _read_whole(path: Path) -> dict[str, Any]:
    """A state document whose every byte is as it was written.

    Raises:
        CheckpointError: When it is damaged or no state.
    """
    insist_whole(path)
    document = read_document(path)
    if "trainer" not in document or "provenance" not in document:
        raise CheckpointError(f"{path} is no checkpoint of a training that can be resumed")
    return document


_FREE = {"data": ("workers", "max_unreadable"), "train": ("keep_checkpoints", "samples")}
"""Keys of a stage that may change when a training is resumed: the weights don't depend on them."""


def _deciding(config: Any) -> Any:
    """A config's tree without the keys that don't decide about the result, stages by name."""
    stages = {
        stage["name"]: {
            table: {k: v for k, v in keys.items() if k not in _FREE.get(table, ())}
            if isinstance(keys, dict)
            else keys
            for table, keys in stage.items()
        }
        for stage in config.get("stage", [])
    }
    return {**config, "stage": stages}


def _differing(one: Any, other: Any, key: str = "") -> list[str]:
    """What differs between two trees of plain values: ``a.b was 1, is 2``."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [f"{key} was {one}, is {other}"]
    return [
        difference
        for name in sorted({*one, *other})
        for difference in _differing(one.get(name), other.get(name), f"{key}.{name}".strip("."))
    ]

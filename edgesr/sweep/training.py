"""The trainings of a sweep: all alike but for the method."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from edgesr import __version__
from edgesr.assets import asset
from edgesr.config import load_config
from edgesr.convert.pipeline import Progress
from edgesr.models.checkpoint import Checkpoint
from edgesr.train.config import TrainingConfig
from edgesr.train.loop import TrainRequest, train
from edgesr.train.state import LAST

RECIPE = "qat-lsq.toml"
"""Gives batch, patch, rate and loss of all of them."""
_VALIDATION = "slides:1:9000"
"""A training has to have some; here nothing is decided by it."""


@dataclass(frozen=True)
class Schooling:
    """What all trainings of a sweep have in common."""

    checkpoint: Checkpoint
    """Float; where they start."""
    source: str
    """Training images, as ``[data] train`` takes them."""
    steps: int
    seed: int
    """Equal for all: each sees the same patches in the same order."""
    root: Path
    """Gets the sweep's folder."""
    settings: tuple[str, ...] = ()
    """Other ``a.b=value`` of the training config, for all of them."""

    @property
    def folder(self) -> Path:
        """Holds a folder per method. Another sweep's trainings must not be gone on with."""
        options = self.checkpoint.spec.options
        known = (self.checkpoint.sha256, options, self.source, self.steps, self.seed, self.settings)
        text = json.dumps((*known, __version__))
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self.root / f"{stem(self.checkpoint)}-{digest[:8]}"

    def train(self, method: str, progress: Progress | None = None) -> Path:
        """Trains by one method, or goes on with a training that was interrupted.

        Args:
            method: Name of a quantization method; empty trains in float.
            progress: Called with (what, steps done, steps in all).

        Returns:
            The checkpoint after the last step.

        Raises:
            EdgesrError: Whatever the training raises.
        """
        out = self.folder / f"{stem(self.checkpoint)}-{method or 'float'}"
        resume = (out / LAST).is_file()
        request = TrainRequest(training_config(self, method), out, resume=resume)
        return train(request, progress).last.best


def stem(checkpoint: Checkpoint) -> str:
    """What files made from a checkpoint are called after.

    Every training calls its result best_model.pt: its folder tells more.
    """
    path = checkpoint.path
    return path.resolve().parent.name if path.stem == "best_model" else path.stem


def training_config(schooling: Schooling, method: str) -> TrainingConfig:
    """The recipe, on these images, for so many steps, by this method.

    Raises:
        ConfigError: When a setting does not fit.
    """
    spec = schooling.checkpoint.spec
    wanted: dict[str, object] = {
        "seed": schooling.seed,
        "model.arch": spec.arch,
        "model.scale": spec.scale,
        "model.weights": str(schooling.checkpoint.path.resolve()),
        "data.train": schooling.source,
        "data.val": _VALIDATION,
        "train.epochs": 1,
        "train.steps_per_epoch": schooling.steps,
        "train.select": "last",
        "train.samples": 0,
        "train.keep_checkpoints": 1,
        "quantize.method": method,
        **{f"model.options.{name}": value for name, value in spec.options.items()},
    }
    # of these plain values JSON is TOML
    overrides = [f"{key}={json.dumps(v, ensure_ascii=False)}" for key, v in wanted.items()]
    return load_config(asset("recipes", RECIPE), TrainingConfig, (*overrides, *schooling.settings))

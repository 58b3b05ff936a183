"""What a training config may say. Every field is documented where it is declared."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from edgesr.assets import asset
from edgesr.config import Config, load_config
from edgesr.models.registry import ModelSpec


class ModelConfig(Config):
    """``[model]``: which network, and where its weights start."""

    arch: str
    scale: int = Field(ge=2, le=4)
    options: dict[str, int | float | str | bool] = Field(default_factory=dict)
    weights: str | None = None
    """A checkpoint or the name of a bundled one; without it training starts at interpolation."""

    def spec(self) -> ModelSpec:
        """The network to build."""
        return ModelSpec(self.arch, self.scale, dict(self.options))


class DataConfig(Config):
    """``[data]``: a pairs.csv, a folder holding one, or ``slides:COUNT:SEED`` (rendered here)."""

    train: str
    val: str
    workers: int = Field(default=0, ge=0)
    """Processes that read images; batches are the same for any number."""


class TrainConfig(Config):
    """``[train]``: how long, how much at once, how fast."""

    epochs: int = Field(ge=1)
    steps_per_epoch: int = Field(ge=1)
    batch_size: int = Field(default=16, ge=1)
    patch: int = Field(default=48, ge=8)
    """Side of the low-res patch in pixels."""
    crops_tried: int = Field(default=4, ge=1)
    """The busiest of so many random crops is taken: most of a slide is empty background."""
    augment: bool = True
    """Flips, quarter turns and swapped colour channels."""
    lr: float = Field(default=1e-3, gt=0)
    lr_end: float = Field(default=1e-6, ge=0)
    """The cosine schedule's last value."""
    warmup_steps: int = Field(default=0, ge=0)
    loss: Literal["l1"] = "l1"
    ema: float = Field(default=0.99, ge=0, lt=1)
    """Decay of the weights' moving average; what is validated and saved as the result."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Gradients longer than this are shortened to it."""
    precision: Literal["no", "bf16"] = "no"
    """``bf16`` is for CUDA."""


class TrainingConfig(Config):
    """A whole training: one stage."""

    seed: int = 0
    model: ModelConfig
    data: DataConfig
    train: TrainConfig

    @field_validator("seed")
    @classmethod
    def _not_negative(cls, seed: int) -> int:
        if seed < 0:
            raise ValueError("must not be negative")
        return seed


def load_training_config(path: Path, overrides: tuple[str, ...] = ()) -> TrainingConfig:
    """Reads a training config.

    Raises:
        InputError: When the file can't be read.
        ConfigError: When it does not validate; names file and key.
    """
    return load_config(path, TrainingConfig, overrides)


def recipe_path(name: str) -> Path:
    """The config that ships under a recipe's name.

    Raises:
        ConfigError: When there is none; lists those there are.
    """
    return asset("recipes", f"{name}.toml")

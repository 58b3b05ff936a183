"""What a training config may say. Every field is documented where it is declared.

A config is a table of defaults and a list of stages that override them::

    seed = 1
    [model]                     # ModelConfig
    [data]                      # DataConfig
    [train]                     # TrainConfig
    [quantize]                  # QuantizeConfig; without it everything stays float
    [[stage]]                   # keys of any of the four, or the tables themselves
    name = "x4"
    scale = 4
    loss = "mse"
    data = { train = "large/" }

Without ``[[stage]]`` there is one stage, called ``main``.
"""

import difflib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from edgesr.assets import asset, asset_folder
from edgesr.config import Config, load_config
from edgesr.errors import UsageError
from edgesr.models.registry import ModelSpec
from edgesr.quantize.method import find_method
from edgesr.quantize.ranges import Finder
from edgesr.train.spread import spelt_out, spread

Options = dict[str, int | float | str | bool]


class ModelConfig(Config):
    """``[model]``: which network, and where its weights start."""

    arch: str
    """Name of a network; ``edgesr models`` lists them."""
    scale: int = Field(ge=2, le=4)
    """Large over small side."""
    options: Options = Field(default_factory=dict)
    """Sizes and switches of the architecture; ``edgesr models`` lists them."""
    weights: str | None = None
    """A checkpoint, the name of a bundled one, or ``stage:NAME``, the result of a former stage.
    Without it the first stage starts at interpolation and a later one from the stage before it;
    ``[model]`` of a config with stages means the first one, here and in ``transfer``."""
    transfer: Literal["none", "head", "copy", "fit"] = "none"
    """How weights of another scale or size are taken over: not at all, ``head`` (other scale),
    ``copy`` (top channels by norm) or ``fit`` (least squares on training images)."""

    def spec(self) -> ModelSpec:
        """The network to build."""
        return ModelSpec(self.arch, self.scale, dict(self.options))


class DataConfig(Config):
    """``[data]``: images, and how the small ones come from the large ones.

    A source is a pairs.csv or its folder, a folder of large images, ``slides:COUNT:SEED``
    (rendered here), ``meta:LIST.txt[:ROOT]`` (a meta_info list), an ``.h5`` file, a video file
    (``video.mp4:EVERY`` takes every so many frames), or ``hub:NAME[:SPLIT]`` (a Hugging Face image
    dataset, or a local folder of one).
    """

    train: tuple[str, ...]
    """One source or a list of them."""
    val: tuple[str, ...]
    """What the network is validated on after every epoch, never trained on."""
    ocr: tuple[str, ...] = ()
    """Held-out images whose text is read every ``ocr_every`` epochs; empty takes ``val``."""
    limit: int = Field(default=0, ge=0)
    """Trains on a curated subset of so many images, drawn by the seed; 0 takes all."""
    degrade: str = "bicubic"
    """How small images are made where a source has none: a name that ``edgesr data pairs
    --degrade`` takes."""
    sharpen: bool = False
    """Trains towards the unsharp-masked large image, as Real-ESRGAN does."""
    soften: float = Field(default=0.0, ge=0, le=4)
    """Trains towards the large image under a Gaussian of so many pixels: what a small image does
    not tell is then left pale, where a sharp target makes a network guess strokes."""
    overlays: bool = False
    """Draws captions, name tags and pointers on the large image before a patch is cut from it,
    where its small image is made here."""
    workers: int = Field(default=0, ge=0)
    """Processes that read images; batches are the same for any number."""
    max_unreadable: int = Field(default=10, ge=0)
    """So many images that can't be read are named and left out; one more ends the training."""

    @field_validator("train", "val", "ocr", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("train", "val")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not all(value):
            raise ValueError("needs at least one source of images")
        return value


class PerceptualConfig(Config):
    """``[train.perceptual]``: distance between features of VGG19 (Johnson et al., 2016)."""

    weights: str = ""
    """A state dict of torchvision's VGG19, which the user has to get."""
    required: bool = True
    """False leaves the term out, and says so, where ``weights`` is empty."""
    layers: dict[str, float] = Field(
        default_factory=lambda: {
            "conv1_2": 0.1,
            "conv2_2": 0.1,
            "conv3_4": 1.0,
            "conv4_4": 1.0,
            "conv5_4": 1.0,
        }
    )
    """Weight per layer, features before the activation; Real-ESRGAN's are the default."""


class AdversarialConfig(Config):
    """``[train.adversarial]``: Real-ESRGAN's discriminator, trained beside the network."""

    features: int = Field(default=64, ge=8)
    """Width of the U-Net discriminator; Real-ESRGAN has 64."""
    lr: float = Field(default=1e-4, gt=0)
    """Its rate, which stays as it is."""
    start_step: int = Field(default=0, ge=0)
    """The first step of the stage at which the term counts."""


class DistillConfig(Config):
    """``[train.distill]``: a larger network whose output is imitated."""

    teacher: str = ""
    """A checkpoint of the same scale, or the name of a bundled one."""
    arch: str | None = None
    """The teacher's network, where its shapes don't tell."""


class TrainConfig(Config):
    """``[train]``: how long, how much at once, how fast, towards what."""

    epochs: int = Field(ge=1)
    """Each has a row of metrics.csv and a checkpoint; its length has nothing to do with images."""
    steps_per_epoch: int = Field(ge=1)
    """Steps of the optimiser."""
    batch_size: int = Field(default=16, ge=1)
    """Samples per process that go through the network at once."""
    accumulate: int = Field(default=1, ge=1)
    """So many batches make one step of the optimiser."""
    patch: int = Field(default=48, ge=8)
    """Side of the low-res patch in pixels."""
    crops_tried: int = Field(default=4, ge=1)
    """The busiest of so many random crops is taken: most of a slide is empty background."""
    augment: bool = True
    """Flips, quarter turns and swapped colour channels."""
    cutblur: float = Field(default=0.0, ge=0, le=1)
    """Probability that a patch has a rectangle of another quality in it (CutBlur)."""

    lr: float = Field(default=1e-3, gt=0)
    """Adam's rate after the warm-up."""
    lr_end: float = Field(default=1e-6, ge=0)
    """The last value of ``cosine``, the lowest of ``step``."""
    schedule: Literal["cosine", "constant", "step"] = "cosine"
    """``step`` multiplies the rate by ``gamma`` every ``step_epochs`` epochs."""
    step_epochs: int = Field(default=1, ge=1)
    """See ``schedule``."""
    gamma: float = Field(default=0.5, gt=0, le=1)
    """See ``schedule``."""
    warmup_steps: int = Field(default=0, ge=0)
    """So many first steps in which the rate rises to ``lr``."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Gradients longer than this are shortened to it."""
    ema: float = Field(default=0.99, ge=0, lt=1)
    """Decay of the weights' moving average; what is validated and saved as the result."""

    loss: dict[str, float] = Field(default_factory=lambda: {"l1": 1.0})
    """A name, or weights by name: l1, mse, charbonnier, text, fft, perceptual, adversarial,
    distill."""
    perceptual: PerceptualConfig = PerceptualConfig()
    """Of the loss of that name."""
    adversarial: AdversarialConfig = AdversarialConfig()
    """Of the loss of that name."""
    distill: DistillConfig = DistillConfig()
    """Of the loss of that name."""

    select: Literal["val_psnr_y", "val_ssim_y", "val_l1", "ocr_primary", "last"] = "val_psnr_y"
    """What decides about best_model.pt; ``ocr_primary`` is the character error rate, and the
    confidence where it ties; ``last`` takes the newest, for pictures that PSNR can't judge."""
    ocr_every: int = Field(default=0, ge=0)
    """Text is read every so many epochs; 0 never, with ``ocr_primary`` at least once."""
    patience: int = Field(default=0, ge=0)
    """A stage ends after so many validations without a better one; 0 never."""
    validate_every: int = Field(default=1, ge=1)
    """Epochs between validations; the last epoch always has one."""
    keep_checkpoints: int = Field(default=5, ge=1)
    """So many of the newest checkpoint_epoch_NNN.pt are kept."""
    samples: int = Field(default=2, ge=0)
    """Validation images of which a picture is written with every validation."""

    precision: Literal["auto", "no", "bf16"] = "auto"
    """``auto`` is bf16 on CUDA and float32 elsewhere, and where any stage is quantized."""
    channels_last: bool = True
    """Memory layout N, H, W, C, which convolutions prefer."""
    compile: bool = False
    """``torch.compile``: slower to start, faster where a C++ compiler is there."""

    @field_validator("loss", mode="before")
    @classmethod
    def _one_is_a_table(cls, value: Any) -> Any:
        return {value: 1.0} if isinstance(value, str) else value

    @field_validator("loss")
    @classmethod
    def _known(cls, value: dict[str, float]) -> dict[str, float]:
        for name, weight in value.items():
            if name not in LOSS_NAMES:
                close = difflib.get_close_matches(name, LOSS_NAMES, n=1)
                meant = f"did you mean {close[0]}? " if close else ""
                raise ValueError(f"no loss is called {name!r}; {meant}{', '.join(LOSS_NAMES)}")
            if weight <= 0:
                raise ValueError(f"the weight of {name} has to be above 0")
        if not value or set(value) <= {"adversarial"}:
            raise ValueError("needs a loss that compares with the target, such as l1")
        return value


class QuantizeConfig(Config):
    """``[quantize]``: training for 8 bits, of a network that is trained already."""

    method: str = ""
    """How weights and activations are rounded: a name such as ``lsq``; empty trains in float."""
    ranges: Finder = "mse"
    """How the first range of an activation is found: ``minmax``, ``percentile`` (all but 0.01 % on
    each side) or ``mse`` (least squared error)."""
    calibration: int = Field(default=16, ge=1)
    """Training images on which ranges are found."""
    penalty: float = Field(default=1e-5, ge=0)
    """Weight of the method's own term of the loss, where it has one: PACT's squared clips."""

    @field_validator("method")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            return find_method(value).name if value else value
        except UsageError as error:
            raise ValueError(f"{error}; {error.hint}") from error


LOSS_NAMES = ("l1", "mse", "charbonnier", "text", "fft", "perceptual", "adversarial", "distill")
"""Every loss that ``[train] loss`` may weigh."""


class StageConfig(Config):
    """One stage, complete: the config's tables with the stage's own keys on top."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    """No dot: ``--set stage.NAME.key`` is split at dots."""
    model: ModelConfig
    """Which network."""
    data: DataConfig
    """Which images."""
    train: TrainConfig
    """Which way."""
    quantize: QuantizeConfig = QuantizeConfig()
    """In 8 bits or in float."""

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole stage."""
        return self.train.epochs * self.train.steps_per_epoch


class TrainingConfig(Config):
    """A whole training: a seed and one or more stages."""

    seed: int = Field(default=0, ge=0)
    """Of everything random; equal seeds give equal weights."""
    stage: tuple[StageConfig, ...] = Field(min_length=1)
    """In the order they run."""

    @classmethod
    def spelt_out(cls, tree: dict[str, Any]) -> dict[str, Any]:
        """Stages by name, each of their keys in its table; one stage where none is written."""
        return spelt_out(tree, _TABLES)

    @model_validator(mode="before")
    @classmethod
    def _spread_defaults(cls, tree: Any) -> Any:
        """Makes every stage complete."""
        return spread(tree, _TABLES) if isinstance(tree, dict) else tree

    @model_validator(mode="after")
    def _names_hold(self) -> Self:
        done: list[str] = []
        for stage in self.stage:
            if stage.name in done:
                raise ValueError(f"two stages are called {stage.name!r}")
            former = (stage.model.weights or "").partition("stage:")[2]
            if former and former not in done:
                raise ValueError(
                    f"stage {stage.name!r} starts from stage {former!r}, which does not run before"
                )
            done.append(stage.name)
        if len({stage.train.precision for stage in self.stage}) > 1:
            raise ValueError("all stages need the same precision")
        if self.stage[0].train.precision == "bf16" and any(s.quantize.method for s in self.stage):
            raise ValueError("bf16 holds no grid of 256 values: leave precision to auto")
        return self


_TABLES: dict[str, type[Config]] = {
    "model": ModelConfig,
    "data": DataConfig,
    "train": TrainConfig,
    "quantize": QuantizeConfig,
}


def load_training_config(path: Path, overrides: tuple[str, ...] = ()) -> TrainingConfig:
    """Reads a training config.

    Args:
        path: The TOML file.
        overrides: ``a.b=value`` strings; ``stage.NAME.key`` and ``stage.*.key`` reach stages.

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


def recipes() -> dict[str, str]:
    """Every recipe's name with the first line of its comment."""
    found = {}
    for path in sorted(asset_folder("recipes").glob("*.toml")):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        found[path.stem] = first.lstrip("# ").strip()
    return found

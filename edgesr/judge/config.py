"""What ``edgesr ocr train`` may be told: a TOML file's keys, or ``--set``."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edgesr.config import Config, load_config, overridden_config
from edgesr.errors import UsageError
from edgesr.quality.vlm.files import Asking

_PLAIN = Asking()
_SMALLEST = 4 * 28 * 28


class LoraSettings(Config):
    """The adapter: low-rank matrices beside a model's own (Hu et al., LoRA, 2021)."""

    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[int, Field(ge=1)] = 32
    """The adapter is scaled by alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: Literal["all-linear", "language"] | tuple[str, ...] = "all-linear"
    """Layers that get one: all linear ones but the output, those of the language model only, or by
    the ends of their names. A script that the base does not know needs the eyes too."""
    also_train: tuple[str, ...] = ()
    """Layers to be trained whole, by the ends of their names, such as ``embed_tokens``."""


class JudgeConfig(Config):
    """One training of an adapter."""

    model: str
    """Folder of a Qwen2.5-VL, or OWNER/NAME on the Hugging Face hub."""
    revision: str | None = None
    """Commit, tag or branch on the hub."""
    seed: Annotated[int, Field(ge=0)] = 0
    prompt: str = _PLAIN.prompt
    max_pixels: Annotated[int, Field(ge=_SMALLEST)] = _PLAIN.max_pixels
    """A larger image is made smaller."""
    max_new_tokens: Annotated[int, Field(ge=1)] = _PLAIN.max_new_tokens
    """Answers are read up to here, also when they are validated."""
    language: str = _PLAIN.language
    """Of the texts, as the records of ``--ocr vlm:FOLDER`` will name it."""
    steps: Annotated[int, Field(ge=1)] = 1000
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Images per forward pass."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Forward passes per step."""
    lr: Annotated[float, Field(gt=0)] = 1e-4
    """After the warm-up; falls to zero along a cosine."""
    warmup: Annotated[int, Field(ge=0)] = 20
    """Steps."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of the gradient."""
    check_every: Annotated[int, Field(ge=1)] = 200
    """Steps between two validations, each of which ends in a checkpoint."""
    val_images: Annotated[int, Field(ge=1)] = 200
    """So many of the validation images are read each time."""
    keep_checkpoints: Annotated[int, Field(ge=1)] = 2
    lora: LoraSettings = LoraSettings()

    @property
    def asking(self) -> Asking:
        """How the model is asked."""
        return Asking(self.prompt, self.max_pixels, self.max_new_tokens, self.language)

    def deciding(self) -> dict[str, object]:
        """Keys that must not change when a training is resumed; the base is told by its digest."""
        return self.model_dump(mode="json", exclude={"keep_checkpoints", "model"})


def asking_document(asking: Asking) -> dict[str, object]:
    """JSON-ready, as notes hold it."""
    return asdict(asking)


def load_judge_config(path: Path | None, model: str, overrides: Iterable[str]) -> JudgeConfig:
    """A config from a file, if there is one, from ``--set``, and from ``--model``, which counts.

    Raises:
        UsageError: When nothing names a model.
        ConfigError: When a key or value does not fit.
        InputError: When the file can't be read.
    """
    settings = [*overrides, *([f"model={json.dumps(model)}"] if model else [])]
    if path:
        return load_config(path, JudgeConfig, settings)
    if not any(setting.partition("=")[0].strip() == "model" for setting in settings):
        raise UsageError("no base model is named", hint="say --model FOLDER or OWNER/NAME")
    return overridden_config({}, JudgeConfig, settings, source="--set")

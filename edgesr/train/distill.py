"""Distillation: a small network imitates what a larger one makes of the same image."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from edgesr.errors import CheckpointError, ConfigError
from edgesr.models.checkpoint import Checkpoint, load_checkpoint
from edgesr.models.fold import fold
from edgesr.train.config import DistillConfig
from edgesr.train.losses import Loss, Sample


class DistillLoss(Loss):
    """L1 between the network's output and a frozen teacher's (after Hinton et al., 2015).

    The teacher's output is clamped to [0, 1], as an image that is shown would be; the student's
    is not, so that what it overshoots is still corrected. The teacher runs as its folded graph
    and in float32 even where the student trains in bfloat16, whose steps near white are a grey
    level and more.

    Args:
        config: Which teacher.
        scale: Of the network to train; the teacher has to have the same.

    Raises:
        ConfigError: When no teacher is named or its scale differs.
        InputError: When its file is missing.
        CheckpointError: When it can't be loaded.
        ConversionError: When its folded graph gives other pixels.
    """

    def __init__(self, config: DistillConfig, scale: int) -> None:
        super().__init__()
        checkpoint = _load(config)
        if checkpoint.spec.scale != scale:
            raise ConfigError(
                f"the teacher {config.teacher} is x{checkpoint.spec.scale}, "
                f"the network to train is x{scale}",
                hint=f"name a teacher of x{scale} in train.distill.teacher",
            )
        self.teacher = fold(checkpoint.model).requires_grad_(requires_grad=False)

    def distance(self, sample: Sample) -> Tensor:
        """Mean of |sr - clamp(teacher(lr), 0, 1)|."""
        with torch.no_grad(), torch.autocast(sample.lr.device.type, enabled=False):
            wanted: Tensor = self.teacher(sample.lr)
        return F.l1_loss(sample.sr, wanted.clamp(0, 1))


def _load(config: DistillConfig) -> Checkpoint:
    if not config.teacher:
        raise ConfigError(
            "the distill loss needs a teacher: train.distill.teacher names none",
            hint="give a checkpoint: --set train.distill.teacher=FILE; edgesr models lists "
            "the bundled ones",
        )
    try:
        return load_checkpoint(config.teacher, arch=config.arch)
    except CheckpointError as error:
        hint = "check train.distill.arch, or leave it out" if config.arch else error.hint
        raise CheckpointError(f"train.distill.teacher: {error}", hint=hint) from error

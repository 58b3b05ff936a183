"""Learning rates as pure functions of the step."""

import math

from edgesr.train.config import TrainConfig


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a half cosine from ``lr`` to ``lr_end`` over all steps.

    Args:
        config: The ``[train]`` table.
        step: Counted from 0 over the whole training.
    """
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    total = config.epochs * config.steps_per_epoch
    done = (step - config.warmup_steps) / max(1, total - config.warmup_steps)
    return config.lr_end + (config.lr - config.lr_end) * 0.5 * (1 + math.cos(math.pi * done))

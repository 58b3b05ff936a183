"""Learning rates as pure functions of the step: a resumed stage has the straight one's rates."""

import math

from edgesr.train.config import TrainConfig


def learning_rate(train: TrainConfig, step: int) -> float:
    """The rate of one optimiser step.

    A linear warm-up over ``warmup_steps`` comes first. Then

    * ``cosine``: half a cosine from ``lr`` to ``lr_end`` over the rest of the stage (Loshchilov and
      Hutter, 2017, without restarts);
    * ``step``: ``lr`` times ``gamma`` for every ``step_epochs`` epochs that are done, and not below
      ``lr_end``;
    * ``constant``: ``lr``.

    Every value is a rate itself, none a factor: ELSR-torch gives ``LambdaLR`` a rate, which
    multiplies it with the optimiser's and so trains with the square.

    Args:
        train: The stage's table.
        step: Counted from 0 over the stage.
    """
    if step < train.warmup_steps:
        return train.lr * (step + 1) / train.warmup_steps
    match train.schedule:
        case "constant":
            return train.lr
        case "step":
            halvings = step // (train.steps_per_epoch * train.step_epochs)
            return max(train.lr_end, train.lr * train.gamma**halvings)
        case "cosine":
            total = train.epochs * train.steps_per_epoch
            done = (step - train.warmup_steps) / max(1, total - train.warmup_steps)
            return train.lr_end + (train.lr - train.lr_end) * 0.5 * (1 + math.cos(math.pi * done))

"""What follows from a network's sensitivity, in words."""

from collections.abc import Mapping

from edgesr.quantize.mixed import Mix
from edgesr.quantize.ranges import Finder
from edgesr.quantize.sensitivity import Sensitivity
from edgesr.quantize.trial import Score

_NAMED = 3
"""Layers that are named at most as those that lose most."""
_WORTH_NAMING = 0.1
"""Part of the whole loss from which on a layer's own is named."""
_LITTLE_LEFT = 0.5
"""Share of multiply-accumulates in float from which on a mix saves little."""
_BETTER_DB = 0.05
"""By so much another way to find ranges has to be better to be named."""
_VISIBLE_DB = 40.0
"""Likeness below which differences can be seen."""


def advise(
    found: Sensitivity,
    mix: Mix | str,
    mix_score: Score | None,
    other_ranges: Mapping[Finder, Score],
    budget_db: float,
    checkpoint: str,
) -> tuple[str, ...]:
    """Sentences, the most important first.

    Args:
        found: As measured.
        mix: What mixed precision reaches within the budget, or a sentence about why nothing.
        mix_score: Of the mix on the images of ``found``; None where there is no mix.
        other_ranges: Of integers everywhere, by other ways to find ranges.
        budget_db: PSNR-Y that may be lost.
        checkpoint: As the command line takes it.
    """
    drop = found.drop(found.integer_score)
    if drop is None:
        return _without_truth(found)
    if drop <= budget_db:
        fine = (
            f"Quantize it as it is: integers everywhere cost {_db(drop)}, {budget_db:g} dB are "
            f"allowed (edgesr convert {checkpoint} --int8)."
        )
        return (fine,)
    train = (
        "Or train it for integers, which then stand everywhere (edgesr train --recipe qat-lsq "
        f"--set model.weights={checkpoint}; model.arch and model.scale have to be the "
        "checkpoint's, and data.train images like yours)."
    )
    return (
        f"Integers everywhere cost {_db(drop)}, {budget_db:g} dB are allowed; {_cause(found)}.",
        *_worst(found, drop),
        *_ranges(found, drop, other_ranges),
        _mixed(mix, len(found.layers), budget_db, checkpoint),
        *_beyond(found, mix_score, budget_db),
        train,
    )


def _without_truth(found: Sensitivity) -> tuple[str, ...]:
    likeness = found.integer_score.likeness
    seen = "can be seen" if likeness < _VISIBLE_DB else "can hardly be seen"
    worst = ", ".join(layer.label for layer in found.ranked()[:_NAMED])
    distance = (
        f"The integer network's images are {likeness:.1f} dB like the float one's: the difference "
        f"{seen}. The layers furthest off alone: {worst}."
    )
    return (
        distance,
        "What this costs against the truth is told where there is one: give a pairs.csv as --test.",
    )


def _cause(found: Sensitivity) -> str:
    """Whether weights or the values between operations cost most."""
    drop, weights = (found.drop(s) or 0.0 for s in (found.integer_score, found.weights_score))
    if weights > drop / 2:
        return f"rounding the weights alone costs {_db(weights)} (try --rounding adaround)"
    return (
        f"rounding the weights alone costs {_db(weights)}: most is lost where 256 steps have to "
        "cover the range of a tensor between operations"
    )


def _worst(found: Sensitivity, drop: float) -> tuple[str, ...]:
    losses = [(layer, found.drop(layer.alone) or 0.0) for layer in found.ranked()[:_NAMED]]
    named = [
        f"{layer.label} {_db(loss)} (its weights {_db(found.drop(layer.weights) or 0.0)})"
        for layer, loss in losses
        if loss >= _WORTH_NAMING * drop
    ]
    if not named:
        return ("No layer stands out: each alone costs less than a tenth of that.",)
    return (f"Quantized alone, these cost most: {', '.join(named)}.",)


def _ranges(found: Sensitivity, drop: float, others: Mapping[Finder, Score]) -> tuple[str, ...]:
    drops = {name: found.drop(score) for name, score in others.items()}
    known = {name: other for name, other in drops.items() if other is not None}
    name = min(known, key=lambda name: known[name], default=None)
    if name is None or known[name] > drop - _BETTER_DB:
        return ()
    return (f"With --ranges {name} it is {_db(known[name])}: take that, here and in convert.",)


def _mixed(mix: Mix | str, layers: int, budget_db: float, checkpoint: str) -> str:
    if isinstance(mix, str):
        return mix
    if not mix.layers:
        return f"Nothing has to stay float to lose less than {budget_db:g} dB: --mixed is int8."
    names = ", ".join(mix.layers)
    text = (
        f"Keep {len(mix.layers)} of {layers} layers in half precision, {mix.share:.0%} of the "
        f"multiply-accumulates: {names} (edgesr convert {checkpoint} --mixed --budget "
        f"{budget_db:g})."
    )
    if mix.share > _LITTLE_LEFT:
        text += " That leaves little of what integers save: rather train it, or take --fp16."
    return text


def _beyond(found: Sensitivity, mix_score: Score | None, budget_db: float) -> tuple[str, ...]:
    """Said where the images of the search were kinder than those of the figures."""
    drop = None if mix_score is None else found.drop(mix_score)
    if drop is None or drop <= budget_db:
        return ()
    sentence = (
        f"On the images of this report that mix loses {_db(drop)}, more than on those of the "
        "search: ask for a smaller --budget, or search on images more like these."
    )
    return (sentence,)


def _db(value: float) -> str:
    return f"{value:.2f} dB" if abs(value) >= 0.005 else "nothing"

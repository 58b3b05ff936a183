"""What integers cost a checkpoint, layer by layer: load, quantize, measure, search, advise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgesr.convert.samples import Images, Samples, load_samples
from edgesr.errors import ConversionError, UsageError

if TYPE_CHECKING:
    from edgesr.convert.integer import IntegerOptions
    from edgesr.models.checkpoint import Checkpoint
    from edgesr.models.registry import SRModel
    from edgesr.quantize.mixed import Mix
    from edgesr.quantize.network import QuantizedNetwork
    from edgesr.quantize.ranges import Finder
    from edgesr.quantize.sensitivity import LayerSensitivity, Sensitivity
    from edgesr.quantize.trial import Score, Trial

Progress = Callable[[str, int, int], None]
_PIECE = 96
"""Height and width of the parts of images for calibration; `edgesr convert` takes the same."""
_TEST_PIECE = 48
"""Of `test`: small, for mirrored borders of small images count as any other part."""
_MOST_TESTED = 16
_NOT_NEEDED = "Mixed precision is not needed."
_NO_TRUTH = (
    "Mixed precision was not searched for: it is weighed against the truth, which the images of "
    "--calibration don't have (a pairs.csv names one)."
)
_NOT_WITHIN = "Mixed precision does not help: no layer can have integers within the budget."


@dataclass(frozen=True)
class QuantizeReportRequest:
    """Everything a report needs to know."""

    checkpoint: str
    """A file, or the name of a bundled checkpoint."""
    integer: "IntegerOptions"
    """How integers are chosen, and the budget of mixed precision."""
    calibration: Path | None = None
    """A pairs.csv or a folder of low-res images; None for rendered slides."""
    test: Path | None = None
    """Likewise, for the figures; None for images of `calibration` that are held out."""
    arch: str | None = None
    """Insists on an architecture; else it is read from the checkpoint."""
    scale: int | None = None
    """Insists on a scale."""
    options: dict[str, int | float | str | bool] = field(default_factory=dict)
    """What a checkpoint's shapes don't tell, for example ``{"activation": "tanh"}``."""


@dataclass(frozen=True)
class QuantizeReport:
    """What was found."""

    checkpoint: "Checkpoint"
    request: QuantizeReportRequest
    tested_on: str
    """Where the images of the figures come from."""
    images: int
    """How many parts of images there are."""
    sensitivity: "Sensitivity"
    mix: "Mix | None"
    """None where it was not needed, there was no truth, or nothing is within the budget."""
    mix_score: "Score | None"
    """Of the mix on the images of the figures."""
    other_ranges: "Mapping[Finder, Score]"
    """Of integers everywhere, had ranges been found otherwise; empty where it was not needed."""
    advice: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON tells it; dB throughout, null where there is no truth."""
        found, integer = self.sensitivity, self.request.integer
        return {
            "checkpoint": self.checkpoint.path.name,
            "sha256": self.checkpoint.sha256,
            "ranges": integer.ranges,
            "rounding": integer.rounding,
            "budget_db": integer.budget_db,
            "tested_on": self.tested_on,
            "images": self.images,
            "float": _score(found, found.float_score),
            "int8": _score(found, found.integer_score),
            "int8_weights": _score(found, found.weights_score),
            "int8_by_ranges": {
                name: _score(found, score) for name, score in self.other_ranges.items()
            },
            "layers": [_layer(found, layer) for layer in found.layers],
            "mixed": None if self.mix is None else self._mixed(self.mix),
            "advice": list(self.advice),
        }

    def _mixed(self, mix: "Mix") -> dict[str, Any]:
        score = self.mix_score
        return {
            "float_layers": list(mix.layers),
            "macs_share": mix.share,
            "searched_drop_db": mix.drop_db,
            **(_score(self.sensitivity, score) if score else {}),
            "curve": [
                {
                    "moved": step.moved,
                    "float_layers": len(step.floats),
                    "macs_share": step.share,
                    "searched_drop_db": step.drop_db,
                }
                for step in mix.path
            ],
        }


def quantize_report(
    request: QuantizeReportRequest, progress: Progress | None = None
) -> QuantizeReport:
    """Measures what integers cost a float checkpoint, and searches for mixed precision.

    Args:
        request: What to look at.
        progress: Called with (what is being done, steps done, steps in all).

    Raises:
        CheckpointError, ImageError, PairsError: When an input can't be read.
        UsageError: When the checkpoint was trained for integers.
        ConversionError: When the network holds an operation without a quantized form.
    """
    from edgesr.convert.integer import nchw, quantized_network
    from edgesr.quantize.advice import advise
    from edgesr.quantize.sensitivity import measure_sensitivity
    from edgesr.quantize.trial import Trial

    checkpoint = _load(request)
    scale = checkpoint.spec.scale
    samples = load_samples(request.calibration, scale, (_PIECE, _PIECE))
    images, truth, source = _tested(request, samples, scale)
    _tell(progress, "quantize")
    network = quantized_network(checkpoint.model, samples, request.integer).network
    trial = Trial(network, nchw(images), None if truth is None else nchw(truth))
    found = measure_sensitivity(trial, progress)
    budget = request.integer.budget_db
    needed = (found.drop(found.integer_score) or 0.0) > budget
    mix = _search(network, samples, budget, progress) if needed else _NOT_NEEDED
    others = _other_ranges(checkpoint.model, samples, request, trial) if needed else {}
    reached = None if isinstance(mix, str) else mix
    mix_score = trial.score(reached.layers) if reached else None
    return QuantizeReport(
        checkpoint=checkpoint,
        request=request,
        tested_on=source,
        images=len(images),
        sensitivity=found,
        mix=reached,
        mix_score=mix_score,
        other_ranges=others,
        advice=advise(found, mix, mix_score, others, budget, request.checkpoint),
    )


def _load(request: QuantizeReportRequest) -> "Checkpoint":
    from edgesr.models.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(
        request.checkpoint, arch=request.arch, scale=request.scale, options=request.options
    )
    if checkpoint.spec.quantizer:
        raise UsageError(
            f"{checkpoint.path.name} was trained for integers by {checkpoint.spec.quantizer}: it "
            "has no float weights to compare with",
            hint="give the float checkpoint that training started from; edgesr eval scores both",
        )
    return checkpoint


def _tested(
    request: QuantizeReportRequest, samples: Samples, scale: int
) -> tuple[Images, Images | None, str]:
    """Images for the figures, their truth where they have one, and where they come from."""
    if request.test is None:
        shared = "" if samples.held_out else ", the same images as for calibration"
        return samples.checked, samples.truth, samples.source + shared
    given = load_samples(request.test, scale, (_TEST_PIECE, _TEST_PIECE))
    parts, truths = [given.pieces], [given.pieces_truth]
    if given.held_out:
        parts, truths = [given.checked, *parts], [given.truth, *truths]
    images = np.concatenate(parts)
    every = np.linspace(0, len(images) - 1, min(len(images), _MOST_TESTED)).round().astype(int)
    known = [truth for truth in truths if truth is not None]
    truth = np.concatenate(known)[every] if len(known) == len(parts) else None
    return images[every], truth, given.source


def _search(
    network: "QuantizedNetwork", samples: Samples, budget_db: float, progress: Progress | None
) -> "Mix | str":
    """The mix that `edgesr convert --mixed` chooses of the same images, or why there is none."""
    from edgesr.convert.integer import nchw
    from edgesr.quantize.mixed import search_mixed

    if samples.pieces_truth is None:
        return _NO_TRUTH
    images, truth = nchw(samples.pieces), nchw(samples.pieces_truth)
    try:
        return search_mixed(network, images, truth, budget_db, progress)
    except ConversionError:
        return _NOT_WITHIN


def _other_ranges(
    model: "SRModel", samples: Samples, request: QuantizeReportRequest, trial: "Trial"
) -> "dict[Finder, Score]":
    """What the other ways to find ranges give; not with a rounding that takes minutes."""
    from edgesr.convert.integer import quantized_network

    integer = request.integer
    if integer.rounding == "adaround":
        return {}
    found: dict[Finder, Score] = {}
    finders: tuple[Finder, ...] = ("minmax", "percentile", "mse")
    for finder in finders:
        if finder != integer.ranges:
            network = quantized_network(model, samples, replace(integer, ranges=finder)).network
            found[finder] = trial.of(network).score(())
    return found


def _tell(progress: Progress | None, what: str) -> None:
    if progress is not None:
        progress(what, 0, 1)


def _score(found: "Sensitivity", score: "Score") -> dict[str, float | None]:
    return {
        "psnr_y": score.psnr_y,
        "drop_db": found.drop(score),
        "likeness_db": score.likeness,
    }


def _layer(found: "Sensitivity", layer: "LayerSensitivity") -> dict[str, Any]:
    return {
        "layer": layer.label,
        "macs_share": layer.share,
        "alone": _score(found, layer.alone),
        "weights": _score(found, layer.weights),
        "spared": _score(found, layer.spared),
        "gain_db": found.gain(layer),
    }

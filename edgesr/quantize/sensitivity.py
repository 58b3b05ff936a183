"""Which layers of a network lose what by integers."""

from collections.abc import Callable
from dataclasses import dataclass

from edgesr.quantize.trial import Score, Trial

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LayerSensitivity:
    """A conv and the operations behind it."""

    label: str
    share: float
    """Of all multiply-accumulates, 0..1."""
    alone: Score
    """It alone has integers: its weights, what it reads and what it writes."""
    weights: Score
    """Its weights alone are rounded."""
    spared: Score
    """It alone stays float."""


@dataclass(frozen=True)
class Sensitivity:
    """What integers cost, as a whole and layer by layer."""

    float_score: Score
    integer_score: Score
    """Everything has integers."""
    weights_score: Score
    """All weights are rounded, and nothing else."""
    layers: tuple[LayerSensitivity, ...]
    """In the order they run."""

    def drop(self, score: Score) -> float | None:
        """PSNR-Y lost against float, dB; None without a truth."""
        if score.psnr_y is None or self.float_score.psnr_y is None:
            return None
        return self.float_score.psnr_y - score.psnr_y

    def gain(self, layer: LayerSensitivity) -> float:
        """What it alone in float wins back, dB of PSNR-Y; without a truth, of likeness."""
        now = self.integer_score
        if layer.spared.psnr_y is None or now.psnr_y is None:
            return layer.spared.likeness - now.likeness
        return layer.spared.psnr_y - now.psnr_y

    def ranked(self) -> list[LayerSensitivity]:
        """Layers that lose most alone first: the least like the float output where it is close."""

        def loss(layer: LayerSensitivity) -> tuple[float, float]:
            drop = self.drop(layer.alone)
            return (0.0 if drop is None else round(drop, 3), -layer.alone.likeness)

        return sorted(self.layers, key=loss, reverse=True)


def measure_sensitivity(trial: Trial, progress: Progress | None = None) -> Sensitivity:
    """Quantizes every layer alone, rounds its weights alone, and spares it alone.

    Three runs over the images for each layer.

    Args:
        trial: The network and the images.
        progress: Called with (what is being done, steps done, steps in all).
    """
    every = frozenset(trial.layers)
    found = []
    for place, label in enumerate(trial.layers):
        if progress is not None:
            progress(f"layer {label}", place, len(every))
        found.append(
            LayerSensitivity(
                label=label,
                share=trial.share([label]),
                alone=trial.score(every - {label}),
                weights=trial.score_weights([label]),
                spared=trial.score([label]),
            )
        )
    return Sensitivity(
        float_score=trial.float_score,
        integer_score=trial.score(()),
        weights_score=trial.score_weights(every),
        layers=tuple(found),
    )

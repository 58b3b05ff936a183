"""Losses by name: what a network's output may be compared by while it is trained.

Every loss maps a `Sample` to a scalar, computed in at least float32 whatever the network ran in.
The adversarial term has a network and an optimiser of its own: see `edgesr.train.adversarial`.
"""

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from edgesr.errors import ConfigError
from edgesr.train.config import TrainConfig

CHARBONNIER_EPSILON = 1e-3
"""Where the loss turns from quadratic to linear, on the scale 0..1."""
STROKE_GAIN = 4.0
"""So much is added to the weight 1 of flat background on a stroke of full contrast."""
STROKE_WINDOW = 5
"""Side in high-res pixels of the window that contrast is taken over: a pixel at most two away
from an edge counts as stroke, which covers strokes of up to four pixels and their ringing."""
FULL_CONTRAST = 0.5
"""Contrast from which on a stroke has its full weight, on the scale 0..1: grey and coloured text
matters as much as black on white."""


@dataclass(frozen=True)
class Sample:
    """One batch after the network ran, RGB.

    Attributes:
        sr: The network's output, N, 3, s*H, s*W, not clamped.
        hr: The target, N, 3, s*H, s*W in [0, 1].
        lr: The input, N, 3, H, W in [0, 1].
    """

    sr: Tensor
    hr: Tensor
    lr: Tensor

    def full(self) -> "Sample":
        """The same with float16 and bfloat16 tensors as float32."""
        return Sample(full_precision(self.sr), full_precision(self.hr), full_precision(self.lr))


def full_precision(tensor: Tensor) -> Tensor:
    """Any tensor; float16 and bfloat16, whose steps exceed a grey level, become float32."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


class Loss(nn.Module, ABC):
    """Base of all losses. Modules and buffers that a loss holds are frozen and move with it."""

    def forward(self, sample: Sample) -> Tensor:
        """The loss of a batch, a scalar."""
        return self.distance(sample.full())

    @abstractmethod
    def distance(self, sample: Sample) -> Tensor:
        """The loss of a batch whose tensors are float32 or float64, a scalar."""


class L1Loss(Loss):
    """Mean absolute difference."""

    def distance(self, sample: Sample) -> Tensor:
        """Mean of |sr - hr|."""
        return F.l1_loss(sample.sr, sample.hr)


class MSELoss(Loss):
    """Mean squared difference."""

    def distance(self, sample: Sample) -> Tensor:
        """Mean of (sr - hr)^2."""
        return F.mse_loss(sample.sr, sample.hr)


class CharbonnierLoss(Loss):
    """L1 that is smooth at zero (Lai et al., 2017, "Deep Laplacian Pyramid Networks")."""

    def distance(self, sample: Sample) -> Tensor:
        """Mean of sqrt((sr - hr)^2 + eps^2), eps = `CHARBONNIER_EPSILON`."""
        squared = (sample.sr - sample.hr).square()
        return (squared + CHARBONNIER_EPSILON**2).sqrt().mean()


class TextLoss(Loss):
    """L1 in which strokes weigh more than the background around them; see `stroke_weights`."""

    def distance(self, sample: Sample) -> Tensor:
        """Mean of w * |sr - hr|."""
        return (stroke_weights(sample.hr) * (sample.sr - sample.hr).abs()).mean()


class FFTLoss(Loss):
    """L1 between spectra (Cho et al., 2021, "Rethinking Coarse-to-Fine Approach", MIMO-UNet).

    The transform is the orthonormal two-dimensional FFT of each colour, of which the half is kept
    that tells the other one (``rfft2``). Orthonormal, the value is of the size of L1 and does not
    grow with the patch.
    """

    def distance(self, sample: Sample) -> Tensor:
        """Mean absolute value over the real and imaginary parts of rfft2(sr - hr)."""
        spectrum = torch.fft.rfft2(sample.sr - sample.hr, norm="ortho")
        return torch.view_as_real(spectrum).abs().mean()


def stroke_weights(hr: Tensor) -> Tensor:
    """How much each pixel of a target weighs in `TextLoss`.

    Contrast is the largest minus the smallest value in the window around a pixel, taken in each
    colour, the strongest colour counting: blue on black has hardly any contrast in luma. A pixel
    weighs 1 + `STROKE_GAIN` * min(contrast / `FULL_CONTRAST`, 1), divided by the mean over its
    image: the loss of an evenly spread error is its L1, and a stroke pixel counts
    1 + `STROKE_GAIN` times as much as one on flat background of the same image.

    Args:
        hr: N, 3, H, W in [0, 1].

    Returns:
        N, 1, H, W with mean 1 per image.
    """
    with torch.no_grad():
        contrast = _window_max(hr) + _window_max(-hr)
        strongest = contrast.amax(dim=1, keepdim=True)
        weights = 1 + STROKE_GAIN * (strongest / FULL_CONTRAST).clamp(max=1)
        return weights / weights.mean(dim=(1, 2, 3), keepdim=True)


def _window_max(x: Tensor) -> Tensor:
    """Largest value in the window around each pixel of N, C, H, W, same shape.

    A running maximum over shifted views takes a thirtieth of ``max_pool2d``'s time on a CPU.
    """
    reach = STROKE_WINDOW // 2
    x = F.pad(x, (reach, reach, reach, reach), value=-math.inf)
    for axis in (2, 3):
        length = x.shape[axis] - 2 * reach
        shifted = [x.narrow(axis, start, length) for start in range(STROKE_WINDOW)]
        x = functools.reduce(torch.maximum, shifted)
    return x


def _perceptual(config: TrainConfig, _scale: int) -> Loss:
    from edgesr.train.perceptual import PerceptualLoss

    return PerceptualLoss(config.perceptual)


def _distill(config: TrainConfig, scale: int) -> Loss:
    from edgesr.train.distill import DistillLoss

    return DistillLoss(config.distill, scale)


LOSSES: dict[str, Callable[[TrainConfig, int], Loss]] = {
    "l1": lambda _config, _scale: L1Loss(),
    "mse": lambda _config, _scale: MSELoss(),
    "charbonnier": lambda _config, _scale: CharbonnierLoss(),
    "text": lambda _config, _scale: TextLoss(),
    "fft": lambda _config, _scale: FFTLoss(),
    "perceptual": _perceptual,
    "distill": _distill,
}
"""Builders by name, of a stage's options and its scale."""


def build_losses(
    config: TrainConfig, scale: int, note: Callable[[str], None]
) -> dict[str, tuple[float, Loss]]:
    """Builds what a stage is trained towards, so that whatever is missing shows before it starts.

    Args:
        config: The stage's options.
        scale: Of the network to train.
        note: Told what is left out, one line.

    Returns:
        Weight and loss by name, without the adversarial term, on the CPU.

    Raises:
        ConfigError: When an option does not fit, or no loss is left.
        InputError: When the file of VGG19 or of the teacher is missing or can't be read.
        CheckpointError: When one of them holds something else.
        ConversionError: When the teacher's folded graph gives other pixels.
    """
    losses: dict[str, tuple[float, Loss]] = {}
    for name, weight in config.loss.items():
        perceptual = config.perceptual
        if name == "perceptual" and not perceptual.weights and not perceptual.required:
            note("the perceptual loss is left out: train.perceptual.weights names no file")
        elif name != "adversarial":
            losses[name] = (weight, LOSSES[name](config, scale))
    if not losses:
        raise ConfigError(
            "no loss is left: the perceptual one has no weights and nothing else is asked for",
            hint="add one, for example --set train.loss.l1=1.0, or give train.perceptual.weights",
        )
    return losses

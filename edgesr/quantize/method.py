"""What a quantization-aware training method consists of, and the registry of all of them.

A method rounds the weights of every conv per output channel and every activation per tensor. Its
parameters exist, and are calibrated, before the optimiser sees the network.
"""

import difflib
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.quantize.grid import (
    ACTIVATION_LIMITS,
    SMALLEST_SCALE,
    WEIGHT_LIMIT,
    Grid,
    grid_between,
    largest,
    limits,
    nearest,
    per_channel,
    round_to_grid,
)

if TYPE_CHECKING:
    from edgesr.quantize.network import QuantizedNetwork


class WeightQuantizer(nn.Module, ABC):
    """Rounds the weights (O, I, k, k) of one conv.

    Args:
        conv: The conv, for its shape; `calibrate` gets its trained weights.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.channels = conv.out_channels

    @abstractmethod
    def calibrate(self, weight: Tensor) -> Tensor:
        """Sets the parameters so that training starts near the float network.

        Args:
            weight: (O, I, k, k), the float network's.

        Returns:
            What the conv's weights have to be from now on, same shape; most methods keep them.
        """

    @abstractmethod
    def forward(self, weight: Tensor) -> Tensor:
        """What the conv computes with, same shape."""

    @abstractmethod
    def scale(self, weight: Tensor) -> Tensor:
        """The scale of each output channel that the .tflite stores: (O), positive."""

    def integers(self, weight: Tensor) -> Tensor:
        """The whole numbers in [-127, 127] that the .tflite stores, as floats, (O, I, k, k)."""
        with torch.no_grad():
            return nearest(self(weight), self.scale(weight))


class ActivationQuantizer(nn.Module, ABC):
    """Rounds one tensor between two operations."""

    @abstractmethod
    def calibrate(self, low: float, high: float) -> None:
        """Sets the parameters from the range that was seen; ``low`` is 0 behind a ReLU."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """What the next operation reads, same shape."""

    @abstractmethod
    def grid(self) -> Grid:
        """Scale and zero point that the .tflite stores."""

    def penalty(self) -> Tensor | None:
        """A term of the loss that the method has; None for most."""
        return None


class LargestWeights(WeightQuantizer):
    """scale = max|w| / 127 of each channel as it is now; the gradient passes straight through."""

    def calibrate(self, weight: Tensor) -> Tensor:
        """Nothing to set."""
        return weight

    def forward(self, weight: Tensor) -> Tensor:
        """round(w / s) * s."""
        scale = per_channel(self.scale(weight))
        return round_to_grid(weight, scale, *limits(-WEIGHT_LIMIT, WEIGHT_LIMIT, weight))

    def scale(self, weight: Tensor) -> Tensor:
        """max|w| / 127."""
        return largest(weight) / WEIGHT_LIMIT


class FixedActivation(ActivationQuantizer):
    """A grid that never changes: images, what TFLite prescribes, and after-training forms."""

    scale: Tensor
    zero_point: Tensor

    def __init__(self, grid: Grid | None = None) -> None:
        super().__init__()
        self.prescribed = grid is not None
        grid = grid or Grid(1.0, 0)
        self.register_buffer("scale", torch.tensor(grid.scale))
        self.register_buffer("zero_point", torch.tensor(float(grid.zero_point)))

    def calibrate(self, low: float, high: float) -> None:
        """The finest grid over the range, unless one is prescribed."""
        if not self.prescribed:
            self.set(grid_between(low, high))

    def set(self, grid: Grid) -> None:
        """Takes over a grid."""
        self.scale.fill_(grid.scale)
        self.zero_point.fill_(grid.zero_point)

    def forward(self, x: Tensor) -> Tensor:
        """Rounds and saturates; the gradient passes where nothing saturates."""
        low, high = (limit - self.zero_point for limit in ACTIVATION_LIMITS)
        return round_to_grid(x, self.scale, low, high)

    def grid(self) -> Grid:
        """As it was set."""
        return Grid(float(self.scale), int(self.zero_point))


class RelativeScale(nn.Module):
    """A learned positive scale: its calibrated value times a parameter that starts at 1.

    So the rate of an optimiser such as Adam, whose steps do not depend on the gradient's size, is
    a relative change, whatever the scale's own size is.

    Args:
        size: How many scales.
    """

    start: Tensor

    def __init__(self, size: int = 1) -> None:
        super().__init__()
        self.register_buffer("start", torch.ones(size))
        self.factor = nn.Parameter(torch.ones(size))

    def set(self, value: Tensor) -> None:
        """Calibrates."""
        with torch.no_grad():
            self.start.copy_(value)
            self.factor.fill_(1.0)

    def forward(self) -> Tensor:
        """The scale, (size)."""
        return (self.start * self.factor).clamp(min=SMALLEST_SCALE)


@dataclass(frozen=True)
class Method:
    """A way to train a network for 8 bits."""

    name: str
    """As ``[quantize] method`` and ``sweep --methods`` take it."""
    source: str
    """Paper."""
    weights: Callable[[nn.Conv2d], WeightQuantizer]
    """Builds the quantizer of a conv's weights."""
    activations: Callable[[], ActivationQuantizer]
    """Builds the quantizer of one tensor."""
    prepare: "Callable[[QuantizedNetwork, Tensor], None] | None" = None
    """Called once after calibration with the images N, 3, H, W."""
    on_grid: bool = True
    """Whether its weights lie on an int8 grid; else the file holds what comes nearest to them."""


_METHODS: dict[str, Method] = {}


def register_method(method: Method) -> Method:
    """Puts a method into the registry."""
    _METHODS[method.name] = method
    return method


def methods() -> dict[str, Method]:
    """All methods by name. A file in this package that registers one is found by itself."""
    package = importlib.import_module("edgesr.quantize")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"edgesr.quantize.{module.name}")
    return dict(sorted(_METHODS.items()))


def find_method(name: str) -> Method:
    """The method of that name.

    Raises:
        UsageError: When there is none; names the nearest.
    """
    known = methods()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"no quantization method is called {name!r}",
            hint=f"{meant}there are: {', '.join(known)}",
        )
    return known[name]

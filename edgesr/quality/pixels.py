"""Between the pixels of an image and the values of a network's tensors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.errors import InputError


def to_unit(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 pixels -> float32 in [0, 1], same shape."""
    return image.astype(np.float32) / np.float32(255.0)


def to_pixels(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Floats around [0, 1] -> uint8, clipped and rounded half up, same shape.

    Raises:
        InputError: When a value is NaN: the network's weights are broken.
    """
    if np.isnan(np.max(values, initial=0.0)):  # a NaN is the largest of all
        raise InputError(
            "the network's output holds NaN", hint="its weights are damaged: train or copy it again"
        )
    scaled: NDArray[np.floating[Any]] = np.clip(values, 0.0, 1.0)
    scaled *= 255.0
    scaled += 0.5
    return scaled.astype(np.uint8)


@dataclass(frozen=True)
class Encoding:
    """How a tensor writes a colour: ``value = black + x * (white - black)`` for x in [0, 1]."""

    dtype: np.dtype[Any]
    black: float
    white: float

    @staticmethod
    def of(dtype: Any, scale: float, zero_point: int) -> "Encoding":
        """Reads the encoding off a tensor's type and quantization.

        Float tensors hold [0, 1]. Integer ones hold ``real = (value - zero_point) * scale`` with
        real in [0, 1], or in [0, 255] where the 256 steps span more than 16. An integer tensor
        without quantization holds plain bytes.

        Args:
            dtype: numpy type of the tensor.
            scale: Quantization scale, 0 where there is none.
            zero_point: Quantization zero point.

        Raises:
            InputError: For a type that no image comes in.
        """
        kind = np.dtype(dtype)
        if kind in (np.float32, np.float16):
            return Encoding(kind, 0.0, 1.0)
        if kind not in (np.uint8, np.int8):
            raise InputError(f"tensors of type {kind} hold no image")
        if scale == 0.0:
            black = float(np.iinfo(kind).min)
            return Encoding(kind, black, black + 255.0)
        real_white = 255.0 if scale * 256 > 16 else 1.0
        return Encoding(kind, float(zero_point), zero_point + real_white / scale)

    def encode(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """uint8 pixels -> values of the tensor's type, same shape."""
        if self.dtype.kind == "f":
            return to_unit(image).astype(self.dtype)
        values = self.black + image * ((self.white - self.black) / 255.0)
        limits = np.iinfo(self.dtype)
        encoded: NDArray[Any] = np.clip(np.floor(values + 0.5), limits.min, limits.max)
        return encoded.astype(self.dtype)

    def decode(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Values of the tensor's type -> uint8 pixels, same shape."""
        return to_pixels(self.to_unit(values))

    def to_unit(self, values: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """Values of the tensor's type -> floats around [0, 1], not clipped, same shape."""
        if self.dtype.kind == "f":
            return values
        unit: NDArray[np.float64] = values.astype(np.float64) - self.black
        return unit / (self.white - self.black)

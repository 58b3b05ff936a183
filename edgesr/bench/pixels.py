"""Tiles <-> the raw bytes of a candidate's tensors; the same arithmetic as `edgesr eval`'s."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.quality.pixels import Encoding
from edgesr.results.manifest import TensorInfo


def encode_tile(tile: NDArray[np.uint8], tensor: TensorInfo) -> bytes:
    """A tile as the input tensor wants it.

    Args:
        tile: H,W,3 RGB, 0..255, of the input's size.
        tensor: The input, 1,H,W,3.

    Returns:
        Raw little-endian bytes.
    """
    values = _encoding(tensor).encode(tile)
    return values.astype(values.dtype.newbyteorder("<")).tobytes()


def decode_output(data: bytes, tensor: TensorInfo) -> NDArray[np.floating[Any]]:
    """The output tensor as an image in 0..1, not clipped.

    Args:
        data: Raw little-endian bytes of the tensor.
        tensor: The output, 1,H,W,3.

    Returns:
        H,W,3, as precise as the tensor; black is 0, white is 1.

    Raises:
        ValueError: When there are too few or too many bytes.
    """
    dtype = np.dtype(tensor.dtype).newbyteorder("<")
    return _encoding(tensor).to_unit(np.frombuffer(data, dtype).reshape(tensor.shape)[0])


def _encoding(tensor: TensorInfo) -> Encoding:
    return Encoding.of(tensor.dtype, tensor.scale or 0.0, tensor.zero_point or 0)

"""Images <-> the raw bytes of a candidate's tensors."""

import numpy as np
from numpy.typing import NDArray

from edgesr.results.manifest import TensorInfo


def encode_image(image: NDArray[np.uint8], tensor: TensorInfo) -> bytes:
    """An image as the input tensor wants it.

    Args:
        image: H,W,3 RGB, 0..255; cut at the right and bottom, or its edges repeated, to fit.
        tensor: The input, 1,H,W,3.
    """
    _, height, width, _ = tensor.shape
    cut = image[:height, :width]
    room = ((0, height - cut.shape[0]), (0, width - cut.shape[1]), (0, 0))
    unit = np.pad(cut, room, mode="edge").astype(np.float64) / 255
    dtype = np.dtype(tensor.dtype).newbyteorder("<")
    if dtype.kind == "f":
        low, high = tensor.range
        return (unit * (high - low) + low).astype(dtype).tobytes()
    if tensor.scale is not None:
        values = unit / tensor.scale + (tensor.zero_point or 0)
    else:
        low, high = tensor.range
        values = unit * (high - low) + low
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype).tobytes()


def decode_output(data: bytes, tensor: TensorInfo) -> NDArray[np.float64]:
    """The output tensor as an image in 0..1, not clipped.

    Args:
        data: Raw little-endian bytes of the tensor.
        tensor: The output, 1,H,W,3.

    Returns:
        H,W,3 float64; black is 0, white is 1.

    Raises:
        ValueError: When there are too few or too many bytes.
    """
    dtype = np.dtype(tensor.dtype).newbyteorder("<")
    values = np.frombuffer(data, dtype).reshape(tensor.shape)[0].astype(np.float64)
    if dtype.kind != "f" and tensor.scale is not None:
        low = float(tensor.zero_point or 0)
        high = low + 1 / tensor.scale
    else:
        low, high = tensor.range
    unit: NDArray[np.float64] = (values - low) / (high - low)
    return unit


def to_uint8(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    """0..1 -> 0..255, clipped, rounded half up."""
    return np.floor(np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)

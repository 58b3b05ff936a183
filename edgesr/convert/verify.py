"""Parity: are a .tflite's pixels those of the checkpoint?"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgesr.convert.samples import Images
from edgesr.errors import ConversionError, ParityError
from edgesr.quality.litert import quiet_runtime
from edgesr.results.manifest import Parity, Variant

if TYPE_CHECKING:
    from torch import nn

FLOORS_DB: dict[Variant, float] = {
    "fp32": 100.0,
    "fp16": 50.0,
    "dynamic": 35.0,
    "16x8": 35.0,
    "int8": 30.0,
    "int8-io": 30.0,
    "int8-island": 30.0,
    "mixed": 30.0,
}
"""PSNR against the checkpoint that a variant must reach, peak 1.0."""

CLAMPED: frozenset[Variant] = frozenset({"int8", "int8-io", "int8-island", "mixed"})
"""Variants whose output can't leave [0, 1]; for them the checkpoint's is clamped too."""


def reference(deploy: "nn.Module", images: Images) -> Images:
    """The checkpoint's own pixels.

    Args:
        deploy: The folded network.
        images: N, H, W, 3 in [0, 1].

    Returns:
        N, s*H, s*W, 3, not clamped.
    """
    import torch

    with torch.inference_mode():
        batch = torch.from_numpy(images).permute(0, 3, 1, 2)
        out = torch.cat([deploy(image[None]) for image in batch])
    pixels: Images = out.permute(0, 2, 3, 1).contiguous().numpy()
    return pixels


def run_tflite(path: Path, images: Images) -> Images:
    """Runs a .tflite with LiteRT's default kernels: XNNPACK where it takes a node.

    Args:
        path: The file, NHWC in and out, float or 8-bit.
        images: N, H, W, 3 in [0, 1].

    Returns:
        N, s*H, s*W, 3; 8-bit output is scaled back to real values.

    Raises:
        ConversionError: When the runtime refuses the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        with quiet_runtime():
            interpreter = Interpreter(str(path), num_threads=2)
            interpreter.allocate_tensors()
        return np.concatenate([_invoke(interpreter, image[np.newaxis]) for image in images])
    except (RuntimeError, ValueError) as error:
        raise ConversionError(f"LiteRT refuses {path.name}: {error}") from error


def measure_parity(expected: Images, found: Images, variant: Variant, source: str) -> Parity:
    """Compares a candidate's pixels with the checkpoint's.

    All values of all images together, peak 1.0; for `CLAMPED` variants the checkpoint's values
    are clamped to [0, 1] first, as every user of the pixels does, for the others neither side.

    Args:
        expected: The checkpoint's, N, H, W, 3.
        found: The candidate's, same shape.
        variant: Sets the floor.
        source: Which images these are, for the record.

    Raises:
        ParityError: Below the variant's floor, or when the candidate's shape or values are wrong.
    """
    if expected.shape != found.shape:
        raise ParityError(f"{variant}: output is {found.shape} and not {expected.shape}")
    if variant in CLAMPED:
        expected = expected.clip(0, 1)
    difference = found.astype(np.float64) - expected
    error = float(np.mean(difference**2))
    psnr_db = None if error == 0 else -10 * float(np.log10(error))
    max_abs = float(np.abs(difference).max())
    floor_db = FLOORS_DB[variant]
    if psnr_db is not None and not psnr_db >= floor_db:  # NaN is below every floor
        raise ParityError(
            f"{variant}: {psnr_db:.1f} dB against the checkpoint, {floor_db:.0f} dB are needed "
            f"(largest difference {max_abs:.3f}, on {source})"
        )
    return Parity(
        psnr_db=psnr_db,
        max_abs=max_abs,
        floor_db=floor_db,
        images=len(found),
        source=f"{source}, run by LiteRT with XNNPACK",
    )


def _invoke(interpreter: Any, image: Images) -> Images:
    given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.set_tensor(given["index"], _to_stored(image, given))
    interpreter.invoke()
    return _to_real(interpreter.get_tensor(wanted["index"]), wanted)


def _to_stored(image: Images, tensor: dict[str, Any]) -> NDArray[Any]:
    dtype = tensor["dtype"]
    if dtype == np.float32:
        return image
    scale, zero_point = tensor["quantization"]
    limits = np.iinfo(dtype)
    stored: NDArray[Any] = np.round(image / scale + zero_point)
    return stored.clip(limits.min, limits.max).astype(dtype)


def _to_real(stored: NDArray[Any], tensor: dict[str, Any]) -> Images:
    if stored.dtype == np.float32:
        return stored
    scale, zero_point = tensor["quantization"]
    real: Images = (stored.astype(np.float32) - zero_point) * np.float32(scale)
    return real

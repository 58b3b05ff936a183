"""Runs an ONNX file over images of any size with onnxruntime."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.errors import InputError
from edgesr.files import read_errors, sha256_file
from edgesr.quality.pixels import to_pixels, to_unit
from edgesr.quality.receptive import onnx_radius
from edgesr.quality.tiling import UNKNOWN_OVERLAP, Tiling, upscale_tiled

_LARGEST_TILE = 512
_PROBE = 32


class OnnxRunner:
    """An ONNX network as a function on images.

    A file of dynamic size runs an image whole or in large tiles, one of fixed size as a .tflite.

    Args:
        path: A file with one input N,3,H,W and one output N,3,sH,sW, float32 RGB in [0, 1].
        threads: Threads of the session; None leaves the choice to onnxruntime.

    Raises:
        InputError: When the file can't be read, is no ONNX, or is no super-resolution network.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self.path = Path(path)
        self.sha256: str | None = sha256_file(self.path)
        self._session = _open(self.path, threads)
        self._input = _image_input(self._session, self.path)
        height, width = (
            length if isinstance(length, int) else None for length in self._input.shape[2:]
        )
        known = onnx_radius(self.path)
        overlap = UNKNOWN_OVERLAP if known is None else known
        grown = max(_LARGEST_TILE, 3 * overlap)
        self.tiling = Tiling(height or grown, width or grown, overlap, fixed=bool(height or width))
        self.scale = self._find_scale(height or _PROBE, width or _PROBE)

    def upscale(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Upscales one image: uint8 H,W,3 RGB -> uint8 sH,sW,3 RGB."""
        return upscale_tiled(image, self.tiling, self.scale, self.run_tile)

    def run_tile(self, tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Runs one image, uint8 H,W,3 -> uint8 sH,sW,3."""
        batch = to_unit(tile).transpose(2, 0, 1)[None]
        (values,) = self._session.run(None, {self._input.name: np.ascontiguousarray(batch)})
        return to_pixels(values[0].transpose(1, 2, 0))

    def _find_scale(self, height: int, width: int) -> int:
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException

        try:
            result = self.run_tile(np.zeros((height, width, 3), np.uint8))
        except (ValueError, IndexError, Fail, RuntimeException) as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"{self.path} can't be run on an image: {reason}") from error
        scale: int = result.shape[0] // height
        if scale < 1 or result.shape != (height * scale, width * scale, 3):
            raise InputError(
                f"{self.path} is no super-resolution network: it turns {height}x{width}"
                f" into {'x'.join(map(str, result.shape[:2]))} pixels"
            )
        return scale


def _open(path: Path, threads: int | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has one class per cause, all of them private
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{path} can't be run as ONNX: {reason}") from error


def _image_input(session: Any, path: Path) -> Any:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) == len(outputs) == 1:
        (only,) = inputs
        if only.type == "tensor(float)" and len(only.shape) == 4 and only.shape[1] == 3:
            return only
    found = ", ".join(f"{entry.type} {entry.shape}" for entry in inputs) or "none"
    raise InputError(
        f"{path} is no super-resolution network: it should turn one float N,3,H,W tensor into"
        f" another, and takes {found}"
    )


def weight_files(path: Path) -> list[Path]:
    """Files beside an ONNX file that hold weights for it, as PyTorch writes them by default.

    Told from the bytes, since the package onnx need not be installed: an entry ``location`` of a
    tensor's ``external_data``, with its length and the name.

    Raises:
        InputError: When the file can't be read.
    """
    with read_errors(path):
        data = path.read_bytes()
    found = re.finditer(rb"\x0a\x08location\x12([\x01-\x7f])", data)
    names = {data[mark.end() : mark.end() + mark[1][0]] for mark in found}
    files = (path.parent / name.decode("utf-8", "replace") for name in sorted(names))
    return [file for file in files if file.is_file()]

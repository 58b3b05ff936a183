"""Runs a .tflite over images of any size with LiteRT. Imports neither torch nor tensorflow."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.errors import InputError
from edgesr.files import sha256_file
from edgesr.quality.pixels import Encoding
from edgesr.quality.receptive import tflite_radius
from edgesr.quality.tiling import UNKNOWN_OVERLAP, Tiling, upscale_tiled

_OPEN_TILE = 256
"""Height and width given to an input whose size the file leaves open."""


class TfliteRunner:
    """A .tflite of fixed input size as a function on images.

    Images larger than the input are tiled, smaller ones filled up; see `tiling` for what is exact.
    Runs on the CPU with LiteRT's default kernels (XNNPACK). Calls from several threads wait for
    each other.

    Args:
        path: A file with one input 1,H,W,3 and one output 1,sH,sW,3, float32 or 8-bit integers.
        threads: Threads of the interpreter; None takes one per core.

    Raises:
        InputError: When the file can't be read, is no .tflite, or is no super-resolution network.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self.path = Path(path)
        self.sha256: str | None = sha256_file(self.path)
        self._interpreter = _open(self.path, threads)
        self._input = _only(self._interpreter.get_input_details(), "input", self.path)
        self._output = _only(self._interpreter.get_output_details(), "output", self.path)
        _, height, width, _ = (int(length) for length in self._input["shape"])
        self.scale = _scale(self._input["shape"], self._output["shape"], self.path)
        self._encode = _encoding(self._input, self.path)
        self._decode = _encoding(self._output, self.path)
        self.tiling = tiling_of(self.path, height, width)
        self._lock = threading.Lock()

    def upscale(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Upscales one image: uint8 H,W,3 RGB -> uint8 sH,sW,3 RGB."""
        return upscale_tiled(image, self.tiling, self.scale, self.run_tile)

    def run_tile(self, tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Runs one image of exactly the input's size, uint8 H,W,3 -> uint8 sH,sW,3."""
        with self._lock:
            self._interpreter.set_tensor(self._input["index"], self._encode.encode(tile)[None])
            self._interpreter.invoke()
            values = self._interpreter.get_tensor(self._output["index"])[0]
        return self._decode.decode(values)


def tiling_of(path: Path, height: int, width: int) -> Tiling:
    """How a .tflite whose input has this fixed size is run over larger and smaller images."""
    known = tflite_radius(path)
    return Tiling(height, width, overlap=UNKNOWN_OVERLAP if known is None else known, fixed=True)


@contextlib.contextmanager
def quiet_runtime() -> Iterator[None]:
    """Keeps LiteRT's own log lines, which name the delegate it made, off the user's stderr.

    They are written by C++ to the file descriptor itself; what Python writes meanwhile is lost too.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _open(path: Path, threads: int | None) -> Any:
    with quiet_runtime():
        return _interpreter(path, threads)


def _interpreter(path: Path, threads: int | None) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(path), num_threads=threads or os.cpu_count())
        for detail in interpreter.get_input_details():
            if -1 in detail["shape_signature"][1:]:
                interpreter.resize_tensor_input(detail["index"], _fixed(detail["shape_signature"]))
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{path} can't be run as a .tflite: {reason}",
            hint="is the file complete? edgesr inspect FILE.tflite shows what is in it",
        ) from error
    return interpreter


def _fixed(signature: Any) -> list[int]:
    """A shape for an input whose sizes were left open."""
    batch, *lengths = (int(length) for length in signature)
    return [abs(batch), *(_OPEN_TILE if length < 0 else length for length in lengths)]


def _only(details: list[dict[str, Any]], what: str, path: Path) -> dict[str, Any]:
    shape = [int(length) for length in details[0]["shape"]] if details else []
    if len(details) != 1 or len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
        found = ", ".join(str(list(map(int, detail["shape"]))) for detail in details) or "none"
        raise InputError(
            f"{path} is no super-resolution network: its {what} should be one 1,H,W,3 tensor"
            f" and is {found}"
        )
    return details[0]


def _scale(small: Any, large: Any, path: Path) -> int:
    scale = int(large[1]) // max(1, int(small[1]))
    if scale < 1 or any(int(large[axis]) != scale * int(small[axis]) for axis in (1, 2)):
        raise InputError(
            f"{path} is no super-resolution network: it turns {small[1]}x{small[2]}"
            f" into {large[1]}x{large[2]} pixels"
        )
    return scale


def _encoding(detail: dict[str, Any], path: Path) -> Encoding:
    scale, zero_point = detail["quantization"]
    try:
        return Encoding.of(detail["dtype"], float(scale), int(zero_point))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error

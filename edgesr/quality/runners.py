"""Every kind of model as one thing: a function from a small image to a large one.

torch is imported only when a checkpoint is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from edgesr.errors import InputError, UsageError
from edgesr.quality.bicubic import upscale_bicubic
from edgesr.quality.litert import TfliteRunner
from edgesr.quality.onnxrun import OnnxRunner
from edgesr.quality.pixels import to_pixels, to_unit
from edgesr.quality.receptive_torch import torch_radius
from edgesr.quality.tiling import UNKNOWN_OVERLAP, Tiling, upscale_tiled
from edgesr.results.store import Workspace

if TYPE_CHECKING:
    from edgesr.models.checkpoint import Checkpoint

_CHECKPOINT_SUFFIXES = (".pt", ".pth")
_LARGEST_TILE = 384
"""Side of the largest image a checkpoint runs in one piece: 64 float channels of it are 38 MB."""


class Runner(Protocol):
    """A model of one scale that upscales images of any size."""

    @property
    def scale(self) -> int:
        """Factor on height and width."""

    @property
    def sha256(self) -> str | None:
        """Hex digest of the model file; None for a method without a file."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be assumed about the model."""

    def upscale(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Upscales one image: uint8 H,W,3 RGB -> uint8 sH,sW,3 RGB."""


@dataclass(frozen=True)
class RunnerOptions:
    """What can't be read from some models."""

    scale: int | None = None
    """2, 3 or 4; needed for ``bicubic``, elsewhere it must agree with the model."""
    arch: str | None = None
    """Registry name of a checkpoint's network; None reads it from the shapes."""
    options: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    """Options of a checkpoint's network, for example ``{"activation": "tanh"}``."""
    threads: int | None = None
    """CPU threads; None takes what the engine takes by itself, LiteRT all cores."""


class BicubicRunner:
    """Bicubic enlargement; see `bicubic`.

    Args:
        scale: Factor on height and width.
    """

    sha256: str | None = None
    notes: tuple[str, ...] = ()

    def __init__(self, scale: int) -> None:
        self.scale = scale

    def upscale(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Upscales one image: uint8 H,W,3 RGB -> uint8 sH,sW,3 RGB."""
        return upscale_bicubic(image, self.scale)


class TorchRunner:
    """A checkpoint's deploy graph on the CPU; large images are tiled, so memory is bounded.

    Args:
        checkpoint: The loaded checkpoint.
        threads: torch threads while it runs; None leaves torch's setting.
    """

    def __init__(self, checkpoint: "Checkpoint", *, threads: int | None = None) -> None:
        self.sha256: str | None = checkpoint.sha256
        self.scale: int = checkpoint.spec.scale
        self.notes = checkpoint.notes
        self._module = checkpoint.model.deploy().eval()
        self._threads = threads
        known = torch_radius(self._module)
        overlap = UNKNOWN_OVERLAP if known is None else known
        side = max(_LARGEST_TILE, 3 * overlap)
        self.tiling = Tiling(side, side, overlap, fixed=False)

    def upscale(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Upscales one image: uint8 H,W,3 RGB -> uint8 sH,sW,3 RGB."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(self._threads or before)
        try:
            return upscale_tiled(image, self.tiling, self.scale, self.run_tile)
        finally:
            torch.set_num_threads(before)

    def run_tile(self, tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Runs one image, uint8 H,W,3 -> uint8 sH,sW,3."""
        import torch

        with torch.inference_mode():
            batch = torch.from_numpy(to_unit(tile)).permute(2, 0, 1)[None].contiguous()
            values = self._module(batch)[0].permute(1, 2, 0)
        return to_pixels(values.numpy())


def open_runner(model: str, *, scale: int | None = None, threads: int | None = None) -> Runner:
    """Opens any kind of model; `open_runner_with` takes more options.

    Args:
        model: ``bicubic``, the name of a bundled checkpoint, a .pt, .pth, .onnx or .tflite file,
            or a candidate's folder or manifest.json.
        scale: 2, 3 or 4; needed for ``bicubic``, elsewhere it must agree with the model.
        threads: CPU threads; None leaves the choice to the engine.

    Raises:
        UsageError: When the scale is missing or is not the model's.
        InputError: When the file is missing, damaged or of no known kind.
    """
    return open_runner_with(model, RunnerOptions(scale=scale, threads=threads))


def open_runner_with(model: str, options: RunnerOptions) -> Runner:
    """Opens any kind of model, with options for checkpoints; see `open_runner`."""
    if model == "bicubic":
        if options.scale is None:
            raise UsageError("bicubic needs a scale", hint="add --scale 2")
        if options.scale < 2:
            raise UsageError(f"a scale of {options.scale} does not enlarge", hint="try --scale 2")
        return BicubicRunner(options.scale)
    runner = _open_file(model, options)
    if options.scale is not None and runner.scale != options.scale:
        raise UsageError(
            f"{model} upscales x{runner.scale}, not x{options.scale}",
            hint=f"leave --scale away or say --scale {runner.scale}",
        )
    return runner


def _open_file(model: str, options: RunnerOptions) -> Runner:
    path = Path(model)
    if path.is_dir() or path.name == "manifest.json":
        candidate = Workspace(path).candidate(str(path))
        return TfliteRunner(candidate.path, threads=options.threads)
    match path.suffix.lower():
        case ".tflite":
            return TfliteRunner(path, threads=options.threads)
        case ".onnx":
            return OnnxRunner(path, threads=options.threads)
        case suffix if suffix in _CHECKPOINT_SUFFIXES or not path.exists():
            return _open_checkpoint(model, options)
    raise InputError(
        f"{model} is no kind of model that edgesr knows",
        hint="a model is a .pt, .pth, .onnx or .tflite file, a candidate's folder, a bundled"
        " checkpoint (edgesr models lists them) or bicubic",
    )


def _open_checkpoint(model: str, options: RunnerOptions) -> Runner:
    from edgesr.models.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(
        model,
        arch=options.arch,
        scale=options.scale,
        options=dict(options.options) or None,
    )
    return TorchRunner(checkpoint, threads=options.threads)

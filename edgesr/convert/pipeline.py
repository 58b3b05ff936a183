"""From a checkpoint to candidates: load, fold, export, convert, check, verify, publish."""

import importlib.metadata
import importlib.util
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edgesr.convert.child import ChildJob, run_child
from edgesr.convert.graph import Graph, read_graph
from edgesr.convert.integer import (
    CALIBRATED,
    TRAINED,
    WRITTEN,
    IntegerFile,
    IntegerOptions,
    IntegerWriter,
    quantized_network,
)
from edgesr.convert.lint import check_rules
from edgesr.convert.publish import publish
from edgesr.convert.samples import Samples, load_samples
from edgesr.convert.verify import measure_parity, reference, run_tflite
from edgesr.errors import MissingExtraError, ParityError, UsageError
from edgesr.files import store_errors
from edgesr.results.manifest import (
    VARIANTS,
    Parity,
    Quantization,
    Variant,
)
from edgesr.results.store import Candidate, Workspace

if TYPE_CHECKING:
    from torch import nn

    from edgesr.models.checkpoint import Checkpoint

Backend = Literal["onnx2tf", "litert"]
Progress = Callable[[str, int, int], None]

_SHARED_STEPS = 5


@dataclass(frozen=True)
class ConvertRequest:
    """What to convert, and to what.

    Raises:
        UsageError: When the size or the variants make no sense.
    """

    checkpoint: str
    """A file, or the name of a bundled checkpoint."""
    variants: tuple[Variant | Literal["all"], ...] = ()
    """Empty for ``fp32``, or ``int8`` where the checkpoint was trained for integers; ``all`` stands
    for every one that the network can have but ``mixed``, which has to be searched for."""
    size: tuple[int, int] = (360, 640)
    """(H, W) of the low-res image."""
    calibration: Path | None = None
    """A pairs.csv or a folder of low-res images; None for rendered slides."""
    arch: str | None = None
    """Insists on an architecture; else it is read from the checkpoint."""
    scale: int | None = None
    """Insists on a scale."""
    options: dict[str, int | float | str | bool] = field(default_factory=dict)
    """What a checkpoint's shapes don't tell, for example ``{"activation": "tanh"}``."""
    integer: IntegerOptions = field(default_factory=IntegerOptions)
    """How the integers of `WRITTEN` variants are chosen."""
    backend: Backend = "onnx2tf"
    out: Path | None = None
    """Where candidates go instead of the workspace: ``<out>/<name>/``."""
    timeout_s: float = 1800.0
    """For the converting child process."""

    def __post_init__(self) -> None:
        if set(self.variants) - {"all", *VARIANTS}:
            raise UsageError(f"variants are {', '.join(VARIANTS)}, not {self.variants}")
        if min(self.size) < 16 or max(self.size) > 4096:
            raise UsageError(
                f"size {self.size[0]}x{self.size[1]} is out of range",
                hint="height and width of the low-res image, 16 to 4096, as in --size 360x640",
            )
        if self.backend == "litert" and self.variants not in ((), ("fp32",)):
            raise UsageError(
                "--backend litert makes fp32 only", hint="leave the other variants to onnx2tf"
            )


@dataclass(frozen=True)
class Loaded:
    """What the steps before the child process produce."""

    request: ConvertRequest
    variants: tuple[Variant, ...]
    checkpoint: "Checkpoint"
    deploy: "nn.Module"
    samples: Samples


@dataclass(frozen=True)
class Made:
    """One .tflite that has passed all checks."""

    path: Path
    variant: Variant
    graph: Graph
    parity: Parity
    quantization: Quantization | None = None


def convert(
    request: ConvertRequest, workspace: Workspace, progress: Progress | None = None
) -> list[Candidate]:
    """Converts a checkpoint to candidates, all of those asked for or none.

    Args:
        request: What to convert.
        workspace: Gets the candidates, unless the request names another folder.
        progress: Called with (what is being done, steps done, steps in all).

    Returns:
        One candidate per variant, in the order of `VARIANTS`.

    Raises:
        CheckpointError, ImageError, PairsError: When an input can't be read.
        ConversionError: When a converter fails or a graph breaks a rule.
        ParityError: When a variant's pixels are too far from the checkpoint's.
        StoreError: When the candidates can't be written.
        MissingExtraError: When the backend is not installed.
    """
    steps = _Steps(progress, total=_SHARED_STEPS + 2 * (len(request.variants) or 1))
    _need_backend(request.backend)
    with store_errors(Path(tempfile.gettempdir())):
        folder = tempfile.TemporaryDirectory(prefix="edgesr-convert-")
    with folder as name:
        loaded = _load(request, steps)
        files = _convert(loaded, Path(name), steps)
        integers = _quantize(loaded, Path(name), steps)
        made = _check(loaded, files, integers, steps)
        steps("publish")
        return publish(loaded, made, workspace)


class _Steps:
    """Counts steps for a progress callback."""

    def __init__(self, progress: Progress | None, *, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def expect(self, total: int) -> None:
        """Says how many there will be in all."""
        self.total = total

    def __call__(self, what: str) -> None:
        if self.progress is not None:
            self.progress(what, min(self.done, self.total), self.total)
        self.done += 1


def _need_backend(backend: Backend) -> None:
    if backend == "litert" and importlib.util.find_spec("litert_torch") is None:
        raise MissingExtraError("--backend litert", extra="litert")


def _load(request: ConvertRequest, steps: _Steps) -> Loaded:
    from edgesr.models.checkpoint import load_checkpoint
    from edgesr.models.fold import fold

    steps("load")
    checkpoint = load_checkpoint(
        request.checkpoint, arch=request.arch, scale=request.scale, options=request.options
    )
    steps("fold")
    deploy = fold(checkpoint.model)
    variants = _variants(request, checkpoint, deploy)
    steps.expect(_SHARED_STEPS + 2 * len(variants))
    steps("images")
    samples = load_samples(request.calibration, checkpoint.spec.scale, request.size)
    return Loaded(request, variants, checkpoint, deploy, samples)


def _variants(
    request: ConvertRequest, checkpoint: "Checkpoint", deploy: "nn.Module"
) -> tuple[Variant, ...]:
    """Those to make, in the order of `VARIANTS`.

    Raises:
        UsageError: When the checkpoint can't have one of them.
    """
    trained = bool(checkpoint.spec.quantizer)
    possible = set(TRAINED if trained else VARIANTS)
    if not _has_prelu(deploy):
        possible.discard("int8-island")
    asked = set(request.variants) or {"int8" if trained else "fp32"}
    if "all" in asked:
        asked = asked - {"all"} | possible - {"mixed"}
    if trained and request.backend == "litert":
        raise UsageError(
            f"{checkpoint.path.name} was trained by {checkpoint.spec.quantizer} for integers, and "
            "--backend litert makes fp32 only",
            hint="leave --backend away",
        )
    impossible = asked - possible
    if impossible:
        name, what = sorted(impossible)[0], f"by {checkpoint.spec.quantizer} for integers"
        raise UsageError(
            f"{checkpoint.path.name} can't become {name}: "
            + (f"it was trained {what}" if trained else "it has no PReLU that could stay float"),
            hint=f"it can become {', '.join(v for v in VARIANTS if v in possible)}",
        )
    return tuple(variant for variant in VARIANTS if variant in asked)


def _has_prelu(deploy: "nn.Module") -> bool:
    from torch import nn

    return any(isinstance(part, nn.PReLU) for part in deploy.modules())


def _convert(loaded: Loaded, folder: Path, steps: _Steps) -> dict[Variant, Path]:
    """Runs the backend in a child process; variant -> .tflite in ``folder``."""
    request = loaded.request
    variants = [variant for variant in loaded.variants if variant not in WRITTEN]
    if not variants:
        return {}
    parameters: dict[str, Any] = {"variants": variants, "out": str(folder)}
    if request.backend == "litert":
        parameters |= {
            "checkpoint": str(loaded.checkpoint.path.resolve()),
            "spec": loaded.checkpoint.spec.to_dict(),
            "size": request.size,
        }
    else:
        from edgesr.convert.onnx import export_onnx

        steps("export")
        with store_errors(folder):
            export_onnx(loaded.deploy, folder / "model.onnx", request.size)
            np.save(folder / "calibration.npy", loaded.samples.calibration)
        parameters |= {"onnx": "model.onnx", "calibration": "calibration.npy"}
    module = {"onnx2tf": "edgesr.convert.tflite", "litert": "edgesr.convert.litert"}
    with store_errors(folder):
        run_child(ChildJob(module[request.backend], parameters, folder, request.timeout_s), steps)
    files = {variant: folder / f"{variant}.tflite" for variant in variants}
    if "16x8" in files and request.integer.rounding != "nearest":
        from edgesr.convert.sixteen import refine_weights

        steps("round 16x8")
        refine_weights(files["16x8"], loaded.checkpoint.model, loaded.samples.pieces)
    return files


def _quantize(loaded: Loaded, folder: Path, steps: _Steps) -> dict[Variant, IntegerFile]:
    """Writes the variants whose integers are edgesr's own."""
    variants = [variant for variant in loaded.variants if variant in WRITTEN]
    if not variants:
        return {}
    steps("quantize")
    options, size = loaded.request.integer, loaded.request.size
    quantized = quantized_network(loaded.checkpoint.model, loaded.samples, options)
    writer = IntegerWriter(quantized, loaded.samples, size, options)
    made = {}
    for variant in variants:
        steps(variant)
        with store_errors(folder):
            made[variant] = writer.write(variant, folder / f"{variant}.tflite")
    return made


def _check(
    loaded: Loaded,
    files: dict[Variant, Path],
    integers: dict[Variant, IntegerFile],
    steps: _Steps,
) -> list[Made]:
    """Graph rules, then parity of every variant; raises when any fails, naming those that pass."""
    files = files | {variant: file.path for variant, file in integers.items()}
    checked = loaded.samples.checked
    expected = reference(loaded.deploy, checked)
    made: list[Made] = []
    failed: list[ParityError] = []
    for variant in loaded.variants:
        steps(f"verify {variant}")
        path, written = files[variant], integers.get(variant)
        graph = read_graph(path)
        if loaded.request.backend == "onnx2tf":  # litert-torch's own graph is not ours to judge
            check_rules(graph, variant)
        try:
            source = _parity_source(loaded.samples, variant)
            parity = measure_parity(expected, run_tflite(path, checked), variant, source)
        except ParityError as error:
            failed.append(error)
        else:
            about = written.quantization if written else None
            same = variant == "mixed" and about is not None and not about.float_layers
            made.append(Made(path, "int8" if same else variant, graph, parity, about))
    if failed:
        good = " ".join(f"--{file.variant}" for file in made)
        flags = f"these pass: {good}; or " if made else ""
        raise ParityError(
            f"{loaded.checkpoint.path.name}: {'; '.join(map(str, failed))}; nothing was added",
            hint=f"{flags}take images like the real ones with --calibration",
        )
    return made


def _parity_source(samples: Samples, variant: Variant) -> str:
    """What the images for parity are, and whether they flatter a calibrated variant."""
    if samples.held_out or variant not in CALIBRATED:
        return samples.source
    return f"{samples.source}, the same images as for calibration"

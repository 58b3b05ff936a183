"""From a checkpoint to candidates: load, fold, export, convert, check, verify, publish."""

import importlib.metadata
import importlib.util
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edgesr.convert.child import ChildJob, run_child
from edgesr.convert.graph import Graph, Tensor, read_graph
from edgesr.convert.integer import (
    TRAINED,
    WRITTEN,
    IntegerFile,
    IntegerOptions,
    IntegerWriter,
    quantized_network,
)
from edgesr.convert.lint import check_rules, expected_coverage
from edgesr.convert.samples import Samples, load_samples
from edgesr.convert.verify import measure_parity, reference, run_tflite
from edgesr.errors import MissingExtraError, ParityError, UsageError
from edgesr.files import sha256_file, store_errors
from edgesr.results.manifest import (
    VARIANTS,
    Manifest,
    ModelInfo,
    Parity,
    Quantization,
    Source,
    TensorInfo,
    Variant,
    read_manifest,
)
from edgesr.results.store import Candidate, Workspace, write_candidates

if TYPE_CHECKING:
    from torch import nn

    from edgesr.models.checkpoint import Checkpoint

Backend = Literal["onnx2tf", "litert"]
Progress = Callable[[str, int, int], None]

CALIBRATED: frozenset[Variant] = frozenset({"16x8", *WRITTEN})
"""Variants whose ranges come from images, unless they were trained."""
_TOOLS: dict[Backend, tuple[str, ...]] = {
    "onnx2tf": ("edgesr", "torch", "onnx", "onnxscript", "onnx2tf", "tensorflow", "ai-edge-litert"),
    "litert": ("edgesr", "torch", "litert-torch", "ai-edge-litert"),
}
_WRITER_TOOLS = ("edgesr", "torch", "ai-edge-litert")
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
class _Loaded:
    """What the steps before the child process produce."""

    request: ConvertRequest
    variants: tuple[Variant, ...]
    checkpoint: "Checkpoint"
    deploy: "nn.Module"
    samples: Samples


@dataclass(frozen=True)
class _Made:
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
        return _publish(loaded, made, workspace)


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


def _load(request: ConvertRequest, steps: _Steps) -> _Loaded:
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
    return _Loaded(request, variants, checkpoint, deploy, samples)


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


def _convert(loaded: _Loaded, folder: Path, steps: _Steps) -> dict[Variant, Path]:
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


def _quantize(loaded: _Loaded, folder: Path, steps: _Steps) -> dict[Variant, IntegerFile]:
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
    loaded: _Loaded,
    files: dict[Variant, Path],
    integers: dict[Variant, IntegerFile],
    steps: _Steps,
) -> list[_Made]:
    """Graph rules, then parity of every variant; raises when any fails, naming those that pass."""
    files = files | {variant: file.path for variant, file in integers.items()}
    checked = loaded.samples.checked
    expected = reference(loaded.deploy, checked)
    made: list[_Made] = []
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
            made.append(_Made(path, "int8" if same else variant, graph, parity, about))
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


def _publish(loaded: _Loaded, made: list[_Made], workspace: Workspace) -> list[Candidate]:
    """Adds all candidates; those of older conversions stay, runs refer to them."""
    out = loaded.request.out
    known = _known(out) if out is not None else workspace.candidates()
    made = list({sha256_file(file.path): file for file in reversed(made)}.values())[::-1]
    manifests = [_manifest(loaded, file, known) for file in made]
    return write_candidates(
        [
            (
                out / manifest.name if out else workspace.candidate_folder(manifest),
                file.path,
                manifest,
            )
            for file, manifest in zip(made, manifests, strict=True)
        ]
    )


def _known(out: Path) -> list[Candidate]:
    return [
        Candidate(path.parent / "model.tflite", read_manifest(path))
        for path in sorted(out.glob("[!.]*/manifest.json"))
    ]


def _manifest(loaded: _Loaded, made: _Made, known: list[Candidate]) -> Manifest:
    request, checkpoint, graph = loaded.request, loaded.checkpoint, made.graph
    calibrated = made.variant in CALIBRATED and not _is_final(loaded)
    digest = sha256_file(made.path)
    taken = {old.manifest.name for old in known if old.manifest.id != digest}
    return Manifest(
        id=digest,
        name=_name(loaded, made.variant, digest, taken),
        variant=made.variant,
        size_bytes=made.path.stat().st_size,
        model=_model_info(loaded),
        inputs=tuple(_tensor_info(tensor) for tensor in graph.tensors_of(graph.inputs)),
        outputs=tuple(_tensor_info(tensor) for tensor in graph.tensors_of(graph.outputs)),
        parity=made.parity,
        ops=graph.op_counts(),
        coverage=expected_coverage(graph),
        source=Source(checkpoint=checkpoint.path.name, sha256=checkpoint.sha256),
        calibration=loaded.samples.source if calibrated else None,
        quantization=made.quantization,
        notes=_notes(made),
        tools={name: _version(name) for name in _tools(request.backend, made)},
    )


def _is_final(loaded: _Loaded) -> bool:
    """Whether the checkpoint was trained to the very integers that are written."""
    from edgesr.quantize.network import QuantizedNetwork

    model = loaded.checkpoint.model
    return isinstance(model, QuantizedNetwork) and model.method.on_grid


def _tools(backend: Backend, made: _Made) -> tuple[str, ...]:
    return _WRITER_TOOLS if made.quantization else _TOOLS[backend]


def _model_info(loaded: _Loaded) -> ModelInfo:
    from edgesr.models.count import count_macs, count_parameters
    from edgesr.models.registry import build_model

    spec = loaded.checkpoint.spec
    deploy = loaded.deploy
    if spec.quantizer:  # the float network of the same sizes: quantizers are no parameters of it
        deploy = build_model(replace(spec, quantizer="")).deploy()
    return ModelInfo(
        arch=spec.arch,
        scale=spec.scale,
        parameters=count_parameters(deploy),
        macs=count_macs(deploy, *loaded.request.size),
        options=spec.options,
    )


def _notes(made: _Made) -> tuple[str, ...]:
    about = made.quantization
    if about and about.off_grid:
        lost = about.agreement.grid_loss_db
        costs = "a loss unknown without a truth" if lost is None else f"{lost:.3f} dB"
        return (f"levels of {about.method} are not on the int8 grid: rounding costs {costs}",)
    if made.variant == "dynamic" and all(t.dtype != "int8" for t in made.graph.tensors):
        return ("no weight tensor is large enough to be quantized: the same as fp32",)
    return ()


def _name(loaded: _Loaded, variant: Variant, digest: str, taken: set[str]) -> str:
    """Checkpoint, size, variant; and the digest, where other bytes have that name already."""
    (height, width), path = loaded.request.size, loaded.checkpoint.path
    # every training calls its result best_model.pt: its folder tells more
    stem = path.resolve().parent.name if path.stem == "best_model" else path.stem
    suffix = "-litert" if loaded.request.backend == "litert" else _suffix(loaded, variant)
    rest = f"{height}x{width}-{variant}{suffix}"
    name = f"{stem}-{rest}"
    return f"{stem}.{digest[:8]}-{rest}" if name in taken else name


def _suffix(loaded: _Loaded, variant: Variant) -> str:
    """What was chosen otherwise than by default, so that both candidates can be told apart."""
    chosen, usual = loaded.request.integer, IntegerOptions()
    parts: list[str] = []
    if variant in WRITTEN and not loaded.checkpoint.spec.quantizer:
        parts += [chosen.ranges] * (chosen.ranges != usual.ranges)
        parts += [chosen.rounding] * (chosen.rounding != usual.rounding)
    if variant == "16x8" and chosen.rounding == "nearest":
        parts.append("nearest")
    if variant == "int8-io":
        parts += [chosen.io] * (chosen.io != usual.io)
    return "".join(f"-{part}" for part in parts)


def _tensor_info(tensor: Tensor) -> TensorInfo:
    quantization = tensor.quantization
    if quantization is None:
        return TensorInfo(name=tensor.name, shape=tensor.shape, dtype=tensor.dtype, range=(0, 1))
    scale, zero_point = quantization.scale[0], quantization.zero_point[0]
    return TensorInfo(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        range=(zero_point, round(zero_point + 1 / scale, 3)),
        scale=scale,
        zero_point=zero_point,
    )


def _version(package: str) -> str:
    if package == "edgesr":
        from edgesr import __version__

        return __version__
    return importlib.metadata.version(package)

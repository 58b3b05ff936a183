"""What a conversion adds to a workspace: files under names of their own, each with its manifest."""

import importlib.metadata
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgesr.convert.graph import Tensor
from edgesr.convert.integer import CALIBRATED, WRITTEN, IntegerOptions
from edgesr.convert.lint import expected_coverage
from edgesr.files import sha256_file
from edgesr.results.manifest import Manifest, ModelInfo, Source, TensorInfo, Variant, read_manifest
from edgesr.results.store import Candidate, Workspace, write_candidates

if TYPE_CHECKING:
    from edgesr.convert.pipeline import Backend, Loaded, Made

_TOOLS: "dict[Backend, tuple[str, ...]]" = {
    "onnx2tf": ("edgesr", "torch", "onnx", "onnxscript", "onnx2tf", "tensorflow", "ai-edge-litert"),
    "litert": ("edgesr", "torch", "litert-torch", "ai-edge-litert"),
}
_WRITER_TOOLS = ("edgesr", "torch", "ai-edge-litert")


def publish(loaded: "Loaded", made: "list[Made]", workspace: Workspace) -> list[Candidate]:
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


def _manifest(loaded: "Loaded", made: "Made", known: list[Candidate]) -> Manifest:
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


def _is_final(loaded: "Loaded") -> bool:
    """Whether the checkpoint was trained to the very integers that are written."""
    from edgesr.quantize.network import QuantizedNetwork

    model = loaded.checkpoint.model
    return isinstance(model, QuantizedNetwork) and model.method.on_grid


def _tools(backend: "Backend", made: "Made") -> tuple[str, ...]:
    return _WRITER_TOOLS if made.quantization else _TOOLS[backend]


def _model_info(loaded: "Loaded") -> ModelInfo:
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


def _notes(made: "Made") -> tuple[str, ...]:
    about = made.quantization
    if about and about.off_grid:
        lost = about.agreement.grid_loss_db
        costs = "a loss unknown without a truth" if lost is None else f"{lost:.3f} dB"
        return (f"levels of {about.method} are not on the int8 grid: rounding costs {costs}",)
    if made.variant == "dynamic" and all(t.dtype != "int8" for t in made.graph.tensors):
        return ("no weight tensor is large enough to be quantized: the same as fp32",)
    return ()


def _name(loaded: "Loaded", variant: Variant, digest: str, taken: set[str]) -> str:
    """Checkpoint, size, variant; and the digest, where other bytes have that name already."""
    (height, width), path = loaded.request.size, loaded.checkpoint.path
    # every training calls its result best_model.pt: its folder tells more
    stem = path.resolve().parent.name if path.stem == "best_model" else path.stem
    suffix = "-litert" if loaded.request.backend == "litert" else _suffix(loaded, variant)
    rest = f"{height}x{width}-{variant}{suffix}"
    name = f"{stem}-{rest}"
    return f"{stem}.{digest[:8]}-{rest}" if name in taken else name


def _suffix(loaded: "Loaded", variant: Variant) -> str:
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

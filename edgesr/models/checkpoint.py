"""Reading and writing checkpoints, ours and foreign ones, without ever running their code."""

import io
import json
import pickle
import pickletools
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgesr.assets import asset_folder
from edgesr.errors import CheckpointError, InputError, UsageError
from edgesr.files import read_errors, sha256_file, write_bytes
from edgesr.models.registry import (
    SCALES,
    ModelSpec,
    Options,
    SRModel,
    StateDict,
    architectures,
    build_model,
)

FORMAT = "edgesr-checkpoint"
VERSION = 1

_NESTED = ("params_ema", "params", "state_dict", "model_state_dict", "model")
"""Keys under which other projects keep the weights, best first."""


@dataclass(frozen=True)
class Checkpoint:
    """A loaded network.

    Attributes:
        path: The file.
        sha256: Of the file's bytes.
        model: The network, eval mode, CPU, float32.
        provenance: What our own files tell about their training; empty for foreign ones.
        notes: What had to be assumed.
    """

    path: Path
    sha256: str
    model: SRModel
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def spec(self) -> ModelSpec:
        """What the network is."""
        return self.model.spec


def bundled_checkpoints() -> dict[str, Path]:
    """Checkpoints that ship with edgesr, by name."""
    return {path.stem: path for path in sorted(asset_folder("weights").glob("*.pt"))}


def load_checkpoint(
    path: Path | str,
    *,
    arch: str | None = None,
    scale: int | None = None,
    options: Options | None = None,
) -> Checkpoint:
    """Loads a checkpoint; architecture and sizes are read from the file where it tells.

    Args:
        path: A file, or the name of a bundled checkpoint.
        arch: Insists on an architecture.
        scale: Insists on a scale.
        options: What shapes don't tell, for example ``{"activation": "tanh"}``.

    Raises:
        InputError: When the file is missing.
        CheckpointError: When it is damaged, wants to run code, or fits no known network.
    """
    path = _resolve(path)
    document = _read(path)
    if document.get("format") == FORMAT:
        spec, state, provenance = _ours(path, document)
        spec = replace(spec, options={**spec.options, **(options or {})})
        notes: tuple[str, ...] = ()
    else:
        state, provenance = _weights(path, document), {}
        spec, notes = _detect(path, state, arch, options or {})
    _insist(path, spec, arch, scale)
    model = _built(path, spec)
    _fill(path, model, state)
    return Checkpoint(path, sha256_file(path), model.eval(), provenance, notes)


def save_checkpoint(
    path: Path, model: SRModel, provenance: Mapping[str, Any], **extra: Any
) -> None:
    """Writes a checkpoint atomically; `load_checkpoint` needs nothing else.

    Args:
        path: The file to write.
        model: Its spec and weights are saved.
        provenance: How it was trained; what JSON can hold.
        **extra: Further tensors or plain values, such as a trainer's state.

    Raises:
        StoreError: When it can't be written; an older file under that name stays.
    """
    write_bytes(path, encode_checkpoint(model, provenance, **extra))


def encode_checkpoint(model: SRModel, provenance: Mapping[str, Any], **extra: Any) -> bytes:
    """The bytes that `save_checkpoint` writes."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "spec": model.spec.to_dict(),
        "params": {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()},
        "provenance": json.loads(json.dumps(provenance)),  # plain values only: it has to load
        **extra,
    }
    return encode(document)


def encode(document: Mapping[str, Any]) -> bytes:
    """Tensors and plain values as `read_document` reads them.

    In memory, because torch turns a full disk into a RuntimeError without a reason.
    """
    data = io.BytesIO()
    torch.save(document, data)
    return data.getvalue()


def read_document(path: Path) -> dict[str, Any]:
    """The whole content of a checkpoint, for a trainer that resumes. Runs no code.

    Raises:
        InputError: When the file is missing.
        CheckpointError: When it is damaged or wants to run code.
    """
    return _read(Path(path))


def _resolve(path: Path | str) -> Path:
    bundled = bundled_checkpoints()
    if not Path(path).exists() and str(path) in bundled:
        return bundled[str(path)]
    if not Path(path).exists() and not Path(path).suffix:
        raise InputError(
            f"{path} is neither a file nor a bundled checkpoint",
            hint=f"bundled: {', '.join(bundled) or 'none'}",
        )
    return Path(path)


def _read(path: Path) -> dict[str, Any]:
    with read_errors(path):
        data = path.read_bytes()
    try:
        document = _load(data)
    except pickle.UnpicklingError as error:
        raise _refusal(path, error, data) from error
    except Exception as error:  # torch's readers raise whatever the bytes make them stumble over
        raise CheckpointError(
            f"{path} is damaged or no PyTorch checkpoint: {_first_line(error)}",
            hint="copy or download it again",
        ) from error
    if zipfile.is_zipfile(io.BytesIO(data)):
        insist_whole(path)
    if not isinstance(document, dict):
        raise CheckpointError(f"{path} holds a {type(document).__name__}, not weights")
    return document


_DAMAGE = (
    OSError,
    ValueError,
    RuntimeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)
"""What zipfile raises over bytes that were changed, found by changing them."""


def insist_whole(path: Path) -> None:
    """Compares the checksums of a file that torch wrote as a zip; torch does not look at them.

    Raises:
        CheckpointError: When a byte is not as it was written.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except _DAMAGE as error:
        raise CheckpointError(
            f"{path} is damaged: {error}", hint="copy or download it again"
        ) from error
    if broken:
        raise CheckpointError(
            f"{path} is damaged: the checksum of {broken} is wrong",
            hint="copy or download it again",
        )


def _load(data: bytes) -> Any:
    with warnings.catch_warnings():  # an odd pickle protocol ends in an error of ours anyway
        warnings.simplefilter("ignore")
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]


def _refusal(path: Path, error: pickle.UnpicklingError, data: bytes) -> CheckpointError:
    named = re.search(r"GLOBAL (\S+)", str(error))
    code = named[1] if named else _imported(data)
    if code:
        return CheckpointError(
            f"{path} wants to run code ({code}) and is refused",
            hint="ask its author for a plain state dict saved with torch.save(model.state_dict())",
        )
    return CheckpointError(
        f"{path} is damaged or no PyTorch checkpoint", hint="copy or download it again"
    )


def _imported(data: bytes) -> str | None:
    """What a bare pickle, of a protocol that torch does not read, would import first."""
    strings: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "GLOBAL":
                return str(argument).replace(" ", ".")
            if opcode.name == "STACK_GLOBAL":
                return ".".join(strings[-2:])
            if isinstance(argument, str):
                strings.append(argument)
    except (ValueError, IndexError, UnicodeDecodeError):
        return None
    return None


def _ours(path: Path, document: dict[str, Any]) -> tuple[ModelSpec, StateDict, dict[str, Any]]:
    if document.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has checkpoint version {document.get('version')}, this edgesr reads {VERSION}",
            hint="install a newer edgesr",
        )
    try:
        spec = ModelSpec.from_dict(document["spec"])
        weights = document.get("params_ema") or document["params"]
        provenance = dict(document.get("provenance", {}))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is an incomplete edgesr checkpoint: {error}") from error
    if spec.arch not in architectures():
        raise CheckpointError(
            f"{path} holds a network called {spec.arch!r}, which this edgesr does not know",
            hint="install a newer edgesr",
        )
    return spec, _tensors(path, weights), provenance


def _weights(path: Path, document: dict[str, Any]) -> StateDict:
    """The state dict inside a foreign file: nested under a usual key, or bare."""
    for key in _NESTED:
        if isinstance(document.get(key), Mapping):
            document = dict(document[key])
            break
    return _tensors(path, {str(k).removeprefix("module."): v for k, v in document.items()})


def _tensors(path: Path, found: Any) -> StateDict:
    state: dict[str, Any] = dict(found) if isinstance(found, Mapping) else {}
    odd = [key for key, value in state.items() if not isinstance(value, Tensor)]
    if odd or not state:
        what = f"{odd[0]!r} is no tensor" if odd else "it is empty"
        raise CheckpointError(f"{path} is not a state dict: {what}")
    return state


def _detect(
    path: Path, state: StateDict, arch: str | None, options: Options
) -> tuple[ModelSpec, tuple[str, ...]]:
    for name, network in architectures().items():
        spec = _recognise(network, state) if arch in (None, name) else None
        if spec is not None:
            full = ModelSpec(spec.arch, spec.scale, {**spec.options, **options})
            assumed = sorted(set(network.defaults) - set(full.options))
            notes = tuple(f"{key} is taken to be {network.defaults[key]}" for key in assumed)
            return full, notes
    known = ", ".join(architectures())
    raise CheckpointError(
        f"{path} fits no known network{f' called {arch}' if arch else ''}: "
        f"its first keys are {', '.join(list(state)[:3])}",
        hint=f"known are: {known}",
    )


def _recognise(network: type[SRModel], state: StateDict) -> ModelSpec | None:
    """What a network reads off a state dict; None also where names fit by chance alone."""
    try:
        return network.detect(state)
    except (KeyError, IndexError, ValueError):
        return None


def _built(path: Path, spec: ModelSpec) -> SRModel:
    try:
        return build_model(spec)
    except UsageError as error:
        if not spec.quantizer:
            raise
        raise CheckpointError(
            f"{path} can't be built: {error}", hint="install a newer edgesr"
        ) from error


def _insist(path: Path, spec: ModelSpec, arch: str | None, scale: int | None) -> None:
    if arch is not None and spec.arch != arch:
        raise CheckpointError(
            f"{path} is {spec.arch}, not {arch}",
            hint=f"ask for {spec.arch}, or leave it to the file",
        )
    if scale is not None and spec.scale != scale:
        raise CheckpointError(
            f"{path} is x{spec.scale}, not x{scale}",
            hint=f"ask for scale {spec.scale}, or leave it to the file",
        )
    if spec.scale not in SCALES:
        known = ", ".join(f"x{known}" for known in SCALES)
        raise CheckpointError(f"{path} is {spec.arch} x{spec.scale}, edgesr takes {known}")


def _fill(path: Path, model: SRModel, state: StateDict) -> None:
    adapted = {key: value.float() for key, value in type(model).adapt(state).items()}
    try:
        model.load_state_dict(adapted, strict=True)
    except RuntimeError as error:
        detail = str(error).splitlines()
        reason = (detail[1] if len(detail) > 1 else detail[0]).strip()
        raise CheckpointError(
            f"{path} does not fit {model.spec.arch} x{model.spec.scale}: {reason[:200]}"
        ) from error

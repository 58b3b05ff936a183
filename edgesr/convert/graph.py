"""What a .tflite file holds: ops, tensors, quantization and work, without an interpreter.

Reads the flatbuffer itself, so that a file can be judged on any machine, with neither torch nor
tensorflow. Shapes are as TFLite has them: N, H, W, C for images, O, H, W, I for conv weights.
"""

import functools
import math
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgesr.errors import InputError
from edgesr.files import read_errors

_ITEM_BYTES = {"float32": 4, "float16": 2, "int8": 1, "uint8": 1, "int16": 2, "int32": 4,
               "int64": 8, "bool": 1}  # fmt: skip


@dataclass(frozen=True)
class Quantization:
    """Scale and zero point of a tensor: real = (stored - zero_point) * scale."""

    scale: tuple[float, ...]
    """One value, or one per channel."""
    zero_point: tuple[int, ...]
    axis: int | None
    """The channels' axis; None where one scale holds for the whole tensor."""


@dataclass(frozen=True)
class Tensor:
    """One tensor of the graph."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    """As numpy calls it: ``float32``, ``float16``, ``int8``, ``uint8``, ``int32`` ..."""
    constant: bool
    """Whether its values are in the file."""
    quantization: Quantization | None = None


@dataclass(frozen=True)
class Op:
    """One node of the graph."""

    index: int
    name: str
    """TFLite's builtin name, for example ``CONV_2D``; a custom op's own name."""
    inputs: tuple[int, ...]
    """Tensor indices; -1 for an optional input that is absent."""
    outputs: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Its options under the schema's names: ``strideH``, ``blockSize``, ``padding`` ..."""
    macs: int = 0
    """Multiply-accumulates of one inference; 0 for ops that are no convolution or product."""


@dataclass(frozen=True)
class Graph:
    """The main graph of a .tflite, ops in the order they run."""

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(op.macs for op in self.ops)

    def op_counts(self) -> dict[str, int]:
        """Op name -> how many, most frequent first."""
        return dict(Counter(op.name for op in self.ops).most_common())

    def tensors_of(self, indices: tuple[int, ...]) -> list[Tensor]:
        """The tensors of an op's inputs or outputs; absent ones are left out."""
        return [self.tensors[index] for index in indices if index >= 0]

    @functools.cached_property
    def static_tensors(self) -> frozenset[int]:
        """Tensors that never change: constants, and constants unpacked by DEQUANTIZE."""
        static = {tensor.index for tensor in self.tensors if tensor.constant}
        for op in self.ops:
            if op.name == "DEQUANTIZE" and static.issuperset(op.inputs):
                static.update(op.outputs)
        return frozenset(static)


def read_graph(path: Path) -> Graph:
    """Reads the main graph of a .tflite file.

    Raises:
        InputError: When the file can't be read, is no .tflite, or is damaged or cut short.
    """
    path = Path(path)
    with read_errors(path):
        data = path.read_bytes()
    return parse_graph(data, source=str(path))


def parse_graph(data: bytes, *, source: str) -> Graph:
    """Reads the main graph from a .tflite file's bytes.

    Args:
        data: The whole file.
        source: What an error calls the place the bytes came from.

    Raises:
        InputError: When it is no .tflite, or is damaged or cut short.
    """
    if data[4:8] != b"TFL3":
        raise InputError(f"{source} is no .tflite file", hint="give a file made by: edgesr convert")
    try:
        return _main_graph(data)
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, KeyError,
            RecursionError, MemoryError, OverflowError) as error:  # fmt: skip
        raise InputError(
            f"{source} is damaged or cut short: {error}", hint="convert or copy it again"
        ) from error


def _main_graph(data: bytes) -> Graph:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    if not model.subgraphs:
        raise ValueError("it holds no graph")
    subgraph = model.subgraphs[0]
    tensors = tuple(
        _tensor(index, tensor, model.buffers) for index, tensor in enumerate(subgraph.tensors)
    )
    names = [op_name(code) for code in model.operatorCodes]
    ops = tuple(
        _op(index, names[operator.opcodeIndex], operator, tensors)
        for index, operator in enumerate(subgraph.operators)
    )
    inputs, outputs = _indices(subgraph.inputs), _indices(subgraph.outputs)
    if not ops or any(not 0 <= index < len(tensors) for index in inputs + outputs):
        raise ValueError("its inputs and outputs are not in the graph")
    return Graph(tensors, ops, inputs, outputs)


def _tensor(index: int, tensor: Any, buffers: list[Any]) -> Tensor:
    shape = _indices(tensor.shape)
    dtype = _enum_names("TensorType")[tensor.type].lower()
    buffer = buffers[tensor.buffer]
    size = len(buffer.data) if buffer.data is not None else 0
    expected = math.prod(shape) * _ITEM_BYTES.get(dtype, 0)
    if size and expected and size != expected:
        raise ValueError(f"tensor {index} has {size} bytes of data and needs {expected}")
    name = (tensor.name or b"").decode("utf-8")
    constant = bool(size) or bool(buffer.size)  # past 2 GiB the data lies after the flatbuffer
    return Tensor(index, name, shape, dtype, constant, _quantization(tensor.quantization))


def _quantization(found: Any) -> Quantization | None:
    if found is None or found.scale is None or len(found.scale) == 0:
        return None
    scale = tuple(float(value) for value in found.scale)
    zero_point = _indices(found.zeroPoint) or (0,) * len(scale)
    axis = int(found.quantizedDimension) if len(scale) > 1 else None
    return Quantization(scale, zero_point, axis)


def op_name(code: Any) -> str:
    """Name of an entry of the schema's table of operators; a custom op's own name."""
    number: int = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _enum_names("BuiltinOperator")[number]
    if name == "CUSTOM" and code.customCode:
        return str(code.customCode.decode("utf-8"))
    return name


def _op(index: int, name: str, operator: Any, tensors: tuple[Tensor, ...]) -> Op:
    inputs, outputs = _indices(operator.inputs), _indices(operator.outputs)
    if any(not -1 <= tensor < len(tensors) for tensor in inputs + outputs):
        raise ValueError(f"op {index} ({name}) names a tensor that does not exist")
    attributes = _attributes(operator.builtinOptions)
    return Op(index, name, inputs, outputs, attributes, _macs(name, inputs, outputs, tensors))


def _attributes(options: Any) -> dict[str, Any]:
    if options is None:
        return {}
    enums = {"fusedActivationFunction": "ActivationFunctionType", "padding": "Padding"}
    return {
        key: _enum_names(enums[key])[int(value)] if key in enums else value
        for key, value in vars(options).items()
        if isinstance(value, bool | int | float)
    }


def _macs(
    name: str, inputs: tuple[int, ...], outputs: tuple[int, ...], tensors: tuple[Tensor, ...]
) -> int:
    if name == "CONV_2D":
        return math.prod(tensors[outputs[0]].shape) * math.prod(tensors[inputs[1]].shape[1:])
    if name == "DEPTHWISE_CONV_2D":
        return math.prod(tensors[outputs[0]].shape) * math.prod(tensors[inputs[1]].shape[1:3])
    if name == "TRANSPOSE_CONV":  # inputs: output shape, weights O, H, W, I, image
        return math.prod(tensors[inputs[2]].shape) * math.prod(tensors[inputs[1]].shape[:3])
    if name == "FULLY_CONNECTED":
        return math.prod(tensors[outputs[0]].shape) * tensors[inputs[1]].shape[-1]
    return 0


def _indices(vector: Any) -> tuple[int, ...]:
    return () if vector is None else tuple(int(value) for value in vector)


@functools.cache
def _enum_names(enum: str) -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    members = vars(getattr(schema, enum)).items()
    return {value: name for name, value in members if isinstance(value, int)}

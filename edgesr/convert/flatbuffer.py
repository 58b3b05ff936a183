"""Writing a .tflite operation by operation, in the schema's object form."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgesr.quality.flatbuffer import pack
from edgesr.quantize.grid import Grid

Dtype = Literal["float32", "float16", "int8", "uint8", "int32"]
Shape = tuple[int, ...]

_SCHEMA_VERSION = 3
_VERSIONS: dict[str, dict[Dtype, int]] = {
    "CONV_2D": {"int8": 3},
    "ADD": {"int8": 2},
    "SUB": {"int8": 2},
    "MUL": {"int8": 2},
    "RELU": {"int8": 2},
    "LOGISTIC": {"int8": 2},
    "TANH": {"int8": 2},
    "DEPTH_TO_SPACE": {"int8": 2},
    "DEQUANTIZE": {"int8": 2, "float16": 3},
}
"""The version of an operation that first took an input of a type, where it is not 1."""


@dataclass(frozen=True)
class Stored:
    """How a tensor is stored.

    Attributes:
        dtype: As numpy calls it.
        scale: One value, or one per entry of ``axis``; empty for float tensors.
        zero_point: As many.
        axis: Of the channels, where they have scales of their own.
    """

    dtype: Dtype
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    axis: int = 0

    @classmethod
    def on(cls, grid: Grid, dtype: Dtype = "int8") -> "Stored":
        """On a grid; unsigned where the type is."""
        offset = 128 if dtype == "uint8" else 0
        return cls(dtype, (grid.scale,), (grid.zero_point + offset,))


FLOAT = Stored("float32")


@dataclass
class TfliteWriter:
    """Collects the tensors and operations of one graph, in the order they run."""

    model: Any = field(init=False)
    graph: Any = field(init=False)
    shapes: list[Shape] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)

    def __post_init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema = schema
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.description = _SCHEMA_VERSION, b"edgesr"
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.model.subgraphs = [self.graph]
        self.graph.name = b"main"
        self.graph.tensors, self.graph.operators = [], []

    def tensor(
        self, name: str, shape: Shape, stored: Stored, values: NDArray[Any] | None = None
    ) -> int:
        """Adds a tensor.

        Args:
            name: Unique; found again by it.
            shape: As TFLite has it: N, H, W, C for images, O, H, W, I for weights.
            stored: Type and quantization.
            values: Of a constant, in the stored type.

        Returns:
            Its index.
        """
        tensor = self._schema.TensorT()
        tensor.name, tensor.shape = name.encode(), list(shape)
        tensor.type = getattr(self._schema.TensorType, stored.dtype.upper())
        tensor.buffer = self._buffer(values)
        if stored.scale:
            quantization = self._schema.QuantizationParametersT()
            quantization.scale = np.array(stored.scale, np.float32)
            quantization.zeroPoint = np.array(stored.zero_point, np.int64)
            quantization.quantizedDimension = stored.axis
            tensor.quantization = quantization
        self.graph.tensors.append(tensor)
        self.shapes.append(shape)
        self.stored.append(stored)
        return len(self.shapes) - 1

    def _buffer(self, values: NDArray[Any] | None) -> int:
        if values is None:
            return 0
        buffer = self._schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def op(self, name: str, inputs: list[int], output: int, **options: Any) -> int:
        """Adds an operation; returns its output.

        Args:
            name: Of TFLite's builtin operator.
            inputs: Tensors; the first one's type decides about the version.
            output: Tensor.
            **options: By the schema's names.
        """
        operator = self._schema.OperatorT()
        operator.opcodeIndex = self._code(name, self.stored[inputs[0]].dtype)
        operator.inputs, operator.outputs = inputs, [output]
        if options:
            kind = _OPTIONS[name]
            operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(self._schema, f"{kind}T")()
            vars(operator.builtinOptions).update(options)
        self.graph.operators.append(operator)
        return output

    def _code(self, name: str, dtype: Dtype) -> int:
        number = getattr(self._schema.BuiltinOperator, name)
        version = _VERSIONS.get(name, {}).get(dtype, 1)
        for index, known in enumerate(self.model.operatorCodes):
            if known.builtinCode == number:
                known.version = max(known.version, version)
                return index
        code = self._schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = number, number, version
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def finish(self, given: int, made: int) -> bytes:
        """The file's bytes, with one signature: ``input`` -> ``output``."""
        self.graph.inputs, self.graph.outputs = [given], [made]
        signature = self._schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs = [self._named("input", given)]
        signature.outputs = [self._named("output", made)]
        self.model.signatureDefs = [signature]
        return pack(self.model)

    def _named(self, name: str, tensor: int) -> Any:
        entry = self._schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), tensor
        return entry


_OPTIONS = {
    "CONV_2D": "Conv2DOptions",
    "ADD": "AddOptions",
    "SUB": "SubOptions",
    "MUL": "MulOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
}

"""A .tflite as an app meets it: its two tensors, its operations, and what LiteRT makes of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edgesr.errors import InputError
from edgesr.quality.litert import quiet_runtime
from edgesr.quality.pixels import Encoding


@dataclass(frozen=True)
class Picture:
    """An input or output tensor: one RGB picture, NHWC."""

    name: str
    height: int
    width: int
    encoding: Encoding
    """How a colour becomes a value."""
    scale: float | None
    """Quantization; None of a float tensor."""
    zero_point: int | None

    @property
    def dtype(self) -> str:
        """As numpy calls it."""
        return self.encoding.dtype.name

    @property
    def real_white(self) -> float:
        """The real value of white, before quantization: 1, or 255 where bytes are meant."""
        if self.encoding.dtype.kind == "f":
            return 1.0
        return (self.encoding.white - self.encoding.black) * (self.scale or 1.0)

    def to_dict(self) -> dict[str, Any]:
        """For the contract."""
        return {
            "name": self.name,
            "shape": [1, self.height, self.width, 3],
            "dtype": self.dtype,
            "layout": "NHWC",
            "colour": "RGB",
            "range": [self.encoding.black, self.encoding.white],
            "scale": self.scale,
            "zero_point": self.zero_point,
        }


class PackedModel:
    """Runs one .tflite on one picture of exactly its input's size.

    Args:
        data: The file's bytes.
        label: What errors call it.
        plain: By TensorFlow Lite's own kernels; else XNNPACK takes what it can.

    Raises:
        InputError: When LiteRT refuses it, or it doesn't turn one picture into one larger one.
    """

    def __init__(self, data: bytes, label: str, *, plain: bool = True) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else None
        kind = {"experimental_op_resolver_type": resolver} if resolver else {}
        try:
            with quiet_runtime():
                self._interpreter = Interpreter(model_content=data, num_threads=1, **kind)
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f"LiteRT refuses {label}: {reason}", hint="convert the checkpoint again"
            ) from error
        self.input = _picture(self._interpreter.get_input_details(), label)
        self.output = _picture(self._interpreter.get_output_details(), label)
        self.scale = self.output.height // self.input.height
        if (self.scale * self.input.height, self.scale * self.input.width) != (
            self.output.height,
            self.output.width,
        ):
            raise InputError(f"{label} doesn't enlarge height and width by one whole number")

    def run(self, values: NDArray[Any]) -> NDArray[Any]:
        """The output tensor 1,sH,sW,3 of an input tensor 1,H,W,3, both in the file's types."""
        given, made = (
            details()[0]["index"]
            for details in (self._interpreter.get_input_details,
                            self._interpreter.get_output_details)
        )  # fmt: skip
        self._interpreter.set_tensor(given, values)
        self._interpreter.invoke()
        output: NDArray[Any] = self._interpreter.get_tensor(made)
        return output


def operations(data: bytes) -> Mapping[tuple[int, int], int]:
    """(operator code, version) -> how often the main graph has it."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAsModel(data, 0)
    graph = model.Subgraphs(0)
    codes = [
        (max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), code.Version())
        for code in map(model.OperatorCodes, range(model.OperatorCodesLength()))
    ]
    indices = (graph.Operators(i).OpcodeIndex() for i in range(graph.OperatorsLength()))
    return Counter(codes[index] for index in indices)


def _picture(details: list[dict[str, Any]], label: str) -> Picture:
    shape = [int(length) for length in details[0]["shape"]] if details else []
    if len(details) != 1 or len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
        raise InputError(f"{label} has not one input and one output of shape 1,H,W,3")
    if any(int(length) < 1 for length in details[0]["shape_signature"]):
        raise InputError(f"{label} leaves the size of its input open", hint="convert it again")
    step, zero_point = details[0]["quantization"]
    encoding = Encoding.of(details[0]["dtype"], float(step), int(zero_point))
    known = encoding.dtype.kind != "f" and float(step) > 0
    return Picture(
        name=str(details[0]["name"]),
        height=shape[1],
        width=shape[2],
        encoding=encoding,
        scale=float(step) if known else None,
        zero_point=int(zero_point) if known else None,
    )


def same_values(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two tensors are equal bit for bit."""
    return (
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )

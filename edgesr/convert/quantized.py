"""A quantized network -> .tflite, with exactly the scales and integers that it was trained with.

The file is written from the network's own operations, so that a tensor of the file and one of the
network have the same name, and no converter calibrates or fuses anything anew.
"""

from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgesr.convert.flatbuffer import FLOAT, Shape, Stored, TfliteWriter
from edgesr.quantize.graph import Node
from edgesr.quantize.grid import PIXELS
from edgesr.quantize.network import QuantizedNetwork

Io = Literal["float32", "uint8", "int8"]
"""Type of the pixels that go in and come out."""

UINT8_OFFSET = 128
"""What a uint8 pixel is more than the int8 one."""
TFLITE_NAMES = {
    "conv": "CONV_2D", "add": "ADD", "sub": "SUB", "mul": "MUL", "sigmoid": "LOGISTIC",
    "tanh": "TANH", "relu": "RELU", "prelu": "PRELU", "depth_to_space": "DEPTH_TO_SPACE",
}  # fmt: skip
"""TFLite's operation for each of ours."""
_ARITHMETIC = ("add", "sub", "mul")


def write_quantized(network: QuantizedNetwork, size: tuple[int, int], io: Io) -> bytes:
    """Writes a .tflite of fixed input size 1, H, W, 3.

    Nodes in ``network.float_nodes`` become float operations, convs with weights in half
    precision, and QUANTIZE or DEQUANTIZE stand where integers and floats meet.

    Args:
        network: Calibrated or trained.
        size: (H, W) of the low-res image.
        io: Type of input and output: float RGB in [0, 1], uint8 in [0, 255], or int8, which is
            uint8 minus 128.

    Raises:
        ConversionError: When a bias does not fit into 32 bits.
    """
    return _Export(network, size, io).bytes()


class _Export:
    def __init__(self, network: QuantizedNetwork, size: tuple[int, int], io: Io) -> None:
        self.network = network
        self.size = size
        self.io: Io = io
        self.file = TfliteWriter()
        self.made: dict[tuple[str, bool], int] = {}
        """Tensor of a node's output, by (node, whether float)."""
        self.shapes: dict[str, Shape] = {}

    def bytes(self) -> bytes:
        """The whole file."""
        first, *rest = self.network.nodes
        given = self._input(first)
        for node in rest:
            if node.op == "constant":
                self.shapes[node.name] = _nhwc(self.network.constant(node.name)).shape
            else:
                self._node(node)
        return self.file.finish(given, self._output(self.network.nodes[-1]))

    def _input(self, node: Node) -> int:
        self.shapes[node.name] = shape = (1, *self.size, 3)
        stored = FLOAT if self.io == "float32" else Stored.on(PIXELS, self.io)
        given = self.file.tensor(node.name, shape, stored)
        if self.io == "uint8":
            self.made[node.name, False] = self._cast(node.name, given, "QUANTIZE", is_float=False)
        else:
            self.made[node.name, self.io == "float32"] = given
        return given

    def _output(self, node: Node) -> int:
        if self.io != "uint8":
            return self._read(node.name, is_float=self.io == "float32")
        stored = Stored.on(PIXELS, "uint8")
        pixels = self.file.tensor(f"{node.name}/uint8", self.shapes[node.name], stored)
        return self.file.op("QUANTIZE", [self._read(node.name, is_float=False)], pixels)

    def _read(self, name: str, *, is_float: bool) -> int:
        """A node's output in the wanted type; converted once, where its producer made the other."""
        if self.network.node(name).op == "constant":
            return self._constant(name, is_float=is_float)
        if (name, is_float) not in self.made:
            code = "DEQUANTIZE" if is_float else "QUANTIZE"
            other = self.made[name, not is_float]
            self.made[name, is_float] = self._cast(name, other, code, is_float=is_float)
        return self.made[name, is_float]

    def _cast(self, name: str, source: int, code: str, *, is_float: bool) -> int:
        stored = self._stored(name, is_float=is_float)
        target = self.file.tensor(f"{name}/{stored.dtype}", self.shapes[name], stored)
        return self.file.op(code, [source], target)

    def _stored(self, name: str, *, is_float: bool) -> Stored:
        return FLOAT if is_float else Stored.on(self.network.activation_quantizer(name).grid())

    def _node(self, node: Node) -> None:
        is_float = node.name in self.network.float_nodes
        inputs = [self._read(name, is_float=is_float) for name in node.inputs]
        self.shapes[node.name] = self._shape(node)
        stored = self._stored(node.name, is_float=is_float)
        output = self.file.tensor(node.name, self.shapes[node.name], stored)
        activation = 1 if node.relu else 0  # ActivationFunctionType: NONE, RELU
        if node.op == "conv":
            inputs += self._float_conv(node) if is_float else self._integer_conv(node)
            ones = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
            options = {**ones, "fusedActivationFunction": activation}
            self.file.op(TFLITE_NAMES[node.op], inputs, output, **options)
        elif node.op == "depth_to_space":
            self.file.op(TFLITE_NAMES[node.op], inputs, output, blockSize=node.block)
        elif node.op in _ARITHMETIC:
            self.file.op(TFLITE_NAMES[node.op], inputs, output, fusedActivationFunction=activation)
        else:
            slopes = [self._slopes(node, is_float=is_float)] if node.op == "prelu" else []
            self.file.op(TFLITE_NAMES[node.op], inputs + slopes, output)
        self.made[node.name, is_float] = output

    def _shape(self, node: Node) -> Shape:
        n, height, width, channels = max(self.shapes[name] for name in node.inputs)
        if node.op == "conv":
            return n, height, width, self.network.conv(node.name).out_channels
        if node.op == "depth_to_space":
            return n, height * node.block, width * node.block, channels // node.block**2
        return n, height, width, channels

    def _integer_conv(self, node: Node) -> list[int]:
        """Weights and bias; their names are checked for after writing."""
        network, conv = self.network, self.network.conv(node.name)
        quantizer = network.weight_quantizer(node.name)
        zeros = (0,) * conv.out_channels
        scale = _floats(quantizer.scale(conv.weight))
        weights = _array(_nhwc(quantizer.integers(conv.weight)), np.int8)
        bias = _array(network.bias_integers(node.name), np.int32)
        bias_scale = _floats(network.bias_scale(node.name))
        return [
            self._values(f"{node.name}/weights", Stored("int8", scale, zeros), weights),
            self._values(f"{node.name}/bias", Stored("int32", bias_scale, zeros), bias),
        ]

    def _float_conv(self, node: Node) -> list[int]:
        conv = self.network.conv(node.name)
        bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias
        return [
            self._halves(f"{node.name}/weights", _array(_nhwc(conv.weight), np.float16)),
            self._halves(f"{node.name}/bias", _array(bias, np.float16)),
        ]

    def _halves(self, name: str, values: "NDArray[np.generic]") -> int:
        """A constant in half precision, unpacked as TFLite's own float16 files do it."""
        half = self._values(f"{name}/half", Stored("float16"), values)
        return self.file.op("DEQUANTIZE", [half], self.file.tensor(name, values.shape, FLOAT))

    def _slopes(self, node: Node, *, is_float: bool) -> int:
        name, slopes = f"{node.name}/slopes", self.network.slopes(node.name).reshape(1, 1, -1)
        if is_float:
            return self._values(name, FLOAT, _array(slopes, np.float32))
        scale = self.network.slope_scale(node.name)
        stored = Stored("int8", (float(scale),), (0,))
        return self._values(name, stored, _array(torch.round(slopes / scale), np.int8))

    def _constant(self, name: str, *, is_float: bool) -> int:
        if (name, is_float) not in self.made:
            network = self.network
            if is_float:
                values = _array(_nhwc(network.constant(name)), np.float32)
                made = self._values(f"{name}/float32", FLOAT, values)
            else:
                values = _array(_nhwc(network.constant_integers(name)), np.int8)
                stored = Stored("int8", (float(network.constant_scale(name)),), (0,))
                made = self._values(name, stored, values)
            self.made[name, is_float] = made
        return self.made[name, is_float]

    def _values(self, name: str, stored: Stored, values: "NDArray[np.generic]") -> int:
        return self.file.tensor(name, values.shape, stored, values)


def _nhwc(tensor: Tensor) -> Tensor:
    """N, C, H, W to N, H, W, C; also O, I, H, W to O, H, W, I."""
    return tensor.detach().permute(0, 2, 3, 1)


def _array(tensor: Tensor, dtype: type[np.generic]) -> "NDArray[np.generic]":
    return cast("NDArray[np.generic]", tensor.detach().cpu().numpy().astype(dtype))


def _floats(tensor: Tensor) -> tuple[float, ...]:
    return tuple(tensor.detach().double().tolist())

"""How far a network looks: the radius of its receptive field, read from the graph's kernels.

The radius is what a tile needs as context (see `tiling`). It is an upper bound: every kernel
counts, as if all lay on one path. A graph with an operation that looks everywhere, or that this
module doesn't know to be local, has no radius: None.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Window:
    """The window of one operation, in pixels of its own input; the longer side counts."""

    kernel: int = 1
    dilation: int = 1
    stride: int = 1


def radius(windows: Iterable[Window | None]) -> int | None:
    """Radius of the receptive field of operations in graph order, in input pixels.

    Args:
        windows: One entry per operation that looks beyond one pixel; None for one that looks
            everywhere.
    """
    total, jump = 0, 1
    for window in windows:
        if window is None:
            return None
        total += window.kernel // 2 * window.dilation * jump
        jump *= window.stride
    return total


def onnx_radius(path: Path) -> int | None:
    """Radius of an ONNX graph, in pixels."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    return radius(_onnx_window(node, shapes) for node in graph.node)


def tflite_radius(path: Path) -> int | None:
    """Radius of the first subgraph of a .tflite, in pixels."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    names = {value: key for key, value in vars(schema.BuiltinOperator).items() if key.isupper()}
    graph = model.subgraphs[0]
    return radius(
        _tflite_window(names.get(_builtin(model.operatorCodes[op.opcodeIndex]), ""), op, graph)
        for op in graph.operators
    )


# Pixelwise operations, and those that move whole pixels or channels as a pixel shuffle does.
_ONNX_POINTWISE = """
    Abs Add Cast Clip Concat Constant DepthToSpace DequantizeLinear Div Dropout Elu Exp Gelu
    HardSigmoid HardSwish Identity LeakyRelu Log Max Min Mish Mul Neg Pad Pow PRelu QuantizeLinear
    Relu Sigmoid Softplus Split Sqrt Sub Tanh
    Gather Reshape Shape Slice Squeeze Transpose Unsqueeze
"""
_TFLITE_POINTWISE = """
    ABS ADD ADD_N CAST CONCATENATION DEPTH_TO_SPACE DEQUANTIZE DIV ELU EXP GELU HARD_SWISH
    LEAKY_RELU LOG LOGISTIC MAXIMUM MINIMUM MUL NEG PACK PAD PADV2 POW PRELU QUANTIZE RELU RELU6
    RELU_0_TO_1 RELU_N1_TO_1 RESIZE_NEAREST_NEIGHBOR RSQRT SPLIT SPLIT_V SQRT SQUARE
    SQUARED_DIFFERENCE SUB TANH
    EXPAND_DIMS GATHER RESHAPE SHAPE SLICE SQUEEZE STRIDED_SLICE TILE TRANSPOSE
"""
_TFLITE_CONVOLUTIONS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "TRANSPOSE_CONV": 1}
"""Index of the kernel among the inputs; its shape is [.., height, width, ..] in all three."""


def _onnx_window(node: Any, shapes: dict[str, list[int]]) -> Window | None:
    given = {entry.name: list(entry.ints) for entry in node.attribute}
    match node.op_type:
        case "Conv" | "ConvTranspose" | "MaxPool" | "AveragePool":
            kernel = given.get("kernel_shape") or shapes.get(node.input[1], [0, 0])[2:]
            if not kernel:
                return None
            dilation, stride = given.get("dilations", [1]), given.get("strides", [1])
            upward = node.op_type == "ConvTranspose"  # its stride refines, it never widens a jump
            return Window(max(kernel), max(dilation), 1 if upward else max(stride))
        case "SpaceToDepth":
            return Window(stride=next(a.i for a in node.attribute if a.name == "blocksize"))
        case "Resize" | "Upsample":
            return Window(kernel=5)  # cubic at most: two pixels to each side
        case _ if node.op_type in _ONNX_POINTWISE.split():
            return Window()
    return None


def _tflite_window(name: str, op: Any, graph: Any) -> Window | None:
    options = op.builtinOptions
    match name:
        case _ if name in _TFLITE_CONVOLUTIONS:
            kernel = graph.tensors[op.inputs[_TFLITE_CONVOLUTIONS[name]]].shape
            dilation = max(getattr(options, f"dilation{axis}Factor", 1) for axis in "HW")
            stride = 1 if name == "TRANSPOSE_CONV" else max(options.strideH, options.strideW)
            return Window(int(max(kernel[1:3])), dilation, stride)
        case "AVERAGE_POOL_2D" | "MAX_POOL_2D":
            size = max(options.filterHeight, options.filterWidth)
            return Window(size, stride=max(options.strideH, options.strideW))
        case "SPACE_TO_DEPTH":
            return Window(stride=options.blockSize)
        case "RESIZE_BILINEAR":
            return Window(kernel=3)
        case _ if name in _TFLITE_POINTWISE.split():
            return Window()
    return None


def _builtin(code: Any) -> int:
    """An operator's code; files older than 2.4 hold it in the narrower field only."""
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))

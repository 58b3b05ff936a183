"""Rounding the weights of an int8 .tflite so that each conv's output, not each weight, is nearest.

Source: "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers"
(Frantar et al., 2022), arXiv 2210.17323. Weights are rounded one input at a time; what is still
free makes good for each rounding error, as far as the calibration images show inputs that go
together. Scales stay, so the file's graph, size and speed do too.

A conv reads rows x of K = kernel height * kernel width * inputs values; its float weights are W
(K, O), the moments of the rows are their mean (K) and their second moment about zero (K, K).
"""

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgesr.convert.graph import Op, parse_graph
from edgesr.errors import ConversionError

if TYPE_CHECKING:
    from edgesr.convert.samples import Images

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]

_DAMPING = 0.1
"""Added to the moment's diagonal, in parts of its mean. The paper's 0.01 gave SPAN up to 0.4 dB
more, and took 1.4 dB from ESPCN on slides held out from calibration."""
_LIMIT = 127
_PIECES = 24
_PIECE = 64
_ROWS = 512
"""Rows taken from each piece: 12,000 in all, for K of at most some hundreds."""
_SEED = 0


@dataclass(frozen=True)
class _Conv:
    """One conv of both files."""

    float_op: Op
    int8_op: Op
    weights: Floats
    """(K, O), as in the float file."""
    bias: Floats
    """(O)."""
    shape: tuple[int, ...]
    """Of the stored weights: O, kernel height, kernel width, inputs."""
    scale: Floats
    """(O), of the stored weights."""

    @property
    def reads(self) -> "_Read":
        return self.float_op.inputs[0], self.shape[1:3], self.float_op.attributes["padding"]


_Read = tuple[int, tuple[int, ...], str]
"""A tensor of the float file, the kernel (height, width) that slides over it, and the padding."""


@dataclass
class _Moments:
    """Sums over rows that a conv reads."""

    count: int
    total: Floats
    """(K)."""
    products: Floats
    """(K, K)."""


def round_weights(int8: bytes, fp32: bytes, images: "Images") -> bytes:
    """Rounds the conv weights anew and sets biases so that no mean error is left.

    Convs with a stride or a dilation, and all other ops, stay as they are.

    Args:
        int8: A .tflite with int8 weights and int32 biases.
        fp32: The .tflite of the same network in float, N, H, W, 3 in.
        images: N, H, W, 3 in [0, 1]; at most `_PIECES` pieces of them are run.

    Returns:
        The int8 file with other weights and biases.

    Raises:
        ConversionError: When the files hold different convs.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    convs = _convs(int8, fp32)
    moments = _moments(fp32, {conv.reads for conv in convs}, _pieces(images))
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(int8))
    tensors = model.subgraphs[0].tensors
    for conv in convs:
        rows = moments[conv.reads]
        stored = compensated_rounding(conv.weights, conv.scale, rows.products / rows.count)
        kernel = stored.T.reshape(conv.shape).astype(np.int8)
        _store(model, conv.int8_op.inputs[1], kernel)
        left = rows.total / rows.count @ (conv.weights - stored * conv.scale)
        bias_scale = np.asarray(tensors[conv.int8_op.inputs[2]].quantization.scale, np.float64)
        bias = np.round((conv.bias + left) / bias_scale)
        _store(model, conv.int8_op.inputs[2], bias.astype(np.int32))
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def compensated_rounding(weights: Floats, scale: Floats, moment: Floats) -> Floats:
    """Rounds weights so that rows with the given second moment lead to a small output error.

    Inputs that matter most are rounded first, while most others are left to compensate.

    Args:
        weights: (K, O).
        scale: (O), positive; a whole number n stands for n * scale.
        moment: (K, K), symmetric, not negative.

    Returns:
        (K, O), whole numbers in [-127, 127].
    """
    count = len(moment)
    damping = _DAMPING * max(float(np.trace(moment)) / count, 1e-12)
    order = np.argsort(-np.diag(moment))
    damped = moment[np.ix_(order, order)] + damping * np.eye(count)
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T  # upper: row i compensates for input i
    rest, stored = weights[order].copy(), np.zeros_like(weights)
    for i, place in enumerate(order):
        stored[place] = np.round(rest[i] / scale).clip(-_LIMIT, _LIMIT)
        error = (rest[i] - stored[place] * scale) / factor[i, i]
        rest[i + 1 :] -= np.outer(factor[i, i + 1 :], error)
    return stored


def _convs(int8: bytes, fp32: bytes) -> list[_Conv]:
    """The convs of stride 1 of both files, in the order they run."""
    float_file, int8_file = _File(fp32, "the fp32 file"), _File(int8, "the int8 file")
    if len(float_file.convs) != len(int8_file.convs):
        raise ConversionError(
            f"{len(int8_file.convs)} convs in int8 and {len(float_file.convs)} in float"
        )
    return [
        _conv(float_file, float_op, int8_file, int8_op)
        for float_op, int8_op in zip(float_file.convs, int8_file.convs, strict=True)
        if _plain(int8_op)
    ]


class _File:
    """A .tflite as a graph and in the schema's object form."""

    def __init__(self, data: bytes, source: str) -> None:
        from ai_edge_litert.tools import flatbuffer_utils

        self.graph = parse_graph(data, source=source)
        self.model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
        self.convs = [op for op in self.graph.ops if op.name == "CONV_2D"]

    def values(self, tensor: int, dtype: Any) -> Floats:
        buffer = self.model.buffers[self.model.subgraphs[0].tensors[tensor].buffer]
        return np.frombuffer(bytes(bytearray(buffer.data)), dtype).astype(np.float64)


def _conv(float_file: _File, float_op: Op, int8_file: _File, int8_op: Op) -> _Conv:
    """Raises ConversionError when the int8 weights are not the float ones, rounded."""
    stored = int8_file.graph.tensors[int8_op.inputs[1]]
    same = stored.shape == float_file.graph.tensors[float_op.inputs[1]].shape
    if not same or stored.dtype != "int8" or stored.quantization is None:
        raise ConversionError(f"conv {int8_op.index} of the int8 file is not the float file's")
    outputs = stored.shape[0]
    scale = np.broadcast_to(np.array(stored.quantization.scale), (outputs,))
    weights = float_file.values(float_op.inputs[1], np.float32).reshape(outputs, -1).T
    nearest = int8_file.values(int8_op.inputs[1], np.int8).reshape(outputs, -1).T
    if np.abs(weights / scale - nearest).max() > 1:
        raise ConversionError(f"conv {int8_op.index} of the int8 file has other weights")
    bias = float_file.values(float_op.inputs[2], np.float32)
    return _Conv(float_op, int8_op, weights, bias, stored.shape, scale)


def _plain(op: Op) -> bool:
    wanted = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    return all(op.attributes.get(key, 1) == value for key, value in wanted.items())


def _store(model: Any, tensor: int, values: NDArray[Any]) -> None:
    """Gives one tensor other values; the converter lets equal ones, such as zero biases, share."""
    tensors = model.subgraphs[0].tensors
    target = tensors[tensor]
    if sum(other.buffer == target.buffer for other in tensors) > 1:
        model.buffers.append(copy.copy(model.buffers[target.buffer]))
        target.buffer = len(model.buffers) - 1
    model.buffers[target.buffer].data = np.frombuffer(values.tobytes(), np.uint8)


def _pieces(images: "Images") -> "Images":
    """Pieces of at most `_PIECE` pixels a side, at random places of evenly chosen images."""
    rng = np.random.default_rng(_SEED)
    height, width = (min(side, _PIECE) for side in images.shape[1:3])
    pieces = []
    for i in range(_PIECES):
        top = int(rng.integers(images.shape[1] - height + 1))
        left = int(rng.integers(images.shape[2] - width + 1))
        image = images[i * len(images) // _PIECES if len(images) > _PIECES else i % len(images)]
        pieces.append(image[top : top + height, left : left + width])
    return np.stack(pieces)


def _moments(fp32: bytes, reads: set[_Read], pieces: "Images") -> dict[_Read, _Moments]:
    """Runs the float network on pieces and sums up what its convs read, at random positions."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=fp32,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
        num_threads=2,
    )
    given = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(given, [1, *pieces.shape[1:]])
    interpreter.allocate_tensors()
    rng = np.random.default_rng(_SEED)
    sums: dict[_Read, _Moments] = {}
    for piece in pieces:
        interpreter.set_tensor(given, piece[np.newaxis])
        interpreter.invoke()
        for read in sorted(reads):
            chosen = _rows(interpreter.get_tensor(read[0])[0], read, rng)
            k = chosen.shape[1]
            moments = sums.setdefault(read, _Moments(0, np.zeros(k), np.zeros((k, k))))
            moments.count += len(chosen)
            moments.total += chosen.sum(axis=0, dtype=np.float64)
            moments.products += chosen.T @ chosen
    return sums


def _rows(tensor: Rows, read: _Read, rng: np.random.Generator) -> Rows:
    """Some of the rows that a conv reads of a tensor H, W, C: at most `_ROWS`, K."""
    _, kernel, padding = read
    if padding == "SAME":
        edges = [((size - 1) // 2, size // 2) for size in kernel]
        tensor = np.pad(tensor, (*edges, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(
        tensor, kernel, axis=(0, 1)
    )  # H, W, C, kernel
    height, width = windows.shape[:2]
    places = rng.permutation(height * width)[:_ROWS]
    chosen = windows[places // width, places % width].transpose(0, 2, 3, 1)
    rows: Rows = chosen.reshape(len(places), -1)
    return rows

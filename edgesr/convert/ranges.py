"""Rewriting ranges of an int8 .tflite that calibration by minimum and maximum sets badly.

Only scales of tensors that no conv reads are touched: a conv's bias is stored in units of its
input's scale, everything else takes any scale.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edgesr.convert.graph import op_name

_RESCALING = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "SUB", "MUL"})
"""Ops that may write at any scale, and saturate where it ends."""
_SAME_SCALE = frozenset({"DEPTH_TO_SPACE", "QUANTIZE", "DEQUANTIZE"})
_SILU_FLOOR = -12.0
"""silu(-12) is -0.00007: what lies below makes no difference. Nearer to 0 it was seen to cost."""


def tighten_ranges(path: Path) -> None:
    """Makes better use of the 256 steps where that costs nothing; rewritten in place.

    * The output gets scale 1/255 over [0, 1]. Values outside are no pixels; with this scale the
      last conv saturates them for free, the steps are finer, and a uint8 output is the image.
    * A conv output that only a SiLU reads ends at -12 instead of at its minimum, often -80.

    Args:
        path: An int8 .tflite.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    editor = _Editor(model)
    for index in editor.output_tail():
        editor.set_range(index, 0.0, 1.0)
    for index in editor.silu_inputs():
        editor.raise_minimum(index, _SILU_FLOOR)
    flatbuffer_utils.write_model(model, str(path))


class _Editor:
    """The main graph of a model in the schema's object form."""

    def __init__(self, model: Any) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.graph = model.subgraphs[0]
        self.names: list[str] = [op_name(code) for code in model.operatorCodes]
        self.lowest = {schema.TensorType.INT8: -128, schema.TensorType.UINT8: 0}

    def name(self, operator: Any) -> str:
        return self.names[int(operator.opcodeIndex)]

    def producer(self, index: int) -> Any:
        return next((op for op in self.graph.operators if index in op.outputs), None)

    def readers(self, index: int) -> list[Any]:
        return [op for op in self.graph.operators if index in op.inputs]

    def set_range(self, index: int, low: float, high: float) -> None:
        """Sets scale and zero point so that [low, high] fills the tensor's 256 values."""
        tensor = self.graph.tensors[index]
        lowest = self.lowest[tensor.type]
        scale = (high - low) / 255
        tensor.quantization.scale = np.array([scale], np.float32)
        tensor.quantization.zeroPoint = np.array([lowest - round(low / scale)], np.int64)
        tensor.quantization.min = tensor.quantization.max = None

    def raise_minimum(self, index: int, floor: float) -> None:
        """Lets a range that reaches below ``floor`` begin there; its maximum stays."""
        tensor = self.graph.tensors[index]
        lowest = self.lowest[tensor.type]
        scale, zero_point = tensor.quantization.scale[0], tensor.quantization.zeroPoint[0]
        low, high = (lowest - zero_point) * scale, (lowest + 255 - zero_point) * scale
        if low < floor < 0 < high:
            self.set_range(index, floor, float(high))

    def output_tail(self) -> list[int]:
        """8-bit tensors from the last op that can rescale to the output; none without such one."""
        found, index = [], int(self.graph.outputs[0])
        while True:
            if self.graph.tensors[index].type in self.lowest:
                found.append(index)
            producer = self.producer(index)
            if producer is None or len(self.readers(index)) > 1:
                return []
            if self.name(producer) in _RESCALING:
                return found
            if self.name(producer) not in _SAME_SCALE:
                return []
            index = int(producer.inputs[0])

    def silu_inputs(self) -> list[int]:
        """Outputs of convs that are read by x * sigmoid(x) and by nothing else."""
        return [
            int(op.outputs[0])
            for op in self.graph.operators
            if self.name(op) == "CONV_2D" and self._feeds_only_silu(int(op.outputs[0]))
        ]

    def _feeds_only_silu(self, index: int) -> bool:
        readers = self.readers(index)
        logistic = [op for op in readers if self.name(op) == "LOGISTIC"]
        mul = [op for op in readers if self.name(op) == "MUL"]
        if len(readers) != 2 or not logistic or not mul:
            return False
        gate = logistic[0].outputs[0]
        return bool(gate in mul[0].inputs) and len(self.readers(gate)) == 1

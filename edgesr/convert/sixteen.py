"""Better weights for a ``16x8`` file: rounded so that each conv's output is nearest.

With 16 bits between operations nearly all that such a file loses is lost by rounding weights to 8
bits, and TensorFlow's converter rounds each weight by itself.
"""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgesr.convert.samples import Images
from edgesr.models.registry import SRModel
from edgesr.quality.flatbuffer import pack
from edgesr.quantize.compensate import compensate
from edgesr.quantize.network import QuantizedNetwork, quantize
from edgesr.quantize.trial import float_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

_SLACK = 0.51
"""So many steps the converter's integers may lie off the float weights that they were made of."""


def refine_weights(path: Path, model: SRModel, images: Images) -> int:
    """Rewrites weights, their scales and biases of all convs from int16 with int8 weights.

    A conv of the file is known by its weights. One that is not found again in the network, because
    the converter merged something into it, keeps what it has.

    Args:
        path: A 16x8 .tflite that TensorFlow's converter made of the network.
        model: The float network; it is not changed.
        images: N, H, W, 3 in [0, 1] to round for.

    Returns:
        How many convs were rewritten.
    """
    from ai_edge_litert import schema_py_generated as schema

    network = _rounded(model, images)
    original = {name: _stored(conv.weight) for name, conv in float_weights(network).items()}
    file = _File(schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0)))
    waiting = [name for name in original if network.is_trained(name)]
    found = 0
    for conv in file.convs():
        name = next((name for name in waiting if file.made_of(conv, original[name])), None)
        if name is not None:
            waiting.remove(name)
            weight = network.conv(name).weight.detach()
            scale = network.weight_quantizer(name).scale(weight)
            file.rewrite(conv, network.conv(name), scale.detach().double().numpy())
            found += 1
    path.write_bytes(pack(file.model))
    return found


def _rounded(model: SRModel, images: Images) -> QuantizedNetwork:
    """The network with rounded weights and float values in between: int16 is as good as that."""
    import torch

    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    network = quantize(model, "ptq", pixels).eval()
    with network.computing(floats=frozenset(node.name for node in network.nodes)):
        compensate(network, pixels)
    return network


def _stored(weight: "Tensor") -> NDArray[np.float64]:
    """O, I, H, W to O, H, W, I, as TFLite has it."""
    values: NDArray[np.float64] = weight.detach().double().permute(0, 2, 3, 1).numpy()
    return values


class _File:
    """The parsed file; its tensors and buffers may be shared between operations."""

    def __init__(self, model: Any) -> None:
        self.model, self.graph = model, model.subgraphs[0]

    def convs(self) -> Iterator[Any]:
        """All convs from int16 with int8 weights."""
        from ai_edge_litert import schema_py_generated as schema

        for operator in self.graph.operators:
            code = self.model.operatorCodes[operator.opcodeIndex].builtinCode
            if code != schema.BuiltinOperator.CONV_2D:
                continue
            types = [self.graph.tensors[index].type for index in operator.inputs[:2]]
            if types == [schema.TensorType.INT16, schema.TensorType.INT8]:
                yield operator

    def made_of(self, conv: Any, weights: NDArray[np.float64]) -> bool:
        """Whether a conv's integers are these weights O, H, W, I, rounded to the nearest."""
        tensor = self.graph.tensors[conv.inputs[1]]
        if tuple(tensor.shape) != weights.shape:
            return False
        data = np.asarray(self.model.buffers[tensor.buffer].data, np.uint8)
        scale = np.asarray(tensor.quantization.scale, np.float64).reshape(-1, 1, 1, 1)
        steps = data.view(np.int8).reshape(weights.shape) - weights / scale
        return bool(np.abs(steps).max() <= _SLACK)

    def rewrite(self, conv: Any, source: "nn.Conv2d", steps: NDArray[np.float64]) -> None:
        """Gives a conv the weights of ``source``, which lie on a grid of ``steps`` (O)."""
        integers = np.round(_stored(source.weight) / steps.reshape(-1, 1, 1, 1)).astype(np.int8)
        self._replace(conv, 1, integers, steps)
        if source.bias is None or len(conv.inputs) < 3 or conv.inputs[2] < 0:
            return
        tensors = self.graph.tensors
        bias_steps = steps * float(tensors[conv.inputs[0]].quantization.scale[0])
        wide = np.round(source.bias.detach().double().numpy() / bias_steps).astype(np.int64)
        self._replace(conv, 2, wide, bias_steps)

    def _replace(
        self, conv: Any, place: int, values: NDArray[Any], scale: NDArray[np.float64]
    ) -> None:
        """A tensor and a buffer of its own for one input; the buffer left behind is emptied."""
        tensors, buffers = self.graph.tensors, self.model.buffers
        index = conv.inputs[place]
        readers = sum(int(index) in operator.inputs for operator in self.graph.operators)
        if readers > 1:
            tensors.append(copy.deepcopy(tensors[index]))
            index = conv.inputs[place] = len(tensors) - 1
        tensor, old = tensors[index], tensors[index].buffer
        tensor.buffer = len(buffers)
        tensor.quantization.scale = scale.astype(np.float32)
        buffers.append(copy.copy(buffers[0]))
        buffers[-1].data = np.frombuffer(values.tobytes(), np.uint8)
        if not any(other.buffer == old for other in tensors):
            buffers[old].data = None

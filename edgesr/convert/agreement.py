"""Is a .tflite the quantized network that it was written from? Scales, integers, pixels."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgesr.convert.graph import Graph, parse_graph
from edgesr.convert.quantized import TFLITE_NAMES, UINT8_OFFSET
from edgesr.convert.samples import Images
from edgesr.convert.verify import reference, run_tflite
from edgesr.errors import ConversionError, ParityError
from edgesr.quality.metrics import psnr_y
from edgesr.quality.pixels import to_pixels
from edgesr.quantize.grid import Grid
from edgesr.quantize.network import QuantizedNetwork
from edgesr.quantize.trial import INVISIBLE_DB
from edgesr.results.manifest import Agreement

LEAST_EQUAL = 0.97
"""Share of the output values of a network of convs and ReLUs that have to be equal."""
MOST_STEPS = 2
"""So many 255ths such a network's output may differ at most."""
TOLERANCE_DB = 0.02
"""So much the PSNR of both against the truth may differ."""
LOOSE_TOLERANCE_DB = 0.1
"""The same where sums, gates or PReLUs are rounded otherwise by the kernels than in float: one
step there becomes several behind a conv. What was measured stands in the manifest."""
LEAST_LIKENESS_DB = 35.0
"""PSNR between both where there is no truth."""
_EXACT = frozenset({"input", "conv", "relu", "depth_to_space"})


def check_stored(data: bytes, network: QuantizedNetwork, source: str) -> None:
    """Compares a file with the network: operations, scales, zero points, integers, constants.

    Args:
        data: The .tflite.
        network: With the float nodes that the file has.
        source: What an error calls the file.

    Raises:
        ConversionError: When one differs, is missing, or belongs to nothing in the network.
    """
    graph = parse_graph(data, source=source)
    _check_operations(graph, network, source)
    found = _read(data, graph)
    for name, wanted in _float_constants(network).items():
        if name not in found:
            raise ConversionError(f"{source} does not hold {name} in float")
        _insist_equal(source, name, found[name], wanted)
    for name, wanted in _expected(network).items():
        forms = [name, f"{name}/int8", f"{name}/uint8"]
        stored = [each for each in forms if each in found and found[each].scale is not None]
        if not stored:
            raise ConversionError(f"{source} does not hold {name} as integers")
        for each in stored:
            _insist_equal(source, each, found.pop(each), wanted)
    extra = [name for name, tensor in found.items() if tensor.scale is not None]
    if extra:
        raise ConversionError(f"{source} holds {extra[0]}, which the network does not have")


def _check_operations(graph: Graph, network: QuantizedNetwork, source: str) -> None:
    """The same operations in the same order, each with or without a ReLU behind it."""
    found = [
        (op.name, op.attributes.get("fusedActivationFunction", "NONE"))
        for op in graph.ops
        if op.name not in ("QUANTIZE", "DEQUANTIZE")
    ]
    wanted = [
        (TFLITE_NAMES[node.op], "RELU" if node.relu else "NONE")
        for node in network.nodes
        if node.op in TFLITE_NAMES
    ]
    if found != wanted:
        raise ConversionError(
            f"{source} computes something else than the network",
            hint="convert the checkpoint again; a file that was edited is not the network",
        )


@dataclass(frozen=True)
class _Tensor:
    """What is compared; None where a tensor is float or its values are computed."""

    scale: NDArray[np.float32] | None
    zero_point: NDArray[np.int64]
    values: NDArray[np.float64] | None = None


def _read(data: bytes, graph: Graph) -> dict[str, _Tensor]:
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    found = {}
    for tensor, stored in zip(graph.tensors, model.subgraphs[0].tensors, strict=True):
        values = None
        if tensor.constant:
            raw = bytes(bytearray(model.buffers[stored.buffer].data))
            values = np.frombuffer(raw, tensor.dtype).astype(np.float64)
        quantization = tensor.quantization
        scale = None if quantization is None else np.array(quantization.scale, np.float32)
        zero_point = np.array(quantization.zero_point if quantization else (), np.int64)
        if tensor.dtype == "uint8":  # the same grid, counted from 0
            zero_point -= UINT8_OFFSET
        found[tensor.name] = _Tensor(scale, zero_point, values)
    return found


def _expected(network: QuantizedNetwork) -> dict[str, _Tensor]:
    """By tensor name: what the integer nodes of the network make and read."""
    wanted: dict[str, _Tensor] = {}
    for node in network.nodes:
        if node.name in network.float_nodes:
            continue
        read = [name for name in node.inputs if network.node(name).op != "constant"]
        constants = [name for name in node.inputs if network.node(name).op == "constant"]
        for name in read + ([] if node.op in ("constant", "input") else [node.name]):
            wanted[name] = _on_grid(network.activation_quantizer(name).grid())
        for name in constants:
            scale = network.constant_scale(name)
            wanted[name] = _constant(scale, network.constant_integers(name))
        if node.op == "prelu":
            scale = network.slope_scale(node.name)
            integers = torch.round(network.slopes(node.name) / scale)
            wanted[f"{node.name}/slopes"] = _constant(scale, integers)
        if node.op == "conv":
            weight = network.conv(node.name).weight
            quantizer = network.weight_quantizer(node.name)
            integers = quantizer.integers(weight).permute(0, 2, 3, 1)
            wanted[f"{node.name}/weights"] = _constant(quantizer.scale(weight), integers)
            bias = network.bias_integers(node.name)
            wanted[f"{node.name}/bias"] = _constant(network.bias_scale(node.name), bias)
    return wanted


def _float_constants(network: QuantizedNetwork) -> dict[str, _Tensor]:
    """By tensor name: what the float nodes read, convs in half precision."""
    wanted: dict[str, torch.Tensor] = {}
    for node in network.nodes:
        if node.name not in network.float_nodes:
            continue
        if node.op == "prelu":
            wanted[f"{node.name}/slopes"] = network.slopes(node.name)
        if node.op == "conv":
            conv = network.conv(node.name)
            wanted[f"{node.name}/weights/half"] = conv.weight.permute(0, 2, 3, 1).half()
            if conv.bias is not None:
                wanted[f"{node.name}/bias/half"] = conv.bias.half()
        if node.op != "constant":
            for name in node.inputs:
                if network.node(name).op == "constant":
                    wanted[f"{name}/float32"] = network.constant(name)
    none = np.array((), np.int64)
    return {
        name: _Tensor(None, none, values.detach().reshape(-1).numpy().astype(np.float64))
        for name, values in wanted.items()
    }


def _on_grid(grid: Grid) -> _Tensor:
    return _Tensor(np.array([grid.scale], np.float32), np.array([grid.zero_point], np.int64))


def _constant(scale: torch.Tensor, integers: torch.Tensor) -> _Tensor:
    scales = scale.detach().reshape(-1).numpy().astype(np.float32)
    values = integers.detach().reshape(-1).numpy().astype(np.float64)
    return _Tensor(scales, np.zeros(len(scales), np.int64), values)


def _insist_equal(source: str, name: str, found: _Tensor, wanted: _Tensor) -> None:
    for what in ("scale", "zero_point", "values"):
        ours: Any = getattr(wanted, what)
        theirs: Any = getattr(found, what)
        if ours is not None and not np.array_equal(ours, theirs):
            raise ConversionError(
                f"{source}: the {what.replace('_', ' ')} of {name} is not the network's",
                hint="convert the checkpoint again; a file that was edited is not the network",
            )


def measure_agreement(
    path: Path,
    network: QuantizedNetwork,
    images: Images,
    truth: Images | None,
    trained: QuantizedNetwork | None = None,
) -> Agreement:
    """Runs file and network on the same images.

    Args:
        path: The .tflite.
        network: In eval mode, with the float nodes that the file has.
        images: N, H, W, 3 in [0, 1].
        truth: N, s*H, s*W, 3; None where there is none.
        trained: What the network was before its weights were put onto the int8 grid, where a
            method's own levels do not lie on it.
    """
    with network.computing(floats=network.float_nodes, as_stored=True):
        expected = reference(network, images)
    found = run_tflite(path, images)
    steps = np.round(np.abs(found.astype(np.float64) - expected) * 255)
    squared = float(np.mean((steps / 255) ** 2))
    scale = network.spec.scale
    stored = _quality(expected, truth, scale)
    lost = None
    if trained is not None and stored is not None:
        own = _quality(reference(trained, images), truth, scale)
        lost = None if own is None else own - stored
    return Agreement(
        equal=float((steps == 0).mean()),
        max_steps=int(steps.max()),
        psnr_db=None if squared == 0 else -10 * math.log10(squared),
        psnr_y=_quality(found, truth, scale),
        network_psnr_y=stored,
        grid_loss_db=lost,
        images=len(images),
    )


def _quality(images: Images, truth: Images | None, scale: int) -> float | None:
    """Mean PSNR-Y over images, None without a truth."""
    if truth is None:
        return None
    pairs = zip(images, truth, strict=True)
    values = [psnr_y(to_pixels(image), to_pixels(hr), scale) for image, hr in pairs]
    return float(np.mean(np.minimum(values, INVISIBLE_DB)))


def insist_on_agreement(agreement: Agreement, network: QuantizedNetwork, what: str) -> None:
    """Raises where a file computes something else than the network.

    Args:
        agreement: As measured.
        network: Networks of convs and ReLUs alone have to agree bit for bit but for ties.
        what: What an error calls the file.

    Raises:
        ParityError: When they differ by more than the limits of this module.
    """
    exact = all(node.op in _EXACT for node in network.nodes)
    limit = TOLERANCE_DB if exact else LOOSE_TOLERANCE_DB
    problems = []
    if exact and agreement.equal < LEAST_EQUAL:
        problems.append(f"{agreement.equal:.1%} of the values are equal, {LEAST_EQUAL:.0%} needed")
    if exact and agreement.max_steps > MOST_STEPS:
        problems.append(f"a value is {agreement.max_steps} steps off, {MOST_STEPS} are allowed")
    if agreement.psnr_y is None and (agreement.psnr_db or math.inf) < LEAST_LIKENESS_DB:
        problems.append(f"{agreement.psnr_db:.1f} dB apart, {LEAST_LIKENESS_DB:.0f} dB are needed")
    if agreement.psnr_y is not None and agreement.network_psnr_y is not None:
        apart = agreement.psnr_y - agreement.network_psnr_y
        if not math.fabs(apart) <= limit:
            problems.append(f"{apart:+.3f} dB against the truth, {limit} dB are allowed")
    if problems:
        raise ParityError(f"{what} is not the trained network: {'; '.join(problems)}")

"""Files written from quantized networks, run by LiteRT."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert.tools import flatbuffer_utils
from fixtures.quantized import NETWORKS, images, network, quantized

from edgesr.convert.agreement import (
    check_stored,
    insist_on_agreement,
    measure_agreement,
)
from edgesr.convert.graph import parse_graph
from edgesr.convert.quantized import Io, write_quantized
from edgesr.convert.verify import reference, run_tflite
from edgesr.errors import ConversionError, ParityError
from edgesr.quantize.network import QuantizedNetwork, quantize
from edgesr.results.manifest import Agreement

SIZE = (24, 32)


def _nhwc(batch: torch.Tensor) -> Any:
    return batch.permute(0, 2, 3, 1).contiguous().numpy()


def _prelus(network: QuantizedNetwork) -> frozenset[str]:
    return frozenset(node.name for node in network.nodes if node.op == "prelu")


def _agreement(network: QuantizedNetwork, path: Path, io: Io = "float32") -> Agreement:
    data = write_quantized(network, SIZE, io)
    check_stored(data, network, path.name)
    path.write_bytes(data)
    checked = _nhwc(images(3, seed=7))
    truth = np.repeat(np.repeat(checked, network.spec.scale, 1), network.spec.scale, 2)
    return measure_agreement(path, network, checked, truth)


@pytest.mark.parametrize("name", NETWORKS)
def test_litert_computes_what_the_network_does(name: str, tmp_path: Path) -> None:
    network = quantized(name)
    agreement = _agreement(network, tmp_path / "a.tflite")
    insist_on_agreement(agreement, network, name)
    assert agreement.equal > (0.97 if name.startswith("espcn") else 0.85)
    assert agreement.max_steps <= (2 if name == "espcn" else 8)


@pytest.mark.parametrize("io", ["uint8", "int8"])
def test_integer_ends_change_no_pixel(io: Io, tmp_path: Path) -> None:
    network = quantized("residual")
    float_ends, integer_ends = tmp_path / "float.tflite", tmp_path / "integer.tflite"
    float_ends.write_bytes(write_quantized(network, SIZE, "float32"))
    integer_ends.write_bytes(write_quantized(network, SIZE, io))
    checked = _nhwc(images(2, seed=3))
    assert np.array_equal(run_tflite(float_ends, checked), run_tflite(integer_ends, checked))
    graph = parse_graph(integer_ends.read_bytes(), source=io)
    assert {tensor.dtype for tensor in graph.tensors} <= {"int8", "int32", io}
    (given,) = graph.tensors_of(graph.inputs)
    assert given.quantization is not None
    assert given.quantization.scale == pytest.approx((1 / 255,))
    assert given.quantization.zero_point == ((0,) if io == "uint8" else (-128,))


def test_everything_between_the_ends_is_int8() -> None:
    graph = parse_graph(write_quantized(quantized("span"), SIZE, "float32"), source="span")
    assert graph.ops[0].name == "QUANTIZE"
    assert graph.ops[-1].name == "DEQUANTIZE"
    assert {graph.tensors[op.outputs[0]].dtype for op in graph.ops[:-1]} == {"int8"}
    assert graph.op_counts()["DEPTH_TO_SPACE"] == 1
    for op in graph.ops:
        if op.name == "CONV_2D":
            weights, bias = graph.tensors_of(op.inputs[1:])
            assert (weights.dtype, bias.dtype) == ("int8", "int32")
            assert weights.quantization is not None
            assert len(weights.quantization.scale) == weights.shape[0]


@pytest.mark.parametrize("name", ["elsr", "srvgg"])
def test_prelus_stay_float_in_islands(name: str, tmp_path: Path) -> None:
    network = quantized(name)
    with network.computing(floats=_prelus(network)):
        agreement = _agreement(network, tmp_path / "island.tflite")
    assert agreement.equal > 0.97
    graph = parse_graph((tmp_path / "island.tflite").read_bytes(), source=name)
    by_type = {(op.name, graph.tensors[op.outputs[0]].dtype) for op in graph.ops}
    assert ("PRELU", "float32") in by_type
    assert ("CONV_2D", "float32") not in by_type


@pytest.mark.parametrize("name", NETWORKS)
def test_any_layer_may_stay_float(name: str, tmp_path: Path) -> None:
    network = quantized(name)
    for layer in network.operations.layers().values():
        with network.computing(floats=frozenset(layer)):
            agreement = _agreement(network, tmp_path / "mixed.tflite")
            insist_on_agreement(agreement, network, name)


def test_all_layers_float_is_the_float_network(tmp_path: Path) -> None:
    network = quantized("span")
    every = frozenset(node.name for node in network.nodes)
    path, checked = tmp_path / "float.tflite", _nhwc(images(2, seed=5))
    with network.computing(floats=every, as_stored=True):
        path.write_bytes(write_quantized(network, SIZE, "float32"))
        expected = reference(network, checked)
    assert np.abs(run_tflite(path, checked) - expected).max() < 1e-5


def _conv_input(model: Any, place: int) -> Any:
    """A tensor that the second conv reads: 0 activation, 1 weights, 2 bias."""
    graph = model.subgraphs[0]
    convs = [op for op in graph.operators if len(op.inputs) == 3]
    return graph.tensors[convs[1].inputs[place]]


def _wider(model: Any) -> None:
    tensor = _conv_input(model, 0)
    tensor.quantization.scale = [tensor.quantization.scale[0] * 1.001]


def _shifted(model: Any) -> None:
    tensor = _conv_input(model, 0)
    tensor.quantization.zeroPoint = [tensor.quantization.zeroPoint[0] + 1]


def _one_channel(model: Any) -> None:
    tensor = _conv_input(model, 1)
    scales = list(tensor.quantization.scale)
    tensor.quantization.scale = [*scales[:-1], scales[-1] * 1.001]


def _one_weight(model: Any) -> None:
    data = model.buffers[_conv_input(model, 1).buffer].data
    data[5] = (int(data[5]) + 1) % 256


def _one_bias(model: Any) -> None:
    data = model.buffers[_conv_input(model, 2).buffer].data
    data[0] = (int(data[0]) + 1) % 256


def _end(model: Any) -> Any:
    graph = model.subgraphs[0]
    return graph.tensors[graph.inputs[0]]


def _wider_end(model: Any) -> None:
    _end(model).quantization.scale = [3 / 255]


def _shifted_end(model: Any) -> None:
    _end(model).quantization.zeroPoint = [1]


@pytest.mark.parametrize(
    "alter",
    [_wider, _shifted, _one_channel, _one_weight, _one_bias, _wider_end, _shifted_end],
)
def test_a_file_altered_by_hand_is_rejected(alter: Callable[[Any], None]) -> None:
    network = quantized("espcn")
    data = write_quantized(network, SIZE, "uint8")
    check_stored(data, network, "a file")
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    alter(model)
    altered = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    with pytest.raises(ConversionError, match="is not the network's"):
        check_stored(altered, network, "a file")


def _altered(data: bytes, alter: Callable[[Any], None]) -> bytes:
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    alter(model)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def test_a_file_without_its_relu_is_rejected() -> None:
    network = quantized("espcn")

    def no_relu(model: Any) -> None:
        convs = [op for op in model.subgraphs[0].operators if len(op.inputs) == 3]
        convs[0].builtinOptions.fusedActivationFunction = 0

    data = _altered(write_quantized(network, SIZE, "uint8"), no_relu)
    with pytest.raises(ConversionError, match="something else"):
        check_stored(data, network, "a file")


def test_altered_float_weights_are_rejected() -> None:
    network = quantized("espcn")
    (first, *_) = network.operations.layers().values()

    def zeroed(model: Any) -> None:
        tensors = {tensor.name: tensor for tensor in model.subgraphs[0].tensors}
        buffer = model.buffers[tensors[b"conv1/weights/half"].buffer]
        buffer.data = np.zeros(len(buffer.data), np.uint8)

    with network.computing(floats=frozenset(first)):
        data = write_quantized(network, SIZE, "float32")
        check_stored(data, network, "a file")
        with pytest.raises(ConversionError, match="values of conv1/weights/half"):
            check_stored(_altered(data, zeroed), network, "a file")


def test_a_channel_of_zeros_can_be_written(tmp_path: Path) -> None:
    model = network("espcn")
    with torch.no_grad():
        model.get_submodule("conv1").weight[2] = 0  # type: ignore[index]
        model.get_submodule("conv1").bias[2] = 0.7  # type: ignore[index]
    made = quantize(model, "ptq", images()).eval()
    insist_on_agreement(_agreement(made, tmp_path / "a.tflite"), made, "int8")


def test_constants_lie_where_kernels_want_them() -> None:
    """The schema's ``force_align: 16``."""
    data = write_quantized(quantized("espcn"), SIZE, "float32")
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    found = 0
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data) > 32:
            assert data.index(bytes(bytearray(buffer.data))) % 16 == 0
            found += 1
    assert found >= 4


def test_another_networks_file_is_rejected() -> None:
    data = write_quantized(quantized("elsr"), SIZE, "float32")
    with pytest.raises(ConversionError):
        check_stored(data, quantized("espcn"), "elsr")


def test_a_float_file_is_rejected() -> None:
    network = quantized("espcn")
    with network.computing(floats=frozenset(node.name for node in network.nodes)):
        data = write_quantized(network, SIZE, "float32")
    with pytest.raises(ConversionError, match="as integers"):
        check_stored(data, network, "a float file")


def _agreed(**changes: Any) -> Agreement:
    good = {"equal": 1.0, "max_steps": 0, "psnr_y": 30.0, "network_psnr_y": 30.0, "images": 1}
    return Agreement(**{**good, **changes})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"equal": 0.96}, "96.0% of the values"),
        ({"max_steps": 3}, "3 steps off"),
        ({"psnr_y": 29.97}, "-0.030 dB"),
        ({"psnr_y": float("nan")}, "nan dB"),
    ],
)
def test_pixels_apart_are_refused(changes: dict[str, Any], reason: str) -> None:
    network = quantized("espcn")
    insist_on_agreement(_agreed(), network, "int8")
    with pytest.raises(ParityError, match=reason) as caught:
        insist_on_agreement(_agreed(**changes), network, "int8")
    assert caught.value.exit_code == 6


def test_gates_may_round_otherwise_but_not_cost_quality() -> None:
    network = quantized("span")
    insist_on_agreement(_agreed(equal=0.9, max_steps=9, psnr_y=29.97), network, "int8")
    with pytest.raises(ParityError):
        insist_on_agreement(_agreed(psnr_y=29.8), network, "int8")


def test_values_outside_an_image_saturate(tmp_path: Path) -> None:
    network, path = quantized("espcn"), tmp_path / "a.tflite"
    path.write_bytes(write_quantized(network, SIZE, "float32"))
    wild = _nhwc(images(1)) * 3 - 1
    wild[0, 0, :3] = np.inf, -np.inf, 1e30
    found = run_tflite(path, wild)
    assert np.array_equal(found, run_tflite(path, wild.clip(0, 1)))
    assert found.min() >= 0
    assert found.max() <= 1


def test_no_numbers_give_pixels_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(write_quantized(quantized("espcn"), SIZE, "float32"))
    found = run_tflite(path, np.full((1, *SIZE, 3), np.nan, np.float32))
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("shape", [(1, 12, 32, 3), (1, 24, 32, 1)])
def test_images_of_another_size_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(write_quantized(quantized("elsr"), SIZE, "float32"))
    with pytest.raises(ConversionError, match="LiteRT refuses"):
        run_tflite(path, np.zeros(shape, np.float32))


def test_a_bias_that_does_not_fit_is_refused() -> None:
    network = quantized("espcn")
    with torch.no_grad():
        bias = network.conv("conv2").bias
        assert bias is not None
        bias[0] = 1e9
    with pytest.raises(ConversionError, match="does not fit into 32 bits"):
        write_quantized(network, SIZE, "float32")

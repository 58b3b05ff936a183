"""Rounding weights for the least error of the outputs."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from fixtures.tiny import tiny_tflite
from numpy.typing import NDArray

from edgesr.convert.graph import parse_graph
from edgesr.convert.rounding import _store, compensated_rounding, round_weights
from edgesr.convert.verify import FLOORS_DB
from edgesr.errors import ConversionError

INPUT_SCALE = 1 / 255


def _correlated(rng: np.random.Generator, rows: int, width: int) -> NDArray[np.float64]:
    """Rows that vary mostly along a quarter of their directions."""
    basis = rng.normal(size=(width // 4, width))
    return rng.normal(size=(rows, width // 4)) @ basis + 0.05 * rng.normal(size=(rows, width))


def test_outputs_are_nearer_than_with_nearest_weights() -> None:
    rng = np.random.default_rng(0)
    x, unseen = np.split(_correlated(rng, 4000, 72), 2)
    weights = rng.normal(size=(72, 16))
    scale = np.abs(weights).max(axis=0) / 127
    stored = compensated_rounding(weights, scale, x.T @ x / len(x))
    assert np.abs(stored).max() <= 127
    assert (stored == stored.round()).all()

    def error(whole: NDArray[np.float64]) -> float:
        return float(np.mean((unseen @ (weights - whole * scale)) ** 2))

    assert error(stored) < error(np.round(weights / scale)) / 3


def test_independent_inputs_are_rounded_to_nearest() -> None:
    weights = np.random.default_rng(0).normal(size=(9, 4))
    scale = np.abs(weights).max(axis=0) / 127
    stored = compensated_rounding(weights, scale, np.eye(9))
    assert (stored == np.round(weights / scale)).all()


def test_weights_stay_in_range_and_dead_inputs_do_no_harm() -> None:
    weights = np.full((9, 2), 200.0)
    stored = compensated_rounding(weights, np.ones(2), np.zeros((9, 9)))
    assert (stored == 127).all()


def _int8_of(fp32: bytes) -> bytes:
    """The tiny network with weights rounded to nearest, stored as int8; not made to be run."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(fp32))
    graph = model.subgraphs[0]
    for op in (op for op in parse_graph(fp32, source="x").ops if op.name == "CONV_2D"):
        kernel, bias = (graph.tensors[index] for index in op.inputs[1:])
        weights = _stored(model, kernel, np.float32).reshape(kernel.shape)
        scale = np.abs(weights).max(axis=(1, 2, 3)) / 127
        whole = np.round(weights / scale[:, None, None, None]).astype(np.int8)
        _set(model, kernel, whole, schema.TensorType.INT8, scale)
        floats = _stored(model, bias, np.float32)
        ints = np.round(floats / (scale * INPUT_SCALE)).astype(np.int32)
        _set(model, bias, ints, schema.TensorType.INT32, scale * INPUT_SCALE)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _stored(model: Any, tensor: Any, dtype: Any) -> NDArray[Any]:
    return np.frombuffer(bytes(bytearray(model.buffers[tensor.buffer].data)), dtype)


def _set(model: Any, tensor: Any, values: NDArray[Any], kind: int, scale: NDArray[Any]) -> None:
    model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    tensor.type = kind
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = scale.astype(np.float32)
    tensor.quantization.zeroPoint = np.zeros(len(scale), np.int64)


def _convs(data: bytes) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Real weights (O, K) and biases (O) of an int8 file."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    found = []
    for op in (op for op in parse_graph(data, source="x").ops if op.name == "CONV_2D"):
        kernel, bias = (model.subgraphs[0].tensors[index] for index in op.inputs[1:])
        whole = _stored(model, kernel, np.int8).reshape(kernel.shape[0], -1)
        scaled = _stored(model, bias, np.int32) * np.asarray(bias.quantization.scale)
        found.append((whole * np.asarray(kernel.quantization.scale)[:, None], scaled))
    return found


def _waves(count: int) -> NDArray[np.float32]:
    y, x = np.mgrid[0:40, 0:40]
    images = [0.5 + 0.4 * np.sin(x / (3 + i)) * np.cos(y / (4 + i)) for i in range(count)]
    return np.repeat(np.stack(images)[..., None], 3, axis=-1).astype(np.float32)


def test_a_file_gets_better_weights_and_biases_only() -> None:
    fp32 = tiny_tflite()
    kept = bytes(fp32)
    nearest = _int8_of(fp32)
    rounded = round_weights(nearest, fp32, _waves(4))
    assert fp32 == kept
    assert parse_graph(rounded, source="x") == parse_graph(nearest, source="x")
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(fp32))
    kernel = model.subgraphs[0].tensors[parse_graph(fp32, source="x").ops[0].inputs[1]]
    weights = _stored(model, kernel, np.float32).reshape(8, -1)
    windows = np.lib.stride_tricks.sliding_window_view(_waves(6)[4:], (3, 3), axis=(1, 2))
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 27)
    expected = rows @ weights.T + 0.01

    def error(data: bytes) -> float:
        found, bias = _convs(data)[0]
        return float(np.mean((rows @ found.T + bias - expected) ** 2))

    assert error(rounded) < error(nearest) / 3


def test_a_tensor_that_shares_its_values_gets_its_own() -> None:
    """The converter stores equal biases once: a network may hold several of zeros."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(tiny_tflite()))
    tensors = model.subgraphs[0].tensors
    first, second = (op.inputs[2] for op in model.subgraphs[0].operators[:2])
    tensors[second].buffer = tensors[first].buffer
    before = _stored(model, tensors[second], np.float32)
    _store(model, first, np.zeros(8, np.float32))
    assert (_stored(model, tensors[first], np.float32) == 0).all()
    np.testing.assert_array_equal(_stored(model, tensors[second], np.float32), before)
    assert before.any()


def test_another_networks_float_file_is_refused() -> None:
    with pytest.raises(ConversionError, match="other weights"):
        round_weights(_int8_of(tiny_tflite()), tiny_tflite(seed=1), _waves(1))


def test_the_floor_is_not_lowered() -> None:
    assert FLOORS_DB["int8"] == FLOORS_DB["int8-io"] == 30.0

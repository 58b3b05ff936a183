from pathlib import Path

import pytest
from fixtures.tiny import tiny_tflite

from edgesr.convert.graph import parse_graph, read_graph
from edgesr.errors import InputError


def test_ops_shapes_and_macs() -> None:
    graph = parse_graph(tiny_tflite(12, 16), source="tiny")

    assert [op.name for op in graph.ops] == ["CONV_2D", "CONV_2D", "DEPTH_TO_SPACE"]
    assert graph.ops[0].attributes["fusedActivationFunction"] == "RELU"
    assert graph.ops[0].attributes["padding"] == "SAME"
    assert graph.ops[2].attributes["blockSize"] == 2
    assert [op.macs for op in graph.ops] == [12 * 16 * 8 * 27, 12 * 16 * 12 * 72, 0]
    assert graph.macs == 12 * 16 * (8 * 27 + 12 * 72)
    assert graph.tensors_of(graph.inputs)[0].shape == (1, 12, 16, 3)
    assert graph.tensors_of(graph.outputs)[0].shape == (1, 24, 32, 3)
    assert graph.op_counts() == {"CONV_2D": 2, "DEPTH_TO_SPACE": 1}


def test_quantization_and_constants() -> None:
    graph = parse_graph(tiny_tflite(uint8_io=True), source="tiny")

    image = graph.tensors_of(graph.inputs)[0]
    assert image.dtype == "uint8"
    assert image.quantization is not None
    assert image.quantization.scale == pytest.approx((1 / 255,))
    assert image.quantization.zero_point == (0,)
    assert image.quantization.axis is None
    assert not image.constant
    weights = graph.tensors[graph.ops[1].inputs[1]]
    assert weights.constant
    assert weights.index in graph.static_tensors


def test_what_is_no_tflite_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(b"not a model at all")
    with pytest.raises(InputError, match=r"a\.tflite is no \.tflite file"):
        read_graph(path)
    with pytest.raises(InputError, match="does not exist"):
        read_graph(tmp_path / "missing.tflite")
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is no"):
        read_graph(path)


def test_every_cut_is_an_input_error_or_the_same_graph() -> None:
    whole = tiny_tflite()
    good = parse_graph(whole, source="whole")
    refused = 0
    for length in range(8, len(whole), 13):
        try:
            assert parse_graph(whole[:length], source="cut") == good
        except InputError:
            refused += 1
    assert refused > 100


def test_flipped_bytes_never_give_another_exception() -> None:
    whole = bytearray(tiny_tflite())
    for position in range(8, len(whole), 29):
        broken = bytearray(whole)
        broken[position] ^= 0xFF
        try:
            parse_graph(bytes(broken), source="flipped")
        except InputError:
            continue

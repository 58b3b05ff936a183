import dataclasses

import pytest
from fixtures.tiny import tiny_tflite

from edgesr.convert.graph import Graph, Op, Tensor, parse_graph
from edgesr.convert.lint import (
    DELEGATES,
    check_rules,
    coverage,
    expected_coverage,
    partitions,
)
from edgesr.errors import ConversionError

SHAPE = (1, 4, 4, 3)


def _graph(*ops: Op, dtype: str = "float32", constants: tuple[int, ...] = ()) -> Graph:
    count = 1 + max(index for op in ops for index in op.inputs + op.outputs)
    tensors = tuple(Tensor(i, f"t{i}", SHAPE, dtype, i in constants) for i in range(count))
    return Graph(tensors, ops, (0,), ops[-1].outputs)


def test_a_clean_graph_is_one_piece_everywhere() -> None:
    for taken in expected_coverage(parse_graph(tiny_tflite(), source="tiny")).values():
        assert (taken.nodes_total, taken.nodes_delegated, taken.partitions) == (3, 3, 1)
        assert taken.refused == {}


def test_nearest_neighbour_splits_xnnpack_and_not_gpu() -> None:
    graph = parse_graph(tiny_tflite(partial=True), source="tiny")
    found = expected_coverage(graph)

    assert found["xnnpack"].refused == {"RESIZE_NEAREST_NEIGHBOR": "not supported"}
    assert (found["xnnpack"].nodes_delegated, found["xnnpack"].partitions) == (4, 3)
    assert (found["gpu"].nodes_delegated, found["gpu"].partitions) == (5, 1)
    with pytest.raises(ConversionError, match="RESIZE_NEAREST_NEIGHBOR"):
        check_rules(graph, "fp32")


def test_partitions_run_in_tflites_order() -> None:
    # 0 -> a -> 1 -> b -> 2, and 0 -> c -> 3; b is refused: a and c share the first piece.
    ops = (
        Op(0, "RELU", (0,), (1,)),
        Op(1, "GATHER", (1,), (2,)),
        Op(2, "RELU", (0,), (3,)),
        Op(3, "ADD", (2, 3), (4,)),
    )
    graph = _graph(*ops)
    assert partitions(graph, {0, 2, 3}) == [[0, 2], [1], [3]]
    assert partitions(graph, set()) == [[0, 1, 2, 3]]


def test_gpu_takes_only_the_largest_piece() -> None:
    ops = (
        Op(0, "RELU", (0,), (1,)),
        Op(1, "BROADCAST_TO", (1,), (2,)),
        Op(2, "RELU", (2,), (3,)),
        Op(3, "ADD", (2, 3), (4,)),
    )
    found = coverage(_graph(*ops), DELEGATES["gpu"])
    assert (found.nodes_delegated, found.partitions) == (2, 2)
    assert found.refused["BROADCAST_TO"] == "not supported"


def test_int8_prelu_and_uint8_requantize_are_refused_by_xnnpack() -> None:
    graph = _graph(Op(0, "PRELU", (0, 1), (2,)), dtype="int8", constants=(1,))
    assert coverage(graph, DELEGATES["xnnpack"]).refused == {"PRELU": "not in int8"}
    tensors = (Tensor(0, "a", SHAPE, "uint8", False), Tensor(1, "b", SHAPE, "int8", False))
    graph = Graph(tensors, (Op(0, "QUANTIZE", (0,), (1,)),), (0,), (1,))
    assert coverage(graph, DELEGATES["xnnpack"]).refused == {"QUANTIZE": "from uint8 to int8"}


def test_unpacked_fp16_constants_follow_their_reader() -> None:
    ops = (
        Op(0, "DEQUANTIZE", (0,), (1,)),
        Op(1, "DEQUANTIZE", (2,), (3,)),
        Op(2, "ADD", (4, 1), (5,)),
        Op(3, "BROADCAST_TO", (5, 3), (6,)),
    )
    graph = dataclasses.replace(_graph(*ops, constants=(0, 2)), inputs=(4,))
    assert coverage(graph, DELEGATES["xnnpack"]).nodes_delegated == 2  # 0 goes with its ADD
    assert coverage(graph, DELEGATES["gpu"]).nodes_delegated == 1  # none: not the whole graph


@pytest.mark.parametrize(
    ("op", "shape", "message"),
    [
        (Op(0, "GATHER", (0,), (1,)), SHAPE, "GATHER"),
        (Op(0, "ADD", (0,), (1,)), (1, 2, 2, 2, 3), "rank 5"),
        (Op(0, "ADD", (0,), (1,)), (1, 3, 4, 4), "not one NHWC RGB image"),
    ],
)
def test_rules_name_what_breaks_them(op: Op, shape: tuple[int, ...], message: str) -> None:
    tensors = tuple(Tensor(i, "t", shape, "float32", constant=False) for i in range(2))
    with pytest.raises(ConversionError, match=message):
        check_rules(Graph(tensors, (op,), (0,), (1,)), "fp32")


def test_six_inputs_are_too_many_to_concatenate() -> None:
    graph = _graph(Op(0, "CONCATENATION", (0, 1, 2, 3, 4, 5), (6,)))
    assert "6 inputs" in coverage(graph, DELEGATES["xnnpack"]).refused["CONCATENATION"]
    with pytest.raises(ConversionError, match="CONCATENATION: 6 inputs"):
        check_rules(graph, "fp16")
    check_rules(graph, "int8")

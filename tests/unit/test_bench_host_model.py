"""The host runner's own arithmetic: delegation, statistics, flags, pixels."""

from typing import Any

import numpy as np
import pytest

from edgesr.bench.host_model import Limits, Node, Stats, delegation, timed
from edgesr.bench.host_runner import Failed, parse_flags
from edgesr.bench.pixels import decode_output, encode_tile
from edgesr.quality.pixels import to_pixels
from edgesr.results.manifest import TensorInfo


def node(inputs: list[int], outputs: list[int], *, delegate: bool = False) -> Node:
    return Node(tuple(inputs), tuple(outputs), delegate)


def test_a_wholly_delegated_chain_is_one_partition() -> None:
    nodes = [node([0], [1]), node([1], [2]), node([0], [2], delegate=True)]
    found = delegation(nodes, [2])
    assert (found.delegated, found.total, found.kernels, found.partitions) == (2, 2, 1, 1)


def test_no_delegate_means_nothing_taken() -> None:
    found = delegation([node([0], [1]), node([1], [2])], [2])
    assert (found.delegated, found.total, found.kernels, found.partitions) == (0, 2, 0, 1)


def test_a_left_over_in_the_middle_gives_three_pieces() -> None:
    chain = [node([0], [1]), node([1], [2]), node([2], [3])]
    ends = [node([0], [1], delegate=True), node([2], [3], delegate=True)]
    found = delegation([*chain, *ends], [3])
    assert (found.delegated, found.total, found.kernels, found.partitions) == (2, 3, 2, 3)


def test_left_overs_beside_each_other_are_one_piece() -> None:
    chain = [node([0], [1]), node([1], [2]), node([2], [3])]
    found = delegation([*chain, node([2], [3], delegate=True)], [3])
    assert (found.delegated, found.kernels, found.partitions) == (1, 1, 2)


@pytest.mark.parametrize(
    ("samples", "line"),
    [
        ([], "count=0 p5=0 median=0 p95=0"),
        ([7], "count=1 curr=7 p5=7 median=7 p95=7"),
        ([3, 3], "count=2 curr=3(all same) p5=3 median=3 p95=3"),
        ([4, 1, 2, 3], "count=4 first=4 curr=3 min=1 max=4 avg=2.5 std=1 p5=1 median=3 p95=4"),
        (
            [2500000, 2600001],
            (
                "count=2 first=2500000 curr=2600001 min=2500000 max=2600001 avg=2.55e+06 "
                "std=50000 p5=2500000 median=2600001 p95=2600001"
            ),
        ),
    ],
)
def test_the_count_line_has_the_official_forms(samples: list[int], line: str) -> None:
    assert Stats(samples).line() == line


@pytest.mark.parametrize(
    ("limits", "count"),
    [(Limits(5, 0, 9), 5), (Limits(0, 0, 9), 0), (Limits(5, 0, 0), 1), (Limits(5, 0, -1), 0)],
)
def test_limits_act_like_the_official_tools(limits: Limits, count: int) -> None:
    def work() -> None:
        sum(range(2000))

    assert len(timed(work, lambda: None, limits)) == count


def test_only_name_equals_value_counts_and_the_first_wins() -> None:
    values, given, unconsumed = parse_flags(
        ["--num_threads=2", "--num_threads=4", "-use_xnnpack=true", "--use_gpu=true", "--graph"]
    )
    assert values["num_threads"] == 2
    assert values["use_xnnpack"] is None
    assert given == ["num_threads"]
    assert unconsumed == ["--num_threads=4", "-use_xnnpack=true", "--use_gpu=true", "--graph"]


@pytest.mark.parametrize("flag", ["--use_xnnpack=True", "--num_runs=abc", "--help"])
def test_bad_values_and_help_fail_with_the_usage(flag: str) -> None:
    with pytest.raises(Failed) as raised:
        parse_flags([flag])
    assert any("--graph" in str(message) for message in raised.value.args)


def tensor(dtype: str, shape: tuple[int, ...] = (1, 3, 4, 3), **more: Any) -> TensorInfo:
    span = (0, 1) if dtype == "float32" else (0, 255)
    return TensorInfo(name="x", shape=shape, dtype=dtype, range=span, **more)


@pytest.mark.parametrize(("dtype", "zero_point"), [("float32", None), ("uint8", 0), ("int8", -128)])
def test_pixels_survive_encoding_and_decoding(dtype: str, zero_point: int | None) -> None:
    scale = None if zero_point is None else 1 / 255
    image = np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7
    info = tensor(dtype, scale=scale, zero_point=zero_point)
    back = decode_output(encode_tile(image, info), info)
    assert np.array_equal(to_pixels(back), image)


def test_an_output_of_the_wrong_size_is_no_image() -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_output(b"\0" * 35, tensor("uint8"))


def test_rounding_is_half_up_and_clipped() -> None:
    values = np.array([[[-1.0, 0.5 / 255, 2.0]]])
    assert to_pixels(values).tolist() == [[[0, 1, 255]]]

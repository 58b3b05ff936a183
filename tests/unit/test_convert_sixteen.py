"""int8 weights with int16 values between operations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert.tools import flatbuffer_utils
from fixtures.quantized import NETWORKS, images, network
from torch.nn import functional as F  # noqa: N812

from edgesr.convert.child import ChildJob, run_child
from edgesr.convert.flatbuffer import FLOAT, Stored, TfliteWriter
from edgesr.convert.graph import Graph, Op, Tensor, read_graph
from edgesr.convert.lint import check_rules, expected_coverage
from edgesr.convert.onnx import export_onnx
from edgesr.convert.sixteen import _File, refine_weights
from edgesr.convert.verify import FLOORS_DB, reference, run_tflite
from edgesr.models.fold import fold
from edgesr.results.manifest import VARIANTS

SIZE = (24, 32)
SHAPE = (1, 4, 4, 3)


def _nhwc(count: int, seed: int = 0) -> Any:
    return images(count, seed=seed).permute(0, 2, 3, 1).contiguous().numpy()


def _psnr_db(found: Any, wanted: Any) -> float:
    return float(-10 * np.log10(np.mean((found.astype(np.float64) - wanted) ** 2)))


def _graph(op: Op, *dtypes: str) -> Graph:
    tensors = tuple(Tensor(i, "t", SHAPE, dtype, False) for i, dtype in enumerate(dtypes))
    return Graph(tensors, (op,), (0,), (1,))


@pytest.mark.parametrize("delegate", ["xnnpack", "gpu", "nnapi"])
def test_no_delegate_takes_int16(delegate: str) -> None:
    for name in ("CONV_2D", "ADD", "LOGISTIC", "TANH", "RELU", "DEQUANTIZE"):
        found = expected_coverage(_graph(Op(0, name, (0,), (1,)), "int16", "int16"))[delegate]
        assert found.refused == {name: "not in int16"}
    into = expected_coverage(_graph(Op(0, "QUANTIZE", (0,), (1,)), "float32", "int16"))[delegate]
    assert into.refused == {"QUANTIZE": "to int16"}
    into = expected_coverage(_graph(Op(0, "QUANTIZE", (0,), (1,)), "float32", "int8"))[delegate]
    assert into.refused == {}


def test_every_variant_has_a_floor() -> None:
    assert set(FLOORS_DB) == set(VARIANTS)
    assert FLOORS_DB["int8"] < FLOORS_DB["16x8"] < FLOORS_DB["fp16"]


def _two_convs(weights: Any, bias: Any, steps: Any) -> bytes:
    """float -> QUANTIZE -> two convs in int16 that share weights and bias -> DEQUANTIZE."""
    file, zeros = TfliteWriter(), (0,) * len(steps)
    half = 2.0**-14
    given = file.tensor("in", SHAPE, FLOAT)
    w = file.tensor("w", weights.shape, Stored("int8", tuple(steps), zeros),
                    np.round(weights / steps.reshape(-1, 1, 1, 1)).astype(np.int8))  # fmt: skip
    wide: Any = "int64"
    b = file.tensor("b", bias.shape, Stored(wide, tuple(steps * half), zeros),
                    np.round(bias / (steps * half)).astype(np.int64))  # fmt: skip
    sixteen: Any = "int16"
    between = [file.tensor(name, SHAPE, Stored(sixteen, (half,), (0,))) for name in "xyz"]
    made = file.op("QUANTIZE", [given], between[0])
    ones = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    for target in between[1:]:
        made = file.op("CONV_2D", [made, w, b], target, **ones)
    out = file.op("DEQUANTIZE", [made], file.tensor("out", SHAPE, FLOAT))
    return file.finish(given, out)


def test_one_of_two_convs_that_share_tensors_is_rewritten(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights, bias = random.normal(0, 0.2, (3, 3, 3, 3)), random.normal(0, 0.1, 3)
    steps = np.abs(weights).max((1, 2, 3)) / 127
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(_two_convs(weights, bias, steps)))
    file = _File(model)
    first, _ = file.convs()
    assert file.made_of(first, weights)
    assert not file.made_of(first, weights + 2 * steps.reshape(-1, 1, 1, 1))
    assert not file.made_of(first, weights[:, :1])

    other = torch.nn.Conv2d(3, 3, 3, padding=1)
    grid = torch.tensor([0.01, 0.02, 0.03]).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        other.weight.copy_(torch.randint(-9, 10, other.weight.shape) * grid)
    file.rewrite(first, other, grid.flatten().double().numpy())
    path = tmp_path / "two.tflite"
    path.write_bytes(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))

    image = random.uniform(0, 0.5, SHAPE).astype(np.float32)
    rounded = np.round(weights / steps.reshape(-1, 1, 1, 1)) * steps.reshape(-1, 1, 1, 1)
    kept = torch.from_numpy(rounded).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        middle = other(torch.from_numpy(image).permute(0, 3, 1, 2))
        wanted = F.conv2d(middle, kept, torch.from_numpy(bias).float(), padding=1)
    found = run_tflite(path, image)
    assert np.abs(found - wanted.permute(0, 2, 3, 1).numpy()).max() < 5 * 2.0**-14


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_converters_file_runs_and_gets_better_weights(name: str, tmp_path: Path) -> None:
    model = network(name)
    deploy, calibration, checked = fold(model), _nhwc(8), _nhwc(3, seed=7)
    export_onnx(deploy, tmp_path / "model.onnx", SIZE)
    np.save(tmp_path / "calibration.npy", calibration)
    parameters = {"onnx": "model.onnx", "calibration": "calibration.npy", "variants": ["16x8"],
                  "out": str(tmp_path)}  # fmt: skip
    run_child(ChildJob("edgesr.convert.tflite", parameters, tmp_path, 300), lambda _: None)
    path, wanted = tmp_path / "16x8.tflite", reference(deploy, checked)

    graph = read_graph(path)
    check_rules(graph, "16x8")
    for op in graph.ops:
        kinds = [tensor.dtype for tensor in graph.tensors_of(op.inputs + op.outputs)]
        if op.name == "CONV_2D":
            assert kinds == ["int16", "int8", "int64", "int16"]
        elif op.name in ("DEPTH_TO_SPACE", "PRELU"):  # no int16 kernel, or none used
            assert set(kinds) == {"float32"}
    before = _psnr_db(run_tflite(path, checked), wanted)

    convs = graph.op_counts()["CONV_2D"]
    trained = sum(
        c.weight.requires_grad for c in deploy.modules() if isinstance(c, torch.nn.Conv2d)
    )
    assert refine_weights(path, model, calibration) == trained
    assert convs - trained in (0, 1)  # a skip of ones has nothing to round
    assert [op.name for op in read_graph(path).ops] == [op.name for op in graph.ops]
    after = _psnr_db(run_tflite(path, checked), wanted)
    assert after > before + 1

"""What an evaluation is found again by."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgesr.data.images import write_png
from edgesr.data.pairs import Pair
from edgesr.files import sha256_file
from edgesr.quality.memo import evaluation_key
from edgesr.quality.onnxrun import OnnxRunner, weight_files


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    write_png(tmp_path / "lr.png", np.zeros((4, 4, 3), np.uint8))
    write_png(tmp_path / "hr.png", np.zeros((8, 8, 3), np.uint8))
    return [Pair("one", tmp_path / "lr.png", tmp_path / "hr.png", "text")]


def key(pairs: list[Pair], model: object, *options: object) -> str:
    return evaluation_key(pairs, str(model), options)


def write_network(path: Path, weight: float) -> Path:
    """x2 by one convolution whose weights lie in a file beside it, as PyTorch writes them."""
    weights = numpy_helper.from_array(np.full((12, 3, 1, 1), weight, np.float32), "w")
    shapes = (("x", [1, 3, None, None]), ("z", None))
    (x, z) = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in shapes)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"]),
        helper.make_node("DepthToSpace", ["y"], ["z"], blocksize=2),
    ]
    graph = helper.make_graph(nodes, "g", [x], [z], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (path.parent / "w.bin").unlink(missing_ok=True)
    onnx.save_model(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    return path


def test_everything_counts(pairs: list[Pair], tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(b"1")
    keys = [key(pairs, model), key(pairs, model, "other"), key(pairs, "bicubic")]
    model.write_bytes(b"2")
    keys.append(key(pairs, model))
    keys.append(key([Pair("one", pairs[0].lr, pairs[0].hr, "other")], model))
    write_png(pairs[0].lr, np.ones((4, 4, 3), np.uint8))
    keys.append(key(pairs, model))
    assert len(set(keys)) == len(keys)
    assert key(pairs, model) == keys[-1]


def test_weights_beside_an_onnx_count(pairs: list[Pair], tmp_path: Path) -> None:
    model = write_network(tmp_path / "m.onnx", 0.1)
    assert weight_files(model) == [tmp_path / "w.bin"]
    image = np.full((8, 8, 3), 200, np.uint8)
    found = [(key(pairs, model), sha256_file(model), OnnxRunner(model).upscale(image)[0, 0, 0])]
    write_network(model, 0.2)
    found.append((key(pairs, model), sha256_file(model), OnnxRunner(model).upscale(image)[0, 0, 0]))
    keys, graphs, pixels = zip(*found, strict=True)
    assert graphs[0] == graphs[1]
    assert pixels[0] != pixels[1]
    assert keys[0] != keys[1]


def test_a_bundled_network_is_told_by_its_own_bytes(
    pairs: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a candidate's folder."""
    (tmp_path / "model.tflite").write_bytes(b"a candidate")
    (tmp_path / "weights").mkdir()
    bundled = tmp_path / "weights" / "net.pt"
    monkeypatch.setattr("edgesr.quality.memo.asset_folder", lambda kind: tmp_path / kind)
    monkeypatch.chdir(tmp_path)
    keys = []
    for content in (b"1", b"2"):
        bundled.write_bytes(content)
        keys.append(key(pairs, "net"))
    assert keys[0] != keys[1]


def test_a_candidate_is_told_by_its_network(pairs: list[Pair], tmp_path: Path) -> None:
    folder = tmp_path / "candidate"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    for model in (folder, folder / "manifest.json"):
        (folder / "model.tflite").write_bytes(b"1")
        before = key(pairs, model)
        (folder / "model.tflite").write_bytes(b"2")
        assert key(pairs, model) != before

"""The real converter, on small networks and sizes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from click.testing import Result
from fixtures.quantized import quantized
from typer.testing import CliRunner

from edgesr.cli.app import app
from edgesr.convert.graph import read_graph
from edgesr.convert.lint import expected_coverage, partitions
from edgesr.convert.pipeline import ConvertRequest, convert
from edgesr.convert.verify import FLOORS_DB
from edgesr.data.images import read_image, write_png
from edgesr.errors import CheckpointError, ConversionError, ParityError, StoreError
from edgesr.models.checkpoint import save_checkpoint
from edgesr.models.registry import ModelSpec, build_model
from edgesr.quantize.lsq import LsqActivation
from edgesr.results.manifest import VARIANTS
from edgesr.results.store import Candidate, Workspace

SIZE = (24, 32)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth and edgy low-res images."""
    folder = tmp_path_factory.mktemp("low-res")
    y, x = np.mgrid[0:48, 0:64]
    for i in range(8):
        wave = 127 + 120 * np.sin(x / (3 + i)) * np.cos(y / (2 + i))
        image = np.stack([wave, np.roll(wave, i, 1), 255 - wave], -1)
        image[10 + i : 20 + i, 20:40] = (i * 30, 0, 255)
        write_png(folder / f"{i}.png", image.clip(0, 255).astype(np.uint8))
    return folder


def _checkpoint(folder: Path, arch: str, scale: int = 2, **options: object) -> Path:
    torch.manual_seed(0)
    model = build_model(ModelSpec(arch, scale, options))  # type: ignore[arg-type]
    model.start_at_interpolation()  # untrained weights give no picture, and no fair parity
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 1e-4)
    save_checkpoint(folder / f"{arch}.pt", model, {})
    return folder / f"{arch}.pt"


NETWORKS = [
    ("elsr", 2, {}),
    ("espcn", 3, {"activation": "tanh"}),
    ("srvgg", 2, {"features": 8, "convs": 3}),
    ("span", 2, {"features": 8}),
    ("residual", 2, {}),
]


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda network: network[0])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, images: Path
) -> list[Candidate]:
    arch, scale, options = request.param
    folder = tmp_path_factory.mktemp(arch)
    path = _checkpoint(folder, arch, scale, **options)
    asked = ConvertRequest(str(path), ("all",), SIZE, images)
    return convert(asked, Workspace(folder / "work"))


def left_over(path: Path) -> set[int]:
    """Original nodes that LiteRT itself runs outside XNNPACK: backward from the outputs."""
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    graph, details = read_graph(path), interpreter._get_ops_details()
    producer = {int(t): op for op in details for t in op["outputs"]}  # delegates come last
    waiting, seen = [int(index) for index in graph.outputs], set()
    while waiting:
        op = producer.get(waiting.pop())
        if op is not None and op["index"] not in seen:
            seen.add(op["index"])
            waiting += [int(index) for index in op["inputs"] if index >= 0]
    assert any(index >= len(graph.ops) for index in seen), "XNNPACK took nothing"
    return {index for index in seen if index < len(graph.ops)}


@pytest.mark.slow
def test_all_variants_of_every_network(made: list[Candidate]) -> None:
    possible = set(VARIANTS) - {"mixed"}
    if made[0].manifest.model.arch not in ("elsr", "srvgg"):
        possible.remove("int8-island")
    found = [candidate.manifest.variant for candidate in made]
    assert found == [variant for variant in VARIANTS if variant in possible]
    for candidate in made:
        manifest, graph = candidate.manifest, read_graph(candidate.path)
        parity = manifest.parity
        assert parity.psnr_db is None or parity.psnr_db >= parity.floor_db
        expected = expected_coverage(graph)["xnnpack"]
        assert manifest.coverage["xnnpack"] == expected
        left = left_over(candidate.path)
        assert len(graph.ops) - len(left) == expected.nodes_delegated, manifest.name
        taken = {op.index for op in graph.ops} - left
        assert len(partitions(graph, taken)) == expected.partitions
        if manifest.variant in ("fp32", "fp16"):
            assert (expected.nodes_delegated, expected.partitions) == (len(graph.ops), 1)
        assert manifest.inputs[0].shape == (1, *SIZE, 3)
        scale = manifest.model.scale
        assert manifest.outputs[0].shape == (1, SIZE[0] * scale, SIZE[1] * scale, 3)
        assert "GATHER" not in manifest.ops
        assert manifest.ops["DEPTH_TO_SPACE"] == 1


@pytest.mark.slow
def test_integer_variants_are_integer_inside(made: list[Candidate]) -> None:
    by_variant = {candidate.manifest.variant: candidate for candidate in made}
    for variant in ("int8", "int8-io"):
        graph = read_graph(by_variant[variant].path)
        for op in graph.ops[1:-1]:
            assert graph.tensors[op.outputs[0]].dtype == "int8", op.name
        quantization = by_variant[variant].manifest.quantization
        assert quantization is not None
        assert (quantization.method, quantization.rounding) == ("ptq", "gptq")
        assert quantization.agreement.equal > 0.8
    pixels = by_variant["int8-io"].manifest
    for tensor in (*pixels.inputs, *pixels.outputs):
        assert tensor.dtype == "uint8"
        assert tensor.scale == pytest.approx(1 / 255, rel=1e-6)
        assert (tensor.zero_point, tensor.range) == (0, (0, 255))
    assert by_variant["fp32"].manifest.inputs[0].dtype == "float32"
    assert by_variant["int8"].manifest.calibration == "low-res0"
    assert by_variant["fp32"].manifest.calibration is None
    assert by_variant["fp32"].manifest.quantization is None


def _elsr(tmp_path: Path) -> Path:
    return _checkpoint(tmp_path, "elsr")


def test_the_command_makes_a_candidate_that_its_name_finds(tmp_path: Path, images: Path) -> None:
    path, work = _elsr(tmp_path), tmp_path / "work"
    common = ["--size", "24x32", "--calibration", str(images), "--workspace", str(work), "-q"]
    result = CliRunner().invoke(app, ["convert", str(path), *common, "--json"])
    assert result.exit_code == 0, result.output
    (document,) = json.loads(result.stdout)
    assert document["name"] == "elsr-24x32-fp32"
    found = Workspace(work).candidate("elsr-24x32-fp32")
    assert found.manifest.id == document["id"]
    inspected = CliRunner().invoke(
        app, ["inspect", "elsr-24x32-fp32", "--workspace", str(work), "--json"]
    )
    tree = json.loads(inspected.stdout)
    assert tree["op_counts"]["CONV_2D"] == 4
    assert tree["macs"] == found.manifest.model.macs
    assert tree["coverage"]["gpu"]["partitions"] == 1
    shown = CliRunner().invoke(app, ["inspect", str(found.path)])
    assert "DEPTH_TO_SPACE" in shown.stdout
    assert "xnnpack" in shown.stdout


@pytest.mark.slow
def test_below_the_floor_nothing_is_added(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FLOORS_DB, "fp16", 200.0)
    workspace = Workspace(tmp_path / "work")
    request = ConvertRequest(str(_elsr(tmp_path)), ("fp32", "fp16"), SIZE, images)
    with pytest.raises(ParityError, match=r"fp16: .* nothing was added") as caught:
        convert(request, workspace)
    assert "these pass: --fp32" in caught.value.hint
    assert workspace.candidates() == []
    assert not (tmp_path / "work").exists()


def test_a_child_that_dies_leaves_nothing(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "if 'edgesr.convert.tflite' in ' '.join(sys.orig_argv):\n"
        "    print('out of memory soon', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    with pytest.raises(ConversionError, match="killed by signal 9") as caught:
        convert(
            ConvertRequest(str(_elsr(tmp_path)), ("fp32",), SIZE, images),
            Workspace(tmp_path / "work"),
        )
    assert "out of memory soon" in str(caught.value)
    assert not (tmp_path / "work").exists()


def test_a_truncated_checkpoint_is_an_input_error(tmp_path: Path) -> None:
    path = _elsr(tmp_path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(CheckpointError, match=r"elsr\.pt"):
        convert(ConvertRequest(str(path)), Workspace(tmp_path / "work"))


def test_a_workspace_that_is_a_file_is_a_store_error(tmp_path: Path, images: Path) -> None:
    (tmp_path / "work").write_text("in the way")
    request = ConvertRequest(str(_elsr(tmp_path)), ("fp32",), SIZE, images)
    with pytest.raises(StoreError, match="can't write"):
        convert(request, Workspace(tmp_path / "work"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsr.pt", "work"]


@pytest.mark.slow
def test_two_checkpoints_of_one_stem_keep_both(tmp_path: Path, images: Path) -> None:
    workspace = Workspace(tmp_path / "work")
    (tmp_path / "b").mkdir()
    first = _elsr(tmp_path)
    second = _checkpoint(tmp_path / "b", "elsr", 3)
    names = []
    for path in (first, second, first):
        (one,) = convert(ConvertRequest(str(path), ("fp32",), SIZE, images), workspace)
        names.append(one.manifest.name)
    assert names[0] == names[2] == "elsr-24x32-fp32"
    assert names[1].startswith("elsr.")
    assert {one.manifest.name for one in workspace.candidates()} == set(names)


def test_inspect_imports_neither_torch_nor_tensorflow() -> None:
    code = (
        "import sys, edgesr.cli.inspect, edgesr.convert.graph, edgesr.convert.lint\n"
        "import ai_edge_litert.schema_py_generated\n"
        "assert not {'torch', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))


def _convert(*arguments: object) -> Result:
    common = ("--size", "24x32", "-q")
    return CliRunner().invoke(app, ["convert", *map(str, arguments), *common])


def test_ways_to_integers_are_candidates_of_their_own(tmp_path: Path, images: Path) -> None:
    path, work = _elsr(tmp_path), tmp_path / "work"
    ways = [(), ("--ranges", "minmax"), ("--ranges", "percentile"), ("--rounding", "nearest")]
    for way in (*ways, ("--int8-io", "--io", "int8")):
        result = _convert(path, "--int8", *way, "--calibration", images, "--workspace", work)
        assert result.exit_code == 0, result.output
    names = sorted(one.manifest.name for one in Workspace(work).candidates())
    stem = "elsr-24x32-int8"
    endings = ("", "-io-int8", "-minmax", "-nearest", "-percentile")
    assert names == [f"{stem}{ending}" for ending in endings]
    pixels = Workspace(work).candidate(f"{stem}-io-int8").manifest.inputs[0]
    assert (pixels.dtype, pixels.zero_point, pixels.range) == ("int8", -128, (-128, 127))


def test_a_network_trained_for_integers_carries_its_scales(tmp_path: Path, images: Path) -> None:
    network = quantized("espcn")
    with torch.no_grad():
        cast("LsqActivation", network.activations["conv1"]).learned.factor.mul_(1.25)
    save_checkpoint(tmp_path / "trained.pt", network, {})
    work = Workspace(tmp_path / "work")
    asked = ConvertRequest(str(tmp_path / "trained.pt"), ("all",), SIZE, images)
    made = convert(asked, work)
    assert [one.manifest.variant for one in made] == ["int8", "int8-io"]
    for one in made:
        about = one.manifest.quantization
        assert about is not None
        assert (about.method, about.ranges, about.rounding) == ("lsq", None, None)
        assert about.agreement.equal >= 0.97
        assert about.agreement.max_steps <= 2
        tensors = {tensor.name: tensor for tensor in read_graph(one.path).tensors}
        learned = tensors["conv1"].quantization
        assert learned is not None
        assert learned.scale[0] == pytest.approx(network.grids()["conv1"].scale, rel=1e-6)
    float_wanted = _convert(tmp_path / "trained.pt", "--fp32", "--workspace", work.root)
    assert float_wanted.exit_code == 2
    assert "trained by lsq for integers" in float_wanted.output


def test_the_most_sensitive_layers_stay_in_half_precision(tmp_path: Path, images: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    rows = [f"{path},{path.with_suffix('')}-hr.png," for path in sorted(images.glob("?.png"))]
    for path in sorted(images.glob("?.png")):
        large = np.repeat(np.repeat(read_image(path), 2, 0), 2, 1)
        write_png(Path(f"{path.with_suffix('')}-hr.png"), large)
    pairs.write_text("\n".join(["lr,hr,text", *rows]) + "\n")
    path, work = _checkpoint(tmp_path, "residual"), tmp_path / "work"
    arguments = (path, "--mixed", "--calibration", pairs, "--workspace", work)
    result = _convert(*arguments, "--budget", "0.05", "--rounding", "nearest")
    assert result.exit_code == 0, result.output
    (one,) = Workspace(work).candidates()
    about = one.manifest.quantization
    assert about is not None
    dtypes = {tensor.dtype for tensor in read_graph(one.path).tensors}
    assert {"int8", "float32"} <= dtypes
    nothing = _convert(*arguments, "--budget", "90")
    assert nothing.exit_code == 0, nothing.output
    variants = sorted(one.manifest.variant for one in Workspace(work).candidates())
    assert variants == ["int8", "mixed"]  # it keeps its own name: nothing of it is float
    for each in images.glob("?-hr.png"):
        each.unlink()


def test_what_a_network_can_not_become_is_said(tmp_path: Path, images: Path) -> None:
    path = _checkpoint(tmp_path, "residual")
    no_prelu = _convert(path, "--int8-island", "--calibration", images)
    assert no_prelu.exit_code == 2
    assert "no PReLU" in no_prelu.output
    no_truth = _convert(path, "--mixed", "--calibration", images)
    assert no_truth.exit_code == 2
    assert "pairs.csv" in no_truth.output

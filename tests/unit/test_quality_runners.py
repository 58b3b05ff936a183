"""Every kind of model file as one function on images."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from fixtures.tiny import tiny_candidate, tiny_tflite
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from edgesr.errors import EdgesrError, InputError, UsageError
from edgesr.models.blocks import DepthToSpace
from edgesr.models.checkpoint import load_checkpoint, save_checkpoint
from edgesr.models.registry import ModelSpec, build_model
from edgesr.quality.litert import TfliteRunner
from edgesr.quality.onnxrun import OnnxRunner
from edgesr.quality.pixels import Encoding, to_pixels, to_unit
from edgesr.quality.receptive import tflite_radius
from edgesr.quality.receptive_torch import torch_radius
from edgesr.quality.runners import RunnerOptions, TorchRunner, open_runner, open_runner_with
from edgesr.quality.tiling import Tiling
from edgesr.results.store import Workspace


def image_of(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def untiled(module: nn.Module, image: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        batch = torch.from_numpy(to_unit(image)).permute(2, 0, 1)[None]
        return to_pixels(module(batch)[0].permute(1, 2, 0).numpy())


def steps_apart(a: np.ndarray, b: np.ndarray) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def tiny_twin(seed: int = 0) -> nn.Module:
    """The network of `fixtures.tiny.tiny_tflite` in torch."""
    rng = np.random.default_rng(seed)
    first, last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1)
    for conv, shape in ((first, (8, 3, 3, 3)), (last, (12, 3, 3, 8))):
        weight = rng.normal(0, 0.2, shape).astype(np.float32)
        conv.weight.data = torch.from_numpy(weight).permute(0, 3, 1, 2).contiguous()
        conv.bias.data.fill_(0.01)
    return nn.Sequential(first, nn.ReLU(), last, DepthToSpace(2)).eval()


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    return path


@pytest.mark.parametrize("shape", [(12, 16), (45, 61), (9, 50), (7, 8), (100, 16)])
def test_a_fixed_size_tflite_runs_any_size_without_seams(
    tiny_file: Path, shape: tuple[int, int]
) -> None:
    runner = open_runner(str(tiny_file), threads=1)
    image = image_of(*shape)
    result = runner.upscale(image)
    assert runner.scale == 2
    assert len(np.unique(result)) > 50  # a picture, not a constant
    assert steps_apart(result, untiled(tiny_twin(), image)) <= 1


def test_without_overlap_the_same_file_shows_seams(tiny_file: Path) -> None:
    runner = TfliteRunner(tiny_file)
    assert (tflite_radius(tiny_file), runner.tiling.overlap) == (2, 2)
    runner.tiling = Tiling(12, 16, 0, fixed=True)
    image = image_of(45, 61)
    assert steps_apart(runner.upscale(image), untiled(tiny_twin(), image)) > 1


def test_uint8_input_and_output_are_the_same_picture(tmp_path: Path, tiny_file: Path) -> None:
    path = tmp_path / "bytes.tflite"
    path.write_bytes(tiny_tflite(uint8_io=True))
    image = image_of(30, 40)
    assert (
        steps_apart(TfliteRunner(path).upscale(image), TfliteRunner(tiny_file).upscale(image)) <= 1
    )


def test_a_candidate_is_opened_by_folder_and_by_manifest(tmp_path: Path) -> None:
    candidate = tiny_candidate(Workspace(tmp_path / "work"))
    folder = candidate.path.parent
    image = image_of(20, 20)
    expected = untiled(tiny_twin(), image)
    for name in (folder, folder / "manifest.json", candidate.path):
        runner = open_runner(str(name))
        assert runner.sha256 == candidate.manifest.id
        assert steps_apart(runner.upscale(image), expected) <= 1


def elsr_checkpoint(folder: Path) -> Path:
    torch.manual_seed(0)
    model = build_model(ModelSpec("elsr", 2))
    model.start_at_interpolation()
    save_checkpoint(folder / "elsr.pt", model, {})
    return folder / "elsr.pt"


def test_a_checkpoint_runs_whole_or_in_tiles_alike(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(elsr_checkpoint(tmp_path))
    runner = TorchRunner(checkpoint, threads=1)
    image = image_of(70, 90)
    expected = untiled(checkpoint.model, image)
    assert runner.tiling.overlap == torch_radius(checkpoint.model.deploy()) == 4
    assert steps_apart(runner.upscale(image), expected) <= 1
    runner.tiling = Tiling(20, 24, runner.tiling.overlap, fixed=False)
    assert steps_apart(runner.upscale(image), expected) <= 1


def test_torch_threads_are_put_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    runner = TorchRunner(load_checkpoint(elsr_checkpoint(tmp_path)), threads=before + 1)
    runner.upscale(image_of(8, 8))
    assert torch.get_num_threads() == before


def onnx_file(path: Path, height: int | str, width: int | str, *, dtype: int = 1) -> nn.Module:
    """Writes conv 3x3 + DepthToSpace as ONNX and returns its twin in torch."""
    torch.manual_seed(1)
    twin = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), DepthToSpace(2)).eval()
    weight, bias = (p.detach().numpy() for p in twin[0].parameters())
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["h"], pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["h"], ["y"], blocksize=2, mode="DCR"),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", dtype, [1, 3, height, width])],
        [helper.make_tensor_value_info("y", dtype, [1, 3, None, None])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return twin


@pytest.mark.parametrize(("size", "fixed"), [(("h", "w"), False), ((16, 20), True)])
def test_onnx_runs_any_size(tmp_path: Path, size: tuple[int | str, ...], *, fixed: bool) -> None:
    path = tmp_path / "net.onnx"
    twin = onnx_file(path, *size)
    runner = open_runner(str(path), threads=1)
    assert isinstance(runner, OnnxRunner)
    assert (runner.scale, runner.tiling.overlap, runner.tiling.fixed) == (2, 1, fixed)
    image = image_of(37, 53)
    assert steps_apart(runner.upscale(image), untiled(twin, image)) <= 1


def test_bicubic_needs_a_scale_and_keeps_flat_colours() -> None:
    with pytest.raises(UsageError, match="scale"):
        open_runner("bicubic")
    result = open_runner("bicubic", scale=3).upscale(np.full((5, 7, 3), 90, np.uint8))
    assert result.shape == (15, 21, 3)
    assert (result == 90).all()


def test_a_scale_that_is_not_the_models_is_refused(tiny_file: Path) -> None:
    with pytest.raises(UsageError, match="x2, not x3"):
        open_runner(str(tiny_file), scale=3)


def test_options_reach_the_checkpoint(tmp_path: Path) -> None:
    model = build_model(ModelSpec("espcn", 2))
    torch.save(model.state_dict(), tmp_path / "espcn.pth")
    image = image_of(12, 12)
    by_activation = [
        open_runner_with(
            str(tmp_path / "espcn.pth"), RunnerOptions(options={"activation": activation})
        ).upscale(image)
        for activation in ("relu", "tanh")
    ]
    assert (by_activation[0] != by_activation[1]).any()
    assert "activation" in open_runner(str(tmp_path / "espcn.pth")).notes[0]


@pytest.mark.parametrize("name", ["gone.tflite", "gone.onnx", "gone.pth", "gone"])
def test_a_missing_model_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="gone"):
        open_runner(str(tmp_path / name))


@pytest.mark.parametrize("name", ["bad.tflite", "bad.onnx", "bad.pth", "bad.bin", "bad"])
@pytest.mark.parametrize("content", [b"", b"not a model at all", b"TFL3" * 40])
def test_a_damaged_model_is_one_clear_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="bad") as caught:
        open_runner(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_tflite_is_refused(tmp_path: Path, share: float) -> None:
    whole = tiny_tflite()
    (tmp_path / "cut.tflite").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=r"cut\.tflite"):
        open_runner(str(tmp_path / "cut.tflite"))


def test_an_onnx_that_takes_no_image_is_refused(tmp_path: Path) -> None:
    onnx_file(tmp_path / "odd.onnx", 16, 16, dtype=TensorProto.DOUBLE)
    with pytest.raises(InputError, match=r"odd\.onnx"):
        open_runner(str(tmp_path / "odd.onnx"))


def test_a_network_that_yields_nan_is_an_error(tmp_path: Path) -> None:
    model = build_model(ModelSpec("elsr", 2))
    next(model.parameters()).data.fill_(float("nan"))
    save_checkpoint(tmp_path / "nan.pt", model, {})
    with pytest.raises(EdgesrError, match="NaN"):
        open_runner(str(tmp_path / "nan.pt")).upscale(image_of(8, 8))


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [(np.uint8, 1 / 255, 0), (np.int8, 1 / 255, -128), (np.uint8, 0.0, 0), (np.uint8, 1.0, 0),
     (np.int8, 0.0, 0), (np.float32, 0.0, 0)],
)  # fmt: skip
def test_encodings_keep_every_byte(dtype: type, scale: float, zero_point: int) -> None:
    encoding = Encoding.of(dtype, scale, zero_point)
    image = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, 2)
    tensor = encoding.encode(image)
    assert tensor.dtype == dtype
    np.testing.assert_array_equal(encoding.decode(tensor), image)


def test_an_encoding_clips_what_its_range_does_not_reach() -> None:
    encoding = Encoding.of(np.int8, 1 / 200, -128)  # white would be 72: fits; darker scale: no
    assert encoding.decode(np.array([-128, 72, 127], np.int8)).tolist() == [0, 255, 255]
    with pytest.raises(InputError, match="int32"):
        Encoding.of(np.int32, 1.0, 0)

"""``edgesr package`` at the command line, and on candidates that edgesr itself converted."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from fixtures.quantized import quantized
from fixtures.tiny import tiny_candidate
from typer.testing import CliRunner

from edgesr.cli.app import app
from edgesr.convert.pipeline import ConvertRequest, convert
from edgesr.data.images import read_image, write_png
from edgesr.models.checkpoint import save_checkpoint
from edgesr.models.registry import ModelSpec, build_model
from edgesr.package.metadata import min_runtime
from edgesr.package.model import PackedModel
from edgesr.results.store import Workspace

SIZE = (24, 32)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app/src/main").mkdir(parents=True)
    return tmp_path


def _edgesr(verb: str, *arguments: object) -> Result:
    return CliRunner().invoke(app, [verb, *map(str, arguments)])


def _images(folder: Path) -> Path:
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(4):
        write_png(folder / f"{number}.png", random.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
    return folder


def test_the_command_line(project: Path) -> None:
    work = project / "work"
    tiny_candidate(Workspace(work))
    arguments = ("tiny-12x16-fp32", "--app", project, "--workspace", work)
    refused = _edgesr("package", *arguments)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    unknown = _edgesr("package", *arguments, "--force", "--delegate", "xnpack")
    assert unknown.exit_code == 2
    nowhere = _edgesr("package", "tiny-12x16-fp32", "--app", work, "--workspace", work, "--force")
    assert nowhere.exit_code == 2
    assert "no Android project" in nowhere.stderr
    assert not (project / "app/src/main/assets").exists()
    result = _edgesr("package", *arguments, "--force", "--threads", "3", "--json")
    assert result.exit_code == 0, result.output
    (told,) = json.loads(result.stdout)["packages"]
    folder = Path(told["folder"])
    assert (told["selected"], told["threads"], told["delegate"]) == (False, 3, "xnnpack")
    assert sorted(told["files"]) == sorted(path.name for path in folder.iterdir())
    shown = _edgesr("inspect", folder / "model.tflite")
    assert "metadata: tiny-12x16-fp32" in shown.stdout
    told = json.loads(_edgesr("inspect", folder / "model.tflite", "--json").stdout)
    assert told["metadata"]["inputs"][0]["std"] == [255.0]
    bare = json.loads(_edgesr("inspect", work / "candidates", "--json").stdout or "{}")
    assert "metadata" not in bare
    (candidate,) = Workspace(work).candidates()
    assert json.loads(_edgesr("inspect", candidate.path, "--json").stdout)["metadata"] is None


def test_bench_select_package(project: Path) -> None:
    work, images = project / "work", _images(project / "lr")
    candidate = tiny_candidate(Workspace(work), height=24, width=32, centre=1.0)
    for path in images.iterdir():
        large = np.repeat(np.repeat(read_image(path), 2, 0), 2, 1)
        write_png(project / f"hr-{path.name}", large)
    rows = [f"lr/{path.name},hr-{path.name}," for path in sorted(images.iterdir())]
    (project / "pairs.csv").write_text("\n".join(["lr,hr,text", *rows]) + "\n")
    common = ("--workspace", work, "-q")
    measured = _edgesr(
        "bench", "--device", "host", "--delegate", "xnnpack", "--threads", 1, "--rounds", 6,
        "--accuracy", project / "pairs.csv", *common,
    )  # fmt: skip
    assert measured.exit_code == 0, measured.output
    (project / "mine.toml").write_text(
        'name = "mine"\n[constraints]\nlatency_median_ms = { max = 5000 }\n'
        '[objective]\norder = ["latency_median_ms"]\n'
    )
    chosen = _edgesr("select", "--criteria", project / "mine.toml", *common)
    assert chosen.exit_code == 0, chosen.output
    other = _edgesr("package", "--app", project, "--device-class", "budget", *common)
    assert (other.exit_code, "budget" in other.output) == (2, True)
    winners = _edgesr("package", "--app", project, "--json", *common)
    result = _edgesr("package", candidate.manifest.name, "--app", project, "--json", *common)
    assert result.exit_code == 0, result.output
    assert json.loads(winners.stdout) == json.loads(result.stdout)
    (told,) = json.loads(result.stdout)["packages"]
    assert (told["selected"], told["device_class"], told["threads"]) == (True, "host", 1)
    contract = json.loads((Path(told["folder"]) / "contract.json").read_text())
    (job,) = contract["measured"]
    assert job["median_ms"] > 0
    assert job["psnr_y"] is not None
    assert contract["selection"]["criteria"]["name"] == "mine"
    assert str(project) not in (Path(told["folder"]) / "MODEL_CARD.md").read_text()


def test_winners_that_would_share_a_folder_are_refused(project: Path) -> None:
    work = Workspace(project / "work")
    one, other = tiny_candidate(work), tiny_candidate(work, seed=1, height=14)
    for candidate, name in ((one, "a-b"), (other, "a_b")):
        manifest = candidate.manifest.model_copy(update={"name": name})
        (candidate.path.parent / "manifest.json").write_text(manifest.to_json())
    choice = {"variant": "fp32", "delegate": "xnnpack", "threads": 1, "scale": 2, "input": "16×12"}
    winners = [
        {**choice, "candidate": candidate.manifest.id, "name": "a", "device_class": where}
        for candidate, where in ((one, "budget"), (other, "flagship"))
    ]
    selection = {"schema": 1, "created_at": "2026-11-25", "criteria": {}, "winners": winners}
    (work.root / "selection.json").write_text(json.dumps(selection))
    arguments = ("package", "--app", project, "--workspace", work.root)
    refused = _edgesr(*arguments)
    assert refused.exit_code == 3
    assert one.manifest.short_id in refused.stderr
    assert not (project / "app/src/main/assets").exists()
    assert _edgesr(*arguments, "--device-class", "budget").exit_code == 0


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_an_integer_file_of_ours(project: Path, kind: str) -> None:
    network = quantized("espcn")
    save_checkpoint(project / "trained.pt", network, {})
    asked = ("--int8-io", "--io", kind, "--size", "24x32", "--calibration", _images(project / "i"))
    work = project / "work"
    made = _edgesr("convert", project / "trained.pt", *asked, "--workspace", work, "-q")
    assert made.exit_code == 0, made.output
    (candidate,) = Workspace(work).candidates()
    result = _edgesr("package", candidate.manifest.id, "--app", project, "--force",
                     "--workspace", work, "--json", "-q")  # fmt: skip
    assert result.exit_code == 0, result.output
    folder = Path(json.loads(result.stdout)["packages"][0]["folder"])
    contract = json.loads((folder / "contract.json").read_text())
    given = contract["input"]
    assert given["dtype"] == kind
    assert (given["scale"], given["zero_point"]) == pytest.approx(
        (candidate.manifest.inputs[0].scale, candidate.manifest.inputs[0].zero_point)
    )
    assert given["range"] == pytest.approx([-128, 127] if kind == "int8" else [0, 255], abs=0.01)
    before = PackedModel(candidate.path.read_bytes(), "before", plain=False)
    after = PackedModel((folder / "model.tflite").read_bytes(), "after", plain=False)
    random = np.random.default_rng(0)
    for _ in range(3):
        picture = random.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        values = before.input.encoding.encode(picture)[None]
        assert before.run(values).tobytes() == after.run(values).tobytes()


@pytest.mark.slow
def test_files_of_the_converter(project: Path) -> None:
    torch.manual_seed(0)
    model = build_model(ModelSpec("elsr", 2))
    model.start_at_interpolation()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 1e-4)
    save_checkpoint(project / "elsr.pt", model, {})
    work = Workspace(project / "work")
    asked = ConvertRequest(str(project / "elsr.pt"), ("all",), SIZE, _images(project / "i"))
    for candidate in convert(asked, work):
        result = _edgesr("package", candidate.manifest.id, "--app", project, "--force",
                         "--workspace", work.root, "--json", "-q")  # fmt: skip
        assert result.exit_code == 0, result.output
        folder = Path(json.loads(result.stdout)["packages"][0]["folder"])
        packed = (folder / "model.tflite").read_bytes()
        assert min_runtime(packed) == min_runtime(candidate.path.read_bytes())
        if candidate.manifest.variant in ("fp32", "fp16"):
            assert min_runtime(packed) is not None

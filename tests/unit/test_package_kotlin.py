"""The Kotlin class: compiled and run on a JVM against stand-ins, where a compiler is at hand."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from fixtures.tiny import tiny_candidate

from edgesr.errors import InputError
from edgesr.package.android import place
from edgesr.package.build import PackageRequest, prepare
from edgesr.package.choice import Asked, split_delegate
from edgesr.package.content import About
from edgesr.results.manifest import Variant
from edgesr.results.store import Workspace

STUBS = Path(__file__).parents[1] / "fixtures" / "kotlin"
KOTLINC = os.environ.get("KOTLINC") or shutil.which("kotlinc")


def _packaged(tmp_path: Path, variant: Variant, delegate: str) -> tuple[Path, str]:
    """(the folder of the assets, the Kotlin file's text)."""
    workspace = Workspace(tmp_path / "work")
    candidate = tiny_candidate(workspace, variant)
    asked = Asked(delegate, 3, force=True)
    content = prepare(workspace, PackageRequest(candidate.manifest.id, asked, About()))
    (tmp_path / "app/src/main").mkdir(parents=True)
    folder = place(tmp_path / "app", content)[0].parent
    return folder, (folder / "EdgesrUpscaler.kt").read_text()


def _constant(text: str, name: str) -> str:
    found = re.search(rf"const val {name} = (.*)", text)
    assert found
    return found[1]


def test_the_choice_stands_in_the_source(tmp_path: Path) -> None:
    folder, text = _packaged(tmp_path, "fp32", "gpu-cl-fp32")
    assert _constant(text, "DELEGATE") == '"gpu-cl-fp32"'
    assert _constant(text, "THREADS") == "3"
    assert _constant(text, "FOLDER") == f'"edgesr/{folder.name}"'
    assert "GpuBackend.OPENCL" in text
    assert "setPrecisionLossAllowed(false)" in text
    assert "NnApiDelegate" not in text


@pytest.mark.parametrize(
    ("delegate", "there", "absent"),
    [
        ("cpu", "onCpu(xnnpack = false)", "GpuDelegate"),
        ("xnnpack", "onCpu(xnnpack = true)", "NnApi"),
        ("gpu", "setPrecisionLossAllowed(true)", "setForceBackend"),
        ("nnapi:qti-dsp", 'setAcceleratorName("qti-dsp")', "GpuDelegate"),
    ],
)
def test_each_delegate_asks_for_itself(
    tmp_path: Path, delegate: str, there: str, absent: str
) -> None:
    _, text = _packaged(tmp_path, "fp32", delegate)
    assert there in text
    assert absent not in text


@pytest.mark.parametrize("name", ['nnapi:a"b', "nnapi:${x}", "gpu-vulkan", "", "cpu\n", "npu"])
def test_a_delegate_that_is_none_reaches_no_source(name: str) -> None:
    with pytest.raises(InputError):
        split_delegate(name)


@pytest.mark.slow
@pytest.mark.skipif(not KOTLINC, reason="needs kotlinc, on PATH or named by KOTLINC")
@pytest.mark.parametrize(
    ("variant", "delegate"),
    [("fp32", "xnnpack"), ("int8-io", "cpu"), ("fp32", "gpu-gl-fp32"), ("fp32", "nnapi:a.b-c_d")],
)
def test_it_compiles_and_checks_its_pixels(tmp_path: Path, variant: Variant, delegate: str) -> None:
    folder, text = _packaged(tmp_path, variant, delegate)
    program = _compiled(tmp_path, folder, text)
    said, pixels = _run(program, folder)
    assert said == {"delegate": delegate, "fallback": "null", "selfTest": "null"}
    golden = prepare_output(tmp_path)
    assert np.array_equal(pixels.reshape(golden.shape), golden)
    said, _ = _run(program, folder, OFF="1")
    assert "off" in said["selfTest"] or "NaN" in said["selfTest"]
    (folder / "golden-input.bin").rename(folder / "away")
    said, _ = _run(program, folder)
    assert "golden-input.bin" in said["selfTest"]
    (folder / "away").rename(folder / "golden-input.bin")
    if delegate.startswith(("gpu", "nnapi")):
        said, _ = _run(program, folder, NO_DELEGATE="1")
        assert said["delegate"] == "xnnpack"
        assert "no such delegate" in said["fallback"]
    if delegate.startswith("gpu"):
        said, _ = _run(program, folder, NO_GPU="1")
        assert said["delegate"] == "xnnpack"
        assert "list of devices" in said["fallback"]


def prepare_output(tmp_path: Path) -> np.ndarray:
    """The golden output as pixels, by edgesr's own decoding."""
    workspace = Workspace(tmp_path / "work")
    (candidate,) = workspace.candidates()
    asked = Asked(force=True)
    content = prepare(workspace, PackageRequest(candidate.manifest.id, asked, About()))
    return content.model.output.encoding.decode(content.golden.made[0])


def _compiled(tmp_path: Path, folder: Path, text: str) -> list[str]:
    identifier = re.search(r"^package org\.edgesr\.(\w+)$", text, re.MULTILINE)
    assert identifier
    main = tmp_path / "Main.kt"
    main.write_text((STUBS / "Main.kt.txt").read_text().replace("IDENTIFIER", identifier[1]))
    jar = tmp_path / "app.jar"
    sources = [*map(str, STUBS.glob("*.kt")), str(folder / "EdgesrUpscaler.kt"), str(main)]
    command = [str(KOTLINC), "-Werror", *sources, "-include-runtime", "-d", str(jar)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return ["java", "-cp", f"{jar}:{os.environ.get('KOTLIN_STDLIB', '')}", "MainKt"]


def _run(program: list[str], folder: Path, **changes: str) -> tuple[dict[str, str], np.ndarray]:
    out = folder.parent.parent / "pixels.rgb"
    environment = {**os.environ, "GOLDEN": str(folder), **changes}
    command = [*program, str(folder.parent.parent), str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    return said, np.frombuffer(out.read_bytes(), np.uint8)

"""The built wheel, as a user meets it: its files, its metadata, its command.

Runs in the nox session ``wheel``, outside the checkout; skipped elsewhere.
"""

import importlib.metadata
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

WHEEL = os.environ.get("WHEEL", "")
pytestmark = pytest.mark.skipif(not WHEEL, reason="needs the built wheel: nox -s wheel")


def names() -> list[str]:
    with zipfile.ZipFile(WHEEL) as wheel:
        return wheel.namelist()


def test_the_wheel_holds_the_package_and_nothing_else() -> None:
    tops = {name.split("/")[0] for name in names()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"edgesr"}
    assert not [name for name in names() if "test" in name or name.endswith((".png", ".log"))]


@pytest.mark.parametrize(
    "needed",
    [
        "edgesr/_assets/devices/host.toml",
        "edgesr/_assets/benchmarks/criteria/slides-quality.toml",
        "edgesr/_assets/benchmarks/suites/quick.toml",
        "edgesr/_assets/benchmarks/suites/sustained.toml",
        "edgesr/_assets/android_bench/binaries.toml",
        "edgesr/_assets/android_bench/run_bench.sh",
        "edgesr/_assets/devices/pixel-8.toml",
        "edgesr/device/standin/phones/pixel-7.toml",
        "edgesr/train/recipes/elsr-tiny.toml",
        "edgesr/train/recipes/ocr-aware.toml",
        "edgesr/data/datasets.toml",
        "edgesr/models/weights/elsr-x2-slides.pt",
        "edgesr/models/weights/elsr-x3-slides.pt",
        "edgesr/py.typed",
    ],
)
def test_the_wheel_holds_what_is_needed(needed: str) -> None:
    assert needed in names()


def test_bundled_weights_are_small() -> None:
    with zipfile.ZipFile(WHEEL) as wheel:
        sizes = [i.file_size for i in wheel.infolist() if "/weights/" in i.filename]
    assert 0 < sum(sizes) < 3_000_000


def test_the_license_is_there() -> None:
    assert importlib.metadata.metadata("edgesr")["License-Expression"] == "Apache-2.0"
    assert [name for name in names() if name.endswith("licenses/LICENSE")]


def edgesr(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).parent / "edgesr"
    return subprocess.run(
        [command, *arguments], capture_output=True, text=True, timeout=300, check=False
    )


def test_help_answers() -> None:
    result = edgesr("--help")
    assert result.returncode == 0
    for verb in ("convert", "bench", "devices", "doctor", "parse", "report", "train", "demo"):
        assert verb in result.stdout


def test_the_installed_command_finds_its_assets(tmp_path: Path) -> None:
    result = edgesr("models", "--json")
    assert result.returncode == 0, result.stderr
    assert "elsr-x2-slides" in result.stdout
    result = edgesr("train", "--recipe", "nothing", "--workspace", str(tmp_path))
    assert result.returncode == 3
    assert "elsr-tiny" in result.stderr

"""The program as a whole: quick to answer, light where it must be, one line per error."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgesr.errors import EdgesrError
from edgesr.results.store import Workspace
from tests.fixtures.tiny import tiny_candidate

EDGESR = [sys.executable, "-m", "edgesr"]


def edgesr(*arguments: str, **how: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EDGESR, *arguments], capture_output=True, text=True, check=False, timeout=300, **how
    )  # type: ignore[call-overload,no-any-return]


def loaded_modules(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print('\\n'.join(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in result.stdout.split()}


def test_help_needs_nothing_heavy() -> None:
    loaded = loaded_modules("import edgesr.cli.app")
    heavy = {
        "torch",
        "tensorflow",
        "numpy",
        "pandas",
        "matplotlib",
        "pydantic",
        "onnx",
        "ai_edge_litert",
        "PIL",
        "skimage",
        "accelerate",
    }
    assert not loaded & heavy


@pytest.mark.parametrize(
    "modules",
    [
        "edgesr.bench.runner",
        "edgesr.report.page",
        "edgesr.convert.graph, edgesr.convert.lint",
        "edgesr.analysis.rows",
        "edgesr.quality.metrics",
    ],
)
def test_measuring_and_reporting_load_neither_torch_nor_tensorflow(modules: str) -> None:
    assert not loaded_modules(f"import {modules}") & {"torch", "tensorflow", "onnx2tf"}


@pytest.mark.parametrize(
    "verb",
    [
        "",
        "demo",
        "models",
        "data",
        "data slides",
        "data pairs",
        "data check",
        "data fetch",
        "data footage",
        "train",
        "transfer",
        "eval",
        "convert",
        "inspect",
        "bench",
        "report",
    ],
)
def test_every_verb_explains_itself(verb: str) -> None:
    result = edgesr(*verb.split(), "--help")
    assert result.returncode == 0
    assert "Usage:" in result.stdout
    assert result.stderr == ""


def test_exit_codes_are_distinct_and_documented() -> None:
    def tree(cls: type[EdgesrError]) -> set[type[EdgesrError]]:
        return {cls}.union(*(tree(child) for child in cls.__subclasses__()))

    import edgesr.errors

    documented = edgesr.errors.__doc__ or ""
    for cls in tree(EdgesrError):
        assert f"{cls.__name__} " in documented
        name = cls.__name__
        line = next(x for x in documented.splitlines() if x.strip(" │├└─").startswith(f"{name} "))
        assert f" {cls.exit_code} " in line


def test_an_unknown_option_is_a_usage_error() -> None:
    result = edgesr("models", "--sideways")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_an_error_is_two_lines_and_a_traceback_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "c.pt").write_bytes(b"junk")
    result = edgesr("convert", str(tmp_path / "c.pt"), "--workspace", str(tmp_path / "w"))
    assert result.returncode == 3
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.strip().splitlines()) == 2
    assert not (tmp_path / "w").exists()
    result = edgesr("convert", str(tmp_path / "c.pt"), "--debug")
    assert "Traceback" in result.stderr
    assert result.returncode == 3


def test_models_prints_one_json_document() -> None:
    result = edgesr("models", "--json")
    assert result.returncode == 0
    document = json.loads(result.stdout)
    assert {row["arch"] for row in document["networks"]} >= {"span", "srvgg", "elsr", "espcn"}


def test_common_options_work_before_and_after_the_verb(tmp_path: Path) -> None:
    for arguments in (
        ("--workspace", str(tmp_path / "a"), "report"),
        ("report", "--workspace", str(tmp_path / "a")),
    ):
        result = edgesr(*arguments)
        assert result.returncode == 3
        assert str(tmp_path / "a") in result.stderr


def test_bench_report_and_inspect_work_where_torch_and_tensorflow_are_missing(
    tmp_path: Path,
) -> None:
    candidate = tiny_candidate(Workspace(tmp_path / "w"))
    without = "import sys\nfor name in ('torch', 'tensorflow', 'onnx2tf', 'accelerate'):\n"
    without += "    sys.modules[name] = None\nfrom edgesr.cli.app import app\napp()"
    for arguments in (
        ["bench", "--rounds", "1", "--threads", "1", "--delegate", "xnnpack"],
        ["report"],
        ["inspect", str(candidate.path)],
    ):
        result = subprocess.run(
            [sys.executable, "-c", without, *arguments, "--workspace", str(tmp_path / "w")],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert result.returncode == 0, result.stderr

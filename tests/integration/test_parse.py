"""``edgesr parse``: logs recorded elsewhere, alone or with what lies beside them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from edgesr.bench.proto import BenchmarkResult, encode_result
from edgesr.cli import parse

RECORDED = Path(__file__).parents[1] / "fixtures" / "benchmark_model"


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command()(parse.command)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def records(*logs: str | Path) -> list[dict[str, Any]]:
    result = run("--json", *logs)
    assert result.exit_code == 0, result.output
    parsed = json.loads(result.stdout)
    assert isinstance(parsed, list)
    return parsed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RECORDED, tmp_path / "logs"))


@pytest.mark.parametrize("ending", ["", ".stdout", ".stderr", ".rc", ".cmd"])
def test_a_stem_or_any_of_its_files_gives_the_whole_launch(ending: str) -> None:
    (record,) = records(RECORDED / f"19c_partial_gpu_max8_verbose{ending}")
    assert record["schema"] == 1
    assert record["file"] == str(RECORDED / "19c_partial_gpu_max8_verbose")
    assert (record["status"], record["reason"], record["cause"]) == ("ok", None, None)
    assert record["verdict"] == {
        "requested": "gpu", "outcome": "partial",
        "nodes_total": 6, "nodes_delegated": 4, "partitions": 5, "refused_ops": ["REVERSE_V2"],
    }  # fmt: skip
    assert record["latency_us"]["median"] == 1718
    assert (record["init_us"], record["init_kind"]) == (1201669, "cold")
    assert record["argv"][1] == "--graph=partial.tflite"
    assert "job" not in record


def test_one_launch_is_read_once_however_often_its_files_are_named() -> None:
    stem = RECORDED / "03b_elsr_xnn_t2"
    found = records(f"{stem}.stdout", f"{stem}.stderr", stem, RECORDED / "09a_missing_file.stdout")
    assert [record["status"] for record in found] == ["ok", "failed"]


def test_without_an_exit_code_the_log_decides(folder: Path) -> None:
    (folder / "03b_elsr_xnn_t2.rc").unlink()
    (folder / "09a_missing_file.rc").unlink()
    good, bad = records(folder / "03b_elsr_xnn_t2", folder / "09a_missing_file")
    assert (good["status"], good["latency_us"]["count"]) == ("ok", 83)
    assert (bad["status"], bad["cause"], bad["latency_us"]) == ("failed", "bad_model", None)
    (folder / "03b_elsr_xnn_t2.rc").write_text("what\n")
    assert records(folder / "03b_elsr_xnn_t2")[0]["status"] == "ok"
    (folder / "03b_elsr_xnn_t2.rc").write_text("137\n")
    assert records(folder / "03b_elsr_xnn_t2")[0]["cause"] == "out_of_memory"


def test_the_command_tells_what_was_asked_for(folder: Path) -> None:
    (with_command,) = records(folder / "20i_litert_use_npu")
    assert (with_command["status"], with_command["cause"]) == ("refused", "unproven")
    (folder / "20i_litert_use_npu.cmd").unlink()
    (alone,) = records(folder / "20i_litert_use_npu")
    assert (alone["status"], alone["verdict"]["requested"]) == ("ok", "default")


def test_a_result_file_beside_the_log_is_preferred(folder: Path) -> None:
    own = BenchmarkResult(
        avg_ms=11.08421, min_ms=11.034, max_ms=11.164, std_ms=0.0521, median_ms=11.058,
        p5_ms=11.034, p95_ms=11.164, init_ms=1.035, first_ms=67.114, num_runs=5,
    )  # fmt: skip
    stem = folder / "20d_litert_peak_result"
    assert records(stem)[0]["source"] == "log"  # the file beside it is of another run
    (folder / "20d_result.pb").write_bytes(encode_result(own))  # the command names it
    (record,) = records(stem)
    assert (record["source"], record["latency_us"]["avg"]) == ("proto", pytest.approx(11084.21))
    Path(f"{stem}.pb").write_bytes(b"torn")
    assert records(stem)[0]["source"] == "log"


def test_profiles_in_the_log_and_beside_it() -> None:
    inside, beside, none = records(
        RECORDED / "19g_partial_gpu_prof",
        RECORDED / "05c_elsr_prof_csv_xnn",
        RECORDED / "03b_elsr_xnn_t2",
    )
    assert [row["ms"] for row in inside["profile"]] == [0.599, 0.591, 0.214, 0.018, 0.015]
    assert beside["profile"][0]["op"] == "Convolution (NHWC, F32) IGEMM"
    assert none["profile"] is None


def our_log(code: str) -> str:
    text = (RECORDED / "03b_elsr_xnn_t2.stdout").read_text()
    command = "/tmp/x y/benchmark_model --graph=it's.tflite --use_xnnpack=true --num_threads=2"  # noqa: S108
    return f"# command: {command}\n{text}# exit code: {code}\n"


@pytest.mark.parametrize(
    ("code", "status", "cause"),
    [("0", "ok", None), ("1", "failed", "other"), ("time-out", "timeout", "timeout"),
     ("139", "failed", "crash")],
)  # fmt: skip
def test_our_own_logs_hold_command_and_exit_code(
    tmp_path: Path, code: str, status: str, cause: str | None
) -> None:
    path = tmp_path / "job-0.txt"
    path.write_text(our_log(code))
    (record,) = records(path)
    assert (record["status"], record["cause"]) == (status, cause)
    assert record["argv"][-1] == "--num_threads=2"
    assert record["verdict"]["requested"] == "xnnpack"


def test_our_own_log_that_was_cut_is_no_success(tmp_path: Path) -> None:
    path = tmp_path / "job-0.txt"
    text = our_log("0")
    for at in range(0, text.index("Inference timings"), 97):
        path.write_text(text[:at])
        (record,) = records(path)
        assert record["status"] == "failed", at
        assert record["cause"] in {"torn_log", "not_a_log", "contradiction"}


def test_logcat_is_read(tmp_path: Path) -> None:
    stdout = (RECORDED / "03b_elsr_xnn_t2.stdout").read_text().replace("INFO: ", "")
    path = tmp_path / "logcat.txt"
    other = "05-31 10:38:42.001  999  999 W ActivityManager: Slow operation: 55ms\n"
    ours = (f"05-31 10:38:42.583 22206 22206 I tflite  : {line}\n" for line in stdout.split("\n"))
    path.write_text(other + other.join(ours))
    (record,) = records(path)
    assert (record["status"], record["latency_us"]["p95"]) == ("ok", 13827)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n", b"\x00\xff\xfe\x80" * 500, b'{"a": 1}', "größe: ü\n".encode("utf-16")],
)
def test_other_files_are_no_logs_and_no_crash(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes"
    path.write_bytes(content)
    (record,) = records(path)
    assert (record["status"], record["cause"]) == ("failed", "not_a_log")
    assert "no log of benchmark_model" in record["reason"]
    assert record["latency_us"] is None


def test_what_is_not_there_is_named_in_one_line(tmp_path: Path) -> None:
    result = run(RECORDED / "03b_elsr_xnn_t2", tmp_path / "gone.txt")
    assert result.exit_code == 3
    assert result.stderr.splitlines()[0] == f"error: {tmp_path / 'gone.txt'} does not exist"
    assert not result.stdout
    folder = run(tmp_path)
    assert folder.exit_code == 3
    assert "can't read" in folder.stderr


def test_the_table_names_delegate_figures_and_reason() -> None:
    result = run(RECORDED / "19c_partial_gpu_max8_verbose", RECORDED / "09q_use_gpu_linux")
    assert result.exit_code == 0
    for words in ("4/6 nodes", "REVERSE_V2", "1.718", "1201.669 cold", "refused", "--use_gpu"):
        assert words in result.stdout

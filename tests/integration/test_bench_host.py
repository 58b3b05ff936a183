"""Benching on this machine: real launches of a tiny model, interruptions, resumption, pixels."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgesr.bench.binaries import BinaryOptions
from edgesr.bench.engine import official
from edgesr.bench.runner import BenchRequest, resume_bench, run_bench
from edgesr.bench.suite import Suite
from edgesr.data.images import read_image, write_png
from edgesr.data.resize import imresize
from edgesr.device.host import HostTransport
from edgesr.errors import InputError, PairsError
from edgesr.files import sha256_file
from edgesr.results.store import Candidate, RunFolder, Workspace
from tests.fixtures.tiny import tiny_candidate

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests" / "fixtures" / "benchmark_model"
SUITE = Suite(
    name="test", threads=(1,), rounds=2, num_runs=3, min_secs=0, max_secs=5, warmup_min_secs=0
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


def make_pairs(folder: Path, height: int = 40, width: int = 44) -> Path:
    """One pair, larger in width and smaller in height than the tiny model's input where asked."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    hr = imresize(coarse, 4)
    write_png(folder / "hr.png", hr)
    write_png(folder / "lr.png", imresize(hr, 0.5))
    (folder / "pairs.csv").write_text("lr,hr,text\nlr.png,hr.png,\n")
    return folder / "pairs.csv"


def fake_binary(path: Path, body: str) -> Path:
    """A benchmark_model that answers --help like the recorded one and else runs ``body``."""
    usage = RECORDED / "01_help.stderr"
    path.write_text(f'#!/bin/sh\ncase "$1" in --help) cat "{usage}" >&2; exit 1;; esac\n{body}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def named(binary: Path) -> BinaryOptions:
    return BinaryOptions(named=(binary,))


def statuses(run: RunFolder) -> list[tuple[str, int | None, str]]:
    return [(r.job.delegate, r.round, r.status) for r in run.records() if r.job]


def test_a_run_is_interleaved_complete_and_told_in_full(workspace: Workspace) -> None:
    whole, part = tiny_candidate(workspace), tiny_candidate(workspace, "fp16", partial=True)
    said: list[tuple[int, int]] = []
    result = run_bench(
        BenchRequest((whole, part), SUITE),
        workspace,
        lambda _device, _what, done, total: said.append((done, total)),
    )
    assert result.counts == {"ok": 4, "refused": 0, "failed": 0}
    records = result.run.records()
    order = [(r.round, r.job.variant, r.job.delegate) for r in records if r.job]
    assert order == [
        (0, "fp32", "cpu"), (0, "fp32", "xnnpack"), (0, "fp16", "cpu"), (0, "fp16", "xnnpack"),
        (1, "fp32", "xnnpack"), (1, "fp16", "cpu"), (1, "fp16", "xnnpack"), (1, "fp32", "cpu"),
    ]  # fmt: skip
    verdicts = {
        (r.job.variant, r.job.delegate): (r.verdict.outcome, r.verdict.nodes_delegated)
        for r in records
        if r.job and r.verdict
    }
    assert verdicts["fp32", "xnnpack"] == ("full", 3)
    assert verdicts["fp16", "xnnpack"] == ("partial", 4)
    assert verdicts["fp16", "cpu"] == ("full", None)
    first = records[0]
    assert first.latency_us is not None
    assert (first.latency_us.count, first.source) == (3, "proto")
    assert first.engine is not None
    assert (first.engine.name, first.engine.version is None) == ("litert-python", False)
    assert first.memory_mb is not None
    assert first.memory_mb.init is not None
    assert first.memory_mb.init > 1
    assert first.memory_mb.peak is not None
    assert first.before is not None
    assert first.log is not None
    assert sha256_file(result.run.path / first.log.path) == first.log.sha256
    assert records[-1].memory_mb is not None
    assert records[-1].memory_mb.peak is None
    assert said[-1] == (8, 8)
    header = result.run.header()
    assert set(header["candidates"]) == {whole.manifest.id, part.manifest.id}
    assert header["devices"]["host"]["profile"] == "host"
    assert len(header["jobs"]) == 4


def test_a_delegate_that_the_host_lacks_is_refused_once_and_never_run(
    workspace: Workspace,
) -> None:
    request = BenchRequest((tiny_candidate(workspace),), SUITE, delegates=("gpu",))
    result = run_bench(request, workspace)
    assert result.counts == {"ok": 0, "refused": 1, "failed": 0}
    (record,) = result.run.records()
    assert (record.status, record.argv, record.latency_us) == ("refused", [], None)
    assert "Android" in (record.reason or "")
    assert len(resume_bench(result.run, workspace).run.records()) == 1


def test_another_variant_is_compared_with_the_fp32_of_its_checkpoint(
    workspace: Workspace, tmp_path: Path
) -> None:
    tiny_candidate(workspace)  # in the workspace only, not measured
    eight = tiny_candidate(workspace, "int8-io")
    suite = SUITE.model_copy(update={"rounds": 1})
    request = BenchRequest((eight,), suite, delegates=("xnnpack",), accuracy=make_pairs(tmp_path))
    (record,) = run_bench(request, workspace).run.records()
    assert record.accuracy is not None
    assert record.accuracy.reference_max_abs is not None
    assert 0 < record.accuracy.reference_max_abs <= 2
    assert record.accuracy.reference_psnr_db is not None
    assert record.accuracy.reference_psnr_db > 45


def test_a_candidate_without_pairs_of_its_scale_gets_a_doubt_not_a_number(
    workspace: Workspace, tmp_path: Path
) -> None:
    pairs = make_pairs(tmp_path)
    double, other = tiny_candidate(workspace), tiny_candidate(workspace, seed=1)
    model = other.manifest.model.model_copy(update={"scale": 4})
    four = Candidate(other.path, other.manifest.model_copy(update={"model": model}))
    suite = SUITE.model_copy(update={"rounds": 1})
    request = BenchRequest((double, four), suite, delegates=("cpu",), accuracy=pairs)
    scored, unscored = run_bench(request, workspace).run.records()
    assert scored.accuracy is not None
    assert (unscored.status, unscored.accuracy) == ("ok", None)
    assert "accuracy_no_pairs" in [doubt.code for doubt in unscored.doubts]


@pytest.mark.parametrize("option", ["--dry-run", "--json"])
def test_pairs_that_fit_no_candidate_are_told_before_anything_is_measured(
    workspace: Workspace, tmp_path: Path, option: str
) -> None:
    pairs = make_pairs(tmp_path)
    write_png(tmp_path / "lr.png", imresize(read_image(tmp_path / "hr.png"), 0.25))
    tiny_candidate(workspace)
    process = bench_process(workspace, "--accuracy", str(pairs), "--threads", "1", option)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "are x4, the candidates are x2" in " ".join(stderr.split())
    assert "--scale 2" in " ".join(stderr.split())
    assert workspace.runs() == []


def test_a_missing_pair_is_told_before_anything_is_measured(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "pairs.csv").write_text("lr,hr,text\nno.png,no.png,\n")
    request = BenchRequest((tiny_candidate(workspace),), SUITE, accuracy=tmp_path / "pairs.csv")
    with pytest.raises(PairsError, match=r"no\.png"):
        run_bench(request, workspace)
    assert workspace.runs() == []


def test_a_hanging_binary_is_killed_with_its_children(workspace: Workspace, tmp_path: Path) -> None:
    marker = tmp_path / "child.pid"
    binary = fake_binary(
        tmp_path / "hangs", f'echo "INFO: STARTING!"; sleep 600 & echo $! > "{marker}"; wait'
    )
    suite = SUITE.model_copy(update={"timeout_s": 1.0, "rounds": 3})
    request = BenchRequest(
        (tiny_candidate(workspace),), suite, delegates=("cpu",), binaries=named(binary)
    )
    begin = time.monotonic()
    result = run_bench(request, workspace)
    assert time.monotonic() - begin < 6
    assert result.counts["failed"] == 1
    assert statuses(result.run) == [("cpu", 0, "timeout"), ("cpu", 1, "timeout")]  # then given up
    record = result.run.records()[0]
    assert record.engine is not None
    assert (record.engine.name, record.engine.sha256) == ("benchmark_model", sha256_file(binary))
    assert record.log is not None
    assert "STARTING" in (result.run.path / record.log.path).read_text()
    assert not alive(int(marker.read_text()))


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_recorded_tool_and_a_silent_fallback_go_through_the_same_door(
    workspace: Workspace, tmp_path: Path
) -> None:
    log = RECORDED / "04_elsr_default"
    body = f'cat "{log}.stdout"; cat "{log}.stderr" >&2'
    request = BenchRequest(
        (tiny_candidate(workspace),),
        SUITE.model_copy(update={"rounds": 1}),
        delegates=("cpu", "xnnpack"),
        binaries=named(fake_binary(tmp_path / "falls_back", body)),
    )
    records = run_bench(request, workspace).run.records()
    assert [record.status for record in records] == ["refused", "ok"]
    assert "XNNPACK ran" in (records[0].reason or "")
    assert records[1].latency_us is not None
    assert (records[1].latency_us.median, records[1].source) == (22596, "log")


@pytest.mark.parametrize("kind", ["missing", "not executable", "another program"])
def test_a_binary_that_can_not_measure_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "tool"
    if kind != "missing":
        path.write_text("#!/bin/sh\necho hello\n")
    if kind == "another program":
        path.chmod(0o755)
    with pytest.raises(InputError, match="tool") as raised:
        official(HostTransport(), path)
    assert raised.value.hint or kind == "missing"


def test_resume_measures_only_what_is_missing(workspace: Workspace) -> None:
    request = BenchRequest((tiny_candidate(workspace),), SUITE)
    run = run_bench(request, workspace).run
    path = run.path / "records.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    failed = json.loads(lines[1])
    failed["status"] = "failed"
    path.write_text(lines[0] + json.dumps(failed) + "\n" + lines[2][:40])  # and one torn
    result = resume_bench(run, workspace)
    assert run.torn_lines() == 1
    records = run.records()
    assert len(records) == 2 + 3
    assert {(d, n) for d, n, status in statuses(run) if status == "ok"} == {
        ("cpu", 0), ("cpu", 1), ("xnnpack", 0), ("xnnpack", 1),
    }  # fmt: skip
    assert result.counts == {"ok": 2, "refused": 0, "failed": 0}
    assert len({record.log.path for record in records if record.log}) == 5
    resume_bench(run, workspace)
    assert len(run.records()) == 5


def test_resume_keeps_the_engine_whatever_the_environment_names(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_bench(BenchRequest((tiny_candidate(workspace),), SUITE), workspace).run
    path = run.path / "records.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    other = fake_binary(tmp_path / "other", "exit 1")
    monkeypatch.setenv("EDGESR_BENCHMARK_MODEL", str(other))
    assert resume_bench(run, workspace).counts["ok"] == 2
    last = run.records()[-1]
    assert last.engine is not None
    assert (last.engine.name, last.status) == ("litert-python", "ok")
    assert "engine_changed" not in [doubt.code for doubt in last.doubts]


def test_a_candidate_that_is_not_its_manifests_is_never_measured(workspace: Workspace) -> None:
    candidate = tiny_candidate(workspace)
    candidate.path.write_bytes(candidate.path.read_bytes() + b"\0")
    with pytest.raises(InputError, match="not the file"):
        run_bench(BenchRequest((candidate,), SUITE), workspace)
    assert workspace.runs() == []


def test_a_launch_that_did_not_run_proves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    request = BenchRequest(
        (tiny_candidate(workspace),),
        SUITE,
        delegates=("cpu",),
        binaries=named(fake_binary(tmp_path / "broken", "exit 126")),
    )
    record = run_bench(request, workspace).run.records()[0]
    assert (record.status, record.reason) == ("failed", "could not be executed")
    assert record.verdict is not None
    assert record.verdict.outcome == "unknown"


def test_resume_refuses_a_changed_candidate(workspace: Workspace) -> None:
    candidate = tiny_candidate(workspace)
    run = run_bench(BenchRequest((candidate,), SUITE, delegates=("cpu",)), workspace).run
    candidate.path.write_bytes(candidate.path.read_bytes() + b"\0")
    with pytest.raises(InputError, match="changed since"):
        resume_bench(run, workspace)
    candidate.path.unlink()
    with pytest.raises(InputError, match="is gone"):
        resume_bench(run, workspace)


def bench_process(workspace: Workspace, *options: str) -> "subprocess.Popen[str]":
    program = (
        "import signal, typer\nfrom edgesr.cli import bench\n"
        # a test run in the background has SIGINT ignored, and children inherit that
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "app = typer.Typer(); app.command()(bench.command); app()"
    )
    command = [sys.executable, "-c", program, "--workspace", str(workspace.root), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("EDGESR_BENCHMARK_MODEL", None)
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_records(workspace: Workspace, count: int) -> RunFolder:
    for _ in range(600):
        runs = workspace.runs()
        if runs and len(runs[0].records()) >= count:
            return runs[0]
        time.sleep(0.05)
    raise AssertionError("no record came")


SLOW_SUITE = (
    'name = "slow"\nthreads = [1]\nrounds = 4\nnum_runs = 3\nmin_secs = 0.8\nmax_secs = 5\n'
)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_interrupting_keeps_what_was_finished_and_resume_completes_it(
    workspace: Workspace, tmp_path: Path, sign: signal.Signals
) -> None:
    tiny_candidate(workspace)
    suite = tmp_path / "slow.toml"
    suite.write_text(SLOW_SUITE)
    process = bench_process(workspace, "--suite", str(suite), "--delegate", "xnnpack")
    run = wait_for_records(workspace, 1)
    time.sleep(0.4)  # into the second round
    process.send_signal(sign)
    _, stderr = process.communicate(timeout=20)
    kept = [record.status for record in run.records()]
    if sign == signal.SIGINT:
        assert process.returncode == 130
        assert "interrupted" in stderr
        assert f"--resume {run.path}" in stderr
        assert "Traceback" not in stderr
        assert kept == ["ok", "aborted"]
    else:
        assert process.returncode == -signal.SIGKILL
        assert kept == ["ok"]
    again = bench_process(workspace, "--resume", run.path.name, "--json")
    stdout, stderr = again.communicate(timeout=60)
    assert again.returncode == 0, stderr
    good = [(r.round, r.status) for r in run.records() if r.status == "ok"]
    assert sorted(good) == [(0, "ok"), (1, "ok"), (2, "ok"), (3, "ok")]
    document = json.loads(stdout)
    assert document["jobs"][0]["rounds"] == 4
    assert document["jobs"][0]["reason"] is None
    assert document["counts"] == {"ok": 1, "refused": 0, "failed": 0}


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--device", "all"), 4, "switches adb off"),
        (("--delegate", "gpu"), 7, "1 refused"),
        (("--delegate", "nosuch"), 2, "nosuch"),
        (("--threads", "0"), 2, "1 to 64"),
        (("--suite", "nosuch"), 3, "quick"),
        (("--ocr", "rapidocr"), 2, "goes with --accuracy"),
        (("--accuracy-launches", "9"), 2, "goes with --accuracy"),
        (("--binary", "/nonexistent"), 3, "/nonexistent"),
        (("--resume", "nosuch"), 3, "nosuch"),
        (("--resume", ""), 2, "names no run"),
        (("--resume", "nosuch", "--delegate", "cpu"), 2, "as it was begun"),
        (("",), 3, "is no candidate"),
        (("nosuch",), 3, "nosuch"),
    ],
)
def test_the_command_line_ends_with_one_line_and_its_code(
    workspace: Workspace, options: tuple[str, ...], code: int, words: str
) -> None:
    tiny_candidate(workspace)
    extra = () if "--threads" in options or "--resume" in options else ("--threads", "1")
    process = bench_process(workspace, *options, *extra)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == code, stderr
    assert words in stderr
    assert "Traceback" not in stderr


def test_dry_run_measures_nothing(workspace: Workspace) -> None:
    tiny_candidate(workspace)
    process = bench_process(workspace, "--dry-run", "--json", "--threads", "1,2", "--rounds", "4")
    stdout, _ = process.communicate(timeout=30)
    plan = json.loads(stdout)
    assert (len(plan["jobs"]), plan["launches"]) == (4, 16)
    assert 0 < plan["estimate_s"]["least"] <= plan["estimate_s"]["most"]
    assert workspace.runs() == []


def host_runner(*flags: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "edgesr.bench.host_runner", *flags]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)


def test_the_host_runner_prints_lines_on_the_official_streams(workspace: Workspace) -> None:
    path = tiny_candidate(workspace).path
    done = host_runner(f"--graph={path}", "--use_xnnpack=true", "--num_runs=3", "--min_secs=0",
                       "--num_threads=2", "--use_gpu=true")  # fmt: skip
    assert done.returncode == 0
    number = re.compile(r"\d[\d.]*(e[+-]\d+)?")
    kinds = [number.sub("#", line) for line in done.stdout.splitlines()]
    real = (RECORDED / "03b_elsr_xnn_t2.stdout").read_text()
    for line in number.sub("#", real).splitlines():
        if not line.startswith(("INFO: count", "INFO: Graph", "INFO: Loaded")):
            assert line in kinds
    assert "WARN: Unconsumed cmdline flags: --use_gpu=true" in done.stdout
    assert "VERBOSE: Replacing 3 out of 3 node(s)" in done.stderr
    assert done.stderr.count("Created TensorFlow Lite XNNPACK delegate for CPU.") == 1


def test_the_host_runner_fails_like_the_official_tool(workspace: Workspace, tmp_path: Path) -> None:
    path = tiny_candidate(workspace, "fp16", partial=True).path
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(path.read_bytes()[:700])
    for graph in (tmp_path / "missing.tflite", broken):
        done = host_runner(f"--graph={graph}")
        assert done.returncode == 1
        assert done.stderr.rstrip().endswith("ERROR: Benchmarking failed.")
        assert "Traceback" not in done.stderr
    short = tmp_path / "short.raw"
    short.write_bytes(b"123")
    done = host_runner(f"--graph={path}", "--input_layer=a:0", "--input_layer_shape=1,12,16,3",
                       f"--input_layer_value_files=a::0:{short}")  # fmt: skip
    assert done.returncode == -signal.SIGABRT
    assert "is 3 bytes. It should be 2304 bytes." in done.stderr


def test_a_transport_passes_arguments_as_data_and_counts_memory_of_the_child_only() -> None:
    transport = HostTransport()
    odd = ["a b", "$(id)", "';\"", "ä"]
    done = transport.run(["printf", "%s|", *odd], timeout_s=10)
    assert (done.exit_code, done.stdout) == (0, "a b|$(id)|';\"|ä|")
    ballast = np.ones((200, 1024, 128))
    code = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    grown = transport.run([sys.executable, "-S", "-c", code], timeout_s=30)
    assert int(grown.stdout) < ballast.nbytes / 1024 / 2
    killed = transport.run(["sleep", "60"], timeout_s=0.2)
    assert killed.exit_code is None
    aborted = transport.run(["sh", "-c", "kill -ABRT $$"], timeout_s=10)
    assert aborted.exit_code == 134
    transport.close()

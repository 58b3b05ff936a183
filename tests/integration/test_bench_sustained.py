"""``edgesr bench`` with a paced suite on this machine: held, never met, broken off, resumed."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import summarise
from edgesr.analysis.sustained import Series, sustained
from edgesr.results.store import RunFolder, Workspace
from tests.fixtures.tiny import tiny_candidate

SUITE = """
name = "short"
threads = [1]
warmup_min_secs = 0
timeout_s = 30
[pace]
fps = [30]
minutes = 0.075
segment_s = 1.5
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


@pytest.fixture
def suite(tmp_path: Path) -> str:
    path = tmp_path / "short.toml"
    path.write_text(SUITE)
    return str(path)


def command(workspace: Workspace, *options: str) -> list[str]:
    program = [sys.executable, "-m", "edgesr", "--workspace", str(workspace.root)]
    return [*program, "bench", "--device", "host", "--delegate", "xnnpack", *options]


def edgesr(argv: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def series_of(run: RunFolder) -> Series:
    rows = tidy_rows([read_run(run)])
    assert summarise(rows) == []
    (series,) = sustained(rows)
    return series


def slow_binary(path: Path, seconds: float) -> str:
    """Our own runner, each of whose inferences takes that much longer."""
    path.write_text(
        f"#!{sys.executable}\n"
        "import sys, time\n"
        "from edgesr.bench import host_runner\n"
        "timed = host_runner.timed\n"
        "def slow(invoke, reset, limits):\n"
        f"    return timed(lambda: (invoke(), time.sleep({seconds})), reset, limits)\n"
        "host_runner.timed = slow\n"
        "sys.exit(host_runner.main(sys.argv[1:]))\n"
    )
    path.chmod(0o755)
    return str(path)


def test_a_tiny_model_holds_thirty_frames_per_second(workspace: Workspace, suite: str) -> None:
    tiny_candidate(workspace)
    done = edgesr(command(workspace, "--suite", suite, "--fps", "30", "--json"))
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["jobs"] == []
    (found,) = document["sustained"]
    assert (found["fps"], found["holds"], len(found["segments"])) == (30, True, 3)
    assert found["sentence"].startswith("holds 30 fps for 4 s")
    run = RunFolder(Path(document["run"]))
    records = run.records()
    assert [r.segment.number for r in records if r.segment] == [0, 1, 2]
    assert all("--run_frequency=30" in r.argv for r in records)
    assert {r.latency_us.count for r in records if r.latency_us} == {45}
    series = series_of(run)
    assert [s.start_s for s in series.segments] == sorted(s.start_s for s in series.segments)
    assert series.segments[1].start_s >= 1.5
    assert 0 < series.idle_pct < 80  # the tool's own start takes its time
    memory = [r.memory_mb.peak for r in records if r.memory_mb]
    assert memory[:-1] == [None] * 2  # no pass of its own in the middle
    assert memory[-1] is not None


def test_a_rate_out_of_reach_says_what_is_reached(
    workspace: Workspace, suite: str, tmp_path: Path
) -> None:
    tiny_candidate(workspace)
    binary = slow_binary(tmp_path / "benchmark_model", 0.1)
    options = ("--suite", suite, "--minutes", "0.05", "--binary", binary)
    done = edgesr(command(workspace, *options))
    assert done.returncode == 0, done.stderr
    series = series_of(workspace.run())
    assert not series.measured[0].holds
    assert 5 < series.lost[0].fps < 10.5
    assert "does not hold 30 fps" in done.stdout


def test_two_failures_in_a_row_end_the_series_and_say_so(
    workspace: Workspace, suite: str, tmp_path: Path
) -> None:
    tiny_candidate(workspace)
    binary = tmp_path / "benchmark_model"
    binary.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *run_frequency*) echo x >> "{tmp_path}/n";; esac\n'
        f'if [ -e "{tmp_path}/n" ] && [ "$(wc -l < "{tmp_path}/n")" -gt 1 ]; then exit 3; fi\n'
        f'exec "{sys.executable}" -m edgesr.bench.host_runner "$@"\n'
    )
    binary.chmod(0o755)
    options = ("--suite", suite, "--minutes", "0.1", "--binary", str(binary))
    done = edgesr(command(workspace, *options))
    assert done.returncode == 10, done.stderr
    assert "--resume" in done.stderr
    assert [r.status for r in workspace.run().records()] == ["ok", "failed", "failed"]
    series = series_of(workspace.run())
    assert (len(series.measured), series.planned) == (1, 4)
    assert "only 1 of 4 segments" in done.stdout


@pytest.mark.slow
def test_ctrl_c_keeps_segments_and_resume_begins_the_series_anew(
    workspace: Workspace, suite: str
) -> None:
    tiny_candidate(workspace)
    begun = subprocess.Popen(
        command(workspace, "--suite", suite), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and begun.poll() is None:
        if workspace.runs() and len(workspace.run().records()) >= 2:
            break
        time.sleep(0.05)
    begun.send_signal(signal.SIGINT)
    begun.communicate(timeout=30)
    assert begun.returncode == 130
    run = workspace.run()
    before = [(r.status, r.segment.number) for r in run.records() if r.segment]
    kept = [("ok", 0), ("ok", 1)]  # the third was running, or was about to begin
    assert before in (kept, [*kept, ("aborted", 2)])
    torn = series_of(run)
    assert (torn.whole, torn.holds) == (False, False)
    resume = [*command(workspace)[:-4], "--resume", str(run.path)]
    done = edgesr(resume)
    assert done.returncode == 0, done.stderr
    records = run.records()
    assert [(r.status, r.segment.number) for r in records if r.segment][: len(before)] == before
    again = [r.segment for r in records[len(before) :] if r.segment]
    assert [(s.series, s.number) for s in again] == [(1, n) for n in range(3)]
    series = series_of(run)
    assert (series.whole, series.begun) == (True, 2)
    assert edgesr(resume).returncode == 0  # nothing is missing any more
    assert len(run.records()) == len(records)


def test_the_plan_tells_rates_launches_and_time(workspace: Workspace) -> None:
    tiny_candidate(workspace)
    options = ("--suite", "sustained", "--fps", "24,60", "--minutes", "2", "--dry-run", "--json")
    done = edgesr(command(workspace, *options))
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert [job["pace_fps"] for job in plan["jobs"]] == [24, 60]
    assert plan["launches"] == 8
    assert 240 <= plan["estimate_s"]["least"] <= plan["estimate_s"]["most"] < 300
    table = edgesr([*command(workspace, *options[:-1])])
    assert "4 segments of 30 s" in table.stdout


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--fps", "30"), "sustained"),
        (("--minutes", "1"), "sustained"),
        (("--suite", "sustained", "--rounds", "3"), "--minutes"),
        (("--suite", "sustained", "--fps", "fast"), "24,30,60"),
        (("--suite", "sustained", "--fps", "0"), "1000"),
        (("--suite", "sustained", "--fps", ","), "--fps"),
        (("--suite", "sustained", "--minutes", "0"), "minutes"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    workspace: Workspace, options: tuple[str, ...], named: str
) -> None:
    tiny_candidate(workspace)
    done = edgesr(command(workspace, *options))
    assert done.returncode == 2, done.stderr
    assert named in done.stderr
    assert workspace.runs() == []

"""Paced series on stand-ins that get hot, slow down, go away and come back."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.sustained import Series, sustained
from edgesr.bench.phone_station import PhoneUse
from edgesr.bench.runner import resume_bench, run_bench
from edgesr.bench.suite import Suite, load_suite
from edgesr.device.standin import PrivateAdbServer, StandIn
from edgesr.report.sustained import sentence
from edgesr.results.store import RunFolder, Workspace
from tests.device.fleet import left_on, reconnect, request

HOT_AFTER = 3
RUNNER = f"""#!{sys.executable}
import os, sys, time
from pathlib import Path
from edgesr.bench import host_runner

root = Path(os.environ["EDGESR_ROOT"])

def heats(tenths):
    path = root / "dumpsys/battery"
    lines = path.read_text().splitlines(keepends=True)
    told = [f"  temperature: {{tenths}}\\n" if "temperature:" in one else one for one in lines]
    path.write_text("".join(told))

if any("run_frequency" in one for one in sys.argv):
    past = root / "paced"
    count = len(past.read_text()) if past.exists() else 0
    past.write_text("x" * (count + 1))
    heats(300 + 20 * count)
    if count >= {HOT_AFTER}:
        for limit in root.glob("sys/devices/system/cpu/cpufreq/policy*/scaling_max_freq"):
            limit.write_text("1400000\\n")
        timed = host_runner.timed
        host_runner.timed = lambda invoke, reset, limits: timed(
            lambda: (invoke(), time.sleep(0.1)), reset, limits)
sys.exit(host_runner.main(sys.argv[1:]))
"""
"""Our runner on a phone that halves its clock after some paced launches."""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    path = tmp_path / "short.toml"
    path.write_text(
        'name = "short"\nthreads = [1]\nwarmup_min_secs = 0\ntimeout_s = 30\n'
        "[pace]\nfps = [20]\nminutes = 0.1\nsegment_s = 1\n"
        "[fit]\nbusy_pct = 100\nwait_s = 5\npoll_s = 1\n"
    )
    return load_suite(str(path))


@pytest.fixture
def heating(make_phone: Callable[..., StandIn], tmp_path: Path) -> StandIn:
    """A Pixel 7 that throttles."""
    program = tmp_path / "benchmark_model"
    program.write_text(RUNNER)
    program.chmod(0o755)
    return make_phone(benchmark_model=str(program))


def series_of(run: RunFolder) -> Series:
    (series,) = sustained(tidy_rows([read_run(run)]))
    return series


@pytest.mark.slow
def test_a_phone_that_throttles_says_from_when_on(
    heating: StandIn, workspace: Workspace, suite: Suite
) -> None:
    said: list[str] = []
    result = run_bench(
        request(workspace, suite=suite, delegates=("xnnpack",)),
        workspace,
        lambda _device, what, done, _total: said.append(what) if done >= 0 else None,
    )
    series = series_of(result.run)
    assert [s.holds for s in series.segments] == [True] * HOT_AFTER + [False] * 3
    assert series.held_s == pytest.approx(series.segments[HOT_AFTER].start_s)
    first = series.lost[0]
    assert first.fps < 10.5
    assert (first.temperature_c, first.clock_mhz) == (36.0, 1400.0)
    words = sentence(series)
    assert "then" in words
    assert "1.4 GHz" in words
    assert series.job.simulated
    codes = {doubt.code for record in result.run.records() for doubt in record.doubts}
    assert not codes & {"hot", "throttled", "clock_changed", "clock_capped", "count_low"}
    assert any(text.startswith("minute 0.1 of 0.1") for text in said)
    assert left_on([heating]) == []


@pytest.mark.slow
def test_a_phone_lost_in_the_middle_is_measured_anew(
    phone: StandIn, workspace: Workspace, suite: Suite, adb_server: PrivateAdbServer
) -> None:
    def pull(_device: str, what: str, done: int, _total: int) -> None:
        if done == 3 and what.startswith("minute") and not gone:
            gone.append(what)
            phone.unplug()

    gone: list[str] = []
    asked = request(workspace, suite=suite, delegates=("xnnpack",), phones=PhoneUse(lost_wait_s=1))
    result = run_bench(asked, workspace, pull)
    assert phone.serial in result.lost
    torn = series_of(result.run)
    assert (len(torn.measured), torn.whole) == (3, False)
    assert "only 3 of 6 segments" in sentence(torn)
    reconnect(adb_server, phone)
    resumed = resume_bench(result.run, workspace)
    assert resumed.lost == {}
    series = series_of(result.run)
    assert (series.begun, series.whole, len(series.measured)) == (2, True, 6)
    records = [r for r in result.run.records() if r.segment and r.segment.series == 1]
    assert [r.segment.number for r in records if r.segment] == list(range(6))
    assert not [d for r in records for d in r.doubts if d.code == "picked_up"]
    assert left_on([phone]) == []

"""Fleets of stand-in phones behind a real adb server: complete runs, and every fault survived."""

import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgesr.bench.phone_station import PhoneUse
from edgesr.bench.runner import resume_bench, run_bench
from edgesr.device.standin import PrivateAdbServer, StandIn
from edgesr.errors import DeviceFileError, NoDeviceError
from edgesr.results.store import Workspace
from tests.device.fleet import (
    SUITE,
    bench_process,
    counting_program,
    launches,
    left_on,
    pause_launches,
    reconnect,
    request,
    told,
)

MakePhones = Callable[..., list[StandIn]]
THREE = ("pixel-7", "galaxy-a14", "redmi-12c")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


@pytest.fixture
def three(make_phones: MakePhones, tmp_path: Path) -> list[StandIn]:
    """Three phones that count their launches."""
    return make_phones(*THREE, benchmark_model=str(counting_program(tmp_path / "bm")))


@pytest.fixture
def one(make_phones: MakePhones, tmp_path: Path) -> StandIn:
    return make_phones("pixel-7", benchmark_model=str(counting_program(tmp_path / "bm")))[0]


def at_round(number: int, act: Callable[[], object]) -> Callable[[str, str, int, int], None]:
    """A progress callback that does something once, when a round begins."""
    waiting = [act]

    def tell(_device: str, what: str, _done: int, _total: int) -> None:
        if what.startswith(f"round {number}:") and waiting:
            waiting.pop()()

    return tell


def after_launch(phone: StandIn, number: int, act: Callable[[], object]) -> threading.Thread:
    """Does something as soon as the phone has begun its n-th timed launch."""

    def wait() -> None:
        end = time.monotonic() + 40
        while launches(phone) < number and time.monotonic() < end:
            time.sleep(0.05)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_three_phones_are_measured_completely_and_gpu_is_refused(
    three: list[StandIn], workspace: Workspace
) -> None:
    suite = SUITE.model_copy(update={"threads": (1, 2), "rounds": 1})
    result = run_bench(
        request(workspace, suite=suite, delegates=("cpu", "xnnpack", "gpu")), workspace
    )
    assert result.counts == {"ok": 12, "refused": 6, "failed": 0}
    records = result.run.records()
    assert {r.job.device for r in records if r.job} == {phone.serial for phone in three}
    assert all(record.simulated for record in records)
    refused = [r for r in records if r.status == "refused"]
    assert all("--use_gpu" in (r.reason or "") and r.latency_us is None for r in refused)
    good = [r for r in records if r.status == "ok"]
    assert all(r.latency_us and r.latency_us.count and r.before and r.after for r in good)
    assert all("simulated" in [doubt.code for doubt in r.doubts] for r in good)
    assert all(r.memory_mb and r.memory_mb.pss and r.memory_mb.pss > 5 for r in good)
    assert [launches(phone) for phone in three] == [4, 4, 4]
    header = result.run.header()
    assert {d["model"] for d in header["devices"].values()} == {"Pixel 7", "SM-A146P", "22120RN86G"}
    assert all(d["engine"]["name"] == "litert-python" for d in header["devices"].values())
    assert left_on(three) == []


def test_models_and_scripts_are_pushed_once(one: StandIn, workspace: Workspace) -> None:
    suite = SUITE.model_copy(update={"rounds": 3})
    before = len(one.services())
    run_bench(request(workspace, suite=suite, delegates=("cpu", "xnnpack")), workspace)
    pushes = [name for name in one.services()[before:] if ".part" in name and "mv" in name]
    assert len(pushes) == 3, pushes  # the model, run_bench.sh, device_state.sh
    assert launches(one) == 6


def test_a_cut_in_mid_push_costs_nothing(one: StandIn, workspace: Workspace) -> None:
    one.cut_after(9000, keep_half=True)
    result = run_bench(request(workspace), workspace)
    assert result.counts == {"ok": 2, "refused": 0, "failed": 0}
    assert told(result.run).doubled == []
    assert left_on([one]) == []


def test_a_cut_in_mid_round_costs_the_wait_and_no_second_launch(
    one: StandIn, workspace: Workspace
) -> None:
    pause_launches(one, 1.5)
    thread = after_launch(one, 2, one.cut)
    result = run_bench(request(workspace), workspace)
    thread.join()
    assert result.counts == {"ok": 2, "refused": 0, "failed": 0}
    assert told(result.run).statuses == {"ok": 4}
    assert launches(one) == 4
    assert left_on([one]) == []


def test_a_frozen_link_is_noticed_and_waited_for(
    one: StandIn, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgesr.bench.detached._STEP_TIMEOUT_S", 4)
    monkeypatch.setattr("edgesr.bench.detached._LATE_S", 2)
    monkeypatch.setattr("edgesr.device.adb_transport._PROBE_TIMEOUT_S", 1)
    pause_launches(one, 1)

    def freeze() -> None:
        one.freeze()
        time.sleep(8)
        one.thaw()

    thread = after_launch(one, 1, freeze)
    result = run_bench(request(workspace, delegates=("cpu",)), workspace)
    thread.join()
    assert told(result.run).statuses == {"ok": 2}
    assert launches(one) == 2
    assert "picked_up" in told(result.run).codes
    assert left_on([one]) == []


def test_a_killed_adb_server_is_started_again(
    three: list[StandIn], adb_server: PrivateAdbServer, workspace: Workspace
) -> None:
    for phone in three:
        pause_launches(phone, 1)
    thread = after_launch(three[0], 1, adb_server.kill)
    result = run_bench(request(workspace, delegates=("cpu",)), workspace)
    thread.join()
    assert result.counts == {"ok": 3, "refused": 0, "failed": 0}
    assert told(result.run).statuses == {"ok": 6}
    assert [launches(phone) for phone in three] == [2, 2, 2]
    assert left_on(three) == []


def test_a_killed_edgesr_goes_on_and_picks_up_what_the_phone_measured(
    one: StandIn, workspace: Workspace
) -> None:
    from tests.fixtures.tiny import tiny_candidate

    tiny_candidate(workspace)
    pause_launches(one, 3)
    process = bench_process(
        workspace, "--device", "all", "--delegate", "cpu,xnnpack", "--threads", "1", "--rounds", "2"
    )
    after_launch(one, 2, lambda: time.sleep(0.5)).join()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert launches(one) == 2
    (run,) = workspace.runs()
    kept = told(run).statuses
    assert kept == {"ok": 1}
    pause_launches(one, 0)
    time.sleep(5)  # nobody listens; the phone measures on
    result = resume_bench(run, workspace)
    assert result.counts == {"ok": 2, "refused": 0, "failed": 0}
    assert told(run).statuses == {"ok": 4}
    assert told(run).doubled == []
    assert "picked_up" in told(run).codes
    assert launches(one) == 4
    assert left_on([one]) == []


def test_a_full_disk_fails_the_jobs_of_that_phone_with_the_reason(
    three: list[StandIn], workspace: Workspace
) -> None:
    fill = at_round(1, lambda: three[0].disk_full(0))  # when scripts and program are there
    result = run_bench(request(workspace, delegates=("cpu",)), workspace, fill)
    by_phone = {r.job.device: r for r in result.run.records() if r.job}
    full = by_phone[three[0].serial]
    assert full.status == "failed"
    assert "No space left on device" in (full.reason or "")
    assert result.counts == {"ok": 2, "refused": 0, "failed": 1}
    three[0].disk_full(None)
    resumed = resume_bench(result.run, workspace)
    assert resumed.counts == {"ok": 3, "refused": 0, "failed": 0}
    assert told(result.run).doubled == []
    assert left_on(three) == []


def test_a_reboot_in_mid_round_is_noticed_and_the_round_begun_again(
    one: StandIn, workspace: Workspace
) -> None:
    pause_launches(one, 2)

    def reboot() -> None:
        pause_launches(one, 0)
        one.reboot(2)

    thread = after_launch(one, 1, reboot)
    result = run_bench(request(workspace, delegates=("cpu",)), workspace)
    thread.join()
    assert told(result.run).statuses == {"ok": 2}
    assert told(result.run).codes["relaunched"] == 1
    assert launches(one) == 3
    assert left_on([one]) == []


def test_one_of_three_unplugged_for_good_disturbs_no_other_and_is_resumed_later(
    three: list[StandIn], adb_server: PrivateAdbServer, workspace: Workspace
) -> None:
    lost, *others = three
    for phone in three:
        pause_launches(phone, 0.5)
    thread = after_launch(lost, 2, lost.unplug)
    result = run_bench(
        request(workspace, delegates=("cpu", "xnnpack"), phones=PhoneUse(lost_wait_s=3)), workspace
    )
    thread.join()
    assert set(result.lost) == {lost.serial}
    assert result.counts["ok"] >= 4
    by_phone = {
        phone.serial: [
            r.status for r in result.run.records() if r.job and r.job.device == phone.serial
        ]
        for phone in three
    }
    assert all(by_phone[phone.serial] == ["ok"] * 4 for phone in others)
    assert by_phone[lost.serial].count("device_lost") == 2
    assert left_on(others) == []
    reconnect(adb_server, lost)
    before = [launches(phone) for phone in others]
    resumed = resume_bench(result.run, workspace)
    assert resumed.counts == {"ok": 6, "refused": 0, "failed": 0}
    assert told(result.run).doubled == []
    assert [launches(phone) for phone in others] == before
    assert launches(lost) == 4
    assert left_on(three) == []


def test_ctrl_c_ends_the_launches_and_leaves_the_phones_clean(
    three: list[StandIn], workspace: Workspace
) -> None:
    from tests.fixtures.tiny import tiny_candidate

    tiny_candidate(workspace)
    for phone in three:
        pause_launches(phone, 20)
    process = bench_process(workspace, "--device", "all", "--delegate", "cpu", "--threads", "1")
    after_launch(three[2], 1, lambda: time.sleep(0.3)).join()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=40)
    assert process.returncode == 130, stderr
    assert "--resume" in stderr
    assert "Traceback" not in stderr
    (run,) = workspace.runs()
    assert set(told(run).statuses) == {"aborted"}
    assert left_on(three) == []


def test_the_command_says_in_one_line_that_there_is_no_phone(
    adb_server: PrivateAdbServer,  # noqa: ARG001 - an empty one
    workspace: Workspace,
) -> None:
    from tests.fixtures.tiny import tiny_candidate

    tiny_candidate(workspace)
    process = bench_process(workspace, "--device", "all", "--delegate", "gpu")
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 4
    assert stderr.splitlines()[0] == "error: no phone is attached"
    assert stderr.splitlines()[1].startswith("next:  connect one")
    assert stdout == ""


def test_an_unauthorized_phone_is_named_with_what_to_tap(
    make_phone: Callable[..., StandIn], workspace: Workspace
) -> None:
    from tests.fixtures.tiny import tiny_candidate

    tiny_candidate(workspace)
    phone = make_phone(unauthorized=True)
    process = bench_process(workspace, "--device", "all")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 4
    assert phone.serial in stderr
    assert "Allow" in stderr


def test_without_device_the_phones_are_taken_and_it_is_said(
    one: StandIn, workspace: Workspace
) -> None:
    from tests.fixtures.tiny import tiny_candidate

    tiny_candidate(workspace)
    process = bench_process(workspace, "--threads", "1", "--rounds", "1", "--json")
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert f"measuring on: {one.serial}" in stderr
    jobs = json.loads(stdout)["jobs"]
    assert {job["device"] for job in jobs} == {one.serial}
    assert {job["delegate"]: job["status"] for job in jobs} == {
        "cpu": "ok", "xnnpack": "ok", "gpu": "refused", "nnapi": "refused",
    }  # fmt: skip


def test_resuming_without_any_of_the_phones_says_so(
    one: StandIn, adb_server: PrivateAdbServer, workspace: Workspace
) -> None:
    result = run_bench(request(workspace, delegates=("cpu",)), workspace)
    one.unplug()
    adb_server.adb("disconnect", one.serial)
    with pytest.raises(NoDeviceError, match="none of this run's phones"):
        resume_bench(result.run, workspace)


def test_a_phone_that_does_not_answer_is_named_and_the_others_are_measured(
    three: list[StandIn], workspace: Workspace
) -> None:
    from tests.fixtures.tiny import tiny_candidate

    tiny_candidate(workspace)
    three[1].freeze()
    process = bench_process(
        workspace, "--device", "all", "--delegate", "cpu", "--threads", "1", "--rounds", "1"
    )
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 10
    assert f"not everything was measured: {three[1].serial}" in stderr
    (run,) = workspace.runs()
    assert told(run).statuses == {"ok": 2}
    assert set(run.header()["unreached"]) == {three[1].serial}
    three[1].thaw()


def test_a_round_that_failed_is_launched_again_and_not_read_twice(
    one: StandIn, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when edgesr is killed between writing the record and tidying up."""
    program = one.scratch / ".edgesr-standin/benchmark_model"
    works = program.read_text()
    program.write_text(works.replace("#!/bin/sh\n", '#!/bin/sh\n[ "$1" = --help ] || exit 9\n', 1))
    suite = SUITE.model_copy(update={"rounds": 1})
    with monkeypatch.context() as killed:
        for name in ("forget", "clean"):
            killed.setattr(f"edgesr.bench.detached.PhoneExecutor.{name}", lambda *_, **__: None)
        killed.setattr("edgesr.bench.phone_station.AdbTransport.remove", lambda *_: None)
        result = run_bench(request(workspace, suite=suite, delegates=("cpu",)), workspace)
    assert told(result.run).statuses == {"failed": 1}
    program.write_text(works)
    resumed = resume_bench(result.run, workspace)
    assert resumed.counts == {"ok": 1, "refused": 0, "failed": 0}
    assert told(result.run).statuses == {"failed": 1, "ok": 1}
    assert left_on([one]) == []


def test_a_pass_that_fails_leaves_the_time_that_was_measured(
    one: StandIn, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise DeviceFileError("No space left on device")

    monkeypatch.setattr("edgesr.bench.measure.measure_memory", full)
    suite = SUITE.model_copy(update={"rounds": 1})
    result = run_bench(request(workspace, suite=suite, delegates=("cpu",)), workspace)
    (record,) = result.run.records()
    assert (record.status, record.latency_us is None) == ("ok", False)
    assert told(result.run).codes == {"memory_failed": 1}
    assert left_on([one]) == []


def test_a_named_server_that_does_not_run_is_not_started(
    adb_server: PrivateAdbServer, workspace: Workspace
) -> None:
    from tests.fixtures.tiny import tiny_candidate

    tiny_candidate(workspace)
    adb_server.kill()
    process = bench_process(
        workspace, "--device", "all", "--adb-server", f"127.0.0.1:{adb_server.port}"
    )
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 5
    assert f"no adb server answers at 127.0.0.1:{adb_server.port}" in stderr


def test_a_phone_that_is_attached_twice_is_measured_once(
    make_phones: MakePhones, workspace: Workspace
) -> None:
    props = {"ro.serialno": "28291FDH2000AB"}
    first, second = make_phones("pixel-7", "pixel-7", props=props)
    boot_id = "proc/sys/kernel/random/boot_id"
    (second.root / boot_id).write_text((first.root / boot_id).read_text())
    suite = SUITE.model_copy(update={"rounds": 1})
    result = run_bench(request(workspace, suite=suite, delegates=("cpu",)), workspace)
    assert result.counts == {"ok": 1, "refused": 0, "failed": 0}
    ((name, reason),) = result.left_out.items()
    assert {name, reason.split()[2].rstrip(",")} == {first.serial, second.serial}
    assert result.lost == {}


def test_a_finished_phone_that_is_away_is_not_missed(
    three: list[StandIn], adb_server: PrivateAdbServer, workspace: Workspace
) -> None:
    suite = SUITE.model_copy(update={"rounds": 1})
    result = run_bench(request(workspace, suite=suite, delegates=("cpu",)), workspace)
    three[0].unplug()
    adb_server.adb("disconnect", three[0].serial)
    assert resume_bench(result.run, workspace).lost == {}


def test_cleaning_ends_what_runs_and_leaves_nothing_even_on_a_full_phone(
    one: StandIn, workspace: Workspace
) -> None:
    from edgesr.bench.fleet import attached_phones, named
    from edgesr.bench.survey import clean
    from edgesr.device.adb import default_servers
    from tests.fixtures.tiny import tiny_candidate

    tiny_candidate(workspace)
    pause_launches(one, 60)
    process = bench_process(workspace, "--device", "all", "--delegate", "cpu", "--threads", "1")
    after_launch(one, 1, lambda: None).join()
    phones = named(attached_phones(default_servers(), must=True)[0])
    busy = clean(phones)[one.serial]
    assert "held by another edgesr" in str(busy)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert left_on([one]) != []
    one.push_error("No space left on device")
    assert clean(phones) == {one.serial: None}
    assert left_on([one]) == []

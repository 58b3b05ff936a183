"""What one round on a phone makes of a delegate, of the phone's condition and of its pixels."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgesr.bench.accuracy import floor_db
from edgesr.bench.binaries import BinaryOptions
from edgesr.bench.phone_station import PhoneUse
from edgesr.bench.runner import resume_bench, run_bench
from edgesr.data.images import write_png
from edgesr.data.resize import imresize
from edgesr.device.profile import Fit
from edgesr.device.standin import StandIn
from edgesr.results.records import Record
from edgesr.results.store import Candidate, Workspace
from tests.device.fleet import SUITE, left_on, request
from tests.fixtures.tiny import tiny_candidate

RECORDED = Path(__file__).parents[1] / "fixtures" / "benchmark_model"
ONCE = SUITE.model_copy(update={"rounds": 1})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


def replaying(path: Path, cases: Mapping[str, str], usage: str = "18a_gpu_help") -> BinaryOptions:
    """A benchmark_model that prints recorded logs.

    Args:
        path: Where it is written.
        cases: Pattern of the command line -> stem of a recording, or a line of shell.
        usage: Stem of the recording that answers ``--help``.
    """
    lines = [
        "#!/bin/sh",
        f'case "$1" in --help) cat "{RECORDED}/{usage}.stderr" >&2; exit 1;; esac',
    ]
    for pattern, answer in cases.items():
        stem = RECORDED / answer
        say = answer
        if stem.with_suffix(".rc").is_file():
            code = stem.with_suffix(".rc").read_text().strip()
            say = f'cat "{stem}.stdout"; cat "{stem}.stderr" >&2; exit {code}'
        lines.append(f'case " $* " in {pattern}) {say};; esac')
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)
    return BinaryOptions(named=(path,))


def by_delegate(records: list[Record]) -> dict[str, Record]:
    return {r.job.delegate: r for r in records if r.job}


def test_every_end_of_a_delegate_has_its_status_and_reason(
    phone: StandIn, workspace: Workspace, tmp_path: Path
) -> None:
    binary = replaying(
        tmp_path / "bm",
        {
            "*--gpu_backend=cl*loss_allowed=false*": "18b2_gpu_noopencl_clonly",
            "*--gpu_backend=cl*": "18l_xnnpack_then_gpu",
            "*--gpu_backend=gl*loss_allowed=false*": "kill -SEGV $$",
            "*--gpu_backend=gl*": "18i_gpu_backend_gl",
            "*loss_allowed=false*": "09x_unresolvable_kernel",
            "*--use_gpu=true*": "19b_partial_gpu_verbose",
            "*--use_xnnpack=true*": "exec sleep 60",
            "*": "02a_elsr_noxnn_t1",
        },
    )
    delegates = ("cpu", "xnnpack", "gpu", "gpu-fp32", "gpu-cl", "gpu-cl-fp32", "gpu-gl",
                 "gpu-gl-fp32", "nnapi")  # fmt: skip
    suite = ONCE.model_copy(update={"timeout_s": 2.0})
    result = run_bench(
        request(workspace, suite=suite, delegates=delegates, binaries=binary), workspace
    )
    found = by_delegate(result.run.records())
    ends = {name: (record.status, record.cause) for name, record in found.items()}
    assert ends["cpu"] == ("ok", None)
    assert ends["xnnpack"] == ("timeout", "timeout")
    assert ends["gpu"] == ("ok", None)
    assert ends["gpu-cl"] == ("refused", "ops_refused")
    assert ends["gpu-cl-fp32"] == ("refused", "no_opencl")
    assert ends["gpu-gl-fp32"] == ("failed", "crash")
    assert ends["gpu-fp32"][0] == "failed"
    assert ends["gpu-gl"] == ("failed", "delegate_failed")
    assert ends["nnapi"] == ("refused", "unknown_flag")
    partial = found["gpu"].verdict
    assert partial is not None
    assert (partial.outcome, partial.nodes_delegated, partial.nodes_total) == ("partial", 2, 6)
    assert partial.refused_ops == ("REVERSE_V2",)
    assert "OpenCL" in (found["gpu-cl-fp32"].reason or "")
    assert all(found[name].latency_us is None for name, (end, _) in ends.items() if end != "ok")
    assert left_on([phone]) == []


def test_cold_and_warm_starts_of_a_gpu_are_told_apart(
    phone: StandIn, workspace: Workspace, tmp_path: Path
) -> None:
    """The second round finds the kernels that the first one left in the folder it was given."""
    cold, warm = RECORDED / "18g_gpu_serialize_first", RECORDED / "18h_gpu_serialize_second"
    play = (
        "for a in $*; do case $a in --delegate_serialize_dir=*) d=${a#*=};; esac; done; "
        f'if [ -e "$d/kernels" ]; then cat "{warm}.out"; '
        f'else cat "{cold}.out"; touch "$d/kernels"; fi; exit 0'
    )
    binary = replaying(tmp_path / "bm", {"*--delegate_serialize_token=*--use_gpu=true*": play})
    result = run_bench(
        request(workspace, delegates=("gpu",), suite=SUITE, binaries=binary), workspace
    )
    records = result.run.records()
    assert [record.init_kind for record in records] == ["cold", "warm"]
    assert [record.init_us for record in records] == [3767991, 83111]
    assert left_on([phone]) == []


def test_litert_s_tool_is_known_by_its_flags(
    phone: StandIn, workspace: Workspace, tmp_path: Path
) -> None:
    missing, good = RECORDED / "20a_litert_help", RECORDED / "20d_litert_peak_result"
    usage, gpu = RECORDED / "20a3_litert_badbool", RECORDED / "20f_litert_use_gpu"
    path = tmp_path / "bm"
    path.write_text(
        f'#!/bin/sh\ncase "$*" in --help) cat "{missing}.stdout"; exit 1;;\n'
        f'--use_gpu=True) cat "{usage}.stderr" >&2; exit 1;;\n'
        f'*use_gpu=true*) cat "{gpu}.stdout"; cat "{gpu}.stderr" >&2;;\n'
        f'*) cat "{good}.stdout"; cat "{good}.stderr" >&2;; esac\n'
    )
    path.chmod(0o755)
    result = run_bench(
        request(
            workspace,
            suite=ONCE,
            delegates=("cpu", "xnnpack", "gpu", "nnapi"),
            binaries=BinaryOptions(named=(path,)),
        ),
        workspace,
    )
    found = by_delegate(result.run.records())
    assert found["xnnpack"].status == "ok"
    assert {name: found[name].status for name in ("cpu", "gpu", "nnapi")} == {
        "cpu": "refused", "gpu": "refused", "nnapi": "refused",
    }  # fmt: skip
    assert "TensorFlow Lite" in (found["cpu"].reason or "")
    (device,) = result.run.header()["devices"].values()
    assert device["engine"]["family"] == "litert"
    assert phone.serial in result.run.header()["devices"]


def test_operations_are_timed_on_request(
    phone: StandIn, workspace: Workspace, tmp_path: Path
) -> None:
    table = RECORDED / "05c_elsr_prof_csv_xnn"
    play = (
        "for a in $*; do case $a in --op_profiling_output_file=*) f=${a#*=};; esac; done; "
        f'cat "{table}.csv" > "$f"; cat "{table}.stdout"; cat "{table}.stderr" >&2; exit 0'
    )
    plain = "03b_elsr_xnn_t2"
    binary = replaying(tmp_path / "bm", {"*--enable_op_profiling=true*": play, "*": plain})
    measured = run_bench(
        request(workspace, suite=ONCE, delegates=("xnnpack",), binaries=binary, op_profile=True),
        workspace,
    )
    (record,) = measured.run.records()
    assert record.profile is not None
    assert record.profile[0].ms == max(op.ms for op in record.profile)
    assert record.profile[0].op.startswith("Convolution (NHWC, F32)")
    without = run_bench(
        request(workspace, suite=ONCE, delegates=("xnnpack",), op_profile=True), workspace
    )
    (record,) = without.run.records()
    assert record.profile is None
    assert "profile_failed" in [doubt.code for doubt in record.doubts]
    assert left_on([phone]) == []


def test_a_hot_phone_is_waited_for_and_measured_in_doubt_only_when_it_stays_hot(
    phone: StandIn, workspace: Workspace
) -> None:
    phone.set("dumpsys.battery.temperature", 450)
    said: list[str] = []

    def cool_down(_device: str, what: str, _done: int, _total: int) -> None:
        said.append(what)
        if "45 °C, waits for 38" in what:
            phone.set("dumpsys.battery.temperature", 300)

    waiting = ONCE.model_copy(update={"fit": Fit(busy_pct=None, wait_s=20, poll_s=0.2)})
    cooled = run_bench(
        request(workspace, suite=waiting, delegates=("cpu",)), workspace, cool_down
    ).run.records()
    assert any("waits for 38" in what for what in said)
    assert [d.code for d in cooled[0].doubts] == ["simulated"]
    assert cooled[0].before is not None
    assert cooled[0].before.temperature_c == 30.0
    phone.set("dumpsys.battery.temperature", 450)
    hot = run_bench(request(workspace, suite=ONCE, delegates=("cpu",)), workspace).run.records()
    doubts = {doubt.code: doubt.numbers for doubt in hot[0].doubts}
    assert doubts["hot"] == {"temperature_c": 45.0, "limit_c": 38}


def test_throttling_during_a_round_is_seen(phone: StandIn, workspace: Workspace) -> None:
    script = 'echo 1000000 | tee "$EDGESR_ROOT"/sys/devices/system/cpu/cpu*/cpufreq/{} >/dev/null'
    slow = "; ".join(script.format(name) for name in ("scaling_max_freq", "scaling_cur_freq"))
    path = phone.root / "throttling"
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *--graph=*) {slow};; esac\n'
        f'exec "{sys.executable}" -m edgesr.bench.host_runner "$@"\n'
    )
    path.chmod(0o755)
    result = run_bench(
        request(
            workspace,
            suite=ONCE,
            delegates=("cpu",),
            binaries=BinaryOptions(named=(path,)),
        ),
        workspace,
    )
    (record,) = result.run.records()
    doubts = {doubt.code: doubt.numbers for doubt in record.doubts}
    assert doubts["clock_changed"]["after_mhz"] == 1000.0


def test_pinning_and_fixed_performance_end_with_the_round(
    phone: StandIn, workspace: Workspace
) -> None:
    use = PhoneUse(pin=True, fixed_performance=True)
    result = run_bench(request(workspace, suite=ONCE, delegates=("cpu",), phones=use), workspace)
    assert result.counts["ok"] == 1
    assert (phone.root / "state/taskset").read_text().strip() == "f0"
    calls = (phone.root / "state/cmd.log").read_text().splitlines()
    modes = [call.split()[-1] for call in calls if "fixed-performance" in call]
    assert modes[:2] == ["true", "false"]
    assert modes == ["true", "false"] * (len(modes) // 2)
    assert result.run.header()["options"]["fixed_performance"] is True
    (record,) = result.run.records()
    assert record.argv[:2] == ["taskset", "f0"]


def test_what_a_phone_can_not_be_made_to_do_is_a_doubt(
    make_phone: Callable[..., StandIn], workspace: Workspace
) -> None:
    """A Nexus 5 has four equal cores and knows no fixed-performance mode, nor shell v2."""
    phone = make_phone("nexus-5")
    use = PhoneUse(pin=True, fixed_performance=True)
    result = run_bench(request(workspace, suite=ONCE, delegates=("cpu",), phones=use), workspace)
    (record,) = result.run.records()
    assert record.status == "ok"
    codes = {doubt.code for doubt in record.doubts}
    assert {"not_pinned", "clocks_not_fixed"} <= codes
    assert record.argv[0] != "taskset"
    assert left_on([phone]) == []


def make_pairs(folder: Path) -> Path:
    """One pair with a name that a shell would stumble over."""
    rng = np.random.default_rng(1)
    truth = imresize(rng.integers(0, 256, (10, 11, 3), dtype=np.uint8), 4)
    name = "seite 1; $(x) 'ä'"
    write_png(folder / f"{name}-hr.png", truth)
    write_png(folder / f"{name}.png", imresize(truth, 0.5))
    (folder / "pairs.csv").write_text(f"lr,hr,text\n{name}.png,{name}-hr.png,\n")
    return folder / "pairs.csv"


def test_the_phone_s_own_pixels_are_scored(
    phone: StandIn, workspace: Workspace, tmp_path: Path
) -> None:
    pairs, candidate = make_pairs(tmp_path), tiny_candidate(workspace)
    asked = request(workspace, suite=ONCE, delegates=("cpu", "xnnpack"), accuracy=pairs)
    there = by_delegate(run_bench(asked, workspace).run.records())
    from edgesr.bench.fleet import Choice

    here = by_delegate(
        run_bench(replace(asked, devices=Choice(host=True)), workspace).run.records()
    )
    for name in ("cpu", "xnnpack"):
        ours, theirs = here[name].accuracy, there[name].accuracy
        assert ours is not None
        assert theirs is not None
        assert theirs.psnr_y == pytest.approx(ours.psnr_y)
        assert theirs.floor_db == floor_db(candidate) == 27.0
    assert there["cpu"].accuracy is not None
    assert there["cpu"].accuracy.reference_max_abs == 0
    assert left_on([phone]) == []


def wrong_pixels(path: Path, spoil: str) -> BinaryOptions:
    """A benchmark_model whose output file is spoiled by a line of Python over ``a`` (float32)."""
    path.write_text(
        f"#!{sys.executable}\n"
        "import sys, numpy, pathlib\n"
        "from edgesr.bench.host_runner import main\n"
        "code = main(sys.argv[1:])\n"
        "for argument in sys.argv:\n"
        "    if argument.startswith('--output_filepath='):\n"
        "        out = pathlib.Path(argument.partition('=')[2])\n"
        "        a = numpy.fromfile(out, numpy.float32)\n"
        f"        {spoil}\n"
        "        a.tofile(out)\n"
        "sys.exit(code)\n"
    )
    path.chmod(0o755)
    return BinaryOptions(named=(path,))


@pytest.mark.parametrize(
    ("spoil", "code"), [("a[7] = numpy.nan", "pixels_not_finite"), ("a += 0.2", "pixels_wrong")]
)
def test_wrong_pixels_are_never_selectable(
    make_phone: Callable[..., StandIn], workspace: Workspace, tmp_path: Path, spoil: str, code: str
) -> None:
    from edgesr.analysis.rows import read_run, tidy_rows
    from edgesr.analysis.summary import summarise

    make_phone()
    asked = request(
        workspace,
        suite=ONCE,
        delegates=("xnnpack",),
        accuracy=make_pairs(tmp_path),
        binaries=wrong_pixels(tmp_path / "bm", spoil),
    )
    result = run_bench(asked, workspace)
    (record,) = result.run.records()
    assert record.status == "ok"
    assert code in [doubt.code for doubt in record.doubts]
    (job,) = summarise(tidy_rows([read_run(result.run)]))
    assert not job.selectable
    assert job.trust == "C"


def test_a_candidate_is_known_by_its_content(phone: StandIn, workspace: Workspace) -> None:
    """A retrained model of equal size is another file on the phone, never the old one."""
    first, second = tiny_candidate(workspace), tiny_candidate(workspace, seed=1)
    assert first.manifest.size_bytes == second.manifest.size_bytes
    asked = request(workspace, suite=ONCE, delegates=("cpu",), phones=PhoneUse(keep_files=True))
    kept: list[set[str]] = []
    for candidate in (first, second):
        run_bench(replace(asked, candidates=(Candidate(candidate.path, candidate.manifest),)),
                  workspace)  # fmt: skip
        kept.append({p.name for p in (phone.scratch / "edgesr/files").glob("*.tflite")})
    assert kept[0] == {f"{first.manifest.id}.tflite"}
    assert kept[1] == {f"{c.manifest.id}.tflite" for c in (first, second)}


def test_until_gives_each_phone_the_rounds_that_it_needs(
    make_phones: Callable[..., list[StandIn]], workspace: Workspace, tmp_path: Path
) -> None:
    """One phone is steady, the other takes nearly twice as long every other time."""
    steady, noisy = make_phones("pixel-7", "galaxy-a14")
    (noisy.root / "times").write_text("")
    fast, slow = RECORDED / "03b_elsr_xnn_t2", RECORDED / "04_elsr_default"
    play = (
        f's="{fast}"; t="$EDGESR_ROOT/times"; '
        'case "$*" in *report_peak*) ;; *) if [ -e "$t" ]; then echo x >> "$t"; '
        f'[ $(($(wc -l < "$t") % 2)) = 0 ] && s="{slow}"; fi;; esac; '
        'cat "$s.stdout"; cat "$s.stderr" >&2; exit 0'
    )
    binary = replaying(tmp_path / "bm", {"*--use_xnnpack=true*": play})
    suite = SUITE.model_copy(update={"rounds": 9, "until_pct": 3.0})
    ask = request(workspace, suite=suite, delegates=("xnnpack",), binaries=binary)
    run = run_bench(ask, workspace).run

    def good() -> dict[str, list[int | None]]:
        found = [r for r in run.records() if r.job and r.status == "ok"]
        return {
            phone.serial: sorted(r.round or 0 for r in found if r.job.device == phone.serial)
            for phone in (steady, noisy)
        }

    whole = {steady.serial: list(range(5)), noisy.serial: list(range(9))}
    assert good() == whole
    path = run.path / "records.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"round": 8' not in line))
    assert len(run.records()) == 13
    assert resume_bench(run, workspace).counts["ok"] == 2
    assert good() == whole
    assert left_on([steady, noisy]) == []

"""benchmark_model's real output, recorded, is read to the right values or the right refusal."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import pytest

from edgesr.bench.benchmark_log import join_streams, read_log
from edgesr.bench.outcome import Cause, Printed, read_launch
from edgesr.bench.proto import BenchmarkResult, decode_result, encode_result
from edgesr.bench.recorded import find_recorded

RECORDED = Path(__file__).parents[1] / "fixtures" / "benchmark_model"


def printed(name: str, folder: Path = RECORDED, result: str | None = None) -> Printed:
    parts = [folder / f"{name}.{end}" for end in ("stdout", "stderr", "out")]
    text = "".join(p.read_bytes().decode("utf-8", "replace") for p in parts if p.exists())
    data = (folder / result).read_bytes() if result else None
    return Printed(text, int((folder / f"{name}.rc").read_text()), data)


@pytest.mark.parametrize(
    ("name", "requested", "outcome", "count", "median", "avg", "init"),
    [
        ("03b_elsr_xnn_t2", "xnnpack", "full", 83, 11504, 11789.6, 60851),
        ("02a_elsr_noxnn_t1", "cpu", "full", 50, 97795, 99867.7, 276),
        ("10c_maxsecs3_srvgg", "xnnpack", "partial", 2, 2043349, 2.0059e6, 928019),
        ("10j_numruns1", "xnnpack", "full", 1, 47285, 47285, 112246),
        ("22f_ref_span_xnn_t2", "xnnpack", "full", 5, 1283804, 1.27397e6, 372931),
        ("05j_srvgg_prof_xnn", "xnnpack", "partial", 2, 690337, 688666, 325468),
        ("19a_partial_gpu", "gpu", "partial", 3, 1207, 1171.67, 846700),
        ("18k_gpu_then_xnnpack", "gpu", "full", 5, 1621, 1691, 310784),
        ("20d_litert_peak_result", "xnnpack", "unknown", 5, 11058, 11084.2, 1035),
    ],
)
def test_good_runs_give_their_exact_figures(  # noqa: PLR0913, PLR0917
    name: str, requested: str, outcome: str, count: int, median: float, avg: float, init: float
) -> None:
    reading = read_launch(printed(name), requested)
    assert (reading.status, reading.verdict.outcome) == ("ok", outcome)
    assert reading.latency is not None
    assert (reading.latency.count, reading.latency.median) == (count, median)
    assert reading.latency.avg == pytest.approx(avg, rel=1e-5)
    assert reading.init_us == init
    assert reading.source == "log"


def test_node_counts_come_from_the_line_of_the_delegate_that_was_asked_for() -> None:
    gpu = read_launch(printed("19b_partial_gpu_verbose"), "gpu").verdict
    assert (gpu.nodes_delegated, gpu.nodes_total, gpu.partitions) == (2, 6, 2)
    several = read_launch(printed("19c_partial_gpu_max8_verbose"), "gpu").verdict
    assert (several.nodes_delegated, several.nodes_total, several.partitions) == (4, 6, 5)


@pytest.mark.parametrize(
    ("name", "requested", "status", "words"),
    [
        ("09q_use_gpu_linux", "gpu", "refused", "--use_gpu"),
        ("17b_bazellike_use_nnapi", "nnapi", "refused", "has no nnapi"),
        ("17j_bazellike_nnapi_sl", "nnapi", "refused", "has no nnapi"),
        ("20i_litert_use_npu", "npu", "refused", "nothing in the log"),
        ("18l_xnnpack_then_gpu", "gpu", "refused", "TfLiteXNNPackDelegate"),
        ("04_elsr_default", "cpu", "refused", "XNNPACK ran"),
        ("04_elsr_default", "gpu", "refused", "nothing in the log"),
        ("09i_space_separated_flag", "xnnpack", "refused", "--num_threads"),
        ("20f_litert_use_gpu", "gpu", "refused", "took no part"),
        ("10e_numruns0", "xnnpack", "failed", "no inference"),
        ("07h_io_onlyfiles", "xnnpack", "failed", "SIGABRT"),
        ("09a_missing_file", "xnnpack", "failed", "Could not open '/nonexistent.tflite'."),
        ("09g_wrong_size_input", "xnnpack", "failed", "It should be 27648 bytes"),
        ("09x_unresolvable_kernel", "cpu", "failed", "Failed to allocate tensors!"),
        ("18b_gpu_noopencl", "gpu", "refused", "no OpenCL for the GPU delegate, and OpenGL failed"),
        ("01_help", None, "failed", "exit code 1"),
    ],
)
def test_a_number_is_never_given_for_what_did_not_run(
    name: str, requested: str | None, status: str, words: str
) -> None:
    reading = read_launch(printed(name), requested)
    assert reading.status == status
    assert words in (reading.reason or "")
    assert reading.latency is None


def test_the_exit_code_and_the_time_out_count_more_than_the_log() -> None:
    text = printed("03b_elsr_xnn_t2").text
    assert read_launch(Printed(text, 1), "xnnpack").status == "failed"
    assert read_launch(Printed(text, None), "xnnpack").status == "timeout"


def test_a_log_that_simply_ends_is_no_result() -> None:
    text = printed("03b_elsr_xnn_t2").text
    cut = text[: text.index("INFO: Inference timings")]
    reading = read_launch(Printed(cut, 0), "xnnpack")
    assert reading.status == "failed"
    assert "ends before the result" in (reading.reason or "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("median=11504", "median=91504"),
        ("median=11504", "median=1504"),
        ("(avg): 11789.6", "(avg): 21789.6"),
    ],
)
def test_numbers_that_can_not_all_be_true_are_refused(old: str, new: str) -> None:
    text = printed("03b_elsr_xnn_t2").text
    assert old in text
    reading = read_launch(Printed(text.replace(old, new), 0), "xnnpack")
    assert reading.status == "failed"
    assert "contradicts itself" in (reading.reason or "")


def test_lines_may_lack_the_prefix_or_carry_logcats() -> None:
    text = printed("03b_elsr_xnn_t2").text
    bare = text.replace("INFO: ", "")
    logcat = "\n".join(
        f"05-31 10:38:42.583 22206 22206 I tflite  : {line}" for line in bare.splitlines()
    )
    for variant in (bare, logcat, text.replace("\n", "\r\n")):
        reading = read_launch(Printed(variant, 0), "xnnpack")
        assert reading.latency is not None
        assert reading.latency.median == 11504


def test_builds_without_percentiles_keep_what_they_have() -> None:
    import re

    text = re.sub(r" p5=\d+ median=\d+ p95=\d+", "", printed("03b_elsr_xnn_t2").text)
    latency = read_launch(Printed(text, 0), "xnnpack").latency
    assert latency is not None
    assert (latency.median, latency.min, latency.avg) == (None, 11050, 11789.6)


@pytest.mark.parametrize(
    ("line", "count", "expected"),
    [
        ("count=3 curr=1(all same) p5=1 median=1 p95=1", 3, {"min": 1, "avg": 1, "median": 1}),
        ("count=1 curr=7", 1, {"min": 7, "median": 7, "std": 0}),
        ("count=0 p5=0 median=0 p95=0", 0, {"median": 0}),
        ("count=2 first=1 curr=3 min=1 max=3 avg=2.5e+00 std=1", 2, {"avg": 2.5}),
    ],
)
def test_all_forms_of_the_count_line(line: str, count: int, expected: dict[str, float]) -> None:
    log = read_log(f"INFO: Running benchmark for at least 1 iterations\nINFO: {line}\n")
    assert log.series[0].count == count
    assert {key: log.series[0].numbers[key] for key in expected} == expected


def test_a_profile_table_is_not_taken_for_a_series() -> None:
    log = read_log(printed("05b_elsr_prof_noxnn").text)
    assert [series.count for series in log.series] == [1, 5]


def test_memory_lines_of_both_families() -> None:
    classic = read_log(printed("08a_result_file").text).memory
    assert classic == {"init": 103.625, "overall": 119.812, "peak": 125.234}
    assert set(read_log(printed("20d_litert_peak_result").text).memory) == set(classic)


def test_the_result_file_is_preferred_and_must_belong_to_the_log() -> None:
    text = printed("08a_result_file").text
    own = BenchmarkResult(
        avg_ms=28.105, min_ms=21.271, max_ms=42.608, median_ms=21.817, init_ms=134.404,
        num_runs=5, init_kb=106112, overall_kb=122687, peak_mib=125.234,
    )  # fmt: skip
    reading = read_launch(Printed(text, 0, encode_result(own)), "xnnpack")
    assert reading.source == "proto"
    assert reading.latency is not None
    assert (reading.latency.median, reading.latency.max, reading.latency.count) == (21817, 42608, 5)
    assert reading.init_us == 134404
    assert reading.memory is not None
    assert (reading.memory.init, reading.memory.peak) == (103.625, pytest.approx(125.234))
    # recorded beside this log, but written by another run
    foreign = read_launch(printed("08a_result_file", result="08a_result.pb"), "xnnpack")
    assert (foreign.source, foreign.latency and foreign.latency.median) == ("log", 21817)
    torn = read_launch(Printed(text, 0, encode_result(own)[:30]), "xnnpack")
    assert torn.source == "log"


def test_the_result_file_survives_reading_and_writing() -> None:
    for name in ("08a_result.pb", "20d_result.pb"):
        data = (RECORDED / name).read_bytes()
        result = decode_result(data)
        assert decode_result(encode_result(result)) == result
        assert result.num_runs == 5
    first = decode_result((RECORDED / "08a_result.pb").read_bytes())
    assert first.avg_ms == pytest.approx(35.6066, abs=1e-4)
    assert first.init_ms == pytest.approx(138.975, abs=1e-3)
    assert first.peak_mib == pytest.approx(125.027, abs=1e-3)


@pytest.mark.parametrize("data", [b"", b"\x12", b"\x12\x05\x0d", b"\xff" * 40, b"\x0b\x00"])
def test_other_bytes_are_no_result_file(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_result(data)


def test_a_result_without_numbers_writes_nothing() -> None:
    assert encode_result(BenchmarkResult()) == b""


class Expected(NamedTuple):
    """One row of expected.tsv: written from the recordings' lines, not from what is read here."""

    name: str
    status: str
    cause: str
    requested: str
    outcome: str
    init_kind: str
    count: str
    median: str
    avg: str
    init: str


EXPECTED = [
    Expected(*line.split("\t")) for line in (RECORDED / "expected.tsv").read_text().splitlines()[1:]
]
CARRIED = {path.stem for path in RECORDED.glob("*.rc")}


def holds(expected: Expected, folder: Path) -> None:
    (recorded,) = find_recorded([folder / expected.name])
    reading = read_launch(recorded.printed)
    got = (reading.status, reading.cause or "-", reading.verdict.requested)
    assert got == expected[1:4], (expected.name, reading.reason)
    assert reading.verdict.outcome == expected.outcome, expected.name
    if expected.status != "ok":
        assert reading.reason
        assert (reading.latency, reading.init_us, reading.memory) == (None, None, None)
        return
    assert reading.reason is None
    assert reading.latency is not None
    assert reading.latency.count == int(expected.count)
    assert reading.latency.median == float(expected.median)
    assert reading.latency.avg == float(expected.avg), expected.name
    assert reading.init_us == float(expected.init)
    assert (reading.init_kind or "-") == expected.init_kind
    assert reading.memory is not None
    assert reading.memory.overall is not None


@pytest.mark.parametrize("expected", [e for e in EXPECTED if e.name in CARRIED], ids=lambda e: e[0])
def test_carried_recordings_are_read_as_a_person_reads_them(expected: Expected) -> None:
    holds(expected, RECORDED)


def test_all_recordings_are_read_as_a_person_reads_them(shared: Path) -> None:
    folder = shared / "benchmark_model_logs"
    assert {e.name for e in EXPECTED} == {path.stem for path in folder.glob("*.rc")}
    assert len(EXPECTED) == 153
    for expected in EXPECTED:
        holds(expected, folder)


def test_without_an_exit_code_the_log_alone_decides() -> None:
    for expected in EXPECTED:
        if expected.name not in CARRIED:
            continue
        launch = printed(expected.name)
        alone = read_launch(Printed(launch.text, None, exit_known=False), expected.requested)
        known = read_launch(launch, expected.requested)
        if expected.name == "20h_litert_gpu_cpu_full":  # aborts without a word that it failed
            assert (alone.status, alone.cause) == ("failed", Cause.TORN_LOG)
            continue
        assert (alone.status, alone.cause) == (known.status, known.cause), expected.name
        assert alone.latency == known.latency


def said(*lines: str) -> str:
    return "".join(f"{line}\n" for line in ("INFO: STARTING!", *lines))


@pytest.mark.parametrize(
    ("text", "code", "status", "cause", "words"),
    [
        (said(), 137, "failed", Cause.OUT_OF_MEMORY, "often out of memory"),
        (said(), 139, "failed", Cause.CRASH, "SIGSEGV"),
        (said(), -11, "failed", Cause.CRASH, "SIGSEGV"),
        (said(), 134, "failed", Cause.CRASH, "SIGABRT"),
        (said(), 132, "failed", Cause.CRASH, "another processor"),
        (said(), 130, "aborted", Cause.INTERRUPTED, "interrupted"),
        (said(), 143, "aborted", Cause.INTERRUPTED, "terminated"),
        (said(), 124, "timeout", Cause.TIMEOUT, "timeout"),
        (said(), None, "timeout", Cause.TIMEOUT, "time-out"),
        (said(), 0, "failed", Cause.TORN_LOG, "ends before the result"),
        (said(), 1, "failed", Cause.OTHER, "exit code 1"),
        ("sh: ./benchmark_model: not found\n", 127, "failed", Cause.NOT_EXECUTABLE, "not found"),
        ("sh: x: Permission denied\n", 126, "failed", Cause.NOT_EXECUTABLE, "Permission denied"),
        ("CANNOT LINK EXECUTABLE x: library y\n", 1, "failed", Cause.NOT_EXECUTABLE, "library y"),
        ("hello\n", 0, "failed", Cause.NOT_A_LOG, "no log"),
        ("", 0, "failed", Cause.NOT_A_LOG, "no log"),
        (
            said(
                "ERROR: Node number 3 (CONV_2D) failed to prepare.",
                "ERROR: Failed to allocate tensors!",
                "ERROR: Benchmarking failed.",
            ),
            1, "failed", Cause.OUT_OF_MEMORY, "often out of memory",
        ),
        (
            said("ERROR: XNNPack delegate failed to reshape runtime"),
            1, "failed", Cause.OUT_OF_MEMORY, "reshape",
        ),
        (
            said("ERROR: Encountered unresolved custom op: Foo."),
            1, "failed", Cause.BAD_MODEL, "Foo",
        ),
        (
            said("ERROR: Could not find the specified NNAPI accelerator: foo."),
            1, "failed", Cause.DELEGATE_FAILED, "foo",
        ),
    ],
)  # fmt: skip
def test_what_ended_it_has_a_cause_of_its_own(
    text: str, code: int | None, status: str, cause: Cause, words: str
) -> None:
    reading = read_launch(Printed(text, code), "xnnpack")
    assert (reading.status, reading.cause) == (status, cause)
    assert words in (reading.reason or "")


def test_a_success_that_says_it_failed_is_a_contradiction() -> None:
    text = printed("03b_elsr_xnn_t2").text + "ERROR: Benchmarking failed.\n"
    assert read_launch(Printed(text, 0), "xnnpack").cause is Cause.CONTRADICTION
    assert read_launch(Printed(text, None, exit_known=False), "xnnpack").cause is Cause.OTHER


@pytest.mark.parametrize("name", ["gpu", "gpu-cl", "gpu-fp32"])
def test_all_variants_of_a_delegate_are_found_by_its_label(name: str) -> None:
    good, missing = printed("18k_gpu_then_xnnpack"), printed("09q_use_gpu_linux")
    assert read_launch(good, name).verdict.outcome == "full"
    assert read_launch(missing, name).cause is Cause.NO_DELEGATE_IN_BUILD


def test_another_backend_than_the_one_asked_for_is_refused() -> None:
    launch = printed("18k_gpu_then_xnnpack")
    assert read_launch(launch, "gpu-gl-fp32").cause is Cause.FALLBACK
    assert read_launch(launch, "gpu-cl-fp32").status == "ok"
    assert read_launch(launch, "gpu-fp32").status == "ok"


def test_refused_operations_are_told_where_the_delegate_took_the_rest() -> None:
    reading = read_launch(printed("19a_partial_gpu"), "gpu")
    assert (reading.status, reading.reason, reading.verdict.refused_ops) == (
        "ok",
        None,
        ("REVERSE_V2",),
    )


def test_logcat_knows_the_level_of_a_line() -> None:
    text = printed("19a_partial_gpu").text
    letters = {"INFO": "I", "ERROR": "E"}
    lines = []
    for line in text.splitlines():
        level, colon, rest = line.partition(": ")
        letter = letters[level] if colon and level in letters else "E"
        said_so = rest if colon and level in letters else line
        lines.append(f"05-31 10:38:42.583 22206 22206 {letter} tflite  : {said_so}\n")
    reading = read_launch(Printed("".join(lines), 0), "gpu")
    assert (reading.status, reading.verdict.outcome) == ("ok", "partial")
    assert reading.verdict.refused_ops == ("REVERSE_V2",)
    failed = "05-31 10:38:42.583 1 1 E tflite  : Failed to load model m.tflite\n"
    start = "05-31 10:38:42.583 1 1 I tflite  : STARTING!\n"
    assert read_launch(Printed(start + failed, 1), "gpu").cause is Cause.BAD_MODEL


def test_a_command_and_its_log_must_agree() -> None:
    launch = printed("03b_elsr_xnn_t2")
    command = ["benchmark_model", "--use_xnnpack=true", "--num_threads=2"]
    assert read_launch(dataclasses.replace(launch, argv=command)).status == "ok"
    other = [*command[:2], "--num_threads=4"]
    assert read_launch(dataclasses.replace(launch, argv=other)).cause is Cause.CONTRADICTION
    gpu = ["benchmark_model", "--use_gpu=true", "--num_threads=2"]
    assert read_launch(dataclasses.replace(launch, argv=gpu)).cause is Cause.UNPROVEN


def test_result_file_and_log_of_one_launch_must_agree() -> None:
    text = printed("20d_litert_peak_result").text
    latency = read_launch(Printed(text, 0)).latency
    assert latency is not None
    own = BenchmarkResult(
        avg_ms=11.0842, min_ms=11.034, max_ms=11.164, std_ms=0.0521, median_ms=11.058,
        p5_ms=11.034, p95_ms=11.164, init_ms=1.035, first_ms=67.114, num_runs=5,
    )  # fmt: skip
    assert read_launch(Printed(text, 0, encode_result(own))).source == "proto"
    damaged = dataclasses.replace(own, median_ms=11.05)
    reading = read_launch(Printed(text, 0, encode_result(damaged)))
    assert (reading.status, reading.cause) == ("failed", Cause.CONTRADICTION)
    assert "median" in (reading.reason or "")


def test_a_stream_that_was_cut_is_marked_and_its_last_line_not_believed() -> None:
    text = printed("03b_elsr_xnn_t2").text
    whole = text.index("overall=")
    cut = text[: whole + len("overall=119")]
    for stream in (cut, join_streams(cut, "INFO: later\n")):
        reading = read_launch(Printed(stream, 0), "xnnpack")
        assert (reading.status, reading.memory) == ("ok", None)


def test_a_verbose_log_echoes_flags_that_nobody_set() -> None:
    text = printed("04_elsr_default").text
    echo = "".join(
        f"INFO: {label}\n"
        for label in (
            "Use gpu: [0]", "Use xnnpack: [0]", "External delegate path: []", "Num threads: [-1]",
            "Inter-run delay (seconds): [-1]", "Run w/o invoking kernels: [0]",
        )
    )  # fmt: skip
    verbose = text.replace("verbosely: [0]\n", "verbosely: [1]\n" + echo)
    assert verbose != text
    reading = read_launch(Printed(verbose, 0))
    assert (reading.status, reading.verdict.requested) == ("ok", "default")
    assert read_launch(Printed(verbose, 0), "cpu").cause is Cause.FALLBACK

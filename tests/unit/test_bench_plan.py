"""Which jobs in which order, what is passed to the tool, and which options are refused."""

from pathlib import Path

import pytest

from edgesr.assets import asset_names
from edgesr.bench.argv import ONCE, Launch, Pixels, build_argv, missing_flags, suite_loop
from edgesr.bench.delegates import delegate_names, unavailable
from edgesr.bench.doubts import Code, conditions, low_count
from edgesr.bench.engine import Tool, own_runner, read_flags
from edgesr.bench.measure import count_jobs
from edgesr.bench.plan import Axes, estimate_s, of_sizes, plan_jobs, schedule
from edgesr.bench.suite import load_suite
from edgesr.device.info import host_info, host_state
from edgesr.device.profile import Limits, host_profile
from edgesr.errors import ConfigError, UsageError
from edgesr.results.records import DeviceState, Engine, Job, Latency, Record
from edgesr.results.store import Workspace
from tests.fixtures.tiny import tiny_candidate

RECORDED = Path(__file__).parents[1] / "fixtures" / "benchmark_model"


def some_jobs(count: int) -> list[Job]:
    return [
        Job(candidate="c" * 64, variant="fp32", device="host", delegate="cpu", threads=n + 1)
        for n in range(count)
    ]


def tool(*without: str) -> Tool:
    ours = own_runner()
    return Tool(("bm",), "classic", ours.flags - set(without), Engine(name="benchmark_model"))


def test_rounds_are_interleaved_and_each_begins_one_job_later() -> None:
    turns = [(turn.round, turn.job.threads) for turn in schedule(some_jobs(3), 3)]
    assert turns == [
        (0, 1), (0, 2), (0, 3),
        (1, 2), (1, 3), (1, 1),
        (2, 3), (2, 1), (2, 2),
    ]  # fmt: skip
    assert list(schedule([], 3)) == []


def test_jobs_are_all_combinations_once(tmp_path: Path) -> None:
    candidate = tiny_candidate(Workspace(tmp_path))
    axes = Axes({"host": ("cpu", "xnnpack")}, (1, 2, 2))
    jobs = plan_jobs([candidate, candidate], axes)
    assert [(job.delegate, job.threads) for job in jobs] == [
        ("cpu", 1), ("cpu", 2), ("xnnpack", 1), ("xnnpack", 2),
    ]  # fmt: skip
    assert len({job.key for job in jobs}) == 4


def test_sizes_choose_candidates(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    both = [tiny_candidate(workspace), tiny_candidate(workspace, height=20)]
    assert of_sizes(both, ()) == both
    assert of_sizes(both, ("20x16",)) == both[1:]


def test_every_shipped_suite_holds_and_has_an_estimate() -> None:
    assert "quick" in asset_names("suites")
    for name in asset_names("suites"):
        suite = load_suite(name)
        least, most = estimate_s(10, suite)
        assert 0 < least <= most


def test_a_suite_with_a_wrong_key_or_value_names_it(tmp_path: Path) -> None:
    text = 'name = "x"\nthreads = [1]\nrounds = 1\nnum_runs = 1\nmin_secs = 0\nmax_secs = 1\n'
    path = tmp_path / "mine.toml"
    path.write_text(text)
    assert load_suite(str(path)).name == "x"
    path.write_text(text + "max_sec = 3\n")
    with pytest.raises(ConfigError, match="max_sec"):
        load_suite(str(path))
    path.write_text(text.replace("rounds = 1", "rounds = 0"))
    with pytest.raises(ConfigError, match="rounds"):
        load_suite(str(path))
    with pytest.raises(ConfigError, match="nosuch"):
        load_suite("nosuch")


def test_the_argv_has_threads_always_and_only_flags_that_are_known() -> None:
    launch = Launch("m.tflite", "cpu", 2, suite_loop(load_suite("quick")), result_file="r.pb")
    argv = build_argv(tool(), launch)
    assert argv[0] == "bm"
    assert {"--num_threads=2", "--use_xnnpack=false", "--result_file_path=r.pb"} <= set(argv)
    old = build_argv(tool("result_file_path", "warmup_min_secs"), launch)
    assert not [flag for flag in old if flag.startswith(("--result_file", "--warmup_min"))]
    assert all("=" in flag for flag in argv[1:])


def test_pixels_go_through_a_layer_name_without_a_colon() -> None:
    pixels = Pixels("/t/in.raw", (1, 12, 16, 3), "/t/out.raw")
    launch = Launch("m.tflite", "xnnpack", 1, ONCE, pixels=pixels)
    argv = build_argv(tool(), launch)
    assert "--input_layer_value_files=x:/t/in.raw" in argv
    assert "--input_layer_shape=1,12,16,3" in argv
    assert missing_flags(tool(), launch) == []
    assert missing_flags(tool("output_filepath"), launch) == ["output_filepath"]
    assert missing_flags(tool("use_xnnpack"), launch) == ["use_xnnpack"]


def test_delegates_are_checked_and_refused_where_they_do_not_exist() -> None:
    assert delegate_names(["xnnpack", "cpu", "xnnpack"]) == ("xnnpack", "cpu")
    assert delegate_names(["all"]) == ("cpu", "xnnpack", "gpu", "nnapi")
    with pytest.raises(UsageError) as raised:
        delegate_names(["xnpack"])
    assert "xnnpack" in raised.value.hint
    assert unavailable("xnnpack", "host", "classic") is None
    assert "Android" in (unavailable("gpu", "host", "classic") or "")
    assert unavailable("gpu", "android", "litert") is None
    assert "TensorFlow Lite" in (unavailable("nnapi", "android", "litert") or "")


def test_both_families_tell_their_flags() -> None:
    def classic(argument: str) -> str:
        assert argument == "--help"
        return (RECORDED / "01_help.stderr").read_text()

    family, flags = read_flags(classic)
    assert family == "classic"
    assert {"use_xnnpack", "input_layer_value_files", "result_file_path", "graph"} <= flags
    assert "use_gpu" not in flags

    def litert(argument: str) -> str:
        name = "20a_litert_help.stdout" if argument == "--help" else "20a3_litert_badbool.stderr"
        return (RECORDED / name).read_text()

    family, flags = read_flags(litert)
    assert family == "litert"
    assert "use_npu" in flags
    assert "use_xnnpack" not in flags


def test_conditions_become_doubts_with_numbers() -> None:
    cool = DeviceState(temperature_c=40, big_core_clock_mhz=3000)
    hot = DeviceState(temperature_c=95, big_core_clock_mhz=1500)
    limits = Limits(temperature_c=90)
    assert conditions(5, 2, (cool, cool), limits) == []
    assert conditions(None, None, (DeviceState(), DeviceState()), limits) == []
    codes = [doubt.code for doubt in conditions(60, 2, (cool, hot), limits)]
    assert codes == [Code.BUSY, Code.HOT, Code.CLOCK_CHANGED]
    suite = load_suite("quick")
    assert low_count(Latency(count=suite.num_runs), suite) == []
    short = low_count(Latency(count=1), suite)[0]
    assert (short.code, short.numbers) == (Code.COUNT_LOW, {"count": 1, "asked": suite.num_runs})


def test_a_job_counts_by_its_best_round() -> None:
    jobs = some_jobs(3)
    records = [
        Record(job=jobs[0], round=0, status="failed"),
        Record(job=jobs[0], round=1, status="ok"),
        Record(job=jobs[1], round=0, status="refused"),
    ]
    assert count_jobs(jobs, records) == {"ok": 1, "refused": 1, "failed": 1}


def test_the_host_can_be_described() -> None:
    info = host_info(host_profile()).to_dict()
    assert set(info) == {"model", "os", "cpu", "cores", "memory_mb", "abi", "profile"}
    assert info["profile"] == "host"
    assert info["cores"] >= 1
    assert host_state().load_1m is not None

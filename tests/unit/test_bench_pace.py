"""Pace: suites that have one, their order of launches, what the tool is told, what is resumed."""

from pathlib import Path

import pytest

from edgesr.bench.argv import Launch, build_argv, missing_flags, suite_loop
from edgesr.bench.doubts import Code, doubt
from edgesr.bench.engine import Tool, own_runner
from edgesr.bench.host_model import Limits, timed
from edgesr.bench.host_runner import Options, parse_flags
from edgesr.bench.plan import Axes, estimate_s, plan_jobs
from edgesr.bench.recorded import find_recorded, parse
from edgesr.bench.series import (
    answered_turns,
    next_series,
    torn_series,
    turns_of,
    without_heat,
)
from edgesr.bench.suite import Pace, Suite, load_suite
from edgesr.errors import ConfigError
from edgesr.results.records import Engine, Job, Record, Segment
from edgesr.results.store import Workspace
from tests.fixtures.tiny import tiny_candidate

RECORDED = Path(__file__).parents[1] / "fixtures" / "benchmark_model"
HEAD = 'name = "x"\nthreads = [1]\n'
PACE = "[pace]\nfps = [30, 60]\nminutes = 1\nsegment_s = 20\n"


def suite_file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


def job(fps: float = 30, threads: int = 1) -> Job:
    return Job(candidate="c" * 64, variant="fp32", device="host", delegate="cpu",
               threads=threads, pace_fps=fps)  # fmt: skip


def test_rounds_and_the_rest_follow_from_the_pace(tmp_path: Path) -> None:
    suite = load_suite(suite_file(tmp_path, HEAD + PACE))
    assert (suite.rounds, suite.min_secs, suite.max_secs) == (3, 20, 20)
    assert Suite.model_validate(suite.model_dump(mode="json")) == suite
    assert estimate_s(suite.rounds, suite)[0] >= 60
    longer = suite.paced((24, 29.97), 10)
    assert (longer.rounds, longer.pace) == (30, Pace(fps=(24, 29.97), minutes=10, segment_s=20))
    brief = suite.paced(minutes=0.1)
    assert (brief.rounds, brief.max_secs) == (1, 6)
    assert suite.paced(minutes=0.5).rounds == 2  # at least as long as asked
    shipped = load_suite("sustained")
    assert shipped.pace is not None
    assert shipped.rounds * shipped.pace.seconds == 600


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (HEAD + "rounds = 9\n" + PACE, "rounds"),
        (HEAD + "num_runs = 5\n" + PACE, "num_runs"),
        (HEAD + "timeout_s = 20\n" + PACE, "timeout_s"),
        (HEAD + PACE.replace("[30, 60]", "[]"), "pace.fps"),
        (HEAD + PACE.replace("[30, 60]", "[0]"), "pace.fps"),
        (HEAD + PACE.replace("minutes = 1", "minutes = nan"), "pace.minutes"),
        (HEAD + PACE.replace("segment_s = 20", ""), "pace.segment_s"),
        (HEAD + PACE + "hz = 3\n", "hz"),
        (HEAD + "pace = 30\n", "pace"),
    ],
)
def test_a_pace_that_does_not_hold_names_its_key(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_suite(suite_file(tmp_path, text))


def test_each_rate_is_a_job_and_its_series_stays_together(tmp_path: Path) -> None:
    suite = load_suite(suite_file(tmp_path, HEAD + PACE))
    jobs = plan_jobs(
        [tiny_candidate(Workspace(tmp_path))], Axes({"host": ("cpu",)}, (1,), (30, 60))
    )
    assert [one.pace_fps for one in jobs] == [30, 60]
    assert len({one.key for one in jobs}) == 2
    turns = [(turn.job.pace_fps, turn.round) for turn in turns_of(jobs, suite)]
    assert turns == [(30, 0), (30, 1), (30, 2), (60, 0), (60, 1), (60, 2)]


def test_the_tool_is_told_the_rate_and_where_to_end(tmp_path: Path) -> None:
    suite = load_suite(suite_file(tmp_path, HEAD + PACE))
    tool = Tool(("bm",), "classic", own_runner().flags, Engine(name="benchmark_model"))
    launch = Launch("m.tflite", "cpu", 1, suite_loop(suite, 29.97))
    argv = build_argv(tool, launch)
    assert {"--run_frequency=29.97", "--num_runs=599", "--max_secs=20", "--min_secs=0"} <= set(argv)
    old = Tool(("bm",), "classic", tool.flags - {"run_frequency"}, tool.engine)
    assert missing_flags(old, launch) == ["run_frequency"]
    free = Launch("m.tflite", "cpu", 1, suite_loop(load_suite("quick")))
    assert not [flag for flag in build_argv(tool, free) if "frequency" in flag]


class Clock:
    """Time that passes only where it is spent."""

    def __init__(self) -> None:
        self.now_ns = 5_000

    def perf_counter_ns(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_ns += round(seconds * 1e9)


@pytest.mark.parametrize(
    ("takes_s", "limits", "count", "lasts_s"),
    [
        ((0.01,), Limits(10, 0, 5, gap_s=0.05), 10, 0.5),  # the last one's due time counts too
        ((0.2, 0.01), Limits(10, 0, 5, gap_s=0.05), 10, 0.5),  # one hiccup is caught up
        ((0.1,), Limits(20, 0, 0.5, gap_s=0.025), 6, 0.6),  # never in time: ended by its maximum
        ((0.01,), Limits(20, 0, 1.0, gap_s=0.05), 20, 1.0),
        ((0.1,), Limits(5, 0, 5), 5, 0.5),  # no pace
    ],
)
def test_our_runner_paces_as_the_official_one(
    monkeypatch: pytest.MonkeyPatch,
    takes_s: tuple[float, ...],
    limits: Limits,
    count: int,
    lasts_s: float,
) -> None:
    clock, left = Clock(), list(takes_s)
    monkeypatch.setattr("edgesr.bench.host_model.time", clock)
    samples = timed(
        lambda: clock.sleep(left.pop(0) if len(left) > 1 else left[0]), lambda: None, limits
    )
    assert len(samples) == count
    assert samples[0] == pytest.approx(takes_s[0] * 1e6, abs=1)
    assert clock.now_ns / 1e9 == pytest.approx(lasts_s, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "gap_s"), [("10", 0.1), ("0", 0), ("-1", 0), ("29.97", 1 / 29.97)]
)
def test_run_frequency_is_read_and_off_at_zero(text: str, gap_s: float) -> None:
    values, given, unconsumed = parse_flags([f"--run_frequency={text}"])
    assert (given, unconsumed) == (["run_frequency"], [])
    limits = Options(values).limits(warmup=False)
    assert limits.gap_s == pytest.approx(gap_s)


@pytest.mark.parametrize("stem", ["10i_run_frequency", "10h_run_delay"])
def test_logs_of_the_official_tool_with_pauses_are_read(stem: str) -> None:
    (recorded,) = find_recorded([RECORDED / stem])
    record = parse(recorded).record
    assert (record.status, record.reason) == ("ok", None)
    assert record.latency_us is not None
    assert record.latency_us.count == 10


def segment(number: int, series: int = 0, status: str = "ok") -> Record:
    part = Segment(series=series, number=number, count=3, seconds=20)
    return Record.model_validate({"job": job(), "round": number, "segment": part, "status": status})


def test_a_series_is_answered_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    suite = load_suite(suite_file(tmp_path, HEAD + PACE))
    torn = [segment(0), segment(1), segment(2, status="aborted")]
    assert answered_turns(torn, suite) == set()
    assert next_series(torn) == {job().key: 1}
    assert torn_series(torn) == {job().key}
    spread = [segment(0), segment(1), segment(2, series=1)]  # two torn ones make no whole
    assert answered_turns(spread, suite) == set()
    good = [*torn, *(segment(number, series=1) for number in range(3))]
    assert answered_turns(good, suite) == {(job().key, number) for number in range(3)}
    assert torn_series(good) == set()
    assert torn_series([segment(0, status="refused")]) == set()
    assert answered_turns([segment(0, status="refused")], suite) == {(job().key, 0)}


def test_ordinary_rounds_are_answered_one_by_one() -> None:
    free = Job.model_validate(job().model_dump(exclude={"pace_fps"}))
    records = [Record(job=free, round=1, status="ok"), Record(job=free, round=0, status="failed")]
    assert answered_turns(records, load_suite("quick")) == {(free.key, 1)}
    assert next_series(records) == {}


def test_heat_is_no_doubt_within_a_series() -> None:
    found = [doubt(Code.HOT, temperature_c=41.0, limit_c=38.0), doubt(Code.BATTERY_LOW)]
    assert [one.code for one in without_heat(found)] == ["battery_low"]

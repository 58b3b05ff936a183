"""Rounds until a median is known well enough: when a job has enough, and which options say so."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import summarise
from edgesr.bench.header import Plan
from edgesr.bench.plan import estimate_s
from edgesr.bench.rounds import Precision
from edgesr.bench.series import unfinished
from edgesr.bench.suite import LEAST_ROUNDS, MOST_ROUNDS, Suite, load_suite
from edgesr.cli._bench_suite import SuiteOptions, chosen_suite
from edgesr.errors import ConfigError, UsageError
from edgesr.results.records import Job, Latency, Record
from edgesr.results.store import Workspace
from tests.unit.fake_runs import header, manifest, ok_record

QUICK = load_suite("quick").model_dump(mode="json")
UNTIL = Suite.model_validate({**QUICK, "until_pct": 3, "rounds": 30})
STEADY = (10.0, 10.1, 9.9, 10.0, 10.05)
NOISY = (10.0, 12.0, 8.0, 10.0, 11.0)


def job(threads: int = 1, device: str = "host") -> Job:
    return Job(candidate="c" * 64, variant="fp32", device=device, delegate="cpu", threads=threads)


def records(times: Sequence[float], one: Job | None = None) -> list[Record]:
    return [ok_record(one or job(), number, time) for number, time in enumerate(times)]


@pytest.mark.parametrize(
    ("times", "enough"),
    [
        (STEADY, True),
        (STEADY[:4], False),  # never below five
        ((10.0,) * 4, False),
        ((10.0,) * 5, True),
        (NOISY, False),
        ((*NOISY, *STEADY * 3), True),
        ((), False),
    ],
)
def test_a_job_has_enough_when_its_median_is_known_that_well(
    times: Sequence[float], *, enough: bool
) -> None:
    assert Precision(UNTIL, records(times)).enough(job().key) == enough
    one_by_one = Precision(UNTIL)
    for record in records(times):
        one_by_one.add(record)
    assert one_by_one.enough(job().key) == enough


def test_a_fixed_number_of_rounds_is_never_cut_short() -> None:
    assert not Precision(load_suite("quick"), records((10.0,) * 9)).enough(job().key)


def test_only_good_rounds_of_the_job_itself_count() -> None:
    bad = [record.model_copy(update={"status": "failed"}) for record in records(STEADY)]
    nothing = [record.model_copy(update={"latency_us": None}) for record in records(STEADY)]
    endless = [r.model_copy(update={"latency_us": Latency(median=float("nan"), avg=float("inf"))})
               for r in records(STEADY)]  # fmt: skip
    other = records(STEADY, job(threads=2))
    twice = records(STEADY[:3]) + records(STEADY[:3])  # a round measured again is one round
    nobody = [Record(status="ok", latency_us=Latency(median=5.0))] * 6
    precision = Precision(UNTIL, [*bad, *nothing, *endless, *other, *twice, *nobody])
    assert not precision.enough(job().key)
    assert precision.enough(job(threads=2).key)


def test_an_average_stands_in_for_a_missing_median() -> None:
    averages = [
        record.model_copy(update={"latency_us": Latency(avg=10e3)}) for record in records(STEADY)
    ]
    assert Precision(UNTIL, averages).enough(job().key)


def test_a_job_with_enough_rounds_is_finished(tmp_path: Path) -> None:
    jobs = [job(1), job(2), job(1, "phone")]
    plan = Plan((), jobs, UNTIL)
    one = manifest("x", "fp32", "elsr_x2")
    run = Workspace(tmp_path).new_run(header([one], jobs, suite=UNTIL.model_dump(mode="json")))
    for record in (*records(STEADY, jobs[0]), *records(NOISY, jobs[1]), *records(STEADY, jobs[2])):
        run.append(record)
    assert unfinished(run, plan) == {"host"}
    for number, ms in enumerate(STEADY * 4, len(NOISY)):
        run.append(ok_record(jobs[1], number, ms))
    assert unfinished(run, plan) == set()
    for found in summarise(tidy_rows([read_run(run)])):
        assert found.rounds_planned != found.rounds_planned  # none is missing


def test_the_options_change_the_suite() -> None:
    assert chosen_suite(None, SuiteOptions()).until_pct is None
    until = chosen_suite("quick", SuiteOptions(until="3%"))
    assert (until.until_pct, until.rounds, until.least_rounds) == (3, MOST_ROUNDS, LEAST_ROUNDS)
    limited = chosen_suite("full", SuiteOptions(until=" 2.5 % ", rounds=7))
    assert (limited.until_pct, limited.rounds) == (2.5, 7)
    assert estimate_s(1, limited) == estimate_s(1, load_suite("full"))
    assert Suite.model_validate(until.model_dump(mode="json")) == until


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("quick", SuiteOptions(until="narrow"), "no percentage"),
        ("quick", SuiteOptions(until="0%"), "from 0.1%"),
        ("quick", SuiteOptions(until="0.03"), "from 0.1%"),  # meant as 3 %
        ("quick", SuiteOptions(until="nan"), "from 0.1%"),
        ("quick", SuiteOptions(until="90%"), "to 50%"),
        ("quick", SuiteOptions(until="3%", rounds=4), "needs 5"),
        ("sustained", SuiteOptions(until="3%"), "paced"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    name: str, options: SuiteOptions, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        chosen_suite(name, options)


def test_a_suite_of_ones_own_may_have_it(tmp_path: Path) -> None:
    text = 'name = "x"\nthreads = [1]\nnum_runs = 1\nmin_secs = 0\nmax_secs = 1\nuntil_pct = 2\n'
    path = tmp_path / "mine.toml"
    path.write_text(text + "rounds = 40\n")
    assert chosen_suite(str(path), SuiteOptions()).rounds == 40
    assert chosen_suite(str(path), SuiteOptions(until="5%")).rounds == 40
    assert chosen_suite(str(path), SuiteOptions(rounds=8)).until_pct == 2
    with pytest.raises(UsageError, match="needs 5"):
        chosen_suite(str(path), SuiteOptions(rounds=3))
    path.write_text(text + "rounds = 4\n")
    with pytest.raises(ConfigError, match="until_pct needs 5"):
        load_suite(str(path))
    pace = "[pace]\nfps = [30]\nminutes = 5\nsegment_s = 20\n"
    path.write_text('name = "x"\nthreads = [1]\nuntil_pct = 2\n' + pace)
    with pytest.raises(ConfigError, match=r"\[pace\]"):
        load_suite(str(path))

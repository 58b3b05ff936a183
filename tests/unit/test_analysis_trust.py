"""Trust grades, and trends over rounds."""

import math
from pathlib import Path

import numpy as np
import pytest
from fake_runs import fleet_run, header, manifest, ok_record, simple_run

from edgesr.analysis.devices import devices_of
from edgesr.analysis.doubts import JobDoubt
from edgesr.analysis.drift import LOWER_CLOCK, SLOWER, fall, order_by_chance, rise
from edgesr.analysis.operations import costs, operations_text
from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise, summary_frame
from edgesr.analysis.trust import DISQUALIFYING, SEVERITY, severity, weigh
from edgesr.bench.doubts import Code
from edgesr.results.records import (
    Accuracy,
    DeviceState,
    Doubt,
    Job,
    Latency,
    OpTime,
    Record,
    Verdict,
)
from edgesr.results.store import RunFolder, Workspace


def measured(path: Path, rounds: list[dict[str, object]], **head: object) -> JobSummary:
    """One job of one run; each round is `ok_record` with these changes, 10 ms by default."""
    name = "elsr_x2-360x640-fp32"
    one = manifest(name, "fp32", "elsr_x2")
    job = Job(candidate=one["id"], variant="fp32", device="host", delegate="xnnpack", threads=2)
    run = Workspace(path).new_run(header([one], [job], **head))
    for number, changes in enumerate(rounds):
        run.append(ok_record(job, number, 10.0, **changes))
    (found,) = jobs_of(run)
    return found


def jobs_of(run: RunFolder) -> list[JobSummary]:
    return summarise(tidy_rows([read_run(run)]))


def codes(doubts: tuple[JobDoubt, ...]) -> list[str]:
    return [doubt.code for doubt in doubts]


def test_every_doubt_of_a_record_has_a_weight() -> None:
    assert set(Code) <= set(SEVERITY)
    assert set(SEVERITY) >= DISQUALIFYING
    assert {severity(code) for code in SEVERITY} == {"A", "B", "C"}


@pytest.mark.parametrize(
    ("findings", "grade", "reasons"),
    [
        ([], "A", ()),
        ([("no_pss", {})], "A", ()),
        ([("never_heard_of", {})], "B", ("never_heard_of",)),
        ([("few_rounds", {}), ("simulated", {})], "C", ("simulated", "few_rounds")),
        ([("busy", {"busy_pct": 30.0})], "B", ("busy",)),
        ([("busy", {"busy_pct": 70.0})], "C", ("busy",)),
        ([("busy", {"busy_pct": 70.0}), ("busy", {"busy_pct": 30.0})], "C", ("busy",)),
        ([("busy", {"busy_pct": "many"})], "B", ("busy",)),
        ([("busy", {"busy_pct": math.nan})], "B", ("busy",)),
        ([("clock_capped", {"limit_mhz": 1000.0, "max_mhz": 2850.0})], "C", ("clock_capped",)),
        ([("clock_capped", {"limit_mhz": 2800.0, "max_mhz": 2850.0})], "B", ("clock_capped",)),
        ([("clock_capped", {})], "B", ("clock_capped",)),
    ],
)
def test_the_worst_finding_gives_the_grade(
    findings: list[tuple[str, dict[str, object]]], grade: str, reasons: tuple[str, ...]
) -> None:
    trust = weigh(findings)
    assert (trust.grade, trust.reasons) == (grade, reasons)


def test_three_good_rounds_are_an_a(tmp_path: Path) -> None:
    job = measured(tmp_path, [{}] * 3)
    assert (job.trust, job.trust_reasons, job.selectable) == ("A", (), True)


@pytest.mark.parametrize(
    ("rounds", "grade", "reason"),
    [
        ([{}], "B", "few_rounds"),
        ([{}] * 2 + [{"latency_us": Latency(median=13e3)}], "B", "wide_spread"),
        ([{}] * 2 + [{"latency_us": Latency(median=20e3)}], "C", "wide_spread"),
        ([{}] * 3 + [{"status": "failed", "reason": "x"}], "B", "rounds_bad"),
        ([{}] * 2 + [{"status": "failed", "reason": "x"}] * 3, "C", "rounds_bad"),
        ([{"status": "refused", "reason": "x"}], "C", "status_refused"),
        ([], "C", "not_measured"),
        ([{"latency_us": None}] * 3, "C", "no_usable_time"),
        ([{"verdict": Verdict(requested="xnnpack", outcome="partial")}] * 3, "B",
         "verdict_partial"),
        ([{"verdict": Verdict(requested="xnnpack", outcome="fallback")}] * 3, "C",
         "verdict_fallback"),
        ([{"verdict": None}] * 3, "C", "verdict_unknown"),
        ([{"doubts": [Doubt(code="throttled", numbers={"thermal_status": 2})]}, {}, {}], "C",
         "throttled"),
        ([{"simulated": True}] * 3, "C", "simulated"),
    ],
)  # fmt: skip
def test_a_jobs_grade_and_its_first_reason(
    tmp_path: Path, rounds: list[dict[str, object]], grade: str, reason: str
) -> None:
    job = measured(tmp_path, rounds)
    assert (job.trust, job.trust_reasons[0]) == (grade, reason)


def test_the_worst_round_gives_a_doubts_numbers(tmp_path: Path) -> None:
    rounds: list[dict[str, object]] = [
        {"doubts": [Doubt(code="busy", numbers={"busy_pct": pct})]} for pct in (30, 90, 60)
    ]
    job = measured(tmp_path, rounds)
    assert job.doubts == (JobDoubt("busy", {"busy_pct": 90}, 3),)
    assert job.trust == "C"


@pytest.mark.parametrize(
    ("facts", "grade", "reason"),
    [({"simulated": True}, "C", "simulated"), ({"listed": False}, "B", "unlisted")],
)
def test_what_the_header_says_about_the_device_counts(
    tmp_path: Path, facts: dict[str, object], grade: str, reason: str
) -> None:
    """Also where the records say nothing, as after a damaged or an edited file."""
    job = measured(tmp_path, [{}] * 3, devices={"host": {"model": "host", **facts}})
    assert (job.trust, job.trust_reasons) == (grade, (reason,))
    assert codes(job.doubts) == [reason]
    assert job.simulated == (reason == "simulated")


def test_every_round_has_a_grade_of_its_own(tmp_path: Path) -> None:
    hot = Doubt(code="hot", numbers={"temperature_c": 45.0, "limit_c": 38.0})
    run = simple_run(tmp_path, rounds=(10.0, 10.0))
    job = Job(**run.header()["jobs"][0])
    run.append(ok_record(job, 2, 10.0, doubts=[hot]))
    run.append(Record(job=job, round=3, status="timeout", reason="too long"))
    rows = tidy_rows([read_run(run)])
    assert list(rows["trust"]) == ["A", "A", "C", "C"]
    assert list(rows["trust_reasons"]) == ["", "", "hot", "status_timeout"]


ACCURACY = Accuracy(psnr_y=30.0, reference_psnr_db=44.0, floor_db=30.0, images=2, protocol="y")


@pytest.mark.parametrize(
    ("accuracy", "doubt"),
    [
        (None, None),
        (ACCURACY, None),
        (ACCURACY.model_copy(update={"reference_psnr_db": None}), None),  # not one value differs
        (ACCURACY.model_copy(update={"reference_psnr_db": 29.9}), "pixels_wrong"),
        (ACCURACY.model_copy(update={"reference_psnr_db": 29.9, "floor_db": None}), None),
        (ACCURACY.model_copy(update={"psnr_y": None}), "pixels_not_finite"),
    ],
)
def test_wrong_pixels_are_no_choice_however_fast(
    tmp_path: Path, accuracy: Accuracy | None, doubt: str | None
) -> None:
    job = measured(tmp_path, [{"accuracy": accuracy}, {}, {}])
    assert codes(job.doubts) == ([doubt] if doubt else [])
    assert job.verified
    assert job.selectable == (doubt is None)
    assert job.trust == ("A" if doubt is None else "C")


def test_pixels_that_the_record_calls_wrong_are_wrong(tmp_path: Path) -> None:
    wrong = [Doubt(code="pixels_wrong", numbers={"psnr_db": 12.0, "floor_db": 30.0})]
    job = measured(tmp_path, [{"doubts": wrong}, {}, {}])
    assert (job.trust, job.selectable, codes(job.doubts)) == ("C", False, ["pixels_wrong"])


def test_cold_and_warm_starts_are_never_mixed(tmp_path: Path) -> None:
    cold = {"init_kind": "cold", "init_us": 800e3}
    warm = [{"init_kind": "warm", "init_us": us} for us in (90e3, 100e3, 110e3)]
    job = measured(tmp_path, [cold, *warm])
    assert (job.init_cold_ms, job.init_warm_ms) == (800, 100)
    assert math.isnan(job.init_ms)


def test_a_start_of_no_kind_stays_what_it_was(tmp_path: Path) -> None:
    job = measured(tmp_path, [{}] * 3)
    assert job.init_ms == pytest.approx(5.6)
    assert math.isnan(job.init_cold_ms)
    assert math.isnan(job.init_warm_ms)


def test_a_fleet_is_told_apart(tmp_path: Path) -> None:
    jobs = jobs_of(fleet_run(tmp_path))
    assert len(jobs) == 3 * 2 * 4
    by_key = {(j.device[:3], j.variant, j.delegate): j for j in jobs}
    good = by_key["2A1", "fp32", "gpu-cl-fp32"]
    assert (good.trust, good.memory_pss_mb) == ("A", 51.5)
    assert (good.init_cold_ms, good.init_warm_ms) == (812, 93)
    assert (good.temperature_before_c, good.temperature_after_c) == (36.0, 37.5)
    assert good.profile[0].op == "Convolution (NHWC, F32) IGEMM"
    assert by_key["2A1", "int8", "gpu-cl-fp32"].trust_reasons == ("pixels_wrong",)
    assert "drift" in by_key["2A1", "fp32", "xnnpack"].trust_reasons
    refused = by_key["R58", "fp32", "gpu-cl-fp32"]
    assert (refused.cause, refused.trust_reasons) == ("no_opencl", ("status_refused",))
    assert {j.trust for j in jobs if j.simulated} == {"C"}
    assert all(j.placed == "nnapi:qti-dsp fell back" for j in jobs if j.delegate[0] == "n")
    table = summary_frame(jobs)
    assert set(table["trust"]) == {"A", "B", "C"}
    assert not table["profile"].str.contains("OpCost").any()


def test_operations_are_gathered_by_kind() -> None:
    times = (("CONV_2D", 3.0), ("ADD", 1.0), ("CONV_2D", 4.0), ("bad", math.nan))
    text = operations_text(OpTime(op=op, ms=ms) for op, ms in times)
    first, second = costs(text)
    assert (first.op, first.ms, first.pct, first.nodes) == ("CONV_2D", 7.0, 87.5, 2)
    assert second.op == "ADD"
    for nothing in (None, math.nan, "[]"):
        assert costs(nothing) == ()


def test_engines_are_per_device_or_one_for_all() -> None:
    common, own = {"name": "litert-python"}, {"name": "benchmark_model"}
    head = {"engine": common, "devices": {"a": {"engine": own}, "b": {}, "c": "torn"}}
    assert {name: device.engine for name, device in devices_of(head).items()} == {
        "a": own, "b": common, "c": common,
    }  # fmt: skip
    assert devices_of({"devices": [1]}) == {}


# trends over rounds


def noisy(random: np.random.Generator, rounds: int, noise: float, slower: float) -> list[float]:
    """Times that get slower by that share from the first to the last round."""
    trend = 1 + slower * np.arange(rounds) / (rounds - 1)
    return list(10 * trend * (1 + noise * random.standard_normal(rounds)))


@pytest.mark.parametrize("rounds", [4, 6, 10])
def test_true_drift_is_found(rounds: int) -> None:
    random = np.random.default_rng(1)
    found = [rise(noisy(random, rounds, 0.02, 0.20), SLOWER) for _ in range(300)]
    assert sum(one is not None for one in found) >= 0.9 * len(found)
    typical = np.median([one for one in found if one is not None])
    assert 0.08 < typical < 0.14  # halves lie nearer than the ends


@pytest.mark.parametrize("rounds", [3, 4, 5, 6, 10, 20])
@pytest.mark.parametrize(("noise", "alarms"), [(0.02, 0.01), (0.05, 0.05), (0.20, 0.06)])
def test_noise_is_no_drift(rounds: int, noise: float, alarms: float) -> None:
    """The rates stand in the module's docstring; more than 5 % is ruled out by construction."""
    random = np.random.default_rng(2)
    found = [rise(noisy(random, rounds, noise, 0), SLOWER) for _ in range(1500)]
    assert sum(one is not None for one in found) <= alarms * len(found)


@pytest.mark.parametrize(
    "times",
    [
        [], [10.0], [10.0, 20.0], [10.0, 15.0, 20.0],  # too few: any order is likely
        [10.0] * 8,
        [20.0, 10.0, 10.0, 10.0, 10.0, 10.0],  # a slow start
        [10.0, 10.0, 10.0, 10.0, 10.0, 20.0],  # one late outlier
        [14.0, 13.0, 12.0, 11.0, 10.0, 9.0],  # it gets faster
        [10.0, 10.1, 10.2, 10.3, 10.35, 10.4],  # a trend, and a small one
        [10.0, math.nan, math.nan, 20.0],
        [0.0, 0.0, 1.0, 2.0],
    ],
)  # fmt: skip
def test_what_is_no_drift(times: list[float]) -> None:
    assert rise(times, SLOWER) is None


def test_the_order_of_rounds_counts_exactly() -> None:
    assert order_by_chance([1, 2, 3, 4]) == pytest.approx(1 / 24)
    assert order_by_chance([1, 2, 4, 3]) == pytest.approx(4 / 24)
    assert order_by_chance([4, 3, 2, 1]) == 1
    assert order_by_chance([1, 1]) == 1


def test_a_falling_clock() -> None:
    assert fall([2850.0, 2850.0, 2000.0, 2000.0], LOWER_CLOCK, chance=1) == pytest.approx(
        0.298, abs=1e-3
    )
    assert fall([2850.0, 2850.0, 2850.0, 2700.0], LOWER_CLOCK, chance=1) is None
    assert fall([2000.0, 2000.0, 2850.0, 2850.0], LOWER_CLOCK, chance=1) is None
    random = np.random.default_rng(3)
    jumping = [fall(list(random.choice([1000.0, 2850.0], 6)), LOWER_CLOCK) for _ in range(500)]
    assert sum(one is not None for one in jumping) <= 0.05 * len(jumping)


@pytest.mark.parametrize(
    ("limits", "clocks", "found"),
    [
        ([2850.0, 2850.0, 2400.0, 2000.0], [None] * 4, True),
        ([2850.0] * 4, [2850.0, 2400.0, 2000.0, 1800.0], False),  # the limit knows better
        ([None, 2850.0, 2850.0, 2850.0], [2850.0, 2400.0, 2000.0, 1800.0], True),
        ([None] * 4, [None] * 4, False),
    ],
)
def test_the_clock_over_rounds(
    tmp_path: Path, limits: list[float | None], clocks: list[float | None], *, found: bool
) -> None:
    states = [
        DeviceState(big_core_limit_mhz=limit, big_core_clock_mhz=clock)
        for limit, clock in zip(limits, clocks, strict=True)
    ]
    job = measured(tmp_path, [{"after": state} for state in states])
    assert ("clock_drift" in codes(job.doubts)) == found
    assert job.trust == ("C" if found else "A")


def test_rounds_count_in_their_order_not_in_that_of_the_file(tmp_path: Path) -> None:
    run = simple_run(tmp_path, rounds=())
    job = Job(**run.header()["jobs"][0])
    for number in (3, 0, 2, 1):
        run.append(ok_record(job, number, 10.0 + number))
    (found,) = jobs_of(run)
    (drift,) = (doubt for doubt in found.doubts if doubt.code == "drift")
    assert drift.numbers == {"percent": 19, "rounds": 4}
    assert found.trust == "C"

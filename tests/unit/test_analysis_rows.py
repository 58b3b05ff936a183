import math
from pathlib import Path

import pytest
from fake_runs import candidate_id, full_run, header, manifest, ok_record, simple_run

from edgesr.analysis.devices import number
from edgesr.analysis.rows import NOT_MEASURED, read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise, summary_frame
from edgesr.results.records import Accuracy, Doubt, Job, Latency, Record, Verdict
from edgesr.results.store import RunFolder, Workspace


def jobs_of(*runs: RunFolder) -> list[JobSummary]:
    return summarise(tidy_rows([read_run(run) for run in runs]))


def run_of(path: Path, records: list[dict[str, object]], **changes: object) -> RunFolder:
    run = simple_run(path, rounds=())
    job = Job(**run.header()["jobs"][0])
    for index, change in enumerate(records):
        run.append(ok_record(job, index, 10.0, **{**changes, **change}))
    return run


def test_one_row_per_round_with_units(tmp_path: Path) -> None:
    rows = tidy_rows([read_run(simple_run(tmp_path))])
    assert list(rows["round"]) == [0, 1, 2]
    assert list(rows["latency_ms"]) == [10.0, 11.0, 12.0]
    first = rows.iloc[0]
    assert (first["input"], first["scale"], first["bicubic_psnr_y"]) == ("640×360", 2, 33.68)
    assert first["init_ms"] == pytest.approx(5.6)


def test_planned_job_without_record_is_a_row(tmp_path: Path) -> None:
    run = simple_run(tmp_path, rounds=())
    rows = tidy_rows([read_run(run)])
    assert list(rows["status"]) == [NOT_MEASURED]
    (job,) = summarise(rows)
    assert job.status == NOT_MEASURED
    assert not job.measured
    assert not job.verified


def test_keys_of_plan_and_records_agree(tmp_path: Path) -> None:
    odd = Job(candidate="ab" * 32, variant="fp16", device="192.168.0.7:5555 ß", delegate="cpu",
              threads=4)  # fmt: skip
    run = Workspace(tmp_path).new_run(header([], [odd]))
    run.append(ok_record(odd, 0, 3.0))
    assert list(tidy_rows([read_run(run)])["key"]) == [odd.key]


def test_summary_is_median_and_range_of_round_medians(tmp_path: Path) -> None:
    (job,) = jobs_of(simple_run(tmp_path, rounds=(30.0, 10.0, 11.0, 12.0)))
    assert (job.median_ms, job.fastest_ms, job.slowest_ms, job.rounds) == (11.5, 10.0, 30.0, 4)
    assert [doubt.code for doubt in job.doubts] == ["wide_spread"]
    assert job.verified


def test_few_rounds_are_doubtful(tmp_path: Path) -> None:
    (job,) = jobs_of(simple_run(tmp_path, rounds=(10.0,)))
    assert [doubt.code for doubt in job.doubts] == ["few_rounds"]


def test_average_stands_in_for_a_missing_median_and_says_so(tmp_path: Path) -> None:
    run = run_of(tmp_path, [{"latency_us": Latency(avg=2500.0)}] * 3)
    (job,) = jobs_of(run)
    assert job.median_ms == 2.5
    assert "average_used" in [doubt.code for doubt in job.doubts]


@pytest.mark.parametrize("median", [-1.0, 0.0, 1e13, None])
def test_impossible_latency_is_no_latency(tmp_path: Path, median: float | None) -> None:
    (job,) = jobs_of(run_of(tmp_path, [{"latency_us": Latency(median=median)}]))
    assert not job.measured


def test_latency_of_a_round_that_is_not_ok_does_not_count(tmp_path: Path) -> None:
    run = run_of(tmp_path, [{}, {"status": "refused", "reason": "took no part",
                                 "latency_us": Latency(median=1.0)}])  # fmt: skip
    (job,) = jobs_of(run)
    assert (job.median_ms, job.rounds, job.statuses) == (10.0, 1, {"ok": 1, "refused": 1})
    assert job.reasons == ("took no part",)
    assert not job.verified


def test_nan_in_a_record_is_unknown(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    path = run.path / "records.jsonl"
    path.write_text(path.read_text().replace("11000.0", "NaN"))
    (job,) = jobs_of(run)
    assert job.rounds == 2 or math.isfinite(job.median_ms)


def test_fallback_is_never_credited_to_the_delegate(tmp_path: Path) -> None:
    back = Verdict(requested="xnnpack", outcome="fallback", nodes_total=9, nodes_delegated=0)
    (job,) = jobs_of(run_of(tmp_path, [{}, {"verdict": back}, {}]))
    assert job.outcome == "fallback"
    assert job.placed == "xnnpack fell back"
    assert not job.verified
    assert "verdict_varies" in [doubt.code for doubt in job.doubts]


def test_missing_verdict_is_unproven(tmp_path: Path) -> None:
    (job,) = jobs_of(run_of(tmp_path, [{"verdict": None}] * 3))
    assert job.placed == "xnnpack unproven"


def test_identical_pixels_are_infinitely_close(tmp_path: Path) -> None:
    same = Accuracy(psnr_y=34.0, reference_psnr_db=None, reference_max_abs=0, images=1,
                    protocol="y")  # fmt: skip
    (job,) = jobs_of(run_of(tmp_path, [{"accuracy": same}, {}, {}]))
    assert job.reference_psnr_db == math.inf
    assert job.gain_db == pytest.approx(34.0 - 33.68)


def test_doubts_are_counted_over_rounds(tmp_path: Path) -> None:
    doubt = Doubt(code="busy", numbers={"load": 3.0})
    (job,) = jobs_of(run_of(tmp_path, [{"doubts": [doubt]}, {}, {"doubts": [doubt]}]))
    (found,) = job.doubts
    assert (found.code, found.numbers, found.rounds) == ("busy", {"load": 3.0}, 2)


def test_torn_header_parts_do_not_stop_it(tmp_path: Path) -> None:
    plan = {"jobs": ["no job", {"candidate": 5}], "candidates": [1], "devices": None,
            "suite": "quick", "accuracy": {"bicubic": 3}}  # fmt: skip
    run = Workspace(tmp_path).new_run(plan)
    run.append(Record(status="ok"))
    (job,) = jobs_of(run)
    assert job.status == NOT_MEASURED


def test_runs_stay_apart(tmp_path: Path) -> None:
    jobs = jobs_of(simple_run(tmp_path / "a"), simple_run(tmp_path / "b", rounds=(5.0,)))
    assert [job.rounds for job in jobs] == [3, 1]


def test_bicubic_of_the_only_scale(tmp_path: Path) -> None:
    accuracy = {"bicubic": {"psnr_y": 30.0, "ssim_y": 0.9}}
    job = Job(candidate="cd" * 32, variant="fp32", device="host", delegate="cpu", threads=1)
    one = {**manifest("x", "fp32", "elsr_x2"), "id": job.candidate}
    run = Workspace(tmp_path).new_run(header([one], [job], accuracy=accuracy))
    (found,) = jobs_of(run)
    assert found.bicubic_psnr_y == 30.0


@pytest.mark.parametrize(
    ("bicubic", "level"),
    [
        ({"2:360x640": {"psnr_y": 31.0}, "2:180x320": {"psnr_y": 29.0}}, 31.0),
        ({"2:180x320": {"psnr_y": 29.0}}, math.nan),
        ({"2": {"psnr_y": 30.5}}, 30.5),  # as older runs have it
    ],
)
def test_bicubic_is_that_of_the_scale_and_input_size(
    tmp_path: Path, bicubic: dict[str, object], level: float
) -> None:
    name = "elsr_x2-360x640-fp32"
    job = Job(candidate=candidate_id(name), variant="fp32", device="host", delegate="cpu",
              threads=1)  # fmt: skip
    plan = header([manifest(name, "fp32", "elsr_x2")], [job], accuracy={"bicubic": bicubic})
    (found,) = jobs_of(Workspace(tmp_path).new_run(plan))
    assert found.bicubic_psnr_y == pytest.approx(level, nan_ok=True)


def test_a_bad_try_counts_no_more_when_its_round_was_measured_later(tmp_path: Path) -> None:
    run = simple_run(tmp_path, rounds=(10.0,))
    job = Job(**run.header()["jobs"][0])
    for missed in (1, 2):
        run.append(Record(job=job, round=missed, status="aborted", reason="interrupted"))
    run.append(ok_record(job, 1, 11.0))
    (before,) = jobs_of(run)
    assert (before.statuses, before.reasons) == ({"ok": 2, "aborted": 1}, ("interrupted",))
    run.append(ok_record(job, 2, 12.0))
    (after,) = jobs_of(run)
    assert (after.statuses, after.reasons, after.rounds) == ({"ok": 3}, (), 3)
    assert after.verified
    assert len(tidy_rows([read_run(run)])) == 5  # the tries stay in the table of rounds


def test_a_failure_after_a_good_try_of_its_round_still_counts(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    job = Job(**run.header()["jobs"][0])
    run.append(Record(job=job, round=2, status="failed", reason="broke"))
    (found,) = jobs_of(run)
    assert found.reasons == ("broke",)


def test_summary_frame_has_a_row_per_job(tmp_path: Path) -> None:
    jobs = jobs_of(full_run(tmp_path, pictures=False))
    table = summary_frame(jobs)
    assert len(table) == len(jobs) == 16 * 4 * 2
    assert set(table["status"]) == {"ok", "refused", "failed", NOT_MEASURED}


@pytest.mark.parametrize("value", [None, "3", True, math.nan, math.inf, -1])
def test_number_refuses_what_is_none(value: object) -> None:
    assert math.isnan(number(value, least=0))

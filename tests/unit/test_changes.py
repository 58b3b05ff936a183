"""What changed from one run to another, through real run folders."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesr.analysis.changes import Change, Comparison
from edgesr.analysis.metrics_compared import GROUPS
from edgesr.report.change_words import notes
from edgesr.results.records import Accuracy, Doubt, Interval, Job, Latency, Memory, Record, Verdict
from edgesr.results.store import RunFolder
from tests.unit.fake_pairs import PHONE, SUITE, compared, job, name, phones, rounds_of, run_of
from tests.unit.fake_runs import candidate_id, fleet_run, full_run, manifest, ok_record, simple_run
from tests.unit.fake_series import job as paced_job
from tests.unit.fake_series import series_run, steady, throttling, whole

MANY = 60
"""Jobs of which each is a trial."""


def runs_of_many(folder: Path, factor: float, seed: int) -> tuple[RunFolder, RunFolder]:
    """The same jobs twice, in the second run slower by a factor."""
    before = [r for n in range(MANY) for r in rounds_of(job(n), 10 + n, seed + n)]
    after = [r for n in range(MANY) for r in rounds_of(job(n), (10 + n) * factor, seed + 500 + n)]
    return run_of(folder, before), run_of(folder, after)


def latencies(comparison: Comparison) -> list[Change]:
    return [change for change in comparison.changes if change.metric.name == "latency"]


def only(comparison: Comparison, metric: str) -> Change:
    (change,) = (one for one in comparison.changes if one.metric.name == metric)
    return change


def test_a_planted_regression_of_3_percent_is_found(tmp_path: Path) -> None:
    found = latencies(compared(*runs_of_many(tmp_path, 1.03, seed=1)))
    assert len(found) == MANY
    worse = [change for change in found if change.verdict == "worse"]
    assert len(worse) >= 0.95 * MANY  # 20 rounds that scatter by 2 %
    assert not any(change.verdict == "better" for change in found)
    assert np.mean([change.change for change in found]) == pytest.approx(0.03, abs=0.003)
    assert sum(change.cost.holds(1.03) for change in found) >= 0.88 * MANY
    assert not any(change.exceeds(0.05) for change in found)
    assert sum(change.exceeds(0.01) for change in found) >= 0.95 * MANY


def test_of_equal_runs_few_look_changed_and_none_by_much(tmp_path: Path) -> None:
    found = latencies(compared(*runs_of_many(tmp_path, 1.0, seed=2)))
    changed = [change for change in found if change.verdict in {"worse", "better"}]
    assert len(changed) <= 0.1 * MANY
    assert not any(change.exceeds(0.03) for change in found)
    assert all(change.method == "rounds" for change in found)


def test_a_run_against_itself_has_no_change_at_all(tmp_path: Path) -> None:
    run = full_run(tmp_path, pictures=False)
    comparison = compared(run, run)
    assert comparison.changes
    assert not comparison.states
    assert {change.verdict for change in comparison.changes} <= {"same", "unclear"}
    assert all(math.isclose(change.cost.value, 1) for change in comparison.changes)
    assert not any(change.exceeds(0) for change in comparison.changes)
    assert not comparison.only_before + comparison.only_after + comparison.disagreements


def test_every_figure_of_a_round_is_compared(tmp_path: Path) -> None:
    def make(one: Job, number: int, ms: float) -> Record:
        kind = "cold" if number < 4 else "warm"
        us = 1000 * ms
        return ok_record(one, number, ms, init_us=us * (9 if number < 4 else 1), init_kind=kind,
                         memory_mb=Memory(init=20, overall=ms, peak=2 * ms, pss=3 * ms),
                         latency_us=Latency(median=us, p95=us * 1.2))  # fmt: skip

    before = run_of(tmp_path, rounds_of(job(), 10, 1, make=make))
    after = run_of(tmp_path, rounds_of(job(), 12, 2, make=make))
    found = {change.metric.name: change for change in compared(before, after).changes}
    assert found.keys() == {"latency", "p95", "init_cold", "init_warm", "memory", "memory_peak",
                            "memory_pss", "size"}  # fmt: skip
    assert found.pop("size").verdict == "same"
    for change in found.values():
        assert change.verdict == "worse"
        assert change.change == pytest.approx(0.2, abs=0.05)
    assert found["init_cold"].cost.n == 4
    assert found["p95"].before == pytest.approx(12, rel=0.02)


def test_too_few_rounds_prove_nothing(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, rounds_of(job(), ms, 1, rounds=2)) for ms in (10, 30)]
    change = only(compared(*runs), "latency")
    assert (change.verdict, change.method) == ("unclear", "point")
    assert change.change == pytest.approx(2, abs=0.1)
    assert not change.exceeds(0)
    assert change.may_exceed(1)


def test_a_rebuilt_candidate_is_found_by_its_name(tmp_path: Path) -> None:
    rebuilt = {**manifest(name(0), "fp32", "elsr_x2"), "id": "f" * 64, "size_bytes": 20_000}
    before = run_of(tmp_path, rounds_of(job(), 10, 1))
    after = run_of(tmp_path, rounds_of(job(candidate="f" * 64), 12, 2), [rebuilt])
    comparison = compared(before, after)
    assert only(comparison, "latency").verdict == "worse"
    size = only(comparison, "size")
    assert size.pair.rebuilt
    assert (size.before, size.after, size.method) == (15_000, 20_000, "exact")
    assert size.exceeds(0.3)
    assert not size.exceeds(0.34)


def test_a_name_that_two_files_share_matches_nothing(tmp_path: Path) -> None:
    twins = [{**manifest(name(0), "fp32", "elsr_x2"), "id": letter * 64} for letter in "ef"]
    records = [r for one in twins for r in rounds_of(job(candidate=one["id"]), 10, 1)]
    comparison = compared(
        run_of(tmp_path, rounds_of(job(), 10, 1)), run_of(tmp_path, records, twins)
    )
    assert not comparison.pairs
    assert len(comparison.only_after) == 2


def test_the_size_of_a_file_is_told_once(tmp_path: Path) -> None:
    jobs = [job(delegate=d, threads=t) for d in ("cpu", "xnnpack") for t in (1, 2, 4)]
    records = [r for one in jobs for r in rounds_of(one, 10, 1, rounds=3)]
    comparison = compared(*(run_of(tmp_path, records) for _ in range(2)))
    assert len(comparison.pairs) == 6
    assert [change.metric.name for change in comparison.changes].count("size") == 1


def test_only_the_figures_that_are_asked_for(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    found = compared(run, run, groups=["memory", "size"]).changes
    assert {change.metric.group for change in found} == {"memory", "size"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"suite": {**SUITE, "num_runs": 20}}, "suite.num_runs"),
     (phones(build="another"), "os_build"),
     (phones(engine={"name": "benchmark_model", "sha256": "9" * 64}), "binary"),
     (phones(model="Pixel 8"), "device")],
)  # fmt: skip
def test_what_differs_keeps_times_from_being_compared_unless_ignored(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    runs = [run_of(tmp_path, rounds_of(job(device=PHONE), 10, n), **{**phones(), **change})
            for n, change in enumerate(({}, changes))]  # fmt: skip
    comparison = compared(*runs)
    change = only(comparison, "latency")
    assert change.verdict == "not_comparable"
    assert [one.field for one in change.differences] == [field]
    assert [one.field for one in next(iter(comparison.obstacles.values()))] == [field]
    assert only(comparison, "size").verdict == "same"
    allowed = compared(*runs, ignore=[field.partition(".")[0]])
    assert only(allowed, "latency").method == "rounds"
    assert [one.field for one in allowed.ignored] == [field]
    assert not allowed.obstacles


@pytest.mark.parametrize(
    ("field", "changes"),
    [("delegate", {"delegate": "gpu"}), ("threads", {"threads": 4}), ("candidate", {"candidate":
     candidate_id(name(7))})],
)  # fmt: skip
def test_jobs_that_have_nothing_in_common_are_told_apart(
    tmp_path: Path, field: str, changes: dict[str, Any]
) -> None:
    runs = [run_of(tmp_path, rounds_of(job(**one), 10, 1)) for one in ({}, changes)]
    comparison = compared(*runs)
    assert not comparison.pairs
    assert [one.field for one in comparison.disagreements] == [field]
    assert len(comparison.only_before) == len(comparison.only_after) == 1


def fallback(one: Job, number: int, ms: float) -> Record:
    verdict = Verdict(requested=one.delegate, outcome="fallback", nodes_total=12, nodes_delegated=0)
    return ok_record(one, number, ms, verdict=verdict)


def partial(one: Job, number: int, ms: float) -> Record:
    verdict = Verdict(requested=one.delegate, outcome="partial", nodes_total=12, nodes_delegated=9)
    return ok_record(one, number, ms, verdict=verdict)


def wrong(one: Job, number: int, ms: float) -> Record:
    return ok_record(one, number, ms, doubts=[Doubt(code="pixels_wrong")])


def failed(one: Job, number: int, _ms: float) -> Record:
    return Record(job=one, round=number, status="failed", reason="exit code 1")


def flaky(one: Job, number: int, ms: float) -> Record:
    return failed(one, number, ms) if number == 3 else ok_record(one, number, ms)


@pytest.mark.parametrize(
    ("make", "state"),
    [
        (failed, "failed"),
        (flaky, "flaky"),
        (fallback, "fallback"),
        (partial, "partial"),
        (wrong, "wrong_pixels"),
    ],
)
def test_less_that_became_of_a_job_is_a_regression_and_the_reverse_is_none(
    tmp_path: Path, make: Any, state: str
) -> None:
    good, bad = (run_of(tmp_path, rounds_of(job(), 10, 1, make=one)) for one in (ok_record, make))
    (lost,) = compared(good, bad).states
    assert (lost.before, lost.after, lost.worse) == ("ok", state, True)
    (gained,) = compared(bad, good).states
    assert (gained.before, gained.after, gained.worse) == (state, "ok", False)
    assert not compared(bad, bad).states


def test_times_of_a_fallback_are_credited_to_nobody(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, rounds_of(job(delegate="gpu"), 10, n, make=fallback)) for n in (1, 2)]
    comparison = compared(*runs)
    assert {change.metric.name for change in comparison.changes} == {"size"}
    assert comparison.pairs[0].after.placed == "gpu fell back"


def test_a_job_on_another_phone_has_not_become_less(tmp_path: Path) -> None:
    good = run_of(tmp_path, rounds_of(job(device=PHONE), 10, 1), **phones())
    bad = run_of(tmp_path, rounds_of(job(device=PHONE), 10, 1, make=failed),
                 **phones(model="Pixel 8"))  # fmt: skip
    assert not compared(good, bad).states
    assert compared(good, bad, ignore=["device"]).states


def test_planned_and_never_measured_is_less_than_before(tmp_path: Path) -> None:
    good = run_of(tmp_path, rounds_of(job(), 10, 1))
    empty = tmp_path / "torn"
    shutil.copytree(good.path, empty)
    (empty / "records.jsonl").write_text('{"schema": 1, "jo')
    (state,) = compared(good, RunFolder(empty)).states
    assert state.after == "failed"


# quality


def scored(values: dict[str, float], cer: float | None = None, **more: Any) -> Any:
    """Records whose pictures have such a PSNR."""
    mean = sum(values.values()) / len(values)
    fields = {"psnr_y": mean, "ssim_y": 0.9 + mean / 1000, "images": len(values), "protocol": "y",
              "cer": cer, **more}  # fmt: skip
    return lambda one, number, ms: ok_record(one, number, ms, accuracy=Accuracy(**fields))


def with_pictures(run: RunFolder, values: dict[str, float]) -> RunFolder:
    rows = [{"name": picture, "psnr_y": psnr, "ssim_y": 0.9 + psnr / 1000}
            for picture, psnr in values.items()]  # fmt: skip
    (run.path / "accuracy").mkdir()
    (run.path / "accuracy" / f"{job().key}.json").write_text(json.dumps({"images": rows}))
    return run


def levels(shift: float, scatter: float = 0.01) -> dict[str, float]:
    """PSNR of pictures that differ much more from one another than from run to run."""
    random = np.random.default_rng(abs(round(1000 * shift)) + 1)
    return {f"slide-{n}": 30 + n + shift + float(random.normal(0, scatter)) for n in range(12)}


def quality_runs(folder: Path, shift: float, *, pictures: bool, **more: Any) -> Comparison:
    runs = []
    for values in (levels(0), levels(shift)):
        run = run_of(folder, rounds_of(job(), 10, 1, make=scored(values, **more)))
        runs.append(with_pictures(run, values) if pictures else run)
    return compared(*runs)


def test_quality_is_compared_picture_by_picture(tmp_path: Path) -> None:
    change = only(quality_runs(tmp_path, -0.2, pictures=True), "psnr_y")
    assert (change.verdict, change.method, change.cost.n) == ("worse", "pictures", 12)
    assert change.cost.value == pytest.approx(10 ** (0.2 / 20), abs=0.003)
    better = only(quality_runs(tmp_path, 0.2, pictures=True), "psnr_y")
    assert better.verdict == "better"
    assert only(quality_runs(tmp_path, 0.2, pictures=True), "ssim_y").change < 0


def test_without_pictures_their_intervals_have_to_do(tmp_path: Path) -> None:
    def interval(mean: float) -> Interval:
        return Interval(mean=mean, low=mean - 1, high=mean + 1, n=12)

    runs = [
        run_of(tmp_path, rounds_of(job(), 10, 1, make=scored(
            levels(shift), psnr_y_interval=interval(35.5 + shift))))
        for shift in (0, -0.2, -4)
    ]  # fmt: skip
    small, large = (only(compared(runs[0], run), "psnr_y") for run in runs[1:])
    assert (small.verdict, small.method) == ("unclear", "intervals")
    assert (large.verdict, large.method) == ("worse", "intervals")
    assert large.cost.low == pytest.approx(10 ** ((4 - math.sqrt(2)) / 20), abs=0.01)


def test_jobs_that_differ_in_threads_only_share_their_pictures(tmp_path: Path) -> None:
    """Pixels don't depend on threads: the pictures are scored once, under the first job's key."""
    runs = []
    for values in (levels(0), levels(-0.3)):
        records = rounds_of(job(threads=4), 10, 1, make=scored(values))
        runs.append(with_pictures(run_of(tmp_path, records), values))
    change = only(compared(*runs), "psnr_y")
    assert (change.verdict, change.method) == ("worse", "pictures")


def test_two_values_alone_prove_nothing_unless_they_are_equal(tmp_path: Path) -> None:
    assert only(quality_runs(tmp_path, -4, pictures=False), "psnr_y").verdict == "unclear"
    run = run_of(tmp_path, rounds_of(job(), 10, 1, make=scored(levels(0))))
    assert only(compared(run, run), "psnr_y").verdict == "same"


def test_letters_lost_are_found_and_few_errors_are_not_infinitely_more_than_none(
    tmp_path: Path,
) -> None:
    def run(cer: float) -> RunFolder:
        rows = [{"name": f"slide-{n}", "cer": cer * (1 + n % 3) / 2} for n in range(12)]
        folder = run_of(tmp_path, rounds_of(job(), 10, 1, make=scored({"a": 30}, cer=cer)))
        (folder.path / "accuracy").mkdir()
        path = folder.path / "accuracy" / f"{job().key}.json"
        path.write_text(json.dumps({"images": rows}))
        return folder

    worse = only(compared(run(0.04), run(0.06)), "cer")
    assert (worse.verdict, worse.method) == ("worse", "pictures")
    assert worse.change == pytest.approx(0.5, abs=0.05)
    first = only(compared(run(0.0), run(0.002)), "cer")
    assert first.verdict == "worse"
    assert first.change == pytest.approx(2, abs=0.2)
    assert only(compared(run(0.0), run(0.0)), "cer").verdict == "same"


def test_other_pictures_are_not_compared_and_never_paired_by_name(tmp_path: Path) -> None:
    runs = []
    for level in (33.68, 31.0):
        bicubic = {"2:360x640": {"psnr_y": level, "ssim_y": 0.93}}
        run = run_of(tmp_path, rounds_of(job(), 10, 1, make=scored(levels(0))),
                     accuracy={"protocol": {"name": "y"}, "bicubic": bicubic})  # fmt: skip
        runs.append(with_pictures(run, levels(0)))
    comparison = compared(*runs)
    change = only(comparison, "psnr_y")
    assert [one.field for one in change.differences] == ["pictures"]
    assert only(comparison, "latency").verdict != "not_comparable"
    assert only(compared(*runs, ignore=["pictures"]), "psnr_y").method == "point"


def test_other_texts_keep_letters_from_being_compared_and_pixels_not(tmp_path: Path) -> None:
    runs = []
    for cer in (0.09, 0.02):
        bicubic = {"2:360x640": {"psnr_y": 33.68, "ssim_y": 0.93, "cer": cer}}
        runs.append(run_of(tmp_path, rounds_of(job(), 10, 1, make=scored({"a": 30}, cer=0.05)),
                           accuracy={"protocol": {"name": "y"}, "bicubic": bicubic}))  # fmt: skip
    comparison = compared(*runs)
    assert [one.field for one in only(comparison, "cer").differences] == ["texts"]
    assert only(comparison, "psnr_y").verdict == "same"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"images": 5}', b'{"images": [5, null]}',
                b'{"images": [{"name": {}, "psnr_y": "x"}]}', b"[" * 100_000,
                b'{"images": [{"name": "a", "psnr_y": NaN}]}'],
)  # fmt: skip
def test_a_damaged_file_of_pictures_counts_as_none(tmp_path: Path, content: bytes) -> None:
    run = with_pictures(run_of(tmp_path, rounds_of(job(), 10, 1, make=scored(levels(0)))), {})
    (run.path / "accuracy" / f"{job().key}.json").write_bytes(content)
    assert only(compared(run, run), "psnr_y").method == "point"


def test_a_key_that_points_outside_reads_nothing(tmp_path: Path) -> None:
    outside = {"images": [{"name": f"{n}", "psnr_y": 30 + n} for n in range(9)]}
    evil = job(candidate="../../x" + "0" * 50)
    run = run_of(tmp_path, rounds_of(evil, 10, 1, make=scored(levels(0))))
    path = run.path / "accuracy" / f"{evil.key}.json"
    (run.path / "accuracy").mkdir()
    path.resolve().write_text(json.dumps(outside))
    assert only(compared(run, run), "psnr_y").method == "point"


# paced jobs, damaged and older runs


def test_a_series_that_no_longer_holds_its_rate_is_a_regression(tmp_path: Path) -> None:
    good, bad = (
        series_run(tmp_path, whole(paced_job(30), curve)) for curve in (steady, throttling)
    )
    comparison = compared(good, bad)
    (state,) = comparison.states
    assert (state.before, state.after, state.worse) == ("holds", "slows", True)
    change = only(comparison, "fps")
    assert change.before == pytest.approx(30)
    assert change.after < 25
    assert change.verdict == "unclear"
    assert only(compared(good, good), "fps").verdict == "same"
    assert not compared(good, series_run(tmp_path, whole(paced_job(24), steady))).pairs


def test_an_older_header_and_torn_records_are_read(tmp_path: Path) -> None:
    older, newer = (run_of(tmp_path, rounds_of(job(), 10, n), suite={"name": "quick", "rounds": 9})
                    for n in (1, 2))  # fmt: skip
    with (newer.path / "records.jsonl").open("ab") as file:
        file.write(b'{"schema": 1, "job": {"cand\x00\xff')
    comparison = compared(older, newer)
    assert only(comparison, "latency").method == "rounds"
    assert comparison.after.run.torn_lines == 1
    current = run_of(tmp_path, rounds_of(job(), 10, 3))
    fields = [one.field for one in only(compared(older, current), "latency").differences]
    assert "suite.num_runs" in fields


@pytest.mark.parametrize(
    "missing", ["candidates", "devices", "jobs", "suite", "accuracy", "engine"]
)
@pytest.mark.parametrize("value", [None, "x", 5, [], {"a": None}])
def test_a_header_without_a_part_breaks_nothing(tmp_path: Path, missing: str, value: Any) -> None:
    whole_run, torn = simple_run(tmp_path), simple_run(tmp_path)
    tree = json.loads((torn.path / "run.json").read_text())
    (torn.path / "run.json").write_text(json.dumps({**tree, missing: value}))
    for runs in ((whole_run, torn), (torn, whole_run), (torn, torn)):
        assert compared(*runs).pairs


def test_numbers_that_are_none_are_left_out(tmp_path: Path) -> None:
    run = run_of(tmp_path, rounds_of(job(), 10, 1))
    lines = (run.path / "records.jsonl").read_text().splitlines()
    odd = ["NaN", "-5", "1e300", "Infinity", "0", "null"]
    for place, value in enumerate(odd):
        tree = json.loads(lines[place])
        text = json.dumps(tree).replace(str(tree["memory_mb"]["overall"]), value)
        lines[place] = text.replace(str(tree["latency_us"]["median"]), value)
    (run.path / "records.jsonl").write_text("\n".join(lines) + "\n")
    comparison = compared(run, run)
    assert only(comparison, "memory").cost.n < 20
    assert all(change.verdict in {"same", "unclear"} for change in comparison.changes)


def test_the_groups_are_those_of_the_command_line() -> None:
    assert GROUPS == ("latency", "p95", "init", "memory", "fps", "size", "psnr_y", "ssim_y", "cer")


def test_devices_that_differ_in_the_same_are_told_in_one_note(tmp_path: Path) -> None:
    before, after = fleet_run(tmp_path), fleet_run(tmp_path)
    tree = json.loads((after.path / "run.json").read_text())
    tree["suite"] |= {"num_runs": 99}
    (after.path / "run.json").write_text(json.dumps(tree))
    comparison = compared(before, after)
    assert len(comparison.obstacles) == 3
    (told,) = (note for note in notes(comparison) if "num_runs" in note)
    assert all(device in told for device in comparison.obstacles)

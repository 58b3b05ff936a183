"""Paced series: held or lost, from when on, and what a torn or damaged one is worth."""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import summarise
from edgesr.analysis.sustained import Series, sustained
from edgesr.report.figures.registry import PLOTS, Frame
from edgesr.report.figures.sustained import MOST
from edgesr.report.page import ReportRequest, write_report
from edgesr.report.sustained import place, sentence, series_document, sustained_markdown
from edgesr.results.records import DeviceState, Doubt, Job, Latency, Record, Verdict
from tests.unit.fake_runs import HOSTILE, ok_record
from tests.unit.fake_series import (
    PHONE,
    bad_record,
    job,
    segment_record,
    series_run,
    steady,
    throttling,
    whole,
)

JOB = job(30)


def read(tmp_path: Path, records: Sequence[Record]) -> Series:
    """The only series of a run of these records."""
    (series,) = sustained(tidy_rows([read_run(series_run(tmp_path, records))]))
    return series


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_a_series_that_holds_says_for_how_long(tmp_path: Path) -> None:
    series = read(tmp_path, whole(JOB, steady))
    assert (series.holds, series.whole, series.lost) == (True, True, ())
    assert (series.budget_ms, series.planned, series.begun) == (pytest.approx(1000 / 30), 20, 1)
    assert series.held_s == series.end_s == 19 * 32 + 30
    assert series.idle_pct == pytest.approx(100 * 2 / 32)
    assert {s.fps for s in series.segments} == {30.0}
    assert "holds 30 fps for 10 min" in sentence(series)
    assert series.job.trust == "A"
    assert [d.code for d in series.job.doubts] == ["rested"]


def test_a_throttling_phone_says_from_when_on_and_what_is_left(tmp_path: Path) -> None:
    series = read(tmp_path, whole(JOB, throttling))
    assert not series.holds
    assert series.held_s == 8 * 32
    assert [s.number for s in series.lost] == list(range(8, 20))
    assert series.lost[0].fps == pytest.approx(1000 / 45, rel=0.01)
    said = sentence(series)
    assert "holds 30 fps until 4:16, then 22.2 fps at 39 °C" in said
    assert "1.4 GHz" in said
    assert {d.code for d in series.job.doubts} == {"rested"}  # heat is the finding, not a doubt


def test_a_series_that_recovers_says_so(tmp_path: Path) -> None:
    def curve(number: int) -> tuple[float, float, float]:
        return (50.0, 40.0, 1400.0) if 4 <= number < 9 else steady(number)

    series = read(tmp_path, whole(JOB, curve))
    assert series.held_s == 4 * 32
    assert len(series.lost) == 5
    assert "11 of the 16 segments" in sentence(series)


def test_a_rate_that_is_never_met_says_what_is(tmp_path: Path) -> None:
    series = read(tmp_path, whole(JOB, lambda _: (100.0, None, None)))
    assert (series.held_s, len(series.lost)) == (0, 20)
    assert sentence(series) == "does not hold 30 fps: 10.0 fps."
    first = read(tmp_path / "2", whole(JOB, lambda n: steady(n) if n else (100.0, 30.0, 2850.0)))
    assert "from the beginning" in sentence(first)


def test_frames_that_are_late_on_the_whole_in_time_do_not_hold(tmp_path: Path) -> None:
    """All frames are done, for the tool catches up; but more than one in twenty is late."""
    late = Latency(avg=25e3, median=24e3, p95=36e3, count=900)
    records = [r.model_copy(update={"latency_us": late}) for r in whole(JOB, steady)]
    series = read(tmp_path, records)
    assert {s.fps for s in series.lost} == {30.0}
    assert len(series.lost) == 20
    assert "late frames (p95 36.0 ms" in sentence(series)


@pytest.mark.parametrize(
    ("count", "holds"), [(900, True), (895, True), (890, False), (1, False), (0, False)]
)
def test_frames_done_decide_and_a_last_hiccup_is_forgiven(
    tmp_path: Path, count: int, holds: bool
) -> None:
    one = segment_record(JOB, 0, steady(0), count=1)
    assert one.latency_us is not None
    latency = one.latency_us.model_copy(update={"count": count})
    series = read(tmp_path, [one.model_copy(update={"latency_us": latency})])
    assert series.segments[0].holds is holds


def test_a_frame_longer_than_the_segment_is_not_flattered(tmp_path: Path) -> None:
    slow = Latency(avg=40e6, median=40e6, p95=40e6, count=1)
    record = segment_record(JOB, 0, steady(0)).model_copy(update={"latency_us": slow})
    assert read(tmp_path, [record]).segments[0].fps == pytest.approx(1 / 40)


def test_a_lost_device_and_failed_launches_leave_holes_that_are_told(tmp_path: Path) -> None:
    lost = bad_record(JOB, 7, "device_lost", reason="unplugged")
    series = read(tmp_path, [*whole(JOB, steady)[:7], lost])
    assert (len(series.measured), series.whole, series.holds) == (7, False, False)
    assert series.held_s == 7 * 32
    assert "only 7 of 20 segments have figures: unplugged" in sentence(series)
    assert "series_torn" in [d.code for d in series.job.doubts]
    records = whole(JOB, steady)
    records[5] = bad_record(JOB, 5)
    holed = read(tmp_path / "2", records)
    assert (len(holed.measured), holed.holds, holed.held_s) == (19, False, 5 * 32)
    assert holed.segments[5].holds is None
    nothing = read(tmp_path / "3", [bad_record(JOB, 0, "refused", reason="no OpenCL")])
    assert math.isnan(nothing.held_s)
    assert sentence(nothing) == "no figure at 30 fps: no OpenCL."


def test_the_longest_series_counts_and_two_are_never_joined(tmp_path: Path) -> None:
    torn = [segment_record(JOB, n, throttling(n)) for n in range(9)]
    again = [segment_record(JOB, n, steady(n), series=1) for n in range(20)]
    series = read(tmp_path, [*torn, bad_record(JOB, 9, "aborted"), *again])
    assert (series.begun, series.holds) == (2, True)
    short = [segment_record(JOB, n, throttling(n), series=1) for n in range(2)]
    series = read(tmp_path / "2", [*again, *short])
    assert series.holds
    series = read(tmp_path / "3", [*torn, *short])
    assert len(series.segments) == 9


def test_unknown_temperatures_clocks_and_times_are_borne(tmp_path: Path) -> None:
    blank = {"before": None, "after": None, "started_at": "yesterday"}
    series = read(tmp_path, [r.model_copy(update=blank) for r in whole(JOB, throttling)])
    assert math.isnan(series.idle_pct)
    assert series.held_s == 8 * 30  # by the pace alone
    assert sentence(series) == "holds 30 fps until 4:00, then 22.2 fps."
    assert series.job.doubts == ()
    half = DeviceState(temperature_c=None, big_core_limit_mhz=0)
    series = read(tmp_path / "2", [r.model_copy(update={"after": half, "before": half})
                                   for r in whole(JOB, throttling)])  # fmt: skip
    assert "°C" not in sentence(series)
    assert "GHz" not in sentence(series)


def test_a_series_that_fell_back_is_not_credited_to_the_delegate(tmp_path: Path) -> None:
    asked, verdict = job(30.0, delegate="gpu"), Verdict(requested="gpu", outcome="fallback")
    points = [segment_record(asked, n, (20.0, 30.0, 2000.0), verdict=verdict) for n in range(3)]
    series = read(tmp_path, points)
    assert "on GPU fell back, 4 threads" in place(series)
    assert "GPU fell back" in sustained_markdown([series])[4]


def test_gaps_are_told_and_weigh(tmp_path: Path) -> None:
    rested = read(tmp_path, whole(JOB, steady, gap_s=10))
    assert rested.idle_pct == pytest.approx(25)
    assert (rested.job.trust, rested.job.trust_reasons) == ("B", ("rested",))
    assert read(tmp_path / "2", whole(JOB, steady, gap_s=40)).job.trust == "C"


def test_doubts_of_segments_and_of_the_place_count(tmp_path: Path) -> None:
    busy = {"doubts": [Doubt(code="busy", numbers={"load": 1.0, "busy_pct": 80.0})]}
    series = read(tmp_path, [segment_record(JOB, 0, steady(0), **busy), *whole(JOB, steady)[1:]])
    assert series.job.trust == "C"
    stand_in = job(30, "127.0.0.1:46001")
    assert read(tmp_path / "2", whole(stand_in, steady)).job.trust_reasons == ("simulated",)


def test_paced_rounds_never_get_into_ordinary_latency(tmp_path: Path) -> None:
    free = Job.model_validate(JOB.model_dump(exclude={"pace_fps"}))
    plain = [ok_record(free, n, 10.0) for n in range(3)]
    run = series_run(tmp_path, [*plain, *whole(JOB, throttling), *whole(job(60), steady)])
    rows = tidy_rows([read_run(run)])
    (alone,) = summarise(rows)
    assert (alone.median_ms, alone.slowest_ms, alone.rounds) == (10.0, 10.0, 3)
    assert [one.fps for one in sustained(rows)] == [30, 60]
    assert free.key != JOB.key
    assert "pace_fps" not in plain[0].to_dict()["job"]


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("job", "pace_fps", -5),
        ("job", "pace_fps", math.nan),
        ("job", "pace_fps", math.inf),
        ("job", "pace_fps", 1e308),
        ("job", "pace_fps", None),
        ("segment", "seconds", 0),
        ("segment", "seconds", math.nan),
        ("segment", "seconds", 1e308),
        ("segment", "number", -1),
    ],
)
def test_a_damaged_segment_is_left_out_and_counts_nowhere_else(
    tmp_path: Path, part: str, name: str, value: float | None
) -> None:
    run = series_run(tmp_path, whole(JOB, steady))
    path = run.path / "records.jsonl"
    lines = path.read_text().splitlines()
    tree = json.loads(lines[7])
    tree[part][name] = value
    path.write_text("\n".join([*lines[:7], json.dumps(tree), *lines[8:]]) + "\n")
    data = read_run(run)
    assert data.torn_lines == 1
    rows = tidy_rows([data])
    assert summarise(rows) == []
    (series,) = sustained(rows)
    assert (len(series.measured), series.whole) == (19, False)
    assert write_report(ReportRequest((run,))).is_file()


def test_without_a_count_of_frames_nothing_is_said_about_the_rate(tmp_path: Path) -> None:
    records = whole(JOB, steady)
    latency = records[5].latency_us
    assert latency is not None
    uncounted = {"latency_us": latency.model_copy(update={"count": None})}
    records[5] = records[5].model_copy(update=uncounted)
    series = read(tmp_path, records)
    assert series.segments[5].holds is None
    assert (len(series.measured), series.holds, series.lost) == (19, False, ())


def test_launches_that_all_began_at_once_are_placed_by_the_pace(tmp_path: Path) -> None:
    same = {"started_at": "2026-11-25T12:00:00"}
    series = read(tmp_path, [r.model_copy(update=same) for r in whole(JOB, throttling)])
    assert series.held_s == 8 * 30


def test_records_without_a_round_leave_the_report_standing(tmp_path: Path) -> None:
    free = Job.model_validate(JOB.model_dump(exclude={"pace_fps"}))
    plain = [ok_record(free, n, 10.0).model_copy(update={"round": None}) for n in range(3)]
    assert write_report(ReportRequest((series_run(tmp_path, plain),))).is_file()


def test_a_job_that_was_planned_only_is_told(tmp_path: Path) -> None:
    run = series_run(tmp_path, [])
    assert sustained(tidy_rows([read_run(run)])) == []
    run = series_run(tmp_path, [bad_record(JOB, 0, "aborted", reason="interrupted")])
    (run.path / "records.jsonl").write_text("")
    (series,) = sustained(tidy_rows([read_run(run)]))
    assert (series.measured, series.segments, series.begun) == ((), (), 0)
    assert "not measured" in sentence(series)


def test_the_report_shows_series_and_ordinary_jobs_apart(tmp_path: Path) -> None:
    free = Job.model_validate(JOB.model_dump(exclude={"pace_fps"}))
    plain = [ok_record(free, n, 10.0) for n in range(3)]
    run = series_run(tmp_path, [*plain, *whole(JOB, throttling)])
    page = write_report(ReportRequest((run,))).parent
    html = (page / "index.html").read_text(encoding="utf-8")
    assert html.count("holds 30 fps until 4:16") == 2  # the sentence, and the plot in words
    assert 'id="table"' in html
    assert (page / "plots" / "sustained.png").read_bytes().startswith(b"\x89PNG")
    segments = table(page / "sustained.csv")
    assert len(segments) == 20
    assert [row["holds"] for row in segments] == ["True"] * 8 + ["False"] * 12
    assert float(segments[8]["start_s"]) == 256
    summary = table(page / "summary.csv")
    assert [row["median_ms"] for row in summary] == ["10.0"]
    assert "holds 30 fps until 4:16" in (page / "report.md").read_text(encoding="utf-8")


def test_a_report_of_series_alone_has_no_empty_sections(tmp_path: Path) -> None:
    page = write_report(ReportRequest((series_run(tmp_path, whole(JOB, steady)),)))
    html = page.read_text(encoding="utf-8")
    assert 'id="table"' not in html
    assert 'href="#results"' not in html
    assert "holds 30 fps for 10 min" in html


def test_many_series_and_hostile_names_are_drawn(tmp_path: Path) -> None:
    jobs = [job(fps) for fps in range(1, MOST + 4)]
    records = [r for one in jobs for r in whole(one, throttling)[:2]]
    many = sustained(tidy_rows([read_run(series_run(tmp_path, records))]))
    drawing = PLOTS["sustained"].draw(many, Frame(350))
    assert drawing is not None
    assert "3 further" in drawing.note
    assert PLOTS["sustained"].draw([], Frame(350)) is None
    reason = {"reason": HOSTILE}
    bad = [bad_record(JOB, n, **reason) for n in range(3)]
    run = series_run(tmp_path / "2", [*whole(JOB, steady)[3:], *bad])
    html = write_report(ReportRequest((run,))).read_text(encoding="utf-8")
    assert "<script>alert" not in html
    (series,) = sustained(tidy_rows([read_run(run)]))
    assert "<script" not in "\n".join(sustained_markdown([series]))


def test_the_document_holds_the_segments(tmp_path: Path) -> None:
    found = series_document(read(tmp_path, whole(JOB, throttling)))
    assert (found["fps"], found["holds"], found["held_s"]) == (30, False, 256)
    assert found["device"] == PHONE
    assert [one["holds"] for one in found["segments"]].count(True) == 8

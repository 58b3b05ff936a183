"""Pictures and conditions from run folders, series at a frame rate, and selection.json."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise
from edgesr.analysis.sustained import sustained
from edgesr.errors import StoreError
from edgesr.results.records import Accuracy, Interval, Job
from edgesr.results.store import RunFolder, Workspace
from edgesr.select.choose import manifests_of, select, select_runs
from edgesr.select.evidence import Evidence
from edgesr.select.store import FILE, read_selection, write_selection
from tests.unit.fake_jobs import criteria, job, phone_job
from tests.unit.fake_runs import HOSTILE, candidate_id, header, manifest, ok_record
from tests.unit.fake_series import PHONE, series_run, steady, throttling, whole
from tests.unit.fake_series import job as paced_job

LEVELS = (30.0, 33.0, 36.0, 39.0, 31.0, 35.0)
"""PSNR of bicubic on six pictures that differ much."""


def scored_run(workspace: Path, gains: dict[str, float], ms: float = 20.0) -> RunFolder:
    """Networks that are better than bicubic by about so many dB on every picture."""
    manifests = [manifest(name, "fp32", "elsr_x2") for name in gains]
    jobs = [Job(candidate=one["id"], variant="fp32", device="host", delegate="xnnpack", threads=t)
            for one in manifests for t in (1, 2)]  # fmt: skip
    head = header(manifests, jobs)
    rows = [{"name": f"slide-{n}", "scale": 2, "bicubic": {"psnr_y": level}}
            for n, level in enumerate(LEVELS)]  # fmt: skip
    mean = sum(LEVELS) / len(LEVELS)
    head["accuracy"] |= {"pictures": rows, "bicubic": {"2:360x640": {"psnr_y": mean}}}
    run = Workspace(workspace).new_run(head)
    (run.path / "accuracy").mkdir()
    for number in range(5):
        for one in jobs:
            gain = next(g for name, g in gains.items() if candidate_id(name) == one.candidate)
            wide = Interval(mean=mean + gain, low=mean + gain - 4, high=mean + gain + 4, n=6)
            quality = Accuracy(psnr_y=mean + gain, psnr_y_interval=wide, images=6, protocol="y")
            run.append(ok_record(one, number, ms + 0.1 * number, accuracy=quality))
            if one.threads == 1 and not number:
                write_pictures(run, one.key, gain)
    return run


def write_pictures(run: RunFolder, key: str, gain: float) -> None:
    images = [{"name": f"slide-{n}", "psnr_y": level + gain + 0.05 * (-1) ** n}
              for n, level in enumerate(LEVELS)]  # fmt: skip
    (run.path / "accuracy" / f"{key}.json").write_text(json.dumps({"images": images}))


def jobs_of(*runs: RunFolder) -> list[JobSummary]:
    return summarise(tidy_rows([read_run(run) for run in runs]))


def test_pictures_tell_apart_what_their_intervals_do_not(tmp_path: Path) -> None:
    """Pictures scatter by 9 dB, and on each of them one network is 0.5 dB better."""
    read = read_run(scored_run(tmp_path, {"sharp": 1.5, "soft": 1.0}))
    wanted = criteria(order=("psnr_y", "size_mb"))
    found = select_runs([read], wanted)
    assert [one.name for one in found.winners] == ["sharp"]
    assert "PSNR-Y" in found.groups[0].rejected[0].would_win
    evidence = Evidence([read])
    sharp, soft = (next(j for j in summarise(read.rows) if j.name == name and j.threads == 2)
                   for name in ("sharp", "soft"))  # fmt: skip
    difference = evidence.difference("psnr_y", sharp, soft)
    assert difference.low > 0.45
    assert not evidence.difference("psnr_y", sharp, replace(soft, run="another")).told
    assert not evidence.difference("latency_median_ms", sharp, soft).told


def test_a_gain_is_shown_by_the_pictures(tmp_path: Path) -> None:
    run = read_run(scored_run(tmp_path, {"net": 1.0}))
    wanted = criteria({"psnr_gain_db": {"min": 0.8}})
    assert select_runs([run], wanted).winners
    # without them only by an interval that is too wide
    without = select(summarise(run.rows), [], wanted, {})
    assert not without.winners
    assert not select_runs([run], criteria({"psnr_gain_db": {"min": 0.99}})).winners


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"images": 3}', '{"images": [3, {"psnr_y": 4}, {"name": []}]}',
     '{"images": [{"name": "slide-0", "psnr_y": "<b>"}]}', "[" * 100_000],
)  # fmt: skip
def test_damaged_pictures_tell_nothing(tmp_path: Path, text: str) -> None:
    run = scored_run(tmp_path, {"net": 1.0, "other": 2.0})
    for path in (run.path / "accuracy").glob("*.json"):
        path.write_text(text)
    found = select_runs([read_run(run)], criteria({"psnr_gain_db": {"min": 0.5}}, ("psnr_y",)))
    assert not found.winners


def test_pictures_lie_in_the_run_only(tmp_path: Path) -> None:
    run = scored_run(tmp_path / "work", {"net": 1.0})
    (path,) = (run.path / "accuracy").glob("*.json")
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    assert not Evidence([read_run(run)]).gain(jobs_of(run)[0]).told


def test_runs_under_other_conditions_are_named(tmp_path: Path) -> None:
    first, second = (scored_run(tmp_path, {name: 1.0}) for name in ("net", "other"))
    assert select_runs([read_run(first), read_run(second)], criteria()).notes == ()
    tree = json.loads((second.path / "run.json").read_text())
    tree["suite"] |= {"num_runs": 500}
    (second.path / "run.json").write_text(json.dumps(tree))
    (note,) = select_runs([read_run(first), read_run(second)], criteria()).notes
    assert "num_runs" in note


def series(tmp_path: Path, records: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
    read = read_run(series_run(tmp_path, records))
    return sustained(read.rows), manifests_of([read])


def test_a_sustained_rate_is_held_or_not(tmp_path: Path) -> None:
    records = [*whole(paced_job(30), steady), *whole(paced_job(60), throttling)]
    paced, manifests = series(tmp_path, records)
    for least, holds in ((30, True), (60, False)):
        found = select([], paced, criteria({"fps_sustained": {"min": least}}), manifests)
        assert bool(found.winners) is holds
    value = select([], paced, criteria(), manifests).winners[0].values["fps_sustained"]
    assert (value.value, value.told) == (30, True)


def test_a_pace_gives_no_latency_and_goes_with_the_free_job(tmp_path: Path) -> None:
    paced, manifests = series(tmp_path, whole(paced_job(30), steady))
    limits = {"latency_median_ms": {"max": 40}, "fps_sustained": {"min": 30}}
    found = select([], paced, criteria(limits), manifests)
    assert not found.winners
    assert "suite" in found.groups[0].nearest_miss
    its = paced[0].job
    free = replace(phone_job(PHONE), candidate=its.candidate, name=its.name, threads=its.threads,
                   device_class=its.device_class)  # fmt: skip
    assert select([free], paced, criteria(limits), manifests).winners
    assert not select([free], [], criteria(limits), manifests).winners


def test_a_selection_is_kept_and_read_back(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert read_selection(workspace) is None
    jobs = [job("fast", 10), job("slow", 30), phone_job("P1", HOSTILE)]
    made = select(jobs, [], criteria({"latency_median_ms": {"max": "25 ms"}}), {})
    write_selection(workspace, made)
    found = read_selection(workspace)
    assert found is not None
    assert found.criteria["constraints"] == {"latency_median_ms": [{"max": 25}]}
    assert [one.device_class for one in found.winners] == ["budget", "host"]
    (winner,) = found.of(candidate_id("fast"))
    assert (winner.delegate, winner.threads, winner.scale) == ("xnnpack", 2, 2)
    assert found.of(candidate_id("slow")) == ()
    assert found.winners[0].name == HOSTILE


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"schema": 2}', '{"schema": "1"}', '{"schema": 1}', "[" * 100_000,
     '{"schema": 1, "created_at": "x", "criteria": {}, "winners": [{"candidate": 3}]}'],
)  # fmt: skip
def test_a_damaged_or_newer_selection_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(StoreError) as caught:
        read_selection(Workspace(tmp_path))
    assert FILE in str(caught.value)
    assert caught.value.hint


def test_a_selection_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "file")
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError):
        write_selection(workspace, select([job()], [], criteria(), {}))

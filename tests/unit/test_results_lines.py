"""Whatever stands in records.jsonl: whole records are read, the rest is counted."""

import json
from pathlib import Path
from typing import Any

import pytest
from fake_runs import simple_run

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import summarise
from edgesr.errors import StoreError
from edgesr.results import lines
from edgesr.results.records import SCHEMA, Job, Latency, Record
from edgesr.results.store import RunFolder, Workspace

JOB = Job(candidate="c" * 64, variant="fp32", device="host", delegate="cpu", threads=1)
GOOD = Record(job=JOB, round=0, status="ok", latency_us=Latency(median=5.0)).to_dict()


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return Workspace(tmp_path).new_run({"jobs": [JOB.model_dump()]})


def changed(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


BROKEN = {
    "cut": changed()[:60],
    "garbage": bytes(range(1, 10)) + b"\xff\xfe\x80",
    "zeros": b"\0" * 4096,
    "a list": b"[1, 2]",
    "a number": b"7",
    "null": b"null",
    "two objects": changed() + changed(),
    "deep": b"[" * 100_000,
    "deep within": b'{"schema": 1, "status": "ok", "x": ' + b"[" * 100_000,
    "no schema": json.dumps({k: v for k, v in GOOD.items() if k != "schema"}).encode(),
    "schema zero": changed(schema=0),
    "schema null": changed(schema=None),
    "status of no kind": changed(status="splendid"),
    "job as text": changed(job="x"),
    "round as text": changed(round="first"),
    "round not finite": changed(round=float("nan")),
    "latency as a list": changed(latency_us=[1, 2]),
    "doubts as a number": changed(doubts=7),
    "bom in between": b"\xef\xbb\xbf\xef\xbb\xbf" + changed(),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_line_costs_only_itself(run: RunFolder, what: str) -> None:
    path = run.path / "records.jsonl"
    path.write_bytes(changed(round=1) + b"\n" + BROKEN[what] + b"\n" + changed(round=2) + b"\n")
    assert [record.round for record in run.records()] == [1, 2]
    assert run.torn_lines() == 1
    data = read_run(run)
    assert (data.recorded, data.torn_lines, len(data.rows)) == (2, 1, 2)


def test_crlf_blank_lines_and_no_end_of_line_are_read(run: RunFolder) -> None:
    parts = [changed(round=0), b"", b"  ", changed(round=1)]
    (run.path / "records.jsonl").write_bytes(b"\r\n".join(parts))
    assert len(run.records()) == 2
    assert run.torn_lines() == 0


def test_numbers_that_are_none_are_unknown_and_harm_nothing(run: RunFolder) -> None:
    text = changed(round=0).decode()
    values = ["NaN", "Infinity", "-Infinity", "1e999", "-5", "9" * 400, "1e300", "null"]
    made = [
        text.replace('"median": 5.0', f'"median": {v}, "p95": {v}, "max": {v}')
        .replace('"round": 0', f'"round": {n}, "init_us": {v}, "memory_mb": {{"peak": {v}}}')
        for n, v in enumerate(values)
    ]  # fmt: skip
    (run.path / "records.jsonl").write_text("\n".join([*made, text]) + "\n")
    (job,) = summarise(tidy_rows([read_run(run)]))
    assert job.rounds == 1
    assert job.median_ms == pytest.approx(0.005)


def test_halves_of_characters_are_kept_for_whoever_shows_them(run: RunFolder) -> None:
    (run.path / "records.jsonl").write_bytes(changed(status="failed", reason="\ud800"))
    (job,) = summarise(tidy_rows([read_run(run)]))
    assert job.reasons == ("\ud800",)


@pytest.mark.parametrize("name", ["round", "threads", "nodes_total"])
def test_whole_numbers_of_any_length_harm_nothing(run: RunFolder, name: str) -> None:
    huge = int("9" * 400)
    tree = {**GOOD, "verdict": {"requested": "cpu", "outcome": "full", "nodes_total": 1}}
    place = {"round": tree, "threads": tree["job"], "nodes_total": tree["verdict"]}[name]
    place[name] = huge
    (run.path / "records.jsonl").write_text(json.dumps(tree) + "\n")
    assert len(summarise(tidy_rows([read_run(run)]))) in (1, 2)  # the planned job is another


def test_a_line_that_stands_twice_counts_once(run: RunFolder) -> None:
    first, second = (changed(round=n, started_at=f"2026-11-25T12:00:0{n}") for n in (0, 1))
    (run.path / "records.jsonl").write_bytes(b"\n".join([first, second, first, second, b""]))
    data = read_run(run)
    assert (data.recorded, data.doubled_lines, data.torn_lines) == (2, 2, 0)


def test_a_line_too_long_to_be_a_record_is_passed_over(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 2000)
    path = run.path / "records.jsonl"
    for size in (1998, 1999, 2000, 2001, 4000, 9001):
        long = b'{"schema": 1, "x": "' + b"y" * (size - 20)
        assert len(long) == size
        path.write_bytes(changed(round=1) + b"\n" + long + b"\n" + changed(round=2))
        assert [record.round for record in run.records()] == [1, 2]
        assert run.torn_lines() == 1


def test_a_newer_record_is_refused_even_where_it_is_of_another_shape(run: RunFolder) -> None:
    newer = {"schema": SCHEMA + 1, "status": "splendid", "job": [1]}
    (run.path / "records.jsonl").write_text(json.dumps(GOOD) + "\n" + json.dumps(newer) + "\n")
    with pytest.raises(StoreError, match=f"records.jsonl:2 has schema {SCHEMA + 1}"):
        read_run(run)


def test_a_run_without_records_has_its_planned_jobs(run: RunFolder) -> None:
    (run.path / "records.jsonl").unlink()
    data = read_run(run)
    assert (data.recorded, list(data.rows["status"])) == (0, ["not measured"])


def test_a_folder_in_the_place_of_the_records_is_named(run: RunFolder) -> None:
    (run.path / "records.jsonl").unlink()
    (run.path / "records.jsonl").mkdir()
    with pytest.raises(StoreError, match="records"):
        run.records()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"schema": 1, "a": ' + "[" * 100_000])
def test_a_header_of_endless_depth_is_damaged(run: RunFolder, text: str) -> None:
    (run.path / "run.json").write_text(text)
    with pytest.raises(StoreError, match="damaged"):
        run.header()


HEADERS: list[dict[str, Any]] = [
    {"jobs": 7, "devices": [], "candidates": "x", "suite": None, "accuracy": 1, "run": 5},
    {"jobs": [None, 1, {"candidate": 7, "threads": "many"}, {}], "candidates": {"c" * 64: 3}},
    {"devices": {"host": None, "x": {"model": 5, "simulated": "yes"}}, "run": ""},
    {"candidates": {"c" * 64: {"inputs": [{"shape": "x"}], "model": {"scale": 10**400}}}},
    {"candidates": {"c" * 64: {"name": "\ud800"}}, "run": "\udfff"},
    {"suite": {"rounds": float("nan")}, "accuracy": {"bicubic": {"2:360x640": []}}},
]


@pytest.mark.parametrize("tree", HEADERS)
def test_a_foreign_header_of_wrong_types_is_read(tmp_path: Path, tree: dict[str, Any]) -> None:
    run = simple_run(tmp_path)
    (run.path / "run.json").write_text(json.dumps({"schema": 1, **tree}))
    data = read_run(run)
    rows = tidy_rows([data, read_run(simple_run(tmp_path / "other"))])
    assert (rows["latency_ms"].notna()).sum() == 6
    assert summarise(rows)

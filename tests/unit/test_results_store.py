"""Records survive crashes, unknown schemas are refused, candidates are found by content."""

import json
from pathlib import Path

import pytest

from edgesr.errors import InputError, StoreError
from edgesr.results.manifest import read_manifest
from edgesr.results.migrate import migrate
from edgesr.results.records import SCHEMA, Job, Latency, Record
from edgesr.results.store import RunFolder, Workspace, write_candidates
from tests.fixtures.tiny import tiny_candidate

JOB = Job(candidate="c" * 64, variant="fp32", device="host", delegate="cpu", threads=1)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return Workspace(tmp_path).new_run({"jobs": [JOB.model_dump()]})


def test_records_come_back_in_order(run: RunFolder) -> None:
    records = [
        Record(job=JOB, round=n, status="ok", latency_us=Latency(median=n, avg=None))
        for n in range(3)
    ]
    for record in records:
        run.append(record)
    assert run.records() == records
    assert run.torn_lines() == 0
    assert run.header()["jobs"] == [JOB.model_dump()]


def test_unknown_is_null_and_not_measured_is_absent() -> None:
    tree = Record(job=JOB, status="ok", latency_us=Latency(median=5, avg=None)).to_dict()
    assert tree["latency_us"] == {"avg": None, "median": 5}
    assert "accuracy" not in tree
    assert (tree["schema"], tree["reason"], tree["doubts"]) == (SCHEMA, None, [])


def test_a_torn_line_costs_only_itself(run: RunFolder) -> None:
    run.append(Record(job=JOB, round=0, status="ok"))
    path = run.path / "records.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    assert len(run.records()) == 1
    run.append(Record(job=JOB, round=1, status="failed", reason="äöü"))
    assert [record.round for record in run.records()] == [0, 1]
    assert run.records()[1].reason == "äöü"
    assert run.torn_lines() == 1


def test_nan_never_reaches_the_file(run: RunFolder) -> None:
    with pytest.raises(ValueError, match="JSON"):
        run.append(Record(job=JOB, status="ok", latency_us=Latency(median=float("nan"))))
    assert run.records() == []


def test_a_newer_schema_is_refused_by_name(run: RunFolder) -> None:
    newer = json.dumps({"schema": SCHEMA + 1, "status": "ok"})
    (run.path / "records.jsonl").write_text(newer + "\n")
    with pytest.raises(StoreError, match="schema"):
        run.records()
    (run.path / "run.json").write_text(newer)
    with pytest.raises(StoreError, match=f"schema {SCHEMA + 1}"):
        run.header()


@pytest.mark.parametrize("tree", [{}, {"schema": "1"}, {"schema": 0}])
def test_what_carries_no_schema_is_no_file_of_ours(tree: dict[str, object]) -> None:
    with pytest.raises(StoreError, match="no schema"):
        migrate(tree, where="x.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_damaged_header_is_named(run: RunFolder, text: str) -> None:
    (run.path / "run.json").write_text(text)
    with pytest.raises(StoreError, match=r"run\.json"):
        run.header()


def test_logs_are_named_by_content(run: RunFolder) -> None:
    path, digest = run.write_log("job-0", "hello\n")
    assert (run.path / path).read_text() == "hello\n"
    assert len(digest) == 64


def test_job_keys_are_safe_in_file_names() -> None:
    job = JOB.model_copy(update={"device": "192.168.0.7:5555/../x"})
    assert not set(job.key) & set(":/ ")


def test_candidates_are_found_by_id_name_folder_and_file(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    made = tiny_candidate(workspace)
    other = tiny_candidate(workspace, "int8-io")
    for name in (made.manifest.id[:8], made.manifest.name, str(made.path), str(made.path.parent)):
        assert workspace.candidate(name) == made
    assert {c.manifest.id for c in workspace.candidates()} == {
        made.manifest.id, other.manifest.id,
    }  # fmt: skip
    with pytest.raises(InputError, match="is no candidate"):
        workspace.candidate("nosuch")
    tiny_candidate(workspace, seed=1)
    with pytest.raises(InputError, match="more than one"):
        workspace.candidate(made.manifest.name)


def test_a_candidate_whose_file_changed_is_refused(tmp_path: Path) -> None:
    made = tiny_candidate(Workspace(tmp_path))
    made.path.write_bytes(made.path.read_bytes() + b"x")
    with pytest.raises(InputError, match="not the file"):
        Workspace(tmp_path).candidate(str(made.path))


def test_a_damaged_or_newer_manifest_is_named(tmp_path: Path) -> None:
    path = tiny_candidate(Workspace(tmp_path)).path.parent / "manifest.json"
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({**tree, "schema": 99}))
    with pytest.raises(StoreError, match="schema 99"):
        read_manifest(path)
    path.write_text(json.dumps({**tree, "variant": "int3"}))
    with pytest.raises(StoreError, match="damaged"):
        read_manifest(path)


def test_the_newest_run_is_the_default(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(InputError, match="no run yet"):
        workspace.run()
    runs = [workspace.new_run({}) for _ in range(2)]
    assert workspace.run().path == max(run.path for run in runs)
    assert workspace.run(str(runs[0].path)).path == runs[0].path
    assert workspace.run(runs[0].path.name).path == runs[0].path
    with pytest.raises(InputError, match="no single run"):
        workspace.run("1999")


def test_several_candidates_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    good = tiny_candidate(workspace)
    manifest = good.manifest
    (tmp_path / "in the way").write_text("a file")
    with pytest.raises(StoreError):
        write_candidates(
            [
                (tmp_path / "first", good.path, manifest),
                (tmp_path / "in the way" / "second", good.path, manifest),
            ]
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in the way", "w"]

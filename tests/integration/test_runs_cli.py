"""``edgesr runs`` as people type it."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from edgesr.cli import runs
from edgesr.results.store import RunFolder, Workspace
from tests.fixtures.tiny import tiny_candidate
from tests.unit.fake_runs import HOSTILE, fleet_run, full_run, simple_run


def call(workspace: Path, *arguments: str | Path) -> Result:
    given = [*map(str, arguments), "--workspace", str(workspace)]
    return CliRunner().invoke(runs.app, given, terminal_width=200)


def document(workspace: Path, *arguments: str | Path) -> Any:
    result = call(workspace, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def three(tmp_path: Path) -> list[RunFolder]:
    return [simple_run(tmp_path), fleet_run(tmp_path), full_run(tmp_path, pictures=False)]


def test_list_shows_every_run_also_a_damaged_one(tmp_path: Path, three: list[RunFolder]) -> None:
    (three[0].path / "run.json").write_text("{")
    found = {run["run"]: run for run in document(tmp_path, "list")["runs"]}
    assert len(found) == 3
    assert "damaged" in found[three[0].path.name]["problem"]
    assert [d["simulated"] for d in found[three[1].path.name]["devices"]] == [False, False, True]
    assert found[three[2].path.name]["torn_lines"] == 1
    result = call(tmp_path, "list")
    assert result.exit_code == 0
    for words in ("damaged", "simulated", "unreadable", "not measured"):
        assert words in " ".join(result.stdout.split())


def test_an_empty_workspace_has_no_runs(tmp_path: Path) -> None:
    assert document(tmp_path / "none", "list")["runs"] == []
    assert call(tmp_path / "none", "list").exit_code == 0
    assert call(tmp_path / "none", "show").exit_code == 3
    assert not (tmp_path / "none").exists()


def test_show_tells_each_job_and_never_credits_a_delegate_that_fell_back(tmp_path: Path) -> None:
    run = fleet_run(tmp_path)
    told = document(tmp_path, "show", run.path.name)
    assert len(told["measured"]) == 2 * 3 * 4
    text = " ".join(call(tmp_path, "show").stdout.split())
    assert "nnapi:qti-dsp fell back" in text
    assert "simulated" in text
    timed = next(job for job in told["measured"] if job["median_ms"] is not None)
    assert f"{timed['median_ms']:.3g}" in text


def test_show_takes_hostile_names_as_text(tmp_path: Path) -> None:
    run = full_run(tmp_path, pictures=False)
    assert HOSTILE in {job["candidate"] for job in document(tmp_path, "show")["measured"]}
    result = call(tmp_path, "show", run.path)
    assert result.exit_code == 0
    assert "1 line unreadable" in " ".join(result.stdout.split())


@pytest.mark.parametrize(("inside", "name"), [("", "."), ("logs", "..")])
def test_a_run_may_be_named_from_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str, name: str
) -> None:
    run = simple_run(tmp_path)
    monkeypatch.chdir(run.path / inside)
    assert document(tmp_path, "show", name)["run"] == run.path.name
    out = tmp_path / "x.tar.gz"
    assert document(tmp_path, "export", name, "--out", out)["runs"] == [run.path.name]


def test_show_of_a_damaged_run_names_the_file(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    (run.path / "run.json").write_text("[" * 100_000)
    result = call(tmp_path, "show", run.path.name)
    assert result.exit_code == 8
    assert "run.json is damaged" in result.stderr


def test_a_table_is_written_beside_the_newest_run(tmp_path: Path, three: list[RunFolder]) -> None:
    names = [run.path.name for run in three]
    told = document(tmp_path, "export", *names)
    newest = max(names)
    assert told["file"] == str(tmp_path / "runs" / newest / "records.parquet")
    assert pq.read_table(told["file"]).num_rows == told["rows"]
    assert told["torn_lines"] == 1
    csv = document(tmp_path, "export", "--out", tmp_path / "x.csv")
    assert (csv["format"], csv["runs"]) == ("csv", [newest])


WRONG = [
    ["export", "--format", "xml"], ["export", "--candidates"], ["export", "--out", "."],
    ["export", "--out", "x.csv.gz"], ["export", "--out", "x"], ["export", "nosuch"],
    ["import", "nosuch.tar.gz"], ["prune"], ["prune", "--keep", "-1"],
    ["prune", "--older-than", "soon"], ["prune", "nosuch"], ["show", "nosuch"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", WRONG)
def test_what_makes_no_sense_says_so_and_changes_nothing(
    tmp_path: Path, arguments: list[str]
) -> None:
    run = simple_run(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = call(tmp_path, *arguments)
    assert result.exit_code in {2, 3}
    assert sorted(tmp_path.rglob("*")) == before
    assert len(run.records()) == 3


def test_runs_pass_between_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here, there = tmp_path / "here", tmp_path / "there"
    made = tiny_candidate(Workspace(here))
    run = Workspace(here).new_run({"candidates": {made.manifest.id: {}}})
    told = document(here, "export", "--format", "archive", "--candidates")
    assert told["file"] == f"{run.path.name}.tar.gz"
    assert told["candidates"] == [made.manifest.short_id]
    found = document(there, "import", told["file"])
    assert found["imported"] == [run.path.name]
    assert found["candidates"] == [made.manifest.short_id]
    again = document(there, "import", told["file"])
    assert (again["imported"], again["already_there"]) == ([], [run.path.name])
    (there / "runs" / run.path.name / "run.json").write_text('{"schema": 1}')
    assert call(there, "import", told["file"]).exit_code == 8


def test_prune_shows_first_and_deletes_when_told(tmp_path: Path, three: list[RunFolder]) -> None:
    oldest = min(run.path.name for run in three)
    for flags in ([], ["--yes", "--dry-run"]):
        shown = document(tmp_path, "prune", "--keep", "2", *flags)
        assert (shown["deleted"], [run["run"] for run in shown["runs"]]) == (False, [oldest])
        assert len(Workspace(tmp_path).runs()) == 3
    assert "would go" in call(tmp_path, "prune", oldest).stdout
    done = document(tmp_path, "prune", "--keep", "2", "--yes")
    assert done["deleted"] is True
    assert len(Workspace(tmp_path).runs()) == 2
    assert document(tmp_path, "prune", "--older-than", "1d", "--yes")["runs"] == []


def test_prune_spares_the_run_that_the_selection_rests_on(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    stored = {"schema": 1, "created_at": "2026-11-25T12:00:00", "criteria": {}, "winners": [],
              "runs": [run.path.name]}  # fmt: skip
    (tmp_path / "selection.json").write_text(json.dumps(stored))
    told = document(tmp_path, "prune", "--keep", "0", "--yes")
    assert told["runs"] == []
    assert told["spared"][0]["run"] == run.path.name
    assert run.path.is_dir()

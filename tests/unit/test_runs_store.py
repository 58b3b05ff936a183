"""What the store tells of runs, which of them go, and tables of their rounds."""

import csv
import json
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fake_runs import HOSTILE, fleet_run, full_run, simple_run

from edgesr.analysis.rows import COLUMNS, read_run, tidy_rows
from edgesr.analysis.tables import WHOLE, write_csv, write_parquet
from edgesr.errors import InputError, StoreError, UsageError
from edgesr.results.inventory import RunInfo, inspect_run, run_folders
from edgesr.results.prune import PruneOptions, choose, delete
from edgesr.results.scratch import scratch_folder
from edgesr.results.store import RunFolder, Workspace


def aged(workspace: Path, days: float) -> RunFolder:
    """A run that was begun so many days ago."""
    run = simple_run(workspace)
    begun = datetime.now(UTC) - timedelta(days=days)
    tree = {**run.header(), "created_at": begun.isoformat()}
    (run.path / "run.json").write_text(json.dumps(tree))
    place = run.path.with_name(f"{begun:%Y%m%dT%H%M%SZ}-{run.path.name[-8:]}")
    return RunFolder(run.path.rename(place))


def test_a_run_is_counted(tmp_path: Path) -> None:
    info = inspect_run(full_run(tmp_path, pictures=False))
    assert info.problem is None
    assert (info.candidates, info.rounds, info.torn_lines) == (16, 3, 1)
    assert sum(info.jobs.values()) == 16 * 4 * 2
    assert all(info.jobs[state] > 0 for state in ("ok", "refused", "failed", "not measured"))
    assert info.size_bytes == sum(
        path.stat().st_size for path in info.path.rglob("*") if path.is_file()
    )
    json.dumps(info.to_dict())


def test_simulated_phones_are_named_as_such(tmp_path: Path) -> None:
    devices = inspect_run(fleet_run(tmp_path)).devices
    assert [d.simulated for d in devices] == [False, False, True]


def test_a_run_that_is_being_measured_says_so_and_can_be_asked_meanwhile(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    assert not run.busy()
    with run.exclusively():
        assert inspect_run(run).measuring
    assert not run.busy()
    with run.exclusively():
        pass


@pytest.mark.parametrize("text", [None, "", "{", "[]", "\x00", '{"schema": 99}'])
def test_a_damaged_run_is_listed_with_what_is_wrong(tmp_path: Path, text: str | None) -> None:
    run = simple_run(tmp_path)
    (run.path / "run.json").unlink()
    if text is not None:
        (run.path / "run.json").write_text(text)
    (folder,) = run_folders(Workspace(tmp_path))
    info = inspect_run(folder)
    assert info.problem is not None
    assert "run.json" in info.problem
    assert info.created is not None  # its name tells
    assert info.size_bytes > 0
    with pytest.raises(StoreError, match=r"run\.json"):
        Workspace(tmp_path).run(run.path.name).header()


def test_hidden_folders_and_files_are_no_runs(tmp_path: Path) -> None:
    assert run_folders(Workspace(tmp_path / "none")) == []
    (tmp_path / "runs" / ".x.part").mkdir(parents=True)
    (tmp_path / "runs" / "notes.txt").touch()
    assert run_folders(Workspace(tmp_path)) == []


def names(workspace: Path) -> list[str]:
    return [folder.path.name for folder in run_folders(Workspace(workspace))]


def pruned(workspace: Path, options: PruneOptions, selected: tuple[str, ...] = ()) -> list[str]:
    chosen = choose(Workspace(workspace), options, selected=selected)
    delete(Workspace(workspace), chosen)
    return [one.name for one in chosen if not one.spared]


def test_the_newest_stay_and_the_young(tmp_path: Path) -> None:
    runs = [aged(tmp_path, days).path.name for days in (50, 40, 20, 10)]
    assert names(tmp_path) == runs
    assert pruned(tmp_path, PruneOptions(keep=9)) == []
    both = PruneOptions(keep=1, older_than=timedelta(days=45))
    assert pruned(tmp_path, both) == runs[:1]
    assert pruned(tmp_path, PruneOptions(older_than=timedelta(days=30))) == runs[1:2]
    assert pruned(tmp_path, PruneOptions(keep=1)) == runs[2:3]
    assert names(tmp_path) == runs[3:]
    assert pruned(tmp_path, PruneOptions(keep=0)) == runs[3:]
    assert list((tmp_path / "runs").iterdir()) == []


def test_runs_go_by_name_and_none_by_accident(tmp_path: Path) -> None:
    first, second = (simple_run(tmp_path).path.name for _ in range(2))
    with pytest.raises(UsageError, match="more than one"):
        choose(Workspace(tmp_path), PruneOptions((first[:4],)))
    for name in ("nosuch", "", "..", "*"):
        with pytest.raises(UsageError):
            choose(Workspace(tmp_path), PruneOptions((name,)))
    with pytest.raises(UsageError, match="nothing says"):
        PruneOptions()
    assert pruned(tmp_path, PruneOptions((first, first))) == [first]
    assert names(tmp_path) == [second]


def test_what_is_measured_or_selected_or_linked_stays(tmp_path: Path) -> None:
    measured, selected, linked, other = (simple_run(tmp_path) for _ in range(4))
    away = linked.path.rename(tmp_path / "away")
    linked.path.symlink_to(away)
    chosen = selected.path.name
    selected.path.rename(selected.path.with_name("renamed"))
    with measured.exclusively():
        gone = pruned(tmp_path, PruneOptions(keep=0), (chosen,))
    assert gone == [other.path.name]
    assert len(names(tmp_path)) == 3
    assert (away / "run.json").is_file()


def test_a_run_that_is_taken_up_meanwhile_stays_whole(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    chosen = choose(Workspace(tmp_path), PruneOptions(keep=0))
    with run.exclusively(), pytest.raises(StoreError, match="measuring"):
        delete(Workspace(tmp_path), chosen)
    assert len(run.records()) == 3
    assert names(tmp_path) == [run.path.name]
    assert not list((tmp_path / "runs").glob(".*"))


HOLDS = """
import sys
from pathlib import Path
from edgesr.results.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1]), "pruned") as folder:
    (folder / "run").mkdir()
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_goes_next_time_and_what_a_living_one_needs_stays(
    tmp_path: Path,
) -> None:
    runs = simple_run(tmp_path).path.parent
    child = [sys.executable, "-c", HOLDS, str(runs)]
    with subprocess.Popen(child, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout is not None
        theirs = Path(held.stdout.readline().strip())
        with scratch_folder(runs, "pruned") as ours:
            assert {path.name for path in runs.glob(".*")} == {theirs.name, ours.name}
        assert not ours.exists()
        delete(Workspace(tmp_path), [])
        assert (theirs / "run").is_dir()
        held.send_signal(signal.SIGKILL)
    assert (theirs / "run").is_dir()
    delete(Workspace(tmp_path), [])
    assert not theirs.exists()
    assert len(names(tmp_path)) == 1
    delete(Workspace(tmp_path / "none"), [])
    assert not (tmp_path / "none").exists()


def test_a_damaged_run_can_go(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    (run.path / "run.json").unlink()
    (run.path / "records.jsonl").unlink()
    assert pruned(tmp_path, PruneOptions(older_than=timedelta(days=1))) == []
    assert pruned(tmp_path, PruneOptions((run.path.name,))) == [run.path.name]


def test_parquet_has_types_and_says_where_it_comes_from(tmp_path: Path) -> None:
    run = read_run(full_run(tmp_path, pictures=False))
    rows = tidy_rows([run])
    write_parquet(tmp_path / "x.parquet", rows, [run.name])
    table = pq.read_table(tmp_path / "x.parquet")
    assert table.column_names == list(COLUMNS)
    assert table.num_rows == len(rows)
    kinds = {field.name: str(field.type) for field in table.schema}
    assert {kinds[name] for name in WHOLE} == {"int64"}
    assert (kinds["latency_ms"], kinds["simulated"], kinds["name"]) == ("double", "bool", "string")
    assert json.loads(table.schema.metadata[b"edgesr.runs"]) == [run.name]
    for name in ("latency_ms", "round", "outcome", "psnr_y"):
        back = table[name].to_pandas()
        assert list(back.isna()) == list(rows[name].isna())
        assert list(back.dropna()) == list(rows[name].dropna())


def test_csv_holds_the_same_and_foreign_text_as_it_is(tmp_path: Path) -> None:
    rows = tidy_rows([read_run(full_run(tmp_path, pictures=False))])
    write_csv(tmp_path / "x.csv", rows)
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [row["name"] for row in found] == list(rows["name"])
    assert HOSTILE in {row["name"] for row in found}
    times = [float(row["latency_ms"]) for row in found if row["latency_ms"]]
    assert times == list(rows["latency_ms"].dropna())
    assert {row["round"] for row in found} == {"", "0", "1", "2"}


def test_tables_take_broken_numbers_half_characters_and_no_rows(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    rows = tidy_rows([read_run(run)])
    rows.loc[0, "name"] = "\ud800<b>"
    rows.loc[0, "threads"] = 1e300
    rows.loc[1, "threads"] = 1.5
    rows.loc[2, "reference_psnr_db"] = float("inf")
    for part in (rows, rows.iloc[:0]):
        write_csv(tmp_path / "x.csv", part)
        write_parquet(tmp_path / "x.parquet", part, [])
        table = pq.read_table(tmp_path / "x.parquet")
        assert table.num_rows == len(part)
        assert table["threads"].to_pylist() == [None, None, 2][: len(part)]
    assert len(tidy_rows([])) == 0


def test_runs_of_several_machines_stand_in_one_table(tmp_path: Path) -> None:
    runs = [read_run(make(tmp_path)) for make in (fleet_run, simple_run, fleet_run)]
    rows = tidy_rows(runs)
    assert len(rows) == sum(len(run.rows) for run in runs)
    assert list(dict.fromkeys(rows["run"])) == [run.name for run in runs]
    for run in runs:
        assert rows[rows["run"] == run.name].reset_index(drop=True).equals(run.rows)


def test_the_rounds_of_a_copied_run_never_count_twice(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    shutil.copytree(run.path, run.path.with_name("copy"))
    read = [read_run(folder) for folder in run_folders(Workspace(tmp_path))]
    with pytest.raises(InputError, match="copy are both run"):
        tidy_rows(read)


def test_what_can_not_be_listed_is_still_a_run(tmp_path: Path) -> None:
    info = RunInfo(tmp_path, "broken")
    assert info.to_dict()["jobs"] == {"ok": 0, "refused": 0, "failed": 0, "not_measured": 0}

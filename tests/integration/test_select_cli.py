"""``edgesr select`` as a user calls it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edgesr.cli.app import app
from edgesr.results.store import Workspace
from edgesr.select.store import FILE, read_selection
from tests.unit.fake_runs import fleet_run, full_run, simple_run

FASTEST = 'name = "fastest"\n[objective]\norder = ["latency_median_ms"]\n'


def call(workspace: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--workspace", str(workspace), "select", *arguments])


@pytest.fixture
def fastest(tmp_path: Path) -> str:
    path = tmp_path / "fastest.toml"
    path.write_text(FASTEST)
    return str(path)


def test_the_newest_run_and_all_of_its_groups(tmp_path: Path, fastest: str) -> None:
    older = simple_run(tmp_path / "work")
    older.path.rename(older.path.with_name("20200101T000000Z-00000000"))
    run = fleet_run(tmp_path / "work")
    result = call(tmp_path / "work", "--criteria", fastest, "--json")
    assert result.exit_code == 0
    tree = json.loads(result.stdout)
    assert tree["runs"] == [run.path.name]
    assert {"winners", "pareto", "rejected", "groups", "criteria", "runs"} <= set(tree)
    assert {(one["scale"], one["input"]) for one in tree["winners"]} == {(2, "640×360")}
    classes = [one["device_class"] for one in tree["winners"]]
    assert classes == ["budget", "flagship", "unlisted: SM-A145R"]
    assert all(one["why"] and one["candidate"] for one in tree["rejected"])
    assert all(not one["delegate"].startswith("nnapi") for one in tree["winners"])
    simulated = tree["winners"][0]
    assert "simulated" in simulated["devices"][0]
    assert "simulated" in simulated["recommendation"]
    kept = read_selection(Workspace(tmp_path / "work"))
    assert kept is not None
    assert [one.candidate for one in kept.winners] == [one["candidate"] for one in tree["winners"]]


def test_tables_and_the_default_criteria(tmp_path: Path, fastest: str) -> None:
    full_run(tmp_path / "work", pictures=False)
    result = call(tmp_path / "work", "--criteria", fastest)
    assert result.exit_code == 0
    assert "selection.json" in result.stderr
    assert "can't be read" in result.stderr  # its last line is torn
    result = call(tmp_path / "work")
    assert "slides-quality" in result.stderr


def test_nothing_qualifies_is_eleven_with_the_nearest_miss(tmp_path: Path, fastest: str) -> None:
    simple_run(tmp_path / "work")
    limit = "constraints.latency_median_ms.max=5 ms"
    for more in ([], ["--json"]):
        result = call(tmp_path / "work", "--criteria", fastest, "--set", limit, *more)
        assert result.exit_code == 11
        assert "latency <= 5 ms" in result.stderr
        assert "NAME: latency_median_ms" in result.stderr
    tree = json.loads(result.stdout)  # what speaks against each is told all the same
    assert tree["winners"] == []
    assert tree["rejected"][0]["why"]
    assert "latency <= 5 ms" in tree["groups"][0]["nearest_miss"]
    assert read_selection(Workspace(tmp_path / "work")) is None


def test_an_earlier_choice_stays_where_nothing_qualifies(tmp_path: Path, fastest: str) -> None:
    simple_run(tmp_path / "work")
    assert call(tmp_path / "work", "--criteria", fastest).exit_code == 0
    kept = (tmp_path / "work" / FILE).read_bytes()
    limit = "constraints.latency_median_ms.max=5 ms"
    result = call(tmp_path / "work", "--criteria", fastest, "--set", limit)
    assert result.exit_code == 11
    assert f"{FILE} stays" in result.stderr
    assert (tmp_path / "work" / FILE).read_bytes() == kept


def test_simulated_phones_are_told_to_lower_the_trust_only_where_that_is_asked(
    tmp_path: Path, fastest: str
) -> None:
    fleet_run(tmp_path / "work")
    slow = ["--criteria", fastest, "--by", "device", "--set", "constraints.latency_median_ms.max=0"]
    assert "trust.min=C" not in call(tmp_path / "work", *slow).stderr


def test_one_group_without_a_winner_is_said_and_no_failure(tmp_path: Path, fastest: str) -> None:
    fleet_run(tmp_path / "work")
    result = call(tmp_path / "work", "--criteria", fastest, "--set", "constraints.trust.min=B")
    assert result.exit_code == 0
    assert "nothing of" in result.stdout
    tree = json.loads(
        call(tmp_path / "work", "--criteria", fastest, "--set", "constraints.trust.min=B",
             "--json").stdout)  # fmt: skip
    assert "budget" in {g["device_class"] for g in tree["groups"] if g["winner"] is None}


def test_by_device_gives_each_its_own(tmp_path: Path, fastest: str) -> None:
    fleet_run(tmp_path / "work")
    result = call(tmp_path / "work", "--criteria", fastest, "--by", "device", "--json")
    assert len(json.loads(result.stdout)["winners"]) == 3


def test_several_runs_by_name(tmp_path: Path, fastest: str) -> None:
    first, second = simple_run(tmp_path / "work"), simple_run(tmp_path / "work", (5.0, 5.0, 5.0))
    names = [second.path.name, first.path.name, str(first.path)]
    tree = json.loads(call(tmp_path / "work", *names, "--criteria", fastest, "--json").stdout)
    assert tree["runs"] == sorted({first.path.name, second.path.name})
    assert len(tree["winners"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--by", "phone"], 2),
        (["--criteria", "nonsense"], 3),
        (["--criteria", "none.toml"], 3),
        (["--set", "constraints.size_mb.max=4 ms"], 3),
        (["--set", "constraints.sise_mb.max=4"], 3),
        (["--set", "constraints.size_mb={max = 4, device = 'nobody'}"], 3),
        (["no-such-run"], 3),
    ],
)
def test_what_makes_no_sense_has_its_code(tmp_path: Path, arguments: list[str], code: int) -> None:
    simple_run(tmp_path / "work")
    result = call(tmp_path / "work", *arguments)
    assert result.exit_code == code
    assert result.stderr.count("error:") == 1


def test_no_run_a_run_without_records_and_a_damaged_one(tmp_path: Path) -> None:
    assert call(tmp_path / "none").exit_code == 3
    Workspace(tmp_path / "empty").new_run({})
    assert call(tmp_path / "empty").exit_code == 11
    run = simple_run(tmp_path / "work")
    (run.path / "run.json").write_text("{")
    assert call(tmp_path / "work").exit_code == 8

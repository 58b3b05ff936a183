"""`edgesr compare` and `edgesr report --baseline` from the command line."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from edgesr.cli.app import app
from edgesr.results.records import Doubt, Job, Record
from edgesr.results.store import RunFolder
from tests.unit.fake_pairs import SUITE, job, name, rounds_of, run_of
from tests.unit.fake_runs import HOSTILE, fleet_run, full_run, manifest, ok_record


def edgesr(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def failed(one: Job, number: int, _ms: float) -> Record:
    return Record(job=one, round=number, status="failed", reason="exit code 1: \x1b[31m<b>]]>")


def runs(workspace: Path, factor: float = 1.0, **changes: Any) -> tuple[RunFolder, RunFolder]:
    """Two jobs, in the second run slower by a factor."""
    pair = []
    for number, (times, head) in enumerate(((1.0, {}), (factor, changes))):
        records = [
            record
            for n in range(2)
            for record in rounds_of(job(n), 10 * (n + 1) * times, 10 * number + n, rounds=10)
        ]
        pair.append(run_of(workspace, records, **head))
    return pair[0], pair[1]


def test_equal_runs_pass_the_gate(tmp_path: Path) -> None:
    before, after = runs(tmp_path)
    result = edgesr("compare", before.path, after.path, "--fail-on", "5%")
    assert result.exit_code == 0, result.stderr
    assert "figures compared" in result.stdout


def test_a_regression_stops_at_the_gate_and_is_told_without_one(tmp_path: Path) -> None:
    before, after = runs(tmp_path, 1.2)
    result = edgesr("compare", before.path, after.path, "--fail-on", "5%")
    assert result.exit_code == 12
    assert "on host, XNNPACK" in result.stderr
    assert name(0) in result.stdout  # in one piece, also on a narrow terminal
    assert re.search(r"error: .*more than 5 %", result.stderr)
    assert "+19." in result.stdout or "+20." in result.stdout
    assert edgesr("compare", before.path, after.path, "--fail-on", "40%").exit_code == 0
    assert edgesr("compare", before.path, after.path).exit_code == 0
    assert edgesr("compare", after.path, before.path, "--fail-on", "5%").exit_code == 0
    only_size = ("--metric", "size", "--fail-on", "0%")
    assert edgesr("compare", before.path, after.path, *only_size).exit_code == 0


def test_runs_are_named_as_everywhere(tmp_path: Path) -> None:
    before, after = runs(tmp_path)
    baseline = tmp_path / "baseline"
    baseline.mkdir()
    for part in ("run.json", "records.jsonl"):  # what a team keeps; no logs
        shutil.copy(before.path / part, baseline / part)
    result = edgesr("compare", baseline, after.path.name[:-4], "--workspace", tmp_path, "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["before"], document["after"]) == (before.path.name, after.path.name)
    assert edgesr("compare", baseline, "nothing", "--workspace", tmp_path).exit_code == 3


def test_the_document_has_every_change(tmp_path: Path) -> None:
    before, after = runs(tmp_path, 1.2)
    result = edgesr("compare", before.path, after.path, "--fail-on", "5", "--json")
    assert result.exit_code == 12
    document = json.loads(result.stdout)
    assert document["fail_on_pct"] == 5
    assert document["failures"] == sum(change["fails"] for change in document["changes"])
    change = next(one for one in document["changes"] if one["metric"] == "latency")
    assert change["fails"]
    assert change["verdict"] == "worse"
    assert 10 < change["low_pct"] < change["change_pct"] < change["high_pct"] < 30
    assert change["method"] == "rounds"
    assert (change["delegate"], change["threads"], change["device"]) == ("xnnpack", 2, "host")
    assert sum(document["counts"].values()) == len(document["changes"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"suite": {**SUITE, "num_runs": 50}}, "suite"),
     ({"devices": {"host": {"model": "host", "cpu": "Xeon, 2 cores", "os": "Debian 13",
                            "cores": 2}}}, "os_build"),
     ({"engine": {"name": "litert-python", "sha256": "99" * 32}}, "binary")],
)  # fmt: skip
def test_nothing_comparable_names_what_differs(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    before, after = runs(tmp_path, **changes)
    for gate in ((), ("--fail-on", "5%")):
        result = edgesr("compare", before.path, after.path, *gate)
        assert result.exit_code == 3
        assert field in result.stderr
        assert f"--ignore {field}" in result.stderr
    allowed = edgesr("compare", before.path, after.path, "--ignore", field, "--fail-on", "5%")
    assert allowed.exit_code == 0, allowed.stderr
    assert "although these differ" in " ".join(allowed.stdout.split())
    assert edgesr("compare", before.path, after.path, "--metric", "size").exit_code == 0


def test_another_delegate_is_named(tmp_path: Path) -> None:
    pair = [run_of(tmp_path, rounds_of(job(delegate=one), 10, 1)) for one in ("cpu", "xnnpack")]
    result = edgesr("compare", *(run.path for run in pair))
    assert result.exit_code == 3
    assert "delegate: cpu / xnnpack" in result.stderr


def test_a_gate_does_not_pass_what_it_did_not_see(tmp_path: Path) -> None:
    """Times compare, quality was asked for and is of other pictures."""
    pair = []
    for level in (33.0, 31.0):
        records = rounds_of(job(), 10, 1, make=_scored)
        accuracy = {"protocol": {"name": "y"}, "bicubic": {"2:360x640": {"psnr_y": level}}}
        pair.append(run_of(tmp_path, records, accuracy=accuracy))
    paths = [run.path for run in pair]
    assert edgesr("compare", *paths).exit_code == 0
    blind = edgesr("compare", *paths, "--fail-on", "5%")
    assert blind.exit_code == 3
    assert "pictures" in blind.stderr
    assert edgesr("compare", *paths, "--fail-on", "5%", "--metric", "latency").exit_code == 0


def _scored(one: Job, number: int, ms: float) -> Record:
    accuracy = {"psnr_y": 35.0, "ssim_y": 0.9, "images": 2, "protocol": "y"}
    return Record.model_validate({**ok_record(one, number, ms).to_dict(), "accuracy": accuracy})


def test_a_job_that_is_lost_stops_at_the_gate(tmp_path: Path) -> None:
    before = run_of(tmp_path, [r for n in (0, 1) for r in rounds_of(job(n), 10, n)])
    after = run_of(tmp_path, [*rounds_of(job(0), 10, 5), *rounds_of(job(1), 10, 6, make=failed)])
    result = edgesr("compare", before.path, after.path, "--fail-on", "50%")
    assert result.exit_code == 12
    assert "1 job came to less" in result.stderr
    assert "\x1b[31m" not in result.stdout + result.stderr
    assert edgesr("compare", before.path, after.path).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [("--fail-on", "much"), ("--fail-on", "-1%"), ("--fail-on", "nan"), ("--fail-on", "inf%"),
     ("--metric", "latncy"), ("--metric", ","), ("--ignore", "weather")],
)  # fmt: skip
def test_flags_that_make_no_sense(tmp_path: Path, arguments: tuple[str, str]) -> None:
    before, after = runs(tmp_path)
    result = edgesr("compare", before.path, after.path, *arguments)
    assert result.exit_code == 2
    assert "next:" in result.stderr


def test_files_for_ci_are_written_when_the_gate_stops_too(tmp_path: Path) -> None:
    before = run_of(tmp_path, [r for n in (0, 1) for r in rounds_of(job(n), 10, n)])
    after = run_of(tmp_path, [*rounds_of(job(0), 13, 5), *rounds_of(job(1), 10, 6, make=failed)])
    junit, summary = tmp_path / "out" / "junit.xml", tmp_path / "out" / "summary.md"
    result = edgesr("compare", before.path, after.path, "--fail-on", "5%", "--junit", junit,
                    "--markdown", summary)  # fmt: skip
    assert result.exit_code == 12
    suite = ET.parse(junit).getroot().find("testsuite")  # noqa: S314 - it is our own
    assert suite is not None
    cases = suite.findall("testcase")
    failures = [case for case in cases if case.find("failure") is not None]
    assert int(suite.attrib["failures"]) == len(failures)
    assert int(suite.attrib["tests"]) == len(cases)
    assert {case.attrib["name"] for case in failures} >= {"latency", "status"}
    assert all(case.find("failure").attrib["message"] for case in failures)  # type: ignore[union-attr]
    keys = [(case.attrib["classname"], case.attrib["name"]) for case in cases]
    assert len(keys) == len(set(keys))
    text = summary.read_text()
    assert text.index("regression") < text.index("**Worse**") < text.index("<details>")
    assert text.count("<details>") == text.count("</details>") == 1
    assert sorted(path.name for path in junit.parent.iterdir()) == ["junit.xml", "summary.md"]


def test_a_folder_that_can_not_be_written_is_a_store_error(tmp_path: Path) -> None:
    before, after = runs(tmp_path)
    (tmp_path / "file").write_text("")
    result = edgesr("compare", before.path, after.path, "--junit", tmp_path / "file" / "x.xml")
    assert result.exit_code == 8


NASTY = HOSTILE + "\x00\x1b[31m\ud800\ufffe\u202e]]>--> <details>\n| pipe @all"


def hostile(workspace: Path, factor: float) -> RunFolder:
    """A run in which all that is foreign is nasty."""
    odd = {**manifest("odd", NASTY, "elsr_x2"), "id": "0" * 64, "name": NASTY}
    one = Job(candidate="0" * 64, variant=NASTY.replace("\ud800", ""), device=NASTY[:300]
              .replace("\ud800", ""), delegate="gpu" + HOSTILE, threads=2)  # fmt: skip
    facts = dict.fromkeys(("model", "soc", "build", "os", "cpu"), NASTY)
    run = run_of(workspace, rounds_of(one, 10 * factor, 1), [odd],
                 devices={one.device: {**facts, "engine": facts}},
                 suite={**SUITE, "name": NASTY})  # fmt: skip
    tree = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**tree, "run": NASTY}))
    return run


def test_hostile_runs_reach_no_file_as_markup(tmp_path: Path) -> None:
    pair = [hostile(tmp_path, factor).path for factor in (1, 2)]
    junit, summary = tmp_path / "junit.xml", tmp_path / "summary.md"
    result = edgesr("compare", *pair, "--fail-on", "5%", "--junit", junit, "--markdown", summary)
    assert result.exit_code == 12, result.stderr
    assert "\x1b[31m" not in result.stdout + result.stderr
    assert len(result.stderr.splitlines()) <= 4
    root = ET.parse(junit).getroot()  # noqa: S314 - it is our own
    assert root.find("testsuite/testcase/failure") is not None
    text = summary.read_text()
    assert "<script" not in text
    assert "<img" not in text
    assert text.count("<details>") == 1
    assert edgesr("compare", *pair, "--json").exit_code == 0


def test_runs_full_of_trouble_are_compared(tmp_path: Path) -> None:
    troubled = [full_run(tmp_path, pictures=False).path, fleet_run(tmp_path).path]
    for run in troubled:
        result = edgesr("compare", run, run, "--fail-on", "1%", "--json")
        assert result.exit_code == 0, result.stderr
        document = json.loads(result.stdout)
        assert document["failures"] == 0
        delegates = [change["delegate"] or "" for change in document["changes"]]
        assert "xnnpack" in delegates
        assert not any("nnapi" in delegate for delegate in delegates)  # all of them fell back
    assert edgesr("compare", *troubled).exit_code == 3


# the report


def test_the_report_shows_what_changed_since_a_baseline(tmp_path: Path) -> None:
    before, after = runs(tmp_path, 1.2)
    out = tmp_path / "report"
    result = edgesr("report", after.path, "--baseline", before.path, "--out", out)
    assert result.exit_code == 0, result.stderr
    page = (out / "index.html").read_text()
    assert page.count("Changes since the baseline") >= 2
    assert "Latency, median" in page
    rows = list(csv.DictReader((out / "changes.csv").read_text().splitlines()))
    assert {row["verdict"] for row in rows} >= {"worse", "same"}
    assert {row["before_run"] for row in rows} == {before.path.name}
    markdown = (out / "report.md").read_text()
    assert "## Changes since the baseline" in markdown
    assert "+19." in markdown or "+20." in markdown


def test_a_report_without_a_baseline_says_nothing_of_one(tmp_path: Path) -> None:
    _, after = runs(tmp_path)
    assert edgesr("report", after.path, "--out", tmp_path / "report").exit_code == 0
    assert "baseline" not in (tmp_path / "report" / "report.md").read_text()
    assert not (tmp_path / "report" / "changes.csv").exists()
    alone = edgesr("report", after.path, "--baseline", after.path, "--out", tmp_path / "report")
    assert alone.exit_code == 2


def test_a_baseline_of_another_system_is_named_on_the_page(tmp_path: Path) -> None:
    before, after = runs(tmp_path, suite={**SUITE, "num_runs": 50})
    result = edgesr("report", after.path, "--baseline", before.path, "--out", tmp_path / "report")
    assert result.exit_code == 0, result.stderr
    assert "suite.num_runs: 5 / 50" in (tmp_path / "report" / "index.html").read_text()


def test_a_hostile_baseline_runs_nothing_on_the_page(tmp_path: Path) -> None:
    pair = [hostile(tmp_path, factor).path for factor in (1, 2)]
    result = edgesr("report", pair[1], "--baseline", pair[0], "--out", tmp_path / "report")
    assert result.exit_code == 0, result.stderr
    page = (tmp_path / "report" / "index.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_the_newest_run_is_the_one_in_question(tmp_path: Path) -> None:
    before, after = sorted(runs(tmp_path), key=lambda run: run.path.name)
    result = edgesr("compare", before.path, "--workspace", tmp_path, "--json")
    assert json.loads(result.stdout)["after"] == after.path.name
    assert edgesr("compare", after.path, "--workspace", tmp_path).exit_code == 2


def test_a_gate_does_not_pass_quality_that_was_no_longer_measured(tmp_path: Path) -> None:
    before = run_of(tmp_path, rounds_of(job(), 10, 1, make=_scored))
    after = run_of(tmp_path, rounds_of(job(), 10, 2))
    assert edgesr("compare", before.path, after.path).exit_code == 0
    result = edgesr("compare", before.path, after.path, "--fail-on", "5%")
    assert result.exit_code == 3
    assert "psnr_y: measured / not measured" in result.stderr
    assert edgesr("compare", after.path, before.path, "--fail-on", "5%").exit_code == 0
    chosen = ("--fail-on", "5%", "--metric", "latency")
    assert edgesr("compare", before.path, after.path, *chosen).exit_code == 0


def test_a_summary_of_many_changes_fits_into_a_comment(tmp_path: Path) -> None:
    pair = []
    for factor, make in ((1, ok_record), (2, ok_record), (1, failed)):
        jobs = [job(n, delegate="gpu" + "-x" * 40) for n in range(100)]
        records = [r for n, one in enumerate(jobs)
                   for r in rounds_of(one, 10 * factor, n, rounds=3, make=make)]  # fmt: skip
        long = [{**manifest("m", "fp32", "elsr_x2"), "id": one.candidate, "name": "n<|*" * 99}
                for one in jobs]  # fmt: skip
        pair.append(run_of(tmp_path, records, long).path)
    for after in pair[1:]:
        summary, junit = tmp_path / "s.md", tmp_path / "j.xml"
        files = ("--markdown", summary, "--junit", junit)
        assert edgesr("compare", pair[0], after, "--fail-on", "1%", *files).exit_code == 12
        assert 5_000 < len(summary.read_text()) < 65_000
        cases = ET.parse(junit).getroot().findall("testsuite/testcase")  # noqa: S314 - our own
        names = [(case.attrib["classname"], case.attrib["name"]) for case in cases]
        assert len(names) == len(set(names)) >= 200


def test_simulated_phones_are_named(tmp_path: Path) -> None:
    run = fleet_run(tmp_path)
    result = edgesr("compare", run.path, run.path)
    assert "8 jobs on simulated phones" in " ".join(result.stdout.split())


def test_figures_of_low_trust_are_to_be_measured_again(tmp_path: Path) -> None:
    def busy(one: Job, number: int, ms: float) -> Record:
        return ok_record(one, number, ms, doubts=[Doubt(code="busy", numbers={"busy_pct": 90.0})])

    before = run_of(tmp_path, rounds_of(job(), 10, 1))
    after = run_of(tmp_path, rounds_of(job(), 20, 2, make=busy))
    result = edgesr("compare", before.path, after.path, "--fail-on", "5%")
    assert result.exit_code == 12
    assert "busy" in result.stderr.splitlines()[-1]

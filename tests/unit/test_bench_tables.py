"""What ``edgesr bench`` says about a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgesr.bench.runner import BenchResult
from edgesr.cli._bench_tables import print_result
from edgesr.cli._render import Terminal
from edgesr.results.records import Doubt, Job, Record, Verdict
from edgesr.results.store import RunFolder, Workspace
from tests.unit.fake_runs import candidate_id, header, manifest, ok_record

COUNTS = {"ok": 2, "refused": 1, "failed": 1}
NAME = "elsr[b]-360x640-fp32"
FELL_BACK = Verdict(requested="xnnpack", outcome="fallback", nodes_total=12, nodes_delegated=0)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """Good with a doubt, good and partly on XNNPACK, refused for falling back, never measured."""
    jobs = [
        Job(candidate=candidate_id(NAME), variant="fp32", device="host", delegate=d, threads=t)
        for d in ("cpu", "xnnpack") for t in (1, 2)
    ]  # fmt: skip
    run = Workspace(tmp_path).new_run(header([manifest(NAME, "fp32", "elsr_x2")], jobs))
    busy = [Doubt(code="busy", numbers={"load": 1.4})]
    partial = Verdict(
        requested="xnnpack", outcome="partial", nodes_total=12, nodes_delegated=9, partitions=3
    )
    for number, ms in enumerate((10.0, 10.5, 11.0)):
        run.append(ok_record(jobs[0], number, ms, doubts=busy))
        run.append(ok_record(jobs[2], number, ms / 2, verdict=partial, doubts=busy))
    run.append(Record(job=jobs[3], round=0, status="refused", reason="the CPU ran it",
                      verdict=FELL_BACK))  # fmt: skip
    return run


def test_the_document_has_a_fixed_shape_and_null_for_unknown(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    print_result(Terminal(), BenchResult(run, COUNTS), as_json=True)
    out, err = capsys.readouterr()
    document: dict[str, Any] = json.loads(out)
    assert (document["run"], document["counts"]) == (str(run.path), COUNTS)
    by_key = {(job["delegate"], job["threads"]): job for job in document["jobs"]}
    good, fell_back = by_key["cpu", 1], by_key["xnnpack", 2]
    assert set(good) == {
        "candidate", "id", "delegate", "threads", "device", "status", "reason", "rounds",
        "median_ms", "spread_ms", "init_ms", "memory_mb", "verdict", "psnr_y", "ssim_y", "doubts",
    }  # fmt: skip
    assert (good["candidate"], good["id"]) == (NAME, candidate_id(NAME))
    assert (good["median_ms"], good["spread_ms"]) == (10.5, [10.0, 11.0])
    assert (good["rounds"], good["psnr_y"], good["doubts"]) == (3, None, ["busy"])
    assert by_key["xnnpack", 1]["verdict"] == {
        "requested": "xnnpack", "outcome": "partial",
        "nodes_total": 12, "nodes_delegated": 9, "partitions": 3,
    }  # fmt: skip
    assert (fell_back["status"], fell_back["reason"]) == ("refused", "the CPU ran it")
    assert (fell_back["median_ms"], fell_back["spread_ms"]) == (None, None)
    assert fell_back["verdict"]["outcome"] == "fallback"
    assert by_key["cpu", 2]["status"] == "not measured"
    assert by_key["cpu", 2]["verdict"]["outcome"] == "unknown"
    assert "edgesr's runner" in err


def test_the_table_says_where_it_ran_and_every_cause_once(
    run: RunFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    print_result(Terminal(quiet=True), BenchResult(run, COUNTS), as_json=False)
    out, err = capsys.readouterr()
    rows = {tuple(line.split()[1:3]): line for line in out.splitlines() if line.startswith("│")}
    assert "? plain CPU kernels" in rows["CPU", "t1"]
    assert "? partly on XNNPACK 9/12 nodes" in rows["XNNPACK", "t1"]
    assert "fell back" in rows["XNNPACK", "t2"]
    assert "all on" not in rows["XNNPACK", "t2"]
    assert "not measured" in rows["CPU", "t2"]
    assert out.count("other programs kept 1.4 cores busy") == 1
    assert "likewise 1 other job" in out
    assert f"the CPU ran it ({NAME} XNNPACK t2)" in out
    assert err == ""

"""What ``edgesr bench`` says about a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgesr.bench.session import BenchResult
from edgesr.cli._bench_tables import print_result
from edgesr.cli._render import Terminal
from edgesr.results.records import Doubt, Job, Record, Verdict
from edgesr.results.store import RunFolder, Workspace
from tests.unit.fake_runs import candidate_id, fleet_run, header, manifest, ok_record

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
        "init_cold_ms", "init_warm_ms", "memory_pss_mb", "trust", "trust_reasons", "simulated",
        "selectable", "cause", "cer", "cer_interval", "word_recall", "confidence", "text_images",
        "ocr", "bicubic_cer", "truth_cer", "cer_vs_bicubic", "cer_vs_reference",
        "interval_ms",
    }  # fmt: skip
    assert (good["candidate"], good["id"]) == (NAME, candidate_id(NAME))
    assert (good["median_ms"], good["spread_ms"]) == (10.5, [10.0, 11.0])
    low, high = good["interval_ms"]
    assert low < 10.5 < high
    assert (good["rounds"], good["psnr_y"], good["doubts"]) == (3, None, ["busy"])
    assert (good["trust"], good["trust_reasons"], good["simulated"]) == ("B", ["busy"], False)
    assert by_key["xnnpack", 1]["verdict"] == {
        "requested": "xnnpack", "outcome": "partial",
        "nodes_total": 12, "nodes_delegated": 9, "partitions": 3,
    }  # fmt: skip
    assert (fell_back["status"], fell_back["reason"]) == ("refused", "the CPU ran it")
    assert (fell_back["median_ms"], fell_back["spread_ms"]) == (None, None)
    assert fell_back["interval_ms"] is None
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


def test_phones_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgesr.cli._render._PIPE_WIDTH", 220)
    run = fleet_run(tmp_path)
    print_result(Terminal(quiet=True), BenchResult(run, COUNTS), as_json=False)
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if line.startswith("│")]
    assert sum("2A111FDH2005XY (Pixel 7)" in row for row in rows) == 2 * 4
    (cold_and_warm,) = {row.split("│")[5].strip() for row in rows if "GPU (OpenCL) fp32 t4" in row
                        and "812" in row}  # fmt: skip
    assert cold_and_warm == "812 cold, 93.0 warm"
    assert "simulated phone: times are of the machine behind it" in out
    assert "this phone has no OpenCL, and OpenGL failed too" in out
    assert " on R58N70ABCDE (SM-A145R)" in out
    assert "all on NNAPI" not in out


def test_the_document_of_a_phones_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_result(Terminal(quiet=True), BenchResult(fleet_run(tmp_path), COUNTS), as_json=True)
    jobs = json.loads(capsys.readouterr().out)["jobs"]
    by_key = {(job["device"], job["candidate"][-4:], job["delegate"]): job for job in jobs}
    refused = by_key["R58N70ABCDE", "fp32", "gpu-cl-fp32"]
    assert (refused["cause"], refused["trust"]) == ("no_opencl", "C")
    good = by_key["2A111FDH2005XY", "fp32", "gpu-cl-fp32"]
    assert (good["init_cold_ms"], good["init_warm_ms"], good["init_ms"]) == (812, 93, None)
    assert (good["memory_pss_mb"], good["trust"], good["selectable"]) == (51.5, "A", True)
    assert by_key["127.0.0.1:46001", "fp32", "cpu"]["simulated"] is True
    wrong = by_key["2A111FDH2005XY", "int8", "gpu-cl-fp32"]
    assert (wrong["selectable"], wrong["trust_reasons"]) == (False, ["pixels_wrong"])

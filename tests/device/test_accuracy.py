"""CER on the pixels that a phone produced, from the pairs to the report."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgesr.bench.binaries import BinaryOptions
from edgesr.bench.fleet import Choice
from edgesr.bench.runner import BenchRequest, run_bench
from edgesr.device.standin import StandIn
from edgesr.report.page import ReportRequest, write_report
from edgesr.results.store import Workspace
from tests.device.fleet import SUITE, left_on, request
from tests.fixtures.letters import StripeEngine, use_engine, write_letters
from tests.fixtures.tiny import tiny_candidate

ONCE = SUITE.model_copy(update={"rounds": 1})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    use_engine(monkeypatch, StripeEngine())


def asked(workspace: Workspace, pairs: Path, **changes: object) -> BenchRequest:
    candidate = tiny_candidate(workspace, height=24, width=32, centre=0.9)
    return request(workspace, candidates=(candidate,), suite=ONCE, accuracy=pairs, **changes)


@pytest.mark.slow
def test_cer_of_a_phone_s_pixels_reaches_the_report(
    phone: StandIn, workspace: Workspace, tmp_path: Path
) -> None:
    pairs = write_letters(tmp_path, count=5)
    there = asked(workspace, pairs, delegates=("xnnpack",))
    result = run_bench(there, workspace)
    here = run_bench(replace(there, devices=Choice(host=True)), workspace)
    (record,), (own,) = result.run.records(), here.run.records()
    found = record.accuracy
    assert found is not None
    assert own.accuracy is not None
    assert found.cer == own.accuracy.cer
    assert found.text_images == 5
    assert found.cer_vs_reference is not None
    assert found.cer_vs_reference.mean == 0
    assert "cer_worse" not in [doubt.code for doubt in record.doubts]
    assert left_on([phone]) == []
    page = write_report(ReportRequest((result.run,))).read_text()
    assert "Readability against latency" in page
    assert f"CER {found.cer:.3f}" in page


def blurring(path: Path) -> BinaryOptions:
    """A benchmark_model whose XNNPACK smears every output, as bad fp16 arithmetic might."""
    path.write_text(
        f"#!{sys.executable}\n"
        "import sys, numpy, pathlib\n"
        "from edgesr.bench.host_runner import main\n"
        "code = main(sys.argv[1:])\n"
        "for argument in sys.argv:\n"
        "    if argument.startswith('--output_filepath=') and '--use_xnnpack=true' in sys.argv:\n"
        "        out = pathlib.Path(argument.partition('=')[2])\n"
        "        a = numpy.fromfile(out, numpy.float32).reshape(48, 64, 3)\n"
        "        a = 0.75 * a + 0.25 * numpy.roll(a, 2, 1)\n"
        "        a.tofile(out)\n"
        "sys.exit(code)\n"
    )
    path.chmod(0o755)
    return BinaryOptions(named=(path,))


def test_a_delegate_that_blurs_letters_is_found(
    make_phone: Callable[..., StandIn], workspace: Workspace, tmp_path: Path
) -> None:
    make_phone()
    binary = blurring(tmp_path / "bm")
    pairs = write_letters(tmp_path, count=5)
    result = run_bench(asked(workspace, pairs, delegates=("xnnpack",), binaries=binary), workspace)
    (record,) = result.run.records()
    assert (record.status, record.latency_us is None) == ("ok", False)
    (doubt,) = (d for d in record.doubts if d.code == "cer_worse")
    assert float(doubt.numbers["low"]) > 0
    page = write_report(ReportRequest((result.run,))).read_text()
    assert "it blurs letters" in page

"""Integer files against fp32 in the report: which jobs are compared, and what is said."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import pytest
from fake_runs import FLEET_ROUNDS, candidate_id, fleet_run, header, manifest, ok_record

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import summarise
from edgesr.report.integer import (
    FIRST_SENTENCES,
    FLOAT,
    INTEGER,
    MOST_SENTENCES,
    Comparison,
    compare,
    integer_findings,
    integer_markdown,
    integer_view,
    sentences,
)
from edgesr.report.page import ReportRequest, write_report
from edgesr.results.manifest import VARIANTS
from edgesr.results.records import Accuracy, Doubt, Job, Record, Verdict
from edgesr.results.store import RunFolder, Workspace

Times = Mapping[str, Sequence[float]]
"""Variant -> ms of each round."""


def _job(variant: str, network: str = "elsr_x2", **place: object) -> Job:
    chosen = {"device": "host", "delegate": "xnnpack", "threads": 2, **place}
    name = f"{network}-360x640-{variant}"
    return Job(candidate=candidate_id(name), variant=variant, **chosen)  # type: ignore[arg-type]


def _run(root: Path, records: Sequence[Record], **sources: str) -> RunFolder:
    """A run of these records; ``sources`` gives a variant's checkpoint another sha256."""
    jobs = list(dict.fromkeys(record.job for record in records if record.job))
    manifests = [manifest(f"elsr_x2-360x640-{job.variant}", job.variant, "elsr_x2") for job in jobs]
    for one in manifests:
        one["source"]["sha256"] = sources.get(one["variant"], one["source"]["sha256"])
    run = Workspace(root).new_run(header(manifests, jobs))
    for record in records:
        run.append(record)
    return run


def _records(times: Times, **place: object) -> list[Record]:
    """Interleaved, as `edgesr bench` measures."""
    rounds = max(map(len, times.values()))
    return [
        ok_record(_job(variant, **place), number, each[number])
        for number in range(rounds)
        for variant, each in times.items()
        if number < len(each)
    ]


def _compared(*runs: RunFolder) -> list[Comparison]:
    read = [read_run(run) for run in runs]
    rows = tidy_rows(read)
    return compare(read, rows, summarise(rows))


def _of(root: Path, times: Times) -> list[Comparison]:
    return _compared(_run(root, _records(times)))


def test_rounds_are_paired(tmp_path: Path) -> None:
    # The machine slows down alike for both: paired, every round says 2; the medians say 20 / 8.
    (pair,) = _of(tmp_path, {"fp32": (5.0, 8.0, 40.0), "int8": (10.0, 16.0, 80.0)})
    assert pair.ratios == pytest.approx((2.0, 2.0, 2.0))
    (pair,) = _of(tmp_path, {"fp32": (5.0, 40.0, 10.0), "int8": (10.0, 20.0, 30.0)})
    assert pair.ratios == pytest.approx((2.0, 0.5, 3.0))
    assert pair.ratio == median((2.0, 0.5, 3.0))
    # a round that only one has tells nothing
    (pair,) = _of(tmp_path, {"fp32": (5.0, 5.0, 5.0, 5.0), "int8": (10.0, 20.0)})
    assert pair.ratios == pytest.approx((2.0, 4.0))


@pytest.mark.parametrize(
    ("ratios", "side"),
    [
        ((1.9, 2.0, 1.8), "slower"),
        ((0.5, 0.6, 0.55), "faster"),
        ((1.04, 1.04, 1.04), "same"),
        ((0.97, 0.96, 0.98), "same"),
        ((1.5, 0.9, 1.4), "same"),  # two of three rounds are no agreement
        ((1.5, 0.9, 1.4, 1.6), "slower"),
        ((1.9,), "slower"),
    ],
)
def test_what_counts_as_a_difference(tmp_path: Path, ratios: tuple[float, ...], side: str) -> None:
    (pair,) = _of(tmp_path, {"fp32": (10.0,) * len(ratios), "int8": [10 * r for r in ratios]})
    assert pair.side == side


def test_slower_integers_get_a_sentence(tmp_path: Path) -> None:
    found = _of(tmp_path, {"fp32": (2.0, 2.0, 2.0), "int8": (3.8, 3.6, 4.0)})
    (sentence,) = sentences(found)
    assert sentence == (
        "On host with XNNPACK and 2 threads, int8 takes 1.90 times (1.80 to 2.00 over 3 rounds) "
        "as long as elsr_x2-360x640-fp32: use fp32 or fp16 there."
    )


def test_the_integer_file_that_is_faster_is_advised(tmp_path: Path) -> None:
    found = _of(tmp_path, {"fp32": (2.0,) * 3, "int8-island": (1.0,) * 3, "int8": (4.0,) * 3,
                           "16x8": (8.0,) * 3, "int8-io": (2.02,) * 3})  # fmt: skip
    slower, faster, same = sentences(found)
    assert "16x8 takes 4.00 times" in slower
    assert "and int8 2.00 times" in slower
    assert slower.endswith("as long as elsr_x2-360x640-fp32: use int8-island there.")
    assert "int8-island takes 0.500 times (0.500 to 0.500 over 3 rounds)" in faster
    assert "use" not in faster
    assert "int8-io takes 1.01 times" in same
    assert same.endswith("as long as elsr_x2-360x640-fp32, which is no clear difference.")


def test_float_variants_are_not_integers(tmp_path: Path) -> None:
    assert set(FLOAT) | set(INTEGER) == set(VARIANTS)
    assert _of(tmp_path, {"fp32": (2.0,), "fp16": (4.0,), "dynamic": (4.0,)}) == []
    for variant in INTEGER:
        (pair,) = _of(tmp_path / variant, {"fp32": (2.0,), variant: (4.0,)})
        assert pair.integer.variant == variant


@pytest.mark.parametrize("place", [{"delegate": "cpu"}, {"threads": 1}, {"device": "R58N70ABCDE"}])
def test_other_places_are_not_compared(tmp_path: Path, place: dict[str, object]) -> None:
    records = _records({"fp32": (2.0,) * 3}) + _records({"int8": (4.0,) * 3}, **place)
    assert _compared(_run(tmp_path, records)) == []


def test_other_weights_and_other_runs_are_not_compared(tmp_path: Path) -> None:
    records = _records({"fp32": (2.0,) * 3, "int8": (4.0,) * 3})
    assert _compared(_run(tmp_path / "a", records, int8="another")) == []
    assert _compared(_run(tmp_path / "b", records, int8="", fp32="")) == []  # not known: no match
    apart = [_run(tmp_path / "c", records[::2]), _run(tmp_path / "d", records[1::2])]
    assert _compared(*apart) == []
    both = [_run(tmp_path / "e", records), _run(tmp_path / "f", records)]
    found = _compared(*both)
    assert [pair.integer.run == pair.fp32.run for pair in found] == [True, True]
    assert all("(run 20" in sentence for sentence in sentences(found))


@pytest.mark.parametrize("outcome", ["fallback", "unknown"])
@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_what_did_not_run_there_is_not_compared(tmp_path: Path, outcome: str, variant: str) -> None:
    verdict = Verdict(requested="xnnpack", outcome=outcome, nodes_total=9)  # type: ignore[arg-type]
    records = [
        one.model_copy(update={"verdict": verdict}) if one.job and one.job.variant == variant
        else one
        for one in _records({"fp32": (2.0,) * 3, "int8": (4.0,) * 3})
    ]  # fmt: skip
    assert _compared(_run(tmp_path, records)) == []


def test_a_part_is_called_a_part_and_is_none_of_fp32(tmp_path: Path) -> None:
    partial = Verdict(requested="xnnpack", outcome="partial", nodes_total=9, nodes_delegated=8)
    int8 = _job("int8")
    records = _records({"fp32": (2.0,) * 3}) + [
        ok_record(int8, n, 3.8, verdict=partial, doubts=[Doubt(code="hot")]) for n in range(3)
    ]
    (sentence,) = sentences(_compared(_run(tmp_path / "a", records)))
    assert "1.90 to 1.90 over 3 rounds, only partly on XNNPACK, 8/9 nodes" in sentence
    assert sentence.endswith("use fp32 or fp16 there (trust C).")
    records = [one.model_copy(update={"verdict": partial}) for one in records]
    assert _compared(_run(tmp_path / "b", records)) == []


def test_wrong_pixels_are_never_advised(tmp_path: Path) -> None:
    bad = Accuracy(psnr_y=20, ssim_y=0.5, images=1, reference_psnr_db=12, floor_db=30,
                   protocol="y")  # fmt: skip
    records = _records({"fp32": (2.0,) * 3, "int8": (4.0,) * 3}) + [
        ok_record(_job("int8-io"), n, 1.0, accuracy=bad) for n in range(3)
    ]
    slower, faster = sentences(_compared(_run(tmp_path, records)))
    assert "use fp32 or fp16 there" in slower
    assert "with wrong pixels" in faster


def test_of_several_fp32_files_the_fastest_counts(tmp_path: Path) -> None:
    records = _records({"fp32": (4.0,) * 3, "int8": (4.0,) * 3})
    twin = Job(candidate=candidate_id("twin"), variant="fp32", device="host", delegate="xnnpack",
               threads=2)  # fmt: skip
    records += [ok_record(twin, n, 2.0) for n in range(3)]
    (pair,) = _compared(_run(tmp_path / "a", records))
    assert pair.fp32.median_ms == 4.0  # its own manifest names no such candidate
    jobs = list(dict.fromkeys(record.job for record in records if record.job))
    manifests = [manifest(f"elsr_x2-360x640-{job.variant}", job.variant, "elsr_x2") for job in jobs]
    manifests[-1] |= {"id": twin.candidate, "name": "twin"}
    run = Workspace(tmp_path / "b").new_run(header(manifests, jobs))
    for record in records:
        run.append(record)
    (pair,) = _compared(run)
    assert (pair.fp32.name, pair.ratio) == ("twin", 2.0)


def test_many_comparisons_are_cut_to_a_readable_number(tmp_path: Path) -> None:
    records = [
        one
        for threads in range(1, MOST_SENTENCES + 4)
        for one in _records({"fp32": (2.0,), "int8": (4.0,)}, threads=threads)
    ]
    told = sentences(_compared(_run(tmp_path, records)))
    assert len(told) == MOST_SENTENCES + 1
    assert told[-1] == "And 3 other comparisons: see the table."


def test_the_first_page_tells_a_few_and_where_the_others_are(tmp_path: Path) -> None:
    records = [
        one
        for threads in range(1, FIRST_SENTENCES + 3)
        for one in _records({"fp32": (2.0,), "int8": (4.0,)}, threads=threads)
    ]
    found = _compared(_run(tmp_path, records))
    _, told, link = integer_findings(found)
    assert told.count("<li>") == FIRST_SENTENCES
    assert f'<a href="#integers">All {FIRST_SENTENCES + 2} comparisons</a>' in link
    assert integer_view(found).body[0].count("<li>") == FIRST_SENTENCES + 2


def test_the_report_tells_it_everywhere(tmp_path: Path) -> None:
    page = write_report(
        ReportRequest((_run(tmp_path, _records({"fp32": (2.0,) * 3, "int8": (3.8,) * 3})),))
    )
    sentence = "int8 takes 1.90 times"
    html, text = page.read_text(), (page.parent / "report.md").read_text()
    results, section = html.index('id="results"'), html.index('id="integers"')
    assert results < html.index(sentence) < section
    assert '<a href="#integers">' in html
    assert sentence in text
    (row,) = [line for line in text.splitlines() if line.startswith("| XNNPACK | 2 |")]
    assert "| 1.90 | 1.90 to 1.90 over 3 rounds | slower | 3.80 | 2.00 |" in row


def test_without_a_comparison_nothing_is_shown(tmp_path: Path) -> None:
    assert integer_findings([]) == []
    assert integer_markdown([]) == []
    page = write_report(ReportRequest((_run(tmp_path, _records({"int8": (3.0,)})),)))
    assert '"#integers"' not in page.read_text()
    assert "Integers against fp32" not in (page.parent / "report.md").read_text()


def test_a_fleet_compares_within_each_phone(tmp_path: Path) -> None:
    found = _compared(fleet_run(tmp_path))
    places = {(pair.integer.device, pair.integer.delegate) for pair in found}
    assert not any(delegate == "nnapi:qti-dsp" for _, delegate in places)  # fell back
    assert ("2A111FDH2005XY", "gpu-cl-fp32") in places
    for pair in found:
        assert pair.integer.device == pair.fp32.device
        assert len(pair.ratios) == FLEET_ROUNDS
        assert pair.ratio == pytest.approx(0.6, rel=0.2)
    assert "Redmi 12C, simulated" in integer_view(found).body[0]

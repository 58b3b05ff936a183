"""The accuracy pass on this machine: whole pictures, their text, and what is doubtful in them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise
from edgesr.bench.runner import BenchRequest, resume_bench, run_bench
from edgesr.bench.scenes import Scoring
from edgesr.bench.suite import Suite
from edgesr.data.images import read_image, write_png
from edgesr.data.pairs import write_pairs
from edgesr.data.resize import imresize
from edgesr.errors import InputError, MissingExtraError, UsageError
from edgesr.quality.evaluate import EvalRequest, Evaluation, evaluate
from edgesr.quality.litert import TfliteRunner
from edgesr.results.records import Record
from edgesr.results.store import RunFolder, Workspace
from tests.fixtures.letters import StripeEngine, use_engine, write_letters
from tests.fixtures.tiny import tiny_candidate

SUITE = Suite(
    name="test", threads=(1,), rounds=1, num_runs=3, min_secs=0, max_secs=5, warmup_min_secs=0
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


def noise_pairs(folder: Path, *sizes: tuple[int, int]) -> Path:
    """Pairs without text whose low-res pictures have these sizes."""
    rng, rows = np.random.default_rng(1), []
    for number, (height, width) in enumerate(sizes):
        coarse = rng.integers(0, 256, (height // 2 + 1, width // 2 + 1, 3), dtype=np.uint8)
        hr = imresize(coarse, 4)[: 2 * height, : 2 * width]
        write_png(folder / f"hr-{number}.png", hr)
        write_png(folder / f"lr-{number}.png", imresize(hr, 0.5))
        rows.append(f"lr-{number}.png,hr-{number}.png,\n")
    (folder / "pairs.csv").write_text("lr,hr,text\n" + "".join(rows))
    return folder / "pairs.csv"


def measured(workspace: Workspace, pairs: Path, *candidates: Any, **changes: Any) -> RunFolder:
    request = BenchRequest(candidates, SUITE, delegates=("cpu",), accuracy=pairs)
    return run_bench(replace(request, **changes), workspace).run


def by_variant(run: RunFolder) -> dict[str, Record]:
    return {record.job.variant: record for record in run.records() if record.job}


def codes(record: Record) -> list[str]:
    return [doubt.code for doubt in record.doubts]


def evaluated(candidate: Any, pairs: Path, ocr: str | None = None) -> Evaluation:
    return evaluate(EvalRequest(str(candidate.path), pairs, ocr=ocr))


# whole pictures


@pytest.mark.parametrize("variant", ["fp32", "int8-io"])
@pytest.mark.parametrize(
    "size", [(12, 16), (30, 41), (8, 40), (9, 9)], ids=["equal", "larger", "mixed", "smaller"]
)
def test_tiles_from_the_device_are_the_picture_that_eval_makes(
    workspace: Workspace, tmp_path: Path, variant: Any, size: tuple[int, int]
) -> None:
    candidate, pairs = tiny_candidate(workspace, variant), noise_pairs(tmp_path, size)
    run = measured(workspace, pairs, candidate)
    (record,) = run.records()
    assert record.job is not None
    kept = run.path / "accuracy" / "hr-0-x2-12x16"
    pixels = read_image(kept / f"{record.job.key}.png")
    runner = TfliteRunner(candidate.path, threads=1)
    np.testing.assert_array_equal(pixels, runner.upscale(read_image(tmp_path / "lr-0.png")))
    assert {path.stem for path in kept.iterdir()} == {"lr", "hr", "bicubic", record.job.key}


def test_figures_are_those_of_eval(workspace: Workspace, tmp_path: Path) -> None:
    candidate = tiny_candidate(workspace, "int8-io")
    pairs = noise_pairs(tmp_path, (30, 41), (12, 16), (9, 70))
    run = measured(workspace, pairs, candidate, suite=SUITE.model_copy(update={"threads": (1, 2)}))
    record, other = run.records()
    assert record.accuracy is not None
    assert record.accuracy == other.accuracy  # once per delegate, in every thread count's record
    mean = evaluated(candidate, pairs).mean()
    found = {"psnr_y": record.accuracy.psnr_y, "ssim_y": record.accuracy.ssim_y}
    assert found == pytest.approx(mean)
    assert (record.accuracy.images, record.accuracy.images_of) == (3, 3)
    bicubic = evaluate(EvalRequest("bicubic", pairs)).mean()
    assert run.header()["accuracy"]["bicubic"]["2:12x16"] == pytest.approx(bicubic)
    assert record.accuracy.cer is None
    assert "cer" not in record.to_dict()["accuracy"]


def test_a_limit_on_launches_takes_fewer_pictures_and_says_so(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgesr.bench import enlarge

    launched: list[str] = []
    original = enlarge.run_launch
    monkeypatch.setattr(
        enlarge, "run_launch", lambda *a, **k: (launched.append("one"), original(*a, **k))[1]
    )
    pairs = noise_pairs(tmp_path, *[(12, 16)] * 6, (12, 80))
    candidate = tiny_candidate(workspace)
    run = measured(workspace, pairs, candidate, scoring=Scoring(launches=4))
    (record,) = run.records()
    assert record.accuracy is not None
    assert (record.accuracy.images, record.accuracy.images_of) == (4, 7)
    assert len(launched) == 2 * 4  # and as many for the fp32 reference on plain kernels
    (doubt,) = (d for d in record.doubts if d.code == "accuracy_sampled")
    assert doubt.numbers == {"images": 4, "of": 7}
    header = run.header()["accuracy"]
    assert header["images"] == ["hr-0", "hr-2", "hr-3", "hr-5"]
    assert "limit is 4" in header["skipped"]["hr-6"]
    assert header["options"]["launches"] == 4


def test_pictures_that_are_all_too_large_for_the_limit_leave_the_time(
    workspace: Workspace, tmp_path: Path
) -> None:
    pairs = noise_pairs(tmp_path, (40, 60))
    run = measured(workspace, pairs, tiny_candidate(workspace), scoring=Scoring(launches=3))
    (record,) = run.records()
    assert (record.status, record.accuracy) == ("ok", None)
    (doubt,) = (d for d in record.doubts if d.code == "accuracy_no_pairs")
    assert "3 launches" in str(doubt.numbers["reason"])


def test_candidates_of_one_size_see_the_same_pictures_whatever_else_is_measured(
    workspace: Workspace, tmp_path: Path
) -> None:
    small, large = tiny_candidate(workspace), tiny_candidate(workspace, height=24, width=24)
    pairs = noise_pairs(tmp_path, (20, 22))
    runs = [measured(workspace, pairs, *some) for some in ((small,), (large,), (small, large))]
    alone = [run.records()[0].accuracy for run in runs[:2]]
    assert [record.accuracy for record in runs[2].records()] == alone
    levels = runs[2].header()["accuracy"]["bicubic"]
    assert levels["2:12x16"] == levels["2:24x24"]  # whole pictures: the input size plays no part


# their text


def test_cer_is_that_of_eval_to_the_last_digit(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(monkeypatch, StripeEngine())
    candidate, pairs = letters_candidate(workspace, centre=0.7), write_letters(tmp_path)
    run = measured(workspace, pairs, candidate)
    (record,) = run.records()
    found, wanted = record.accuracy, evaluated(candidate, pairs, "rapidocr")
    assert found is not None
    mean = wanted.mean()
    assert mean["cer"] is not None
    assert 0.05 < mean["cer"] < 0.95
    assert (found.cer, found.word_recall, found.confidence) == (
        mean["cer"], mean["word_recall"], mean["confidence"],
    )  # fmt: skip
    assert (found.text_images, found.text_references) == (6, {"text": 6})
    assert found.ocr is not None
    assert (found.ocr.engine, found.ocr.version, found.ocr.language) == ("stripes", "1", "letters")
    assert found.cer_vs_reference is not None
    assert (found.cer_vs_reference.mean, found.cer_vs_reference.n) == (0, 6)  # it is the reference
    header = run.header()["accuracy"]
    bicubic = evaluate(EvalRequest("bicubic", pairs, ocr="rapidocr")).mean()
    assert bicubic["cer"] is not None
    assert header["bicubic"]["2:24x32"]["cer"] == bicubic["cer"]
    assert found.cer_vs_bicubic is not None
    assert found.cer_vs_bicubic.mean == pytest.approx(mean["cer"] - bicubic["cer"])
    assert header["truth"]["2:24x32"]["cer"] < mean["cer"]
    assert header["ocr"]["engine"] == "stripes"
    assert found.per_image is not None
    pictures = json.loads((run.path / found.per_image).read_text())["images"]
    assert [one["cer"] for one in pictures] == [row["cer"] for row in wanted.to_dict()["images"]]
    assert {one["reference"] for one in pictures} == {"text"}
    assert all(one["bicubic"]["cer"] >= 0 and len(one["read"]) > 20 for one in pictures)


def letters_candidate(workspace: Workspace, variant: Any = "fp32", **changes: Any) -> Any:
    """Takes a whole picture of `write_letters` in one launch."""
    return tiny_candidate(workspace, variant, height=24, width=32, **changes)


def planted(workspace: Workspace) -> tuple[Any, Any]:
    """fp32 that keeps letters, and a variant of the same checkpoint that blurs them."""
    sharp = letters_candidate(workspace, centre=1.0)
    return sharp, letters_candidate(workspace, "int8-io", centre=0.45)


def test_a_variant_that_blurs_letters_is_found(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(monkeypatch, StripeEngine())
    run = measured(workspace, write_letters(tmp_path), *planted(workspace))
    sharp, blurred = (by_variant(run)[name] for name in ("fp32", "int8-io"))
    assert "cer_worse" not in codes(sharp)
    (doubt,) = (d for d in blurred.doubts if d.code == "cer_worse")
    assert sharp.accuracy is not None
    assert blurred.accuracy is not None
    assert sharp.accuracy.cer is not None
    assert blurred.accuracy.cer is not None
    more = blurred.accuracy.cer - sharp.accuracy.cer
    assert doubt.numbers["more"] == pytest.approx(more, abs=1e-4)
    assert 0 < float(doubt.numbers["low"]) <= more <= float(doubt.numbers["high"]) + 1e-4
    assert doubt.numbers["images"] == 6
    assert "confidence_misleads" not in codes(blurred)
    jobs = {job.variant: job for job in jobs_of(run)}
    assert jobs["int8-io"].trust == "C"
    assert "cer_worse" in jobs["int8-io"].trust_reasons


def test_an_engine_that_is_surer_of_blur_is_told(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(monkeypatch, StripeEngine(sure_of_blur=True))
    run = measured(workspace, write_letters(tmp_path), *planted(workspace))
    (doubt,) = (d for d in by_variant(run)["int8-io"].doubts if d.code == "confidence_misleads")
    assert doubt.numbers["against"] == "fp32 reference"
    assert float(doubt.numbers["cer_more"]) > 0
    assert float(doubt.numbers["confidence_more"]) > 0


def test_few_pictures_prove_nothing(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(monkeypatch, StripeEngine())
    run = measured(workspace, write_letters(tmp_path, count=4), *planted(workspace))
    blurred = by_variant(run)["int8-io"]
    assert blurred.accuracy is not None
    assert blurred.accuracy.cer_vs_reference is not None
    assert blurred.accuracy.cer_vs_reference.mean > 0.1
    assert "cer_worse" not in codes(blurred)


def jobs_of(run: RunFolder) -> list[JobSummary]:
    return summarise(tidy_rows([read_run(run)]))


@pytest.mark.parametrize(
    ("ocr", "text", "references"),
    [
        (None, True, {"text": 6}),
        (None, False, None),
        ("none", True, None),
        ("rapidocr", False, {"truth-ocr": 6}),
    ],
)
def test_what_is_read_and_against_what(
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ocr: str | None,
    text: bool,
    references: dict[str, int] | None,
) -> None:
    use_engine(monkeypatch, StripeEngine())
    pairs = write_letters(tmp_path, text=text)
    candidate = letters_candidate(workspace, centre=0.7)
    run = measured(workspace, pairs, candidate, scoring=Scoring(ocr=ocr))
    found = run.records()[0].accuracy
    assert found is not None
    assert found.text_references == references
    assert (found.cer is None) == (references is None)
    assert ("ocr" in run.header()["accuracy"]) == (references is not None)
    if ocr == "rapidocr":  # as eval takes a pair without text
        assert found.cer == evaluated(candidate, pairs, "rapidocr").mean()["cer"]


def test_pairs_without_text_among_others_are_not_read_unless_asked(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgesr.data.pairs import pairs_from

    use_engine(monkeypatch, StripeEngine())
    pairs = write_letters(tmp_path)
    first, *others = pairs_from(pairs)
    write_pairs(pairs, [replace(first, text="•"), *others])
    candidate = letters_candidate(workspace, centre=0.7)
    found = measured(workspace, pairs, candidate).records()[0].accuracy
    assert found is not None
    assert (found.images, found.text_images, found.text_references) == (6, 5, {"text": 5})


def test_a_picture_that_the_engine_fails_on_costs_the_quality_not_the_time(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate, pairs = letters_candidate(workspace, centre=0.7), write_letters(tmp_path)
    bad = TfliteRunner(candidate.path, threads=1).upscale(read_image(tmp_path / "low-3.png"))

    def is_bad(image: Any) -> bool:
        return image.shape == bad.shape and float(np.abs(image - bad.astype(float)).max()) < 2

    use_engine(monkeypatch, StripeEngine(fails_on=is_bad))
    (record,) = measured(workspace, pairs, candidate).records()
    assert (record.status, record.accuracy) == ("ok", None)
    assert record.latency_us is not None
    (doubt,) = (d for d in record.doubts if d.code == "accuracy_failed")
    assert doubt.numbers["reason"] == "page-3: the engine fails on this picture"


def test_an_engine_that_fails_on_the_truth_is_told_before_anything_is_measured(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(monkeypatch, StripeEngine(fails_on=lambda _image: True))
    with pytest.raises(InputError, match="fails on this picture"):
        measured(workspace, write_letters(tmp_path), tiny_candidate(workspace))
    assert workspace.runs() == []


def test_a_missing_engine_is_told_before_anything_is_measured(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_spec: str, _threads: int | None = None) -> StripeEngine:
        raise MissingExtraError("the OCR engine stripes", extra="stripes")

    monkeypatch.setattr("edgesr.quality.reader.open_engine", missing)
    with pytest.raises(MissingExtraError) as raised:
        measured(workspace, write_letters(tmp_path), tiny_candidate(workspace))
    assert raised.value.exit_code == 9
    assert workspace.runs() == []


def test_an_unknown_engine_is_told_with_those_there_are(
    workspace: Workspace, tmp_path: Path
) -> None:
    pairs = noise_pairs(tmp_path, (12, 16))
    with pytest.raises(UsageError, match="rapidocrr"):
        measured(workspace, pairs, tiny_candidate(workspace), scoring=Scoring(ocr="rapidocrr"))


def test_resume_scores_what_is_missing_as_the_run_was_begun(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(monkeypatch, StripeEngine())
    pairs, (sharp, blurred) = write_letters(tmp_path), planted(workspace)
    scoring = Scoring(ocr="rapidocr", launches=4)
    run = measured(workspace, pairs, sharp, blurred, scoring=scoring)
    whole, path = run.records(), run.path / "records.jsonl"
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    resume_bench(run, workspace)
    assert [record.accuracy for record in run.records()] == [r.accuracy for r in whole]
    assert whole[1].accuracy is not None
    assert whole[1].accuracy.images == 4


@pytest.mark.parametrize("what", ["pictures", "engine"])
def test_resume_on_other_pictures_or_by_another_engine_is_refused(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    engine = StripeEngine()
    use_engine(monkeypatch, engine)
    pairs = write_letters(tmp_path)
    run = measured(workspace, pairs, letters_candidate(workspace, centre=0.7))
    records = (run.path / "records.jsonl").read_text()
    resume_bench(run, workspace)
    if what == "engine":
        engine.version = "2"
    else:
        low = read_image(tmp_path / "low-0.png")
        write_png(tmp_path / "low-0.png", 255 - low)
    with pytest.raises(InputError, match="begun with" if what == "pictures" else "stripes 2"):
        resume_bench(run, workspace)
    assert (run.path / "records.jsonl").read_text() == records


@pytest.mark.slow
def test_real_text_is_read_from_the_device_s_pixels(workspace: Workspace, tmp_path: Path) -> None:
    from edgesr.data.make_pairs import PairOptions
    from edgesr.data.slides import write_slides

    write_slides(tmp_path / "slides", 2, PairOptions(2, "bicubic", 5))
    pairs = tmp_path / "slides" / "pairs.csv"
    candidate = tiny_candidate(workspace, height=360, width=640, centre=1.0)
    (record,) = measured(workspace, pairs, candidate).records()
    found, wanted = record.accuracy, evaluated(candidate, pairs, "rapidocr").mean()
    assert found is not None
    assert (found.cer, found.text_images) == (wanted["cer"], 2)
    assert found.ocr is not None
    assert found.ocr.engine == "rapidocr"

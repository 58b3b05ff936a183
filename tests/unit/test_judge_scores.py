"""Evaluation of any set of readers, and the card that is made from it."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edgesr.errors import CheckpointError, InputError, UsageError
from edgesr.judge import evaluate as evaluating
from edgesr.judge.card import CardOptions, model_card
from edgesr.judge.config import JudgeConfig
from edgesr.judge.evaluate import EvalRequest, Evaluation, evaluate
from edgesr.judge.scores import Scored, error_rate, score, summarise
from edgesr.judge.train import JudgeRequest, train_judge
from edgesr.quality.intervals import bootstrap_mean, bootstrap_ratio
from edgesr.quality.reading import Line
from tests.fixtures.vlm import merged_words, write_tiny_vlm


def lines(*texts: str) -> list[Line]:
    return [Line(text, 0.5, (0, 0, 1, 1)) for text in texts]


def test_one_image() -> None:
    assert score(lines("abcd"), "abcd") == Scored(0, 4, 0.5)
    assert score(lines("abXd"), "abcd").edits == 1
    assert score([], "abcd") == Scored(4, 4, 0.0)
    assert score(lines("zzzzzzzz"), "ab").cer == 4.0
    assert score(lines("b", "a"), "a b").edits == 0  # the order of lines is not scored
    assert score(lines("cafe\u0301"), "caf\u00e9").edits == 0
    long = "x" * 997
    assert score(lines(long[:-3]), long) == Scored(3, 997, 0.5)


def test_over_images_characters_count_not_images() -> None:
    scored = [Scored(4, 4, 0.2), Scored(0, 36, 0.4)]
    found = summarise(scored)
    assert found.cer.mean == pytest.approx(0.1) == error_rate(scored)
    assert found.character_accuracy.mean == pytest.approx(0.9)
    assert found.exact_match.mean == 0.5
    assert found.confidence == pytest.approx(0.3)
    assert (found.images, found.characters) == (2, 40)


def test_accuracy_ends_at_zero_and_its_interval_is_turned() -> None:
    found = summarise([Scored(edits, 4, 0.0) for edits in (0, 1, 3, 9, 2, 1, 0, 7)])
    accuracy, cer = found.character_accuracy, found.cer
    assert cer.low is not None
    assert cer.high is not None
    assert accuracy.high == pytest.approx(1 - cer.low)
    assert accuracy.low == max(0.0, 1 - cer.high)
    assert accuracy.low <= accuracy.mean <= accuracy.high
    worst = summarise([Scored(9, 3, 0.0)])
    assert (worst.cer.mean, worst.character_accuracy.mean) == (3.0, 0.0)
    assert worst.cer.low is None


def test_a_ratio_over_equal_texts_is_a_mean() -> None:
    values = [0.0, 1.0, 0.5, 0.25, 2.0]
    ratio = bootstrap_ratio([4 * value for value in values], [4.0] * 5)
    mean = bootstrap_mean(values)
    assert (ratio.mean, ratio.low, ratio.high) == pytest.approx((mean.mean, mean.low, mean.high))
    for tops, bottoms in (([], []), ([1.0], [0.0]), ([1.0], [1.0, 2.0]), ([float("nan")], [1.0])):
        with pytest.raises(ValueError, match=r"interval|above 0"):
            bootstrap_ratio(tops, bottoms)


class Fake:
    """Reads every image as 12."""

    name, version, language, copies = "fake", "1", "any", True

    def read(self, _image: Any) -> tuple[Line, ...]:
        return tuple(lines("12"))


def test_any_engine_is_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluating, "open_engine", lambda _name: Fake())
    data = merged_words(tmp_path)
    found = evaluate(EvalRequest(data, ("fake",), None), lambda *_: None)
    (result,) = found.results
    assert result.overall.images == 24 == sum(part.images for part in result.sources.values())
    assert set(result.sources) == {"first", "second"} == set(found.data["sources"])
    assert result.sha256 is None
    rows = list(csv.DictReader(io.StringIO(found.csv())))
    assert len(rows) == 24
    assert sum(int(row["edits"]) for row in rows) / sum(
        int(row["characters"]) for row in rows
    ) == pytest.approx(result.overall.cer.mean)
    assert evaluate(EvalRequest(data, ("fake",), None), lambda *_: None) == found
    limited = evaluate(EvalRequest(data, ("fake", "fake"), "train", limit=3), lambda *_: None)
    assert [one.overall.images for one in limited.results] == [3, 3]


def test_what_cannot_be_evaluated(tmp_path: Path) -> None:
    from edgesr.judge.merge import MergeOptions, merge
    from edgesr.judge.sources import parse_sources

    data = merged_words(tmp_path)
    with pytest.raises(UsageError, match="no OCR engine"):
        evaluate(EvalRequest(data, ("rapidorc",)), lambda *_: None)
    sources = parse_sources([str(tmp_path / "first")])
    merge(sources, tmp_path / "b.parquet", MergeOptions(0, 0), lambda *_: None)
    with pytest.raises(InputError, match="no images with text in its split test"):
        evaluate(EvalRequest(tmp_path / "b.parquet", ("rapidocr",)), lambda *_: None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all.parquet, tiny/, judge/ and eval.json."""
    pytest.importorskip("transformers")
    pytest.importorskip("peft")
    root = tmp_path_factory.mktemp("card")
    write_tiny_vlm(root / "tiny")
    settings = JudgeConfig(
        model=str(root / "tiny"), prompt="Read.", max_new_tokens=4, steps=2, batch_size=4
    )
    request = JudgeRequest(merged_words(root), settings, root / "judge")
    train_judge(request, lambda _: None, lambda *_: None)
    found = evaluated(root)
    (root / "eval.json").write_text(json.dumps(found.to_dict()))
    return root


def evaluated(root: Path, **how: Any) -> Evaluation:
    readers = (str(root / "tiny"), str(root / "judge/best"))
    return evaluate(EvalRequest(root / "all.parquet", readers, **how), lambda *_: None)


def test_models_are_scored_the_same_again_and_in_batches(trained: Path) -> None:
    found = evaluated(trained)
    assert found == evaluated(trained)
    base, adapted = found.results
    assert base.sha256 != adapted.sha256
    assert base.asking == adapted.asking  # the base, which tells nothing, as its adapter
    assert base.asking["prompt"] == "Read."
    batched = evaluated(trained, batch_size=4).results[1]
    assert [one.read for one in batched.readings] == [one.read for one in adapted.readings]


def test_the_card_holds_the_measured_numbers(trained: Path) -> None:
    options = CardOptions("apache-2.0", ("or", "en"), "A judge: for Odia")
    card = model_card(trained / "judge/best", trained / "eval.json", options)
    _, front, body = card.split("---\n", 2)
    entries = dict(line.split(": ", 1) for line in front.splitlines())
    assert {key: json.loads(value) for key, value in entries.items()} == {
        "base_model": "tiny",
        "library_name": "peft",
        "pipeline_tag": "image-text-to-text",
        "tags": ["ocr", "lora"],
        "language": ["or", "en"],
        "license": "apache-2.0",
    }
    adapted = json.loads((trained / "eval.json").read_text())["readers"][1]
    for part in (adapted["overall"], *adapted["sources"].values()):
        for name in ("cer", "exact_match", "character_accuracy"):
            assert f"{part[name]['mean']:.4f}" in body
    notes = json.loads((trained / "judge/best/edgesr_judge.json").read_text())
    assert f"CER {notes['validation']['val_cer']:.4f}" in body
    assert "the one that was evaluated on" in body
    assert str(trained) not in card  # no folder of this machine
    plain = model_card(trained / "judge/best", trained / "eval.json", CardOptions())
    assert "license" not in plain
    assert "language" not in plain.split("---\n")[1]


def test_a_card_of_other_weights_is_refused(trained: Path, tmp_path: Path) -> None:
    best = Path(shutil.copytree(trained / "judge/best", tmp_path / "best"))
    said = trained / "eval.json"
    assert model_card(best, said, CardOptions())
    weights = best / "adapter_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(InputError, match=r"is not about .* as it is now"):
        model_card(best, said, CardOptions())
    with pytest.raises(CheckpointError, match="tells nothing about its training"):
        model_card(trained / "tiny", said, CardOptions())
    bad = tmp_path / "bad.json"
    for text, why in (
        ("", "no evaluation"),
        ("[]", "no evaluation"),
        ('{"readers": []}', "no evaluation"),
        (json.dumps({**json.loads(said.read_text()), "schema": 2}), "schema 2"),
    ):
        bad.write_text(text)
        with pytest.raises(InputError, match=why):
            model_card(best, bad, CardOptions())
    with pytest.raises(InputError, match="does not exist"):
        model_card(best, tmp_path / "absent.json", CardOptions())

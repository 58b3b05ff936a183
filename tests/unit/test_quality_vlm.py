"""A vision-language model as an engine: asked as in training, the same every time."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from edgesr.errors import CheckpointError, InputError, MissingExtraError, UsageError
from edgesr.quality.ocr import engine_version, open_engine
from edgesr.quality.reader import Reader
from edgesr.quality.vlm.files import Asking, find_vlm
from edgesr.quality.vlm.model import Vlm, load_base, open_vlm
from tests.fixtures.vlm import SPECIAL, render, write_tiny_vlm

pytest.importorskip("transformers")
pytest.importorskip("peft")
ASKING = Asking("Read.", max_new_tokens=6)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vlm(tmp_path_factory.mktemp("vlm") / "tiny")


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


@pytest.fixture(scope="module")
def vlm(tiny: Path) -> Vlm:
    model, encoder = load_base(tiny, ASKING)
    return Vlm(model.eval(), encoder, ASKING)


def test_the_question_is_chatml_with_the_image_before_it(vlm: Vlm) -> None:
    batch = vlm.encoder.questions([render("12"), render("123")])
    text = vlm.encoder.tokenizer.batch_decode(batch["input_ids"])
    for row, image_tokens in zip(text, (2, 3), strict=True):
        assert row.removeprefix("<|endoftext|>") == (
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
            f"<|vision_start|>{'<|image_pad|>' * image_tokens}<|vision_end|>Read.<|im_end|>\n"
            "<|im_start|>assistant\n"
        )
    assert batch["attention_mask"].sum(1).diff().item() == 1
    assert batch["mm_token_type_ids"].sum(1).tolist() == [2, 3]
    assert batch["image_grid_thw"].tolist() == [[1, 2, 4], [1, 2, 6]]


def test_only_the_answer_and_its_end_are_learned(vlm: Vlm) -> None:
    answers = ["7", "a<|im_end|>b"]  # a text may look like the end of the answer
    batch = vlm.encoder.answered([render("12")] * 2, answers)
    for row, answer in zip(batch["labels"].tolist(), answers, strict=True):
        ids = [token for token in row if token != -100]
        assert vlm.encoder.tokenizer.decode(ids[:-1]) == answer
        assert ids[-1] == vlm.encoder.end
        assert ids.count(vlm.encoder.end) == 1
    seen = batch["attention_mask"].bool()
    assert (batch["labels"][~seen] == -100).all()
    assert (batch["labels"] != -100).sum().item() == 2 + 13


def test_an_image_has_two_dimensions_for_the_model(vlm: Vlm) -> None:
    """Without mm_token_type_ids its tokens would be a line of text, and nothing would tell."""
    batch = vlm.encoder.questions([np.tile(render("12"), (2, 1, 1))])
    position_ids, _ = vlm.model.model.get_rope_index(
        batch["input_ids"],
        mm_token_type_ids=batch["mm_token_type_ids"],
        image_grid_thw=batch["image_grid_thw"],
        attention_mask=batch["attention_mask"],
    )
    seen = batch["mm_token_type_ids"][0].bool()
    rows, columns = position_ids[1, 0, seen], position_ids[2, 0, seen]
    assert (rows - rows[0]).tolist() == [0, 0, 1, 1]
    assert (columns - columns[0]).tolist() == [0, 1, 0, 1]
    with torch.no_grad():
        plain = dict(batch)
        with_images = vlm.model(**plain).logits
        del plain["mm_token_type_ids"]
        assert not torch.allclose(with_images, vlm.model(**plain).logits, atol=1e-4)


def test_a_batch_reads_what_single_images_read(vlm: Vlm) -> None:
    images = [render(word) for word in ("12", "345", "6")]
    together = vlm.read(images)
    alone = [vlm.read([image])[0] for image in images]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    for one, other in zip(together, alone, strict=True):
        for (_, sure), (_, again) in zip(one.lines, other.lines, strict=True):
            assert sure == pytest.approx(again, rel=1e-3)


def test_greedy_whatever_the_model_says_of_itself(copy: Path) -> None:
    """Qwen's own settings sample, and punish a letter that was read before."""
    settings = copy / "generation_config.json"
    written = json.loads(settings.read_text())
    assert written["repetition_penalty"] == 1.05
    answers = []
    for change in ({}, {"repetition_penalty": 9.0}, {"do_sample": True, "temperature": 5.0}):
        settings.write_text(json.dumps({**written, **change}))
        model, encoder = load_base(copy, ASKING)
        answers.append(Vlm(model.eval(), encoder, ASKING).read([render("12")]))
    assert answers[0] == answers[1] == answers[2]


def test_confidence_is_of_the_tokens_of_a_line(vlm: Vlm) -> None:
    tokens = vlm.encoder.tokenizer("ab\n\nc", add_special_tokens=False).input_ids
    chances = [np.log(p) for p in (0.5, 0.5, 0.125, 0.9, 0.25)]
    answer = vlm._answer([*tokens, vlm.encoder.end, 5], [*chances, -1.0, -1.0])
    assert [text for text, _ in answer.lines] == ["ab", "c"]
    assert answer.lines[0][1] == pytest.approx((0.5 * 0.5 * 0.125) ** (1 / 3))
    assert answer.lines[1][1] == pytest.approx(0.25)


def test_as_an_engine(tiny: Path, tmp_path: Path) -> None:
    engine = open_engine(f"vlm:{tiny}", 2)  # as the reader below opens it
    image = np.tile(render("12"), (2, 3, 1))
    lines = engine.read(image)
    assert lines
    assert lines == engine.read(image) == open_engine(f"vlm:{tiny}", 2).read(image)
    assert lines[0].box[:3] == (0, 0, 168)
    assert lines[-1].box[3] == pytest.approx(56)
    assert all(0 < line.confidence <= 1 for line in lines)
    assert (engine.name, engine.language, engine.copies) == ("vlm", "any", False)
    assert engine.read(np.zeros((0, 5, 3), np.uint8)) == ()
    with pytest.raises(InputError, match="can't be shown"):
        engine.read(np.zeros((1, 300, 3), np.uint8))
    assert engine_version(f"vlm:{tiny}").endswith(engine.version)
    with Reader(f"vlm:{tiny}", 2) as reader:
        assert reader.read(image) == lines
    other = open_engine(f"vlm:{write_tiny_vlm(tmp_path / 'other', seed=1)}")
    assert other.version != engine.version


def test_pixels_are_bounded(tiny: Path) -> None:
    _, encoder = load_base(tiny, Asking(max_pixels=5 * 784))
    batch = encoder.questions([np.zeros((300, 300, 3), np.uint8)])
    assert batch["image_grid_thw"].tolist() == [[1, 4, 4]]


def test_three_rows_are_not_three_channels(vlm: Vlm) -> None:
    batch = vlm.encoder.questions([np.zeros((3, 280, 3), np.uint8)])
    assert batch["image_grid_thw"].tolist() == [[1, 2, 20]]


def test_a_model_that_is_none(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"there is no model ./absent"):
        open_engine("vlm:./absent")
    with pytest.raises(InputError, match="can't get the model nobody/nothing"):
        open_engine("vlm:nobody/nothing")
    for spec in ("vlm", "vlm:"):
        with pytest.raises(UsageError, match="needs a model"):
            open_engine(spec)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no config.json"):
        open_engine(f"vlm:{tmp_path / 'empty'}")
    config = copy / "config.json"
    written = config.read_text()
    config.write_text("{")
    with pytest.raises(CheckpointError, match="damaged"):
        open_engine(f"vlm:{copy}")
    config.write_text(json.dumps({**json.loads(written), "model_type": "llama"}))
    with pytest.raises(CheckpointError, match="of type llama"):
        open_engine(f"vlm:{copy}")
    config.write_text(written)
    weights = copy / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(CheckpointError, match="can't be loaded"):
        open_vlm(find_vlm(str(copy)))
    weights.unlink()
    with pytest.raises(InputError, match="has no weights"):
        open_engine(f"vlm:{copy}")


def test_missing_weights_are_not_made_up(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = copy / "model.safetensors"
    weights = load_file(path)
    del weights["lm_head.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks weights: 1, lm_head\.weight"):
        open_vlm(find_vlm(str(copy)))


def test_what_decides_is_in_the_digest(copy: Path) -> None:
    before = find_vlm(str(copy)).sha256
    (copy / "README.md").write_text("nothing")
    assert find_vlm(str(copy)).sha256 == before
    (copy / "edgesr_judge.json").write_text('{"schema": 1, "asking": {"prompt": "What?"}}')
    asked = find_vlm(str(copy))
    assert asked.asking.prompt == "What?"
    assert asked.sha256 != before
    (copy / "edgesr_judge.json").write_text('{"schema": 2}')
    with pytest.raises(CheckpointError, match="schema 2"):
        find_vlm(str(copy))
    (copy / "edgesr_judge.json").write_text('{"schema": 1, "asking": {"else": 1}}')
    with pytest.raises(CheckpointError, match="damaged"):
        find_vlm(str(copy))
    (copy / "edgesr_judge.json").unlink()
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert find_vlm(str(copy)).sha256 != before


@pytest.mark.parametrize("package", ["transformers", "peft"])
def test_without_the_extra(package: str, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError) as caught:
        open_engine(f"vlm:{tiny}")
    assert "edgesr[vlm]" in caught.value.hint


def test_the_tokenizer_knows_its_own_signs(vlm: Vlm) -> None:
    assert len(set(vlm.encoder.tokenizer.convert_tokens_to_ids(list(SPECIAL)))) == len(SPECIAL)

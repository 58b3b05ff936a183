"""Recipes: each says what it is, runs without a file of the user's, and is what its source says."""

import itertools
import re
import shlex
from pathlib import Path
from typing import get_args

import pytest

from edgesr.data.degrade import DEGRADATIONS
from edgesr.models.registry import build_model
from edgesr.quantize.method import methods
from edgesr.quantize.ranges import Finder
from edgesr.train.best import BEST, FILES
from edgesr.train.config import (
    LOSS_NAMES,
    QuantizeConfig,
    StageConfig,
    TrainConfig,
    load_training_config,
    recipe_path,
    recipes,
)

NAMES = sorted(recipes())
OF_SECONDS = ("demo-finetune", "elsr-tiny")
"""Made for the demo and for tests: no result of theirs is published."""
FOR_8_BITS = {
    "qat-lsq",
    "qat-pact",
    "qat-ste",
    "qat-apot",
    "qat-dorefa",
    "qat-adaround",
    "qat-span",
}
BASES = {f"slides-{name}" for name in ("elsr-x2", "elsr-x3", "espcn-x2", "residual-x2", "span-x2")}
"""They make the bundled checkpoints."""
HELD_OUT = {32, *range(9000, 10000)}
"""Seeds of slides that are for validation and for the tables of the README."""


def stages(name: str, *overrides: str) -> tuple[StageConfig, ...]:
    return load_training_config(recipe_path(name), overrides).stage


def seeds(sources: tuple[str, ...]) -> set[int]:
    """Of rendered slides; anything else would need a file."""
    found = [re.fullmatch(r"slides:\d+:(\d+)", source) for source in sources]
    assert all(found), sources
    return {int(match[1]) for match in found if match}


def test_the_list_is_complete() -> None:
    wanted = {"span-slides-finetune", "span-two-stage", "ocr-aware", "elsr-3step", "elsr-6step",
              "srvgg-realesrgan", "espcn-float", *FOR_8_BITS, *BASES, *OF_SECONDS}  # fmt: skip
    assert set(NAMES) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_the_first_line_says_what_it_is(name: str) -> None:
    about = recipes()[name]
    assert about.endswith(".")
    assert len(about) > 40


@pytest.mark.parametrize("name", sorted({*NAMES} - {*OF_SECONDS}))
def test_the_comment_names_the_source_or_says_that_there_is_none(name: str) -> None:
    lines = recipe_path(name).read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    assert re.search(r"\(.* et al\., \d{4}\)|[Nn]ot from a paper|As in|as in", comment)
    assert name in BASES or "--set" in comment  # how to use data of one's own


@pytest.mark.parametrize("name", NAMES)
def test_it_trains_and_is_judged_on_different_slides_that_are_rendered_here(name: str) -> None:
    for stage in stages(name):
        train, held_out = seeds(stage.data.train), seeds((*stage.data.val, *stage.data.ocr))
        assert not train & HELD_OUT
        assert not train & held_out
        assert name in OF_SECONDS or held_out <= HELD_OUT


@pytest.mark.parametrize("name", NAMES)
def test_the_network_can_be_built_and_the_degradation_is_known(name: str) -> None:
    for stage in stages(name):
        build_model(stage.model.spec())
        assert stage.data.degrade in DEGRADATIONS


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_bundled_ones_that_a_recipe_makes(name: str) -> None:
    first, *later = stages(name)
    weights = first.model.weights
    if weights is not None:
        (base,) = stages(f"slides-{weights.removesuffix('-slides')}")
        assert base.model.spec().arch == first.model.arch
        same = base.model.scale == first.model.scale
        assert first.model.transfer == ("none" if same else "head")
    assert all(s.model.weights is None or s.model.weights.startswith("stage:") for s in later)


@pytest.mark.parametrize("name", NAMES)
def test_a_change_of_scale_between_stages_takes_the_head_over(name: str) -> None:
    chain = stages(name)
    for before, after in itertools.pairwise(chain):
        changes = before.model.scale != after.model.scale
        assert after.model.transfer == ("head" if changes else "none")
        assert after.model.arch == before.model.arch
        assert after.model.options == before.model.options


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_made_small_and_given_other_weights(name: str) -> None:
    small = ("epochs=1", "steps_per_epoch=2", "train.batch_size=2", "data.train=slides:2:1")
    settings = [f"stage.*.{setting}" for setting in small]
    chain = stages(name, *settings, "model.weights=mine.pt")
    for stage in chain:
        assert (stage.steps, stage.train.batch_size) == (2, 2)
        assert stage.data.train == ("slides:2:1",)
    assert chain[0].model.weights == "mine.pt"
    assert "mine.pt" not in {stage.model.weights for stage in chain[1:]}


@pytest.mark.parametrize("name", NAMES)
def test_schedules_are_sane(name: str) -> None:
    for stage in stages(name):
        train = stage.train
        assert train.warmup_steps < stage.steps / 2
        assert train.lr_end < train.lr
        # an average over more steps than there are would still hold the start
        assert name in OF_SECONDS or 1 / (1 - train.ema) < stage.steps / 4


def losses(name: str) -> list[tuple[str, int, dict[str, float]]]:
    return [(stage.name, stage.model.scale, stage.train.loss) for stage in stages(name)]


def test_span_slides_finetune_is_one_stage_from_a_checkpoint_chosen_by_l1() -> None:
    (stage,) = stages("span-slides-finetune")
    assert stage.model.arch == "span"
    assert stage.model.weights == "span-x2-slides"
    assert (stage.train.loss, stage.train.select) == ({"l1": 1.0}, "val_l1")


def test_span_two_stage_ends_on_slides_only_at_a_lower_rate() -> None:
    first, second = stages("span-two-stage")
    assert first.model.arch == "span"
    assert {*second.data.train} < {*first.data.train}
    assert first.data.val == second.data.val
    assert second.train.lr < first.train.lr
    photographs = """stage.all.data.train=["photos", "slides:160:1"]"""
    first, second = stages("span-two-stage", photographs)
    assert first.data.train == ("photos", "slides:160:1")
    assert second.data.train == ("slides:160:1",)


def test_ocr_aware_is_chosen_by_reading_held_out_slides() -> None:
    (stage,) = stages("ocr-aware")
    assert (stage.train.select, stage.train.loss) == ("ocr_primary", {"mse": 1.0})
    assert 0 < stage.train.ocr_every < stage.train.epochs
    assert stage.model.scale == 3  # x2 slides are read without an error after bicubic
    assert stage.data.soften > 1
    assert stage.data.ocr
    assert not seeds(stage.data.ocr) & seeds(stage.data.val)
    assert stage.model.weights == "span-x2-slides"


def test_elsr_3step_has_the_steps_of_elsr_torch() -> None:
    assert losses("elsr-3step") == [
        ("x2", 2, {"l1": 1.0}),
        ("x4-l1", 4, {"l1": 1.0}),
        ("x4-mse", 4, {"mse": 1.0}),
    ]
    _, middle, last = stages("elsr-3step")
    assert last.train.lr < middle.train.lr


def test_elsr_6step_has_one_step_at_x2_two_by_l1_and_three_by_mse() -> None:
    found = [(scale, *loss) for _, scale, loss in losses("elsr-6step")]
    assert found == [(2, "l1"), (4, "l1"), (4, "l1"), (4, "mse"), (4, "mse"), (4, "mse")]
    chain = stages("elsr-6step")
    assert {stage.model.arch for stage in chain} == {"elsr"}
    patches = [stage.train.patch for stage in chain]
    assert patches[1] < patches[2]
    assert patches[3] < patches[4] < patches[5]
    rates = [stage.train.lr for stage in chain[1:]]
    assert rates == sorted(rates, reverse=True)


def test_srvgg_realesrgan_has_the_options_of_the_repository() -> None:
    *_, last = chain = stages("srvgg-realesrgan")
    assert chain[0].train.loss == {"l1": 1.0}  # Real-ESRNet comes before Real-ESRGAN
    assert chain[0].train.lr == 2e-4
    assert last.train.loss == {"l1": 1.0, "perceptual": 1.0, "adversarial": 0.1}
    assert last.train.lr == last.train.adversarial.lr == 1e-4
    assert last.train.adversarial.features == 64
    assert last.train.perceptual.layers == {
        "conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0,
    }  # fmt: skip
    assert not last.train.perceptual.required
    for stage in chain:
        assert stage.model.arch == "srvgg"
        assert stage.model.scale * stage.train.patch == 256
        assert (stage.data.degrade, stage.data.sharpen) == ("real-esrgan", True)
        assert (stage.train.betas, stage.train.ema) == ((0.9, 0.99), 0.999)
        assert stage.train.schedule == "constant"


def test_espcn_float_has_relu_and_the_papers_loss() -> None:
    (stage,) = stages("espcn-float")
    assert stage.model.spec().options == {"activation": "relu"}
    assert stage.train.loss == {"mse": 1.0}
    assert (stage.model.arch, stage.model.scale) == ("espcn", 2)


@pytest.mark.parametrize("name", sorted(FOR_8_BITS))
def test_a_recipe_for_8_bits_starts_from_float_at_a_low_rate(name: str) -> None:
    (stage,) = stages(name)
    assert stage.quantize.method == name.removeprefix("qat-").replace("span", "lsq")
    weights = stage.model.weights
    assert weights is not None
    (base,) = stages(f"slides-{weights.removesuffix('-slides')}")
    assert stage.train.lr <= base.train.lr / (2 if name == "qat-span" else 10)
    assert stage.steps <= base.steps / 2
    assert f"{stage.quantize.method}" in recipes()[name].lower().replace("straight-through", "ste")


def test_every_method_has_a_recipe() -> None:
    found = {stage.quantize.method for name in FOR_8_BITS for stage in stages(name)}
    assert found == {*methods()} - {
        "ptq"
    }  # which learns no rounding: for files made after training


def test_qat_span_is_taught_by_the_float_network_that_it_starts_from() -> None:
    (stage,) = stages("qat-span")
    assert stage.train.distill.teacher == stage.model.weights
    assert stage.train.loss == {"distill": 1.0}


@pytest.mark.parametrize("name", sorted(BASES))
def test_a_base_recipe_starts_at_interpolation_and_names_its_checkpoint(name: str) -> None:
    (stage,) = stages(name)
    assert stage.model.weights is None
    assert name == f"slides-{stage.model.arch}-x{stage.model.scale}"
    assert f'"{stage.model.arch}-x{stage.model.scale}-slides"' in recipes()[name]


def test_tiny_recipes_stay_tiny() -> None:
    (tiny,) = stages("elsr-tiny")
    assert tiny.steps <= 8
    assert (tiny.model.arch, tiny.model.scale) == ("elsr", 2)
    (demo,) = stages("demo-finetune")
    assert demo.model.weights == "residual-x2-slides"


@pytest.fixture(scope="module")
def page() -> str:
    path = Path(__file__).parents[2] / "docs/training.md"
    if not path.is_file():
        pytest.skip("the documentation is not here")
    return path.read_text(encoding="utf-8")


def test_the_page_about_training_names_every_choice(page: str) -> None:
    text = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    words = set(re.findall(r"`([^`]+)`", text))
    selections = get_args(TrainConfig.model_fields["select"].annotation)
    assert {*LOSS_NAMES, *DEGRADATIONS, *selections} <= words
    assert {*NAMES} - {*OF_SECONDS} - BASES <= words
    assert {*methods(), *get_args(Finder), *QuantizeConfig.model_fields} <= words
    assert {BEST, *FILES, "last_model.pt", "metrics.csv"} <= words


def test_the_config_on_the_page_about_training_holds(page: str, tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "page.toml"
    path.write_text(block, encoding="utf-8")
    calls = re.findall(r"^--set (.*)$", page, re.MULTILINE)
    settings = tuple(shlex.split(call, comments=True)[0] for call in calls)
    assert len(settings) == 6
    chain = load_training_config(path, settings).stage
    assert [(stage.name, stage.model.scale, stage.train.epochs) for stage in chain] == [
        ("x2", 2, 2), ("x4", 4, 2), ("x4-mse", 4, 2),
    ]  # fmt: skip
    assert [stage.train.lr for stage in chain] == [1e-4] * 3
    assert chain[0].data.train == ("photos/", "slides:160:1")

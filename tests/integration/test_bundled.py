"""The bundled checkpoints: better than bicubic on slides that nobody trained on."""

import numpy as np
import pytest

from edgesr.assets import asset_names
from edgesr.data.degrade import degrade_real
from edgesr.data.resize import imresize
from edgesr.data.slides import render_slide
from edgesr.models.checkpoint import bundled_checkpoints, load_checkpoint
from edgesr.quality.metrics import psnr_y
from edgesr.quality.runners import open_runner
from edgesr.train.config import load_training_config, recipe_path

MARGIN_DB = {
    "elsr-x2-slides": 2.5, "elsr-x3-slides": 1.0, "espcn-x2-slides": 5.0,
    "residual-x2-slides": 4.5, "span-x2-slides": 5.0,
}  # fmt: skip
"""What is left of the README's margins on two slides alone."""
RECIPES = {name: f"slides-{name.removesuffix('-slides')}" for name in MARGIN_DB}


def test_every_bundled_checkpoint_has_a_margin_and_a_recipe() -> None:
    assert set(bundled_checkpoints()) == {*MARGIN_DB, "residual-x2-lecture"}
    assert {*RECIPES.values(), "ocr-aware"} <= set(asset_names("recipes"))


@pytest.mark.parametrize("name", MARGIN_DB)
def test_a_bundled_checkpoint_beats_bicubic(name: str) -> None:
    runner = open_runner(name)
    scale = runner.scale
    bicubic = open_runner("bicubic", scale=scale)
    gains = []
    for index in range(2):
        hr = render_slide(4242, index).image
        hr = hr[: hr.shape[0] // scale * scale, : hr.shape[1] // scale * scale]
        lr = imresize(hr, 1 / scale)
        gains.append(psnr_y(runner.upscale(lr), hr, scale) - psnr_y(bicubic.upscale(lr), hr, scale))
    assert np.mean(gains) > MARGIN_DB[name]


@pytest.mark.parametrize(
    ("name", "recipe"), [*RECIPES.items(), ("residual-x2-lecture", "ocr-aware")]
)
def test_a_bundled_checkpoint_was_made_by_its_recipe(name: str, recipe: str) -> None:
    checkpoint = load_checkpoint(name)
    config = load_training_config(recipe_path(recipe))
    assert checkpoint.provenance["config"] == config.model_dump(mode="json")
    assert checkpoint.spec.arch == config.stage[-1].model.arch
    assert checkpoint.path.stat().st_size < 1_000_000


def test_the_readable_one_sees_through_noise() -> None:
    """What the error rate was lowered on: slides that are soft, noisy and JPEG-coded."""
    clean, lecture = (open_runner(name) for name in ("residual-x2-slides", "residual-x2-lecture"))
    bicubic = open_runner("bicubic", scale=2)
    hr = render_slide(4242, 0).image
    lr = degrade_real(hr, 2, np.random.default_rng(1))
    best, others = lecture.upscale(lr), (clean.upscale(lr), bicubic.upscale(lr))
    assert all(psnr_y(best, hr, 2) > psnr_y(other, hr, 2) + 0.3 for other in others)

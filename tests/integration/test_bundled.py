"""The bundled checkpoints: better than bicubic on slides that nobody trained on."""

import numpy as np
import pytest

from edgesr.assets import asset_names
from edgesr.config import parse_config
from edgesr.data.resize import imresize
from edgesr.data.slides import render_slide
from edgesr.models.checkpoint import bundled_checkpoints, load_checkpoint
from edgesr.quality.metrics import psnr_y
from edgesr.quality.readability import ReadabilityBenchmark
from edgesr.quality.runners import open_runner
from edgesr.train.config import TrainingConfig, load_training_config, recipe_path

MARGIN_DB = {
    "elsr-x2-slides": 2.5, "elsr-x3-slides": 1.0, "espcn-x2-slides": 5.0,
    "residual-x2-slides": 4.5, "span-x2-slides": 5.0,
}  # fmt: skip
"""What is left of the README's margins on two slides alone."""
RECIPES = {name: f"slides-{name.removesuffix('-slides')}" for name in MARGIN_DB}


def test_every_bundled_checkpoint_has_a_margin_and_a_recipe() -> None:
    assert set(bundled_checkpoints()) == {*MARGIN_DB, "span-x3-readable"}
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


@pytest.mark.parametrize(("name", "recipe"), [*RECIPES.items(), ("span-x3-readable", "ocr-aware")])
def test_a_bundled_checkpoint_was_made_by_its_recipe(name: str, recipe: str) -> None:
    checkpoint = load_checkpoint(name)
    config = load_training_config(recipe_path(recipe))
    kept = checkpoint.provenance["config"]  # keys that are younger than the file have defaults
    assert parse_config(kept, TrainingConfig, source=name) == config
    assert checkpoint.spec.arch == config.stage[-1].model.arch
    assert checkpoint.path.stat().st_size < 1_000_000


@pytest.mark.slow
def test_the_readable_one_is_read_better_than_bicubic() -> None:
    """On slides of a seed that neither training nor selection saw; six, to take seconds."""
    benchmark = ReadabilityBenchmark()
    errors: dict[str, list[float]] = {"bicubic": [], "span-x3-readable": []}
    for index in range(6):
        slide = render_slide(4243, index)
        hr = slide.image[:720, :1278]
        for name, rates in errors.items():
            sr = open_runner(name, scale=3).upscale(imresize(hr, 1 / 3))
            score = benchmark.score(sr, text=slide.text, hr=hr)
            rates.append(score.cer or 0.0)
    assert np.mean(errors["span-x3-readable"]) < np.mean(errors["bicubic"])

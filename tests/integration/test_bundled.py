"""The bundled checkpoints: better than bicubic on slides that nobody trained on."""

from pathlib import Path

import numpy as np
import pytest

from edgesr.assets import asset_names
from edgesr.data.resize import imresize
from edgesr.data.slides import render_slide
from edgesr.models.checkpoint import bundled_checkpoints, load_checkpoint
from edgesr.quality.metrics import psnr_y
from edgesr.quality.runners import open_runner

MARGIN_DB = {"elsr-x2-slides": 1.5, "elsr-x3-slides": 0.4, "espcn-x2-slides": 3.5,
             "residual-x2-slides": 3.0}  # fmt: skip
"""What is left of the README's margins on two slides alone."""


def test_every_bundled_checkpoint_has_a_margin_and_a_recipe() -> None:
    assert set(bundled_checkpoints()) == set(MARGIN_DB)
    assert {f"slides-{name.removesuffix('-slides')}" for name in MARGIN_DB} <= set(
        asset_names("recipes")
    )


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


@pytest.mark.parametrize("name", MARGIN_DB)
def test_a_bundled_checkpoint_says_how_it_was_made(name: str) -> None:
    checkpoint = load_checkpoint(name)
    config = checkpoint.provenance["config"]
    assert config["data"]["train"].startswith("slides:")
    assert checkpoint.spec.arch == config["model"]["arch"]
    assert Path(checkpoint.path).stat().st_size < 1_000_000

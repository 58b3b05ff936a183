"""LPIPS against its formula, written down a second time."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edgesr.errors import CheckpointError, InputError
from edgesr.quality.lpips import Lpips

SIZES = {
    "slice1.0": (64, 3, 11),
    "slice2.3": (192, 64, 5),
    "slice3.6": (384, 192, 3),
    "slice4.8": (256, 384, 3),
    "slice5.10": (256, 256, 3),
}


def state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    made = {}
    for index, (name, (out, into, kernel)) in enumerate(SIZES.items()):
        weight = torch.randn(out, into, kernel, kernel, generator=generator)
        made[f"net.{name}.weight"] = weight / (into * kernel**2) ** 0.5
        made[f"net.{name}.bias"] = torch.randn(out, generator=generator) * 0.1
        made[f"lin{index}.model.1.weight"] = torch.rand(1, out, 1, 1, generator=generator)
        made[f"lins.{index}.model.1.weight"] = made[f"lin{index}.model.1.weight"]
    made["scaling_layer.shift"] = torch.zeros(1, 3, 1, 1)
    return made


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.save(state(), tmp_path / "lpips.pth")
    return tmp_path / "lpips.pth"


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 80, 3), np.uint8)


def test_equal_images_have_no_distance_and_it_is_symmetric(weights: Path) -> None:
    lpips = Lpips(weights)
    assert lpips.distance(picture(1), picture(1)) == 0.0
    one, two = picture(1), picture(2)
    assert lpips.distance(one, two) == pytest.approx(lpips.distance(two, one), rel=1e-5)
    half = ((one.astype(int) + two) // 2).astype(np.uint8)
    assert 0 < lpips.distance(one, half) < lpips.distance(one, two)


def test_the_distance_is_the_papers_formula(weights: Path) -> None:
    from torch.nn import functional as F  # noqa: N812

    made = state()
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
    options = [(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)]

    def features(image: np.ndarray) -> list[torch.Tensor]:
        x = torch.from_numpy(image.astype(np.float64) / 127.5 - 1).permute(2, 0, 1)[None]
        x, found = (x - shift) / scale, []
        for index, (name, (stride, padding)) in enumerate(zip(SIZES, options, strict=True)):
            if index in (1, 2):
                x = F.max_pool2d(x, kernel_size=3, stride=2)
            weight, bias = made[f"net.{name}.weight"], made[f"net.{name}.bias"]
            x = F.relu(F.conv2d(x, weight.double(), bias.double(), stride, padding))
            found.append(F.normalize(x, dim=1))
        return found

    total = 0.0
    for index, (a, b) in enumerate(zip(features(picture(1)), features(picture(2)), strict=True)):
        weight = made[f"lin{index}.model.1.weight"].double()
        total += float(((a - b) ** 2 * weight).sum(1).mean())
    assert Lpips(weights).distance(picture(1), picture(2)) == pytest.approx(total, rel=1e-4)


def test_another_file_is_named(tmp_path: Path) -> None:
    broken = state()
    del broken["net.slice4.8.bias"]
    torch.save(broken, tmp_path / "broken.pth")
    with pytest.raises(CheckpointError, match=r"slice4\.8\.bias") as caught:
        Lpips(tmp_path / "broken.pth")
    assert "lpips" in caught.value.hint
    wrong = state() | {"lin2.model.1.weight": torch.zeros(1, 7, 1, 1)}
    torch.save(wrong, tmp_path / "wrong.pth")
    with pytest.raises(CheckpointError, match=r"wrong\.pth"):
        Lpips(tmp_path / "wrong.pth")
    with pytest.raises(InputError, match="missing"):
        Lpips(tmp_path / "missing.pth")

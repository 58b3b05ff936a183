"""LPIPS: how different two images look, by features of a network that the user brings."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from edgesr.data.images import RgbImage
from edgesr.errors import CheckpointError
from edgesr.models.checkpoint import read_document
from edgesr.quality.pixels import to_unit

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
"""What images in -1..1 are normalised by before the network."""
_TINY = 1e-10

_ALEX = ((11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1))
"""AlexNet's convolutions: kernel, stride, padding."""
_ALEX_POOLED = (1, 2)
"""Convolutions that AlexNet pools before: 3 x 3, stride 2."""
_ALEX_KEYS = ("slice1.0", "slice2.3", "slice3.6", "slice4.8", "slice5.10")

_HOW_TO_GET = (
    "where the package lpips runs: torch.save(lpips.LPIPS(net='alex').state_dict(), 'lpips.pth')"
)


class Lpips:
    """The learned perceptual image patch similarity, AlexNet form, version 0.1.

    Zhang et al. (2018), "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric":
    features of every convolution after its ReLU, each position's vector scaled to length 1, squared
    differences weighted per channel, mean over positions, sum over layers. 0 for equal images.

    Args:
        path: State dict of the package lpips' ``LPIPS(net="alex")``, network and weights in one.

    Raises:
        InputError: When the file can't be read.
        CheckpointError: When it holds something else.
    """

    def __init__(self, path: Path) -> None:
        state = read_document(path)
        try:
            self._convs = [
                _conv(state[f"net.{key}.weight"], state[f"net.{key}.bias"], layer)
                for key, layer in zip(_ALEX_KEYS, _ALEX, strict=True)
            ]
            self._weights = [
                state[f"lin{index}.model.1.weight"].float() for index in range(len(_ALEX))
            ]
            with torch.inference_mode():  # tensors of other sizes don't fit each other
                self._distance(torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 64, 64))
        except (KeyError, AttributeError, RuntimeError) as error:
            reason = str(error).splitlines()[0][:200]
            raise CheckpointError(
                f"{path} is no state dict of LPIPS with AlexNet: {reason}", hint=_HOW_TO_GET
            ) from error

    def distance(self, sr: RgbImage, hr: RgbImage) -> float:
        """The distance of two images of equal size, H,W,3, at least 32 pixels wide and high."""
        with torch.inference_mode():
            return float(self._distance(_batch(sr), _batch(hr)))

    def _distance(self, one: Tensor, two: Tensor) -> Tensor:
        terms = []
        for (a, b), weight in zip(self._features(one, two), self._weights, strict=True):
            terms.append(F.conv2d((_unit(a) - _unit(b)).square(), weight).mean())
        return torch.stack(terms).sum()

    def _features(self, one: Tensor, two: Tensor) -> list[tuple[Tensor, Tensor]]:
        x = torch.cat([one, two]) * 2 - 1
        x = (x - torch.tensor(_SHIFT)[:, None, None]) / torch.tensor(_SCALE)[:, None, None]
        found = []
        for index, conv in enumerate(self._convs):
            x = F.max_pool2d(x, 3, 2) if index in _ALEX_POOLED else x
            x = conv(x).relu()
            found.append((x[:1], x[1:]))
        return found


def _conv(weight: Tensor, bias: Tensor, layer: tuple[int, int, int]) -> nn.Conv2d:
    kernel, stride, padding = layer
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], kernel, stride, padding)
    conv.load_state_dict({"weight": weight.float(), "bias": bias.float()})
    return conv.requires_grad_(requires_grad=False)


def _unit(features: Tensor) -> Tensor:
    """Each position's vector over the channels, divided by its length."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + _TINY)


def _batch(image: RgbImage) -> Tensor:
    """H,W,3 in 0..255 -> 1,3,H,W in 0..1."""
    return torch.from_numpy(to_unit(image)).permute(2, 0, 1)[None].contiguous()

"""Perceptual loss: distance between the features that VGG19 finds in two images."""

import difflib
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from edgesr.errors import CheckpointError, ConfigError
from edgesr.models.checkpoint import read_document
from edgesr.train.config import PerceptualConfig
from edgesr.train.losses import Loss, Sample, full_precision

_BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
"""Convolutions and channels of each block of VGG19 (Simonyan & Zisserman, 2015, column E)."""

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
"""Of ImageNet's RGB, which the weights expect to be taken out."""

_HOW_TO_GET = (
    "where torchvision is installed: torch.save(torchvision.models.vgg19("
    'weights="IMAGENET1K_V1").state_dict(), "vgg19.pth"); '
    "then --set train.perceptual.weights=vgg19.pth"
)


def _number_layers() -> dict[str, int]:
    """Position of each convolution among convolutions, activations and the pooling of a block."""
    numbers, position = {}, 0
    for block, (convs, _) in enumerate(_BLOCKS, start=1):
        for conv in range(1, convs + 1):
            numbers[f"conv{block}_{conv}"] = position
            position += 2
        position += 1
    return numbers


LAYERS = _number_layers()
"""The N of torchvision's ``features.N`` by name: conv1_1, conv1_2, conv2_1 ... conv5_4."""


class Vgg19Features(nn.Module):
    """VGG19's convolutions up to the deepest layer asked for, frozen.

    Args:
        state: Tensors under ``features.N.weight`` and ``features.N.bias``; others are ignored.
        layers: Names of `LAYERS`.

    Raises:
        KeyError: When a tensor is missing.
        RuntimeError: When one has another shape.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, state: dict[str, Tensor], layers: tuple[str, ...]) -> None:
        super().__init__()
        self.taken = {LAYERS[name]: name for name in layers}
        with torch.device("meta"):  # no random numbers for weights that are replaced at once
            self.features = _stack(max(self.taken))
        self.features.load_state_dict(
            {key: state[f"features.{key}"].float() for key in self.features.state_dict()},
            assign=True,
        )
        self.register_buffer("mean", torch.tensor(_MEAN)[None, :, None, None])
        self.register_buffer("std", torch.tensor(_STD)[None, :, None, None])
        self.eval().requires_grad_(requires_grad=False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Maps N, 3, H, W in [0, 1], H and W at least 16, to features before the activation.

        Returns:
            Per layer name N, C, H/k, W/k with k = 1, 2, 4, 8, 16 in block 1 to 5.
        """
        x = (image - self.mean) / self.std
        found: dict[str, Tensor] = {}
        for position, layer in enumerate(self.features):
            x = layer(x)
            if position in self.taken:
                found[self.taken[position]] = x
        return found


def _stack(last: int) -> nn.Sequential:
    """Layers 0 to ``last`` of VGG19's feature stack."""
    layers: list[nn.Module] = []
    channels = 3
    for convs, width in _BLOCKS:
        for _ in range(convs):
            # not in place: the value before the activation is what is compared
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers[: last + 1])


class PerceptualLoss(Loss):
    """Weighted sum over layers of L1 between VGG19 features of output and target.

    After Johnson et al. (2016), "Perceptual Losses for Real-Time Style Transfer and
    Super-Resolution"; features before the activation and L1 as in ESRGAN (Wang et al., 2018).

    Args:
        config: Weights file and layers.

    Raises:
        ConfigError: When no file is named or it does not exist, or a layer or its weight makes
            no sense.
        InputError: When the file can't be read.
        CheckpointError: When it holds something else than torchvision's VGG19.
    """

    def __init__(self, config: PerceptualConfig) -> None:
        super().__init__()
        _check(config)
        self.layers = dict(config.layers)
        self.vgg = load_vgg19(Path(config.weights), tuple(self.layers))

    def distance(self, sample: Sample) -> Tensor:
        """Sum over layers of weight * mean |features(sr) - features(hr)|."""
        found = self.vgg(sample.sr)
        with torch.no_grad():
            wanted = self.vgg(sample.hr)
        terms = [
            weight * F.l1_loss(full_precision(found[name]), full_precision(wanted[name]))
            for name, weight in self.layers.items()
        ]
        return torch.stack(terms).sum()


def _check(config: PerceptualConfig) -> None:
    if not config.weights:
        raise ConfigError(
            "the perceptual loss needs torchvision's ImageNet weights of VGG19, "
            "vgg19-dcbb9e9d.pth: train.perceptual.weights names no file",
            hint=_HOW_TO_GET,
        )
    if not config.layers:
        raise ConfigError("train.perceptual.layers is empty", hint=f"choose of: {_known()}")
    for name, weight in config.layers.items():
        if name not in LAYERS:
            close = difflib.get_close_matches(name, LAYERS, n=1)
            raise ConfigError(
                f"train.perceptual.layers: VGG19 has no layer {name!r}",
                hint=f"did you mean {close[0]!r}?" if close else f"it has: {_known()}",
            )
        if weight <= 0:
            raise ConfigError(f"train.perceptual.layers.{name} has to be above 0, not {weight}")


def _known() -> str:
    return ", ".join(LAYERS)


def load_vgg19(path: Path, layers: tuple[str, ...]) -> Vgg19Features:
    """Reads torchvision's state dict of VGG19, with or without its classifier.

    Args:
        path: ``vgg19-dcbb9e9d.pth``, or the same saved anew.
        layers: Names of `LAYERS`.

    Raises:
        ConfigError: When the file does not exist.
        InputError: When it can't be read.
        CheckpointError: When it is damaged or holds something else.
    """
    if not path.exists():
        raise ConfigError(
            f"train.perceptual.weights: {path} does not exist; it has to be torchvision's "
            "ImageNet weights of VGG19, vgg19-dcbb9e9d.pth",
            hint=_HOW_TO_GET,
        )
    state = read_document(path)
    numbers = {str(number) for number in LAYERS.values()}
    for key, value in state.items():
        known = not key.startswith("features.") or key.split(".")[1] in numbers
        if not (known and isinstance(value, Tensor)):
            raise CheckpointError(
                f"{path} is not torchvision's VGG19: it has no place for {key}", hint=_HOW_TO_GET
            )
    try:
        return Vgg19Features(state, layers)
    except KeyError as error:
        raise CheckpointError(
            f"{path} is not torchvision's VGG19: it has no {error.args[0]}", hint=_HOW_TO_GET
        ) from error
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(
            f"{path} is not torchvision's VGG19: {reason[:200]}", hint=_HOW_TO_GET
        ) from error

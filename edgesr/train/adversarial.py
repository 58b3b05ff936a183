"""The adversarial loss: a U-Net that tells real pixels from made ones, and what both sides pay.

The discriminator learns beside the network: its optimiser and its state belong to the loop. Its
state dict, power iteration vectors included, is all it takes to go on bit-identically.
"""

import contextlib
from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import spectral_norm

from edgesr.train.losses import full_precision

_SLOPE = 0.2
"""Of the leaky ReLU."""


class UNetDiscriminator(nn.Module):
    """U-Net discriminator with spectral norm (Wang et al., 2021, "Real-ESRGAN").

    Three halvings, three doublings with the halvings' features added, three convolutions more;
    one verdict per pixel. Every convolution but the first and the last is divided by its largest
    singular value (Miyato et al., 2018). That value is followed by one power iteration per
    forward pass in train mode, which changes buffers: as many passes make the same state.
    Parameters carry the names of Real-ESRGAN's published ``netD`` files (``conv0`` .. ``conv9``).

    Args:
        features: Width ``f`` of the first and the last layers; Real-ESRGAN has 64.
    """

    def __init__(self, features: int = 64) -> None:
        super().__init__()
        f = features
        self.conv0 = nn.Conv2d(3, f, 3, padding=1)
        self.conv1 = _halving(f, 2 * f)
        self.conv2 = _halving(2 * f, 4 * f)
        self.conv3 = _halving(4 * f, 8 * f)
        self.conv4 = _keeping(8 * f, 4 * f)
        self.conv5 = _keeping(4 * f, 2 * f)
        self.conv6 = _keeping(2 * f, f)
        self.conv7 = _keeping(f, f)
        self.conv8 = _keeping(f, f)
        self.conv9 = nn.Conv2d(f, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Maps N, 3, H, W in [0, 1], H and W at least 8, to logits N, 1, H, W, high for real."""
        full = _activate(self.conv0(image))
        half = _activate(self.conv1(full))
        quarter = _activate(self.conv2(half))
        x = _activate(self.conv3(quarter))
        for conv, skip in ((self.conv4, quarter), (self.conv5, half), (self.conv6, full)):
            # to the skip's size, which is not twice as large where a side is no multiple of 8
            x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = _activate(conv(x)) + skip
        x = _activate(self.conv8(_activate(self.conv7(x))))
        logits: Tensor = self.conv9(x)
        return logits


def _halving(inputs: int, outputs: int) -> nn.Conv2d:
    return spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))


def _keeping(inputs: int, outputs: int) -> nn.Conv2d:
    return spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))


def _activate(x: Tensor) -> Tensor:
    return F.leaky_relu(x, _SLOPE)


def generator_loss(logits_fake: Tensor) -> Tensor:
    """What the network pays for pixels that are seen through (Goodfellow et al., 2014).

    Args:
        logits_fake: The discriminator's N, 1, H, W for the network's output.

    Returns:
        Mean of -log sigmoid(logits), a scalar.
    """
    return F.softplus(-full_precision(logits_fake)).mean()


def discriminator_loss(logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    """What the discriminator pays for its mistakes (Goodfellow et al., 2014).

    Args:
        logits_real: Its N, 1, H, W for targets.
        logits_fake: Its N, 1, H, W for the network's output, which was detached.

    Returns:
        Mean of -log sigmoid(real) plus mean of -log(1 - sigmoid(fake)), a scalar.
    """
    real, fake = full_precision(logits_real), full_precision(logits_fake)
    return F.softplus(-real).mean() + F.softplus(fake).mean()


@contextlib.contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Keeps gradients out of a module's parameters, while they still pass through to its input.

    For the network's own step, whose forward pass has to run inside the block.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad = True

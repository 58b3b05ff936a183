"""ELSR, the extremely light network for video on phones.

Source: "ELSR: Extreme Low-Power Super Resolution Network For Mobile Devices" (Xu et al., 2022);
layer names as in the ELSR-torch repository, whose checkpoints load.
"""

import copy
from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from edgesr.models.blocks import (
    DepthToSpace,
    bilinear_start,
    depth_to_space_order,
    identity_start,
    per_channel_prelu,
    same_conv,
)
from edgesr.models.layers import PIXELS, RGB, Layer
from edgesr.models.registry import ModelSpec, SRModel, StateDict, register_model


class _ResidualBlock(nn.Module):
    """conv, PReLU with one slope, conv, plus the input."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = same_conv(features, features)
        self.prelu = nn.PReLU()
        self.conv2 = same_conv(features, features)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv2(self.prelu(self.conv1(x)))
        return out


@register_model("elsr")
class ELSR(SRModel):
    """Four 3x3 convs with six channels; 1,489 parameters at x2."""

    defaults = {"features": 6}  # noqa: RUF012 - declared ClassVar in the base

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        features = int(self.options["features"])
        self.layer1 = same_conv(3, features)
        self.layer2_4 = _ResidualBlock(features)
        self.layer5 = same_conv(features, 3 * spec.scale**2)

    def forward(self, x: Tensor) -> Tensor:
        """Maps N, 3, H, W to N, 3, s*H, s*W."""
        return F.pixel_shuffle(self.layer5(self.layer2_4(self.layer1(x))), self.spec.scale)

    def deploy(self) -> nn.Module:
        """One slope per channel, last conv in TFLite's order."""
        block = copy.deepcopy(self.layer2_4)
        block.prelu = per_channel_prelu(block.prelu, block.conv1.out_channels)
        head = depth_to_space_order(self.layer5, self.spec.scale)
        layers = {"layer1": copy.deepcopy(self.layer1), "layer2_4": block, "layer5": head}
        shuffle = DepthToSpace(self.spec.scale)
        return nn.Sequential(OrderedDict(layers, shuffle=shuffle)).eval()

    def start_at_interpolation(self) -> None:
        """The image passes layer 1 and the block unchanged; the last conv enlarges it."""
        identity_start(self.layer1)
        nn.init.zeros_(self.layer2_4.conv2.weight)
        nn.init.zeros_(self.layer2_4.conv2.bias)  # type: ignore[arg-type]
        bilinear_start(self.layer5, self.spec.scale)

    def layers(self) -> tuple[Layer, ...]:
        """The block adds to the stream; its PReLU has one slope for all channels."""
        conv1, conv2 = "layer2_4.conv1", "layer2_4.conv2"
        return (
            Layer("layer1", (RGB,), "stream"),
            Layer(conv1, ("stream",), "inner", slopes="layer2_4.prelu"),
            Layer(conv2, ("inner",), "stream", adds_to=conv1),
            Layer("layer5", ("stream",), PIXELS),
        )

    @classmethod
    def detect(cls, state: StateDict) -> ModelSpec | None:
        """By the names of ELSR-torch; sizes from the first and last conv."""
        if not {"layer1.weight", "layer2_4.conv1.weight", "layer5.weight"} <= set(state):
            return None
        scale = round((state["layer5.weight"].shape[0] / 3) ** 0.5)
        return ModelSpec(cls.arch, scale, {"features": state["layer1.weight"].shape[0]})

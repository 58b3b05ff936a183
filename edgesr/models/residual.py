"""A small residual network with the enlarged input added at the end: our baseline.

Residual blocks of two convs with ReLU (EDSR, Lim et al., 2017, without its wide layers) and the
image-space skip of ABPN (Du et al., 2021): the body learns only what interpolation lacks, which
also leaves less to lose when it is quantized.
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from edgesr.models.blocks import (
    DepthToSpace,
    bilinear_start,
    depth_to_space_order,
    identity_start,
    nearest_repeat,
    repeat_nearest,
    same_conv,
)
from edgesr.models.layers import PIXELS, RGB, Layer
from edgesr.models.registry import ModelSpec, SRModel, StateDict, register_model


class _Block(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = same_conv(features, features)
        self.conv2 = same_conv(features, features)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv2(F.relu(self.conv1(x)))
        return out


class _Deploy(nn.Module):
    def __init__(self, model: "Residual") -> None:
        super().__init__()
        scale = model.spec.scale
        self.head = copy.deepcopy(model.head)
        self.blocks = copy.deepcopy(model.blocks)
        self.tail = depth_to_space_order(model.tail, scale)
        self.skip = nearest_repeat(scale)
        self.shuffle = DepthToSpace(scale)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.tail(self.blocks(self.head(x))) + self.skip(x)
        return self.shuffle(out)  # type: ignore[no-any-return]


@register_model("residual")
class Residual(SRModel):
    """conv, ``blocks`` residual blocks, conv, pixel shuffle, plus the enlarged input."""

    defaults = {"features": 16, "blocks": 2}  # noqa: RUF012

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        features, blocks = int(self.options["features"]), int(self.options["blocks"])
        self.head = same_conv(3, features)
        self.blocks = nn.Sequential(*(_Block(features) for _ in range(blocks)))
        self.tail = same_conv(features, 3 * spec.scale**2)

    def forward(self, x: Tensor) -> Tensor:
        """Maps N, 3, H, W to N, 3, s*H, s*W."""
        scale = self.spec.scale
        detail = F.pixel_shuffle(self.tail(self.blocks(self.head(x))), scale)
        return detail + repeat_nearest(x, scale)

    def deploy(self) -> nn.Module:
        """Last conv in TFLite's order, skip as a fixed 1x1 conv before the shuffle."""
        return _Deploy(self).eval()

    def start_at_interpolation(self) -> None:
        """The image passes head and blocks unchanged; tail and skip together enlarge it."""
        identity_start(self.head)
        for unit in range(len(self.blocks)):
            self.pass_through(unit)
        bilinear_start(self.tail, self.spec.scale)
        with torch.no_grad():  # the skip adds the nearest pixel already
            self.tail.weight[:, :3, 1, 1] -= torch.eye(3).repeat_interleave(self.spec.scale**2, 0)

    def layers(self) -> tuple[Layer, ...]:
        """Every block is a unit that adds to the stream."""
        layers = [Layer("head", (RGB,), "stream")]
        for i in range(len(self.blocks)):
            conv1, conv2, inner = f"blocks.{i}.conv1", f"blocks.{i}.conv2", f"block.{i}"
            layers.append(Layer(conv1, ("stream",), inner, unit=i))
            layers.append(Layer(conv2, (inner,), "stream", unit=i, adds_to=conv1))
        return (*layers, Layer("tail", ("stream",), PIXELS))

    def pass_through(self, unit: int) -> None:
        """The block adds nothing."""
        conv = cast("_Block", self.blocks[unit]).conv2
        nn.init.zeros_(conv.weight)
        nn.init.zeros_(cast("Tensor", conv.bias))

    @classmethod
    def detect(cls, state: StateDict) -> ModelSpec | None:
        """By our own names."""
        if not {"head.weight", "tail.weight", "blocks.0.conv1.weight"} <= set(state):
            return None
        blocks = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks."))
        scale = round((state["tail.weight"].shape[0] / 3) ** 0.5)
        features = state["head.weight"].shape[0]
        return ModelSpec(cls.arch, scale, {"features": features, "blocks": blocks})

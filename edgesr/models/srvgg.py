"""SRVGGNetCompact, the plain VGG-style network of Real-ESRGAN's small models.

Source: Real-ESRGAN (Wang et al., 2021), file ``srvgg_arch.py``; its checkpoints load.
"""

import copy
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from edgesr.models.blocks import (
    DepthToSpace,
    depth_to_space_order,
    nearest_repeat,
    repeat_nearest,
    same_conv,
)
from edgesr.models.layers import PIXELS, RGB, Layer
from edgesr.models.registry import ModelSpec, SRModel, StateDict, register_model


class _Deploy(nn.Module):
    """The input is added before the shuffle, so that no RESIZE_NEAREST_NEIGHBOR is needed."""

    def __init__(self, body: nn.Sequential, scale: int) -> None:
        super().__init__()
        self.body = body
        self.skip = nearest_repeat(scale)
        self.shuffle = DepthToSpace(scale)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shuffle(self.body(x) + self.skip(x))
        return out


@register_model("srvgg")
class SRVGGNetCompact(SRModel):
    """``convs`` convs with PReLU between a first and a last one, plus the enlarged input."""

    defaults = {"features": 32, "convs": 32}  # noqa: RUF012
    published = ({"features": 32, "convs": 32}, {"features": 64, "convs": 16})

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        features, convs = int(self.options["features"]), int(self.options["convs"])
        layers: list[nn.Module] = [same_conv(3, features), nn.PReLU(features)]
        for _ in range(convs):
            layers += [same_conv(features, features), nn.PReLU(features)]
        layers.append(same_conv(features, 3 * spec.scale**2))
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Maps N, 3, H, W to N, 3, s*H, s*W."""
        scale = self.spec.scale
        return F.pixel_shuffle(self.body(x), scale) + repeat_nearest(x, scale)

    def deploy(self) -> nn.Module:
        """Last conv in TFLite's order, skip as a fixed 1x1 conv before the shuffle."""
        *layers, head = copy.deepcopy(self.body)
        body = nn.Sequential(*layers, depth_to_space_order(head, self.spec.scale))  # type: ignore[arg-type]
        return _Deploy(body, self.spec.scale).eval()

    def start_at_interpolation(self) -> None:
        """The last conv starts at 0: only the skip is left."""
        nn.init.zeros_(self.body[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.body[-1].bias)  # type: ignore[arg-type]

    def layers(self) -> tuple[Layer, ...]:
        """Every conv between the first and the last is a unit."""
        convs = int(self.options["convs"])
        first = Layer("body.0", (RGB,), "features.0", slopes="body.1")
        last = Layer(f"body.{2 * convs + 2}", (f"features.{convs}",), PIXELS)
        units = [
            Layer(
                f"body.{2 * i}",
                (f"features.{i - 1}",),
                f"features.{i}",
                unit=i - 1,
                slopes=f"body.{2 * i + 1}",
            )
            for i in range(1, convs + 1)
        ]
        return (first, *units, last)

    def pass_through(self, unit: int) -> None:
        """The identity as kernel, and slopes of 1: exact."""
        conv, prelu = self.body[2 * unit + 2], self.body[2 * unit + 3]
        nn.init.dirac_(cast("Tensor", conv.weight))
        nn.init.zeros_(cast("Tensor", conv.bias))
        nn.init.ones_(cast("Tensor", prelu.weight))

    @classmethod
    def detect(cls, state: StateDict) -> ModelSpec | None:
        """``body.N`` with a PReLU after every conv but the last."""
        if "body.0.weight" not in state or "body.1.weight" not in state:
            return None
        if state["body.1.weight"].dim() != 1:
            return None
        last = max(int(key.split(".")[1]) for key in state if key.startswith("body."))
        scale = round((state[f"body.{last}.weight"].shape[0] / 3) ** 0.5)
        features = state["body.0.weight"].shape[0]
        return ModelSpec(cls.arch, scale, {"features": features, "convs": last // 2 - 1})

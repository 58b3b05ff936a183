"""ESPCN, the first network with a sub-pixel convolution.

Source: "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
Convolutional Neural Network" (Shi et al., 2016), on RGB; 26,796 parameters at x2.
"""

import copy
from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from edgesr.errors import UsageError
from edgesr.models.blocks import (
    DepthToSpace,
    bilinear_start,
    depth_to_space_order,
    identity_start,
    same_conv,
)
from edgesr.models.layers import PIXELS, RGB, Layer
from edgesr.models.registry import ModelSpec, Options, SRModel, StateDict, register_model

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


@register_model("espcn")
class ESPCN(SRModel):
    """conv 5x5, conv 3x3, conv 3x3, pixel shuffle.

    The activation leaves no trace in a checkpoint's shapes: the paper's is ``tanh``, the option
    ``activation`` says which was trained.
    """

    defaults = {"features": 64, "hidden": 32, "activation": "relu"}  # noqa: RUF012
    switches = ("activation",)

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        features, hidden = int(self.options["features"]), int(self.options["hidden"])
        name = str(self.options["activation"])
        if name not in _ACTIVATIONS:
            raise UsageError(f"espcn has no activation {name!r}", hint="choose relu or tanh")
        self.conv1 = same_conv(3, features, kernel=5)
        self.conv2 = same_conv(features, hidden)
        self.conv3 = same_conv(hidden, 3 * spec.scale**2)
        self.activation = _ACTIVATIONS[name]()

    def forward(self, x: Tensor) -> Tensor:
        """Maps N, 3, H, W to N, 3, s*H, s*W."""
        x = self.activation(self.conv2(self.activation(self.conv1(x))))
        return F.pixel_shuffle(self.conv3(x), self.spec.scale)

    def deploy(self) -> nn.Module:
        """The same layers, last conv in TFLite's order."""
        conv1, conv2 = copy.deepcopy(self.conv1), copy.deepcopy(self.conv2)
        head = depth_to_space_order(self.conv3, self.spec.scale)
        act1, act2 = copy.deepcopy(self.activation), copy.deepcopy(self.activation)
        layers = {"conv1": conv1, "act1": act1, "conv2": conv2, "act2": act2, "conv3": head}
        shuffle = DepthToSpace(self.spec.scale)
        return nn.Sequential(OrderedDict(layers, shuffle=shuffle)).eval()

    def start_at_interpolation(self) -> None:
        """The image passes two layers unchanged (ReLU keeps [0, 1]); the last one enlarges it."""
        identity_start(self.conv1)
        identity_start(self.conv2)
        bilinear_start(self.conv3, self.spec.scale)

    def layers(self) -> tuple[Layer, ...]:
        """Three convs in a row."""
        return (
            Layer("conv1", (RGB,), "features"),
            Layer("conv2", ("features",), "hidden"),
            Layer("conv3", ("hidden",), PIXELS),
        )

    @classmethod
    def detect(cls, state: StateDict) -> ModelSpec | None:
        """Three convs called conv1 to conv3, or conv_1 to conv_3 as in the public Tanh files."""
        public = "conv_1.weight" in state
        state = cls.adapt(state)
        if set(state) != {f"conv{i}.{part}" for i in (1, 2, 3) for part in ("weight", "bias")}:
            return None
        scale = round((state["conv3.weight"].shape[0] / 3) ** 0.5)
        features, hidden = state["conv1.weight"].shape[0], state["conv2.weight"].shape[0]
        options: Options = {"features": features, "hidden": hidden}
        return ModelSpec(cls.arch, scale, {**options, "activation": "tanh"} if public else options)

    @classmethod
    def adapt(cls, state: StateDict) -> StateDict:
        """conv_1 -> conv1."""
        return {key.replace("conv_", "conv"): value for key, value in state.items()}

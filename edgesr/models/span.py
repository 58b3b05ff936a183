"""SPAN, the swift parameter-free attention network.

Source: "Swift Parameter-free Attention Network for Efficient Super-Resolution" (Wan et al., 2024),
repository hongyuanyu/SPAN; its checkpoints load, with branches or slim.
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from edgesr.models.blocks import DepthToSpace, bilinear_start, depth_to_space_order, same_conv
from edgesr.models.layers import PIXELS, RGB, Layer
from edgesr.models.registry import ModelSpec, SRModel, StateDict, register_model

MEAN = (0.4488, 0.4371, 0.4040)
"""Subtracted from RGB; an attribute of the original, in no state dict."""
RANGE = 255.0
_GAIN = 2


class Conv3XC(nn.Module):
    """A 3x3 conv trained as a sum of two branches: 1x1 -> 3x3 -> 1x1, and 1x1.

    The branches are linear and the original pads before the first 1x1, so their merged 3x3 kernel
    is the same function, at the borders too. It is computed in every forward: gradients and
    results are those of the branches, at the cost of one conv instead of four.

    Args:
        inputs: Channels in.
        outputs: Channels out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.sk = nn.Conv2d(inputs, outputs, 1)
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, inputs * _GAIN, 1),
            nn.Conv2d(inputs * _GAIN, outputs * _GAIN, 3),
            nn.Conv2d(outputs * _GAIN, outputs, 1),
        )

    def merged(self) -> tuple[Tensor, Tensor]:
        """Weight (outputs, inputs, 3, 3) and bias (outputs) of the one equal conv."""
        first, middle, last = (cast("nn.Conv2d", conv) for conv in self.conv)
        w1, w3 = first.weight[:, :, 0, 0], last.weight[:, :, 0, 0]
        weight = torch.einsum("om,mnhw,nc->ochw", w3, middle.weight, w1)
        weight = weight + F.pad(self.sk.weight, (1, 1, 1, 1))
        b1, b2, b3 = (cast("Tensor", conv.bias) for conv in (first, middle, last))
        inner = middle.weight.sum(dim=(2, 3)) @ b1 + b2
        return weight, w3 @ inner + b3 + cast("Tensor", self.sk.bias)

    def assign(self, weight: Tensor, bias: Tensor) -> None:
        """Makes the merged kernel equal ``weight`` and ``bias``, which one branch carries alone.

        The other half of the widened channels keeps its values but counts with 0, so that
        training can make use of it.
        """
        outputs, inputs = weight.shape[:2]
        first, middle, last = (cast("nn.Conv2d", conv) for conv in self.conv)
        with torch.no_grad():
            for unused in (self.sk.weight, self.sk.bias, first.bias, last.bias):
                cast("Tensor", unused).zero_()
            first.weight[:inputs] = torch.eye(inputs)[:, :, None, None]
            middle.weight[:outputs] = 0
            middle.weight[:outputs, :inputs] = weight
            cast("Tensor", middle.bias)[:outputs] = bias
            last.weight.zero_()
            last.weight[:, :outputs] = torch.eye(outputs)[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        """Maps N, inputs, H, W to N, outputs, H, W."""
        weight, bias = self.merged()
        return F.conv2d(x, weight, bias, padding=1)

    def fold(self) -> nn.Conv2d:
        """The merged kernel as a plain conv."""
        weight, bias = self.merged()
        conv = same_conv(weight.shape[1], weight.shape[0])
        conv.weight.data, conv.bias = weight.detach().clone(), nn.Parameter(bias.detach().clone())
        return conv


class SlimConv3XC(nn.Module):
    """The merged conv of a slim checkpoint, under the original's name ``eval_conv``."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.eval_conv = same_conv(inputs, outputs)

    def merged(self) -> tuple[Tensor, Tensor]:
        """Weight (outputs, inputs, 3, 3) and bias (outputs)."""
        return self.eval_conv.weight, cast("Tensor", self.eval_conv.bias)

    def assign(self, weight: Tensor, bias: Tensor) -> None:
        """Sets weight and bias."""
        with torch.no_grad():
            self.eval_conv.weight.copy_(weight)
            cast("Tensor", self.eval_conv.bias).copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        """Maps N, inputs, H, W to N, outputs, H, W."""
        out: Tensor = self.eval_conv(x)
        return out

    def fold(self) -> nn.Conv2d:
        """A copy of the conv."""
        return copy.deepcopy(self.eval_conv)


class SPAB(nn.Module):
    """Three convs whose output gates itself: (out3 + x) * (sigmoid(out3) - 0.5)."""

    def __init__(self, conv: type[nn.Module], features: int) -> None:
        super().__init__()
        self.c1_r = conv(features, features)
        self.c2_r = conv(features, features)
        self.c3_r = conv(features, features)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (output, activated first conv), both N, C, H, W.

        The original's SiLU works in place, so what it concatenates later is the activated
        tensor; public weights need exactly that.
        """
        out1 = F.silu(self.c1_r(x))
        out3 = self.c3_r(F.silu(self.c2_r(out1)))
        return (out3 + x) * (torch.sigmoid(out3) - 0.5), out1


class _Body(nn.Module):
    """Everything between normalisation and shuffle; the same names with and without branches."""

    def __init__(self, conv: type[nn.Module], features: int, cat_channels: int, scale: int) -> None:
        super().__init__()
        self.conv_1 = conv(3, features)
        for i in range(1, 7):
            self.add_module(f"block_{i}", SPAB(conv, features))
        self.conv_cat = nn.Conv2d(4 * features, cat_channels, 1)
        self.conv_2 = conv(features, features)
        self.upsampler = nn.Sequential(same_conv(cat_channels, 3 * scale * scale))

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What ``conv_cat`` reads: four tensors N, features, H, W."""
        first = x = self.conv_1(x)
        after_block_1 = x
        for i in range(1, 7):
            x, out1 = self.get_submodule(f"block_{i}")(x)
            after_block_1 = x if i == 1 else after_block_1
        return first, self.conv_2(x), after_block_1, out1

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_cat(torch.cat(self.branches(x), dim=1))
        out: Tensor = self.upsampler(x)
        return out


class _Join(nn.Module):
    """``conv_cat`` as a sum of four 1x1 convs: the same function without the concatenation.

    In int8 a concatenation forces one scale on tensors whose ranges differ ten times. Measured on
    the 28-feature x4 checkpoint, 64x96, rendered slides: parity 31.3 dB as a sum, 25.2 dB with it.
    """

    def __init__(self, conv_cat: nn.Conv2d) -> None:
        super().__init__()
        features = conv_cat.in_channels // 4
        self.convs = nn.ModuleList()
        for i, weight in enumerate(torch.split(conv_cat.weight.detach(), features, dim=1)):
            conv = nn.Conv2d(features, conv_cat.out_channels, 1, bias=i == 0)
            conv.weight.data = weight.clone()
            self.convs.append(conv)
        cast("Tensor", self.convs[0].bias).data = cast("Tensor", conv_cat.bias).detach().clone()

    def forward(self, branches: tuple[Tensor, ...]) -> Tensor:
        out: Tensor = self.convs[0](branches[0])
        for conv, branch in zip(self.convs[1:], branches[1:], strict=True):
            out = out + conv(branch)
        return out


class _Deploy(nn.Module):
    def __init__(self, body: _Body, scale: int, *, norm: bool) -> None:
        super().__init__()
        self.norm = norm
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))
        self.join = _Join(body.conv_cat)
        del body.conv_cat
        self.body = body
        self.shuffle = DepthToSpace(scale)

    def forward(self, x: Tensor) -> Tensor:
        x = x - cast("Tensor", self.mean) if self.norm else x
        out: Tensor = self.shuffle(self.body.upsampler(self.join(self.body.branches(x))))
        return out


@register_model("span")
class SPAN(SRModel):
    """Six gated blocks; the published sizes have 26, 28, 48 or 52 features.

    Options: ``features``; ``cat_channels``, the width of ``conv_cat`` (0 means ``features``);
    ``norm``, whether mean and range are applied; ``branches``, whether the convs are trained as
    branches.
    """

    defaults = {  # noqa: RUF012
        "features": 48,
        "cat_channels": 0,
        "norm": True,
        "branches": True,
    }
    published = ({"features": 26}, {"features": 28}, {"features": 48}, {"features": 52})
    switches = ("norm",)
    follows = {"cat_channels": "features"}  # noqa: RUF012

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        features = int(self.options["features"])
        cat_channels = int(self.options["cat_channels"]) or features
        conv = Conv3XC if self.options["branches"] else SlimConv3XC
        self.body = _Body(conv, features, cat_channels, spec.scale)

    def forward(self, x: Tensor) -> Tensor:
        """Maps N, 3, H, W to N, 3, s*H, s*W."""
        if self.options["norm"]:
            x = (x - x.new_tensor(MEAN).reshape(1, 3, 1, 1)) * RANGE
        return F.pixel_shuffle(self.body(x), self.spec.scale)

    def deploy(self) -> nn.Module:
        """Merged convs, the range folded into the first conv, last conv in TFLite's order.

        The mean can't be folded: zero padding comes after its subtraction.
        """
        body = copy.deepcopy(self.body)
        for parent in list(body.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, Conv3XC | SlimConv3XC):
                    setattr(parent, name, child.fold())
        if self.options["norm"]:
            cast("nn.Conv2d", body.conv_1).weight.data *= RANGE
        head = cast("nn.Conv2d", body.upsampler[0])
        body.upsampler[0] = depth_to_space_order(head, self.spec.scale)
        return _Deploy(body, self.spec.scale, norm=bool(self.options["norm"])).eval()

    def start_at_interpolation(self) -> None:
        """``conv_cat`` passes three channels of ``conv_1``'s output, which hold the image.

        Three channels of ``conv_1`` become copies of the normalised image, the upsampler undoes
        the normalisation and enlarges bilinearly. Needs branches and mean/range.
        """
        first = self.body.conv_1
        if not isinstance(first, Conv3XC):
            return
        scale = self.spec.scale
        with torch.no_grad():
            last = cast("nn.Conv2d", first.conv[2])
            last.weight[:3] = 0
            cast("Tensor", last.bias)[:3] = 0
            first.sk.weight[:3] = torch.eye(3)[:, :, None, None]
            cast("Tensor", first.sk.bias)[:3] = 0
            self.body.conv_cat.weight[:3] = 0
            self.body.conv_cat.weight[:3, :3, 0, 0] = torch.eye(3)
            cast("Tensor", self.body.conv_cat.bias)[:3] = 0
            head = cast("nn.Conv2d", self.body.upsampler[0])
            bilinear_start(head, scale)
            if self.options["norm"]:
                head.weight /= RANGE
                mean = torch.tensor(MEAN).repeat_interleave(scale * scale)
                cast("Tensor", head.bias).copy_(mean)

    def layers(self) -> tuple[Layer, ...]:
        """The gates multiply channel by channel, so all blocks share the stream's channels."""
        layers = [Layer("body.conv_1", (RGB,), "stream")]
        for i in range(1, 7):
            block, first, second = f"body.block_{i}", f"block_{i}.1", f"block_{i}.2"
            layers.append(Layer(f"{block}.c1_r", ("stream",), first))
            layers.append(Layer(f"{block}.c2_r", (first,), second))
            layers.append(Layer(f"{block}.c3_r", (second,), "stream"))
        joined = ("stream", "after", "stream", "block_6.1")
        layers.append(Layer("body.conv_2", ("stream",), "after"))
        layers.append(Layer("body.conv_cat", joined, "joined"))
        return (*layers, Layer("body.upsampler.0", ("joined",), PIXELS))

    @classmethod
    def detect(cls, state: StateDict) -> ModelSpec | None:
        """By the original's names; sizes from ``conv_cat`` and the upsampler."""
        norm = not any(key.endswith("no_norm") for key in state)
        state = cls.adapt(state)
        if not {"body.conv_cat.weight", "body.upsampler.0.weight"} <= set(state):
            return None
        cat_channels, four_features = state["body.conv_cat.weight"].shape[:2]
        scale = round((state["body.upsampler.0.weight"].shape[0] / 3) ** 0.5)
        return ModelSpec(
            cls.arch,
            scale,
            {
                "features": four_features // 4,
                "cat_channels": cat_channels,
                "norm": norm,
                "branches": any(".sk." in key for key in state),
            },
        )

    @classmethod
    def adapt(cls, state: StateDict) -> StateDict:
        """Adds our prefix; drops the flag ``no_norm``, and ``eval_conv`` where it is derived."""
        branches = any(".sk." in key for key in state)
        return {
            key if key.startswith("body.") else f"body.{key}": value
            for key, value in state.items()
            if not (key.endswith("no_norm") or (branches and ".eval_conv." in key))
        }

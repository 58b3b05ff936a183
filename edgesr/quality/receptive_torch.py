"""How far a PyTorch network looks; apart from `receptive`, which measuring uses without torch."""

from typing import TYPE_CHECKING, Any

from edgesr.quality.receptive import Window, radius

if TYPE_CHECKING:
    from torch import nn


def torch_radius(module: "nn.Module") -> int | None:
    """Radius of a deploy graph made of convolutions and pixelwise operations, in pixels."""
    from torch import nn

    return radius(
        Window(max(_pair(m.kernel_size)), max(_pair(m.dilation)), max(_pair(m.stride)))
        for m in module.modules()
        if isinstance(m, nn.Conv2d)
    )


def _pair(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (int(value),)

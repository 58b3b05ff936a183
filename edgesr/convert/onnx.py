"""Deploy graph -> ONNX, with one DepthToSpace(mode=DCR) where the graph ends."""

import contextlib
import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.errors import ConversionError

if TYPE_CHECKING:
    from torch import Tensor, nn

OPSET = 18
"""The newest that onnx2tf 1.28 knows in full and the lowest that torch's exporter writes."""


def export_onnx(deploy: "nn.Module", path: Path, size: tuple[int, int]) -> None:
    """Writes a deploy graph as ONNX with a fixed input 1, 3, H, W named ``input``.

    Args:
        deploy: What `models.fold.fold` returns; it is not changed.
        path: The .onnx file; its folder exists.
        size: (H, W) of the low-res image.

    Raises:
        ConversionError: When torch can't export it, or the graph does not end in DepthToSpace.
    """
    import torch

    symbol, translation = _depth_to_space_symbol()
    module = _with_symbol(copy.deepcopy(deploy), symbol)
    try:
        with warnings.catch_warnings(), _quiet_exporter():
            warnings.simplefilter("ignore")  # torch warns of its own deprecations
            torch.onnx.export(
                module,
                (torch.zeros(1, 3, *size),),
                str(path),
                dynamo=True,
                custom_translation_table=translation,
                input_names=["input"],
                output_names=["output"],
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise ConversionError(
            f"torch can't export the graph: {str(error).splitlines()[0]}"
        ) from error
    _check_end(path)


def _depth_to_space_symbol() -> tuple[Callable[..., Any], dict[Callable[..., Any], Any]]:
    """An operator that stands for the whole shuffle, and how to write it as ONNX.

    Left to itself the exporter writes RESHAPE, TRANSPOSE of rank 6, RESHAPE.
    """
    import torch
    from onnxscript import opset18

    if not hasattr(torch.ops.edgesr, "depth_to_space"):
        library: Any = torch.library.Library("edgesr", "DEF")  # type: ignore[no-untyped-call]
        library.define("depth_to_space(Tensor x, int block) -> Tensor")

        def shape(x: "Tensor", block: int) -> "Tensor":
            n, channels, height, width = x.shape
            return x.new_empty((n, channels // block**2, height * block, width * block))

        library.impl("depth_to_space", shape, "Meta")
        _KEEP.append(library)

    def translate(x: Any, block: int) -> Any:
        return opset18.DepthToSpace(x, blocksize=block, mode="DCR")

    symbol = torch.ops.edgesr.depth_to_space.default
    return symbol, {symbol: translate}


_KEEP: list[Any] = []
"""A torch library lives as long as its object."""


def _with_symbol(module: "nn.Module", symbol: Callable[..., Any]) -> "nn.Module":
    from torch import nn

    from edgesr.models.blocks import DepthToSpace

    class Symbolic(nn.Module):
        def __init__(self, scale: int) -> None:
            super().__init__()
            self.scale = scale

        def forward(self, x: "Tensor") -> Any:
            return symbol(x, self.scale)

    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, DepthToSpace):
                setattr(parent, name, Symbolic(child.scale))
    return module.eval()


def _check_end(path: Path) -> None:
    import onnx

    nodes = onnx.load(str(path)).graph.node
    if not nodes or nodes[-1].op_type != "DepthToSpace":
        last = nodes[-1].op_type if nodes else "nothing"
        raise ConversionError(f"the deploy graph ends in {last} and not in DepthToSpace")


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silences the exporter's log, which reports torchvision missing at every call."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)

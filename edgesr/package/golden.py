"""A golden pair: what an app has to feed, and what has to come out, to the last pixel or nearly."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.data.images import RgbImage
from edgesr.errors import InputError
from edgesr.package.model import PackedModel, operations, same_values
from edgesr.results.manifest import Variant

SEED = 77
"""Of the slide; no network of ours was trained on it."""

_FLOAT: frozenset[Variant] = frozenset({"fp32", "fp16"})


@dataclass(frozen=True)
class Difference:
    """How far two outputs are apart, absolute; in 255ths of white, or in tensor values."""

    worst: float
    """Of any value."""
    mean: float
    """Over all values: what stays small where only few values are far off."""

    def times(self, factor: float) -> "Difference":
        """Both figures in another unit."""
        return Difference(self.worst * factor, self.mean * factor)

    def or_more(self, other: "Difference") -> "Difference":
        """The larger of each figure."""
        return Difference(max(self.worst, other.worst), max(self.mean, other.mean))


_NEAR = {True: Difference(0.25, 0.02), False: Difference(3.0, 0.25)}
_FAR = {True: Difference(4.0, 0.5), False: Difference(8.0, 1.0)}
"""In 255ths of white, for `_FLOAT` variants and for others."""


@dataclass(frozen=True)
class Golden:
    """The pair, with how far an app's output may be off."""

    picture: RgbImage
    """H, W, 3 RGB, as the app would show it."""
    given: NDArray[Any]
    """The input tensor 1,H,W,3 in the file's type."""
    made: NDArray[Any]
    """The output tensor 1,sH,sW,3 by plain kernels on this machine, one thread."""
    xnnpack: Difference
    """Of XNNPACK's output on this machine, in 255ths of white."""
    steps: dict[str, Difference]
    """``cpu``, ``xnnpack``, ``gpu``, ``nnapi`` -> what is allowed, in 255ths of white."""
    step: float
    """One 255th of white in the output tensor."""

    @property
    def tolerance(self) -> dict[str, Difference]:
        """What is allowed, in values of the output tensor."""
        return {name: allowed.times(self.step) for name, allowed in self.steps.items()}


def make_golden(data: bytes, label: str, variant: Variant) -> Golden:
    """Runs a .tflite on a picture that is always the same for its input size.

    Args:
        data: The file's bytes.
        label: What errors call it.
        variant: Decides about the tolerance.

    Raises:
        InputError: When LiteRT refuses the file, or its output holds NaN or infinity.
    """
    model = PackedModel(data, label)
    picture = golden_picture(model.input.height, model.input.width, model.scale)
    given = model.input.encoding.encode(picture)[None]
    made = model.run(given)
    if not np.isfinite(made).all():
        raise InputError(f"the output of {label} holds NaN or infinity", hint="train it again")
    white = (model.output.encoding.white - model.output.encoding.black) / 255
    by_xnnpack = PackedModel(data, label, plain=False).run(given)
    differs = difference(made, by_xnnpack).times(1 / white)
    return Golden(picture, given, made, differs, tolerance_steps(variant, differs), white)


def tolerance_steps(variant: Variant, measured: Difference) -> dict[str, Difference]:
    """Difference to the golden output that a delegate may have, in 255ths of white.

    Kernels of other processors sum in another order, and integer ones may round ties otherwise. For
    ``xnnpack`` at least twice what it differs on this machine is allowed: kernels that round
    otherwise in each of many integer layers end up far apart in a few values. The GPU computes in
    half precision: its figures, and NNAPI's, are set by hand and measured nowhere.

    Args:
        variant: Of the candidate.
        measured: XNNPACK against plain kernels on this machine, in 255ths of white.
    """
    near = _NEAR[variant in _FLOAT]
    xnnpack = near.or_more(measured.times(2))
    far = _FAR[variant in _FLOAT].or_more(xnnpack)
    return {"cpu": near, "xnnpack": xnnpack, "gpu": far, "nnapi": far}


def difference(one: NDArray[Any], other: NDArray[Any]) -> Difference:
    """Between two tensors of one shape, in their own values."""
    apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
    return Difference(float(apart.max(initial=0.0)), float(apart.mean()))


def check_same(before: bytes, after: bytes, golden: Golden, label: str) -> None:
    """Makes sure that the packaged file computes what the candidate does, bit for bit.

    Args:
        before: The candidate.
        after: The packaged file.
        golden: Made with the candidate.
        label: What errors call it.

    Raises:
        InputError: When it doesn't.
    """
    if operations(before) != operations(after):
        raise InputError(f"{label} has other operations with metadata than without: not packaged")
    if not same_values(golden.made, PackedModel(after, label).run(golden.given)):
        raise InputError(f"{label} gives other values with metadata than without: not packaged")


def golden_picture(height: int, width: int, scale: int) -> RgbImage:
    """The busiest part of a rendered slide, with a block of all colours in a corner.

    Red grows to the right and green downwards there, so swapped channels, rows or columns show.

    Args:
        height: In pixels.
        width: In pixels.
        scale: The slide is made that much smaller, as a network's input is.
    """
    from edgesr.data.images import crop_to_multiple
    from edgesr.data.resize import imresize
    from edgesr.data.slides import render_slide

    slide = imresize(crop_to_multiple(render_slide(SEED, 0).image, scale), 1 / scale)
    picture = _cut(slide, height, width)
    rows, columns = max(2, height // 4), max(2, width // 4)
    red = np.linspace(0, 255, columns)[None, :].repeat(rows, 0)
    green = np.linspace(0, 255, rows)[:, None].repeat(columns, 1)
    block = np.stack([red, green, 255 - red], axis=-1)
    picture[:rows, :columns] = np.floor(block + 0.5)[:height, :width]
    return picture


def _cut(image: RgbImage, height: int, width: int) -> RgbImage:
    """Mirrored at its border where it is too small."""
    missing = [max(0, want - have) for want, have in zip((height, width), image.shape[:2],
                                                         strict=True)]  # fmt: skip
    image = np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    tops, lefts = (
        sorted({0, (have - want) // 2, have - want})
        for want, have in zip((height, width), image.shape[:2], strict=True)
    )
    pieces = [image[t : t + height, left : left + width] for t in tops for left in lefts]
    return max(pieces, key=lambda piece: float(piece.std())).copy()

"""Taking trained weights over to another scale or another size of the same network.

Three methods: ``head`` keeps the body and maps the last conv to another scale, ``copy`` takes the
channels of largest norm, ``fit`` chooses channels by what they contribute and solves every conv for
the source's features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from edgesr.data.images import RgbImage
from edgesr.errors import UsageError
from edgesr.models.layers import read_kernel
from edgesr.models.registry import ModelSpec, SRModel, architectures, build_model
from edgesr.train.transfer.compare import compare
from edgesr.train.transfer.copy import copy_channels
from edgesr.train.transfer.crops import calibration_crops
from edgesr.train.transfer.fit import fit_features
from edgesr.train.transfer.head import resample_head

METHODS = ("head", "copy", "fit")
"""Every method by name."""

_SEED = 0
"""Of weights without a counterpart in the source, and of the crops: equal calls, equal results."""


@dataclass(frozen=True)
class Transferred:
    """A network that starts from another one's weights.

    Attributes:
        model: In eval mode, on the CPU.
        notes: What was done, and how near the start is to the source.
    """

    model: SRModel
    notes: tuple[str, ...]


def transfer(
    source: SRModel, spec: ModelSpec, method: str, calibration: Sequence[RgbImage] = ()
) -> Transferred:
    """Takes weights over.

    Args:
        source: The trained network, on the CPU; it stays as it is.
        spec: The network wanted, of the same architecture. Options that it leaves out are the
            source's.
        method: One of `METHODS`. Where no more than the scale differs, each is ``head``; where
            size and scale differ, ``copy`` and ``fit`` map the scale first.
        calibration: Low-res images (H, W, 3) like those the network is for. ``fit`` needs some;
            ``copy`` tells with them how near the start is to the source.

    Raises:
        UsageError: When method, architecture, scale or an option do not allow it, or nothing
            differs.
        InputError: When the calibration images are too small.
    """
    wanted, method = prepare(source, spec, method)
    if method == "fit" and not calibration:
        raise UsageError("fit needs images to fit on", hint="give some, or use copy")
    if method == "head":
        resample_head(source, wanted)
        return Transferred(wanted, (f"head: {_changes(source, wanted)}",))
    crops = calibration_crops(calibration, _SEED) if calibration else []
    notes = [f"{method}: {_changes(source, wanted)}"]
    reference = source
    if wanted.spec.scale != source.spec.scale:
        body = ModelSpec(wanted.spec.arch, wanted.spec.scale, source.options)
        reference = resample_head(source, _fresh(body))
    if method == "copy":
        copy_channels(reference, wanted)
    else:
        fit_features(reference, wanted, crops)
    return Transferred(wanted, (*notes, *_nearness(source, wanted, crops)))


def prepare(source: SRModel, spec: ModelSpec, method: str) -> tuple[SRModel, str]:
    """Checks what `transfer` is asked for, without doing it.

    Returns:
        The network with fresh weights that depend on nothing but the spec, and the method that
        applies.

    Raises:
        UsageError: As `transfer`.
    """
    if method not in METHODS:
        raise UsageError(f"no transfer is called {method!r}", hint=f"choose {', '.join(METHODS)}")
    if source.spec.quantizer:
        raise UsageError(
            f"the source is quantized by {source.spec.quantizer}, for its own size and scale only",
            hint="take over the float network that it was made from, and quantize the result",
        )
    wanted = _fresh(_complete(source, spec))
    resized = _body(source) != _body(wanted)
    _check(source, wanted)
    if resized and method == "head":
        raise UsageError(
            f"head changes nothing but the scale, and the sizes differ: {_changes(source, wanted)}",
            hint="use fit or copy",
        )
    return wanted, method if resized else "head"


def _complete(source: SRModel, spec: ModelSpec) -> ModelSpec:
    """The spec with the source's options where it has none of its own."""
    if spec.arch not in architectures():
        build_model(spec)  # raises, and names the close ones
    if spec.arch != source.spec.arch:
        raise UsageError(
            f"weights of {source.spec.arch} can't be taken over to {spec.arch}",
            hint="choose another size or scale of the same network",
        )
    given = dict(source.options)
    for size, other in source.follows.items():
        if given[size] == given[other]:
            given[size] = spec.options.get(other, given[other])
    return ModelSpec(spec.arch, spec.scale, {**given, **spec.options})


def _fresh(spec: ModelSpec) -> SRModel:
    """The network with weights that depend on nothing but the spec."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return build_model(spec).eval()


def _check(source: SRModel, wanted: SRModel) -> None:
    if not source.layers():
        able = [name for name, arch in architectures().items() if arch.layers is not SRModel.layers]
        raise UsageError(
            f"weights of {source.spec.arch} can't be taken over", hint=f"able: {', '.join(able)}"
        )
    for switch in source.switches:
        if source.options[switch] != wanted.options[switch]:
            raise UsageError(
                f"the weights were trained with {switch} = {source.options[switch]!r} and mean "
                f"nothing with {wanted.options[switch]!r}",
                hint=f"leave {switch} out",
            )
    if _shapes(source) == _shapes(wanted):
        raise UsageError(
            "source and result have the same size and scale: there is nothing to take over",
            hint="use the checkpoint as it is",
        )


def _body(model: SRModel) -> list[torch.Size]:
    """Shapes of all kernels, without the last one's outputs, which follow the scale."""
    shapes = [read_kernel(model.get_submodule(layer.name))[0].shape for layer in model.layers()]
    return [*shapes[:-1], shapes[-1][1:]] if shapes else []


def _shapes(model: SRModel) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in model.state_dict().items()}


def _changes(source: SRModel, wanted: SRModel) -> str:
    """``x4 -> x2, features 64 -> 32``."""
    before, after = ({"": f"x{m.spec.scale}", **m.options} for m in (source, wanted))
    changed = [
        f"{name} {value} -> {after[name]}".strip()
        for name, value in before.items()
        if value != after[name]
    ]
    return ", ".join(changed)


def _nearness(source: SRModel, student: SRModel, crops: list[RgbImage]) -> list[str]:
    """How near the start is to the source on the images it was made with; nothing without them."""
    if not crops:
        return []
    found = compare(source, student, [(crop, None) for crop in crops])["to_source"]
    near, nearest = found["result"], found["nearest"]
    text = f"the start is {near:.2f} dB from the source's output, nearest {nearest:.2f} dB"
    return [f"on the calibration images {text}"]

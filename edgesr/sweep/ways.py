"""The ways to make a small file of a float checkpoint, by the names that ``--methods`` takes."""

import difflib
from dataclasses import dataclass, field
from typing import Literal

from edgesr.convert.integer import AFTER_TRAINING, IntegerOptions
from edgesr.errors import UsageError
from edgesr.models.fold import fold
from edgesr.models.registry import SRModel
from edgesr.quantize.method import methods
from edgesr.results.manifest import VARIANTS, Variant

Reference = Literal["float", "fp32"]

ALL = "all"
_ENDS: Variant = "int8-io"
"""The form in which integer networks are compared: uint8 pixels, so that no tensor is float."""


@dataclass(frozen=True)
class Way:
    """One row of the table."""

    name: str
    """As ``--methods`` takes it."""
    variant: Variant
    """What the checkpoint, trained or as it is, is converted to."""
    trains: str | None = None
    """Method by which it is trained first, empty for float; None takes the checkpoint as it is."""
    integer: IntegerOptions = field(default_factory=IntegerOptions)
    """How integers are chosen where they are not trained."""

    @property
    def reference(self) -> Reference:
        """The row that its PSNR is compared with.

        What is trained is compared with the float network trained for as many steps, what is not
        with the checkpoint as it is.
        """
        return "fp32" if self.trains is None else "float"


FLOAT = Way("float", "fp32", trains="")
"""The float network, trained for as many steps as the others."""
FP32 = Way("fp32", "fp32")
"""The checkpoint as it is."""
REFERENCES = (FLOAT, FP32)


def known_ways(model: SRModel) -> dict[str, Way]:
    """Every way that a float network can go, by name.

    Args:
        model: The network; only one with PReLUs can leave them in float.
    """
    trained = [Way(name, _ENDS, trains=name) for name in methods() if name != AFTER_TRAINING]
    forms = [Way(variant, variant) for variant in VARIANTS if variant != FP32.name]
    if not _has_prelu(model):
        forms = [way for way in forms if way.name != "int8-island"]
    ways = [*REFERENCES, *trained, Way(AFTER_TRAINING, _ENDS), *forms]
    return {way.name: way for way in ways}


def choose_ways(text: str, model: SRModel) -> tuple[Way, ...]:
    """The ways of a comma list, with the references that they need in front.

    Args:
        text: Names, or ``all``: every way but ``int8-io``, which is the same file as ``ptq``.
        model: The float network.

    Raises:
        UsageError: When the network is quantized already, or a name is not known; close ones are
            given.
    """
    if model.spec.quantizer:
        raise UsageError(
            f"the checkpoint is quantized already, by {model.spec.quantizer}",
            hint="give the float checkpoint that it was trained from",
        )
    known = known_ways(model)
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError("--methods names nothing", hint=f"there are: {ALL}, {', '.join(known)}")
    chosen: dict[str, Way] = {}
    for name in names:
        if name == ALL:
            chosen |= {key: way for key, way in known.items() if key != _ENDS}
        elif name in known:
            chosen[name] = known[name]
        else:
            raise _unknown(name, model, known)
    return with_references(tuple(chosen.values()))


def with_references(ways: tuple[Way, ...]) -> tuple[Way, ...]:
    """The ways, and before them the references that their PSNR is compared with."""
    needed = {way.reference for way in ways}
    references = tuple(way for way in REFERENCES if way.name in needed)
    return references + tuple(way for way in ways if way not in references)


def _unknown(name: str, model: SRModel, known: dict[str, Way]) -> UsageError:
    if name == "int8-island":
        return UsageError(
            f"{model.spec.arch} has no PReLU that could stay float, so there is no {name}",
            hint="ptq is the fully integer file",
        )
    close = difflib.get_close_matches(name, [*known, ALL], n=3)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return UsageError(
        f"no way to quantize is called {name!r}",
        hint=f"{hint}there are: {ALL}, {', '.join(known)}",
    )


def _has_prelu(model: SRModel) -> bool:
    from torch import nn

    return any(isinstance(part, nn.PReLU) for part in fold(model).modules())

"""The registry of networks: names -> classes, specs -> modules."""

import difflib
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.models.layers import Layer

Options = dict[str, int | float | str | bool]
StateDict = Mapping[str, Tensor]

SCALES = (2, 3, 4)


@dataclass(frozen=True)
class ModelSpec:
    """What it takes to build a network.

    Attributes:
        arch: Name in the registry.
        scale: Enlargement ``s``: 2, 3 or 4.
        options: Sizes and switches; those left out take the architecture's defaults.
        quantizer: Name of the method that the network is quantized by; empty for float.
    """

    arch: str
    scale: int
    options: Options = field(default_factory=dict)
    quantizer: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        tree = {"arch": self.arch, "scale": self.scale, "options": dict(self.options)}
        return {**tree, "quantizer": self.quantizer} if self.quantizer else tree

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> "ModelSpec":
        """Inverse of `to_dict`."""
        arch, scale = str(tree["arch"]), int(tree["scale"])
        return cls(arch, scale, dict(tree.get("options", {})), str(tree.get("quantizer", "")))


class SRModel(nn.Module, ABC):
    """Base of all networks: N, 3, H, W in [0, 1] to N, 3, s*H, s*W, not clamped.

    A subclass declares `defaults`, builds its layers from ``self.options`` and says how it is
    recognised and folded.

    Args:
        spec: What to build; a complete copy is kept in ``self.spec``.

    Raises:
        UsageError: When the spec has an option the architecture does not know, a value that is
            none for it, or another scale than 2, 3 or 4.
    """

    arch: ClassVar[str]
    defaults: ClassVar[Options] = {}
    published: ClassVar[tuple[Options, ...]] = ()
    """Options of the sizes people know; empty where the defaults are the only one."""
    switches: ClassVar[tuple[str, ...]] = ()
    """Options that decide what trained weights mean: they stay when weights are taken over."""
    follows: ClassVar[Mapping[str, str]] = {}
    """Sizes that go with another one where they equal it and nothing else is said."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        unknown = sorted(set(spec.options) - set(self.defaults))
        if unknown:
            raise UsageError(
                f"{spec.arch} has no option {unknown[0]!r}",
                hint=f"it has: {', '.join(sorted(self.defaults)) or 'none'}",
            )
        for key, value in spec.options.items():
            if not _fits(value, self.defaults[key]):
                raise UsageError(f"{spec.arch} can't be built with {key} = {value!r}")
        if int(spec.options.get("features", 3)) < 3:
            raise UsageError(f"{spec.arch} needs 3 features or more: one for each colour")
        if spec.scale not in SCALES:
            raise UsageError(f"scale {spec.scale} is not supported", hint="choose 2, 3 or 4")
        self.spec = ModelSpec(spec.arch, spec.scale, {**self.defaults, **spec.options})

    @property
    def options(self) -> Options:
        """All options, defaults filled in."""
        return self.spec.options

    @abstractmethod
    def deploy(self) -> nn.Module:
        """The graph for the phone: a folded copy in eval mode that ends in a `DepthToSpace`."""

    @abstractmethod
    def start_at_interpolation(self) -> None:
        """Sets the weights so that training starts near an interpolated image, not at noise."""

    @classmethod
    @abstractmethod
    def detect(cls, state: StateDict) -> ModelSpec | None:
        """The spec of a state dict of this architecture, read from its shapes; else None."""

    @classmethod
    def adapt(cls, state: StateDict) -> StateDict:
        """Renames a foreign file's keys to ours."""
        return state

    def layers(self) -> tuple[Layer, ...]:
        """Every conv in the order of execution; empty where weights can't be taken over."""
        return ()

    def pass_through(self, unit: int) -> None:
        """Makes a repeated unit hand on its input; networks with units have to say how.

        Raises:
            UsageError: When the network has no such unit.
        """
        raise UsageError(f"{self.spec.arch} has no repeated unit {unit}")


def _fits(value: object, default: object) -> bool:
    """Whether an option is of its default's type and, where that is a count, not below 1.

    A default of 0 stands for "chosen by the network" and allows 0.
    """
    if type(value) is not type(default):
        return False
    if isinstance(value, bool) or not isinstance(value, int):
        return True
    return value >= (1 if default else 0)


ModelT = TypeVar("ModelT", bound=type[SRModel])
_REGISTRY: dict[str, type[SRModel]] = {}


def register_model(name: str) -> Callable[[ModelT], ModelT]:
    """Class decorator that puts an architecture into the registry under ``name``."""

    def register(cls: ModelT) -> ModelT:
        cls.arch = name
        _REGISTRY[name] = cls
        return cls

    return register


def architectures() -> dict[str, type[SRModel]]:
    """All architectures by name. A file in this package that registers one is found by itself."""
    package = importlib.import_module("edgesr.models")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"edgesr.models.{module.name}")
    return dict(sorted(_REGISTRY.items()))


def build_model(spec: ModelSpec) -> SRModel:
    """Builds a network with fresh weights.

    Raises:
        UsageError: When the architecture, an option or the quantizer is not known.
    """
    if spec.quantizer:  # found by name, as architectures are: quantize is built on this package
        quantized = importlib.import_module("edgesr.quantize.network")
        model: SRModel = quantized.QuantizedNetwork(spec)
        return model
    known = architectures()
    if spec.arch not in known:
        close = difflib.get_close_matches(spec.arch, known, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"no network is called {spec.arch!r}", hint=f"{meant}there are: {', '.join(known)}"
        )
    return known[spec.arch](spec)

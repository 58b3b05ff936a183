"""The integer variants: from a trained or an after-training quantized network to checked files."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from edgesr.convert.agreement import check_stored, insist_on_agreement, measure_agreement
from edgesr.convert.quantized import Io, write_quantized
from edgesr.convert.samples import Images, Samples
from edgesr.errors import UsageError
from edgesr.models.registry import SRModel
from edgesr.quantize.compensate import compensate
from edgesr.quantize.mixed import search_mixed
from edgesr.quantize.network import QuantizedNetwork, quantize
from edgesr.quantize.ranges import Finder
from edgesr.quantize.reconstruct import reconstruct
from edgesr.quantize.regrid import regrid
from edgesr.quantize.trial import with_float_weights
from edgesr.results.manifest import Quantization, Variant

Rounding = Literal["nearest", "gptq", "adaround"]

WRITTEN: tuple[Variant, ...] = ("int8", "int8-io", "int8-island", "mixed")
"""What this module writes."""
CALIBRATED: frozenset[Variant] = frozenset({"16x8", *WRITTEN})
"""Variants whose ranges come from images, unless they were trained."""
AFTER_TRAINING = "ptq"
"""The method of a network that was not trained for integers."""
TRAINED: tuple[Variant, ...] = ("int8", "int8-io", "int8-island")
"""What a checkpoint of quantization-aware training can become."""


@dataclass(frozen=True)
class IntegerOptions:
    """How integers are chosen after training."""

    ranges: Finder = "mse"
    """How the range of an activation is found."""
    rounding: Rounding = "gptq"
    """How weights are rounded."""
    io: Io = "uint8"
    """Type of the pixels of ``int8-io``."""
    budget_db: float = 0.2
    """So much PSNR-Y ``mixed`` may lose against float."""

    def __post_init__(self) -> None:
        if not 0 <= self.budget_db < math.inf:
            raise UsageError(
                f"--budget {self.budget_db:g} is below 0 or no number",
                hint="dB of PSNR-Y that may be lost against float, as in --budget 0.2",
            )


@dataclass(frozen=True)
class IntegerFile:
    """One file that has passed the checks of this module."""

    path: Path
    quantization: Quantization


@dataclass(frozen=True)
class Quantized:
    """What is written, and what it was trained as."""

    network: QuantizedNetwork
    """Its weights lie on their grids."""
    trained: QuantizedNetwork | None = None
    """The network before they were put there, where training left them elsewhere."""


def quantized_network(model: SRModel, samples: Samples, options: IntegerOptions) -> Quantized:
    """The network whose integers are written: the trained one, or one made after training."""
    images = nchw(samples.pieces)
    if isinstance(model, QuantizedNetwork):
        trained = model.eval()
        if trained.method.on_grid:
            return Quantized(trained)
        return Quantized(regrid(trained, images), trained)
    network = quantize(model, "ptq", images, options.ranges).eval()
    if options.rounding == "gptq":
        compensate(network, images)
    elif options.rounding == "adaround":
        reconstruct(network, images)
    return Quantized(network)


class IntegerWriter:
    """Writes and checks the integer variants of one checkpoint.

    Args:
        quantized: See `quantized_network`.
        samples: Images for the checks, and for the search of ``mixed``.
        size: (H, W) of the input.
        options: How they are made.
    """

    def __init__(
        self,
        quantized: Quantized,
        samples: Samples,
        size: tuple[int, int],
        options: IntegerOptions,
    ) -> None:
        self.network, self.trained = quantized.network, quantized.trained
        self.samples, self.size, self.options = samples, size, options

    def write(self, variant: Variant, path: Path) -> IntegerFile:
        """Writes one variant.

        Raises:
            UsageError: When the network has no such variant.
            ConversionError: When what was written is not the network, or no mix meets the budget.
        """
        floats = self._floats(variant)
        network = self.network
        if variant == "mixed":  # rounding moved all weights: float layers get theirs back
            network = with_float_weights(network, floats)
        io: Io = self.options.io if variant == "int8-io" else "float32"
        with network.computing(floats=floats):
            data = write_quantized(network, self.size, io)
            check_stored(data, network, variant)
            path.write_bytes(data)
            samples = self.samples
            agreement = measure_agreement(
                path, network, samples.checked, samples.truth, self.trained
            )
            insist_on_agreement(agreement, network, variant)
        trained = network.method.name != AFTER_TRAINING
        about = Quantization(
            method=network.method.name,
            ranges=None if trained else self.options.ranges,
            rounding=None if trained else self.options.rounding,
            off_grid=self.trained is not None,
            float_layers=_labels(network, floats),
            agreement=agreement,
        )
        return IntegerFile(path, about)

    def _floats(self, variant: Variant) -> frozenset[str]:
        """Nodes that stay float in a variant."""
        if variant == "int8-island":
            prelus = frozenset(node.name for node in self.network.nodes if node.op == "prelu")
            if not prelus:
                raise UsageError(
                    f"{self.network.spec.arch} has no PReLU that could stay float",
                    hint="leave --int8-island away; --int8 is the same network",
                )
            return prelus
        return self._mix() if variant == "mixed" else frozenset()

    def _mix(self) -> frozenset[str]:
        samples = self.samples
        if samples.pieces_truth is None:
            raise UsageError(
                "--mixed weighs PSNR against the truth, and these images have none",
                hint="give a pairs.csv as --calibration, or leave it away for rendered slides",
            )
        images, truth = nchw(samples.pieces), nchw(samples.pieces_truth)
        return search_mixed(self.network, images, truth, self.options.budget_db).nodes


def _labels(network: QuantizedNetwork, floats: frozenset[str]) -> tuple[str, ...]:
    """What people call the layers that stay float."""
    layers = (node for node in network.nodes if node.op in ("conv", "prelu"))
    return tuple(node.label for node in layers if node.name in floats)


def nchw(images: Images) -> Tensor:
    """N, H, W, C as numpy has it to N, C, H, W."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

"""``manifest.json``: what a candidate is, where it came from and how faithful it is."""

import json
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgesr.errors import StoreError

SCHEMA = 1

Variant = Literal["fp32", "fp16", "dynamic", "16x8", "int8", "int8-io", "int8-island", "mixed"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class ModelInfo(_Part):
    """The network that was converted."""

    arch: str
    """Registry name, for example ``elsr``."""
    scale: int
    parameters: int
    """Parameters of the deploy graph."""
    macs: int
    """Multiply-accumulates of one inference at the candidate's input size."""
    options: dict[str, int | float | str | bool] = Field(default_factory=dict)


class TensorInfo(_Part):
    """One input or output tensor of the .tflite."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """``float32``, ``uint8`` or ``int8``."""
    layout: str = "NHWC"
    range: tuple[float, float]
    """Values that black and white have in this tensor: (0, 1) for float RGB, (0, 255) for uint8."""
    scale: float | None = None
    """Quantization scale, None for float tensors."""
    zero_point: int | None = None


class Parity(_Part):
    """How far the candidate's pixels are from the checkpoint's, on real images."""

    psnr_db: float | None
    """Over all compared values, peak 1.0; None means that not one value differs."""
    max_abs: float
    """Largest absolute difference, on the scale 0..1."""
    floor_db: float
    """What the variant must reach."""
    images: int
    source: str
    """Which images were compared."""


class Coverage(_Part):
    """Nodes that a delegate is expected to take, from the rules in `convert.lint`."""

    nodes_total: int
    nodes_delegated: int
    partitions: int
    """Delegated and left-over pieces together, as benchmark_model counts them."""
    refused: dict[str, str] = Field(default_factory=dict)
    """Operation name -> why the delegate refuses it."""


class Agreement(_Part):
    """How far an integer file is from the quantized network that it was written from."""

    equal: float
    """Share of the output values that are the same 255th."""
    max_steps: int
    """Largest difference in 255ths."""
    psnr_db: float | None = None
    """Of the file against the network, over all values; None where not one differs."""
    psnr_y: float | None
    """dB of the file against the truth; None where the images have none."""
    network_psnr_y: float | None
    """dB of the network, computed in float with the file's integers."""
    grid_loss_db: float | None = None
    """What the int8 grid costs a method whose own levels don't lie on it (APoT); else None."""
    images: int


class Quantization(_Part):
    """How a candidate came to its integers."""

    method: str
    """Of quantization-aware training, or ``ptq``: after training."""
    ranges: str | None = None
    """How activation ranges were found: ``minmax``, ``percentile``, ``mse``; None where trained."""
    rounding: str | None = None
    """How weights were rounded: ``nearest``, ``gptq``, ``adaround``; None where trained."""
    off_grid: bool = False
    """Whether the trained weights were moved, because their levels lie on no int8 grid."""
    float_layers: tuple[str, ...] = ()
    """Convs and PReLUs that stayed float."""
    agreement: Agreement


class Source(_Part):
    """Where the weights came from."""

    checkpoint: str
    """File name."""
    sha256: str


class Manifest(_Part):
    """Everything known about a candidate before it is measured."""

    schema_version: int = Field(default=SCHEMA, alias="schema")
    id: str
    """Sha256 of the .tflite's bytes."""
    name: str
    """What people call it: checkpoint stem, input size, variant."""
    variant: Variant
    size_bytes: int
    model: ModelInfo
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    parity: Parity
    ops: dict[str, int]
    """Operation name -> count."""
    coverage: dict[str, Coverage]
    """Delegate -> what it is expected to take."""
    source: Source
    calibration: str | None = None
    """Which images calibrated the integer ranges; None where there are none."""
    quantization: Quantization | None = None
    """Of the variants that edgesr quantizes itself; None for the others."""
    notes: tuple[str, ...] = ()
    """What a user should know about this candidate, one line each."""
    tools: dict[str, str]
    """Package -> version used."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    @property
    def short_id(self) -> str:
        """The twelve characters that name the candidate's folder."""
        return self.id[:12]

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def read_manifest(path: Path) -> Manifest:
    """Reads a ``manifest.json``.

    Raises:
        StoreError: When it is missing, damaged, or of a newer schema.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        found = tree.get("schema") if isinstance(tree, dict) else None
        if isinstance(found, int) and found > SCHEMA:
            raise StoreError(
                f"{path} has schema {found}, this edgesr reads up to {SCHEMA}",
                hint="install a newer edgesr",
            )
        return Manifest.model_validate(tree)
    except OSError as error:
        raise StoreError(f"can't read {path}: {error.strerror or error}") from error
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(
            f"{path} is damaged: {reason}", hint="convert the checkpoint again"
        ) from error

"""A candidate -> the files that an app or a hub gets, checked before any of them is shown."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from edgesr.data.images import write_png
from edgesr.files import read_errors
from edgesr.package.card import card_text
from edgesr.package.choice import Asked, decide
from edgesr.package.content import About, Content
from edgesr.package.contract import FILE as CONTRACT
from edgesr.package.contract import contract_text
from edgesr.package.golden import check_same, make_golden
from edgesr.package.kotlin import FILE as KOTLIN
from edgesr.package.kotlin import kotlin_source
from edgesr.package.measured import measurements
from edgesr.package.metadata import ModelNotes, TensorNotes, add_notes, min_runtime
from edgesr.package.model import PackedModel, Picture
from edgesr.package.text import one_line
from edgesr.quality.receptive import tflite_radius
from edgesr.quality.tiling import UNKNOWN_OVERLAP
from edgesr.results.manifest import Manifest
from edgesr.results.store import Workspace
from edgesr.select.store import read_selection

CARD = "MODEL_CARD.md"


@dataclass(frozen=True)
class PackageRequest:
    """What to package, and how it may be chosen."""

    candidate: str
    """Id prefix, name, folder or .tflite path."""
    asked: Asked
    about: About
    run: str | None = None
    """Where measured values come from; None takes the runs of the selection."""


def prepare(workspace: Workspace, request: PackageRequest) -> Content:
    """Decides, adds metadata, and makes sure that the file computes what it did.

    Raises:
        UsageError: When the candidate was not selected, and nothing forces it.
        InputError: When it is not the file that its manifest describes, or can't be run.
        StoreError: When selection or runs are damaged.
    """
    candidate = workspace.candidate(request.candidate)
    candidate.check()
    manifest, selection = candidate.manifest, read_selection(workspace)
    measured = measurements(workspace, manifest, selection, request.run)
    decision = decide(selection, manifest, request.asked, measured.jobs)
    with read_errors(candidate.path):
        data = candidate.path.read_bytes()
    label = one_line(manifest.name)
    golden = make_golden(data, label, manifest.variant)
    model = PackedModel(data, label)
    packed = add_notes(data, _notes(manifest, request.about, model))
    check_same(data, packed, golden, label)
    radius = tflite_radius(candidate.path)
    return Content(
        manifest=manifest,
        about=request.about,
        decision=decision,
        measured=measured,
        tflite=packed,
        sha256=hashlib.sha256(packed).hexdigest(),
        min_runtime=min_runtime(packed),
        model=model,
        golden=golden,
        overlap=(UNKNOWN_OVERLAP, False) if radius is None else (radius, True),
    )


def write_files(content: Content, folder: Path, card: str = CARD) -> tuple[Path, ...]:
    """Writes all files of a package into a folder that is there.

    Args:
        content: From `prepare`.
        folder: Where to; a reader must not see it before this returns.
        card: File name of the model card.

    Returns:
        The files, by name.
    """
    golden, pictures = content.golden, (content.model.input, content.model.output)
    kotlin = kotlin_source(
        content.folder, content.sha256, pictures, content.decision.default, golden.tolerance
    )
    (folder / "model.tflite").write_bytes(content.tflite)
    (folder / CONTRACT).write_text(contract_text(content), encoding="utf-8")
    (folder / KOTLIN).write_text(kotlin, encoding="utf-8")
    (folder / card).write_text(card_text(content), encoding="utf-8")
    write_png(folder / "golden-input.png", golden.picture)
    (folder / "golden-input.bin").write_bytes(golden.given.tobytes())
    (folder / "golden-output.bin").write_bytes(golden.made.tobytes())
    return tuple(sorted(path for path in folder.iterdir() if path.is_file()))


def _notes(manifest: Manifest, about: About, model: PackedModel) -> ModelNotes:
    size = f"{model.input.width}x{model.input.height}"
    return ModelNotes(
        name=one_line(manifest.name),
        description=one_line(
            f"Enlarges RGB pictures of {size} pixels by {model.scale}: {manifest.model.arch},"
            f" {manifest.variant}, from {manifest.source.checkpoint}."
        ),
        version=manifest.short_id,
        author=one_line(about.author),
        licence=one_line(about.licence),
        inputs=(_tensor_notes("image", model.input, given=True),),
        outputs=(_tensor_notes("enlarged", model.output, given=False),),
    )


def _tensor_notes(name: str, picture: Picture, *, given: bool) -> TensorNotes:
    """Mean and std lead from bytes to real values for an input, back for an output."""
    black, white = picture.encoding.black, picture.encoding.white
    to_real = 255 / picture.real_white
    plain = picture.encoding.dtype.kind != "f" and picture.scale is None
    offset = -black if plain else 0.0  # without quantization the bytes themselves are shifted
    return TensorNotes(
        name=name,
        description=(
            f"{picture.width}x{picture.height} RGB, NHWC, {picture.dtype}:"
            f" black {black:g}, white {white:g}"
        ),
        mean=(offset,) if given else (black if plain else 0.0,),
        std=(to_real,) if given else (1 / to_real,),
        low=(black,),
        high=(white,),
    )

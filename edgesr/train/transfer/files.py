"""A checkpoint taken over to another checkpoint, with figures about the start."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgesr import __version__
from edgesr.errors import UsageError
from edgesr.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgesr.models.registry import ModelSpec, Options
from edgesr.quality.metrics import PROTOCOL
from edgesr.train.transfer.compare import Figures, compare
from edgesr.train.transfer.images import Progress, made_images, source_images
from edgesr.train.transfer.method import prepare, transfer


@dataclass(frozen=True)
class TransferRequest:
    """What to take over, and how."""

    source: Path
    """A checkpoint, or the name of a bundled one."""
    out: Path
    """The checkpoint to write."""
    arch: str | None = None
    """Network of the result, which has to be the source's; None takes that."""
    scale: int | None = None
    """Of the result; None keeps the source's."""
    options: Options = field(default_factory=dict)
    """Sizes of the result; those left out are the source's."""
    method: str = "fit"
    """One of `METHODS`; ``head`` is taken where no more than the scale differs."""
    data: Sequence[str] = ()
    """Sources of images, as in a training config; empty takes slides and textures made here."""


@dataclass(frozen=True)
class TransferOutcome:
    """What came out.

    Attributes:
        source: What the weights come from.
        result: What was written.
        method: What was used.
        notes: What was assumed and done.
        figures: Of `compare` on images that were not fitted on.
    """

    source: ModelSpec
    result: ModelSpec
    method: str
    notes: tuple[str, ...]
    figures: Figures

    @property
    def better_than_nearest(self) -> bool:
        """Whether training starts above the plainest enlargement there is."""
        truth = self.figures["to_truth"]
        return truth["result"] > truth["nearest"]


def transfer_checkpoint(
    request: TransferRequest, progress: Progress | None = None
) -> TransferOutcome:
    """Takes a checkpoint over and writes the result with its provenance.

    Args:
        request: What and how.
        progress: Told about every image.

    Raises:
        UsageError: When the request makes no sense; see `transfer`.
        InputError: When checkpoint or images can't be read.
        StoreError: When the result can't be written.
    """
    checkpoint = _load(request)
    if request.out.exists() and request.out.samefile(checkpoint.path):
        raise UsageError("source and result are the same file", hint="name another file to write")
    source = checkpoint.model
    scale = request.scale or source.spec.scale
    spec = ModelSpec(request.arch or source.spec.arch, scale, request.options)
    _, method = prepare(source, spec, request.method)  # tells before images are made
    made = source_images(request.data, scale, progress) if request.data else None
    images = made or made_images(scale, progress)
    done = transfer(source, spec, method, [lr for lr, _ in images.fit])
    figures = compare(source, done.model, images.judge)
    about = {
        "transfer": {
            "method": method,
            "source": checkpoint.path.name,
            "source_sha256": checkpoint.sha256,
            "source_spec": source.spec.to_dict(),
            "images": list(request.data) or ["slides", "textures"],
            "protocol": PROTOCOL["name"],
            **figures,
        },
        "versions": {"edgesr": __version__},
    }
    save_checkpoint(request.out, done.model, about)
    notes = checkpoint.notes + done.notes
    return TransferOutcome(source.spec, done.model.spec, method, notes, figures)


def _load(request: TransferRequest) -> Checkpoint:
    """The source; an option that its shapes don't tell is taken from the request."""
    checkpoint = load_checkpoint(request.source)
    told = {
        name: request.options[name]
        for name in checkpoint.model.switches
        if name in request.options and any(note.startswith(name) for note in checkpoint.notes)
    }
    return load_checkpoint(request.source, options=told) if told else checkpoint

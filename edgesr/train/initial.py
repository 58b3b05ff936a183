"""Where a stage's weights start: interpolation, a checkpoint, or the stage before."""

from collections.abc import Callable, Mapping, Sequence

from edgesr.data.images import RgbImage
from edgesr.errors import ConfigError
from edgesr.models.checkpoint import load_checkpoint
from edgesr.models.registry import SRModel, build_model
from edgesr.train.config import StageConfig
from edgesr.train.transfer.method import transfer

_FORMER = "stage:"


def initial_model(
    stage: StageConfig,
    results: Mapping[str, SRModel],
    calibration: Callable[[], Sequence[RgbImage]],
    note: Callable[[str], None],
) -> SRModel:
    """The network that a stage begins with, on the CPU, in train mode.

    Args:
        stage: The stage.
        results: Results of the stages before it, by name and in order.
        calibration: Low-res images (H, W, 3) for a transfer to look at.
        note: Told what a transfer did.

    Raises:
        EdgesrError: When the checkpoint can't be loaded or does not fit.
    """
    source = _source(stage, results)
    if source is None:
        model = build_model(stage.model.spec())
        model.start_at_interpolation()
        return model.train()
    wanted = stage.model
    if wanted.transfer == "none":
        _insist(stage, source)
        return source.train()
    images = () if wanted.transfer == "head" else calibration()
    transferred = transfer(source, wanted.spec(), wanted.transfer, images)
    for line in transferred.notes:
        note(f"{stage.name}: {line}")
    return transferred.model.train()


def _source(stage: StageConfig, results: Mapping[str, SRModel]) -> SRModel | None:
    """The network whose weights are taken; a copy, so that results stay as they are."""
    wanted = stage.model
    if wanted.weights is None or wanted.weights.startswith(_FORMER):
        if not results:
            return None
        name = (wanted.weights or "").removeprefix(_FORMER) or list(results)[-1]
        model = build_model(results[name].spec)
        model.load_state_dict(results[name].state_dict())
        return model
    exact = wanted.transfer == "none"
    return load_checkpoint(
        wanted.weights,
        arch=wanted.arch,
        scale=wanted.scale if exact else None,
        options=dict(wanted.options) if exact else None,
    ).model


def _insist(stage: StageConfig, source: SRModel) -> None:
    """Raises where a former stage's result is of another size than the stage asks for."""
    full = build_model(stage.model.spec()).spec
    asked = {key: full.options[key] for key in stage.model.options}
    found = {key: source.spec.options[key] for key in stage.model.options}
    if (full.arch, full.scale, asked) != (source.spec.arch, source.spec.scale, found):
        raise ConfigError(
            f"stage {stage.name} wants {full.arch} x{full.scale} {asked or ''}".rstrip()
            + f", its weights are {source.spec.arch} x{source.spec.scale}",
            hint='take them over with transfer = "head" (other scale) or "fit" (other size)',
        )

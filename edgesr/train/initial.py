"""Where a stage's weights start: interpolation, a checkpoint, or the stage before."""

from collections.abc import Callable, Mapping

from edgesr.errors import ConfigError
from edgesr.models.checkpoint import load_checkpoint
from edgesr.models.registry import SRModel, build_model
from edgesr.quantize.network import quantize
from edgesr.train.calibration import Calibration
from edgesr.train.config import StageConfig
from edgesr.train.transfer.method import transfer

_FORMER = "stage:"


def initial_model(
    stage: StageConfig,
    results: Mapping[str, SRModel],
    calibration: Calibration,
    note: Callable[[str], None],
) -> SRModel:
    """The network that a stage begins with, on the CPU, in train mode.

    Args:
        stage: The stage.
        results: Results of the stages before it, by name and in order.
        calibration: Low-res images for a transfer and a quantizer to look at.
        note: Told what a transfer did.

    Raises:
        EdgesrError: When the checkpoint can't be loaded or does not fit.
    """
    method = stage.quantize.method
    source = _source(stage, results)
    if source is None:
        if method:
            raise _nothing_to_quantize(stage)
        model = build_model(stage.model.spec())
        model.start_at_interpolation()
        return model.train()
    _insist_kind(stage, source)
    if stage.model.transfer == "none":
        _insist_size(stage, source)
        model = source
    else:
        model = _transferred(stage, source, calibration, note)
    if not method or model.spec.quantizer:
        return model.train()
    images = calibration.crops(stage.quantize.calibration)
    return quantize(model, method, images, stage.quantize.ranges).train()


def _transferred(
    stage: StageConfig,
    source: SRModel,
    calibration: Calibration,
    note: Callable[[str], None],
) -> SRModel:
    wanted = stage.model
    images = () if wanted.transfer == "head" else calibration.images()
    transferred = transfer(source, wanted.spec(), wanted.transfer, images)
    for line in transferred.notes:
        note(f"{stage.name}: {line}")
    return transferred.model


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


def _nothing_to_quantize(stage: StageConfig) -> ConfigError:
    return ConfigError(
        f"stage {stage.name}: {stage.quantize.method} trains a network for 8 bits that was "
        "trained in float, and model.weights names none",
        hint=f"name its checkpoint: --set stage.{stage.name}.model.weights=FILE",
    )


def _insist_kind(stage: StageConfig, source: SRModel) -> None:
    """Raises where weights are quantized otherwise than the stage asks for."""
    found, wanted = source.spec.quantizer, stage.quantize.method
    if found in ("", wanted):
        return
    wants = f"quantizes by {wanted}" if wanted else "trains in float"
    raise ConfigError(
        f"stage {stage.name} {wants}, its weights are quantized by {found} already",
        hint="start from the float network that they were made from, or go on as they are: "
        f"--set stage.{stage.name}.quantize.method={found}",
    )


def _insist_size(stage: StageConfig, source: SRModel) -> None:
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

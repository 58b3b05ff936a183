"""``edgesr train``: config -> checkpoints."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgesr.cli._session import JsonOption, Session, verb, wait_passively

if TYPE_CHECKING:
    from edgesr.train.loop import StageResult, TrainResult


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    config: Annotated[Path | None, typer.Argument(help="TOML file.", show_default=False)] = None,
    *,
    recipe: Annotated[
        str, typer.Option(help="A config that ships with edgesr; --recipe list names them.")
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="a.b=value", help="Changes one key; stage.*.train.epochs=1 in all."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Default: WORKSPACE/train/NAME.")] = None,
    resume: Annotated[
        bool, typer.Option(help="Continue from the newest whole checkpoint.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option(help="Check data, one batch and memory; write nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train or fine-tune a network from a config or a recipe.

    A config is a TOML file; paths in it are relative to the current folder. Writes best_model.pt
    (by train.select), best_loss_model.pt, best_ocr_model.pt, last_model.pt,
    checkpoint_epoch_NNN.pt, metrics.csv, pictures and TensorBoard's files. Runs under torchrun
    on many GPUs or machines.
    """
    wait_passively()
    from edgesr.errors import Interrupted, UsageError
    from edgesr.train.config import load_training_config, recipe_path, recipes

    if recipe == "list":
        session.terminal.table("recipes", ["recipe", "what it is"], list(recipes().items()))
        return
    if (config is None) == (not recipe):
        raise UsageError("give either a config file or --recipe NAME")
    path = config or recipe_path(recipe)
    loaded = load_training_config(path, tuple(settings or ()))

    from edgesr.train.loop import TrainRequest, train

    folder = out or session.workspace / "train" / path.stem
    request = TrainRequest(loaded, folder, resume=resume, dry_run=dry_run)
    try:
        with session.terminal.progress() as tick:
            result = train(request, tick, session.terminal.note)
    except KeyboardInterrupt:
        kept = (folder / "last_model.pt").is_file()
        hint = "go on with the same call and --resume" if kept else "nothing was trained yet"
        raise Interrupted("interrupted", hint=hint) from None
    if int(os.environ.get("RANK", "0")) == 0:  # torchrun's other processes have nothing to say
        _show(session, result, as_json=as_json, dry_run=dry_run)


def _show(session: Session, result: "TrainResult", *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        session.terminal.json(_document(result))
    elif dry_run:
        for stage in result.stages:
            session.terminal.print(_planned(stage))
    else:
        for stage in result.stages:
            session.terminal.print(_trained(stage))
        session.terminal.note(f"next: edgesr convert {result.last.best} --all")


def _document(result: "TrainResult") -> dict[str, object]:
    from dataclasses import asdict

    stages = [
        {**asdict(stage), "best": str(stage.best) if stage.best else None}
        for stage in result.stages
    ]
    return {**stages[-1], "stages": stages, "notes": list(result.notes)}


def _planned(stage: "StageResult") -> str:
    seconds = stage.seconds_per_step or 0.0
    return (
        f"{stage.name}: ok, {stage.parameters:,} parameters, {stage.images} images, starts at "
        f"{stage.start.psnr_y:.3f} dB; {stage.steps} steps, the first took {seconds:.2f} s; "
        f"memory so far {stage.memory_mb or 0:.0f} MB"
    )


def _trained(stage: "StageResult") -> str:
    assert stage.end  # noqa: S101 - only a dry run has none
    text = (
        f"{stage.name}: {stage.best}: {stage.end.psnr_y:.3f} dB PSNR-Y on the validation images "
        f"(start {stage.start.psnr_y:.3f} dB)"
    )
    if stage.end.cer is not None and stage.start.cer is not None:
        text += f", CER {stage.end.cer:.4f} (start {stage.start.cer:.4f})"
    if stage.end == stage.start:
        text += "; no epoch was better than the start, whose weights it holds"
    return text

"""``edgesr train``: config -> checkpoints."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgesr.cli._session import JsonOption, Session, verb, wait_passively

if TYPE_CHECKING:
    from edgesr.train.loop import StagePlan, StageResult, TrainResult


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
        if as_json:
            session.terminal.json({"recipes": recipes()})
        else:
            session.terminal.table("recipes", ["recipe", "what it is"], list(recipes().items()))
        return
    if (config is None) == (not recipe):
        raise UsageError("give either a config file or --recipe NAME")
    path = config or recipe_path(recipe)
    loaded = load_training_config(path, tuple(settings or ()))

    from edgesr.train.loop import Trainer, TrainRequest

    folder = out or session.workspace / "train" / path.stem
    try:
        with session.terminal.progress() as tick:
            request = TrainRequest(loaded, folder, resume=resume)
            trainer = Trainer(request, session.terminal.note, tick)
            done = trainer.plan() if dry_run else trainer.run()
    except KeyboardInterrupt:
        kept = (folder / "last_model.pt").is_file()
        hint = "go on with the same call and --resume" if kept else "nothing was trained yet"
        raise Interrupted("interrupted", hint=hint) from None
    if int(os.environ.get("RANK", "0")) == 0:  # torchrun's other processes have nothing to say
        _show(session, done, as_json=as_json)


def _show(session: Session, done: "TrainResult | tuple[StagePlan, ...]", *, as_json: bool) -> None:
    if isinstance(done, tuple):
        if as_json:
            session.terminal.json({"stages": [asdict(plan) for plan in done]})
        else:
            for plan in done:
                session.terminal.print(_planned(plan))
    elif as_json:
        stages = [{**asdict(stage), "best": str(stage.best)} for stage in done.stages]
        session.terminal.json({**stages[-1], "stages": stages, "notes": list(done.notes)})
    else:
        for stage in done.stages:
            session.terminal.print(_trained(stage))
        session.terminal.note(f"next: edgesr convert {done.last.best} {_variants(done.last)}")


def _variants(stage: "StageResult") -> str:
    return "--int8" if stage.quantizer else "--all"


def _planned(plan: "StagePlan") -> str:
    return (
        f"{plan.name}: ok, {plan.parameters:,} parameters, {plan.images} images, starts at "
        f"{plan.start.psnr_y:.3f} dB; {plan.steps} steps, the first took "
        f"{plan.seconds_per_step:.2f} s; memory so far {plan.memory_mb:.0f} MB"
    )


def _trained(stage: "StageResult") -> str:
    text = (
        f"{stage.name}: {stage.best}: {stage.end.psnr_y:.3f} dB PSNR-Y on the validation images "
        f"(start {stage.start.psnr_y:.3f} dB)"
    )
    if stage.end.cer is not None and stage.start.cer is not None:
        text += f", CER {stage.end.cer:.4f} (start {stage.start.cer:.4f})"
    if stage.end == stage.start:
        text += "; no epoch was better than the start, whose weights it holds"
    return text

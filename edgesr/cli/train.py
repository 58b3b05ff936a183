"""``edgesr train``: config -> checkpoints."""

from pathlib import Path
from typing import Annotated

import typer

from edgesr.cli._session import JsonOption, Session, verb


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    config: Annotated[Path | None, typer.Argument(help="TOML file.", show_default=False)] = None,
    *,
    recipe: Annotated[str, typer.Option(help="A config that ships with edgesr.")] = "",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="a.b=value", help="Changes one key.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Default: WORKSPACE/train/NAME.")] = None,
    resume: Annotated[bool, typer.Option(help="Continue from last_model.pt.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Check data and one batch, write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train or fine-tune a network from a config or a recipe.

    A config is a TOML file; paths in it are relative to the current folder. Writes
    best_model.pt (PSNR), best_loss_model.pt (L1), last_model.pt and metrics.csv.
    """
    from dataclasses import asdict

    from edgesr.errors import Interrupted, UsageError
    from edgesr.train.config import load_training_config, recipe_path

    if (config is None) == (not recipe):
        raise UsageError("give either a config file or --recipe NAME")
    path = config or recipe_path(recipe)
    loaded = load_training_config(path, tuple(settings or ()))

    from edgesr.train.loop import TrainRequest, train

    folder = out or session.workspace / "train" / path.stem
    request = TrainRequest(loaded, folder, resume=resume, dry_run=dry_run)
    try:
        with session.terminal.progress() as tick:
            result = train(request, tick)
    except KeyboardInterrupt:
        kept = (folder / "last_model.pt").is_file()
        hint = "go on with the same call and --resume" if kept else "not one epoch was finished"
        raise Interrupted("interrupted", hint=hint) from None
    if as_json:
        session.terminal.json({**asdict(result), "best": str(result.best)})
    elif dry_run:
        session.terminal.print(
            f"ok: {result.parameters:,} parameters, starts at {result.start.psnr_y:.3f} dB"
        )
    else:
        session.terminal.print(
            f"{result.best}: {result.end.psnr_y:.3f} dB PSNR-Y on the validation images "
            f"(start {result.start.psnr_y:.3f} dB)"
        )
        if result.end.psnr_y <= result.start.psnr_y:
            session.terminal.note(
                "no epoch was better than the start: best_model.pt holds the weights it began with"
            )
        session.terminal.note(f"next: edgesr convert {result.best} --all")

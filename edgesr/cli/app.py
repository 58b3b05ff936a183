"""The table of contents: every verb of ``edgesr``."""

from typing import Annotated

import typer

from edgesr import __version__
from edgesr.cli import (
    bench,
    compare,
    convert,
    data,
    demo,
    devices,
    doctor,
    evaluate,
    inspect,
    models,
    ocr,
    package,
    parse,
    publish,
    quantize_report,
    report,
    runs,
    select,
    sweep,
    train,
    transfer,
    upscale,
)
from edgesr.cli._session import DebugOption, QuietOption, WorkspaceOption, options_before_verb

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich help would be imported whole at every --help
)


def _show_version(show: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if show:
        typer.echo(f"edgesr {__version__}")
        raise typer.Exit


@app.callback()
def main(
    workspace: WorkspaceOption = None,
    *,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Which super-resolution model file, on which delegate, for which phone, and why.

    images -> data -> train -> convert -> bench -> report -> select -> package
    """
    options_before_verb(workspace, quiet=quiet, debug=debug)


app.command("demo")(demo.command)
app.command("models")(models.command)
app.add_typer(data.app, name="data")
app.command("train")(train.command)
app.command("transfer")(transfer.command)
app.command("eval")(evaluate.command)
app.command("convert")(convert.command)
app.command("sweep")(sweep.command)
app.command("quantize-report")(quantize_report.command)
app.command("inspect")(inspect.command)
app.add_typer(ocr.app, name="ocr")
app.add_typer(devices.app, name="devices")
app.command("doctor")(doctor.command)
app.command("bench")(bench.command)
app.command("parse")(parse.command)
app.command("report")(report.command)
app.add_typer(runs.app, name="runs")
app.command("compare")(compare.command)
app.command("select")(select.command)
app.command("package")(package.command)
app.command("publish")(publish.command)
app.command("upscale")(upscale.command)

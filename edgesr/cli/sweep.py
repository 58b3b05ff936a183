"""``edgesr sweep``: every way to quantize a checkpoint, in one table."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgesr.cli._network import ActivationOption, network_options
from edgesr.cli._session import JsonOption, Session, verb, wait_passively
from edgesr.cli.convert import parse_size
from edgesr.errors import AllJobsFailedError, SomeJobsFailedError, UsageError

if TYPE_CHECKING:
    from edgesr.sweep.run import SweepResult
    from edgesr.sweep.table import Row, Table


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CKPT", help="A float .pt or .pth file, or a bundled checkpoint's name."
        ),
    ],
    *,
    methods: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Trained: adaround, apot, dorefa, lsq, pact, ste; after training: ptq, fp16, "
            "dynamic, 16x8, int8, int8-io, int8-island, mixed; or all that the network can have.",
        ),
    ] = "all",
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV|DIR",
            help="To train on and to calibrate with: a pairs.csv or a folder of large images "
            "(default: rendered slides).",
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV|DIR", help="To be judged by, likewise (default: other rendered slides)."
        ),
    ] = None,
    steps: Annotated[
        int, typer.Option(min=1, help="Of every training, that of the float reference too.")
    ] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Of every training.")] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="a.b=value",
            help="Changes one key of every training, as in edgesr train: train.lr=5e-4.",
        ),
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="HxW", help="Height and width of the low-res image.")
    ] = "360x640",
    activation: ActivationOption = None,
    delegate: Annotated[
        str, typer.Option(metavar="LIST", help="Delegates to measure on this machine.")
    ] = "cpu,xnnpack",
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="CPU threads of the .tflite; default: cores, at most 4."),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, max=1000, help="Launches per candidate and delegate.")
    ] = 3,
    ocr: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="Read the test images too: rapidocr. Seconds per image and row, so not by "
            "default.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep everything there instead of in the workspace."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare every way to quantize a checkpoint: pixels, size, latency here.

    Trained methods are compared with the float network trained for as many steps on the same
    patches (row float), the others with the checkpoint as it is (row fp32). PSNR is that of the
    .tflite's own pixels. Integer networks are compared with uint8 pixels in and out. The same
    command goes on where it was interrupted.
    """
    wait_passively()
    from edgesr.bench.delegates import delegate_names
    from edgesr.results.store import Workspace
    from edgesr.sweep.latency import Timing
    from edgesr.sweep.run import SweepRequest, run_sweep

    delegates = delegate_names(name.strip() for name in delegate.split(",") if name.strip())
    if not delegates:
        raise UsageError("--delegate names nothing", hint="as cpu,xnnpack")
    request = SweepRequest(
        checkpoint=checkpoint,
        ways=methods,
        data=data,
        test=test,
        steps=steps,
        seed=seed,
        settings=tuple(settings or ()),
        size=parse_size(size),
        timing=Timing(delegates, threads or min(4, os.cpu_count() or 1), rounds),
        ocr=ocr,
        options=network_options(activation),
    )
    workspace = Workspace(out or session.workspace)
    with session.terminal.progress() as tick:
        result = run_sweep(request, workspace, session.terminal.note, tick)
    if as_json:
        session.terminal.json(result.document)
    else:
        _show(session, result, delegates)
    _raise_unless_all_good(result)


def _show(session: Session, result: "SweepResult", delegates: tuple[str, ...]) -> None:
    table, read = result.table, result.document["ocr"] is not None
    columns = ["method", "#PSNR-Y dB", "#drop dB", "against", "#SSIM-Y"]
    columns += ["#CER"] if read else []
    columns += ["#KB", "integer only", *(f"#{name} ms" for name in delegates)]
    rows = [_row(table, row, delegates, read=read) for row in table.rows]
    document = result.document
    title = f"{document['checkpoint']['file']}, {document['steps']} steps, test: {document['test']}"
    session.terminal.table(title, columns, rows)
    for sentence in result.findings:
        session.terminal.print(sentence)
    for row in table.rows:
        for remark in (*row.notes, *([f"failed: {row.error}"] if row.error else [])):
            session.terminal.note(f"{row.way.name}: {remark}")


def _row(table: "Table", row: "Row", delegates: tuple[str, ...], *, read: bool) -> list[str]:
    if row.candidate is None:
        return [row.way.name, "failed"]
    drop = None if row.is_reference else table.drop_db(row)
    times = [row.latency_us.get(name) for name in delegates]
    return [
        row.way.name,
        _number(row.psnr_y, 3),
        _number(drop, 3),
        "" if row.is_reference else row.way.reference,
        _number(row.ssim_y, 4),
        *([_number(row.cer, 4)] if read else []),
        _number((row.size_bytes or 0) / 1e3, 1),
        "yes" if row.integer_only else "no",
        *(_number(None if us is None else us / 1e3, 2) for us in times),
    ]


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def _raise_unless_all_good(result: "SweepResult") -> None:
    """The exit code.

    Raises:
        AllJobsFailedError: When no way but the references has a candidate.
        SomeJobsFailedError: When some have none, or were not measured.
    """
    failed = result.table.failed()
    hint = f"reasons: {Path(result.document['folder']) / 'sweep.json'}"
    if failed:
        names = ", ".join(row.way.name for row in failed)
        compared = [row for row in result.table.rows if not row.is_reference]
        if all(row.error is not None for row in compared or result.table.rows):
            raise AllJobsFailedError(f"no way came to a candidate: {names}", hint=hint)
        raise SomeJobsFailedError(f"no candidate came of {names}", hint=hint)
    if result.failed_jobs:
        raise SomeJobsFailedError(
            f"{result.failed_jobs} measurements have no good round",
            hint=f"try them again with: edgesr bench --resume {result.document['run']}",
        )

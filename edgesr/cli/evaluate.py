"""``edgesr eval``: how good the pixels of a model are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edgesr.cli._session import JsonOption, Session, verb

if TYPE_CHECKING:
    from edgesr.quality.evaluate import Evaluation


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A .pt, .pth, .onnx or .tflite file, a candidate's folder, a bundled checkpoint,"
            " or bicubic.",
        ),
    ],
    *,
    pairs: Annotated[
        Path, typer.Option(metavar="CSV", help="A pairs.csv, or a folder that holds one.")
    ],
    scale: Annotated[
        int | None,
        typer.Option(help="2, 3 or 4, where the model doesn't tell (bicubic takes the pairs')."),
    ] = None,
    arch: Annotated[
        str | None, typer.Option(help="Network of a checkpoint whose shapes don't tell.")
    ] = None,
    activation: Annotated[
        Literal["relu", "tanh"] | None,
        typer.Option(help="Activation of an ESPCN checkpoint; shapes don't tell it."),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one line per image.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write protocol, mean and images as JSON.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the upscaled images as PNG.")
    ] = None,
    ocr: Annotated[
        str | None,
        typer.Option(metavar="ENGINE", help="Read the text too, with this engine: rapidocr."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Score a model on pairs of images by PSNR and SSIM, and by how well text is read.

    Per image and mean. Float Y (BT.601), border of `scale` pixels left out, peak 255. With --ocr
    the character error rate too, against the pairs' text, else what is read in the large image.
    --json names the protocol.
    """
    from edgesr.quality.evaluate import EvalRequest, evaluate, write_csv, write_summary
    from edgesr.quality.runners import RunnerOptions

    options = {"activation": activation} if activation is not None else {}
    request = EvalRequest(
        model=model,
        pairs=pairs,
        runner=RunnerOptions(scale=scale, arch=arch, options=options, threads=threads),
        save=save,
        ocr=ocr,
    )
    with session.terminal.progress() as tick:
        evaluation = evaluate(request, tick)
    for note in evaluation.protocol["model_notes"]:
        session.terminal.note(f"{model}: {note}")
    if json:
        session.terminal.json(evaluation.to_dict())
    else:
        _show(session, evaluation)
    if csv is not None:
        write_csv(evaluation, csv)
    if summary is not None:
        write_summary(evaluation, summary)


def _show(session: Session, evaluation: "Evaluation") -> None:
    columns = ["image", "#PSNR-Y dB", "#SSIM-Y"]
    read = evaluation.readability()
    if read is not None:
        columns += ["#CER", "#word recall", "#confidence"]
        total = len(evaluation.images)
        if read.images < total:
            session.terminal.note(f"CER: {read.images} of {total} images show text and count")
    rows = [_row(image.to_dict()) for image in evaluation.images]
    rows.append(_row({"name": "mean", **evaluation.mean()}))
    protocol = evaluation.protocol
    title = f"{Path(protocol['model']).name} x{protocol['scale']}, protocol {protocol['name']}"
    session.terminal.table(title, columns, rows)


def _row(values: dict[str, Any]) -> list[str]:
    """One line of the table, from a row of the JSON document."""
    psnr = values["psnr_y"]
    cells = [values["name"], "inf" if psnr is None else f"{psnr:.3f}", f"{values['ssim_y']:.4f}"]
    text = [values[metric] for metric in ("cer", "word_recall", "confidence") if metric in values]
    return cells + ["no text" if value is None else f"{value:.4f}" for value in text]

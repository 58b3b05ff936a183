"""``edgesr quantize-report``: which layers lose what by integers, and what to do about it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgesr.cli._network import ActivationOption, ArchOption, network_options
from edgesr.cli._session import JsonOption, Session, verb

if TYPE_CHECKING:
    from edgesr.convert.quantize_report import QuantizeReport
    from edgesr.quantize.sensitivity import LayerSensitivity
    from edgesr.report.figures._sensitivity import SensitivityPlot


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    checkpoint: Annotated[
        str,
        typer.Argument(metavar="CKPT", help="A float checkpoint, or a bundled one's name."),
    ],
    *,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV|DIR",
            help="Images for ranges and for the search of mixed precision: a pairs.csv or a folder "
            "of low-res images (default: rendered slides).",
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV|DIR",
            help="Images for the figures, likewise (default: some of the others, held out).",
        ),
    ] = None,
    ranges: Annotated[
        Literal["minmax", "percentile", "mse"],
        typer.Option(help="How activation ranges are found in the images."),
    ] = "mse",
    rounding: Annotated[
        Literal["nearest", "gptq", "adaround"],
        typer.Option(help="How weights are rounded; adaround takes minutes."),
    ] = "gptq",
    budget: Annotated[
        float, typer.Option(metavar="DB", help="PSNR-Y that may be lost against float.")
    ] = 0.2,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write sensitivity.png and sensitivity.svg there."),
    ] = None,
    arch: ArchOption = None,
    scale: Annotated[int | None, typer.Option(help="Insist on a scale: 2, 3 or 4.")] = None,
    activation: ActivationOption = None,
    json: JsonOption = False,
) -> None:
    """Tell which layers of a float checkpoint lose what by integers, and advise.

    For each layer: the PSNR-Y lost when it alone has integers, and won back when it alone stays
    float. Where the whole loss is above --budget, mixed precision is searched for.
    """
    from edgesr.convert.integer import IntegerOptions
    from edgesr.convert.quantize_report import QuantizeReportRequest, quantize_report

    request = QuantizeReportRequest(
        checkpoint=checkpoint,
        integer=IntegerOptions(ranges=ranges, rounding=rounding, budget_db=budget),
        calibration=calibration,
        test=test,
        arch=arch,
        scale=scale,
        options=network_options(activation),
    )
    with session.terminal.progress() as tick:
        report = quantize_report(request, tick)
    files = _draw(report, out) if out is not None else []
    for note in report.checkpoint.notes:
        session.terminal.note(f"{checkpoint}: {note}")
    if json:
        session.terminal.json({**report.to_dict(), "files": [str(path) for path in files]})
    else:
        _show(session, report)
    for path in files:
        session.terminal.note(f"wrote {path}")


def _show(session: Session, report: "QuantizeReport") -> None:
    found = report.sensitivity
    in_float = report.mix.layers if report.mix else ()
    session.terminal.table(
        f"{report.checkpoint.path.name}: dB of PSNR-Y lost on {report.images} parts of "
        f"{report.tested_on}",
        ("layer", "#% MACs", "#alone", "#its weights", "#like float", "#won if float", "mixed"),
        [_row(report, layer, in_float) for layer in found.layers],
    )
    totals = {"float": found.float_score, "integers everywhere": found.integer_score}
    if report.mix_score is not None:
        totals["mixed"] = report.mix_score
    session.terminal.table(
        "",
        ("network", "#PSNR-Y", "#lost", "#like float"),
        [
            (name, _db(score.psnr_y, 2), _db(found.drop(score), 3), f"{score.likeness:.1f}")
            for name, score in totals.items()
        ],
    )
    for sentence in report.advice:
        session.terminal.print(sentence)


def _row(
    report: "QuantizeReport", layer: "LayerSensitivity", in_float: tuple[str, ...]
) -> tuple[str, ...]:
    found = report.sensitivity
    return (
        layer.label,
        f"{100 * layer.share:.1f}",
        _db(found.drop(layer.alone), 3),
        _db(found.drop(layer.weights), 3),
        f"{layer.alone.likeness:.1f}",
        f"{found.gain(layer):+.3f}",
        "float" if layer.label in in_float else "",
    )


def _db(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _draw(report: "QuantizeReport", folder: Path) -> list[Path]:
    from edgesr.report.figures._sensitivity import write_sensitivity

    return write_sensitivity(_plot(report), folder)


def _plot(report: "QuantizeReport") -> "SensitivityPlot":
    """Of PSNR-Y lost; without a truth, of the root of the mean squared difference from float."""
    from edgesr.report.figures._sensitivity import CurvePoint, LayerBar, SensitivityPlot

    found, mix = report.sensitivity, report.mix
    known = found.float_score.psnr_y is not None
    bars = [
        LayerBar(
            label=layer.label,
            loss=(found.drop(layer.alone) or 0.0) if known else _steps(layer.alone.likeness),
            of_weights=(found.drop(layer.weights) or 0.0)
            if known
            else _steps(layer.weights.likeness),
            stays_float=mix is not None and layer.label in mix.layers,
        )
        for layer in found.layers
    ]
    return SensitivityPlot(
        title=f"{report.checkpoint.path.name}: what integers cost each layer",
        bars=bars,
        axis_label="dB of PSNR-Y lost" if known else "RMS difference from float, 255ths of Y",
        curve=[CurvePoint(step.share, step.drop_db) for step in mix.path] if mix else (),
        chosen=CurvePoint(mix.share, mix.drop_db) if mix else None,
        budget_db=report.request.integer.budget_db,
    )


def _steps(likeness: float) -> float:
    """RMS difference in pixel values of a PSNR."""
    return float(255 * 10 ** (-likeness / 20))

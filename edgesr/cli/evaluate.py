"""``edgesr eval``: how good the pixels of a model are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edgesr.cli._network import ActivationOption, ArchOption, network_options
from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.quality.evaluation import Comparison, Evaluation


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A .pt, .pth, .onnx or .tflite file, a candidate's folder, a bundled checkpoint,"
            " bicubic, or truth (the large images themselves).",
        ),
    ],
    *,
    pairs: Annotated[
        Path | None, typer.Option(metavar="CSV", help="A pairs.csv, or a folder that holds one.")
    ] = None,
    video: Annotated[
        Path | None, typer.Option(metavar="CLIP", help="A small video, instead of pairs.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="CLIP", help="With --video: the same in large.")
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="With --video: columns time_s, slide, stable, text, one row a frame.",
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="With --video: score every N-th frame (default: one a second)."
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(help="2, 3 or 4, where the model doesn't tell (bicubic takes the pairs')."),
    ] = None,
    arch: ArchOption = None,
    activation: ActivationOption = None,
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
        typer.Option(
            metavar="ENGINE", help="Read the text too: rapidocr, tesseract:LANG or vlm:FOLDER."
        ),
    ] = None,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", help="A capital read as a small letter is no error.")
    ] = False,
    worst: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With --ocr: draw the images that were read worst."),
    ] = None,
    lpips: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take LPIPS too, with these weights (AlexNet)."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="A second model on the same pairs, and the difference."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Measure anew what an earlier call has kept.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Score a model on pairs of images by PSNR and SSIM, and by how well text is read.

    Per image and mean, with 95 % intervals over the images. Float Y (BT.601), border of `scale`
    pixels left out, peak 255. With --ocr the character error rate too, against the pairs' text,
    else what is read in the large image. A second call with the same files is answered from the
    cache. --json names the protocol.

    With --video: frames a second, flicker where the picture stands still, and the same figures on
    some of the frames, with intervals over the slides.
    """
    from dataclasses import replace

    from edgesr.cli._evaluate_video import VideoOutput, evaluate_on_video, refuse
    from edgesr.quality.evaluate import EvalRequest, evaluate
    from edgesr.quality.evaluation import Comparison, write_csv, write_summary
    from edgesr.quality.runners import RunnerOptions
    from edgesr.quality.video import VideoRequest

    options = network_options(activation)
    chosen = RunnerOptions(scale=scale, arch=arch, options=options, threads=threads)
    if video is not None:
        of_pairs = {"--save": save, "--worst": worst, "--lpips": lpips, "--against": against}
        refuse({"--pairs": pairs, **of_pairs}, "has no meaning with --video")
        clip = VideoRequest(
            model, video, truth, text, every, chosen, ocr, ignore_case=ignore_case, fresh=fresh
        )
        evaluate_on_video(session, clip, VideoOutput(csv, summary, json))
        return
    refuse({"--truth": truth, "--text": text, "--every": every}, "has no meaning without --video")
    if worst is not None and ocr is None:
        raise UsageError("--worst draws what was misread", hint="add --ocr rapidocr")
    request = EvalRequest(
        model=model,
        pairs=_given(pairs),
        runner=chosen,
        save=save,
        ocr=ocr,
        ignore_case=ignore_case,
        lpips=lpips,
        worst=worst,
        fresh=fresh,
    )
    with session.terminal.progress() as tick:
        evaluation = evaluate(request, tick)
        comparison = None
        if against is not None:
            runner = RunnerOptions(scale=scale, threads=threads)
            other = replace(request, model=against, runner=runner, save=None, worst=None)
            comparison = Comparison(evaluation, evaluate(other, tick))
    for note in evaluation.protocol["model_notes"]:
        session.terminal.note(f"{model}: {note}")
    document = evaluation.to_dict()
    if comparison is not None:
        document["against"] = comparison.to_dict()
    if json:
        session.terminal.json(document)
    else:
        _show(session, evaluation)
        if comparison is not None:
            _show_difference(session, comparison)
    if csv is not None:
        write_csv(evaluation, csv)
    if summary is not None:
        write_summary(document, summary)


def _given(pairs: Path | None) -> Path:
    if pairs is None:
        raise UsageError(
            "there is nothing to score a model on", hint="add --pairs CSV, or --video CLIP"
        )
    return pairs


def _show(session: Session, evaluation: "Evaluation") -> None:
    metrics = evaluation.metrics()
    if "cer" in metrics:
        read, total = len(evaluation.values("cer")), len(evaluation.images)
        if read < total:
            session.terminal.note(f"CER: {read} of {total} images show text and count")
    rows = [[row["name"], *_cells(row, metrics)] for row in evaluation.to_dict()["images"]]
    rows.append(["mean", *_cells(evaluation.mean(), metrics)])
    rows.append(["95 % from", *_ends(evaluation, metrics, "low")])
    rows.append(["95 % to", *_ends(evaluation, metrics, "high")])
    protocol = evaluation.protocol
    title = f"{Path(protocol['model']).name} x{protocol['scale']}, protocol {protocol['name']}"
    if "ocr" in protocol:
        ocr = protocol["ocr"]
        title += f", read by {ocr['engine']} {ocr['version']} ({ocr['language']})"
    columns = ["image", *(f"#{_NAMES[metric]}" for metric in metrics)]
    session.terminal.table(title, columns, rows)


_NAMES = {
    "psnr_y": "PSNR-Y dB",
    "ssim_y": "SSIM-Y",
    "lpips": "LPIPS",
    "cer": "CER",
    "wer": "WER",
    "word_recall": "word recall",
    "exact_lines": "exact lines",
    "confidence": "confidence",
}


def _cells(row: dict[str, Any], metrics: list[str]) -> list[str]:
    """Values of one line of the table, from a row of the JSON document."""
    return [_cell(metric, row[metric], "inf" if metric == "psnr_y" else "no text")
            for metric in metrics]  # fmt: skip


def _ends(evaluation: "Evaluation", metrics: list[str], end: Literal["low", "high"]) -> list[str]:
    found = (evaluation.interval(metric) for metric in metrics)
    return [_cell(metric, getattr(one, end) if one else None, "")
            for metric, one in zip(metrics, found, strict=True)]  # fmt: skip


def _cell(metric: str, value: float | None, without: str) -> str:
    if value is None:
        return without
    return f"{value:.3f}" if metric == "psnr_y" else f"{value:.4f}"


def _show_difference(session: Session, comparison: "Comparison") -> None:
    second = comparison.second
    rows = []
    for metric, found in comparison.differences().items():
        span = "" if found.low is None else f"{found.low:+.4f} .. {found.high:+.4f}"
        other = _cell(metric, second.mean()[metric], "")
        verdict = comparison.verdict(metric)
        rows.append([_NAMES[metric], other, f"{found.mean:+.4f}", span, str(found.n), verdict])
    title = f"against {Path(second.protocol['model']).name}, on the same images"
    columns = ["metric", "#its mean", "#difference", "#95 %", "#images", "this model is"]
    session.terminal.table(title, columns, rows)
    for warning in comparison.warnings():
        session.terminal.note(f"warning: {warning}; go by CER")

"""What ``edgesr eval --video`` shows and writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.cli._session import Session
from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.quality.video import VideoRequest
    from edgesr.quality.video_result import VideoEvaluation

_COLUMNS = ("#frame", "#time s", "slide", "#PSNR-Y dB", "#SSIM-Y", "#CER", "#word recall")
_NAMES = {
    "psnr_y": "PSNR-Y, dB",
    "ssim_y": "SSIM-Y",
    "cer": "CER",
    "wer": "WER",
    "word_recall": "word recall",
    "exact_lines": "exact lines",
    "confidence": "confidence",
}


@dataclass(frozen=True)
class VideoOutput:
    """Where results go beside the terminal."""

    csv: Path | None = None
    summary: Path | None = None
    json: bool = False


def evaluate_on_video(session: Session, request: "VideoRequest", output: VideoOutput) -> None:
    """Evaluates a model on a clip, shows the result, and writes the files asked for.

    Raises:
        EdgesrError: As `edgesr.quality.video.evaluate_video`; StoreError when a file can't be
            written.
    """
    from edgesr.files import write_text
    from edgesr.quality.evaluation import write_summary
    from edgesr.quality.video import evaluate_video

    with session.terminal.progress() as tick:
        evaluation = evaluate_video(request, tick)
    for note in evaluation.protocol["model_notes"]:
        session.terminal.note(f"{request.model}: {note}")
    for path, damage in ((request.video, "damage"), (request.truth, "truth_damage")):
        if evaluation.protocol[damage]:
            session.terminal.note(f"{path}: {evaluation.protocol[damage]}")
    document = evaluation.to_dict()
    if output.json:
        session.terminal.json(document)
    else:
        _show(session, evaluation, document)
    if output.csv is not None:
        write_text(output.csv, evaluation.to_csv())
    if output.summary is not None:
        write_summary(document, output.summary)


def refuse(flags: Mapping[str, object], why: str) -> None:
    """Refuses the first flag that was given.

    Args:
        flags: Values by flag; None stands for one that was not given.
        why: What is wrong with it.

    Raises:
        UsageError: When one was given.
    """
    for flag, value in flags.items():
        if value is not None:
            raise UsageError(f"{flag} {why}", hint="see edgesr eval --help")


def _show(session: Session, evaluation: "VideoEvaluation", document: dict[str, Any]) -> None:
    protocol, say = evaluation.protocol, session.terminal.print
    taken = evaluation.metrics()
    if taken:
        title = f"{Path(protocol['model']).name} x{protocol['scale']} on {protocol['video']}"
        session.terminal.table(title, _COLUMNS, [_row(frame) for frame in document["frames"]])
    for metric in taken:
        say(f"{_NAMES[metric] + ':':<14}{_mean(evaluation, metric)}")
    flicker = evaluation.flicker
    if flicker.model is not None and flicker.bicubic is not None:
        say(
            f"flicker:      {flicker.model:.4f} steps of 255 where the picture stands still"
            f" ({flicker.still_share:.0%} of it); bicubic {flicker.bicubic:.4f}"
        )
    speed = evaluation.speed
    if speed is not None:
        say(
            f"speed:        {speed.fps:.1f} frames a second, {speed.real_time_factor:.2f} times"
            f" real time; with decoding {speed.fps_with_decode:.1f},"
            f" {speed.real_time_factor_with_decode:.2f} times"
        )


def _mean(evaluation: "VideoEvaluation", metric: str) -> str:
    found = evaluation.interval(metric)
    if found is None:
        return "none"
    if found.low is None or found.high is None:
        return f"{found.mean:.4f}"
    return f"{found.mean:.4f} ({found.low:.4f}..{found.high:.4f}, {found.n} slides)"


def _row(frame: dict[str, Any]) -> list[str]:
    metrics = ("psnr_y", "ssim_y", "cer", "word_recall")
    return [
        str(frame["frame"]),
        f"{frame['time_s']:.2f}",
        frame["slide"] or "",
        *("" if frame[metric] is None else f"{frame[metric]:.4f}" for metric in metrics),
    ]

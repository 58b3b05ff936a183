"""``edgesr upscale``: an image, a folder of images or a video through any model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgesr.cli._network import ActivationOption, ArchOption, network_options
from edgesr.cli._session import JsonOption, Session, verb, wait_passively

if TYPE_CHECKING:
    from edgesr.upscale.images import ImagesOutcome
    from edgesr.upscale.video import VideoOutcome


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="An image, a folder of images, or a video.")
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The result; a file's ending decides about its format (.png, .jpg ..., or "
            ".mp4, .mov, .mkv).",
        ),
    ],
    *,
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="A .pt, .pth, .onnx or .tflite file, a candidate's folder, a bundled checkpoint,"
            " or bicubic.",
        ),
    ],
    scale: Annotated[
        int | None, typer.Option(help="2, 3 or 4, where the model doesn't tell (bicubic).")
    ] = None,
    arch: ArchOption = None,
    activation: ActivationOption = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads (default: one per usable core).")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Copies of the model that share the threads (default: one per thread)."
        ),
    ] = None,
    codec: Annotated[Literal["h264", "h265"], typer.Option(help="Of a video.")] = "h264",
    crf: Annotated[int, typer.Option(help="Of a video, 0 to 51: less is better, and larger.")] = 18,
    preset: Annotated[
        str, typer.Option(help="Of a video, ultrafast to veryslow: slower is smaller.")
    ] = "veryfast",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    json: JsonOption = False,
) -> None:
    """Enlarge an image, a folder of images or a video by any model.

    A video keeps the time of every frame, its sound, subtitles and colours, and is shown upright.
    A frame identical to the one before is not computed again. Results appear whole under their
    name, or not at all; after a stop of any kind the same command goes on.
    """
    wait_passively()
    from edgesr.quality.runners import RunnerOptions
    from edgesr.upscale.images import ImagesOutcome
    from edgesr.upscale.request import UpscaleRequest, VideoOptions
    from edgesr.upscale.run import upscale

    options = network_options(activation)
    request = UpscaleRequest(
        source=source,
        out=out,
        model=model,
        runner=RunnerOptions(scale=scale, arch=arch, options=options, threads=threads),
        workers=workers,
        video=VideoOptions(codec, crf, preset),
        overwrite=overwrite,
    )
    with session.terminal.progress() as tick:
        outcome = upscale(request, tick)
    for note in outcome.notes:
        session.terminal.note(f"{source.name}: {note}")
    if json:
        session.terminal.json({"out": str(out), "model": model, **outcome.to_dict()})
    else:
        session.terminal.print(_line(out, outcome))
    if isinstance(outcome, ImagesOutcome):
        outcome.check()


def _line(out: Path, outcome: "ImagesOutcome | VideoOutcome") -> str:
    from edgesr.upscale.images import ImagesOutcome

    return _images(out, outcome) if isinstance(outcome, ImagesOutcome) else _video(out, outcome)


def _images(out: Path, outcome: "ImagesOutcome") -> str:
    parts = [f"{out}: {len(outcome.written)} images x{outcome.scale}"]
    if outcome.skipped:
        parts.append(f"{outcome.skipped} were there already")
    return f"{', '.join(parts)}, in {outcome.seconds:.1f} s"


def _video(out: Path, outcome: "VideoOutcome") -> str:
    encoding, audio = outcome.encoding, outcome.copied.audio
    parts = [
        f"{out}: {outcome.frames} frames of {encoding.width}x{encoding.height}",
        f"{outcome.reused} of them as the one before",
        f"{outcome.fps:.1f} frames/s ({outcome.realtime_factor:.2f} times real time)",
        f"{audio} audio stream{'s' if audio != 1 else ''} kept" if audio else "no sound",
    ]
    if outcome.resumed:
        parts.insert(1, f"{outcome.resumed} from an earlier call")
    return ", ".join(parts)

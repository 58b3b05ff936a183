"""``edgesr data footage``: a lecture recording with known text."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.data.footage import Footage


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="New folder for hr.mp4, lr.mp4, text.csv and footage.json."
        ),
    ],
    *,
    seconds: Annotated[float, typer.Option(help="Length, at most an hour.")] = 20.0,
    fps: Annotated[int, typer.Option(help="Frames a second.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Decides everything random.")] = 0,
    scale: Annotated[int, typer.Option(min=2, max=4, help="Large size over small size.")] = 2,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH", help="Of the small clip (default: 1280x720 over the scale). 16:9."
        ),
    ] = None,
    bitrate: Annotated[
        str, typer.Option(metavar="BITS", help="Of the small clip's pictures, a second.")
    ] = "150k",
    crf: Annotated[
        int | None,
        typer.Option(min=0, max=51, help="Constant rate factor of x264 instead of a bitrate."),
    ] = None,
    gop: Annotated[
        float, typer.Option(metavar="SECONDS", help="Longest time between key frames.")
    ] = 5.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace OUT if it holds footage already.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a lecture recording: slides, transitions, a pointer, handwriting, and a voice.

    hr.mp4 is lossless, lr.mp4 is H.264 of low bitrate with sound. text.csv says per frame which
    text is shown and whether all of it is visible. The same options give the same pictures.
    """
    from edgesr.data.footage import FOOTAGE_FILE, FootageOptions, write_footage
    from edgesr.data.footage_clips import Coding
    from edgesr.data.make_pairs import refuse_to_replace

    options = FootageOptions(
        seconds=seconds,
        fps=fps,
        seed=seed,
        scale=scale,
        size=None if size is None else _size(size),
        coding=Coding(_bits(bitrate), crf, gop),
    )
    refuse_to_replace(out, overwrite=overwrite, mark=FOOTAGE_FILE)
    with session.terminal.progress() as tick:
        made = write_footage(out, options, tick)
    if as_json:
        session.terminal.json(made.to_dict())
    else:
        _show(session, made, options.lr_size)


def _show(session: Session, made: "Footage", size: tuple[int, int]) -> None:
    say = session.terminal.print
    say(
        f"{made.folder}: {made.frames} frames of {made.slides} slides; on {made.stable} all of the"
        " text is visible"
    )
    say(f"lr.mp4: {size[0]}x{size[1]}, {made.lr_kbps:.0f} kbit/s and sound")


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text.strip(), re.ASCII)
    if not found:
        raise UsageError(f"{text!r} is no size", hint="say it as 640x360 (width x height)")
    return int(found[1]), int(found[2])


def _bits(text: str) -> int:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)\s*([kM]?)", text.strip(), re.ASCII)
    if not found:
        raise UsageError(f"{text!r} is no bitrate", hint="say it as 150k, or 1M")
    return round(float(found[1]) * {"": 1, "k": 1000, "M": 1_000_000}[found[2]])

"""What to upscale, and how: decided once at the door."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgesr.data.frames import VIDEO_SUFFIXES
from edgesr.data.images import IMAGE_SUFFIXES
from edgesr.errors import InputError, UsageError
from edgesr.quality.cores import usable_cores
from edgesr.quality.runners import RunnerOptions

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, steps done, steps in all)."""
Kind = Literal["image", "folder", "video"]
VideoCodec = Literal["h264", "h265"]
PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
)  # fmt: skip
"""Of x264 and x265, from quick to small."""
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Endings of videos that can be written, and FFmpeg's name of the format."""


@dataclass(frozen=True)
class VideoOptions:
    """How a video is encoded."""

    codec: VideoCodec = "h264"
    crf: int = 18
    """Constant rate factor, 0 to 51: less is better and larger; at 18 little is lost to see."""
    preset: str = "veryfast"
    """One of `PRESETS`: how much time the encoder takes to make the file smaller."""
    segment_s: float = 10.0
    """Seconds of video, at its average rate, that an interruption costs at most."""

    def __post_init__(self) -> None:
        if not 0 <= self.crf <= 51:
            raise UsageError(f"--crf {self.crf} is not from 0 to 51", hint="18 is the default")
        if self.preset not in PRESETS:
            raise UsageError(
                f"--preset {self.preset} is not known", hint=f"choose from: {', '.join(PRESETS)}"
            )


@dataclass(frozen=True)
class UpscaleRequest:
    """One call."""

    source: Path
    """An image, a folder of images, or a video."""
    out: Path
    """Of the same kind; the ending of its name decides about the format."""
    model: str
    """As `runners.open_runner` takes it."""
    runner: RunnerOptions = field(default_factory=RunnerOptions)
    """Its threads are those of the whole; None takes every core that this process may use."""
    video: VideoOptions = field(default_factory=VideoOptions)
    overwrite: bool = False
    """Whether files that are there may be replaced."""
    workers: int | None = None
    """Copies of the model that work side by side and share the threads, each with memory of its
    own; None takes one per thread."""

    def __post_init__(self) -> None:
        if any(number is not None and number < 1 for number in (self.workers, self.runner.threads)):
            raise UsageError("nothing works with no thread or worker", hint="say 1 or more")

    @property
    def threads(self) -> int:
        """Threads to use in all."""
        return self.runner.threads or usable_cores()


def kind_of(request: UpscaleRequest) -> Kind:
    """Tells what is asked for, and refuses what makes no sense or would destroy something.

    Raises:
        InputError: When the source is not there.
        UsageError: When source and result don't fit together, are the same file, or the result is
            there already.
    """
    source, out = request.source, request.out
    if not source.exists():
        raise InputError(f"{source} does not exist", hint="check the path")
    if out.exists() and source.samefile(out):
        raise UsageError(f"{out} is the source itself", hint="name another file for the result")
    if source.is_dir():
        if out.exists() and not out.is_dir():
            raise UsageError(f"{out} is a file, and {source} a folder", hint="name another folder")
        return "folder"
    kind = _kind_of_file(source, out)
    if out.is_dir():
        raise UsageError(f"{out} is a folder, and {source} a file", hint=f"say {out / source.name}")
    if out.exists() and not request.overwrite:
        raise UsageError(
            f"{out} is there already", hint="name another file, or add --overwrite to replace it"
        )
    return kind


def _kind_of_file(source: Path, out: Path) -> Kind:
    begins, ends = source.suffix.lower(), out.suffix.lower()
    still = begins in IMAGE_SUFFIXES and not _moves(source)
    if ends in CONTAINERS:
        if still:
            raise UsageError(
                f"{source} is an image, {out.name} a video", hint="name the result like an image"
            )
        return "video"
    if ends in IMAGE_SUFFIXES:
        if not still and (begins in VIDEO_SUFFIXES or _moves(source)):
            raise UsageError(
                f"{source} moves, and {out.name} is one image",
                hint=f"name the result like a video: {', '.join(sorted(CONTAINERS))}",
            )
        return "image"
    videos, images = (", ".join(sorted(endings)) for endings in (CONTAINERS, IMAGE_SUFFIXES))
    why = "takes neither H.264 nor H.265" if ends == ".webm" else "is no ending that can be written"
    raise UsageError(
        f"{out}: {ends or 'a name without an ending'} {why}",
        hint=f"videos: {videos}; images: {images}",
    )


def _moves(path: Path) -> bool:
    """Whether an image file holds several images (APNG, animated WebP, a TIFF of many pages)."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return bool(getattr(image, "is_animated", False))
    except Exception:  # noqa: BLE001 - reading it properly will say what is wrong
        return False

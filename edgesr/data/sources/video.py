"""A video file, read by PyAV: one frame a second, or ``FILE:EVERY``, every n-th frame."""

import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from edgesr.data.frames import RgbReader, ffmpeg_errors, open_video
from edgesr.data.images import RgbImage
from edgesr.data.sources.base import Kind, Scene, Source, content_sample, digest_of, is_file_like
from edgesr.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_SUFFIXES = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi"})
_APART_S = 1
"""Seconds between frames that are taken: those of a lecture are alike within less."""


@dataclass(frozen=True)
class Frame:
    """One frame that is taken."""

    number: int
    """Of the frame in the video, in the order of display, from 0."""
    time_s: float
    pts: int | None = None
    """Its time stamp in the stream's unit; None where they can't be trusted, and frames have to be
    counted from the start."""
    key_pts: int | None = None
    """Of the key frame to decode from."""


@dataclass(frozen=True)
class VideoSource:
    """Frames of a video by index, each decoded from the key frame before it.

    A file is opened for every frame, so nothing open has to cross processes. AVI files whose codec
    reorders frames have no time stamps to find a frame by: there every frame before it is decoded.
    """

    name: str
    """As written in the config."""
    path: Path
    frames: tuple[Frame, ...]

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Scene:
        """As `Source`."""
        frame = self.frames[index]
        for key in dict.fromkeys((frame.key_pts, None)):  # some containers land behind their key
            with (
                open_video(self.path) as (container, stream),
                ffmpeg_errors(f"{self.label(index)} can't be decoded"),
            ):
                image = _find(container, stream, frame, key)
            if image is not None:
                return Scene(f"{self.path.stem}-{frame.number:06d}", image)
        raise ImageError(
            f"{self.label(index)} can't be decoded", hint="the file is damaged; repair or remove it"
        )

    def label(self, index: int) -> str:
        """The file with the frame's number and time."""
        frame = self.frames[index]
        return f"{self.path}, frame {frame.number} at {frame.time_s:.2f} s"

    def digest(self) -> str:
        """Over the file's size, samples of its bytes, and which frames are taken."""
        return digest_of(
            "video", content_sample(self.path), [frame.number for frame in self.frames]
        )


def _split(text: str) -> tuple[str, int]:
    """Path and n of ``PATH:n``; n is 0 without."""
    found = re.fullmatch(r"(.+):(\d+)", text, re.ASCII)
    if not found or Path(text).exists() or not is_file_like(found[1], _SUFFIXES):
        return text, 0
    return found[1], int(found[2])


def _matches(text: str) -> bool:
    return is_file_like(_split(text)[0], _SUFFIXES)


def _open(text: str, _scale: int) -> Source:
    path, every = _split(text)
    if path != text and every < 1:
        raise ConfigError(f"{text!r} takes no frame", hint=f"write {path}:25 for every 25th")
    with open_video(Path(path)) as (container, stream), ffmpeg_errors(f"can't read {path}"):
        frames = _index(container, stream)
    if not frames:
        raise ImageError(f"{path} holds no frame", hint="name another video")
    return VideoSource(text, Path(path), tuple(frames[::every] if every else _apart(frames)))


def _index(container: "InputContainer", stream: "VideoStream") -> list[Frame]:
    """All frames in the order of display, from the packets' time stamps; nothing is decoded."""
    stamps, keys, count = [], [], 0
    for packet in container.demux(stream):
        if packet.size and not packet.is_discard:
            count += 1
            if packet.pts is not None:
                stamps.append(packet.pts)
                keys += [packet.pts] if packet.is_keyframe else []
    reordered_avi = container.format.name == "avi" and stream.codec_context.has_b_frames
    if reordered_avi or not keys or len(set(stamps)) < count:
        rate = stream.average_rate or Fraction(25)
        return [Frame(number, float(number / rate)) for number in range(count)]
    stamps.sort()
    keys.sort()
    unit = stream.time_base or Fraction(1)
    return [
        Frame(number, float(pts * unit), pts, keys[max(0, bisect.bisect_right(keys, pts) - 1)])
        for number, pts in enumerate(stamps)
    ]


def _apart(frames: list[Frame]) -> Iterator[Frame]:
    """Those that come at least `_APART_S` after the one before."""
    last = -float("inf")
    for frame in frames:
        if frame.time_s >= last + _APART_S - 1e-6:
            last = frame.time_s
            yield frame


def _find(
    container: "InputContainer", stream: "VideoStream", frame: Frame, key: int | None
) -> RgbImage | None:
    """Decodes up to a frame, from a key frame or the start; None when it does not come out."""
    if key is not None:
        container.seek(key, stream=stream, backward=True)
    for number, found in enumerate(container.decode(stream)):
        if frame.pts is None:
            if number == frame.number:
                return _pixels(found)
        elif found.pts == frame.pts:
            return _pixels(found)
        elif found.pts is not None and found.pts > frame.pts:
            break
    return None


def _pixels(frame: "VideoFrame") -> RgbImage | None:
    """H, W, 3, upright; None for what the decoder had to make up."""
    return None if frame.is_corrupt else RgbReader().read(frame)


KIND = Kind("a video file, or FILE:EVERY", _matches, _open)

"""A video file as upright RGB frames with their times: what it is, and one frame after another.

Colours are converted with the matrix and the range that the video names. A video that names no
matrix is taken for BT.709 from a height of 720 on, and for BT.601 below, as players do.
"""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from edgesr.data.images import RgbImage
from edgesr.errors import ImageError
from edgesr.files import read_errors

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".ts", ".gif"})
"""File name endings, lower case, that are taken for a video."""

BT709, UNNAMED, BT601, BT2020, FULL_RANGE = 1, 2, 6, 9, 2
"""Codes of ITU-T H.273 for matrices, and FFmpeg's for the range 0..255."""
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""Codes of ITU-T H.273 to those of FFmpeg's scaler."""
_HD_HEIGHT = 720
_EVEN = 0.05
"""Of the usual distance: frames that lie further off make the rate a variable one."""


@dataclass(frozen=True)
class Colour:
    """What the numbers of a video mean, as codes of ITU-T H.273."""

    matrix: int = BT709
    full_range: bool = False
    primaries: int = UNNAMED
    transfer: int = UNNAMED
    named: bool = True
    """Whether the video names its matrix; else it was taken from the height."""
    rgb: bool = False
    """Whether it is stored as RGB; then the matrix is the one to write it by."""

    @property
    def swscale(self) -> int:
        """The matrix as FFmpeg's scaler calls it."""
        return _MATRICES[self.matrix]


@dataclass(frozen=True)
class Clip:
    """What a video file holds."""

    path: Path
    width: int
    """Pixels, as displayed: after the rotation."""
    height: int
    coded_width: int
    """Pixels, as stored."""
    coded_height: int
    fps: Fraction
    """Frames a second, on average."""
    duration_s: float | None
    """None where the file doesn't tell."""
    frames: int | None
    """Packets of the stream; a decoder may give fewer. None where there is not one."""
    rotation: int
    """Degrees clockwise by which players turn the stored picture: 0, 90, 180 or 270."""
    has_audio: bool
    variable_rate: bool
    """Whether the distance between frames varies by more than the rounding of their times."""
    colour: Colour
    time_base: Fraction
    """Unit of the frames' time stamps in seconds."""
    pixel_aspect: Fraction
    """Width of a displayed pixel over its height."""
    interlaced: bool
    bits: int
    """Of one colour value."""


@dataclass(frozen=True)
class Frame:
    """One decoded frame."""

    time_s: float
    """Counted as players do: a stream for broadcast begins at any time, which is 0 here."""
    pts: int
    """Its time in the units of `Clip.time_base`."""
    duration: int
    """In the same units; 0 where the file doesn't tell."""
    image: RgbImage
    """(H, W, 3), upright."""


@dataclass
class Damage:
    """What was lost while a video was read."""

    packets: int = 0
    """That could not be decoded."""
    corrupt: int = 0
    """Frames of which the decoder made parts up."""
    retimed: int = 0
    """Frames without a time, or with one that is not behind the frame before."""
    broken_off: bool = False
    """Whether the file could not be read to its end."""

    def __str__(self) -> str:
        found = {
            f"{self.packets} packets could not be decoded": self.packets,
            f"{self.corrupt} frames are partly made up by the decoder": self.corrupt,
            f"{self.retimed} frames had no usable time and follow the one before": self.retimed,
            "the file could not be read to its end": self.broken_off,
        }
        return "; ".join(text for text, true in found.items() if true)


def probe_clip(path: Path) -> Clip:
    """Reads what a video is: decodes its first frame, and walks once over its packets.

    Raises:
        InputError: When the file is missing or can't be read.
        ImageError: When it is empty, no video, holds no pictures, or none that can be decoded.
    """
    path = Path(path)
    with open_video(path) as (container, stream):
        audio = bool(container.streams.audio)
        length = container.duration
        unit = stream.time_base or Fraction(1, 1000)
        rate = stream.average_rate or stream.guessed_rate
        stored, aspect = (stream.width, stream.height), stream.sample_aspect_ratio
        first = next((frame for _, frame in decoded(container, stream)), None)
    if first is None:
        raise _damaged(f"no frame of {path} can be decoded")
    with open_video(path) as (container, stream):
        stamps = _stamps(container, stream)
    steps = np.diff(np.unique(stamps)) if len(stamps) > 2 else np.ones(1, int)
    spread, usual = float(np.ptp(steps)), float(np.median(steps))
    turned = _turn(first)
    wide, aspect = turned.quarters % 2, aspect or Fraction(1)
    return Clip(
        path=path,
        width=first.height if wide else first.width,
        height=first.width if wide else first.height,
        coded_width=stored[0] or first.width,
        coded_height=stored[1] or first.height,
        fps=Fraction(rate or _rate_of(stamps, unit)),
        duration_s=length / 1e6 if length and length > 0 else None,
        frames=len(stamps) or None,
        rotation=turned.quarters * 90,
        has_audio=audio,
        variable_rate=spread > max(2, _EVEN * usual),
        colour=colour_of(first),
        time_base=unit,
        pixel_aspect=1 / aspect if wide else aspect,
        interlaced=first.interlaced_frame,
        bits=max((part.bits for part in first.format.components), default=8),
    )


def read_frames(path: Path, damage: Damage | None = None, *, skip: int = 0) -> Iterator[Frame]:
    """Decodes a video from its start; memory is that of the decoder and one frame.

    What can't be decoded is left out; a file that breaks off ends there.

    Args:
        path: A file with pictures in it.
        damage: Told what is lost.
        skip: Frames at the start that are decoded and not given.

    Raises:
        InputError: When the file is missing or can't be read.
        ImageError: When it is no video or holds no pictures.
    """
    import av

    reader = RgbReader()
    with open_video(Path(path)) as (container, stream):
        unit = stream.time_base or Fraction(1, 1000)
        free: int = cast("Any", av.format.Flags).ts_discont.value  # its stub has no values
        begin = (stream.start_time or 0) if container.format.flags & free else 0
        for pts, frame in itertools.islice(decoded(container, stream, damage), skip, None):
            yield Frame(float((pts - begin) * unit), pts, frame.duration, reader.read(frame))


@contextlib.contextmanager
def open_video(path: Path) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """The container, and its stream of pictures, which is never the cover.

    Raises:
        InputError: When the file is missing or can't be read.
        ImageError: When it is empty, no video, or holds no pictures.
    """
    import av

    with read_errors(path), path.open("rb") as file:
        empty = not file.read(1)
    if empty:
        raise ImageError(f"{path} is empty", hint="copy it again")
    with ffmpeg_errors(f"can't read the video {path}"):
        # absolute, since FFmpeg takes a:b.mp4 for a protocol; and a playlist fetches nothing
        options = {"protocol_whitelist": "file"}
        container = av.open(path.absolute(), options=options, metadata_errors="replace")
    with container:
        stream = container.streams.best("video")
        cover = av.stream.Disposition.attached_pic
        if stream is None or stream.codec_context is None or stream.disposition & cover:
            raise ImageError(f"{path} holds no pictures that can be read", hint="convert it")
        yield container, cast("VideoStream", stream)


@contextlib.contextmanager
def ffmpeg_errors(what: str) -> Iterator[None]:
    """Turns an error of FFmpeg into an `ImageError` that begins with ``what``."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        raise _damaged(f"{what}: {error}") from error


def decoded(
    container: "InputContainer", stream: "VideoStream", damage: Damage | None = None
) -> Iterator[tuple[int, "VideoFrame"]]:
    """Frames in the order of display, with time stamps that always increase.

    Args:
        container: Just opened.
        stream: Of it.
        damage: Told what is lost.
    """
    damage = Damage() if damage is None else damage
    stream.thread_type = "AUTO"
    unit = stream.time_base or Fraction(1, 1000)
    step = max(1, round(1 / ((stream.average_rate or 25) * unit)))
    # an .avi numbers its packets, so frames that are reordered have no time of their own
    counted = container.format.name == "avi" and stream.codec_context.has_b_frames
    last: int | None = None
    for frame in _decode(container, stream, damage):
        pts = None if counted else frame.pts
        if pts is None or (last is not None and pts <= last):
            damage.retimed += 1
            pts = 0 if last is None else last + (step if pts is None else 1)
        damage.corrupt += frame.is_corrupt
        last = pts
        yield pts, frame


def _decode(
    container: "InputContainer", stream: "VideoStream", damage: Damage
) -> Iterator["VideoFrame"]:
    import av

    packets: Iterator[Packet[Any] | None] = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            damage.broken_off, packet, packets = True, None, iter(())
        try:
            yield from stream.decode(packet)
        except (av.EOFError, av.InvalidDataError) as error:
            damage.packets += not isinstance(error, av.EOFError)
        if packet is None or not packet.size:  # the flush
            return


class RgbReader:
    """Turns decoded frames to upright RGB; keeps FFmpeg's scaler, so each thread needs its own."""

    def __init__(self) -> None:
        self._scaler: VideoReformatter | None = None

    def read(self, frame: "VideoFrame") -> RgbImage:
        """One frame of any pixel format as (H, W, 3), uint8, RGB."""
        from av.video.reformatter import VideoReformatter

        self._scaler = self._scaler or VideoReformatter()
        colour = colour_of(frame)
        rgb = self._scaler.reformat(
            frame,
            format="rgb24",
            src_colorspace=colour.swscale,
            dst_colorspace=colour.swscale,
            interpolation=scaler_flags(),
            src_color_range=FULL_RANGE if colour.full_range else 1,
            dst_color_range=FULL_RANGE,
            threads=1,
        )
        return _turn(frame).apply(cast("RgbImage", rgb.to_ndarray()))


def scaler_flags() -> int:
    """FFmpeg's accurate arithmetic: by default colours are off by several levels."""
    from av.video.reformatter import Interpolation as Flag

    accurate = Flag.ACCURATE_RND | Flag.FULL_CHR_H_INT | Flag.FULL_CHR_H_INP | Flag.BITEXACT
    return int(Flag.BICUBIC | accurate)


def colour_of(frame: "VideoFrame") -> Colour:
    """What a frame's numbers mean."""
    matrix, rgb = int(frame.colorspace), frame.format.is_rgb
    named = matrix in _MATRICES
    if not named:
        matrix = BT709 if frame.height >= _HD_HEIGHT else BT601
    full = int(frame.color_range) == FULL_RANGE or frame.format.name.startswith("yuvj")
    primaries, transfer = int(frame.color_primaries), int(frame.color_trc)
    return Colour(matrix, full or rgb, primaries, transfer, named or rgb, rgb)


@dataclass(frozen=True)
class _Turn:
    """How a stored picture is brought to how it is shown."""

    quarters: int = 0
    """Clockwise."""
    mirrored: bool = False
    """Left to right, before it is turned."""

    def apply(self, image: RgbImage) -> RgbImage:
        if self.mirrored:
            image = image[:, ::-1]
        return np.ascontiguousarray(np.rot90(image, -self.quarters))


def _turn(frame: "VideoFrame") -> _Turn:
    """From the display matrix (ISO/IEC 14496-12, 6.2.2), to the nearest quarter."""
    from av.sidedata.sidedata import Type

    side: Any = frame.side_data  # its stub is a plain Mapping
    found = side.get(Type.DISPLAYMATRIX)
    if found is None:
        return _Turn()
    a, b, _, c, d = np.frombuffer(bytes(found), np.int32)[:5].tolist()
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    quarters = round(np.degrees(np.arctan2(b - c, a + d)) / 90) % 4
    return _Turn(quarters, mirrored)


def _stamps(container: "InputContainer", stream: "VideoStream") -> NDArray[np.int64]:
    """Times of all packets in the stream's unit; those that have none count on from the last."""
    import av

    stamps: list[int] = []
    with contextlib.suppress(av.FFmpegError):  # as far as it goes
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                known = packet.pts if packet.pts is not None else packet.dts
                stamps.append(known if known is not None else len(stamps))
    return np.array(stamps, np.int64)


def _rate_of(stamps: NDArray[np.int64], unit: Fraction) -> Fraction:
    span = int(np.ptp(stamps)) if len(stamps) > 1 else 0
    return (len(stamps) - 1) / (span * unit) if span else Fraction(25)


def _damaged(message: str) -> ImageError:
    return ImageError(
        " ".join(message.split()), hint="the file is damaged or no video; repair or remove it"
    )

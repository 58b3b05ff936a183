"""Segments and the source's other streams to one file, without encoding anything again."""

import contextlib
import errno
import heapq
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from edgesr.data.frames import open_video
from edgesr.errors import UsageError
from edgesr.files import store_errors
from edgesr.upscale.encoding import Encoding
from edgesr.upscale.parts import Entry, Segment
from edgesr.upscale.request import CONTAINERS, Progress

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

_OF_THE_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder", "creation_time"}
"""Metadata that tells of the source's file, not of what is in it."""

_MKV = "name the result .mkv, which takes nearly any sound"


@dataclass(frozen=True)
class Target:
    """The file to write, before it has its name."""

    source: Path
    encoding: Encoding
    suffix: str
    """Of the result; decides about the container."""


@dataclass
class Copied:
    """What was taken over from the source."""

    audio: int = 0
    """Streams."""
    subtitles: int = 0
    packets: int = 0
    """Of sound and subtitles."""
    left_out: tuple[str, ...] = ()
    """Streams that the container does not take, and what else is not there."""
    refused: int = 0
    """Packets that are damaged, have no time, or one that is not behind the one before."""


def check_target(target: Target, folder: Path) -> None:
    """Writes the start of a file and removes it: what can't be written shows before the work.

    Raises:
        InputError: When the encoder refuses the size.
        UsageError: When the container can't take the sound of the source.
        StoreError: When the folder can't be written.
    """
    target.encoding.open()
    probe = folder / f"probe{target.suffix}"
    with open_video(target.source) as (source, _), _opened(probe, target) as (out, _):
        streams = _add_streams(source, out, target, Copied())
        out.start_encoding()
        for _, packet in itertools.islice(_others(source, streams, Copied()), len(streams)):
            _mux_copy(
                out, packet, Copied()
            )  # some formats are refused only at the end of a file with content
    probe.unlink()


def join(target: Target, segments: list[Segment], to: Path, progress: Progress) -> Copied:
    """Writes the file.

    Args:
        target: What to write.
        segments: All of the video, at least one.
        to: Where.
        progress: Told of every video packet.

    Raises:
        UsageError: When the container can't take the sound of the source.
        StoreError: When it can't be written.
    """
    copied, total = Copied(), sum(segment.frames for segment in segments)
    with open_video(target.source) as (source, _), _opened(to, target) as (out, video):
        streams = _add_streams(source, out, target, copied)
        pictures = _pictures(segments, target.encoding, video)
        others = _others(source, streams, copied)
        done = 0
        for _, packet in heapq.merge(pictures, others, key=lambda timed: timed[0]):
            done += packet.stream is video
            progress("joining", done, total)
            if packet.stream is video:
                out.mux(packet)
            else:
                _mux_copy(out, packet, copied)
    return copied


def _mux_copy(out: "OutputContainer", packet: "Packet[Any]", copied: Copied) -> None:
    """Writes a packet of the source; one that is too damaged for the container is left out."""
    import av

    try:
        out.mux(packet)
    except av.InvalidDataError:
        copied.refused += 1
    else:
        copied.packets += 1


@contextlib.contextmanager
def _opened(path: Path, target: Target) -> Iterator[tuple["OutputContainer", "Stream"]]:
    """A container with its video stream; errors of FFmpeg while it writes become ours."""
    import av

    kind = CONTAINERS[target.suffix]
    options = {} if kind == "matroska" else {"movflags": "+faststart"}
    with store_errors(path.parent):
        try:
            out = av.open(path.absolute(), "w", format=kind, container_options=options)
            with out:
                encoding = target.encoding
                video = cast("VideoStream", out.add_stream(encoding.encoder, rate=encoding.fps))
                encoding.configure(video.codec_context)
                video.time_base = encoding.time_base
                yield out, video
        except av.ArgumentError as error:
            raise UsageError(
                f"{target.suffix} can't hold what is in {target.source}", hint=_MKV
            ) from error
        except av.FFmpegError as error:
            raise OSError(error.errno or errno.EIO, error.strerror) from error


def _add_streams(
    source: "InputContainer", out: "OutputContainer", target: Target, copied: Copied
) -> dict[int, "Stream"]:
    """Copies of the source's sound and subtitles, by their index in the source."""
    found: dict[int, Stream] = {}
    left: list[str] = []
    for stream in source.streams:
        name = _name(stream)
        if stream.type in ("audio", "subtitle"):
            try:
                found[stream.index] = out.add_stream_from_template(stream)
            except ValueError:
                if stream.type == "audio":
                    raise UsageError(
                        f"{target.suffix} takes no {name}, which is in {target.source}",
                        hint=_MKV,
                    ) from None
                left.append(f"{name}: {target.suffix} takes none")
                continue
            found[stream.index].metadata.update(stream.metadata)
            copied.audio += stream.type == "audio"
            copied.subtitles += stream.type == "subtitle"
        elif stream is not source.streams.best("video"):
            left.append(f"stream {stream.index}: {name}")
    copied.left_out = tuple(left)
    out.metadata.update({k: v for k, v in source.metadata.items() if k not in _OF_THE_FILE})
    out.set_chapters(source.chapters())
    return found


def _name(stream: "Stream") -> str:
    codec = stream.codec_context
    return f"{stream.type} ({codec.name if codec else 'unknown'})"


def _pictures(
    segments: list[Segment], encoding: Encoding, stream: "Stream"
) -> Iterator[tuple[Fraction, "Packet[Any]"]]:
    """Packets with the times of decoding: those of display, delayed so far that none is late."""
    import av

    unit, delay = encoding.time_base, max(segment.reorder for segment in segments)
    times = _times(segments, delay)
    for segment in segments:
        entries = segment.entries()
        lengths = _lengths(segment, entries)
        with segment.data.open("rb") as data:
            for entry in entries:
                packet: Packet[Any] = av.Packet(data.read(entry.size))
                packet.pts, packet.dts, packet.time_base = entry.pts, next(times), unit
                packet.duration = lengths[entry.pts]
                packet.is_keyframe, packet.stream = entry.key, stream
                yield packet.dts * unit, packet


def _lengths(segment: Segment, entries: list[Entry]) -> dict[int, int]:
    """How long each frame is shown; a container asks for that of the very last one."""
    times = sorted(entry.pts for entry in entries)
    lengths = [after - before for before, after in itertools.pairwise(times)]
    last = segment.duration or (lengths[-1] if lengths else 1)
    return dict(zip(times, [*lengths, last], strict=True))


def _times(segments: list[Segment], delay: int) -> Iterator[int]:
    """Times of display in their order, after ``delay`` earlier ones."""
    first: deque[Entry] = deque(sorted(segments[0].entries(), key=lambda entry: entry.pts)[:2])
    step = max(1, first[1].pts - first[0].pts) if len(first) > 1 else 1
    yield from (first[0].pts - step * back for back in range(delay, 0, -1))
    for segment in segments:
        yield from sorted(entry.pts for entry in segment.entries())


def _others(
    source: "InputContainer", streams: dict[int, "Stream"], copied: Copied
) -> Iterator[tuple[Fraction, "Packet[Any]"]]:
    """Packets of the streams that are copied, as they are; one that goes back in time is left."""
    import av

    if not streams:
        return
    last: dict[int, int] = {}
    packets = source.demux([source.streams[index] for index in streams])
    with contextlib.suppress(av.FFmpegError):  # as far as the source can be read
        for packet in packets:
            if not packet.size:
                continue
            index, dts = packet.stream.index, packet.dts
            if dts is None or dts <= last.get(index, dts - 1):
                copied.refused += 1
                continue
            last[index] = dts
            when = dts * Fraction(packet.time_base)
            packet.stream = streams[index]
            yield when, packet

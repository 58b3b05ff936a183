"""A video through a model: decode, upscale, encode in segments, join with the source's sound.

Decoding and encoding go on in FFmpeg's threads and in the calling one, models in theirs. At most
`Crew.window` frames are under way, so memory does not grow with the length of the video.
"""

import contextlib
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgesr import __version__
from edgesr.data.frames import Clip, Damage, Frame, probe_clip, read_frames
from edgesr.data.sources.base import content_sample
from edgesr.errors import ImageError, InputError
from edgesr.quality.runners import Runner
from edgesr.upscale.crew import Crew, open_runners
from edgesr.upscale.encoding import Encoding, YuvWriter, plan_encoding, remarks
from edgesr.upscale.join import Copied, Target, check_target, join
from edgesr.upscale.parts import Parts, Segment, SegmentFile, hold_parts
from edgesr.upscale.request import Progress, UpscaleRequest

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.codeccontext import VideoCodecContext

Numbered = tuple[int, Frame]
"""A frame, and which of the video's it is, from 0."""


@dataclass(frozen=True)
class VideoOutcome:
    """What became of a video."""

    clip: Clip
    encoding: Encoding
    scale: int
    model_sha256: str | None
    frames: int
    """In the result."""
    reused: int
    """Of these, identical to the frame before, so that its result was taken again."""
    resumed: int
    """Of these, there already from a call that was interrupted."""
    seconds: float
    """Of this call, from its start to the finished file."""
    workers: int
    copied: Copied
    notes: tuple[str, ...]

    @property
    def fps(self) -> float:
        """Frames of this call a second, with everything."""
        return (self.frames - self.resumed) / self.seconds

    @property
    def realtime_factor(self) -> float:
        """Above 1 it is faster than the video plays."""
        return self.fps / float(self.clip.fps)

    def to_dict(self) -> dict[str, Any]:
        """The JSON document."""
        import av

        clip, encoding = self.clip, self.encoding
        return {
            "kind": "video",
            "source": str(clip.path),
            "frames": self.frames,
            "reused": self.reused,
            "resumed": self.resumed,
            "seconds": self.seconds,
            "fps": self.fps,
            "realtime_factor": self.realtime_factor,
            "peak_rss_mib": peak_rss_mib(),
            "source_fps": float(clip.fps),
            "source_duration_s": clip.duration_s,
            "variable_rate": clip.variable_rate,
            "rotation": clip.rotation,
            "size_in": [clip.width, clip.height],
            "size_out": [encoding.width, encoding.height],
            "scale": self.scale,
            "model_sha256": self.model_sha256,
            "workers": self.workers,
            "threads": encoding.threads,
            "audio_streams": self.copied.audio,
            "subtitle_streams": self.copied.subtitles,
            "copied_packets": self.copied.packets,
            "encoder": {"name": encoding.encoder, **asdict(encoding.options)},
            "versions": {"edgesr": __version__, "av": av.__version__},
            "notes": list(self.notes),
        }


def upscale_video(request: UpscaleRequest, progress: Progress) -> VideoOutcome:
    """Upscales a video; an interrupted call leaves its segments, from which the next one goes on.

    Args:
        request: Checked by `request.kind_of`.
        progress: Told of every frame.

    Raises:
        UsageError: When the scale does not fit the model, the container can't take the sound, or
            another edgesr writes the same result.
        InputError: When the source or the model can't be read or used.
        StoreError: When the result can't be written.
    """
    began = time.monotonic()
    clip, workers = probe_clip(request.source), request.workers or request.threads
    runners = open_runners(request, workers)
    scale, sha256 = runners[0].scale, runners[0].sha256
    encoding = plan_encoding(clip, scale, request.video, request.threads)
    target = Target(request.source, encoding, request.out.suffix.lower())
    damage = Damage()
    with hold_parts(request.out, _key(request, encoding, sha256, scale)) as parts:
        resumed = parts.frames
        check_target(target, parts.folder)
        _encode_rest(clip, _Line(encoding, runners, progress), parts, damage)
        finished = parts.folder / f"finished{target.suffix}"
        try:
            copied = join(target, parts.segments, finished, progress)
            _put_in_place(finished, request.out)
        finally:
            finished.unlink(missing_ok=True)  # where it failed, segments alone are of use
        segments = parts.segments
    notes = [*remarks(clip, scale), *_losses(clip, damage, copied, segments)]
    if parts.discarded:
        notes.append(f"began anew, for {', '.join(parts.discarded)} differ from an earlier call's")
    return VideoOutcome(
        clip=clip,
        encoding=encoding,
        scale=scale,
        model_sha256=sha256,
        frames=sum(segment.frames for segment in segments),
        reused=sum(segment.reused for segment in segments),
        resumed=resumed,
        seconds=time.monotonic() - began,
        workers=workers,
        copied=copied,
        notes=(*runners[0].notes, *notes),
    )


def peak_rss_mib() -> float:
    """The most memory this process has held so far, MiB.

    Linux tells it by itself; ``ru_maxrss`` there knows of the parent's memory too, before exec.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass(frozen=True)
class _Line:
    """Where frames become packets."""

    encoding: Encoding
    runners: list[Runner]
    progress: Progress


def _key(
    request: UpscaleRequest, encoding: Encoding, sha256: str | None, scale: int
) -> dict[str, Any]:
    """What decides about the bytes of segments, under names that a user understands."""
    import av

    size, digest = content_sample(request.source)
    return {
        "source": [size, digest, request.source.stat().st_mtime_ns],
        "model": [sha256 or request.model, scale],
        "network options": {key: str(value) for key, value in request.runner.options.items()},
        "encoding": str(encoding),
        "versions": [__version__, av.__version__],
    }


def _encode_rest(clip: Clip, line: _Line, parts: Parts, damage: Damage) -> None:
    """Writes the segments that are missing."""
    length, done = line.encoding.segment_frames, parts.frames
    writers = {id(runner): YuvWriter(line.encoding) for runner in line.runners}

    def work(runner: Runner, item: Numbered) -> "VideoFrame":
        return writers[id(runner)].write(runner.upscale(item[1].image))

    def same(before: Numbered, item: Numbered) -> bool:
        """A segment stands alone, so that a resumed video counts like one made in one go."""
        return item[0] % length != 0 and np.array_equal(before[1].image, item[1].image)

    frames = enumerate(read_frames(clip.path, damage, skip=done), done)
    results = Crew(line.runners, work).map(_of_one_size(frames, clip), same)
    total = max(clip.frames or 0, done)
    segment: _Encoder | None = None
    try:
        with contextlib.closing(results):
            for (number, frame), picture, again in results:
                line.progress("upscaling", number, total)
                segment = segment or _Encoder(line.encoding.open(), parts.begin())
                segment.add(frame, picture, reused=again)
                if (number + 1) % length == 0:
                    parts.segments.append(segment.finish())
                    segment = None
        if segment is not None:
            parts.segments.append(segment.finish())
    finally:
        if segment is not None:
            segment.file.close()
    if not parts.segments:
        raise ImageError(f"no frame of {clip.path} can be decoded", hint="the file is damaged")


class _Encoder:
    """One segment on its way through the encoder."""

    def __init__(self, context: "VideoCodecContext", file: SegmentFile) -> None:
        self.file = file
        self._context = context
        self._reused = 0
        self._duration = 0

    def add(self, frame: Frame, picture: "VideoFrame", *, reused: bool) -> None:
        picture.pts, picture.time_base = frame.pts, self._context.time_base
        self._reused += reused
        self._duration = frame.duration
        self._write(picture)

    def finish(self) -> Segment:
        self._write(None)
        return self.file.finish(reused=self._reused, duration=self._duration)

    def _write(self, picture: "VideoFrame | None") -> None:
        for packet in self._context.encode(picture):
            if packet.pts is not None:
                self.file.add(packet.pts, bytes(packet), key=packet.is_keyframe)


def _of_one_size(frames: Iterator[Numbered], clip: Clip) -> Iterator[Numbered]:
    for number, frame in frames:
        height, width = frame.image.shape[:2]
        if (width, height) != (clip.width, clip.height):
            raise InputError(
                f"{clip.path} changes its size at {frame.time_s:.2f} s, from {clip.width}x"
                f"{clip.height} to {width}x{height}",
                hint="cut it there, and upscale the pieces",
            )
        yield number, frame


def _put_in_place(finished: Path, out: Path) -> None:
    with finished.open("rb") as written:
        os.fsync(written.fileno())
    finished.replace(out)


def _losses(clip: Clip, damage: Damage, copied: Copied, segments: list[Segment]) -> list[str]:
    found = [str(damage)] if str(damage) else []
    end_s = float((segments[-1].last_pts + segments[-1].duration) * clip.time_base)
    if clip.duration_s is not None and clip.duration_s > end_s + 1:
        found.append(f"its pictures end at {end_s:.1f} s of {clip.duration_s:.1f} s")
    if copied.left_out:
        found.append(f"left out: {', '.join(copied.left_out)}")
    if copied.refused:
        found.append(f"{copied.refused} packets of sound or subtitles are damaged or have no time")
    return found

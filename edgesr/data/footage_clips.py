"""Writing footage: a lossless clip as truth, and a small one as lecture platforms serve it.

Frames are handed to the encoders one by one, and everything runs in one thread, so that the same
frames give the same file wherever the same libraries are installed.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from edgesr.data.degrade_codec import to_yuv420
from edgesr.data.footage_sound import BLOCK, RATE, voice
from edgesr.data.frames import BT709
from edgesr.data.images import RgbImage
from edgesr.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_LIMITED_RANGE = 1
_AUDIO_BITRATE = 48_000
_MAX_BURST_S = 2
"""Seconds at the given bitrate that a decoder buffers."""


@dataclass(frozen=True)
class Coding:
    """How the small clip is coded, in H.264."""

    bitrate: int = 150_000
    """Bits a second of the pictures; not used with ``crf``."""
    crf: int | None = None
    """Constant rate factor, 0 to 51, instead of a bitrate: 23 is x264's default."""
    gop_s: float = 5.0
    """Longest time between frames that stand alone, seconds."""

    def options(self, fps: int) -> dict[str, str]:
        """Options of libx264: three B-frames, and a burst limit as for streaming."""
        gop = max(1, round(self.gop_s * fps))
        common = {"preset": "medium", "bf": "3", "g": str(gop)}
        if self.crf is not None:
            return {**common, "crf": str(self.crf)}
        limit = {"maxrate": str(self.bitrate), "bufsize": str(_MAX_BURST_S * self.bitrate)}
        return {**common, "b": str(self.bitrate), **limit}


class TruthClip:
    """Writes H.264 in RGB without any loss, MP4.

    Args:
        path: The file.
        fps: Frames a second.
        size: Width and height, pixels.
    """

    def __init__(self, path: Path, fps: int, size: tuple[int, int]) -> None:
        self._out = _Output(path)
        self._stream = self._out.video("libx264rgb", fps, size)
        self._stream.pix_fmt = "rgb24"
        self._stream.options = {"preset": "veryfast", "crf": "0", "g": str(10 * fps)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._out.close(finish=kind is None)

    def write(self, image: RgbImage) -> None:
        """Adds a frame, array (H, W, 3), uint8, RGB."""
        import av

        self._out.encode(self._stream, av.VideoFrame.from_ndarray(image, format="rgb24"))


class SmallClip:
    """Writes H.264 of low bitrate, BT.709 in limited range, with sound (AAC), MP4.

    Args:
        path: The file.
        fps: Frames a second.
        size: Width and height, pixels; both even.
        coding: How strongly it is compressed.
        seed: Of the sound.
    """

    def __init__(
        self, path: Path, fps: int, size: tuple[int, int], coding: Coding, seed: int
    ) -> None:
        self._out = _Output(path)
        self._fps, self._seed = fps, seed
        self._stream = stream = self._out.video("libx264", fps, size)
        stream.pix_fmt = "yuv420p"
        stream.options = {**coding.options(fps)}
        stream.codec_context.colorspace = BT709
        stream.codec_context.color_primaries = BT709
        stream.codec_context.color_trc = BT709
        stream.codec_context.color_range = _LIMITED_RANGE
        self._sound = self._out.sound()
        self._frames = self._blocks = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._out.close(finish=kind is None)

    @property
    def video_bytes(self) -> int:
        """Bytes of the pictures so far, without sound and container."""
        return self._out.bytes_of[self._stream.index]

    def write(self, image: RgbImage) -> None:
        """Adds a frame, array (H, W, 3), uint8, RGB, and the sound up to its end."""
        import av

        frame = av.VideoFrame.from_ndarray(to_yuv420(image, "bt709"), format="yuv420p")
        frame.colorspace, frame.color_range = BT709, _LIMITED_RANGE
        self._out.encode(self._stream, frame)
        self._frames += 1
        while self._blocks * BLOCK * self._fps < self._frames * RATE:
            sound = av.AudioFrame.from_ndarray(
                voice(self._seed, self._blocks), format="fltp", layout="mono"
            )
            sound.sample_rate, sound.pts = RATE, self._blocks * BLOCK
            self._out.encode(self._sound, sound)
            self._blocks += 1


class _Output:
    """An MP4 file that is being written; FFmpeg's errors become ours here."""

    def __init__(self, path: Path) -> None:
        import av

        self._path = path
        self.bytes_of: dict[int, int] = {}
        with self._errors():
            self._container: OutputContainer = av.open(
                path, "w", format="mp4", options={"movflags": "+faststart"}
            )

    def video(self, encoder: str, fps: int, size: tuple[int, int]) -> "VideoStream":
        with self._errors():
            stream = cast("VideoStream", self._container.add_stream(encoder, rate=fps))
        stream.width, stream.height = size
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, fps)
        return stream

    def sound(self) -> Any:
        with self._errors():
            stream = self._container.add_stream("aac", rate=RATE)
        stream.layout, stream.format, stream.bit_rate = "mono", "fltp", _AUDIO_BITRATE
        return stream

    def encode(self, stream: Any, frame: Any) -> None:
        with self._errors():
            packets = stream.encode(frame)
            for packet in packets:
                self.bytes_of[stream.index] = self.bytes_of.get(stream.index, 0) + packet.size
            self._container.mux(packets)

    def close(self, *, finish: bool) -> None:
        """Writes what the encoders hold back, and the index; or only lets go of the file."""
        if not finish:
            with contextlib.suppress(Exception):  # the error that led here is the one to tell
                self._container.close()
            return
        for stream in self._container.streams:
            self.encode(stream, None)
        with self._errors():
            self._container.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        import av

        try:
            yield
        except av.codec.codec.UnknownCodecError as error:
            raise ConfigError(
                f"PyAV has no encoder {error}, which footage needs",
                hint="install PyAV's own wheel: python3 -m pip install --force-reinstall av",
            ) from error
        except av.FFmpegError as error:
            raise StoreError(
                f"can't write {self._path.name}: {error.strerror or error}",
                hint="is the disk full?",
            ) from error

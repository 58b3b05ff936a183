"""How the result of a video is encoded: one plan for all segments, and the colours' way back."""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from edgesr.data.frames import FULL_RANGE, Clip, Colour, scaler_flags
from edgesr.data.images import RgbImage
from edgesr.errors import InputError
from edgesr.upscale.request import VideoOptions

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.codeccontext import VideoCodecContext
    from av.video.reformatter import VideoReformatter

_ENCODERS = {"h264": "libx264", "h265": "libx265"}
_LIMITED_RANGE = 1
_HDR = {16: "PQ", 18: "HLG"}
"""Codes of ITU-T H.273 for transfer functions."""


@dataclass(frozen=True)
class Encoding:
    """Everything that decides about the bytes of a segment, but the pixels."""

    options: VideoOptions
    width: int
    """Even: a side that was odd has its edge repeated once."""
    height: int
    colour: Colour
    time_base: Fraction
    fps: Fraction
    pixel_aspect: Fraction
    threads: int

    @property
    def encoder(self) -> str:
        """FFmpeg's name of the encoder."""
        return _ENCODERS[self.options.codec]

    @property
    def segment_frames(self) -> int:
        """Frames of one segment."""
        return max(1, round(self.options.segment_s * self.fps))

    def configure(self, context: "VideoCodecContext") -> None:
        """Sets an encoder that is not open yet."""
        context.width, context.height = self.width, self.height
        context.pix_fmt = "yuv420p"
        context.time_base, context.framerate = self.time_base, self.fps
        context.sample_aspect_ratio = self.pixel_aspect
        context.colorspace = self.colour.matrix
        context.color_range = FULL_RANGE if self.colour.full_range else _LIMITED_RANGE
        context.color_primaries = self.colour.primaries
        context.color_trc = self.colour.transfer
        context.thread_count = self.threads
        context.options = {"crf": str(self.options.crf), "preset": self.options.preset}
        if self.options.codec == "h265":
            context.options["x265-params"] = f"log-level=none:pools={self.threads}"
            context.codec_tag = "hvc1"  # the only one that Apple's players take

    def open(self) -> "VideoCodecContext":
        """A new encoder, whose parameter sets are beside the stream and not in it.

        Raises:
            InputError: When the encoder refuses the size.
        """
        import av
        from av.codec.context import Flags

        context = cast("VideoCodecContext", av.CodecContext.create(self.encoder, "w"))
        self.configure(context)
        context.flags |= Flags.global_header
        try:
            context.open()
        except av.FFmpegError as error:
            raise InputError(
                f"{self.encoder} can't write {self.width}x{self.height} pixels: {error.strerror}",
                hint="try --codec h264, or another scale",
            ) from error
        return context


def plan_encoding(clip: Clip, scale: int, options: VideoOptions, threads: int) -> Encoding:
    """The encoding of a clip made ``scale`` times as large."""
    colour = clip.colour
    if colour.rgb:  # full range in YUV is understood by few players
        colour = Colour(colour.matrix, False, colour.primaries, colour.transfer)  # noqa: FBT003
    return Encoding(
        options=options,
        width=_even(clip.width * scale),
        height=_even(clip.height * scale),
        colour=colour,
        time_base=clip.time_base,
        fps=clip.fps.limit_denominator(100_000),
        pixel_aspect=clip.pixel_aspect.limit_denominator(10_000),
        threads=threads,
    )


def remarks(clip: Clip, scale: int) -> list[str]:
    """What a user has to know about how this clip is treated."""
    colour = clip.colour
    matrix = {1: "BT.709", 5: "BT.601", 6: "BT.601"}.get(colour.matrix, str(colour.matrix))
    found = {
        f"it names no colour matrix: {matrix} is assumed, from its height of"
        f" {clip.coded_height}, and named in the result": not colour.named,
        f"its {clip.bits}-bit values become 8-bit ones": clip.bits > 8,
        f"it is HDR ({_HDR.get(colour.transfer)}): the result keeps that in 8 bits, and may show"
        " bands": colour.transfer in _HDR,
        "it is interlaced: both fields are enlarged as one picture; deinterlace it before":
            clip.interlaced,
        "a side of odd length is made even by repeating its edge":
            bool(clip.width * scale % 2 or clip.height * scale % 2),
    }  # fmt: skip
    return [text for text, true in found.items() if true]


class YuvWriter:
    """Turns RGB to the frames that an encoding takes; not for several threads at once."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._scaler: VideoReformatter | None = None

    def write(self, image: RgbImage) -> "VideoFrame":
        """(H, W, 3), uint8, RGB to yuv420p of even size."""
        import av
        from av.video.reformatter import VideoReformatter

        self._scaler = self._scaler or VideoReformatter()
        colour = self._encoding.colour
        missing = (self._encoding.height - image.shape[0], self._encoding.width - image.shape[1])
        if any(missing):
            image = np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
        found: Any = self._scaler.reformat(
            av.VideoFrame.from_ndarray(image, format="rgb24"),
            format="yuv420p",
            src_colorspace=colour.swscale,
            dst_colorspace=colour.swscale,
            interpolation=scaler_flags(),
            src_color_range=FULL_RANGE,
            dst_color_range=FULL_RANGE if colour.full_range else _LIMITED_RANGE,
            threads=1,
        )
        found.colorspace = colour.matrix
        return cast("VideoFrame", found)


def _even(length: int) -> int:
    return length + length % 2

"""Real H.264 and H.265 artefacts: a short clip through the encoder and the decoder of PyAV.

Everything runs in one thread, so the same clip gives the same pixels in every process. Colours are
converted here, not by FFmpeg's scaler, whose rounding depends on its version and flags.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from edgesr.data.degrade_jpeg import to_bytes
from edgesr.data.degrade_resize import interpolate
from edgesr.data.images import RgbImage
from edgesr.data.kernels import Pixels
from edgesr.errors import ConfigError

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

Codec = Literal["h264", "h265"]
Matrix = Literal["bt601", "bt709"]

_SETTINGS: dict[Codec, tuple[str, str, dict[str, str]]] = {
    "h264": (
        "libx264", "h264",
        {"preset": "veryfast", "x264-params": "keyint=infinite:scenecut=0:threads=1"},
    ),
    "h265": (
        "libx265", "hevc",
        {
            "preset": "superfast",
            "x265-params": "keyint=-1:scenecut=0:pools=none:frame-threads=1:wpp=0:log-level=none",
        },
    ),
}  # fmt: skip
"""Encoder, decoder, and options: the presets of live recorders; only the first frame is whole."""
_LEAST_SIDE = 64
"""Smaller pictures are padded: H.265 codes units of up to 64 pixels."""
_RED_BLUE = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
"""Shares of red and blue in the luma (ITU-R BT.601 and BT.709)."""


@dataclass(frozen=True)
class CodecOptions:
    """How a clip is coded."""

    codec: Codec = "h264"
    crf: int = 26
    """Constant rate factor, 0 to 51: 23 is x264's default, 28 x265's, 6 more halve the bitrate."""
    matrix: Matrix = "bt709"
    """What colours are converted by."""


def recode(frames: Sequence[RgbImage], options: CodecOptions) -> RgbImage:
    """The last frame of a clip after coding; all frames but the first are predicted from others.

    4:2:0 colour, limited range. Odd and small pictures are padded by their edge and cut again.

    Args:
        frames: Arrays (H, W, 3), uint8, RGB, all of one size; at least one.
        options: Codec, strength and colours.

    Returns:
        Array (H, W, 3), uint8, RGB.

    Raises:
        ConfigError: When the installed PyAV lacks the encoder or can't run it.
    """
    height, width = frames[-1].shape[:2]
    planes = [to_yuv420(_padded(frame), options.matrix) for frame in frames]
    return _to_rgb(_coded(planes, options), options.matrix)[:height, :width]


def _coded(frames: Sequence[NDArray[np.uint8]], options: CodecOptions) -> NDArray[np.uint8]:
    """Planes of yuv420p, (3 H / 2, W), of every frame to those of the last one."""
    import av

    encoder, decoder = _open(options)
    encoder.width, encoder.height = frames[0].shape[1], frames[0].shape[0] * 2 // 3
    last = None
    try:
        packets = []
        for number, planes in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            picture.pts = number
            packets += encoder.encode(picture)
        for packet in [*packets, *encoder.encode(None), None]:
            for picture in decoder.decode(packet):
                last = picture
    except av.FFmpegError as error:
        raise _unusable(options, f"fails: {error.strerror}") from error
    if last is None:
        raise _unusable(options, "gives no picture")
    return cast("NDArray[np.uint8]", last.to_ndarray(format="yuv420p"))


def _open(options: CodecOptions) -> tuple["VideoCodecContext", "VideoCodecContext"]:
    """An encoder without a size, and a decoder."""
    import av

    name, reader, settings = _SETTINGS[options.codec]
    try:
        encoder = cast("VideoCodecContext", av.CodecContext.create(name, "w"))
        decoder = cast("VideoCodecContext", av.CodecContext.create(reader, "r"))
    except av.codec.codec.UnknownCodecError as error:
        raise _unusable(options, "is not there") from error
    encoder.pix_fmt = "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.thread_count = decoder.thread_count = 1
    encoder.options = {"crf": str(options.crf), **settings}
    return encoder, decoder


def _unusable(options: CodecOptions, why: str) -> ConfigError:
    return ConfigError(
        f"lecture-video needs the encoder {_SETTINGS[options.codec][0]} of PyAV, which {why}",
        hint="install PyAV's own wheel: python3 -m pip install --force-reinstall av",
    )


def _padded(frame: RgbImage) -> RgbImage:
    """Even sides of at least 64 pixels."""
    missing = [max(_LEAST_SIDE, side + side % 2) - side for side in frame.shape[:2]]
    if not any(missing):
        return frame
    return np.pad(frame, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


def to_yuv420(frame: RgbImage, matrix: Matrix) -> NDArray[np.uint8]:
    """RGB to the planes of yuv420p, limited range.

    Args:
        frame: Array (H, W, 3), uint8, RGB; both sides even.
        matrix: What colours are converted by.

    Returns:
        Array (3 H / 2, W): Y, then a quarter each of U and V, averaged over 2x2 pixels.
    """
    height, width = frame.shape[:2]
    red, blue = _RED_BLUE[matrix]
    r, g, b = (frame[:, :, channel].astype(np.float32) / 255 for channel in range(3))
    y = red * r + (1 - red - blue) * g + blue * b
    differences = [(b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)]
    colour: Pixels = np.stack(differences, axis=2, dtype=np.float32)
    halved = to_bytes(128 + 224 * interpolate(colour, (height // 2, width // 2), "area"))
    planes = np.empty((height * 3 // 2, width), np.uint8)
    planes[:height] = to_bytes(16 + 219 * y)
    planes[height:] = halved.transpose(2, 0, 1).reshape(height // 2, width)
    return planes


def _to_rgb(planes: NDArray[np.uint8], matrix: Matrix) -> RgbImage:
    """The reverse; colour is enlarged bilinearly, as players do."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    red, blue = _RED_BLUE[matrix]
    y = (planes[:height].astype(np.float32) - 16) / 219
    halved = planes[height:].reshape(2, height // 2, width // 2).transpose(1, 2, 0)
    colour: Pixels = interpolate(halved.astype(np.float32), (height, width), "bilinear")
    u, v = (colour[:, :, 0] - 128) / 224, (colour[:, :, 1] - 128) / 224
    r, b = y + (2 - 2 * red) * v, y + (2 - 2 * blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    return to_bytes(255 * np.stack([r, g, b], axis=2))

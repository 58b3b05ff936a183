"""What the recording of a lecture does to its slides.

Captions, name tags and the pointer belong to the picture, not to its degradation: a network that
finds them only in small images learns to wipe text away. `edgesr.data.degrade_overlay` draws them
on the large image before it comes here.
"""

from dataclasses import dataclass

import numpy as np

from edgesr.data.degrade_codec import CodecOptions, Matrix, recode
from edgesr.data.degrade_jpeg import to_bytes
from edgesr.data.degrade_resize import MODES, interpolate
from edgesr.data.images import RgbImage
from edgesr.data.kernels import Spread, blur, gaussian_kernel
from edgesr.data.resize import imresize

_MATRICES: tuple[Matrix, Matrix] = ("bt601", "bt709")


@dataclass(frozen=True)
class LectureVideo:
    """Strengths of the degradation; ranges are drawn from uniformly, both ends included."""

    rescaled: float = 0.5
    """Probability that the slide goes through another size before it has its own."""
    between: tuple[float, float] = (0.8, 1.6)
    """That size over the small image's."""
    blurred: float = 0.5
    """Probability of a blur."""
    sigma: tuple[float, float] = (0.2, 0.7)
    """Of the blur, pixels of the small image."""
    h265: float = 0.3
    """Probability of H.265; otherwise it is H.264."""
    crf_h264: tuple[int, int] = (18, 33)
    crf_h265: tuple[int, int] = (20, 35)
    frames: tuple[int, int] = (2, 4)
    """Length of the clip, of which the last frame is taken."""
    moving: float = 0.3
    """Probability that the slide comes scrolling, by up to ``speed`` pixels a frame."""
    speed: int = 2
    fading: float = 0.3
    """Probability that it comes out of a plain page, the one before it; otherwise it stands."""


PLAIN = LectureVideo()


def degrade_lecture_video(
    hr: RgbImage, scale: int, rng: np.random.Generator, options: LectureVideo = PLAIN
) -> RgbImage:
    """A slide as it looks in a recording of low bitrate.

    It is shrunk, half of the time through a size in between, blurred a little, and coded as the
    last frame of a short H.264 or H.265 clip in which it stands, scrolls or fades in; so most of
    it is predicted from a worse frame, as after every change of slides.

    Args:
        hr: Array (s*H, s*W, 3), uint8, RGB.
        scale: 2, 3 or 4.
        rng: Where everything is drawn from.
        options: Strengths and probabilities.

    Returns:
        Array (H, W, 3), uint8, RGB.

    Raises:
        ConfigError: When the installed PyAV lacks an encoder.
    """
    small = _shrunk(hr, scale, rng, options)
    if rng.random() < options.blurred:
        sigma = rng.uniform(*options.sigma)
        small = to_bytes(blur(small.astype(np.float32), gaussian_kernel(7, Spread(sigma, sigma))))
    clip = _clip(small, rng, options)
    h265 = rng.random() < options.h265
    low, high = options.crf_h265 if h265 else options.crf_h264
    coding = CodecOptions(
        "h265" if h265 else "h264", int(rng.integers(low, high + 1)), _MATRICES[rng.integers(2)]
    )
    return recode(clip, coding)


def _shrunk(hr: RgbImage, scale: int, rng: np.random.Generator, options: LectureVideo) -> RgbImage:
    if rng.random() >= options.rescaled:
        return imresize(hr, 1 / scale)
    height, width = hr.shape[0] // scale, hr.shape[1] // scale
    factor = min(rng.uniform(*options.between), scale)
    between = (max(1, round(height * factor)), max(1, round(width * factor)))
    shared = interpolate(hr.astype(np.float32), between, "area")
    return to_bytes(interpolate(shared, (height, width), MODES[rng.integers(len(MODES))]))


def _clip(small: RgbImage, rng: np.random.Generator, options: LectureVideo) -> list[RgbImage]:
    """Frames that end with the image itself."""
    low, high = options.frames
    before = range(int(rng.integers(low, high + 1)) - 1, 0, -1)
    kind = rng.random()
    if kind < options.moving:
        down, right = rng.integers(-options.speed, options.speed + 1, size=2)
        earlier = [_moved(small, int(down) * frames, int(right) * frames) for frames in before]
    elif kind < options.moving + options.fading:
        page = rng.integers(0, 256, size=3).astype(np.float32)
        steps = [frames / (len(before) + 1) for frames in before]
        earlier = [to_bytes(page * step + small * np.float32(1 - step)) for step in steps]
    else:
        earlier = [small for _ in before]
    return [*earlier, small]


def _moved(image: RgbImage, down: int, right: int) -> RgbImage:
    """The image shifted by whole pixels; its edge fills what becomes free."""
    height, width = image.shape[:2]
    rows = (np.arange(height) - down).clip(0, height - 1)
    columns = (np.arange(width) - right).clip(0, width - 1)
    moved: RgbImage = image[rows[:, None], columns]
    return moved

"""How fast a model upscales a video, measured while it is evaluated."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

_WARM_UP = 3
"""Frames whose times are left out: engines allocate and plan then."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Speed:
    """Frames a second as measured here, on one frame after another."""

    fps: float
    """Of the upscaling alone."""
    real_time_factor: float
    """That over the clip's own rate: from 1 on the model keeps up."""
    fps_with_decode: float
    """With the decoding of the clip and the conversion to RGB, one after the other."""
    real_time_factor_with_decode: float
    median_ms: float
    """Of one frame's upscaling."""
    p95_ms: float
    clip_fps: float
    frames_timed: int
    warm_up_frames: int
    """Left out at the beginning."""
    threads: int | None
    """Asked for; None left the choice to the engine."""
    cores: int
    """That this process may use."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


class Stopwatch:
    """Takes the times of decoding and upscaling, frame by frame."""

    def __init__(self) -> None:
        self._decode_s: list[float] = []
        self._upscale_s: list[float] = []

    def decoded(self, frames: Iterator[_T]) -> Iterator[_T]:
        """The same frames; the time each takes to come is noted."""
        while True:
            start = time.perf_counter()
            frame = next(frames, None)
            if frame is None:
                return
            self._decode_s.append(time.perf_counter() - start)
            yield frame

    def upscaled(self, call: Callable[[], _T]) -> _T:
        """What the call returns; its time is noted."""
        start = time.perf_counter()
        result = call()
        self._upscale_s.append(time.perf_counter() - start)
        return result

    def speed(self, clip_fps: float, *, threads: int | None, cores: int) -> Speed | None:
        """The speed over all frames but the first few; None when nothing was upscaled."""
        count = len(self._upscale_s)
        if not count:
            return None
        skipped = min(_WARM_UP, count - 1)
        upscale = np.array(self._upscale_s[skipped:])
        decode = np.array(self._decode_s[len(self._decode_s) - len(upscale) :])
        fps, with_decode = 1 / upscale.mean(), 1 / (upscale + decode).mean()
        return Speed(
            fps=float(fps),
            real_time_factor=float(fps / clip_fps),
            fps_with_decode=float(with_decode),
            real_time_factor_with_decode=float(with_decode / clip_fps),
            median_ms=float(1000 * np.median(upscale)),
            p95_ms=float(1000 * np.percentile(upscale, 95)),
            clip_fps=clip_fps,
            frames_timed=len(upscale),
            warm_up_frames=skipped,
            threads=threads,
            cores=cores,
        )

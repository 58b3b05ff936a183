"""What belongs to a frame of a video by its time: truth, text, and whether it is scored."""

from collections.abc import Iterator

from edgesr.data.footage_text import KnownText, TextTrack
from edgesr.data.frames import Clip, Damage, Frame, read_frames
from edgesr.data.images import RgbImage
from edgesr.errors import ImageError


class TruthFrames:
    """High-res frames by the time of the small clip's, read once from the start.

    Args:
        clip: The high-res clip.
        small: The clip whose frames are asked for.
        scale: Large size over small size.

    Raises:
        ImageError: When the sizes don't fit. A large frame that is larger by less than one small
            pixel is cut at the right and the bottom.
    """

    def __init__(self, clip: Clip, small: Clip, scale: int) -> None:
        self.height, self.width = small.height * scale, small.width * scale
        excess = (clip.height - self.height, clip.width - self.width)
        if any(not 0 <= pixels < scale for pixels in excess):
            raise ImageError(
                f"{clip.path} has {clip.width}x{clip.height} pixels, the model makes"
                f" {self.width}x{self.height} (x{scale}) of {small.path}",
                hint=f"give a truth of scale {scale}, or a model of the truth's scale",
            )
        self.matched = 0
        self.damage = Damage()
        self._frames = of_one_size(read_frames(clip.path, self.damage), clip)
        self._near_s = near_s(small)
        self._best, self._next = next(self._frames, None), next(self._frames, None)

    def at(self, time_s: float) -> RgbImage | None:
        """The frame nearest to a time, (sH, sW, 3); None when none lies within half a frame.

        Args:
            time_s: Not before the times asked for earlier.
        """
        while self._best and self._next and _apart(self._next, time_s) < _apart(self._best, time_s):
            self._best, self._next = self._next, next(self._frames, None)
        if self._best is None or _apart(self._best, time_s) > self._near_s:
            return None
        self.matched += 1
        return self._best.image[: self.height, : self.width]


class Sampling:
    """Which frames are scored: every n-th one, and one of each slide that has text but none yet.

    Args:
        every: n; 1 takes all.
        track: Known text; None where there is none.
        clip: The clip that is upscaled.
    """

    def __init__(self, every: int, track: TextTrack | None, clip: Clip) -> None:
        self._every = every
        self._track = track
        self._near_s = near_s(clip)
        self._extra = _middles(track, every, float(clip.fps)) if track else frozenset()
        self.matched = 0

    def text_at(self, time_s: float) -> KnownText | None:
        """What is known about the text at a time."""
        found = self._track.at(time_s, self._near_s) if self._track else None
        self.matched += found is not None
        return found

    def takes(self, index: int, known: KnownText | None) -> bool:
        """Whether the frame of this number is scored."""
        return index % self._every == 0 or known in self._extra


def of_one_size(frames: Iterator[Frame], clip: Clip) -> Iterator[Frame]:
    """The same frames.

    Raises:
        ImageError: When one has not the clip's size, which a video may change midway.
    """
    for frame in frames:
        height, width = frame.image.shape[:2]
        if (width, height) != (clip.width, clip.height):
            raise ImageError(
                f"{clip.path} changes its size at {frame.time_s:.2f} s, from {clip.width}x"
                f"{clip.height} to {width}x{height}",
                hint="cut it there, and evaluate the pieces",
            )
        yield frame


def _apart(frame: Frame, time_s: float) -> float:
    return abs(frame.time_s - time_s)


def near_s(clip: Clip) -> float:
    """Times that differ by less than this are those of the same frame: half a frame, seconds."""
    return 0.5 / float(clip.fps)


def _middles(track: TextTrack, every: int, fps: float) -> frozenset[KnownText | None]:
    """The middle row of each slide whose text is never visible on an n-th frame."""
    slides: dict[str, list[KnownText]] = {}
    for row in track.rows:
        if row.stable:
            slides.setdefault(row.slide, []).append(row)
    return frozenset(
        rows[len(rows) // 2]
        for rows in slides.values()
        if not any(round(row.time_s * fps) % every == 0 for row in rows)
    )

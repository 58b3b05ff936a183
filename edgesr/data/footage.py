"""Lecture footage with known text: a lossless clip, a small one of low bitrate, text per frame.

Slides come one after another by cut, cross-fade or movement; a pointer and handwriting go over
them. The pictures are a function of the options alone; the bytes of the files also depend on the
versions of the encoders, which ``footage.json`` names.
"""

import importlib.metadata
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgesr.data.footage_clips import Coding, SmallClip, TruthClip
from edgesr.data.footage_film import Film, FilmOptions
from edgesr.data.footage_text import FrameText, write_frame_texts
from edgesr.data.images import RgbImage
from edgesr.data.resize import imresize
from edgesr.data.slide_canvas import HEIGHT, WIDTH
from edgesr.errors import UsageError
from edgesr.files import atomic_folder, sha256_file, write_text

HR_FILE, LR_FILE, TEXT_FILE, FOOTAGE_FILE = "hr.mp4", "lr.mp4", "text.csv", "footage.json"

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, steps done, steps in all)."""

_LEAST_SIDE = 64
_CUT = 6
"""Pixels of a slide that may be cut off at its edge: there is no text."""
_LONGEST_S = 3600
_LEAST_BITRATE, _MOST_BITRATE = 1000, 1_000_000_000


@dataclass(frozen=True)
class FootageOptions:
    """What footage to make."""

    seconds: float = 20.0
    fps: int = 30
    seed: int = 0
    scale: int = 2
    """Large size over small size: 2, 3 or 4."""
    size: tuple[int, int] | None = None
    """Width and height of the small clip; None takes a slide's over the scale, to even pixels."""
    coding: Coding = field(default_factory=Coding)
    hold_s: tuple[float, float] = (3.0, 5.5)
    """Least and greatest time from one slide to the next, seconds."""

    def __post_init__(self) -> None:
        if self.scale not in (2, 3, 4):
            raise UsageError(f"the scale must be 2, 3 or 4, not {self.scale}")
        if not 1 <= self.fps <= 120:
            raise UsageError(f"footage has 1 to 120 frames a second, not {self.fps}")
        if not 0 < self.seconds <= _LONGEST_S or self.frames < 1:
            raise UsageError(
                f"footage of {self.seconds:g} s can't be made: at least one frame, at most an hour"
            )
        if not 0 < self.hold_s[0] <= self.hold_s[1]:
            raise UsageError(f"slides can't stand for {self.hold_s[0]:g} to {self.hold_s[1]:g} s")
        _check_coding(self.coding)
        _check_size(self.lr_size, self.scale)

    @property
    def frames(self) -> int:
        """How many there are."""
        return round(self.seconds * self.fps)

    @property
    def lr_size(self) -> tuple[int, int]:
        """Width and height of the small clip, pixels."""
        return self.size or (WIDTH // self.scale // 2 * 2, HEIGHT // self.scale // 2 * 2)

    @property
    def hr_size(self) -> tuple[int, int]:
        """Width and height of the large clip, pixels."""
        return self.lr_size[0] * self.scale, self.lr_size[1] * self.scale


@dataclass(frozen=True)
class Footage:
    """What was made."""

    folder: Path
    frames: int
    slides: int
    stable: int
    """Frames whose text is fully visible."""
    lr_kbps: float
    """Of the small clip's pictures alone, 1000 bits a second."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the paths of the files."""
        files = {"hr": HR_FILE, "lr": LR_FILE, "text": TEXT_FILE, "footage": FOOTAGE_FILE}
        paths = {name: str(self.folder / file) for name, file in files.items()}
        counts = {"frames": self.frames, "slides": self.slides, "stable_frames": self.stable}
        return {**paths, **counts, "lr_kbps": self.lr_kbps}


def write_footage(out: Path, options: FootageOptions, progress: Progress | None = None) -> Footage:
    """Writes ``hr.mp4``, ``lr.mp4``, ``text.csv`` and ``footage.json``.

    The large clip is lossless; the small one comes from it by `resize.imresize` and H.264. Memory
    is that of a few frames, whatever the length.

    Args:
        out: The folder; one that is there is replaced.
        options: What to make.
        progress: Told about every frame.

    Raises:
        ConfigError: When the installed PyAV lacks an encoder.
        StoreError: When the folder can't be written; nothing is left behind.
    """
    film = Film(FilmOptions(options.seed, options.fps, *options.hr_size, hold_s=options.hold_s))
    texts: list[FrameText] = []
    with atomic_folder(out) as folder:
        with (
            TruthClip(folder / HR_FILE, options.fps, options.hr_size) as large,
            SmallClip(
                folder / LR_FILE, options.fps, options.lr_size, options.coding, options.seed
            ) as small,
        ):
            shrink = _Shrinker(options.scale)
            for index, frame in enumerate(film.frames(options.frames)):
                if progress:
                    progress("drawing frames", index, options.frames)
                large.write(frame.image)
                small.write(shrink(frame.image))
                texts.append(
                    FrameText(
                        index, index / options.fps, frame.slide, frame.text,
                        transition=frame.transition, covered=frame.covered,
                    )
                )  # fmt: skip
        write_frame_texts(folder / TEXT_FILE, texts)
        kbps = small.video_bytes * 8 / 1000 / (options.frames / options.fps)
        made = Footage(
            out, len(texts), texts[-1].slide + 1, sum(text.stable for text in texts), kbps
        )
        record = _record(folder, options, made)
        write_text(folder / FOOTAGE_FILE, json.dumps(record, indent=2) + "\n")
    if progress:
        progress("drawing frames", options.frames, options.frames)
    return made


class _Shrinker:
    """MATLAB's bicubic; frames that stand still are shrunk once."""

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self._last: tuple[RgbImage, RgbImage] | None = None

    def __call__(self, image: RgbImage) -> RgbImage:
        if self._last is None or self._last[0] is not image:
            self._last = image, imresize(image, 1 / self._scale)
        return self._last[1]


def _record(folder: Path, options: FootageOptions, made: Footage) -> dict[str, Any]:
    import av

    files = (HR_FILE, LR_FILE, TEXT_FILE)
    packages = ("edgesr", "av", "matplotlib", "numpy", "pillow")
    return {
        "schema": 1,
        "options": {**asdict(options), "size": options.lr_size},
        "frames": made.frames,
        "slides": made.slides,
        "stable_frames": made.stable,
        "hr": {"size": options.hr_size, "codec": "H.264 High 4:4:4 RGB, lossless (libx264rgb)"},
        "lr": {
            "size": options.lr_size,
            "from_hr": f"MATLAB's bicubic by 1/{options.scale}, BT.709 limited range, 4:2:0",
            "codec": "H.264 (libx264)",
            "x264": options.coding.options(options.fps),
            "video_kbps": made.lr_kbps,
            "audio": "AAC, mono, 48 kHz",
        },
        "sha256": {file: sha256_file(folder / file) for file in files},
        "versions": {
            **{name: importlib.metadata.version(name) for name in packages},
            **{name: ".".join(map(str, v)) for name, v in av.library_versions.items()},
        },
    }


def _check_coding(coding: Coding) -> None:
    if coding.crf is not None and not 0 <= coding.crf <= 51:
        raise UsageError(f"the constant rate factor is 0 to 51, not {coding.crf}")
    if not _LEAST_BITRATE <= coding.bitrate <= _MOST_BITRATE:
        raise UsageError(
            f"{coding.bitrate} bits a second are no bitrate of a clip", hint="say 150k, or 1M"
        )
    if not 0 < coding.gop_s <= _LONGEST_S:
        raise UsageError(f"frames that stand alone can't come every {coding.gop_s:g} s")


def _check_size(size: tuple[int, int], scale: int) -> None:
    width, height = size
    named = f"a small clip of {width}x{height}"
    if min(size) < _LEAST_SIDE or width % 2 or height % 2:
        raise UsageError(
            f"{named} can't be coded: sides must be even and at least {_LEAST_SIDE} pixels",
            hint="for example --size 640x360 (width x height)",
        )
    if width * scale > WIDTH or height * scale > HEIGHT:
        raise UsageError(
            f"{named} is too large for scale {scale}: slides have {WIDTH}x{HEIGHT} pixels",
            hint=f"at most --size {WIDTH // scale // 2 * 2}x{HEIGHT // scale // 2 * 2}",
        )
    factor = max(width * scale / WIDTH, height * scale / HEIGHT)
    cut = max(WIDTH - width * scale / factor, HEIGHT - height * scale / factor)
    if cut > _CUT:
        raise UsageError(
            f"{named} has not the shape of a slide, 16:9",
            hint="for example --size 640x360 (width x height)",
        )

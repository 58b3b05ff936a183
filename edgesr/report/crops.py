"""Cut-outs for the eye: low-res, bicubic, every candidate and the truth, at the same place."""

import base64
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgesr.analysis.rows import RunData
from edgesr.analysis.summary import JobSummary
from edgesr.data.images import read_image
from edgesr.errors import EdgesrError
from edgesr.report.wording import delegate_words, status_words
from edgesr.text import figures, fixed, plural, short

Image = NDArray[np.uint8]
"""H, W, 3 RGB."""

Size = tuple[int, int]
"""Width and height in pixels."""
SIZES: tuple[Size, ...] = ((320, 180), (160, 90))
"""Of the cut-outs: the largest with which all pictures stay below `MOST_BYTES`, else the last."""
MOST_BYTES = 6_000_000
MOST_TILES = 24
"""Cut-outs shown per picture; the other candidates' numbers stand in the table."""
MOST_SCENES = 4
"""Pictures shown per page, over all runs, scales and input sizes."""
_OVERVIEW_WIDTH = 480
_FOLDER = re.compile(r"(.+)-x([1-9]\d*)(?:-(\d+)x(\d+))?")
"""Pair, scale, height and width of the input."""


@dataclass(frozen=True)
class Tile:
    """One cut-out as it stands on the page."""

    title: str
    detail: str
    data_uri: str
    kind: str
    """``input``, ``baseline``, ``candidate`` or ``truth``."""
    candidate: str = ""
    """Sha256, where it is a candidate's."""
    anchor: str = ""
    """Its id on the page."""


@dataclass(frozen=True)
class Scene:
    """One picture of the accuracy pass."""

    title: str
    width: int
    """Of the cut-outs, pixels."""
    height: int
    where: str
    """Which part of the picture is shown, in words."""
    overview_uri: str
    """The whole picture, small, with the window marked."""
    tiles: tuple[Tile, ...]
    notes: tuple[str, ...]
    """What could not be shown and why."""

    @property
    def bytes(self) -> int:
        """Of its pictures on the page."""
        return len(self.overview_uri) + sum(len(tile.data_uri) for tile in self.tiles)


def scenes(runs: Sequence[RunData], jobs: Sequence[JobSummary]) -> list[Scene]:
    """The scenes of all runs that kept pictures; damaged ones are left out.

    Args:
        runs: Runs; pictures are looked for in
            ``<run>/accuracy/<pair>-x<scale>-<HxW>/`` (older runs: without the input size).
        jobs: Summaries of those runs.
    """
    folders = [
        (folder, [job for job in jobs if job.run == run.name])
        for run in runs
        for folder in sorted((run.folder.path / "accuracy").glob("*-x*"))
    ]
    found: list[Scene] = []
    for size in SIZES:
        found = _scenes(folders, size)
        if sum(scene.bytes for scene in found) <= MOST_BYTES:
            break
    return found


def _scenes(folders: Sequence[tuple[Path, list[JobSummary]]], size: Size) -> list[Scene]:
    found: list[Scene] = []
    for folder, own in folders:
        scene = _scene(folder, own, size) if len(found) < MOST_SCENES else None
        if scene is not None:
            tiles = (
                replace(tile, anchor=f"tile-{len(found) + 1}-{number}")
                for number, tile in enumerate(scene.tiles, 1)
            )
            found.append(replace(scene, tiles=tuple(tiles)))
    return found


def busiest_window(image: Image, *, scale: int, size: Size = SIZES[0]) -> tuple[int, int, int, int]:
    """The window with the most edges, as (top, left, height, width) in pixels.

    Args:
        image: H, W, 3 RGB.
        scale: All four are multiples of it, so that the low-res cut-out fits exactly.
        size: Width and height, at most.
    """
    rows, columns = image.shape[0] // scale * scale, image.shape[1] // scale * scale
    high, wide = min(size[1] // scale * scale, rows), min(size[0] // scale * scale, columns)
    luma = image[:rows, :columns].astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    edges = np.zeros_like(luma)
    edges[:, 1:] += np.abs(np.diff(luma, axis=1))
    edges[1:, :] += np.abs(np.diff(luma, axis=0))
    edges = np.sqrt(edges)  # many fine strokes tell more than one hard border
    total = np.pad(edges.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = total[high:, wide:] - total[:-high, wide:] - total[high:, :-wide] + total[:-high, :-wide]
    sums = sums[::scale, ::scale]
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(top) * scale, int(left) * scale, high, wide


def _scene(folder: Path, jobs: Sequence[JobSummary], cut_out: Size) -> Scene | None:
    named = _FOLDER.fullmatch(folder.name)
    truth, low = _read(folder / "hr.png"), _read(folder / "lr.png")
    if truth is None or low is None or named is None:
        return None
    name, scale = named[1], int(named[2])
    size = f"{named[4]}×{named[3]}" if named[3] else ""
    jobs = [job for job in jobs if job.scale == scale and size in {"", job.input}]
    window = busiest_window(truth, scale=scale, size=cut_out)
    top, left, high, wide = window
    small = low[top // scale : (top + high) // scale, left // scale : (left + wide) // scale]
    nearest = np.repeat(np.repeat(small, scale, axis=0), scale, axis=1)
    tiles = [
        Tile("Low-res input", f"×{scale}, each pixel enlarged", _picture_uri(nearest), "input")
    ]
    bicubic = _cut(folder / "bicubic.png", truth.shape, window)
    if bicubic is not None:
        level = next((job.bicubic_psnr_y for job in jobs), math.nan)
        cer = next((job.bicubic_cer for job in jobs), math.nan)
        detail = f"{fixed(level, 2)} dB" + (f" · CER {cer:.3f}" if math.isfinite(cer) else "")
        tiles.append(Tile("Bicubic", detail, _picture_uri(bicubic), "baseline"))
    shown, notes = _candidate_tiles(folder, jobs, truth, window)
    tiles += [
        *shown,
        Tile("Truth", "the high-res original", _picture_uri(truth[_slices(window)]), "truth"),
    ]
    where = (
        f"{wide} × {high} pixels at column {left}, row {top} of {truth.shape[1]} × {truth.shape[0]}"
    )
    return Scene(
        f"{short(name, 60)}, ×{scale}{f', input {size}' if size else ''}",
        wide,
        high,
        where,
        _overview_uri(truth, window),
        tuple(tiles),
        tuple(notes),
    )


def _candidate_tiles(
    folder: Path, jobs: Sequence[JobSummary], truth: Image, window: tuple[int, int, int, int]
) -> tuple[list[Tile], list[str]]:
    """One tile per candidate and device: of its fastest measurement that has a picture."""
    tiles, notes, done = [], [], set()
    devices = {job.device for job in jobs}
    for job in sorted(jobs, key=lambda job: (job.device, not job.measured, job.median_ms)):
        path = folder / f"{job.key}.png"
        if (job.candidate, job.device) in done or not path.is_file():
            continue
        done.add((job.candidate, job.device))
        cut = _cut(path, truth.shape, window)
        if cut is None:
            notes.append(f"{short(job.name, 60)}: the picture is damaged or of another size.")
            continue
        where = f" · {short(job.device_label, 48)}" if len(devices) > 1 else ""
        title, detail = short(job.name, 60), _detail(job) + where
        tiles.append(Tile(title, detail, _picture_uri(cut), "candidate", job.candidate))
    if len(tiles) > MOST_TILES:
        notes.append(f"{len(tiles) - MOST_TILES} further cut-outs are not shown.")
    return tiles[:MOST_TILES], notes


def _detail(job: JobSummary) -> str:
    """Quality, latency and place, as far as they are known."""
    quality = f"{fixed(job.psnr_y, 2)} dB" if math.isfinite(job.psnr_y) else ""
    time = f"{figures(job.median_ms)} ms" if job.measured else status_words(job)
    threads = f", {plural(int(job.threads), 'thread')}" if math.isfinite(job.threads) else ""
    place = f"{delegate_words(job.placed)}{threads}"
    cer = f"CER {job.cer:.3f}" if math.isfinite(job.cer) else ""
    return " · ".join(part for part in (quality, cer, time, place) if part)


def _slices(window: tuple[int, int, int, int]) -> tuple[slice, slice]:
    top, left, high, wide = window
    return slice(top, top + high), slice(left, left + wide)


def _cut(path: Path, shape: tuple[int, ...], window: tuple[int, int, int, int]) -> Image | None:
    image = _read(path)
    return image[_slices(window)] if image is not None and image.shape == shape else None


def _read(path: Path) -> Image | None:
    try:
        return read_image(path)
    except EdgesrError:
        return None


def _picture_uri(image: Image) -> str:
    return _uri(image, "WebP", lossless=True, quality=60, method=4)


def _overview_uri(image: Image, window: tuple[int, int, int, int]) -> str:
    """The whole picture at most 480 pixels wide, with a frame around the window."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    top, left, high, wide = window
    factor = min(1.0, _OVERVIEW_WIDTH / image.shape[1])
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    picture = Pillow.fromarray(image).resize(size, Pillow.Resampling.LANCZOS)
    box = [round(v * factor) for v in (left, top, left + wide - 1, top + high - 1)]
    draw = ImageDraw.Draw(picture)
    draw.rectangle([box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2], outline="white", width=4)
    draw.rectangle([box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1], outline="#c0006a", width=2)
    return _uri(np.asarray(picture), "JPEG", quality=82)


def _uri(image: Image, kind: str, **options: int | bool) -> str:
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(image)).save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"

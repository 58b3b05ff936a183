"""Images through a model: one, or a folder with its subfolders."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgesr import __version__
from edgesr.data.images import Layers, read_layers
from edgesr.data.make_pairs import find_images
from edgesr.errors import ImageError, SomeJobsFailedError, StoreError, UsageError
from edgesr.files import atomic_file, write_text
from edgesr.quality.bicubic import upscale_bicubic
from edgesr.quality.runners import Runner
from edgesr.upscale.crew import Crew, open_runners
from edgesr.upscale.request import Progress, UpscaleRequest

_SAVE: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {"compression": "tiff_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_deflate"}),
}
"""Pillow's format and options; JPEG halves no colours, since those of text would suffer."""
_WITHOUT_ALPHA = ("JPEG", "BMP")
_LARGEST_WEBP = 16383
_RECORD = ".edgesr-upscale.json"
_MODES = {
    "CMYK": "CMYK becomes RGB, without its profile",
    "I": "16-bit grey becomes 8-bit", "I;16": "16-bit grey becomes 8-bit",
    "I;16B": "16-bit grey becomes 8-bit", "F": "floating-point values become 8-bit",
}  # fmt: skip


@dataclass(frozen=True)
class ImagesOutcome:
    """What became of images."""

    model_sha256: str | None
    scale: int
    written: tuple[Path, ...]
    skipped: int
    """There already, from an earlier call with the same model."""
    failed: tuple[str, ...]
    """Why, for each image that could not be read; the rest of the folder is done."""
    seconds: float
    workers: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "kind": "images",
            "written": [str(path) for path in self.written],
            "skipped": self.skipped,
            "failed": list(self.failed),
            "seconds": self.seconds,
            "scale": self.scale,
            "model_sha256": self.model_sha256,
            "workers": self.workers,
            "versions": {"edgesr": __version__},
            "notes": list(self.notes),
        }

    def check(self) -> None:
        """Raises what a caller has to know after the good images are reported.

        Raises:
            ImageError: When every image failed.
            SomeJobsFailedError: When some did.
        """
        if not self.failed:
            return
        if not self.written and not self.skipped:
            raise ImageError(self.failed[0], hint="no image could be read")
        raise SomeJobsFailedError(
            f"{len(self.failed)} images could not be read, the first: {self.failed[0]}",
            hint="replace or remove them; the same command does the rest",
        )


@dataclass(frozen=True)
class _Job:
    source: Path
    out: Path


@dataclass(frozen=True)
class _Done:
    """One image: its remarks, or why it failed."""

    remarks: tuple[str, ...] = ()
    failed: str = ""


def upscale_image(request: UpscaleRequest, progress: Progress) -> ImagesOutcome:
    """Upscales one image with all threads.

    Raises:
        UsageError: When the scale does not fit the model.
        InputError: When the image or the model can't be read.
        StoreError: When the result can't be written.
    """
    began = time.monotonic()
    (runner,) = open_runners(request, 1)
    progress("upscaling", 0, 1)
    remarks = _upscale(runner, _Job(request.source, request.out))
    notes = (*runner.notes, *remarks)
    seconds = time.monotonic() - began
    written = (request.out,)
    return ImagesOutcome(runner.sha256, runner.scale, written, 0, (), seconds, 1, notes)


def upscale_folder(request: UpscaleRequest, progress: Progress) -> ImagesOutcome:
    """Upscales all images below a folder, to the same names below another.

    Images that an earlier call with the same model has written are skipped, unless the source is
    newer. One that can't be read stops nothing; see `ImagesOutcome.check`.

    Raises:
        UsageError: When the folders contain each other's, the scale does not fit the model, or the
            result holds images of another model and is not to be replaced.
        InputError: When the folder holds no image or the model can't be read.
        StoreError: When the result can't be written.
    """
    began = time.monotonic()
    source, out = request.source, request.out
    if source.resolve().is_relative_to(out.resolve()):
        raise UsageError(f"{source} lies in the folder to write, {out}", hint="name another folder")
    images = find_images(source, leave_out=out)
    workers = min(request.workers or request.threads, len(images))
    runners = open_runners(request, workers)
    jobs = [_Job(path, out / path.relative_to(source)) for path in images]
    model = {
        "model": runners[0].sha256 or request.model,
        "scale": runners[0].scale,
        "network options": {key: str(value) for key, value in request.runner.options.items()},
    }
    since = _claim(out, model, jobs, overwrite=request.overwrite)
    rest = [job for job in jobs if request.overwrite or not _is_done(job, since)]
    with closing(Crew(runners, _try).map(_told(rest, progress))) as results:
        found = [(job, done) for job, done, _ in results]
    named = [f"{job.source}: {text}" for job, done in found for text in done.remarks]
    return ImagesOutcome(
        model_sha256=runners[0].sha256,
        scale=runners[0].scale,
        written=tuple(job.out for job, done in found if not done.failed),
        skipped=len(jobs) - len(rest),
        failed=tuple(done.failed for _, done in found if done.failed),
        seconds=time.monotonic() - began,
        workers=workers,
        notes=(*runners[0].notes, *named),
    )


def _told(jobs: list[_Job], progress: Progress) -> Iterator[_Job]:
    for number, job in enumerate(jobs):
        progress("upscaling", number, len(jobs))
        yield job


def _try(runner: Runner, job: _Job) -> _Done:
    try:
        return _Done(_upscale(runner, job))
    except ImageError as error:
        return _Done(failed=str(error))


def _upscale(runner: Runner, job: _Job) -> tuple[str, ...]:
    """Reads, upscales and writes one image; returns what has to be said about it."""
    layers = read_layers(job.source)
    large = replace(
        layers,
        colours=runner.upscale(layers.colours),
        alpha=None if layers.alpha is None else upscale_bicubic(layers.alpha, runner.scale),
    )
    remarks = [_MODES[layers.mode]] if layers.mode in _MODES else []
    if large.alpha is not None and _SAVE[job.out.suffix.lower()][0] in _WITHOUT_ALPHA:
        remarks.append(f"{job.out.suffix} knows no transparency: it is laid on white")
    _save(large, job.out)
    return tuple(remarks)


def _save(layers: Layers, out: Path) -> None:
    from PIL import Image

    kind, options = _SAVE[out.suffix.lower()]
    pixels, alpha = layers.colours, layers.alpha
    if kind == "WEBP" and max(pixels.shape) > _LARGEST_WEBP:
        raise StoreError(
            f"can't write {out}: WebP ends at {_LARGEST_WEBP} pixels a side, and this has"
            f" {pixels.shape[1]}x{pixels.shape[0]}",
            hint="name the result .png",
        )
    if alpha is not None:
        if kind in _WITHOUT_ALPHA:
            share = alpha / np.float32(255)
            pixels = (pixels * share + 255 * (1 - share) + 0.5).astype(np.uint8)
        else:
            pixels = np.concatenate([pixels, alpha], axis=2)
    if layers.profile:
        options = options | {"icc_profile": layers.profile}
    with atomic_file(out, durable=False) as temporary:
        Image.fromarray(pixels).save(temporary, format=kind, **options)


def _claim(out: Path, model: dict[str, Any], jobs: list[_Job], *, overwrite: bool) -> int:
    """Records which model a folder's images come from, so that others are not taken for them.

    Returns:
        When it did, ns: what is older is of another model.
    """
    record = out / _RECORD
    try:
        there = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        there = None
    foreign = there != model and any(os.path.lexists(job.out) for job in jobs)
    if foreign and not overwrite:
        raise UsageError(
            f"{out} holds images of the same names that another model made, or none of edgesr's",
            hint="name another folder, or add --overwrite to replace them",
        )
    if there != model:
        write_text(record, json.dumps(model) + "\n")
    return record.stat().st_mtime_ns


def _is_done(job: _Job, since: int) -> bool:
    """Results appear whole under their name; a source that was changed since is done again."""
    try:
        return job.out.stat().st_mtime_ns >= max(since, job.source.stat().st_mtime_ns)
    except OSError:
        return False

"""Metrics of one model over pairs of images, with the protocol they were taken by."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edgesr.data.images import read_image, write_png
from edgesr.data.pairs import Pair, pairs_from
from edgesr.errors import ImageError, PairsError
from edgesr.files import write_text
from edgesr.quality.metrics import PROTOCOL, psnr_y, ssim_y
from edgesr.quality.ocr import open_engine
from edgesr.quality.readability import Readability, ReadabilityBenchmark, readability
from edgesr.quality.runners import Runner, RunnerOptions, open_runner_with
from edgesr.quality.text import TEXT_PROTOCOL, Reference, TextScore

Progress = Callable[[str, int, int], None]

OCR_METRICS = ("cer", "word_recall", "confidence")
"""What reading adds to every image and to the mean."""


@dataclass(frozen=True)
class EvalRequest:
    """What to evaluate, on what."""

    model: str
    """As `runners.open_runner` takes it."""
    pairs: Path
    """A pairs.csv, or a folder that holds one."""
    runner: RunnerOptions = field(default_factory=RunnerOptions)
    """Without a scale, ``bicubic`` takes that of the first pair."""
    save: Path | None = None
    """Folder for the upscaled images as PNG; None keeps none."""
    ocr: str | None = None
    """Engine that reads the upscaled images, as `ocr.open_engine` takes it; None reads nothing."""


@dataclass(frozen=True)
class ImageScore:
    """Metrics of one image."""

    name: str
    psnr_y: float
    """dB; infinite when not one luma value differs."""
    ssim_y: float
    text: TextScore | None = None
    """How its text was read; None when it was not."""

    def to_dict(self) -> dict[str, Any]:
        """The image's row of the JSON document; an infinite PSNR is null."""
        row: dict[str, Any] = {
            "name": self.name,
            "psnr_y": self.psnr_y if math.isfinite(self.psnr_y) else None,
            "ssim_y": self.ssim_y,
        }
        if self.text is not None:
            row |= {metric: getattr(self.text, metric) for metric in OCR_METRICS}
            row["reference"] = self.text.reference
        return row


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one model over a set of pairs."""

    protocol: dict[str, Any]
    images: tuple[ImageScore, ...]

    def mean(self) -> dict[str, float | None]:
        """Mean of each metric over the images.

        An infinite PSNR would make the mean infinite whatever the other images are, so the mean is
        over the finite ones; None when there is none.
        """
        finite = [image.psnr_y for image in self.images if math.isfinite(image.psnr_y)]
        mean = {
            "psnr_y": sum(finite) / len(finite) if finite else None,
            "ssim_y": sum(image.ssim_y for image in self.images) / len(self.images),
        }
        read = self.readability()
        return mean | ({metric: getattr(read, metric) for metric in OCR_METRICS} if read else {})

    def readability(self) -> Readability | None:
        """Mean of the OCR metrics over the images with text; None when nothing was read."""
        scores = [image.text for image in self.images if image.text is not None]
        return readability(scores) if scores else None

    def to_dict(self) -> dict[str, Any]:
        """The JSON document: ``protocol``, ``mean``, ``images``."""
        rows = [image.to_dict() for image in self.images]
        return {"protocol": self.protocol, "mean": self.mean(), "images": rows}

    def to_csv(self) -> str:
        """One line per image; an infinite PSNR is ``inf``, a metric without a value empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        rows = [image.to_dict() for image in self.images]
        writer.writerow(rows[0])
        for image, row in zip(self.images, rows, strict=True):
            row["psnr_y"] = image.psnr_y
            writer.writerow(
                f"{value:.6f}" if isinstance(value, float) else value for value in row.values()
            )
        return text.getvalue()


def evaluate(request: EvalRequest, progress: Progress | None = None) -> Evaluation:
    """Upscales the low-res image of every pair and compares it with the high-res one.

    A high-res image that is larger by less than one low-res pixel is cut at the right and the
    bottom, as the literature does for sizes that the scale doesn't divide.

    Args:
        request: Model and pairs.
        progress: Called before every image and at the end.

    Raises:
        UsageError: When a scale is missing or isn't the model's, or no OCR engine has that name.
        MissingExtraError: When the OCR engine is not installed.
        InputError: When a model, an image or the pairs can't be read or don't fit together.
        StoreError: When an image can't be saved.
    """
    pairs = pairs_from(request.pairs)
    reader = _reader(request)
    runner = _open(request, pairs[0])
    images = []
    for done, pair in enumerate(pairs):
        if progress is not None:
            progress(pair.name, done, len(pairs))
        images.append(_score(pair, runner, request.save, reader))
    if progress is not None:
        progress("done", len(pairs), len(pairs))
    protocol = _protocol(request, runner)
    if reader is not None:
        protocol["ocr"] = _ocr_protocol(reader, images)
    return Evaluation(protocol, tuple(images))


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """Writes one line per image, atomically.

    Raises:
        StoreError: When the file can't be written.
    """
    write_text(path, evaluation.to_csv())


def write_summary(evaluation: Evaluation, path: Path) -> None:
    """Writes protocol, mean and images as JSON, atomically.

    Raises:
        StoreError: When the file can't be written.
    """
    write_text(path, json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False) + "\n")


def _open(request: EvalRequest, first: Pair) -> Runner:
    options = request.runner
    if request.model == "bicubic" and options.scale is None:
        lr, hr = read_image(first.lr), read_image(first.hr)
        scale = hr.shape[0] // lr.shape[0]
        if scale < 2:
            raise PairsError(f"{first.name}: {first.hr} is not larger than {first.lr}")
        options = replace(options, scale=scale)
    return open_runner_with(request.model, options)


def _reader(request: EvalRequest) -> ReadabilityBenchmark | None:
    if request.ocr is None:
        return None
    return ReadabilityBenchmark(open_engine(request.ocr, request.runner.threads))


def _score(
    pair: Pair, runner: Runner, save: Path | None, reader: ReadabilityBenchmark | None
) -> ImageScore:
    lr, hr = read_image(pair.lr), read_image(pair.hr)
    hr = _cut_to_scale(pair, lr, hr, runner.scale)
    sr = runner.upscale(lr)
    if save is not None:
        write_png(save / f"{pair.name}.png", sr)
    try:
        psnr, ssim = psnr_y(sr, hr, runner.scale), ssim_y(sr, hr, runner.scale)
    except ImageError as error:
        raise ImageError(f"{pair.hr}: {error}", hint="take its row out of the pairs.csv") from error
    text = None if reader is None else reader.score(sr, text=pair.text, hr=hr)
    return ImageScore(pair.name, psnr, ssim, text)


def _cut_to_scale(
    pair: Pair, lr: NDArray[np.uint8], hr: NDArray[np.uint8], scale: int
) -> NDArray[np.uint8]:
    height, width = lr.shape[0] * scale, lr.shape[1] * scale
    excess = (hr.shape[0] - height, hr.shape[1] - width)
    if any(not 0 <= pixels < scale for pixels in excess):
        raise PairsError(
            f"{pair.name}: {pair.hr} is {hr.shape[0]}x{hr.shape[1]} pixels, the model makes"
            f" {height}x{width} (x{scale}) of {pair.lr}",
            hint=f"give pairs of scale {scale}, or a model of the pairs' scale",
        )
    return hr[:height, :width]


def _protocol(request: EvalRequest, runner: Runner) -> dict[str, Any]:
    return {
        **PROTOCOL,
        "model": request.model,
        "model_sha256": runner.sha256,
        "model_notes": list(runner.notes),
        "pairs": str(request.pairs),
        "scale": runner.scale,
        "border_crop_px": runner.scale,
        "hr_cut": "right and bottom, to scale times the low-res size",
        "mean": "over images; an infinite PSNR (null, identical images) is left out",
    }


def _ocr_protocol(reader: ReadabilityBenchmark, images: Sequence[ImageScore]) -> dict[str, Any]:
    references = Counter(image.text.reference for image in images if image.text is not None)
    return {
        "engine": reader.engine.name,
        "version": reader.engine.version,
        "language": reader.engine.language,
        **TEXT_PROTOCOL,
        "references": {kind: references[kind] for kind in get_args(Reference)},
        "mean": "over images; those without text (reference none) are left out",
    }

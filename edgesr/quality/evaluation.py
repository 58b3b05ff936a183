"""What an evaluation found: one row per image, means with intervals, as table, CSV and JSON."""

import csv
import io
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgesr.files import write_text
from edgesr.quality.intervals import Interval, bootstrap_mean, paired_difference
from edgesr.quality.readability import Reading

PIXEL_METRICS = ("psnr_y", "ssim_y", "lpips")
OCR_METRICS = ("cer", "wer", "word_recall", "exact_lines", "confidence")
"""What reading adds to every image and to the mean."""
HIGHER_IS_BETTER = frozenset(("psnr_y", "ssim_y", "word_recall", "exact_lines", "confidence"))


@dataclass(frozen=True)
class ImageScore:
    """Metrics of one image."""

    name: str
    psnr_y: float
    """dB; infinite when not one luma value differs."""
    ssim_y: float
    lpips: float | None = None
    """Distance of network features; None where no weights were given."""
    reading: Reading | None = None
    """How its text was read; None when it was not."""

    def to_dict(self) -> dict[str, Any]:
        """The image's row of the JSON document; an infinite PSNR is null."""
        row: dict[str, Any] = {
            "name": self.name,
            "psnr_y": self.psnr_y if math.isfinite(self.psnr_y) else None,
            "ssim_y": self.ssim_y,
        }
        if self.lpips is not None:
            row["lpips"] = self.lpips
        if self.reading is not None:
            row |= {metric: getattr(self.reading.score, metric) for metric in OCR_METRICS}
            row["reference"] = self.reading.score.reference
        return row


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one model over a set of pairs."""

    protocol: dict[str, Any]
    images: tuple[ImageScore, ...]

    def metrics(self) -> list[str]:
        """The metrics that were taken, in their usual order."""
        taken = self.images[0].to_dict()
        return [metric for metric in (*PIXEL_METRICS, *OCR_METRICS) if metric in taken]

    def values(self, metric: str) -> dict[str, float]:
        """A metric by image; an infinite PSNR and images without text are left out."""
        rows = (image.to_dict() for image in self.images)
        return {row["name"]: row[metric] for row in rows if row[metric] is not None}

    def interval(self, metric: str) -> Interval | None:
        """Mean and 95 % interval over the images; None where no image has a value."""
        return self._intervals[metric]

    @cached_property
    def _intervals(self) -> dict[str, Interval | None]:
        found = {metric: list(self.values(metric).values()) for metric in self.metrics()}
        return {metric: bootstrap_mean(them) if them else None for metric, them in found.items()}

    def mean(self) -> dict[str, float | None]:
        """Mean of each metric over the images that have a value; None when none has.

        An infinite PSNR would make the mean infinite whatever the other images are.
        """
        means = {metric: self.interval(metric) for metric in self.metrics()}
        return {metric: found.mean if found else None for metric, found in means.items()}

    def to_dict(self) -> dict[str, Any]:
        """The JSON document: ``protocol``, ``mean``, ``interval``, ``images``."""
        intervals = {metric: self.interval(metric) for metric in self.metrics()}
        return {
            "protocol": self.protocol,
            "mean": self.mean(),
            "interval": {name: one.to_dict() for name, one in intervals.items() if one},
            "images": [image.to_dict() for image in self.images],
        }

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


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images."""

    first: Evaluation
    second: Evaluation

    def differences(self) -> dict[str, Interval]:
        """First minus second, mean over the images that both have a value for, and interval."""
        return self._differences

    @cached_property
    def _differences(self) -> dict[str, Interval]:
        found = {}
        for metric in self.first.metrics():
            one, two = self.first.values(metric), self.second.values(metric)
            names = [name for name in one if name in two]
            if names:
                found[metric] = paired_difference(
                    [one[name] for name in names], [two[name] for name in names]
                )
        return found

    def verdict(self, metric: str) -> str:
        """``better``, ``worse`` or ``tied``: whether the interval of the difference excludes 0."""
        found = self.differences()[metric]
        if not found.excludes_zero:
            return "tied"
        return "better" if (found.mean > 0) == (metric in HIGHER_IS_BETTER) else "worse"

    def warnings(self) -> list[str]:
        """What would mislead: an engine that is surer of what it reads worse."""
        found = self.differences()
        if "cer" not in found or self.verdict("cer") != "worse" or found["confidence"].mean <= 0:
            return []
        surer, worse = found["confidence"].mean, found["cer"].mean
        return [f"the engine is surer (+{surer:.4f}) and reads worse (CER +{worse:.4f})"]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: what it is compared with, differences with verdicts, warnings."""
        return {
            "model": self.second.protocol["model"],
            "mean": self.second.mean(),
            "difference": {
                metric: {**found.to_dict(), "verdict": self.verdict(metric)}
                for metric, found in self.differences().items()
            },
            "warnings": self.warnings(),
        }


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """Writes one line per image, atomically.

    Raises:
        StoreError: When the file can't be written.
    """
    write_text(path, evaluation.to_csv())


def write_summary(document: dict[str, Any], path: Path) -> None:
    """Writes a JSON document, atomically.

    Raises:
        StoreError: When the file can't be written.
    """
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def worst(images: Iterable[ImageScore], count: int) -> list[ImageScore]:
    """The images with the highest character error rates above 0, the worst first."""

    def rate(image: ImageScore) -> float:
        return (image.reading.score.cer or 0.0) if image.reading else 0.0

    ranked = sorted(images, key=lambda image: (-rate(image), image.name))
    return [image for image in ranked if rate(image) > 0][:count]

"""What the evaluation of a video found: rows, means with intervals, flicker and speed."""

import csv
import io
import math
from dataclasses import dataclass
from typing import Any

from edgesr.quality.evaluation import OCR_METRICS
from edgesr.quality.flicker import Flicker
from edgesr.quality.intervals import Interval, bootstrap_mean
from edgesr.quality.readability import Reading
from edgesr.quality.video_speed import Speed


@dataclass(frozen=True)
class FrameScore:
    """Metrics of one frame; None what was not taken."""

    frame: int
    """Its number, from 0."""
    time_s: float
    slide: str | None = None
    """As the table of texts calls it."""
    psnr_y: float | None = None
    """dB; infinite when not one luma value differs."""
    ssim_y: float | None = None
    reading: Reading | None = None

    def to_dict(self) -> dict[str, Any]:
        """The frame's row of the JSON document; an infinite PSNR is null."""
        row: dict[str, Any] = {"frame": self.frame, "time_s": self.time_s, "slide": self.slide}
        finite = self.psnr_y is not None and math.isfinite(self.psnr_y)
        row |= {"psnr_y": self.psnr_y if finite else None, "ssim_y": self.ssim_y}
        score = self.reading.score if self.reading else None
        row |= {metric: getattr(score, metric, None) for metric in OCR_METRICS}
        return row | {"reference": score.reference if score else None}


@dataclass(frozen=True)
class VideoEvaluation:
    """Metrics of one model on one video."""

    protocol: dict[str, Any]
    frames: tuple[FrameScore, ...]
    """Those that were scored."""
    flicker: Flicker
    speed: Speed | None
    """None where no model ran: the truth was shown."""

    def metrics(self) -> list[str]:
        """The metrics that were taken, in their usual order."""
        taken = ["psnr_y", "ssim_y"] if self.protocol["truth"] is not None else []
        return [*taken, *(OCR_METRICS if "ocr" in self.protocol else ())]

    def interval(self, metric: str) -> Interval | None:
        """Mean over the frames that have a value, with a 95 % interval where slides are known.

        Frames of one slide are not independent, so whole slides are drawn. None without a value.
        """
        rows = [
            row for row in (frame.to_dict() for frame in self.frames) if row[metric] is not None
        ]
        if not rows:
            return None
        slides = [row["slide"] for row in rows]
        values = [row[metric] for row in rows]
        if None in slides:
            return Interval(math.fsum(values) / len(values), None, None, len(values))
        return bootstrap_mean(values, slides)

    def mean(self) -> dict[str, float | None]:
        """Mean of each metric, and flicker."""
        found = {metric: self.interval(metric) for metric in self.metrics()}
        means = {metric: one.mean if one else None for metric, one in found.items()}
        return means | self.flicker.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """The JSON document: ``protocol``, ``mean``, ``interval``, ``speed``, ``frames``."""
        intervals = {metric: self.interval(metric) for metric in self.metrics()}
        return {
            "protocol": self.protocol,
            "mean": self.mean(),
            "interval": {name: one.to_dict() for name, one in intervals.items() if one},
            "speed": self.speed.to_dict() if self.speed else None,
            "frames": [frame.to_dict() for frame in self.frames],
        }

    def to_csv(self) -> str:
        """One line per scored frame; an infinite PSNR is ``inf``, a metric without value empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(FrameScore(0, 0.0).to_dict())
        for frame in self.frames:
            row = frame.to_dict() | {"psnr_y": frame.psnr_y}
            writer.writerow(
                f"{value:.6f}" if isinstance(value, float) else value for value in row.values()
            )
        return text.getvalue()

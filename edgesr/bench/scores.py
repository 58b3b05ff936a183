"""Figures of single pictures -> what a record says about a job's pixels."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgesr.quality.intervals import bootstrap_mean, paired_difference
from edgesr.quality.readability import Reading
from edgesr.quality.text import TextScore
from edgesr.results.records import Interval

TEXT_FIGURES = ("cer", "word_recall", "confidence")


@dataclass(frozen=True)
class PictureScore:
    """Quality of one picture, beside that of others on the same picture."""

    name: str
    psnr_y: float
    """dB; infinite when not one luma value differs."""
    ssim_y: float
    reading: Reading | None = None
    """None where nothing is known to read."""
    bicubic: TextScore | None = None
    reference: TextScore | None = None
    """Of the fp32 reference on plain kernels."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; an infinite PSNR is null."""
        psnr = self.psnr_y if math.isfinite(self.psnr_y) else None
        row: dict[str, Any] = {"name": self.name, "psnr_y": psnr, "ssim_y": self.ssim_y}
        if self.reading is not None:
            row |= text_row(self.reading)
        for name, score in (("bicubic", self.bicubic), ("fp32", self.reference)):
            if score is not None:
                row[name] = _figures(score)
        return row


def text_row(reading: Reading) -> dict[str, Any]:
    """How a picture was read, JSON-ready."""
    return {
        **_figures(reading.score),
        "reference": reading.score.reference,
        "read": "\n".join(line.text for line in reading.lines),
    }


def mean_scores(scores: Sequence[tuple[float, float]]) -> dict[str, float | None]:
    """Mean PSNR (over the finite ones, None without any) and SSIM, as `edgesr eval` means them."""
    finite = [psnr for psnr, _ in scores if math.isfinite(psnr)]
    return {
        "psnr_y": sum(finite) / len(finite) if finite else None,
        "ssim_y": sum(ssim for _, ssim in scores) / len(scores),
    }


def quality_part(pictures: Sequence[PictureScore]) -> dict[str, Any]:
    """A record's fields about PSNR and SSIM; intervals where two pictures or more tell them."""
    columns = {
        "psnr_y": [one.psnr_y for one in pictures if math.isfinite(one.psnr_y)],
        "ssim_y": [one.ssim_y for one in pictures],
    }
    return {
        **mean_scores([(one.psnr_y, one.ssim_y) for one in pictures]),
        **{
            f"{name}_interval": _interval(bootstrap_mean(values).to_dict())
            for name, values in columns.items()
            if len(values) > 1
        },
    }


def mean_text(scores: Sequence[TextScore]) -> dict[str, float]:
    """Mean CER, word recall and confidence; nothing when nothing was read."""
    if not scores:
        return {}
    rows = [_figures(score) for score in scores]
    return {name: math.fsum(row[name] for row in rows) / len(rows) for name in TEXT_FIGURES}


def text_part(pictures: Sequence[PictureScore]) -> dict[str, Any]:
    """A record's fields about text; nothing when no picture has any."""
    read = [picture for picture in pictures if picture.reading is not None]
    scores = [picture.reading.score for picture in read if picture.reading is not None]
    if not scores:
        return {}
    cers = [_figures(score)["cer"] for score in scores]
    return {
        **mean_text(scores),
        "cer_interval": _interval(bootstrap_mean(cers).to_dict()),
        "text_images": len(scores),
        "text_references": dict(Counter(score.reference for score in scores)),
        **_against(read, "bicubic", lambda picture: picture.bicubic),
        **_against(read, "reference", lambda picture: picture.reference),
    }


def _against(
    read: Sequence[PictureScore],
    name: str,
    other: Callable[[PictureScore], TextScore | None],
) -> dict[str, Interval]:
    """Paired differences of CER and confidence to another's, where it is known for all."""
    pairs = [
        (_figures(picture.reading.score), _figures(score))
        for picture in read
        if picture.reading is not None and (score := other(picture)) is not None
    ]
    if len(pairs) < len(read):
        return {}
    return {
        f"{figure}_vs_{name}": _interval(
            paired_difference(
                [own[figure] for own, _ in pairs], [theirs[figure] for _, theirs in pairs]
            ).to_dict()
        )
        for figure in ("cer", "confidence")
    }


def _figures(score: TextScore) -> dict[str, float]:
    """The numbers of a picture that has text: then all are there."""
    return {name: float(getattr(score, name)) for name in TEXT_FIGURES}


def _interval(tree: dict[str, Any]) -> Interval:
    return Interval.model_validate(tree)

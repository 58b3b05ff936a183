"""Scoring sampled frames of a video side by side, a few at a time."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from edgesr.data.footage_text import KnownText
from edgesr.data.images import RgbImage
from edgesr.quality.metrics import psnr_y, ssim_y
from edgesr.quality.readability import ReadabilityBenchmark, Reading
from edgesr.quality.text import NO_TEXT, normalise
from edgesr.quality.video_result import FrameScore

_BATCH = 8
"""Frames that wait at most. No thread works while a frame is upscaled: its time stays clean."""


@dataclass(frozen=True)
class Sample:
    """A frame to score."""

    index: int
    time_s: float
    sr: RgbImage
    """(sH, sW, 3), uint8, RGB."""
    truth: RgbImage | None
    """Of the same shape; None where there is none."""
    known: KnownText | None
    """What is known about its text."""


class FrameScorer:
    """Collects samples and scores them in batches.

    Args:
        border: Pixels left out on every side for PSNR and SSIM.
        reader: What reads the text; None reads nothing.
        with_text: Whether a table tells the text: frames that it doesn't know, or whose text is
            not fully visible, are not read then.
        workers: Frames that are scored at the same time.
    """

    def __init__(
        self, border: int, reader: ReadabilityBenchmark | None, *, with_text: bool, workers: int
    ) -> None:
        self._border = border
        self._reader = reader
        self._with_text = with_text
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="edgesr-eval")
        self._waiting: list[Sample] = []
        self._scores: list[FrameScore] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def add(self, sample: Sample) -> None:
        """Takes a sample; from time to time all that wait are scored.

        Raises:
            InputError: When the OCR engine fails, or a frame is too small to score.
        """
        self._waiting.append(sample)
        if len(self._waiting) >= _BATCH:
            self._flush()

    def finish(self) -> tuple[FrameScore, ...]:
        """Scores what still waits.

        Returns:
            All scores, in the order in which the samples came.
        """
        self._flush()
        return tuple(self._scores)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        scores: Iterable[FrameScore] = self._pool.map(self._score, waiting)
        self._scores += scores

    def _score(self, sample: Sample) -> FrameScore:
        psnr = ssim = None
        if sample.truth is not None:
            psnr = psnr_y(sample.sr, sample.truth, self._border)
            ssim = ssim_y(sample.sr, sample.truth, self._border)
        slide = sample.known.slide if sample.known else None
        return FrameScore(sample.index, sample.time_s, slide, psnr, ssim, self._read(sample))

    def _read(self, sample: Sample) -> Reading | None:
        if self._reader is None:
            return None
        text = ""
        if self._with_text:
            if sample.known is None or not sample.known.stable:
                return None
            text = sample.known.text
        if sample.truth is None and not normalise(text):
            return Reading(NO_TEXT)
        truth = sample.sr if sample.truth is None else sample.truth
        return self._reader.read(sample.sr, text=text, hr=truth)

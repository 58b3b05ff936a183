"""What only the runs themselves hold: under which conditions, and the figures of each picture."""

import math
import statistics
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from edgesr.analysis.comparable import conditions, differences
from edgesr.analysis.devices import mapping, number
from edgesr.analysis.pictures import Pictures, Scores
from edgesr.analysis.rows import RunData
from edgesr.analysis.statistics import LEVEL, NOTHING, Estimate
from edgesr.analysis.summary import JobSummary
from edgesr.results.records import FEWEST_IMAGES

_LARGEST_DIFFERENCE = 1e6
"""Between two pictures: what is above is no figure of a picture."""
_FIGURES = {"psnr_y": "psnr_y", "psnr_gain_db": "psnr_y", "ssim_y": "ssim_y", "cer": "cer",
            "cer_vs_bicubic": "cer"}  # fmt: skip
"""Metric -> the figure of a picture whose differences are the metric's."""


class Evidence:
    """Looks into runs where a comparison asks for it.

    Args:
        runs: The runs of the jobs that are compared.
    """

    def __init__(self, runs: Sequence[RunData] = ()) -> None:
        self._runs = {run.name: run for run in runs}
        self._pictures = {run.name: Pictures(run.folder.path) for run in runs}
        self._baselines: dict[tuple[str, float], dict[str, Mapping[str, Any]]] = {}

    def differences(self, runs: Sequence[str], device: str) -> tuple[str, ...]:
        """In what the conditions differ under which runs measured a device; of known runs."""
        known = [conditions(self._runs[name], device) for name in runs if name in self._runs]
        found = [d for one in known[:-1] for d in differences(one, known[-1])]
        return tuple(dict.fromkeys(map(str, found)))

    def difference(self, metric: str, one: JobSummary, other: JobSummary) -> Estimate:
        """By how much a metric of one job is above another's, on the same pictures.

        Args:
            metric: Of the criteria.
            one: A job.
            other: Another of the same run.

        Returns:
            `NOTHING` where it can't be told: other runs, too few pictures in common, no files.
        """
        figure = _FIGURES.get(metric)
        if figure is None or one.run != other.run:
            return NOTHING
        return _mean_difference(self._scored(one), self._scored(other), figure)

    def gain(self, job: JobSummary) -> Estimate:
        """PSNR-Y over bicubic's on the same pictures, dB; `NOTHING` where it can't be told."""
        return _mean_difference(self._scored(job), self._bicubic(job), "psnr_y")

    def _bicubic(self, job: JobSummary) -> dict[str, Mapping[str, Any]]:
        """Picture -> bicubic's figures at the job's scale."""
        if (job.run, job.scale) not in self._baselines:
            run = self._runs.get(job.run)
            rows = mapping(run.header.get("accuracy")).get("pictures") if run else None
            self._baselines[job.run, job.scale] = {
                str(row["name"]): mapping(row.get("bicubic"))
                for row in map(mapping, rows if isinstance(rows, list) else [])
                if "name" in row and row.get("scale") == job.scale
            }
        return self._baselines[job.run, job.scale]

    def _scored(self, job: JobSummary) -> Scores:
        """Picture -> its figures; nothing where there are none."""
        pictures = self._pictures.get(job.run)
        return pictures.of(job.key) if pictures else {}


def _mean_difference(
    first: Mapping[str, Mapping[str, Any]], second: Mapping[str, Mapping[str, Any]], figure: str
) -> Estimate:
    """Mean over the pictures that both have, with Student's t interval.

    The bootstrap of `quality.intervals` tells nearly the same and is too slow for thousands.
    """
    differences = [
        number(first[name].get(figure)) - number(second[name].get(figure))
        for name in first.keys() & second.keys()
    ]
    known = sorted(one for one in differences if abs(one) < _LARGEST_DIFFERENCE)
    if len(known) < FEWEST_IMAGES:
        return NOTHING
    mean = math.fsum(known) / len(known)
    half = _student(len(known) - 1) * statistics.stdev(known) / math.sqrt(len(known))
    return Estimate(mean, mean - half, mean + half, len(known))


@cache
def _student(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + LEVEL / 2))

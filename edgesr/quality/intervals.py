"""How sure a mean over images is: bootstrap intervals, also of the difference of two models.

The percentile bootstrap is too narrow for few images: on 8 it would hold the truth less often than
it says. So its percentiles are widened as Student's t is against the normal distribution, the
expanded percentile interval of Hesterberg, "What Teachers Should Know about the Bootstrap" (2014).
"""

import math
import statistics
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.results.records import FEWEST_IMAGES

LEVEL = 0.95
"""Share of the cases in which an interval should hold the true mean."""
_RESAMPLES = 10_000
_BLOCK = 2_000_000
"""Drawn numbers kept at a time, so that memory stays small for many images."""


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval."""

    mean: float
    low: float | None
    """None where there is too little to tell: fewer than two independent values."""
    high: float | None
    n: int
    """How many independent values (images, or clusters of frames) it is of."""

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero: a difference is then significant.

        Never of fewer than `FEWEST_IMAGES` values: so few agree by chance.
        """
        if self.low is None or self.high is None or self.n < FEWEST_IMAGES:
            return False
        return self.low * self.high > 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def bootstrap_mean(
    values: Sequence[float], clusters: Sequence[Hashable] | None = None, seed: int = 0
) -> Interval:
    """The mean of values and its 95 % bootstrap interval.

    Args:
        values: One number per image; finite, at least one.
        clusters: What each value belongs to (the slide of a frame): values of one cluster are not
            independent, so whole clusters are drawn. None: each value is its own.
        seed: Of the resampling; equal arguments give equal intervals.

    Raises:
        ValueError: When there is no value, or one is not finite.
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError("an interval needs finite values, at least one")
    return _interval(*_by_cluster(values, clusters), seed)


def bootstrap_ratio(tops: Sequence[float], bottoms: Sequence[float], seed: int = 0) -> Interval:
    """The sum of ``tops`` over the sum of ``bottoms``, a rate over all images, with its interval.

    Args:
        tops: One number per image, such as the edits of its text; finite, at least one.
        bottoms: Likewise, such as the characters; above 0.
        seed: Of the resampling.

    Raises:
        ValueError: When there is no image, lengths differ, or a number is not as it has to be.
    """
    if not tops or len(tops) != len(bottoms) or not all(map(math.isfinite, (*tops, *bottoms))):
        raise ValueError("an interval needs finite values, at least one")
    if min(bottoms) <= 0:
        raise ValueError("what is divided by has to be above 0")
    return _interval(np.asarray(tops, np.float64), np.asarray(bottoms, np.float64), seed)


def paired_difference(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Interval:
    """The mean of ``first - second`` on the same images, with its interval.

    Much narrower than two separate intervals suggest: what makes one image hard for one model
    makes it hard for the other.

    Args:
        first: One number per image.
        second: Likewise, in the same order.
        clusters: As `bootstrap_mean` takes it.
        seed: Of the resampling.

    Raises:
        ValueError: When the lengths differ, or as `bootstrap_mean`.
    """
    differences = [one - two for one, two in zip(first, second, strict=True)]
    return bootstrap_mean(differences, clusters, seed)


def _interval(sums: NDArray[np.float64], counts: NDArray[np.float64], seed: int) -> Interval:
    """Of ``sums`` by ``counts``, one of each per independent value."""
    mean, n = math.fsum(sums) / math.fsum(counts), len(sums)
    if n < 2:
        return Interval(mean, None, None, n)
    means = _resampled(sums, counts, seed)
    tail = _expanded_tail(n)
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(mean, float(low), float(high), n)


def _by_cluster(
    values: Sequence[float], clusters: Sequence[Hashable] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of the values of each cluster."""
    if clusters is None:
        return np.asarray(values, np.float64), np.ones(len(values))
    groups: dict[Hashable, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        groups.setdefault(cluster, []).append(value)
    sums = np.array([math.fsum(group) for group in groups.values()])
    return sums, np.array([float(len(group)) for group in groups.values()])


def _resampled(
    sums: NDArray[np.float64], counts: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Means of resamples of whole clusters, (10000,)."""
    rng, n = np.random.default_rng(seed), len(sums)
    rows = max(1, _BLOCK // n)
    parts = []
    for start in range(0, _RESAMPLES, rows):
        drawn = rng.integers(n, size=(min(rows, _RESAMPLES - start), n))
        parts.append(sums[drawn].sum(1) / counts[drawn].sum(1))
    return np.concatenate(parts)


def _expanded_tail(n: int) -> float:
    """Share of the resamples to leave out at each end, for ``n`` independent values."""
    from scipy.special import stdtrit

    quantile = float(stdtrit(n - 1, 0.5 + LEVEL / 2))
    return statistics.NormalDist().cdf(-quantile * math.sqrt(n / (n - 1)))

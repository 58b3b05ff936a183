"""How sure a job's numbers are: a round is one sample, and there are few of them.

* `median_interval`: the median over rounds with its 95 % interval. The bootstrap distribution of a
  median lies on the sample's own order statistics, so a percentile interval jumps from one of them
  to the next; interpolating between the two intervals around 95 % removes the jumps (Hettmansperger
  and Sheather, "Confidence intervals based on interpolated order statistics", 1986). It assumes no
  distribution. Of five samples the outermost two give 93.75 %; of three or four no such interval
  comes near 95 %, so there it is the exact bootstrap standard error (Maritz and Jarrett, 1978)
  times Student's t, on logarithms.
* `paired_ratio`: by what factor one series differs from another that was measured in the same
  rounds. Trimmed mean of the logarithms of the ratios, with Tukey and McLaughlin's interval (1963):
  one disturbed round of ten does not move it.
* `independent_ratio`: the same for two series that share no rounds (Yuen, 1974).

All need positive numbers, and say nothing (NaN) below `FEWEST` samples. Simulations check how often
they hold the truth: tests/unit/test_analysis_statistics.py, docs/statistics.md.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
FEWEST = 3
"""Samples without which there is no interval."""
_ORDERED = 5
"""Samples from which on the interval rests on order statistics alone."""
_TRIM = 0.2
"""Share of the samples left out at either end of a trimmed mean."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    """NaN without samples."""
    low: float
    """NaN, as ``high``, where there are too few samples to tell."""
    high: float
    n: int
    """Samples."""

    @property
    def half_width(self) -> float:
        """The farther end's distance from the value, as a share of it; NaN without an interval."""
        return max(self.high - self.value, self.value - self.low) / self.value

    @property
    def told(self) -> bool:
        """Whether there is an interval."""
        return not math.isnan(self.low)

    def holds(self, value: float) -> bool:
        """Whether a value lies within the interval; never without one."""
        return self.low <= value <= self.high


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


def median_interval(values: Iterable[float]) -> Estimate:
    """The median of positive samples with its 95 % interval.

    Args:
        values: One number per round; what is not finite and above zero is left out.
    """
    found = np.sort(_positive(values))
    n = len(found)
    if n == 0:
        return NOTHING
    middle = float(np.median(found))
    if n < FEWEST:
        return Estimate(middle, math.nan, math.nan, n)
    if n < _ORDERED:
        logs = np.log(found)
        half = _student(n - 1) * _bootstrap_error(logs)
        centre = float(np.median(logs))
        return Estimate(middle, math.exp(centre - half), math.exp(centre + half), n)
    rank, share = _interpolation(n)
    low = (1 - share) * found[rank] + share * found[rank + 1]
    high = (1 - share) * found[n - 1 - rank] + share * found[n - 2 - rank]
    return Estimate(middle, float(low), float(high), n)


def paired_ratio(tops: Sequence[float], bottoms: Sequence[float]) -> Estimate:
    """By what factor ``tops`` are larger than ``bottoms``, with its 95 % interval.

    Args:
        tops: One number per round.
        bottoms: Likewise, of the same rounds in the same order. A pair of which one is not finite
            and above zero is left out.

    Raises:
        ValueError: When the lengths differ.
    """
    pairs = [
        (top, bottom)
        for top, bottom in zip(tops, bottoms, strict=True)
        if _usable(top) and _usable(bottom)
    ]
    logs = np.log([top / bottom for top, bottom in pairs])
    if len(logs) == 0:
        return NOTHING
    mean, error, freedom = _trimmed(logs)
    return _factor(mean, error, freedom, len(logs))


def independent_ratio(tops: Iterable[float], bottoms: Iterable[float]) -> Estimate:
    """As `paired_ratio`, for series of different rounds, such as two runs.

    It knows how rounds scatter within a run, and nothing of what differs from run to run (heat,
    other programs, another boot): that is not in the samples.
    """
    one, other = np.log(_positive(tops)), np.log(_positive(bottoms))
    if not len(one) or not len(other):
        return NOTHING
    first, second = _trimmed(one), _trimmed(other)
    squares = first[1] ** 2, second[1] ** 2
    error = math.sqrt(sum(squares))
    n = min(len(one), len(other))
    if n < FEWEST:
        return _factor(first[0] - second[0], math.nan, 1, n)
    parts = sum(s**2 / f for s, f in zip(squares, (first[2], second[2]), strict=True))
    freedom = sum(squares) ** 2 / parts if parts else first[2] + second[2]
    return _factor(first[0] - second[0], error, freedom, n)


def _usable(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _positive(values: Iterable[float]) -> NDArray[np.float64]:
    return np.array([value for value in values if _usable(value)], np.float64)


def _factor(mean: float, error: float, freedom: float, n: int) -> Estimate:
    """From logarithms back to a factor."""
    if n < FEWEST:
        return Estimate(math.exp(mean), math.nan, math.nan, n)
    half = _student(freedom) * error
    return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half), n)


def _trimmed(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Trimmed mean, its standard error (NaN below two values) and degrees of freedom."""
    found, n = np.sort(values), len(values)
    cut = int(_TRIM * n)
    mean = float(found[cut : n - cut].mean())
    if n < 2:
        return mean, math.nan, 1
    found[:cut], found[n - cut :] = found[cut], found[n - cut - 1]
    kept = n - 2 * cut
    error = float(found.std(ddof=1)) * math.sqrt(n - 1) / math.sqrt(kept * (kept - 1))
    return mean, error, kept - 1


@cache
def _student(freedom: float) -> float:
    """Student's t for a 95 % interval."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + LEVEL / 2))


@cache
def _interpolation(n: int) -> tuple[int, float]:
    """Of ``n`` sorted samples: the outer index of the interval's lower end, and how far in it is.

    The interval between the samples of index r and n - 1 - r holds the median with probability
    1 - 2 P(B <= r), B binomial of n coins.
    """
    coins = [math.comb(n, heads) * 0.5**n for heads in range(n + 1)]

    def level(rank: int) -> float:
        return 1.0 - 2 * sum(coins[: rank + 1])

    rank = 0
    while level(rank + 1) >= LEVEL:
        rank += 1
    outer, inner = level(rank), level(rank + 1)
    if outer <= LEVEL:  # even the outermost samples promise no more
        return rank, 0.0
    share = (outer - LEVEL) / (outer - inner)
    k = rank + 1
    return rank, (n - k) * share / (k + (n - 2 * k) * share)


def _bootstrap_error(values: NDArray[np.float64]) -> float:
    """Standard deviation of the medians of all resamples of sorted values; exact."""
    lows, highs, weights = _resampled_medians(len(values))
    medians = (values[lows] + values[highs]) / 2
    mean = float((weights * medians).sum())
    return math.sqrt(float((weights * (medians - mean) ** 2).sum()))


@cache
def _resampled_medians(
    n: int,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Between which two of ``n`` sorted values a resample's median lies, and how often.

    Of all n to the n resamples, so only for few values.
    """
    counts: dict[tuple[int, int], int] = {}
    for drawn in np.ndindex(*(n,) * n):
        ordered = sorted(drawn)
        pair = ordered[(n - 1) // 2], ordered[n // 2]
        counts[pair] = counts.get(pair, 0) + 1
    pairs = np.array(list(counts))
    return pairs[:, 0], pairs[:, 1], np.array(list(counts.values())) / n**n

"""How sure a job's numbers are: a round is one sample, and there are few of them.

* `median_interval`: the median over rounds with its 95 % interval. The bootstrap distribution of a
  median lies on the sample's own order statistics, so a percentile interval jumps from one of them
  to the next; interpolating between the two intervals around 95 % removes the jumps (Hettmansperger
  and Sheather, "Confidence intervals based on interpolated order statistics", 1986). It assumes no
  distribution. Of five samples the outermost two give 93.75 %; of three or four no such interval
  comes near 95 %, so there it is the exact bootstrap standard error (Maritz and Jarrett, 1978)
  times Student's t, on logarithms.
* `paired_ratio`: by what factor one series differs from another that was measured in the same
  rounds. Mean of the logarithms of the ratios, from seven on trimmed by a fifth at either end, with
  Tukey and McLaughlin's interval (1963): one disturbed round of ten does not move it.
* `independent_ratio`: the same for two series that share no rounds (Yuen, 1974).

All need positive numbers, and say nothing (NaN) below `FEWEST` samples. Simulations check how often
they hold the truth: tests/unit/test_analysis_statistics.py, docs/statistics.md.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

LEVEL = 0.95
FEWEST = 3
"""Samples without which there is no interval."""
_ORDERED = 5
"""Samples from which on the interval rests on order statistics alone."""
_TRIM = 0.2
"""Share of the samples left out at either end of a trimmed mean."""
_TRIMMED = 7
"""Samples from which on any is left out: of five, three would be left to tell the error."""
_LARGEST_LOG = 709.0
"""Of what a float holds."""


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
        if not self.told or not self.value > 0:
            return math.nan
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
    found = sorted(value for value in values if _usable(value))
    n = len(found)
    if n == 0:
        return NOTHING
    middle = _middle(found)
    if n < FEWEST:
        return Estimate(middle, math.nan, math.nan, n)
    if n < _ORDERED:
        logs = [math.log(value) for value in found]
        half, centre = _student(n - 1) * _bootstrap_error(logs), _middle(logs)
        return Estimate(middle, _exp(centre - half), _exp(centre + half), n)
    rank, share = _interpolation(n)
    low = (1 - share) * found[rank] + share * found[rank + 1]
    high = (1 - share) * found[-1 - rank] + share * found[-2 - rank]
    return Estimate(middle, low, high, n)


def paired_ratio(tops: Sequence[float], bottoms: Sequence[float]) -> Estimate:
    """By what factor ``tops`` are larger than ``bottoms``, with its 95 % interval.

    Args:
        tops: One number per round.
        bottoms: Likewise, of the same rounds in the same order. A pair of which one is not finite
            and above zero is left out.

    Raises:
        ValueError: When the lengths differ.
    """
    logs = [
        math.log(top) - math.log(bottom)
        for top, bottom in zip(tops, bottoms, strict=True)
        if _usable(top) and _usable(bottom)
    ]
    if not logs:
        return NOTHING
    mean, error, freedom = _trimmed(logs)
    return _factor(mean, error, freedom, len(logs))


def independent_ratio(tops: Iterable[float], bottoms: Iterable[float]) -> Estimate:
    """As `paired_ratio`, for series of different rounds, such as two runs.

    It knows how rounds scatter within a run, and nothing of what differs from run to run (heat,
    other programs, another boot): that is not in the samples.
    """
    one, other = ([math.log(x) for x in values if _usable(x)] for values in (tops, bottoms))
    n = min(len(one), len(other))
    if n == 0:
        return NOTHING
    first, second = _trimmed(one), _trimmed(other)
    squares = first[1] ** 2, second[1] ** 2
    error = math.sqrt(sum(squares))
    if n < FEWEST:
        return _factor(first[0] - second[0], math.nan, 1, n)
    parts = sum(s**2 / f for s, f in zip(squares, (first[2], second[2]), strict=True))
    freedom = sum(squares) ** 2 / parts if parts else first[2] + second[2]
    return _factor(first[0] - second[0], error, freedom, n)


def _usable(value: float) -> bool:
    return 0 < value < math.inf


def _middle(found: Sequence[float]) -> float:
    """The median of sorted values; no sum of two huge ones overflows."""
    half = len(found) // 2
    return found[half] if len(found) % 2 else found[half - 1] / 2 + found[half] / 2


def _exp(value: float) -> float:
    """Infinite beyond what a float holds: records of foreign machines may hold any number."""
    return math.exp(value) if value < _LARGEST_LOG else math.inf


def _factor(mean: float, error: float, freedom: float, n: int) -> Estimate:
    """From logarithms back to a factor."""
    if n < FEWEST:
        return Estimate(_exp(mean), math.nan, math.nan, n)
    half = _student(freedom) * error
    return Estimate(_exp(mean), _exp(mean - half), _exp(mean + half), n)


def _trimmed(values: Sequence[float]) -> tuple[float, float, float]:
    """Trimmed mean, its standard error (NaN below two values) and degrees of freedom."""
    found, n = sorted(values), len(values)
    cut = int(_TRIM * n) if n >= _TRIMMED else 0
    kept = found[cut : n - cut]
    mean = math.fsum(kept) / len(kept)
    if n < 2:
        return mean, math.nan, 1
    # the values that are left out count as the nearest that is kept
    centre = (math.fsum(kept) + cut * (kept[0] + kept[-1])) / n
    squares = math.fsum((value - centre) ** 2 for value in kept)
    squares += cut * ((kept[0] - centre) ** 2 + (kept[-1] - centre) ** 2)
    return mean, math.sqrt(squares / (len(kept) * (len(kept) - 1))), len(kept) - 1


@lru_cache(maxsize=1024)
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
    from scipy.special import bdtr

    levels = 1 - 2 * bdtr(np.arange(n // 2), n, 0.5)
    rank = max(0, int((levels >= LEVEL).sum()) - 1)
    outer, inner = float(levels[rank]), float(levels[rank + 1])
    if outer <= LEVEL:  # even the outermost samples promise no more
        return rank, 0.0
    share = (outer - LEVEL) / (outer - inner)
    k = rank + 1
    return rank, (n - k) * share / (k + (n - 2 * k) * share)


def _bootstrap_error(values: Sequence[float]) -> float:
    """Standard deviation of the medians of all resamples of sorted values; exact."""
    found = [
        (values[low] / 2 + values[high] / 2, weight)
        for low, high, weight in _resampled_medians(len(values))
    ]
    mean = math.fsum(weight * median for median, weight in found)
    return math.sqrt(math.fsum(weight * (median - mean) ** 2 for median, weight in found))


@cache
def _resampled_medians(n: int) -> list[tuple[int, int, float]]:
    """Between which two of ``n`` sorted values a resample's median lies, and how often.

    Of all n to the n resamples, so only for few values.
    """
    counts: Counter[tuple[int, int]] = Counter()
    for drawn in itertools.product(range(n), repeat=n):
        ordered = sorted(drawn)
        counts[ordered[(n - 1) // 2], ordered[n // 2]] += 1
    return [(low, high, count / n**n) for (low, high), count in counts.items()]

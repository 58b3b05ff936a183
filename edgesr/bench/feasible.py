"""Whether there can be samples with the figures of one ``count=`` line.

The line holds more than its figures: five of the sorted samples (minimum, maximum and three
percentiles, each a sample itself), two samples (the first, the last), their sum (the average has
six digits) and their spread. A damaged line mostly has no samples that give it.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from edgesr.bench.benchmark_log import Series

_LONGEST_US = 1e12  # eleven days
_SUMS_TRIED = 64


@dataclass(frozen=True)
class Gap:
    """Samples between two known neighbours in sorted order."""

    room: int
    low: int
    high: int


def impossible(series: Series) -> str | None:
    """Why no samples give these figures, or None where some do.

    Args:
        series: One line as read; figures that an old build leaves out are not needed.
    """
    numbers, count = series.numbers, series.count
    if not all(0 <= value <= _LONGEST_US for value in (*numbers.values(), count)):
        return "a figure is no time"
    if count == 0:
        return "an empty series has figures" if any(numbers.values()) else None
    if count * numbers["avg"] > _LONGEST_US:
        return "nobody measures that long"
    if numbers["min"] == numbers["max"]:
        return None if _all_same(numbers) else "equal samples have different figures"
    return _unfit(series)


def _all_same(numbers: dict[str, float]) -> bool:
    only = numbers["min"]
    values = {value for name, value in numbers.items() if name != "std"}
    return values == {only} and numbers["std"] == 0


def _unfit(series: Series) -> str | None:
    numbers = series.numbers
    anchors = _anchors(series)
    if anchors is None:
        return "minimum, percentiles and maximum are out of order"
    if float(f"{numbers['avg']:.6g}") != numbers["avg"]:
        return "the average has too many digits"
    layouts = list(_layouts(anchors, (int(numbers["first"]), int(numbers["curr"]))))
    if not layouts:
        return "a figure lies outside min..max or between samples that are neighbours"
    if not any(_sum_and_spread(fixed, gaps, series) for fixed, gaps in layouts):
        return "the average or the deviation does not fit the other figures"
    return None


def _anchors(series: Series) -> dict[int, int] | None:
    """Index in sorted order -> sample; None where they contradict each other.

    The tool's percentile k is ``sorted[n * k // 100]``.
    """
    numbers, count = series.numbers, series.count
    known = [(0, numbers["min"]), (count - 1, numbers["max"])]
    for percent, name in ((5, "p5"), (50, "median"), (95, "p95")):
        if name in numbers:
            known.append((count * percent // 100, numbers[name]))
    anchors: dict[int, int] = {}
    for index, value in known:
        if anchors.setdefault(index, int(value)) != value:
            return None
    ranked = [anchors[index] for index in sorted(anchors)]
    return dict(sorted(anchors.items())) if ranked == sorted(ranked) else None


def _layouts(
    anchors: dict[int, int], extra: tuple[int, int]
) -> Iterator[tuple[list[int], list[Gap]]]:
    """Every way to place the first and the last sample: the known samples, and the gaps left."""
    gaps = [
        Gap(right - left - 1, anchors[left], anchors[right])
        for left, right in itertools.pairwise(anchors)
    ]
    known = list(anchors.values())
    free = list(known)
    loose = []
    for value in extra:
        if value in free:
            free.remove(value)
        else:
            loose.append(value)
    choices = [
        [i for i, gap in enumerate(gaps) if gap.room and gap.low <= value <= gap.high]
        for value in loose
    ]
    for places in itertools.product(*choices):
        rooms = [gap.room - places.count(i) for i, gap in enumerate(gaps)]
        if min(rooms) < 0:
            continue
        left = [Gap(room, g.low, g.high) for room, g in zip(rooms, gaps, strict=True) if room]
        yield known + loose, left


def _sum_and_spread(fixed: list[int], gaps: list[Gap], series: Series) -> bool:
    """Whether the gaps can be filled so that average and deviation come out."""
    low, high = sums(series)
    base = sum(fixed)
    low = max(low, base + sum(gap.room * gap.low for gap in gaps))
    high = min(high, base + sum(gap.room * gap.high for gap in gaps))
    if low > high:
        return False
    count, std = series.count, series.numbers["std"]
    squares = sum(value * value for value in fixed)
    # the tool computes with sixteen digits; between the sums tried the spread moves a bit
    step = max(1, (high - low) // _SUMS_TRIED)
    slack = 4e-15 * series.numbers["max"] ** 2 + 1e-9
    slack += (step - 1) / count * (series.numbers["max"] - series.numbers["min"])
    for total in (*range(low, high + 1, step), high):
        mean = total / count
        least = (squares + least_squares(gaps, total - base)) / count - mean * mean
        most = (squares + most_squares(gaps, total - base)) / count - mean * mean
        if least - slack < (std + 1) ** 2 and most + slack >= std * std:
            return True
    return False


def sums(series: Series) -> tuple[int, int]:
    """Smallest and largest sum of whole microseconds whose average is printed as it is."""
    avg, count = series.numbers["avg"], series.count
    half = 0.5 * 10.0 ** (math.floor(math.log10(avg)) - 5) if avg else 0.0
    low, high = math.ceil((avg - half) * count - 1e-6), math.floor((avg + half) * count + 1e-6)
    while low <= high and float(f"{low / count:.6g}") != avg:
        low += 1
    while low <= high and float(f"{high / count:.6g}") != avg:
        high -= 1
    return low, high


def least_squares(gaps: list[Gap], total: int) -> float:
    """The smallest sum of squares of samples in the gaps whose sum is ``total``."""
    if not gaps:
        return 0.0
    low, high = float(min(g.low for g in gaps)), float(max(g.high for g in gaps))
    for _ in range(50):
        level = (low + high) / 2
        if sum(g.room * min(max(level, g.low), g.high) for g in gaps) < total:
            low = level
        else:
            high = level
    return sum(g.room * min(max(low, g.low), g.high) ** 2 for g in gaps)


def most_squares(gaps: list[Gap], total: int) -> float:
    """The largest sum of squares of samples in the gaps whose sum is ``total``.

    The square grows by moving a microsecond from a small sample to a large one, so it is largest
    with the upper gaps full, the lower ones empty and one sample in between.
    """
    squares = 0.0
    left = total - sum(gap.room * gap.low for gap in gaps)
    for gap in sorted(gaps, key=lambda g: g.high, reverse=True):
        width = gap.high - gap.low
        full = min(gap.room, left // width) if width else gap.room
        squares += full * gap.high**2
        rest = gap.room - full
        left -= full * width
        if rest:
            squares += (gap.low + left) ** 2 + (rest - 1) * gap.low**2
            left = 0
    return squares

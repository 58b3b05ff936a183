"""Finds samples that give a ``count=`` line: what proves that nobody could see a change in it."""

import itertools

from edgesr.bench.benchmark_log import Series
from edgesr.bench.host_model import Stats


class _Sample:
    """One unknown sample between two known ones."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high, self.value = low, high, low


def witness(series: Series) -> list[int] | None:
    """Samples in the order of measuring from which the tool would print exactly this line."""
    numbers, count = series.numbers, series.count
    if count == 0 or not {"first", "curr", "min", "max", "avg", "std"} <= numbers.keys():
        return [] if count == 0 and not any(numbers.values()) else None
    if count == 1 or numbers["min"] == numbers["max"]:
        return _checked([int(numbers["curr"])] * count, series)
    anchors = {0: int(numbers["min"]), count - 1: int(numbers["max"])}
    for percent, name in ((5, "p5"), (50, "median"), (95, "p95")):
        if name in numbers:
            anchors[count * percent // 100] = int(numbers[name])
    if count > 100_000:
        return None
    places = sorted(anchors)
    known = [anchors[place] for place in places]
    rooms = [right - left - 1 for left, right in itertools.pairwise(places)]
    loose = _unplaced(known, (int(numbers["first"]), int(numbers["curr"])))
    for choice in itertools.product(range(len(rooms)), repeat=len(loose)):
        free = [room - choice.count(gap) for gap, room in enumerate(rooms)]
        fits = all(known[g] <= v <= known[g + 1] for v, g in zip(loose, choice, strict=True))
        if not fits or min(free) < 0:
            continue
        unknown = [
            _Sample(known[gap], known[gap + 1])
            for gap, room in enumerate(free)
            for _ in range(room)
        ]
        if found := _fill(known + loose, unknown, series):
            return found
    return None


def _unplaced(known: list[int], extra: tuple[int, int]) -> list[int]:
    """Those of the first and the last sample that are none of the sorted ones that are known."""
    left, loose = list(known), []
    for value in extra:
        if value in left:
            left.remove(value)
        else:
            loose.append(value)
    return loose


def _fill(fixed: list[int], unknown: list[_Sample], series: Series) -> list[int] | None:
    avg, count = series.numbers["avg"], series.count
    reach = int(avg * count * 1e-5) + 2
    middle = round(avg * count)
    sums = [s for s in range(middle - reach, middle + reach + 1) if float(f"{s / count:g}") == avg]
    for total in dict.fromkeys((middle, *sums[:: max(1, len(sums) // 200)], *sums[-1:])):
        rest = total - sum(fixed)
        if not sum(s.low for s in unknown) <= rest <= sum(s.high for s in unknown):
            continue
        _level(unknown, rest)
        while True:
            samples = [*fixed, *(s.value for s in unknown)]
            spread = int(Stats(samples).std) - series.numbers["std"]
            if spread == 0 and (found := _checked(_ordered(samples, series), series)):
                return found
            if spread >= 0 or not _spread(fixed, unknown, series.numbers["std"]):
                break
    return None


def _level(unknown: list[_Sample], rest: int) -> None:
    """The flattest samples with this sum."""
    low, high = 0, max((s.high for s in unknown), default=0)
    while low < high:
        level = (low + high + 1) // 2
        if sum(min(max(level, s.low), s.high) for s in unknown) <= rest:
            low = level
        else:
            high = level - 1
    for sample in unknown:
        sample.value = min(max(low, sample.low), sample.high)
    missing = rest - sum(s.value for s in unknown)
    for sample in unknown:
        if missing and sample.value == low < sample.high:
            sample.value += 1
            missing -= 1


def _spread(fixed: list[int], unknown: list[_Sample], std: float) -> bool:
    """Moves time from a small sample to a large one, no further than to ``std``."""
    givers = [s for s in unknown if s.value > s.low]
    takers = [s for s in unknown if s.value < s.high]
    giver = min(givers, key=lambda s: s.value, default=None)
    taker = max((s for s in takers if s is not giver), key=lambda s: s.value, default=None)
    if giver is None or taker is None or taker.value < giver.value:
        return False
    most = min(giver.value - giver.low, taker.high - taker.value)
    low, high = 1, most
    start = giver.value, taker.value

    def move(step: int) -> bool:
        giver.value, taker.value = start[0] - step, start[1] + step
        return int(Stats([*fixed, *(s.value for s in unknown)]).std) <= std

    if not move(most):
        while low < high:
            step = (low + high + 1) // 2
            if move(step):
                low = step
            else:
                high = step - 1
        move(low)
    return True


def _ordered(samples: list[int], series: Series) -> list[int]:
    first, last = int(series.numbers["first"]), int(series.numbers["curr"])
    rest = list(samples)
    rest.remove(first)
    if last not in rest:
        return []
    rest.remove(last)
    return [first, *rest, last]


def _checked(samples: list[int], series: Series) -> list[int] | None:
    """The samples, where the tool's own arithmetic gives the line back."""
    if not samples:
        return None
    stats, numbers = Stats(samples), series.numbers
    exact = len(set(samples)) == 1
    printed = {
        "first": samples[0], "curr": samples[-1], "min": min(samples), "max": max(samples),
        "avg": stats.avg if exact else float(f"{stats.avg:g}"), "std": int(stats.std),
        "p5": stats.percentile(5), "median": stats.percentile(50), "p95": stats.percentile(95),
    }  # fmt: skip
    return samples if all(printed[name] == value for name, value in numbers.items()) else None

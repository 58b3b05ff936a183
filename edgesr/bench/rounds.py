"""When a job has rounds enough: all that the suite plans, or as many as its median needs.

With `Suite.until_pct` a job gets further rounds until its median's 95 % interval is that narrow,
five at least. Looking at the interval after every round and stopping at a narrow one makes it hold
the truth a little less often than it says: docs/statistics.md tells by how much.
"""

import math
from collections.abc import Iterable

from edgesr.analysis.statistics import median_interval
from edgesr.bench.suite import LEAST_ROUNDS, Suite
from edgesr.results.records import Latency, Record


class Precision:
    """How well the medians of jobs are known so far.

    What is enough follows from the good rounds alone, so a resumed run finds what is on disk as
    finished as the run left it.

    Args:
        suite: Says how narrow is narrow enough.
        records: What is measured already.
    """

    def __init__(self, suite: Suite, records: Iterable[Record] = ()) -> None:
        self._until = None if suite.until_pct is None else suite.until_pct / 100
        self._times: dict[str, dict[int, float]] = {}
        self._enough: set[str] = set()
        for record in records:
            self._note(record)
        for key in self._times:
            self._judge(key)

    def add(self, record: Record) -> None:
        """Takes one more round into account; one that is not good changes nothing."""
        key = self._note(record)
        if key is not None:
            self._judge(key)

    def enough(self, key: str) -> bool:
        """Whether a job needs no further round; never where the suite plans a fixed number."""
        return key in self._enough

    def _note(self, record: Record) -> str | None:
        """The job's key where the record has a time that counts."""
        time = _typical_us(record.latency_us)
        if self._until is None or record.job is None or record.status != "ok" or time is None:
            return None
        self._times.setdefault(record.job.key, {})[record.round or 0] = time
        return record.job.key

    def _judge(self, key: str) -> None:
        times = self._times[key].values()
        known = len(times) >= LEAST_ROUNDS and self._until is not None
        if known and median_interval(times).half_width <= (self._until or 0):
            self._enough.add(key)
        else:
            self._enough.discard(key)


def _typical_us(latency: Latency | None) -> float | None:
    """What the analysis takes for the round's time: its median, else its average."""
    found = (latency.median, latency.avg) if latency else ()
    return next((time for time in found if time is not None and 0 < time < math.inf), None)

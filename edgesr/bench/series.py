"""Paced series: rounds of one job that must follow one another without a rest.

A series shows what heat does, so nothing in it waits, no other job comes between, and one that
broke off is measured anew from its first segment: the device has cooled down meanwhile.
"""

from collections.abc import Iterable, Sequence

from edgesr.bench.doubts import Code
from edgesr.bench.header import Plan
from edgesr.bench.plan import Turn, schedule
from edgesr.bench.rounds import Precision
from edgesr.bench.suite import Suite
from edgesr.results.records import Doubt, Job, Record, Segment
from edgesr.results.store import RunFolder

FINAL = frozenset({"ok", "refused"})
"""Statuses that answer a round; any other is tried again by ``--resume``."""
_HEAT = frozenset({Code.HOT, Code.THROTTLED, Code.CLOCK_CHANGED, Code.CLOCK_CAPPED})


def turns_of(jobs: Sequence[Job], suite: Suite) -> list[Turn]:
    """All turns of a plan in their order: rounds interleaved, series one after another."""
    return list(schedule(jobs, suite.rounds, in_series=suite.pace is not None))


def answered_turns(records: Iterable[Record], suite: Suite) -> set[tuple[str, int]]:
    """(job's key, round) of what needs no further try; of a series all segments or none."""
    found: set[tuple[str, int]] = set()
    series: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for record in records:
        if record.job is None or record.status not in FINAL:
            continue
        turn = record.job.key, record.round or 0
        if record.segment is None or record.status == "refused":
            found.add(turn)
        else:
            series.setdefault((record.job.key, record.segment.series), set()).add(turn)
    return found.union(*(turns for turns in series.values() if len(turns) >= suite.rounds))


def unfinished(run: RunFolder, plan: Plan) -> set[str]:
    """Devices with a round that has no answer yet."""
    records = run.records()
    answered = answered_turns(records, plan.suite)
    refused = {r.job.key for r in records if r.job and r.status == "refused"}
    precision = Precision(plan.suite, records)
    return {
        turn.job.device
        for turn in turns_of(plan.jobs, plan.suite)
        if turn.job.key not in refused
        and not precision.enough(turn.job.key)
        and (turn.job.key, turn.round) not in answered
    }


def next_series(records: Iterable[Record]) -> dict[str, int]:
    """Job's key -> number of its next series, for jobs that have begun one."""
    found: dict[str, int] = {}
    for record in records:
        if record.job is not None and record.segment is not None:
            number = record.segment.series + 1
            found[record.job.key] = max(number, found.get(record.job.key, 0))
    return found


def torn_series(records: Iterable[Record]) -> set[str]:
    """Keys of jobs that have good segments and no whole series."""
    good: dict[str, dict[int, set[int]]] = {}
    whole: set[str] = set()
    for record in records:
        if record.job is None or record.segment is None or record.status != "ok":
            continue
        part, key = record.segment, record.job.key
        numbers = good.setdefault(key, {}).setdefault(part.series, set())
        numbers.add(part.number)
        if len(numbers) >= part.count:
            whole.add(key)
    return set(good) - whole


def segment_of(turn: Turn, suite: Suite, series: int) -> Segment | None:
    """Which part of a series a turn is; None where the suite has no pace."""
    if suite.pace is None:
        return None
    pace = suite.pace
    return Segment(series=series, number=turn.round, count=pace.segments, seconds=pace.seconds)


def without_heat(doubts: Iterable[Doubt]) -> list[Doubt]:
    """Without what a series is there to show: heat and the clocks that follow from it."""
    return [doubt for doubt in doubts if doubt.code not in _HEAT]

"""Why not to trust a job: the doubts of its rounds, and those that only all rounds show."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from edgesr.analysis.clumps import outliers, two_clumps
from edgesr.analysis.drift import LOWER_CLOCK, SLOWER, fall, rise
from edgesr.analysis.rows import Row, known
from edgesr.analysis.trust import severity

FEW_ROUNDS = 3
"""Below this many good rounds a spread says little."""
WIDE_SPREAD = 0.15
"""(slowest - fastest round) / median above which the measurement counts as unsteady."""


@dataclass(frozen=True)
class JobDoubt:
    """A reason not to trust a job's numbers fully."""

    code: str
    numbers: dict[str, Any]
    rounds: int
    """In how many rounds it was seen; 0 for one found over all rounds together."""


def job_doubts(rows: Sequence[Row], good: Sequence[Row]) -> tuple[JobDoubt, ...]:
    """All doubts about one job, each code once.

    Args:
        rows: The job's rows.
        good: Those with a usable time.
    """
    of_rounds = _round_doubts(rows)
    found = [*_device_doubts(good), *_pixel_doubts(rows)]
    if good:
        trends = _trend_doubts(good)
        drifts = any(doubt.code == "drift" for doubt in trends)
        found += [*_sample_doubts(good), *trends, *([] if drifts else _clump_doubts(good))]
    told = {doubt.code for doubt in of_rounds}
    return (*of_rounds, *(doubt for doubt in found if doubt.code not in told))


def _round_doubts(rows: Sequence[Row]) -> list[JobDoubt]:
    """The rounds' doubts, each code once, with the numbers of the first of its worst rounds."""
    found: dict[str, JobDoubt] = {}
    for row in rows:
        for code, numbers in {d["code"]: d["numbers"] for d in json.loads(row["doubts"])}.items():
            before = found.get(code, JobDoubt(code, numbers, 0))
            worse = severity(code, numbers) > severity(code, before.numbers)
            worst = numbers if worse else before.numbers
            found[code] = JobDoubt(code, worst, before.rounds + 1)
    return list(found.values())


def _device_doubts(good: Sequence[Row]) -> list[JobDoubt]:
    """What holds for every number of that device, whether or not the records say so."""
    found = []
    if any(row["simulated"] for row in good):
        found.append(JobDoubt("simulated", {}, 0))
    if not all(row["listed"] for row in good):
        found.append(JobDoubt("unlisted", {"model": str(good[0]["device_label"])}, 0))
    return found


def _pixel_doubts(rows: Sequence[Row]) -> list[JobDoubt]:
    """Pixels below their floor, or of which no quality could be computed."""
    scored = [row for row in rows if row["scored_images"] > 0]
    found = []
    if len(known(scored, "psnr_y")) < len(scored):
        found.append(JobDoubt("pixels_not_finite", {}, 0))
    wrong = [row for row in scored if row["reference_psnr_db"] < row["floor_db"]]
    if wrong:
        numbers = {"psnr_db": wrong[0]["reference_psnr_db"], "floor_db": wrong[0]["floor_db"]}
        found.append(JobDoubt("pixels_wrong", numbers, 0))
    return found


def _sample_doubts(good: Sequence[Row]) -> list[JobDoubt]:
    """How many rounds there are and how well they agree."""
    doubts, times = [], [row["latency_ms"] for row in good]
    if len(good) < FEW_ROUNDS:
        doubts.append(JobDoubt("few_rounds", {"rounds": len(good)}, 0))
    spread = (max(times) - min(times)) / median(times)
    if spread > WIDE_SPREAD:
        doubts.append(JobDoubt("wide_spread", {"percent": round(100 * spread)}, 0))
    if "avg" in known(good, "latency_from"):
        doubts.append(JobDoubt("average_used", {}, 0))
    if len(set(known(good, "outcome"))) > 1:
        doubts.append(JobDoubt("verdict_varies", {}, 0))
    return doubts


def _clump_doubts(good: Sequence[Row]) -> list[JobDoubt]:
    """Two clumps of rounds, else rounds that lie apart; a drift would explain both."""
    times = [float(row["latency_ms"]) for row in good]
    clumps = two_clumps(times)
    if clumps is not None:
        numbers = {
            "percent": round(100 * clumps.apart), "slow": clumps.slow, "rounds": len(times),
        }  # fmt: skip
        return [JobDoubt("bimodal", numbers, 0)]
    far = outliers(times)
    if not far:
        return []
    numbers = {"percent": round(100 * far[0]), "far": len(far), "rounds": len(times)}
    return [JobDoubt("outliers", numbers, 0)]


def _trend_doubts(good: Sequence[Row]) -> list[JobDoubt]:
    """Slower, or at a lower clock, from round to round."""
    numbered = [row for row in good if known([row], "round")]
    ordered = sorted(numbered, key=lambda row: float(row["round"]))
    found = [("drift", rise([row["latency_ms"] for row in ordered], SLOWER))]
    # what the system allows holds no noise; the clock at one moment is the second choice
    limits = known(ordered, "clock_limit_mhz")
    if limits and len(limits) == len(ordered):
        found.append(("clock_drift", fall(limits, LOWER_CLOCK, chance=1)))
    else:
        found.append(("clock_drift", fall(known(ordered, "clock_mhz"), LOWER_CLOCK)))
    return [
        JobDoubt(code, {"percent": round(100 * share), "rounds": len(ordered)}, 0)
        for code, share in found
        if share is not None
    ]

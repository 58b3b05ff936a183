"""How ``edgesr bench`` ends: the exit code that a run's outcome comes to."""

from typing import TYPE_CHECKING

from edgesr.errors import AllJobsFailedError, SomeJobsFailedError

if TYPE_CHECKING:
    from edgesr.bench.session import BenchResult


def raise_unless_all_good(result: "BenchResult") -> None:
    """The exit code.

    Raises:
        AllJobsFailedError: When no job has a good round.
        SomeJobsFailedError: When some have none and were not refused, a device was lost, or a paced
            series broke off.
    """
    from edgesr.bench.series import torn_series

    counts = result.counts
    if not counts["ok"]:
        raise AllJobsFailedError(
            f"no job has a good round ({counts['failed']} failed, {counts['refused']} refused)",
            hint=f"reasons: {result.run.path / 'records.jsonl'}",
        )
    hint = f"try again what is missing with: edgesr bench --resume {result.run.path}"
    if result.lost:
        told = "; ".join(f"{name}: {reason}" for name, reason in result.lost.items())
        raise SomeJobsFailedError(f"not everything was measured: {told}", hint=hint)
    if counts["failed"]:
        jobs = f"{counts['failed']} of {sum(counts.values())} jobs"
        raise SomeJobsFailedError(f"{jobs} have no good round", hint=hint)
    if torn := len(torn_series(result.run.records())):
        raise SomeJobsFailedError(f"{torn} of {sum(counts.values())} series broke off", hint=hint)

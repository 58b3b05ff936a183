"""Judges one launch: log, exit code and result file -> status, cause, verdict, numbers.

The exit code alone says nothing: a run that silently fell back to the CPU, ignored a flag or
measured nothing ends with 0, and good runs print ERROR lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgesr.bench.benchmark_log import BenchmarkLog, read_log
from edgesr.bench.causes import Cause, Judgement, failure
from edgesr.bench.log_checks import contradiction, plausible_memory
from edgesr.bench.result_file import agreement, figures, read_result
from edgesr.bench.verdict import (
    DEFAULT,
    asked_for,
    entry_of,
    refusal,
    requested_delegate,
    verdict_of,
)
from edgesr.results.records import Latency, Memory, Status, Verdict

__all__ = ["DEFAULT", "Cause", "Printed", "Reading", "read_launch", "verdict_of"]


@dataclass(frozen=True)
class Printed:
    """All that one launch left behind."""

    text: str
    """Standard output and standard error."""
    exit_code: int | None
    """None when its time-out killed it."""
    result: bytes | None = None
    """The result file, where one was written."""
    argv: Sequence[str] = ()
    """The command, where it is known: the log is then held against it."""
    exit_known: bool = True
    """False for a log recorded elsewhere that doesn't tell; ``exit_code`` then means nothing."""


@dataclass(frozen=True)
class Reading:
    """What a launch came to; figures only where the status is ``ok``."""

    status: Status
    reason: str | None
    verdict: Verdict
    latency: Latency | None = None
    init_us: float | None = None
    memory: Memory | None = None
    source: Literal["proto", "log"] | None = None
    """``proto`` or ``log``: where the latency was read."""
    cause: Cause | None = None
    """The reason's kind; None where the status is ``ok``."""
    init_kind: Literal["cold", "warm"] | None = None
    """Whether the GPU compiled its kernels for ``init_us`` or loaded them; else None."""


def read_launch(printed: Printed, requested: str | None = None) -> Reading:
    """Reads and judges one launch.

    Args:
        printed: What it left behind.
        requested: The delegate that was asked for; None reads it from the command, else the log.
    """
    log = read_log(printed.text)
    asked = requested or asked_for(printed.argv) or requested_delegate(log)
    verdict = verdict_of(log, asked)
    status, reason, cause = _judge(log, verdict, printed)
    if log.refused_ops:
        refused = tuple(sorted(log.refused_ops))
        verdict = Verdict(**verdict.model_dump(exclude_unset=True), refused_ops=refused)
    if status != "ok":
        return Reading(status, reason, verdict, cause=cause)
    memory = plausible_memory(log)
    logged = Memory(**memory) if memory else None
    result = read_result(printed.result)
    shared, differing = agreement(result, log) if result else (0, [])
    if result is not None and len(differing) < shared:
        if differing:
            reason = f"log and result file differ: {', '.join(differing)}"
            return Reading("failed", reason, verdict, cause=Cause.CONTRADICTION)
        latency, init_us, memory_mb = figures(result, logged)
        source: Literal["proto", "log"] = "proto"
    else:  # none, torn, or left over from another run
        latency, init_us, memory_mb, source = _logged(log), log.init_us, logged, "log"
    kind = log.init_kind if init_us is not None else None
    return Reading(status, reason, verdict, latency, init_us, memory_mb, source, None, kind)


def _logged(log: BenchmarkLog) -> Latency:
    """The log's figures: `_judge` has found the series."""
    latency = log.latency()
    return latency if latency is not None else Latency()


def _judge(log: BenchmarkLog, verdict: Verdict, printed: Printed) -> Judgement:
    """The rule: finished, exit code 0, something measured, and by the delegate asked for."""
    bad = _ended_badly(log, printed) or _no_result(log) or _not_sound(log, printed.argv)
    return bad or refusal(log, verdict, entry_of(verdict.requested))


def _ended_badly(log: BenchmarkLog, printed: Printed) -> Judgement | None:
    code = printed.exit_code if printed.exit_known else 0
    if code is None:
        return Judgement("timeout", "the total time-out ended it", Cause.TIMEOUT)
    if code != 0:
        return failure(log, code if code > 0 else 128 - code)
    if not log.fatal and not log.gave_up:
        return None
    if not printed.exit_known:
        return failure(log, None)
    return _damaged("it says that it failed, and its exit code that it did not")


def _no_result(log: BenchmarkLog) -> Judgement | None:
    if not log.recognised:
        return Judgement("failed", "this is no log of benchmark_model", Cause.NOT_A_LOG)
    if log.usage and not log.series:
        return Judgement("failed", "it printed its usage only", Cause.USAGE)
    if log.finished and len(log.series) >= 2:
        return None
    if log.flaws and log.finished:
        return _damaged(log.flaws[0])
    where = "in the middle" if log.finished else "before the result"
    return Judgement("failed", f"the log ends {where}: it was cut or killed", Cause.TORN_LOG)


def _not_sound(log: BenchmarkLog, argv: Sequence[str]) -> Judgement | None:
    if why := contradiction(log) or _differs_from_command(log, argv):
        return _damaged(why)
    if not log.series[1].count:
        return Judgement("failed", "it measured no inference (count=0)", Cause.NOTHING_MEASURED)
    return None


def _damaged(why: str) -> Judgement:
    return Judgement("failed", f"the log contradicts itself: {why}", Cause.CONTRADICTION)


def _differs_from_command(log: BenchmarkLog, argv: Sequence[str]) -> str | None:
    """The classic tool echoes every flag that it read; what was asked for must be among them."""
    if "Graph" not in log.parameters:
        return None
    unread = {flag.lstrip("-").partition("=")[0] for flag in log.unconsumed}
    for name, label in (("num_threads", "Num threads"), ("num_runs", "Min num runs")):
        asked = [a for a in argv if a == f"--{name}" or a.startswith(f"--{name}=")]
        if name in unread or not asked:
            continue
        values = {argument.partition("=")[2] for argument in asked}
        differs = all(map(str.isdigit, values)) and values != {log.parameters.get(label)}
        if differs or f"--{name}" in asked:
            return f"the command sets --{name}, and the log says otherwise"
    return None

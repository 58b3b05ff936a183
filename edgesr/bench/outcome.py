"""Judges one launch: log, exit code and result file -> status, verdict, numbers.

The exit code alone says nothing: a run that silently fell back to the CPU, ignored a flag or
measured nothing ends with 0, and good runs print ERROR lines.
"""

from dataclasses import dataclass
from typing import Literal

from edgesr.bench.benchmark_log import BenchmarkLog, Replaced, digest, read_log
from edgesr.bench.delegates import DELEGATES
from edgesr.bench.proto import BenchmarkResult, decode_result
from edgesr.results.records import Latency, Memory, Status, Verdict

DEFAULT = "default"
"""Requested delegate of a log recorded without any delegate flag: the runtime's own choice."""
_ASKING = {
    "use_gpu": "gpu",
    "use_nnapi": "nnapi",
    "use_xnnpack": "xnnpack",
    "use_hexagon": "hexagon",
}
_TOLERANCE = 2e-3  # the log's averages have six digits, litert's session time fewer
_ENDINGS = {
    126: "could not be executed",
    127: "was not found",
    134: "aborted (SIGABRT)",
    137: "was killed (SIGKILL, often out of memory)",
    139: "crashed (SIGSEGV)",
    130: "was interrupted",
    143: "was terminated",
}


@dataclass(frozen=True)
class Printed:
    """All that one launch left behind."""

    text: str
    """Standard output and standard error."""
    exit_code: int | None
    """None when its time-out killed it."""
    result: bytes | None = None
    """The result file, where one was written."""


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


def read_launch(printed: Printed, requested: str | None = None) -> Reading:
    """Reads and judges one launch.

    Args:
        printed: What it left behind.
        requested: The delegate that was asked for; None reads it from the log.
    """
    log = read_log(printed.text)
    asked = requested or requested_delegate(log)
    verdict = verdict_of(log, asked)
    status, reason = _status(log, verdict, printed.exit_code)
    if status != "ok":
        return Reading(status, reason, verdict)
    result = _decode(printed.result) if printed.result is not None else None
    if result is not None and _agrees(result, log):
        numbers = _from_proto(result, log.memory_mb())
        return Reading(status, reason, verdict, *numbers, source="proto")
    numbers = (log.latency(), log.init_us, log.memory_mb())
    return Reading(status, reason, verdict, *numbers, source="log")


def requested_delegate(log: BenchmarkLog) -> str:
    """The delegate that a recorded command asked for, as far as its log tells.

    ``gpu`` and ``nnapi`` count before ``xnnpack``, which is often given beside them; a flag that
    the binary did not consume was asked for too.
    """
    wanted = {name for name, value in _parameters(log).items() if value}
    for flag in log.unconsumed:
        name, _, value = flag.lstrip("-").partition("=")
        if name in _ASKING and value in {"true", "1", ""}:
            wanted.add(_ASKING[name])
    for name in ("gpu", "nnapi", "hexagon", "xnnpack"):
        if name in wanted:
            return name
    return "cpu" if _parameters(log).get("xnnpack") is False else DEFAULT


def _parameters(log: BenchmarkLog) -> dict[str, bool]:
    """Delegate -> switched on or off, for those that the log echoes."""
    return {key.removeprefix("Use ").lower(): value == "1" for key, value in log.parameters.items()}


def verdict_of(log: BenchmarkLog, requested: str) -> Verdict:
    """Where the graph really ran, from the lines about delegates."""
    if requested in {"cpu", DEFAULT}:
        return _plain_verdict(log, requested)
    entry = DELEGATES.get(requested)
    label = entry.label if entry else requested.upper()
    how = log.applied.get(label or "")
    replaced = _replaced(log, entry.nodes if entry else ())
    nodes: dict[str, int | None] = {}
    if replaced:
        nodes = {
            "nodes_total": replaced.total,
            "nodes_delegated": replaced.taken,
            "partitions": replaced.partitions,
        }
    elif log.split and requested == "gpu":
        # "will run on the GPU" is said before the largest-partition rule: only the total holds
        nodes = {"nodes_total": sum(log.split)}
    if _was_ignored(log, requested, label) or how == "not":
        return Verdict(requested=requested, outcome="fallback", **nodes)
    if how == "completely" or (replaced and replaced.taken == replaced.total):
        return Verdict(requested=requested, outcome="full", **nodes)
    if how == "partially" or (replaced and replaced.taken):
        return Verdict(requested=requested, outcome="partial", **nodes)
    if requested == "gpu" and log.gpu_accelerator_missing:
        return Verdict(requested=requested, outcome="fallback")
    return Verdict(requested=requested, outcome="unknown", **nodes)


def _plain_verdict(log: BenchmarkLog, requested: str) -> Verdict:
    """Without an explicit delegate XNNPACK may still have been applied, silently."""
    if requested == "cpu":
        strange = bool(log.created) or _was_ignored(log, "xnnpack", "XNNPACK")
        if strange:
            return Verdict(requested=requested, outcome="fallback")
        return Verdict(requested=requested, outcome="full" if log.finished else "unknown")
    replaced = _replaced(log, DELEGATES["xnnpack"].nodes)
    if replaced is None:
        return Verdict(requested=requested, outcome="unknown")
    return Verdict(
        requested=requested,
        outcome="full" if replaced.taken == replaced.total else "partial",
        nodes_total=replaced.total,
        nodes_delegated=replaced.taken,
        partitions=replaced.partitions,
    )


def _replaced(log: BenchmarkLog, names: tuple[str, ...]) -> Replaced | None:
    return next((line for line in log.replaced if line.delegate in names), None)


def _was_ignored(log: BenchmarkLog, requested: str, label: str | None) -> bool:
    """Whether the flag that asks for the delegate did nothing."""
    unread = {flag.lstrip("-").partition("=")[0] for flag in log.unconsumed}
    return f"use_{requested}" in unread or label in log.unsupported


def _status(log: BenchmarkLog, verdict: Verdict, code: int | None) -> tuple[Status, str | None]:
    """The rule: finished, exit code 0, something measured, and by the delegate asked for."""
    if code is None:
        return "timeout", "the total time-out ended it"
    if code != 0:
        return "failed", _failure(log, code)
    if not log.finished or len(log.series) < 2:
        return "failed", "the log ends before the result"
    latency = log.latency()
    if latency is None or not latency.count:
        return "failed", "it measured no inference (count=0)"
    contradiction = _contradiction(latency, log)
    if contradiction:
        return "failed", contradiction
    return _accepted(log, verdict)


def _accepted(log: BenchmarkLog, verdict: Verdict) -> tuple[Status, str | None]:
    entry = DELEGATES.get(verdict.requested)
    if verdict.outcome == "fallback":
        return "refused", _fallback_reason(log, verdict.requested)
    if verdict.outcome == "unknown" and entry and entry.needs_proof:
        return "refused", f"nothing in the log says that {verdict.requested} ran the graph"
    ours = set(_ASKING) | {"gpu_precision_loss_allowed", "gpu_backend", "num_threads"}
    lost = [f for f in log.unconsumed if f.lstrip("-").split("=")[0] in ours]
    if lost:
        return "refused", f"the binary ignored {' '.join(lost)}"
    return "ok", None


def _fallback_reason(log: BenchmarkLog, requested: str) -> str:
    if requested == "cpu":
        return "plain kernels were asked for, XNNPACK ran"
    label = DELEGATES[requested].label if requested in DELEGATES else requested
    if label in log.unsupported:
        return f"this build has no {requested}; the CPU ran the graph"
    if any(flag.lstrip("-").startswith(f"use_{requested}") for flag in log.unconsumed):
        return f"the binary doesn't know --use_{requested}; the CPU ran the graph"
    if log.refused_ops:
        ops = ", ".join(sorted(log.refused_ops))
        return f"{requested} took no part of the graph (refused: {ops}); the CPU ran it"
    return f"{requested} took no part of the graph; the CPU ran it"


def _failure(log: BenchmarkLog, code: int) -> str:
    """One line: what killed it, and the message that says most."""
    how = _ENDINGS.get(code, f"ended with exit code {code}")
    if log.fatal:
        return f"{how}: {log.fatal}"
    dull = ("Benchmarking failed.", "usage: ", "Flags:", "Following operations are not")
    errors = [line for line in log.errors if line.strip() and not line.startswith(dull)]
    return f"{how}: {digest(errors)}" if errors else how


def _contradiction(latency: Latency, log: BenchmarkLog) -> str | None:
    """A damaged log shows in numbers that can't all be true."""
    low, high = latency.min, latency.max
    inside = (latency.avg, latency.p5, latency.median, latency.p95)
    if low is not None and high is not None:
        slack = _TOLERANCE * high + 0.5
        if any(v is not None and not low - slack <= v <= high + slack for v in inside):
            return "the log contradicts itself: a figure lies outside min..max"
    ranked = [v for v in (latency.p5, latency.median, latency.p95) if v is not None]
    if ranked != sorted(ranked):
        return "the log contradicts itself: the percentiles are out of order"
    if log.avg_us is not None and latency.avg is not None and not _near(log.avg_us, latency.avg):
        return "the log contradicts itself: two averages differ"
    return None


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= _TOLERANCE * max(abs(one), abs(other)) + 0.5


def _decode(data: bytes) -> BenchmarkResult | None:
    try:
        return decode_result(data)
    except ValueError:
        return None


def _agrees(result: BenchmarkResult, log: BenchmarkLog) -> bool:
    """Whether the result file belongs to this log; a stale one must not be believed."""
    latency = log.latency()
    if latency is None or result.avg_ms is None:
        return False
    same_count = result.num_runs is None or result.num_runs == latency.count
    return same_count and (latency.avg is None or _near(result.avg_ms * 1000, latency.avg))


def _from_proto(
    result: BenchmarkResult, logged: Memory | None
) -> tuple[Latency | None, float | None, Memory | None]:
    def us(milliseconds: float | None, digits: int = 0) -> float | None:
        """Single values are whole microseconds; float32 milliseconds blur that a little."""
        return None if milliseconds is None else round(milliseconds * 1000, digits)

    latency = Latency(
        avg=us(result.avg_ms, 3),
        min=us(result.min_ms),
        max=us(result.max_ms),
        std=us(result.std_ms, 3),
        median=us(result.median_ms),
        p5=us(result.p5_ms),
        p95=us(result.p95_ms),
        first=us(result.first_ms),
        warmup_avg=us(result.warmup_avg_ms, 3),
        count=result.num_runs,
    )
    memory = dict(logged.model_dump(exclude_unset=True)) if logged else {}
    if result.init_kb is not None and result.overall_kb is not None:
        memory |= {"init": result.init_kb / 1024, "overall": result.overall_kb / 1024}
    if result.peak_mib is not None:
        memory["peak"] = result.peak_mib
    return latency, us(result.init_ms), Memory(**memory) if memory else None

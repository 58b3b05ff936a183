"""Holds a log against itself: a damaged one shows in things that can't all be true.

The tool says most of what it measured twice, and the rest bounds each other. Every check here
holds exactly for all recordings of the real tool.
"""

import math
from collections.abc import Callable, Iterator

from edgesr.bench.benchmark_log import BenchmarkLog, Loop, Series
from edgesr.bench.feasible import impossible

_PAGE_MIB = 4 / 1024
"""The resident set grows by pages of 4 KiB or a multiple."""
_OVERHEAD = 5.0
"""The loop takes at most so many times the inferences' own time when these are long."""
_LONG_US = 1000.0
_ECHOED: tuple[tuple[str, int, Callable[[Loop], float | None]], ...] = (
    ("Min warmup runs", 0, lambda loop: loop.runs),
    ("Min warmup runs duration (seconds)", 0, lambda loop: loop.min_s),
    ("Min num runs", 1, lambda loop: loop.runs),
    ("Min runs duration (seconds)", 1, lambda loop: loop.min_s),
    ("Max runs duration (seconds)", 1, lambda loop: loop.max_s),
)


def contradiction(log: BenchmarkLog) -> str | None:
    """What in a finished log can't be true, or None."""
    return next(iter(_all(log)), None)


def _all(log: BenchmarkLog) -> Iterator[str]:
    yield from log.flaws
    if len(log.series) > 2 or len(log.loops) > 2:
        yield "there are more than two series"
    for series in log.series:
        if why := impossible(series):
            yield why
    if len({"median" in series.numbers for series in log.series}) > 1:
        yield "one series has percentiles, the other has none"
    if len(log.series) == 2:
        yield from _litert(log) if log.litert else _classic(log)
        for series, loop in zip(log.series, log.loops, strict=False):
            yield from _loop(log, series, loop)
    yield from _echoes(log)
    yield from _delegates(log)


def _classic(log: BenchmarkLog) -> Iterator[str]:
    """The timings line repeats four figures, the session line the first of them."""
    warmup, measured = log.series
    pairs = (
        ("averages", log.avg_us, measured.numbers.get("avg", 0)),
        ("averages of the warm-up", log.warmup_avg_us, warmup.numbers.get("avg", 0)),
        ("first inferences", log.first_us, warmup.numbers.get("first", 0)),
    )
    for what, one, other in pairs:
        if one is not None and one != float(f"{other:.6g}" if "avera" in what else other):
            yield f"two {what} differ"
    session, init = log.session_ms, log.init_us
    if session is not None and init is not None and float(f"{init / 1000:.6g}") != session:
        yield "two times of initialisation differ"


def _litert(log: BenchmarkLog) -> Iterator[str]:
    """LiteRT's tool repeats the figures in milliseconds with two decimals."""
    warmup, measured = log.series
    pairs: tuple[tuple[str, float | None], ...] = (
        ("Model initialization", log.session_ms and log.session_ms * 1000),
        ("Warmup (first)", warmup.numbers.get("first", 0)),
        ("Warmup (avg)", warmup.numbers.get("avg", 0)),
        ("Inference (avg)", measured.numbers.get("avg", 0)),
        ("Inference (min)", measured.numbers.get("min", 0)),
        ("Inference (max)", measured.numbers.get("max", 0)),
    )
    for name, value in pairs:
        printed = log.litert.get(name)
        if printed is None or value is None:
            continue
        # float32 inside, and averages have six digits here
        if abs(printed * 1000 - value) > 5.01 + 1e-5 * value:
            yield f"two figures differ: {name}"
    std = log.litert.get("Inference (std)")
    if std is not None and abs(std * 1000 - measured.numbers.get("std", 0) - 0.5) > 5.51:
        yield "two figures differ: Inference (std)"
    for name, series in (("Warmup (avg) runs", warmup), ("Inference (avg) runs", measured)):
        if log.litert.get(name, series.count) != series.count:
            yield "two numbers of runs differ"


def _loop(log: BenchmarkLog, series: Series, loop: Loop) -> Iterator[str]:
    """The loop goes on until both minima are met, and stops early only beyond its maximum."""
    if log.parameters.get("Run w/o invoking kernels") == "1" or not series.count:
        return
    spent_us = series.count * series.numbers["avg"]
    before_last_us = spent_us - series.numbers["curr"]
    # a run begins only while a minimum is not met, and never beyond the maximum
    limits = [loop.max_s] if series.count <= loop.runs else [loop.max_s, loop.min_s]
    most_s = min((limit for limit in limits if limit is not None), default=math.inf)
    if before_last_us > most_s * 1e6 * 1.001 + 10:
        yield "there are more runs than the loop had time for"
    pauses = ("Inter-run delay (seconds)", "Number of prorated runs per second")
    paced = any((_number(log.parameters.get(label, "")) or 0) > 0 for label in pauses)
    if paced or series.numbers["avg"] < _LONG_US:
        return
    least_s = math.inf if loop.max_s is None else loop.max_s
    if series.count >= loop.runs and loop.min_s is not None:
        least_s = min(least_s, loop.min_s)
    if spent_us * _OVERHEAD < least_s * 1e6 and not math.isinf(least_s):
        yield "there are fewer runs than the loop had time for"


def _echoes(log: BenchmarkLog) -> Iterator[str]:
    """Flags are echoed, and their values appear again where they are used."""
    for label, which, value in _ECHOED:
        if label not in log.parameters or len(log.loops) <= which:
            continue
        used = value(log.loops[which])
        if used is not None and _number(log.parameters[label]) != used:
            yield f"{label!r} is echoed with another value than it had"
    threads = log.parameters.get("Num threads")
    used_threads = log.parameters.get("#threads used for CPU inference", threads)
    if threads and threads != used_threads and not log.verbose:
        yield "two numbers of threads differ"


def _number(text: str) -> float | None:
    """A number as the tool prints it; None for anything else."""
    try:
        return float(text) if text.isascii() else None
    except ValueError:
        return None


def _delegates(log: BenchmarkLog) -> Iterator[str]:
    """Nodes, partitions and kernels of one delegate depend on each other."""
    for line in log.replaced:
        pieces_fit = 1 <= line.partitions <= 2 * line.taken + 1
        if line.taken > line.total or (line.taken and not pieces_fit):
            yield "a delegate took more nodes than there are"
        if line.taken == line.total and line.partitions != 1:
            yield "a delegate took all nodes and left some"
    gpu = next((line for line in log.replaced if "Gpu" in line.delegate), None)
    if log.split and gpu and gpu.total != sum(log.split):
        yield "two numbers of operations differ"
    if log.split and gpu and gpu.taken > log.split[0]:
        yield "the GPU took more operations than it can"
    kernels = log.kernels.get("GPU", 1 if log.applied.get("GPU") == "completely" else None)
    if kernels is not None and log.gpu_kernels is not None and kernels != log.gpu_kernels:
        yield "two numbers of GPU kernels differ"
    whole = {"GPU": "TfLiteGpuDelegateV2", "XNNPACK": "TfLiteXNNPackDelegate"}
    for label, name in whole.items():
        own = next((line for line in log.replaced if line.delegate == name), None)
        how = log.applied.get(label)
        if own and how == "completely" and own.taken != own.total:
            yield f"{label} took the whole graph and a part of it"
        if own and how == "partially" and log.kernels.get(label, 1) > own.partitions:
            yield f"{label} has more kernels than pieces of the graph"


def plausible_memory(log: BenchmarkLog) -> dict[str, float]:
    """The footprints (MiB) that can be true together; none where one of them can't.

    They grow from init over overall to peak, and by whole pages.
    """
    memory = log.memory
    ordered = [memory[name] for name in ("init", "overall", "peak") if name in memory]
    grows = ordered == sorted(ordered) and all(0 <= value < 1e9 for value in ordered)
    exact = log.litert or all(_is_pages(value) for value in ordered)
    return dict(memory) if grows and exact else {}


def _is_pages(mib: float) -> bool:
    """Whether a number of pages is printed like this, with six digits."""
    pages = math.floor(mib / _PAGE_MIB)
    return any(float(f"{n * _PAGE_MIB:.6g}") == mib for n in (pages, pages + 1))

"""Whether a result file belongs to a log, and its figures as a record holds them."""

from edgesr.bench.benchmark_log import BenchmarkLog
from edgesr.bench.proto import BenchmarkResult, decode_result
from edgesr.results.records import Latency, Memory

_BLUR = 2e-6
"""Averages have six digits in the log; the file's float32 has seven."""


def read_result(data: bytes | None) -> BenchmarkResult | None:
    """The figures of a result file; None where there is none or it is torn."""
    try:
        return decode_result(data) if data is not None else None
    except ValueError:
        return None


def agreement(result: BenchmarkResult, log: BenchmarkLog) -> tuple[int, list[str]]:
    """How many figures the file and the log share, and the names of those that differ.

    A file of another run shares next to none.
    """
    latency = log.latency()
    if latency is None:
        return 0, []
    pairs = {
        "avg": (result.avg_ms, latency.avg),
        "min": (result.min_ms, latency.min),
        "max": (result.max_ms, latency.max),
        "median": (result.median_ms, latency.median),
        "p5": (result.p5_ms, latency.p5),
        "p95": (result.p95_ms, latency.p95),
        "std": (result.std_ms, latency.std),
        "init": (result.init_ms, log.init_us),
        "first": (result.first_ms, latency.first),
        "warm-up": (result.warmup_avg_ms, latency.warmup_avg),
    }
    both = {
        n: (ms * 1000, us) for n, (ms, us) in pairs.items() if ms is not None and us is not None
    }
    differing = [name for name, (one, other) in both.items() if not _same(name, one, other)]
    same = len(both) - len(differing)
    if result.num_runs is not None and result.num_runs != latency.count:
        differing.append("count")
    return same, differing


def _same(name: str, one: float, other: float) -> bool:
    blur = 1.0 if name == "std" else 0.05  # the log cuts the deviation's decimals off
    if name in {"avg", "warm-up", "init"}:
        blur += 4 * _BLUR * max(one, other)
    return abs(one - other) <= blur + _BLUR * max(one, other)


def figures(
    result: BenchmarkResult, logged: Memory | None
) -> tuple[Latency, float | None, Memory | None]:
    """Latency and initialisation in microseconds, footprints in MiB.

    Args:
        result: The file's figures.
        logged: The footprints of the log, kept where the file has none.
    """

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

"""The memory pass: one launch of its own per job, because watching memory disturbs timing."""

from dataclasses import replace

from edgesr.bench.argv import ONCE, Launch
from edgesr.bench.doubts import Code, because
from edgesr.bench.launch import Station, run_launch
from edgesr.bench.outcome import read_launch
from edgesr.results.records import Doubt, Memory


def peak_memory(
    station: Station, launch: Launch, *, timeout_s: float
) -> tuple[float | None, list[Doubt]]:
    """The highest resident set of the whole process over one inference, MiB.

    Args:
        station: Where.
        launch: The timed launch whose model, delegate and threads to use.
        timeout_s: Total time.

    Returns:
        The peak, None when it can't be had, and then the doubt that says why.
    """
    if "report_peak_memory_footprint" not in station.tool.flags:
        reason = "this benchmark_model doesn't know --report_peak_memory_footprint"
        return None, [because(Code.MEMORY_FAILED, reason)]
    once = replace(launch, loop=ONCE, peak_memory=True)
    reading = read_launch(run_launch(station, once, timeout_s=timeout_s).printed, launch.delegate)
    peak = reading.memory.peak if reading.memory else None
    if peak is None:
        return None, [because(Code.MEMORY_FAILED, reading.reason or "the log tells no peak")]
    return peak, []


def with_peak(memory: Memory | None, peak: float | None) -> Memory | None:
    """The footprints of a timed round together with the peak of the memory pass."""
    if peak is None:
        return memory
    return (memory or Memory()).model_copy(update={"peak": peak})

"""The memory pass: one launch of its own per job, because watching memory disturbs timing."""

from dataclasses import replace

from edgesr.bench.argv import A_SECOND, ONCE, Launch
from edgesr.bench.doubts import Code, because
from edgesr.bench.launch import Slot, Station, run_launch
from edgesr.bench.outcome import read_launch
from edgesr.results.records import Doubt, Memory


def measure_memory(
    station: Station, launch: Launch, slot: Slot, *, timeout_s: float
) -> tuple[Memory, list[Doubt]]:
    """The highest resident set of the whole process, and on phones its highest PSS, MiB.

    PSS counts pages that processes share by their part; it is what Android's own tools show. It
    is sampled every 50 ms on the phone, the tool's peak is the kernel's own high-water mark.

    Args:
        station: Where.
        launch: The timed launch whose model, delegate and threads to use.
        slot: Where it belongs.
        timeout_s: Total time.

    Returns:
        ``peak`` and ``pss``, None where they can't be had, and then the doubts that say why.
    """
    watch = station.transport.platform != "host"
    known = "report_peak_memory_footprint" in station.tool.flags
    no_peak = "this benchmark_model doesn't know --report_peak_memory_footprint"
    if not known and not watch:
        return Memory(), [because(Code.MEMORY_FAILED, no_peak)]
    loop = A_SECOND if watch else ONCE
    quiet = replace(launch, loop=loop, peak_memory=True)
    launched = run_launch(station, quiet, slot, timeout_s=timeout_s, watch_pss=watch)
    reading = read_launch(launched.printed, launch.delegate)
    if reading.status != "ok":
        return Memory(), [because(Code.MEMORY_FAILED, reading.reason or reading.status)]
    doubts, found = [], {}
    peak = reading.memory.peak if reading.memory else None
    if peak is None:
        reason = "the log tells no peak" if known else no_peak
        doubts.append(because(Code.MEMORY_FAILED, reason))
    else:
        found["peak"] = peak
    if watch and launched.done.pss_mb is None:
        doubts.append(because(Code.NO_PSS, "the phone does not let the shell read smaps_rollup"))
    elif watch and launched.done.pss_mb is not None:
        found["pss"] = launched.done.pss_mb
    return Memory(**found), doubts


def with_memory(timed: Memory | None, found: Memory) -> Memory | None:
    """The footprints of a timed round together with what the memory pass found."""
    more = found.model_dump(exclude_unset=True)
    if not more:
        return timed
    return Memory(**{**(timed.model_dump(exclude_unset=True) if timed else {}), **more})

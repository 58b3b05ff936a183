"""The profiling pass, on request: a launch of its own per job that times single operations."""

from dataclasses import replace

from edgesr.bench.argv import A_SECOND, Launch
from edgesr.bench.doubts import Code, because
from edgesr.bench.launch import OP_PROFILE, Slot, Station, cant_launch, run_launch
from edgesr.bench.op_profile import read_op_profile
from edgesr.bench.outcome import read_launch
from edgesr.results.records import Doubt, OpTime


def measure_ops(
    station: Station, launch: Launch, slot: Slot, *, timeout_s: float
) -> tuple[tuple[OpTime, ...] | None, list[Doubt]]:
    """Times of single operations, the longest first.

    Args:
        station: Where.
        launch: The timed launch whose model, delegate and threads to use.
        slot: Where it belongs.
        timeout_s: Total time.

    Returns:
        The operations, None when they can't be had, and then the doubt that says why.
    """
    profiled = replace(launch, loop=A_SECOND, op_profile="")
    reason = cant_launch(station, profiled)
    if reason is None:
        launched = run_launch(station, profiled, slot, timeout_s=timeout_s)
        reading = read_launch(launched.printed, launch.delegate)
        written = launched.done.files.get(OP_PROFILE, b"").decode("utf-8", errors="replace")
        # where its file can't be written the tool prints the profile instead, without a word
        found = read_op_profile(written or launched.printed.text)
        if found:
            return tuple(found), []
        reason = reading.reason or "the tool wrote no profile"
    return None, [because(Code.PROFILE_FAILED, reason)]

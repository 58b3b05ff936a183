"""Reasons not to trust a number fully: codes with numbers, worded by the report."""

from enum import StrEnum

from edgesr.bench.suite import Suite
from edgesr.device.info import Limits
from edgesr.results.records import DeviceState, Doubt, Latency


class Code(StrEnum):
    """Every doubt that measuring can raise, with its numbers."""

    BUSY = "busy"
    """load (cores that other programs kept busy), busy_pct, limit_pct"""
    HOT = "hot"
    """temperature_c, limit_c"""
    CLOCK_CHANGED = "clock_changed"
    """before_mhz, after_mhz"""
    COUNT_LOW = "count_low"
    """count, asked"""
    MEMORY_FAILED = "memory_failed"
    """reason"""
    ACCURACY_FAILED = "accuracy_failed"
    """reason"""
    ACCURACY_NO_PAIRS = "accuracy_no_pairs"
    """reason"""
    ACCURACY_WINDOW = "accuracy_window"
    """pct (of the pictures' area that the input size covers)"""
    ENGINE_CHANGED = "engine_changed"
    """before, now (sha256 or version)"""


def conditions(
    busy_pct: float | None,
    cores: int | None,
    states: tuple[DeviceState, DeviceState],
    limits: Limits,
) -> list[Doubt]:
    """Doubts about the surroundings of one round.

    Args:
        busy_pct: CPU of other programs just before, per cent of the machine.
        cores: How many there are.
        states: The device before and after.
        limits: What its profile allows.
    """
    found = []
    if busy_pct is not None and busy_pct > limits.other_load_pct:
        load = round(busy_pct / 100 * (cores or 1), 2)
        found.append(
            _doubt(Code.BUSY, load=load, busy_pct=busy_pct, limit_pct=limits.other_load_pct)
        )
    before, after = states
    hottest = max((s.temperature_c for s in states if s.temperature_c is not None), default=None)
    if hottest is not None and limits.temperature_c is not None and hottest > limits.temperature_c:
        found.append(_doubt(Code.HOT, temperature_c=hottest, limit_c=limits.temperature_c))
    start, end = before.big_core_clock_mhz, after.big_core_clock_mhz
    if start and end and end < start * (1 - limits.clock_drop_pct / 100):
        found.append(_doubt(Code.CLOCK_CHANGED, before_mhz=start, after_mhz=end))
    return found


def low_count(latency: Latency | None, suite: Suite) -> list[Doubt]:
    """Fewer inferences than the suite asks for: max_secs cuts a round off without a word."""
    if latency is None or latency.count is None or latency.count >= suite.num_runs:
        return []
    return [_doubt(Code.COUNT_LOW, count=latency.count, asked=suite.num_runs)]


def window(share: float) -> list[Doubt]:
    """The input is smaller than the pictures: quality is of their top left part only.

    Args:
        share: Of the pictures' area that was scored, 0..1.
    """
    if share >= 1:
        return []
    return [_doubt(Code.ACCURACY_WINDOW, pct=min(99, max(1, round(100 * share))))]


def because(code: Code, reason: str) -> Doubt:
    """A doubt whose only number is a sentence."""
    return _doubt(code, reason=reason)


def _doubt(code: Code, **numbers: float | str) -> Doubt:
    return Doubt(code=code, numbers=numbers)

"""Reasons not to trust a number fully: codes with numbers, worded by the report."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from edgesr.bench.suite import Suite
from edgesr.device.guard import Unfit
from edgesr.device.info import DeviceInfo
from edgesr.device.profile import Limits
from edgesr.results.records import DeviceState, Doubt, Latency


class Code(StrEnum):
    """Every doubt that measuring can raise, with its numbers."""

    # the surroundings of a round
    BUSY = "busy"
    """load (cores that other programs kept busy), busy_pct, limit_pct"""
    HOT = "hot"
    """temperature_c, limit_c"""
    TEMPERATURE_UNKNOWN = "temperature_unknown"
    """none: a phone that tells neither its battery's temperature nor its thermal status"""
    THROTTLED = "throttled"
    """thermal_status (1 light .. 6 shutdown), limit"""
    BATTERY_LOW = "battery_low"
    """battery_pct, limit_pct"""
    CLOCK_CHANGED = "clock_changed"
    """before_mhz, after_mhz: the clock that the system allows where it tells, else the clock"""
    CLOCK_CAPPED = "clock_capped"
    """limit_mhz (allowed before the round already), max_mhz (as built)"""
    SCREEN_CHANGED = "screen_changed"
    """before, after: on or off"""
    # how the round went
    COUNT_LOW = "count_low"
    """count, asked"""
    PICKED_UP = "picked_up"
    """seconds (that the result waited on the phone)"""
    NOT_PINNED = "not_pinned"
    """none: pinning was asked for, and the phone's big cores are not known"""
    CLOCKS_NOT_FIXED = "clocks_not_fixed"
    """none: the phone refused fixed-performance mode"""
    RELAUNCHED = "relaunched"
    """reason"""
    # what ran
    SIMULATED = "simulated"
    """none: a stand-in phone, times are of the machine behind it"""
    UNLISTED = "unlisted"
    """model: no profile knows the phone, big cores are computed and limits are the defaults"""
    ENGINE_CHANGED = "engine_changed"
    """before, now (sha256 or version)"""
    BINARY_CHANGED = "binary_changed"
    """before, now (sha256 of what the same download gave)"""
    GPU_DEQUANTIZES = "gpu_dequantizes"
    """none: the GPU runs an int8 graph in floating point"""
    # passes of their own
    MEMORY_FAILED = "memory_failed"
    """reason"""
    NO_PSS = "no_pss"
    """reason"""
    PROFILE_FAILED = "profile_failed"
    """reason"""
    ACCURACY_FAILED = "accuracy_failed"
    """reason"""
    ACCURACY_NO_PAIRS = "accuracy_no_pairs"
    """reason"""
    ACCURACY_SAMPLED = "accuracy_sampled"
    """images, of: as many pictures as the limit on launches allows"""
    PIXELS_WRONG = "pixels_wrong"
    """psnr_db (against the fp32 reference), floor_db"""
    PIXELS_NOT_FINITE = "pixels_not_finite"
    """none: NaN or infinity among the output values"""
    CER_WORSE = "cer_worse"
    """cer, more (than the fp32 reference's on the same pictures), low, high, images"""
    CONFIDENCE_MISLEADS = "confidence_misleads"
    """against (``bicubic`` or ``fp32 reference``), cer_more, confidence_more"""


def conditions(
    busy_pct: float | None,
    cores: int | None,
    states: tuple[DeviceState, DeviceState],
    limits: Limits,
) -> list[Doubt]:
    """Doubts about the surroundings of one round, on any device.

    Args:
        busy_pct: CPU of other programs just before, per cent of the machine.
        cores: How many there are.
        states: The device before and after.
        limits: What its profile allows.
    """
    found = []
    if busy_pct is not None and busy_pct > limits.other_load_pct:
        found.append(_busy(busy_pct, limits.other_load_pct, cores))
    hottest = max((s.temperature_c for s in states if s.temperature_c is not None), default=None)
    if hottest is not None and limits.temperature_c is not None and hottest > limits.temperature_c:
        found.append(doubt(Code.HOT, temperature_c=hottest, limit_c=limits.temperature_c))
    status = max((s.thermal_status for s in states if s.thermal_status is not None), default=0)
    if status > limits.thermal_status:
        found.append(doubt(Code.THROTTLED, thermal_status=status, limit=limits.thermal_status))
    level = min((s.battery_pct for s in states if s.battery_pct is not None), default=100)
    if level < limits.battery_pct:
        found.append(doubt(Code.BATTERY_LOW, battery_pct=level, limit_pct=limits.battery_pct))
    return found + _changes(states, limits)


def _changes(states: tuple[DeviceState, DeviceState], limits: Limits) -> list[Doubt]:
    """What a round did not find as it left it."""
    before, after = states
    found = []
    # the clock of an idle phone says little; the clock that the system allows does
    start, end = before.big_core_limit_mhz, after.big_core_limit_mhz
    if not (start and end):
        start, end = before.big_core_clock_mhz, after.big_core_clock_mhz
    if start and end and end < start * (1 - limits.clock_drop_pct / 100):
        found.append(doubt(Code.CLOCK_CHANGED, before_mhz=start, after_mhz=end))
    if None not in (before.screen_on, after.screen_on) and before.screen_on != after.screen_on:
        words = {True: "on", False: "off"}
        numbers = {"before": words[bool(before.screen_on)], "after": words[bool(after.screen_on)]}
        found.append(doubt(Code.SCREEN_CHANGED, **numbers))
    return found


def phone_conditions(
    info: DeviceInfo, before: DeviceState, limits: Limits, *, clocks_bounded: bool = False
) -> list[Doubt]:
    """Doubts about one round that only a phone raises.

    Args:
        info: The phone.
        before: How it was doing when the round began.
        limits: What its profile allows.
        clocks_bounded: Fixed performance mode holds the clocks down on purpose.
    """
    found = []
    if info.simulated:
        found.append(doubt(Code.SIMULATED))
    if info.listed is False:
        found.append(doubt(Code.UNLISTED, model=info.model or "unknown"))
    if before.temperature_c is None and before.thermal_status is None:
        found.append(doubt(Code.TEMPERATURE_UNKNOWN))
    allowed, built = before.big_core_limit_mhz, info.max_mhz
    share = 1 - limits.clock_drop_pct / 100
    if allowed and built and allowed < built * share and not clocks_bounded:
        found.append(doubt(Code.CLOCK_CAPPED, limit_mhz=allowed, max_mhz=built))
    return found


def unmet(found: Iterable[Unfit], cores: int | None) -> list[Doubt]:
    """What `edgesr.device.guard` waited for in vain, as doubts."""
    return [
        _busy(one.numbers["busy_pct"], one.numbers["limit_pct"], cores)
        if one.code == Code.BUSY
        else doubt(Code(one.code), **one.numbers)
        for one in found
    ]


def merged(*lists: Sequence[Doubt]) -> list[Doubt]:
    """All doubts, each code once; of those with the same code the first stays."""
    found: dict[str, Doubt] = {}
    for one in (one for some in lists for one in some):
        found.setdefault(one.code, one)
    return list(found.values())


def low_count(latency: Latency | None, suite: Suite) -> list[Doubt]:
    """Fewer inferences than the suite asks for: max_secs cuts a round off without a word."""
    if latency is None or latency.count is None or latency.count >= suite.num_runs:
        return []
    return [doubt(Code.COUNT_LOW, count=latency.count, asked=suite.num_runs)]


def because(code: Code, reason: str) -> Doubt:
    """A doubt whose only number is a sentence."""
    return doubt(code, reason=reason)


def _busy(busy_pct: float, limit_pct: float, cores: int | None) -> Doubt:
    load = round(busy_pct / 100 * (cores or 1), 2)
    return doubt(Code.BUSY, load=load, busy_pct=busy_pct, limit_pct=limit_pct)


def doubt(code: Code, **numbers: float | str) -> Doubt:
    """A doubt with the numbers that its code documents."""
    return Doubt(code=code, numbers=numbers)

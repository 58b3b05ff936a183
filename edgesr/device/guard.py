"""Fit to measure? Waits until a device is cool, charged and idle enough, not for a fixed time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgesr.device.profile import Fit
from edgesr.results.records import DeviceState


@dataclass(frozen=True)
class Unfit:
    """One limit that isn't met; codes and numbers are those of `edgesr.bench.doubts`."""

    code: str
    """``hot``, ``throttled``, ``battery_low`` or ``busy``."""
    numbers: dict[str, float]
    waiting_for: str
    """A few words for a progress line: ``battery 41.2 °C, waits for 38``."""


Progress = Callable[[Sequence[Unfit], float], None]
"""Called with (what is unmet, seconds left to wait at most)."""


@dataclass(frozen=True)
class Clock:
    """Time, so that tests need none."""

    now: Callable[[], float] = time.monotonic
    """Seconds."""
    sleep: Callable[[float], None] = time.sleep


_REAL = Clock()


def unfit(state: DeviceState, fit: Fit) -> list[Unfit]:
    """What speaks against measuring now; what a device doesn't tell doesn't.

    Args:
        state: How it is doing.
        fit: What it has to meet.
    """
    found = []
    heat, status = state.temperature_c, state.thermal_status
    if heat is not None and fit.temperature_c is not None and heat > fit.temperature_c:
        numbers = {"temperature_c": heat, "limit_c": fit.temperature_c}
        found.append(Unfit("hot", numbers, f"{heat:g} °C, waits for {fit.temperature_c:g}"))
    if status is not None and fit.thermal_status is not None and status > fit.thermal_status:
        numbers = {"thermal_status": status, "limit": fit.thermal_status}
        words = f"thermal status {status}, waits for {fit.thermal_status}"
        found.append(Unfit("throttled", numbers, words))
    level, busy = state.battery_pct, state.busy_pct
    if level is not None and fit.battery_pct is not None and level < fit.battery_pct:
        numbers = {"battery_pct": level, "limit_pct": fit.battery_pct}
        words = f"battery {level:g} %, waits for {fit.battery_pct:g}"
        found.append(Unfit("battery_low", numbers, words))
    if busy is not None and fit.busy_pct is not None and busy > fit.busy_pct:
        numbers = {"busy_pct": busy, "limit_pct": fit.busy_pct}
        words = f"CPU {busy:g} % busy, waits for {fit.busy_pct:g}"
        found.append(Unfit("busy", numbers, words))
    return found


def wait_until_fit(
    read_state: Callable[[], DeviceState],
    fit: Fit,
    progress: Progress | None = None,
    clock: Clock = _REAL,
) -> tuple[DeviceState, list[Unfit]]:
    """Waits until every limit is met, as long as ``fit`` allows.

    When nothing else is unmet, a low battery that isn't charging ends the wait at once, since it
    gets no better, and other programs' load ends it after ``fit.busy_wait_s``.

    Args:
        read_state: Asks the device; errors of it pass through.
        fit: What has to be met, and how long to wait.
        progress: Told after each look that found something unmet.
        clock: Replaced in tests.

    Returns:
        The last state, and what is still unmet in it.
    """
    began = clock.now()
    while True:
        state = read_state()
        found = unfit(state, fit)
        only_busy = all(one.code == "busy" for one in found)
        left = began + (fit.busy_wait_s if only_busy else fit.wait_s) - clock.now()
        if not found or left <= 0 or _is_hopeless(state, found):
            return state, found
        if progress:
            progress(found, left)
        clock.sleep(min(fit.poll_s, left))


def _is_hopeless(state: DeviceState, found: Sequence[Unfit]) -> bool:
    """Whether waiting can't help: only the battery is low, and nothing charges it."""
    return state.charging == "none" and all(one.code == "battery_low" for one in found)

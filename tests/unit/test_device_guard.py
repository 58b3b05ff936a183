"""Waiting until a phone is fit to measure, without a real clock."""

from collections.abc import Sequence

import pytest

from edgesr.bench.doubts import Code, unmet
from edgesr.device.guard import Clock, Unfit, unfit, wait_until_fit
from edgesr.device.profile import Fit
from edgesr.errors import TransportError
from edgesr.results.records import DeviceState

COOL = DeviceState(temperature_c=30, thermal_status=0, battery_pct=80, busy_pct=3, charging="usb")


class Phone:
    """A phone whose states follow one another, and a clock that only sleeping moves on."""

    def __init__(self, *states: DeviceState) -> None:
        self.states, self.looks, self.now = states, 0, 100.0
        self.told: list[tuple[list[str], float]] = []

    def read(self) -> DeviceState:
        state = self.states[min(self.looks, len(self.states) - 1)]
        self.looks += 1
        return state

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    def tell(self, found: Sequence[Unfit], left_s: float) -> None:
        self.told.append(([one.code for one in found], left_s))

    def wait(self, fit: Fit) -> tuple[DeviceState, list[str]]:
        state, found = wait_until_fit(
            self.read, fit, self.tell, Clock(lambda: self.now, self.sleep)
        )
        return state, [one.code for one in found]


def but(**changes: object) -> DeviceState:
    return COOL.model_copy(update=changes)


def test_each_limit() -> None:
    bad = but(temperature_c=38.5, thermal_status=1, battery_pct=19, busy_pct=26)
    found = unfit(bad, Fit())
    assert [one.code for one in found] == ["hot", "throttled", "battery_low", "busy"]
    assert [doubt.code for doubt in unmet(found, 8)] == [
        Code.HOT, Code.THROTTLED, Code.BATTERY_LOW, Code.BUSY,
    ]  # fmt: skip
    assert found[0].waiting_for == "38.5 °C, waits for 38"
    assert unfit(but(temperature_c=38, battery_pct=20, busy_pct=25), Fit()) == [], "limits are met"
    assert unfit(DeviceState(), Fit()) == [], "what isn't told can't be waited for"
    lax = Fit(temperature_c=None, thermal_status=None, battery_pct=None, busy_pct=None)
    assert unfit(bad, lax) == []


def test_a_fit_phone_is_looked_at_once() -> None:
    phone = Phone(COOL)
    assert phone.wait(Fit()) == (COOL, [])
    assert (phone.looks, phone.told, phone.now) == (1, [], 100)


def test_it_waits_for_a_temperature_not_for_a_time() -> None:
    hot = but(temperature_c=41.0)
    phone = Phone(hot, hot, but(temperature_c=39.0), COOL)
    state, found = phone.wait(Fit(wait_s=60, poll_s=5))
    assert (state, found, phone.looks) == (COOL, [], 4)
    assert phone.now == 115, "as long as it took"
    assert phone.told == [(["hot"], 60), (["hot"], 55), (["hot"], 50)]


def test_what_is_unmet_in_the_end_is_told() -> None:
    phone = Phone(but(temperature_c=41.0, busy_pct=50))
    _, found = phone.wait(Fit(wait_s=12, poll_s=5))
    assert found == ["hot", "busy"]
    assert phone.now == 112, "never longer than asked"
    assert phone.looks == 4


def test_without_waiting_there_is_one_look() -> None:
    phone = Phone(but(temperature_c=41.0))
    assert phone.wait(Fit(wait_s=0))[1] == ["hot"]
    assert phone.looks == 1


def test_a_low_battery_that_nothing_charges_is_not_waited_for() -> None:
    phone = Phone(but(battery_pct=10, charging="none"))
    assert phone.wait(Fit())[1] == ["battery_low"]
    assert phone.now == 100
    hot_too = Phone(
        but(battery_pct=10, charging="none", temperature_c=41.0),
        but(battery_pct=10, charging="none"),
    )
    assert hot_too.wait(Fit())[1] == ["battery_low"]
    assert hot_too.looks == 2
    charging = Phone(but(battery_pct=19), COOL)
    assert charging.wait(Fit())[1] == []


def test_a_phone_that_goes_away_while_waiting() -> None:
    def away() -> DeviceState:
        raise TransportError("gone")

    with pytest.raises(TransportError):
        wait_until_fit(away, Fit())

"""How warm the devices were and what their clocks did while they were measured."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MOST_POINTS = 120
"""Points of one track; of the rounds in between, the hottest and the slowest clock are told."""
READINGS = {
    "temperature_c": ("temperature_before_c", "temperature_after_c"),
    "cpu_temperature_c": ("cpu_temperature_before_c", "cpu_temperature_after_c"),
    "clock_mhz": ("clock_limit_mhz",),
}
"""Reading -> the columns of tidy rows that hold it."""


@dataclass(frozen=True)
class Track:
    """One device during one run, in the order of time."""

    run: str
    device: str
    label: str
    minutes: tuple[float, ...]
    """Since its first round began."""
    temperature_c: tuple[float, ...]
    """Of a phone's battery, of this machine's CPU; NaN where not told."""
    cpu_temperature_c: tuple[float, ...]
    clock_mhz: tuple[float, ...]
    """That the system allows the big cores; NaN where not told."""

    def known(self, reading: str) -> list[tuple[float, float]]:
        """(minutes, value) of all that was told of a reading."""
        values = getattr(self, reading)
        pairs = zip(self.minutes, values, strict=True)
        return [(when, value) for when, value in pairs if math.isfinite(value)]


def conditions(rows: "pd.DataFrame") -> list[Track]:
    """One track per run and device of which at least two rounds tell time and condition.

    Paced series have a plot of their own, and are not in it.

    Args:
        rows: What `analysis.rows.tidy_rows` gives.
    """
    return list(_tracks(rows))


def _tracks(rows: "pd.DataFrame") -> Iterator[Track]:
    import pandas as pd

    rows = rows[rows["pace_fps"].isna()]
    columns = [name for names in READINGS.values() for name in names]
    table = rows[["run", "device", "device_label", *columns]].copy()
    when = pd.to_datetime(rows["started_at"], errors="coerce", utc=True, format="ISO8601")
    table["when"] = when
    table = table[table["when"].notna() & table[columns].notna().any(axis=1)]
    for (run, device), own in table.groupby(["run", "device"], sort=False, observed=True):
        minutes = (own["when"] - own["when"].min()).dt.total_seconds() / 60
        end = float(minutes.max())
        if len(own) < 2 or not end > 0:
            continue
        readings = pd.DataFrame({
            "minutes": minutes,
            **{
                name: own[list(names)].astype(float).agg(_worse(name), axis=1)
                for name, names in READINGS.items()
            },
        })  # fmt: skip
        bins = (minutes / end * (MOST_POINTS - 1)).astype(int)
        how = {name: _worse(name) for name in READINGS}
        binned = readings.groupby(bins).agg({"minutes": "first", **how})

        def numbers(name: str, table: "pd.DataFrame" = binned) -> tuple[float, ...]:
            return tuple(float(value) for value in table[name])

        label = str(own["device_label"].iloc[0])
        yield Track(
            run=str(run),
            device=str(device),
            label=label,
            minutes=numbers("minutes"),
            temperature_c=numbers("temperature_c"),
            cpu_temperature_c=numbers("cpu_temperature_c"),
            clock_mhz=numbers("clock_mhz"),
        )


def _worse(reading: str) -> str:
    return "min" if reading == "clock_mhz" else "max"

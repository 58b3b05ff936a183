"""One run as the comparison needs it: its jobs, their rounds, their pictures, its devices."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pandas as pd

from edgesr.analysis.comparable import Conditions, conditions
from edgesr.analysis.matching import Timed
from edgesr.analysis.metrics_compared import METRICS
from edgesr.analysis.pictures import Pictures
from edgesr.analysis.rows import RunData, read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise
from edgesr.analysis.sustained import Series, sustained
from edgesr.results.store import RunFolder

Samples = dict[str, list[float]]
"""Metric -> one figure per round."""
State = Literal["holds", "ok", "flaky", "slows", "partial", "unproven", "wrong_pixels", "fallback",
                "failed"]  # fmt: skip
"""What became of a job. ``holds`` and ``slows``: whether a paced one kept its frame rate;
``flaky``: some of its rounds came to nothing."""
RANKS: dict[State, int] = {"holds": 7, "ok": 6, "flaky": 5, "slows": 4, "partial": 4, "unproven": 3,
                           "wrong_pixels": 2, "fallback": 1, "failed": 0}  # fmt: skip
"""The higher the better; a job that falls is a regression."""


@dataclass(frozen=True)
class RunSide:
    """One of the two runs, summarised."""

    run: RunData
    jobs: tuple[JobSummary, ...]
    series: tuple[Series, ...]
    samples: Mapping[str, Samples]
    """Job -> what its good rounds measured."""

    @cached_property
    def devices(self) -> dict[str, Conditions]:
        """Every device that jobs are of."""
        names = dict.fromkeys(one.job.device for one in self.all)
        return {name: conditions(self.run, name) for name in names}

    @cached_property
    def pictures(self) -> Pictures:
        """What each of its jobs made of each picture."""
        return Pictures(self.run.folder.path)

    @cached_property
    def all(self) -> tuple[Timed, ...]:
        """Its jobs, with and without a pace."""
        paced = (Timed(one.job, one.fps) for one in self.series)
        return (*(Timed(job) for job in self.jobs), *paced)


def read_side(folder: RunFolder) -> RunSide:
    """Reads a run folder; ``run.json`` and ``records.jsonl`` suffice.

    Raises:
        StoreError: When run.json is damaged, or anything is of a newer schema.
    """
    return side_of(read_run(folder))


def side_of(run: RunData) -> RunSide:
    """A run that is read already."""
    rows = tidy_rows([run])
    return RunSide(run, tuple(summarise(rows)), tuple(sustained(rows)), _samples(rows))


def state_of(job: JobSummary, series: Series | None = None) -> State:
    """What became of a job.

    Args:
        job: The job.
        series: Of a paced job whose frame rate is to count.
    """
    if not job.measured or job.status != "ok":
        return "failed"
    if not job.pixels_ok:
        return "fallback" if job.outcome == "fallback" else "wrong_pixels"
    if job.outcome == "full" and series is not None and series.whole:
        return "holds" if series.holds else "slows"
    full: State = "flaky" if job.bad_rounds_pct else "ok"
    places: dict[str, State] = {"full": full, "partial": "partial", "fallback": "fallback"}
    return places.get(job.outcome, "unproven")


def _samples(rows: pd.DataFrame) -> dict[str, Samples]:
    """The figures of each job's good rounds; of a round measured twice, the latest."""
    good = rows[rows["latency_ms"].notna() & rows["pace_fps"].isna()]
    latest = good[~good.duplicated(["key", "round"], keep="last") | good["round"].isna()]
    keys = [str(key) for key in latest["key"]]
    kinds = [kind if kind in {"cold", "warm"} else "other" for kind in latest["init_kind"]]
    found: dict[str, Samples] = {key: {} for key in keys}
    for metric in METRICS:
        if metric.column:
            for key, kind, value in zip(keys, kinds, latest[metric.column], strict=True):
                if value == value and metric.init_kind in {None, kind}:  # noqa: PLR0124 - no NaN
                    found[key].setdefault(metric.name, []).append(float(value))
    return found

"""Jobs and criteria -> the winner per scale, input size and class of devices."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from edgesr.analysis.devices import mapping
from edgesr.analysis.rows import RunData, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise
from edgesr.analysis.sustained import Series, sustained
from edgesr.errors import ConfigError
from edgesr.select.criteria import Criteria
from edgesr.select.evidence import Evidence
from edgesr.select.explain import elsewhere, nearest_miss, recommendation, rejections
from edgesr.select.judge import judge, trouble
from edgesr.select.objective import rank
from edgesr.select.options import Group, group_options
from edgesr.select.pareto import axes, pareto
from edgesr.select.selection import GroupResult, Selection
from edgesr.text import plural, short

_NOTED = 20
"""Notes about runs, at most."""


def select_runs(runs: Sequence[RunData], criteria: Criteria) -> Selection:
    """Selects from whole runs; see `select`.

    Raises:
        ConfigError: When a constraint names a device that no run has.
    """
    rows = tidy_rows(runs)
    return select(summarise(rows), sustained(rows), criteria, manifests_of(runs), Evidence(runs))


def manifests_of(runs: Sequence[RunData]) -> dict[str, dict[str, Any]]:
    """Candidate id -> manifest, from the runs' headers; of several the last."""
    return {
        str(name): mapping(tree)
        for run in runs
        for name, tree in mapping(run.header.get("candidates")).items()
    }


def select(
    jobs: Sequence[JobSummary],
    series: Sequence[Series],
    criteria: Criteria,
    manifests: Mapping[str, Mapping[str, Any]],
    evidence: Evidence | None = None,
) -> Selection:
    """Chooses; the result does not depend on the order of the jobs.

    Of a job that several runs measured the newest counts.

    Args:
        jobs: Of any number of runs.
        series: Likewise, at a fixed frame rate.
        criteria: What must hold, and what decides among those that do.
        manifests: Candidate id -> manifest as a run's header holds it.
        evidence: The runs themselves, which tell the figures of single pictures and under which
            conditions they measured; without, intervals are compared instead, and nothing is noted.

    Raises:
        ConfigError: When a constraint names a device that none of the jobs has.
    """
    known = evidence or Evidence()
    by_device = criteria.by == "device"
    everything = group_options(jobs, series, manifests, known, by_device=by_device)
    _check_devices(criteria, everything)
    groups = [group.without_silent(criteria.named_devices) for group in everything]
    runs = {job.run for job in jobs} | {one.job.run for one in series}
    notes = [note for group in groups for note in _notes(group, known)]
    return Selection(
        criteria,
        tuple(sorted(runs)),
        tuple(_result(group, criteria, known) for group in groups),
        tuple(dict.fromkeys(notes))[:_NOTED],
    )


def _result(group: Group, criteria: Criteria, evidence: Evidence) -> GroupResult:
    judged = [judge(option, group, criteria) for option in group.options]
    ranking = rank([one.option for one in judged if one.qualifies], criteria.objective, evidence)
    winner = ranking.winner
    anywhere = [option for option in group.options if option.everywhere]
    miss = nearest_miss(judged, ranking) if winner is None else ""
    first = next((one for one in judged if one.option is winner), None)
    return GroupResult(
        **group.place._asdict(),
        devices=tuple(group.labels.values()),
        winner=winner.choice() if winner else None,
        pareto=tuple(option.choice() for option in pareto(anywhere)),
        qualified=tuple(option.choice() for option in ranking.options),
        rejected=tuple(rejections(judged, ranking)),
        nearest_miss=miss,
        recommendation=recommendation(group, criteria, winner, miss),
        elsewhere=elsewhere(judged, ranking, first) if first else "",
        pareto_axes=axes(anywhere),
        left_out=tuple(group.left_out.values()),
    )


def _check_devices(criteria: Criteria, groups: Sequence[Group]) -> None:
    """Makes sure that a constraint names devices that there are."""
    known = frozenset[str]().union(*(names for group in groups for names in group.names.values()))
    labels = sorted({label for group in groups for label in group.labels.values()})
    for name in criteria.named_devices:
        if groups and name.strip().casefold() not in known:
            told = ", ".join(short(label, 60) for label in labels[:20])
            raise ConfigError(
                f"a constraint names the device {short(name, 60)!r}, which was not measured",
                hint=f"there are: {told}",
            )


def _notes(group: Group, evidence: Evidence) -> list[str]:
    """Devices that don't count, and runs of one device that can't be compared without care."""
    notes = [_left_out(group, serial) for serial in group.left_out]
    for serial, label in group.labels.items():
        jobs = [option.facts[serial].job for option in group.options if serial in option.facts]
        runs = sorted({job.run for job in jobs})
        found = evidence.differences(runs, serial) if len(runs) > 1 else ()
        if found:
            shown = ", ".join(short(one, 160) for one in found[:4])
            notes.append(f"{short(label, 48)}: the newest figures come from "
                         f"{plural(len(runs), 'run')} that differ in {shown}")  # fmt: skip
    return notes


def _left_out(group: Group, serial: str) -> str:
    """That a device does not count, and what became of most of its jobs."""
    jobs = [option.facts[serial].job for option in group.options if serial in option.facts]
    ((most, _),) = Counter(trouble(job) for job in jobs).most_common(1)
    return (f"{short(group.left_out[serial], 48)} does not count: nothing could be measured on it "
            f"({most}). Measure it again with: edgesr bench --resume RUN")  # fmt: skip

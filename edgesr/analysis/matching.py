"""Which job of one run is which of another: device by device, then candidate by candidate."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgesr.analysis.comparable import Conditions, Difference
from edgesr.analysis.summary import JobSummary
from edgesr.text import short

MOST_NAMED = 4
"""Values of a field that a message names."""


@dataclass(frozen=True)
class Timed:
    """A job, free running or at a pace."""

    job: JobSummary
    pace_fps: float | None = None


@dataclass(frozen=True)
class Pair:
    """The same job in two runs."""

    before: JobSummary
    after: JobSummary
    pace_fps: float | None
    differences: tuple[Difference, ...]
    """Between the conditions of both runs on this device."""

    @property
    def rebuilt(self) -> bool:
        """Whether the candidate has the same name, and is another file."""
        return self.before.candidate != self.after.candidate


@dataclass(frozen=True)
class Matching:
    """What two runs have in common."""

    pairs: tuple[tuple[Timed, Timed], ...]
    only_before: tuple[Timed, ...]
    only_after: tuple[Timed, ...]


def match_devices(
    first: Sequence[Conditions], second: Sequence[Conditions]
) -> dict[str, Conditions]:
    """Device of the first run -> the second run's, each at most once.

    The same serial first, then the same model and SoC. What is left is brought together only where
    it is one device on either side, or this machine: their numbers are then not comparable, and it
    can be said why.
    """
    found: dict[str, Conditions] = {}
    free = {one.name: one for one in second}
    for by_name in (True, False):
        for one in first:
            if one.name in found:
                continue
            for other in list(free.values()):
                if one.is_device(other) and (not by_name or one.name == other.name):
                    found[one.name] = free.pop(other.name)
                    break
    if any(one.name == "host" for one in first) and "host" not in found and "host" in free:
        found["host"] = free.pop("host")
    left = [one for one in first if one.name not in found]
    if len(left) == 1 and len(free) == 1:
        found[left[0].name] = next(iter(free.values()))
    return found


def match_jobs(
    first: Sequence[Timed], second: Sequence[Timed], devices: Mapping[str, Conditions]
) -> Matching:
    """The jobs of two runs by candidate, device, delegate, threads and pace.

    A candidate is the same file; else the same name, scale and input size, where both runs have
    just one such file: it was built again.

    Args:
        first: Jobs of the first run.
        second: Of the second.
        devices: As `match_devices` gives them.
    """
    names = {device: conditions.name for device, conditions in devices.items()}
    pairs: list[tuple[Timed, Timed]] = []
    left, free = list(first), list(second)
    for same in (_file, _name):
        here = _single(left, same, names)
        there = _single(free, same, None)
        found = [(here[key], there[key]) for key in here if key in there]
        pairs += found
        gone = {id(one) for pair in found for one in pair}
        left, free = ([one for one in rest if id(one) not in gone] for rest in (left, free))
    return Matching(tuple(pairs), tuple(left), tuple(free))


def disagreements(
    first: Sequence[Timed], second: Sequence[Timed], devices: Mapping[str, Conditions]
) -> tuple[Difference, ...]:
    """Why no job of one run is in the other: fields of which they share no value.

    Args:
        first: Jobs of the first run.
        second: Of the second.
        devices: As `match_devices` gives them.
    """
    found = []
    if not devices:
        labels = [{one.job.device_label for one in run} for run in (first, second)]
        found.append(Difference("device", *map(_named, labels)))
    for field, value in _TOLD.items():
        one, other = ({value(timed) for timed in run} for run in (first, second))
        if not one & other:
            found.append(Difference(field, _named(one), _named(other)))
    jobs = [{one.job.key for one in run} for run in (first, second)]
    return tuple(found) or (Difference("job", *map(_named, jobs)),)


_TOLD: dict[str, Callable[[Timed], str]] = {
    "candidate": lambda one: one.job.name,
    "delegate": lambda one: one.job.delegate,
    "threads": lambda one: f"{one.job.threads:g}",
    "pace": lambda one: "none" if one.pace_fps is None else f"{one.pace_fps:g} fps",
}


def _named(values: Iterable[str]) -> str:
    ordered = sorted(values)
    more = [f"{len(ordered) - MOST_NAMED} more"] if len(ordered) > MOST_NAMED else []
    return " and ".join([short(one, 60) for one in ordered[:MOST_NAMED]] + more) or "none"


Key = tuple[Hashable, ...]


def _file(job: JobSummary) -> Key:
    return (job.candidate,)


def _name(job: JobSummary) -> Key:
    return job.name, f"{job.scale:g}", job.input


def _single(
    jobs: Sequence[Timed], same: Callable[[JobSummary], Key], names: Mapping[str, str] | None
) -> dict[Key, Timed]:
    """The jobs by what they are; without those that are not told apart by it.

    Args:
        jobs: Jobs of one run.
        same: What makes two candidates the same.
        names: Device -> its name in the other run; None keeps names.
    """
    found: dict[Key, list[Timed]] = {}
    for one in jobs:
        job = one.job
        device = job.device if names is None else names.get(job.device)
        if device is not None:
            place = device, job.delegate, f"{job.threads:g}", one.pace_fps
            found.setdefault((*same(job), *place), []).append(one)
    return {key: ones[0] for key, ones in found.items() if len(ones) == 1}

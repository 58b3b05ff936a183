"""Jobs of any number of runs -> groups of what can be chosen among, with its values."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from edgesr.analysis.rows import NOT_MEASURED
from edgesr.analysis.summary import JobSummary
from edgesr.analysis.sustained import Series
from edgesr.select.evidence import Evidence
from edgesr.select.metric import Facts, Metric, Reading
from edgesr.select.metrics import METRICS
from edgesr.select.selection import Choice, Value
from edgesr.text import clean, short


class Key(NamedTuple):
    """What may be chosen."""

    candidate: str
    delegate: str
    threads: int


class Place(NamedTuple):
    """What is chosen for."""

    scale: int
    input: str
    device_class: str


class Worst(NamedTuple):
    """A metric over several devices. Unknown numbers are NaN."""

    value: float
    low: float
    high: float
    missing: str
    """Why no interval is told, and what to do about it; empty where it is."""
    at: str
    """Serial of the device that it is of; empty without any."""
    remark: str


@dataclass(frozen=True)
class Option:
    """A choice with all that is known of it, on each device of its group."""

    key: Key
    facts: Mapping[str, Facts]
    """By serial; devices that it was not planned for are absent."""
    labels: Mapping[str, str]
    """Serial -> label of every device of the group that counts."""
    _known: dict[tuple[str, tuple[str, ...]], Worst] = field(default_factory=dict, repr=False)

    @property
    def job(self) -> JobSummary:
        """Any of its jobs: what it is stands in each."""
        return next(iter(self.facts.values())).job

    @property
    def name(self) -> str:
        """Of the candidate, on one line."""
        return short(self.job.name, 60)

    @cached_property
    def places(self) -> Mapping[str, str]:
        """Serial -> `` on MODEL`` for sentences, by the whole label where two are of one model.

        Nothing where there is only one device.
        """
        if len(self.labels) < 2:
            return dict.fromkeys(self.labels, "")
        models = {serial: _model(serial, label) for serial, label in self.labels.items()}
        count = Counter(models.values())
        return {
            serial: f" on {short(model if count[model] == 1 else self.labels[serial], 48)}"
            for serial, model in models.items()
        }

    @property
    def everywhere(self) -> bool:
        """Whether it may be chosen at all: it ran, whole and right, on each device that counts."""
        return all(s in self.facts and self.facts[s].job.selectable for s in self.labels)

    def value(self, name: str) -> float:
        """Worst over all devices of the group; NaN where one of them tells none."""
        return self.worst(name).value

    def worst(self, name: str, devices: tuple[str, ...] = ()) -> Worst:
        """A metric over some devices of the group.

        Args:
            name: The metric.
            devices: Serials; empty means all.
        """
        found = self._known.get((name, devices))
        if found is None:
            found = self._known[name, devices] = self._worst(METRICS[name], devices)
        return found

    def told(self, name: str, devices: tuple[str, ...] = ()) -> Value:
        """As `worst`, for people."""
        metric, found = METRICS[name], self.worst(name, devices)
        device = short(self.labels[found.at], 48) if found.at and len(self.labels) > 1 else ""
        told, text = not found.missing, _text(metric, found)
        return Value(found.value, found.low, found.high, told=told, text=text, device=device)

    def supposing(self, values: Mapping[str, float]) -> "Option":
        """The same with other values on all devices, each taken as exact."""
        known: dict[tuple[str, tuple[str, ...]], Worst] = {
            (name, ()): Worst(x, x, x, "", "", "") for name, x in values.items()
        }
        return replace(self, _known={**self._known, **known})

    def choice(self) -> Choice:
        """As it is told."""
        job = self.job
        return Choice(
            candidate=self.key.candidate,
            name=job.name,
            variant=job.variant,
            delegate=self.key.delegate,
            threads=self.key.threads,
            devices=tuple(label for serial, label in self.labels.items() if serial in self.facts),
            values=_Values(self),
        )

    def _worst(self, metric: Metric, devices: Sequence[str]) -> Worst:
        serials = devices or tuple(self.labels)
        readings = [self._read(metric, serial) for serial in serials]
        at = max(range(len(readings)), key=lambda n: _badness(metric, readings[n]))
        missing = next((one.missing for one in readings if one.missing), "")
        if missing and len(serials) > 1:
            where = next(serials[n] for n, one in enumerate(readings) if one.missing)
            missing = f"{missing} ({self.places[where].strip()})"
        pick = min if metric.higher_is_better else max
        return Worst(
            _pick(pick, [one.value for one in readings]),
            _pick(pick, [one.low for one in readings]),
            _pick(pick, [one.high for one in readings]),
            missing,
            serials[at],
            readings[at].remark,
        )

    def _read(self, metric: Metric, serial: str) -> Reading:
        facts = self.facts.get(serial)
        if facts is None:
            return Reading(math.nan, math.nan, math.nan, "not measured")
        return metric.read(facts)


@dataclass(frozen=True)
class Group:
    """All options for one place."""

    place: Place
    labels: Mapping[str, str]
    """Serial -> label of the devices that count."""
    names: Mapping[str, frozenset[str]]
    """Serial -> what a constraint may call it, in lower case."""
    simulated: frozenset[str]
    """Serials of stand-in phones."""
    options: tuple[Option, ...]
    """Sorted by what they are."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Serial -> label of devices that don't count, because nothing at all was measured there."""

    def meant(self, names: Iterable[str]) -> tuple[str, ...]:
        """Serials of its devices that are meant by names."""
        wanted = {name.strip().casefold() for name in names}
        return tuple(serial for serial in self.labels if self.names[serial] & wanted)

    def without_silent(self, named: Iterable[str]) -> "Group":
        """Without the devices that answered nothing at all, such as one that was unplugged.

        A delegate that refused is an answer: then the device counts.

        Args:
            named: Devices that stay all the same, because a constraint names them.
        """
        heard = {serial for option in self.options for serial, facts in option.facts.items()
                 if facts.answered}  # fmt: skip
        kept = heard.union(self.meant(named)) if heard else set(self.labels)
        labels = {serial: label for serial, label in self.labels.items() if serial in kept}
        return replace(
            self,
            labels=labels,
            simulated=self.simulated & kept,
            options=tuple(replace(one, labels=labels, _known={}) for one in self.options),
            left_out={serial: x for serial, x in self.labels.items() if serial not in kept},
        )


def device_names(job: JobSummary) -> frozenset[str]:
    """What a constraint may call a device: serial, model or label, in lower case."""
    names = {job.device, job.device_label, model_of(job)}
    return frozenset(name.strip().casefold() for name in names if name)


def model_of(job: JobSummary) -> str:
    """The device's model from its label ``SERIAL (MODEL, simulated)``; the serial without one."""
    model = _model(job.device, job.device_label)
    return model.removesuffix("(simulated)").strip() or job.device


def _model(serial: str, label: str) -> str:
    """``MODEL`` or ``MODEL (simulated)`` of a label; the serial where it tells no model."""
    about = label.removeprefix(serial).strip().removeprefix("(").removesuffix(")")
    model = about.removesuffix("simulated").rstrip(", ")
    return (model or serial) + (" (simulated)" if model != about else "")


def group_options(
    jobs: Sequence[JobSummary],
    series: Sequence[Series],
    manifests: Mapping[str, Mapping[str, Any]],
    evidence: Evidence,
    *,
    by_device: bool,
) -> list[Group]:
    """Groups by scale, input size and device class, each job from its newest run.

    Args:
        jobs: Of any runs, in any order.
        series: Likewise.
        manifests: Candidate id -> manifest as a run's header holds it.
        evidence: The runs themselves, as far as they are at hand.
        by_device: Whether each device is a group of its own.
    """
    found: dict[Place, dict[Key, dict[str, Facts]]] = {}
    for known in _newest(jobs, series, manifests):
        facts = replace(known, evidence=evidence)
        job = facts.job
        options = found.setdefault(_place(job, by_device=by_device), {})
        options.setdefault(_key(job), {})[job.device] = facts
    return [_group(place, found[place]) for place in sorted(found)]


def _group(place: Place, options: Mapping[Key, Mapping[str, Facts]]) -> Group:
    jobs = {facts.job.device: facts.job for by_device in options.values()
            for facts in by_device.values()}  # fmt: skip
    serials = sorted(jobs)
    labels = {serial: clean(jobs[serial].device_label) for serial in serials}
    everything = (facts.job for by_device in options.values() for facts in by_device.values())
    return Group(
        place,
        labels,
        {serial: device_names(jobs[serial]) for serial in serials},
        frozenset(job.device for job in everything if job.simulated),
        tuple(Option(key, options[key], labels) for key in sorted(options)),
    )


def _newest(
    jobs: Sequence[JobSummary],
    series: Sequence[Series],
    manifests: Mapping[str, Mapping[str, Any]],
) -> list[Facts]:
    """One for each candidate, delegate, number of threads and device."""
    paced: dict[tuple[Any, ...], dict[float, Series]] = {}
    for one in sorted(series, key=lambda one: _oldest_first(one.job)):
        paced.setdefault(_identity(one.job), {})[one.fps] = one
    free = {_identity(job): job for job in sorted(jobs, key=_oldest_first)}
    found = [
        Facts(job, tuple(paced.get(name, {}).values()), manifests.get(job.candidate, {}))
        for name, job in free.items()
    ]
    for name, rates in paced.items():
        if name not in free:
            own, manifest = tuple(rates.values()), manifests.get(str(name[0]), {})
            found.append(Facts(own[-1].job, own, manifest, paced_only=True))
    return found


def _oldest_first(job: JobSummary) -> tuple[bool, str, str]:
    """By runs; before all of them what no run came to, which takes nobody's place."""
    return set(job.statuses) - _NEVER_RAN != set(), job.run, job.key


_NEVER_RAN = frozenset({NOT_MEASURED, "device_lost", "aborted"})


def _identity(job: JobSummary) -> tuple[Any, ...]:
    return (*_key(job), job.device)


def _key(job: JobSummary) -> Key:
    threads = int(job.threads) if math.isfinite(job.threads) else 0
    return Key(job.candidate, job.delegate, threads)


def _place(job: JobSummary, *, by_device: bool) -> Place:
    scale = int(job.scale) if math.isfinite(job.scale) else 0
    group = job.device_class
    if by_device:
        group = job.device_label
    elif group == "unlisted":  # phones that nobody knows have nothing in common
        group = f"unlisted: {model_of(job)}"
    return Place(scale, job.input, short(group, 80))


def _badness(metric: Metric, reading: Reading) -> float:
    """The larger, the worse; what is not known is the worst."""
    return math.inf if math.isnan(reading.value) else metric.sign * reading.value


def _pick(pick: Any, values: Sequence[float]) -> float:
    """The worst; NaN where one is not known."""
    return math.nan if not values or any(map(math.isnan, values)) else float(pick(values))


def _text(metric: Metric, worst: Worst) -> str:
    if math.isnan(worst.value):
        return "not measured"
    words = metric.words(worst.value)
    if math.isfinite(worst.low) and worst.low != worst.high:
        words += f" ({metric.number(worst.low)}–{metric.number(worst.high)})"
    return f"{words} ({worst.remark})" if worst.remark else words


class _Values(Mapping[str, Value]):
    """Every metric of an option, worded only when it is asked for: a fleet has thousands."""

    def __init__(self, option: Option) -> None:
        self._option = option

    def __getitem__(self, name: str) -> Value:
        if name not in METRICS:
            raise KeyError(name)
        return self._option.told(name)

    def __iter__(self) -> Iterator[str]:
        return iter(METRICS)

    def __len__(self) -> int:
        return len(METRICS)

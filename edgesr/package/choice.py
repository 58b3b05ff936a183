"""Which delegate and threads a packaged candidate is run with, and whether that was chosen."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgesr.analysis.summary import JobSummary
from edgesr.errors import InputError, UsageError
from edgesr.package.text import nameless
from edgesr.results.manifest import Manifest
from edgesr.select.store import StoredSelection, StoredWinner
from edgesr.text import plural, short

_SELECT = "select first with: edgesr select; or package it all the same with --force"
_CLASSES = ("budget", "mid", "flagship")
_GPU = re.compile(r"gpu(?:-(?P<backend>cl|gl))?(?P<fp32>-fp32)?")
_NNAPI = re.compile(r"nnapi(?::(?P<accelerator>[A-Za-z0-9_.-]+))?")
_DEFAULT = ("xnnpack", 2)
"""What runs everywhere; for a candidate that nobody measured."""


@dataclass(frozen=True)
class Delegate:
    """A delegate in parts, as Android's interface asks for it."""

    base: str
    """``cpu``, ``xnnpack``, ``gpu`` or ``nnapi``."""
    backend: str = ""
    """``cl`` or ``gl``; empty leaves it to the GPU delegate."""
    fp32: bool = False
    """Whether the GPU may not compute in half precision."""
    accelerator: str = ""
    """One of NNAPI's by name."""


@dataclass(frozen=True)
class Asked:
    """What the user wants of the choice; None leaves it to the selection."""

    delegate: str | None = None
    threads: int | None = None
    device_class: str | None = None
    force: bool = False
    """Package it although it was not selected."""


@dataclass(frozen=True)
class RunWith:
    """A delegate with threads, and whom it was chosen for."""

    delegate: str
    threads: int
    device_class: str = ""
    """Empty where nothing was selected."""
    devices: tuple[str, ...] = ()
    """What the choice rests on: models, without serial numbers; simulated ones say so."""
    recommendation: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For the contract."""
        return {
            "device_class": self.device_class or None,
            "delegate": self.delegate,
            "threads": self.threads,
            "devices": list(self.devices),
            "recommendation": self.recommendation or None,
        }


@dataclass(frozen=True)
class Decision:
    """How a candidate is run in the app."""

    default: RunWith
    """What the Kotlin file begins with."""
    choices: tuple[RunWith, ...]
    """Every class of devices that the candidate won; the default alone where it won none."""
    selection: StoredSelection | None
    """What it rests on; None where the candidate was not selected."""

    @property
    def selected(self) -> bool:
        """Whether written criteria chose the candidate so."""
        return self.selection is not None


def split_delegate(name: str) -> Delegate:
    """A delegate's name in parts.

    Raises:
        InputError: When an app can't be told to use it.
    """
    gpu, nnapi = _GPU.fullmatch(name), _NNAPI.fullmatch(name)
    if gpu:
        return Delegate("gpu", backend=gpu["backend"] or "", fp32=bool(gpu["fp32"]))
    if nnapi:
        return Delegate("nnapi", accelerator=nnapi["accelerator"] or "")
    if name in ("cpu", "xnnpack"):
        return Delegate(name)
    raise InputError(
        f"no app can be written for the delegate {short(name, 40)!r}",
        hint="there are: cpu, xnnpack, gpu, gpu-cl, gpu-gl, each gpu with -fp32, nnapi, nnapi:NAME",
    )


def decide(
    selection: StoredSelection | None,
    manifest: Manifest,
    asked: Asked,
    jobs: Sequence[JobSummary],
) -> Decision:
    """Takes the choice from the workspace's selection, or makes one where that is forced.

    Args:
        selection: The workspace's latest, if any.
        manifest: Of the candidate.
        asked: What has to hold.
        jobs: What was measured of the candidate.

    Raises:
        UsageError: When it was not selected so, and nothing forces it.
        InputError: When the delegate is none that an app can ask for.
    """
    won = selection.of(manifest.id) if selection else ()
    fits = [one for one in won if _fits(one, asked)]
    if selection and fits:
        choices = tuple(_run_with(one) for one in sorted(fits, key=_rank))
        _check(choices)
        return Decision(choices[0], choices, selection)
    if not asked.force:
        raise UsageError(_refusal(selection, manifest, won, asked), hint=_SELECT)
    forced = _forced(asked, jobs)
    _check([forced])
    return Decision(forced, (forced,), None)


def _check(choices: Sequence[RunWith]) -> None:
    for one in choices:
        split_delegate(one.delegate)


def _fits(one: StoredWinner, asked: Asked) -> bool:
    wanted = (asked.delegate, asked.threads, asked.device_class)
    given = (one.delegate, one.threads, one.device_class)
    return all(want in (None, have) for want, have in zip(wanted, given, strict=True))


def _rank(one: StoredWinner) -> tuple[int, str]:
    """Phones before this machine, the slowest class first: what runs there runs anywhere."""
    name = one.device_class
    if name in _CLASSES:
        return _CLASSES.index(name), name
    return len(_CLASSES) + (name == "host"), name


def _run_with(one: StoredWinner) -> RunWith:
    return RunWith(
        delegate=one.delegate,
        threads=one.threads,
        device_class=nameless(one.device_class, one.devices),
        devices=tuple(map(nameless, one.devices)),
        recommendation=nameless(one.recommendation, one.devices),
    )


def _refusal(
    selection: StoredSelection | None,
    manifest: Manifest,
    won: Sequence[StoredWinner],
    asked: Asked,
) -> str:
    name = short(manifest.name, 80)
    if selection is None:
        return f"{name} was not selected: this workspace has no selection yet"
    if won:
        wanted = [f"on {asked.delegate}"] if asked.delegate else []
        wanted += [f"with {plural(asked.threads, 'thread')}"] if asked.threads else []
        wanted += [f"for {asked.device_class}"] if asked.device_class else []
        return f"{name} was selected {_told(won)}, not {' '.join(wanted)}"
    same = [one for one in selection.winners if one.name == manifest.name]
    if same:
        return (
            f"the selection is about another file called {name}: {same[0].candidate[:12]},"
            f" not {manifest.short_id}"
        )
    winners = "; ".join(dict.fromkeys(short(one.name, 60) for one in selection.winners))
    return f"{name} was not selected; the winners are: {winners or 'none'}"


def _told(won: Sequence[StoredWinner]) -> str:
    parts = (
        f"on {short(one.delegate, 30)} with {plural(one.threads, 'thread')}"
        f" for {short(one.device_class, 40)}"
        for one in sorted(won, key=_rank)
    )
    return ", ".join(parts)


def _forced(asked: Asked, jobs: Sequence[JobSummary]) -> RunWith:
    """What was asked for, filled up from the fastest job that may be chosen at all."""
    fits = [
        job
        for job in jobs
        if job.selectable
        and job.threads >= 1
        and asked.delegate in (None, job.delegate)
        and asked.threads in (None, int(job.threads))
        and asked.device_class in (None, job.device_class)
    ]
    if fits:
        best = min(fits, key=lambda job: job.median_ms)
        return RunWith(best.delegate, int(best.threads))
    delegate, threads = _DEFAULT
    return RunWith(asked.delegate or delegate, asked.threads or threads)

"""Which devices, candidates and delegates have a page of their own, and where."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgesr.analysis.devices import devices_of, mapping
from edgesr.analysis.rows import RunData
from edgesr.analysis.summary import JobSummary
from edgesr.report.views import anchors

MOST_DEVICES, MOST_CANDIDATES, MOST_DELEGATES = 60, 300, 30


@dataclass(frozen=True)
class Links:
    """Name -> anchor of its page; what is not in it has none."""

    devices: dict[str, str]
    """By serial."""
    candidates: dict[str, str]
    """By sha256."""
    delegates: dict[str, str]
    """By the name that was asked for."""


def links_of(runs: Sequence[RunData], jobs: Sequence[JobSummary]) -> Links:
    """The pages of a report.

    Args:
        runs: Its runs.
        jobs: Their jobs, also paced ones.
    """
    devices = [name for run in runs for name in devices_of(run.header)]
    devices += [job.device for job in jobs]
    told = [str(key) for run in runs for key in mapping(run.header.get("candidates"))]
    candidates = list(dict.fromkeys([*(job.candidate for job in jobs), *told]))
    short_ids = anchors("candidate", (_short_id(name) for name in candidates))
    return Links(
        devices=_first(anchors("device", devices), MOST_DEVICES),
        candidates=_first({c: short_ids[_short_id(c)] for c in candidates}, MOST_CANDIDATES),
        delegates=_first(anchors("delegate", sorted({j.delegate for j in jobs})), MOST_DELEGATES),
    )


def _short_id(candidate: str) -> str:
    """As in the workspace's folders; the whole name where it is no sha256."""
    return candidate[:12] if len(candidate) == 64 and candidate.isalnum() else candidate


def _first(found: dict[str, str], most: int) -> dict[str, str]:
    return dict(list(found.items())[:most])

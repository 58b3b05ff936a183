"""Whether a run may pass: compared with another, and worse by no more than is allowed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgesr.analysis.changes import Change, Comparison, StateChange
from edgesr.analysis.comparable import FIELDS, Difference
from edgesr.analysis.matching import Pair
from edgesr.analysis.metrics_compared import GROUPS
from edgesr.errors import InputError, RegressionError
from edgesr.report.change_words import (
    candidate_words,
    change_words,
    comparison_tree,
    difference_words,
    place_words,
)
from edgesr.text import plural, short

MOST_NAMED = 8
"""Differences that a message names."""
FEW = "rounds are too few or scatter too much, measure with more"


@dataclass(frozen=True)
class Gate:
    """How much worse a figure may get."""

    limit: float | None = None
    """As a share: 0.05 allows 5 %. None lets everything pass that can be compared."""
    groups: tuple[str, ...] = GROUPS
    """The figures that were asked for."""

    def stops(self, change: Change) -> bool:
        """Whether a figure got worse by more than is allowed, and by more than chance."""
        return self.limit is not None and change.exceeds(self.limit)

    def stops_at(self, state: StateChange) -> bool:
        """Whether less became of a job than before."""
        return self.limit is not None and state.worse

    def failures(self, comparison: Comparison) -> int:
        """How many figures and jobs stop the run."""
        return sum(map(self.stops, comparison.changes)) + sum(map(self.stops_at, comparison.states))

    def remarks(self, comparison: Comparison) -> list[str]:
        """What a limit leaves open."""
        if self.limit is None:
            return []
        limit = self.limit
        undecided = sum(change.may_exceed(limit) for change in comparison.changes)
        if not undecided:
            return []
        worse = f"may be worse by more than {100 * limit:g} %"
        return [f"{plural(undecided, 'figure')} {worse}, and no one can tell: {FEW}."]

    def tree(self, comparison: Comparison) -> dict[str, Any]:
        """The comparison and what the gate says of it, JSON-ready but for NaN."""
        tree = comparison_tree(comparison)
        for row, change in zip(tree["changes"], comparison.changes, strict=True):
            row["fails"] = self.stops(change)
        for row, state in zip(tree["states"], comparison.states, strict=True):
            row["fails"] = self.stops_at(state)
        tree["notes"] += self.remarks(comparison)
        limit = None if self.limit is None else 100 * self.limit
        return {**tree, "fail_on_pct": limit, "failures": self.failures(comparison)}

    def check(self, comparison: Comparison) -> None:
        """Lets a run pass, or says why not.

        Raises:
            RegressionError: When a figure got worse by more than is allowed, or a job was lost.
            InputError: When nothing could be compared; with a limit also when a kind of figure
                that was asked for could not: a gate must not let pass what it did not see.
        """
        if self.failures(comparison):
            raise self._regression(comparison)
        differing = self._unseen(comparison)
        if differing is None:
            return
        named = "; ".join(difference_words(one) for one in differing[:MOST_NAMED])
        if len(differing) > MOST_NAMED:
            named += f"; and {len(differing) - MOST_NAMED} more"
        runs = f"{comparison.before.run.name} and {comparison.after.run.name}"
        raise InputError(
            f"{short(runs, 120)} can't be compared: "
            + (named or "no job has the figures that were asked for in both"),
            hint=_next_step(differing),
        )

    def _unseen(self, comparison: Comparison) -> tuple[Difference, ...] | None:
        """What keeps figures that were asked for from being compared; None when all is well."""
        if comparison.disagreements:
            return comparison.disagreements
        seen = {change.metric.need for change in comparison.compared}
        blocked: dict[Difference, None] = {}
        for change in comparison.changes:
            if change.metric.need not in seen:
                lost = Difference(change.metric.group, "measured", "not measured")
                lacking = (lost,) if change.missing == "after" and self.limit is not None else ()
                blocked |= dict.fromkeys(change.differences or lacking)
        nothing = not seen or (seen == {"file"} and self.groups != ("size",))
        if blocked and (self.limit is not None or nothing):
            return tuple(blocked)
        return () if nothing and not comparison.states else None

    def _regression(self, comparison: Comparison) -> RegressionError:
        lost = [state for state in comparison.states if self.stops_at(state)]
        worse = [change for change in comparison.changes if self.stops(change)]
        parts = []
        if worse:
            first = worse[0]
            where = "" if first.metric.need == "file" else f" on {_place(first.pair)}"
            parts.append(
                f"{plural(len(worse), 'figure')} got worse by more than "
                f"{100 * (self.limit or 0):g} %, most {first.metric.title} of "
                f"{candidate_words(first.pair)}{where}: {change_words(first)}"
            )
        if lost:
            where = f"{candidate_words(lost[0].pair)} on {_place(lost[0].pair)}"
            parts.append(f"{plural(len(lost), 'job')} came to less than before, such as {where}")
        return RegressionError(
            f"{short(comparison.after.run.name, 60)}: {'; '.join(parts)}",
            hint=_doubt(worse) or "a change that is meant needs a new baseline",
        )


def _place(pair: Pair) -> str:
    return f"{short(pair.after.device_label, 48)}, {place_words(pair)}"


def _doubt(worse: Sequence[Change]) -> str:
    """Why to measure again before the figures are believed; nothing without a reason."""
    jobs = [job for change in worse for job in (change.pair.before, change.pair.after)]
    doubtful = [job for job in jobs if job.trust == "C"]
    if not doubtful:
        return ""
    reasons = dict.fromkeys(code for job in doubtful for code in job.trust_reasons[:2])
    named = ", ".join(short(code, 40) for code in list(reasons)[:MOST_NAMED])
    return f"measure again on a quiet device first: jobs among them are of trust C ({named})"


def _next_step(differing: Sequence[Difference]) -> str:
    fields = dict.fromkeys(one.field.partition(".")[0] for one in differing)
    if not fields.keys() - set(FIELDS) and fields:
        return f"compare all the same with: --ignore {','.join(fields)}"
    if fields.keys() & set(GROUPS):
        return "measure it, or ask only for what both runs have: --metric latency,memory,size"
    return "compare runs of the same jobs and figures"

"""Changes between two runs in words and flat rows: for terminal, page, Markdown and files."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from edgesr.analysis.changes import VERDICTS, Change, Comparison, StateChange, Verdict
from edgesr.analysis.comparable import Difference
from edgesr.analysis.matching import Pair, Timed
from edgesr.analysis.metrics_compared import Metric
from edgesr.analysis.run_side import State
from edgesr.report.wording import delegate_words
from edgesr.text import NONE, clean, figures, fixed, join_known, plural, short

VERDICT_WORDS: dict[Verdict, str] = {
    "worse": "worse", "better": "better", "same": "the same", "unclear": "unclear",
    "not_comparable": "not comparable",
}  # fmt: skip
METHOD_WORDS = {
    "rounds": "over rounds", "pictures": "picture by picture", "intervals": "from both intervals",
    "point": "no interval", "exact": "exact",
}  # fmt: skip
STATE_WORDS: dict[State, str] = {
    "holds": "holds its frame rate", "slows": "does not hold its frame rate", "ok": "ok",
    "flaky": "some rounds came to nothing",
    "partial": "only partly on its delegate", "unproven": "where it ran is unproven",
    "wrong_pixels": "wrong pixels", "fallback": "fell back to the CPU",
    "failed": "no usable time",
}  # fmt: skip
ABOUT = (
    "Change: of the cost, above zero is worse; quality counts by its error (PSNR by the root mean "
    "square error behind it, SSIM by what it lacks to 1). In brackets its 95 % interval. Before "
    "and after are medians over rounds, a time's change is of trimmed means: where rounds are "
    "unsteady the two differ. Worse and "
    "better: the interval holds no change; same: it reaches no farther than 5 %; unclear: more "
    "rounds would tell. Trust: the lower one of both runs."
)
RUN_TO_RUN = (
    "Intervals are over rounds within a run: heat, other programs and another boot differ from run "
    "to run and are not in them. Of figures that did not change, about 1 in 40 looks worse by "
    "chance."
)
MOST_NAMED = 5


def headline(comparison: Comparison) -> str:
    """What changed, in one or two sentences."""
    counts = Counter(change.verdict for change in comparison.changes)
    compared = sum(counts.values()) - counts["not_comparable"]
    told = [f"{counts[one]} {VERDICT_WORDS[one]}" for one in VERDICTS[:-1] if counts[one]]
    sentences = [f"{plural(compared, 'figure')} compared: {', '.join(told)}." if compared
                 else "Nothing could be compared."]  # fmt: skip
    lost = sum(state.worse for state in comparison.states)
    gained = len(comparison.states) - lost
    sentences += [f"{plural(lost, 'job')} came to less than before."] if lost else []
    sentences += [f"{plural(gained, 'job')} came to more than before."] if gained else []
    if counts["not_comparable"]:
        sentences.append(f"{plural(counts['not_comparable'], 'figure')} not comparable.")
    return " ".join(sentences)


def notes(comparison: Comparison) -> list[str]:
    """What to know beside the changes: what differs, what is in one run only."""
    found = []
    devices: dict[str, list[str]] = {}
    for device, differing in comparison.obstacles.items():
        named = "; ".join(difference_words(one) for one in differing)
        devices.setdefault(named, []).append(short(device, 60))
    for named, labels in devices.items():
        rest = [f"{len(labels) - MOST_NAMED} more"] if len(labels) > MOST_NAMED else []
        where = " and ".join([*labels[:MOST_NAMED], *rest])
        found.append(f"Not compared on {where}, because these differ: {named}.")
    if comparison.ignored:
        named = "; ".join(difference_words(one) for one in comparison.ignored)
        found.append(f"Compared all the same, although these differ: {named}.")
    if comparison.disagreements:
        named = "; ".join(difference_words(one) for one in comparison.disagreements)
        found.append(f"No job is in both runs: {named}.")
    found += _missing(comparison)
    for side, jobs in (("first", comparison.only_before), ("second", comparison.only_after)):
        if jobs:
            found.append(f"Only in the {side} run: {_listed(jobs)}.")
    simulated = sum(pair.before.simulated or pair.after.simulated for pair in comparison.pairs)
    if simulated:
        found.append(
            f"{plural(simulated, 'job')} on simulated phones: times are of the machine behind it, "
            "which no run tells."
        )
    points = sum(one.method == "point" for one in comparison.compared)
    if points:
        found.append(
            f"{plural(points, 'change')} without an interval, so nothing is sure of them: fewer "
            "than 3 rounds, or pictures without intervals."
        )
    if torn := comparison.before.run.torn_lines + comparison.after.run.torn_lines:
        found.append(f"{plural(torn, 'damaged record')} left out.")
    return found


def _missing(comparison: Comparison) -> list[str]:
    counts = Counter((one.missing, one.metric.title) for one in comparison.changes if one.missing)
    named = {"before": "first", "after": "second"}
    return [
        f"{title} is not told by the {named[side]} run for {plural(count, 'job')}."
        for (side, title), count in counts.items()
    ]


def _listed(jobs: Sequence[Timed]) -> str:
    named = [timed_words(one) for one in jobs[:MOST_NAMED]]
    rest = len(jobs) - len(named)
    return "; ".join(named + ([f"and {rest} more"] if rest else []))


def difference_words(difference: Difference) -> str:
    """``os_build: Android 14 / Android 15``."""
    return clean(f"{difference.field}: {difference.first} / {difference.second}")


def timed_words(timed: Timed) -> str:
    """A job of one run."""
    job = timed.job
    place = _place(job.placed, job.threads, timed.pace_fps)
    return f"{short(job.name, 60)} on {short(job.device_label, 40)}, {place}"


def place_words(pair: Pair) -> str:
    """Delegate, threads and pace; never a delegate that fell back."""
    placed = pair.before.placed if pair.after.placed == pair.after.delegate else pair.after.placed
    return _place(placed, pair.after.threads, pair.pace_fps)


def _place(placed: str, threads: float, pace_fps: float | None) -> str:
    counted = plural(int(threads), "thread") if math.isfinite(threads) else ""
    paced = f"at {figures(pace_fps)} fps" if pace_fps is not None else ""
    return ", ".join(part for part in (delegate_words(short(placed, 60)), counted, paced) if part)


def candidate_words(pair: Pair) -> str:
    """The candidate's name."""
    return short(pair.after.name, 60) + (" (rebuilt)" if pair.rebuilt else "")


def value_words(metric: Metric, value: float) -> str:
    """A figure with its unit."""
    text = figures(value) if metric.decimals is None else fixed(value, metric.decimals)
    return text if text == NONE or not metric.unit else f"{text} {metric.unit}"


def change_words(change: Change) -> str:
    """``+3.1 % (+2.0 to +4.2)``; of quality ``error +5.0 % (...)``."""
    if change.verdict == "not_comparable":
        return NONE
    what = "error " if change.metric.need in {"pixels", "text"} else ""
    ends = ""
    if change.cost.told and change.method != "exact":
        ends = f" ({_percent(change.cost.low)} to {_percent(change.cost.high)})"
    return f"{what}{_percent(change.cost.value)} %{ends}"


def _percent(factor: float) -> str:
    digits = 1 if abs(factor - 1) < 1 else 0
    return fixed(round(100 * (factor - 1), digits) + 0.0, digits, sign=True)  # never minus nought


def basis_words(change: Change) -> str:
    """What a change rests on, or why there is none."""
    if change.differences:
        return "differs: " + ", ".join(one.field for one in change.differences)
    if change.missing:
        return f"not in the {'first' if change.missing == 'before' else 'second'} run"
    return METHOD_WORDS.get(change.method or "", "")


COLUMNS = ("Verdict", "Candidate", "Device", "Where", "Figure", "Before", "After", "Change",
           "Told by", "Trust")  # fmt: skip
"""What `cells` gives."""


def cells(change: Change, columns: Sequence[str] = COLUMNS) -> tuple[str, ...]:
    """One change as a row of a table, by the names of its columns."""
    of_file, pair = change.metric.need == "file", change.pair
    known = {
        "Verdict": VERDICT_WORDS[change.verdict],
        "Candidate": candidate_words(pair),
        "Device": "" if of_file else short(pair.after.device_label, 48),
        "Where": "" if of_file else place_words(pair),
        "Figure": change.metric.title,
        "Before": value_words(change.metric, change.before),
        "After": value_words(change.metric, change.after),
        "Change": change_words(change),
        "Told by": basis_words(change),
        "Trust": "" if of_file else max(pair.before.trust, pair.after.trust),
    }
    return tuple(known[column] for column in columns)


STATE_COLUMNS = ("Verdict", "Candidate", "Device", "Where", "Before", "After")


def state_cells(state: StateChange) -> tuple[str, ...]:
    """One job of which another thing became, as a row of a table."""
    pair = state.pair
    reason = "" if not (state.worse and pair.after.reasons) else pair.after.reasons[0]
    return (
        "worse" if state.worse else "better",
        candidate_words(pair),
        short(pair.after.device_label, 48),
        _place(pair.after.delegate, pair.after.threads, pair.pace_fps),
        STATE_WORDS[state.before],
        join_known(STATE_WORDS[state.after], short(reason, 120)),
    )


def change_row(change: Change) -> dict[str, Any]:
    """One change as plain values, for JSON and CSV; NaN where there is no number."""
    cost = change.cost
    of_file = change.metric.need == "file"
    return {
        **_job_row(change.pair, of_file=of_file),
        "metric": change.metric.name,
        "unit": change.metric.unit,
        "before": change.before,
        "after": change.after,
        "change_pct": 100 * (cost.value - 1),
        "low_pct": 100 * (cost.low - 1),
        "high_pct": 100 * (cost.high - 1),
        "verdict": change.verdict,
        "method": change.method,
        "why": clean("; ".join(map(str, change.differences)))
        or (f"not measured {change.missing}" if change.missing else ""),
    }


def state_row(state: StateChange) -> dict[str, Any]:
    """One change of what became of a job, likewise."""
    return {
        **_job_row(state.pair),
        "before": state.before,
        "after": state.after,
        "worse": state.worse,
        "reasons": list(state.pair.after.reasons),
    }


def _job_row(pair: Pair, *, of_file: bool = False) -> dict[str, Any]:
    job = pair.after
    row: dict[str, Any] = {
        "candidate": job.candidate, "name": job.name, "rebuilt": pair.rebuilt,
        "before_candidate": pair.before.candidate,
    }  # fmt: skip
    if of_file:
        return {**row, **dict.fromkeys(("device", "device_label", "simulated", "delegate",
                                        "placed", "threads", "pace_fps", "trust_before",
                                        "trust_after"))}  # fmt: skip
    return {
        **row, "device": job.device, "device_label": job.device_label,
        "simulated": job.simulated or pair.before.simulated, "delegate": job.delegate,
        "placed": job.placed, "threads": job.threads, "pace_fps": pair.pace_fps,
        "trust_before": pair.before.trust, "trust_after": job.trust,
    }  # fmt: skip


def comparison_tree(comparison: Comparison) -> dict[str, Any]:
    """All of it, JSON-ready but for NaN."""
    counts = Counter(change.verdict for change in comparison.changes)
    return {
        "before": comparison.before.run.name,
        "after": comparison.after.run.name,
        "headline": headline(comparison),
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
        "changes": [change_row(change) for change in comparison.changes],
        "states": [state_row(state) for state in comparison.states],
        "only_before": [timed_words(one) for one in comparison.only_before],
        "only_after": [timed_words(one) for one in comparison.only_after],
        "ignored": [vars(one) for one in comparison.ignored],
        "differences": [
            {"device": device, **vars(one)}
            for device, differing in comparison.obstacles.items()
            for one in differing
        ] + [{"device": None, **vars(one)} for one in comparison.disagreements],
        "notes": notes(comparison),
    }  # fmt: skip

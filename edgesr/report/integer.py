"""Integer files against the fp32 file of the same weights: where they are slower, where faster."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

from edgesr.analysis.devices import mapping, number
from edgesr.analysis.rows import RunData
from edgesr.analysis.summary import JobSummary
from edgesr.report.markup import Markup, element
from edgesr.report.table import markdown_cell
from edgesr.report.views import View, scroll_box
from edgesr.report.wording import delegate_words, node_words, verdict_words
from edgesr.results.manifest import VARIANTS
from edgesr.text import count, figures, plural, short

if TYPE_CHECKING:
    import pandas as pd

Side = Literal["slower", "same", "faster"]

FLOAT = ("fp32", "fp16", "dynamic")
"""Variants that compute in floating point, whatever their weights are stored in."""
INTEGER = tuple(variant for variant in VARIANTS if variant not in FLOAT)
SAME = 0.05
"""Ratios closer to 1 are called equal, as are latencies in `sweep`."""
AGREEING = 0.75
"""Part of the rounds that must lie on the median's side of 1 before it is called a difference."""
MOST_SENTENCES, FIRST_SENTENCES = 12, 3
"""Told on the page of the integers, and on the first."""
MOST_ROWS = 400

ANCHOR, TITLE = "integers", "Integers against fp32"
_ABOUT = (
    "Files with integers inside against the fp32 file of the same weights and input size, on the "
    "same delegate and threads of the same run. Ratio: median over rounds of integer time / fp32 "
    "time, both of the same round; below 1 integers are faster. Jobs that fell back or whose place "
    "is unproven are not compared."
)


@dataclass(frozen=True)
class Comparison:
    """One integer job beside its fp32 job."""

    integer: JobSummary
    fp32: JobSummary
    ratios: tuple[float, ...]
    """Integer latency / fp32 latency of every round that both have; at least one."""

    @property
    def ratio(self) -> float:
        """Median over the rounds."""
        return median(self.ratios)

    @property
    def side(self) -> Side:
        """What the rounds say together; ``same`` also where they disagree."""
        slower = self.ratio > 1
        far = max(self.ratio, 1 / self.ratio) > 1 + SAME
        agreeing = sum((each > 1) == slower for each in self.ratios)
        if not far or agreeing < AGREEING * len(self.ratios):
            return "same"
        return "slower" if slower else "faster"


def compare(
    runs: Sequence[RunData], rows: "pd.DataFrame", jobs: Sequence[JobSummary]
) -> list[Comparison]:
    """Every integer job that has an fp32 job to be compared with, the slowest ratio first.

    Both have weights of one checkpoint, one scale and input size, device, delegate, threads and
    run. fp32 must have run with the whole graph where it was asked to, the integer file at least
    with a part of it. Of several such fp32 files the fastest counts.

    Args:
        runs: The runs of the jobs.
        rows: What `rows.tidy_rows` gives for them.
        jobs: What `summary.summarise` gives for those.
    """
    sources = {run.name: _sources(run) for run in runs}
    times = _times(rows)
    bases: dict[tuple[object, ...], JobSummary] = {}
    for job in sorted(jobs, key=lambda job: -job.median_ms):
        if job.variant == "fp32" and job.measured and job.outcome == "full":
            bases[_place(job, sources)] = job
    found = []
    for job in jobs:
        fp32 = bases.get(_place(job, sources))
        credited = job.measured and job.outcome in ("full", "partial")
        if fp32 is None or job.variant not in INTEGER or not credited:
            continue
        own, base = times[job.run, job.key], times[fp32.run, fp32.key]
        ratios = tuple(own[place] / base[place] for place in own if place in base)
        if ratios:
            found.append(Comparison(job, fp32, ratios))
    return sorted(found, key=lambda pair: -pair.ratio)


def _place(job: JobSummary, sources: Mapping[str, Mapping[str, str]]) -> tuple[object, ...]:
    """What two jobs must share; a job whose checkpoint is not known shares it with none."""
    source = sources.get(job.run, {}).get(job.candidate) or object()
    return job.run, job.device, job.delegate, job.threads, source, job.scale, job.input


def _sources(run: RunData) -> dict[str, str]:
    """Candidate -> sha256 of its checkpoint."""
    candidates = mapping(run.header.get("candidates")).items()
    found = ((str(key), mapping(mapping(value).get("source"))) for key, value in candidates)
    return {key: str(source["sha256"]) for key, source in found if source.get("sha256")}


def _times(rows: "pd.DataFrame") -> dict[tuple[str, str], dict[float, float]]:
    """(run, job) -> round -> ms; of a round that was measured twice, the later."""
    found: dict[tuple[str, str], dict[float, float]] = {}
    columns = zip(rows["run"], rows["key"], rows["round"], rows["latency_ms"], strict=True)
    for run, key, told, latency_ms in columns:
        mine, place = found.setdefault((str(run), str(key)), {}), number(told)
        if not (math.isnan(latency_ms) or math.isnan(place)):
            mine[place] = float(latency_ms)
    return found


def sentences(found: Iterable[Comparison], most: int = MOST_SENTENCES) -> list[str]:
    """One sentence per fp32 job and side: first where integers are slower, the worst first.

    At most so many, and one that says how many comparisons are left to the table.
    """
    pairs = list(found)
    groups: dict[tuple[str, str, Side], list[Comparison]] = {}
    for pair in pairs:
        groups.setdefault((pair.fp32.run, pair.fp32.key, pair.side), []).append(pair)
    order = {"slower": 0, "faster": 1, "same": 2}
    for group in groups.values():
        group.sort(key=_distance, reverse=True)
    ranked = sorted(groups.values(), key=lambda group: (order[group[0].side], -_distance(group[0])))
    told, left = ranked[:most], ranked[most:]
    lines = [_sentence(group, pairs) for group in told]
    rest = sum(map(len, left))
    return [*lines, f"And {plural(rest, 'other comparison')}: see the table."] if rest else lines


def _distance(pair: Comparison) -> float:
    """How far from equal: half as long is as far as twice as long."""
    return abs(math.log(pair.ratio))


def _sentence(group: Sequence[Comparison], pairs: Sequence[Comparison]) -> str:
    """About integer files that stand on the same side of one fp32 job."""
    fp32, side = group[0].fp32, group[0].side
    kin = [pair for pair in pairs if pair.fp32 is fp32]
    threads = f" and {plural(int(fp32.threads), 'thread')}" if math.isfinite(fp32.threads) else ""
    where = f"On {short(fp32.device_label, 48)} with {delegate_words(fp32.delegate)}{threads}"
    if len({pair.fp32.run for pair in pairs}) > 1:
        where += f" (run {short(fp32.run, 26)})"
    first, *others = ((_label(pair, kin), _times_words(pair)) for pair in group)
    takes = _listed(
        [f"{first[0]} takes {first[1]}", *(f"{name} {words}" for name, words in others)]
    )
    beside = f"as long as {short(fp32.name, 60)}"
    advice = f": use {_instead(kin)} there" if side == "slower" else ""
    equal = ", which is no clear difference" if side == "same" else ""
    doubt = max(job.trust for pair in group for job in (pair.integer, fp32)) == "C"
    return f"{where}, {takes} {beside}{equal}{advice}{' (trust C)' if doubt else ''}."


def _listed(parts: Sequence[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def _label(pair: Comparison, kin: Sequence[Comparison]) -> str:
    """The variant, or the whole name where several files of that variant are compared."""
    variant = pair.integer.variant
    alone = sum(one.integer.variant == variant for one in kin) == 1
    return variant if alone else short(pair.integer.name, 60)


def _times_words(pair: Comparison) -> str:
    job, remarks = pair.integer, [_spread(pair)]
    if job.outcome == "partial":
        remarks.append(f"only partly on {delegate_words(job.delegate)}")
        remarks += [node_words(job)] if node_words(job) else []
    if not job.pixels_ok:
        remarks.append("with wrong pixels")
    return f"{figures(pair.ratio)} times ({', '.join(remarks)})"


def _spread(pair: Comparison) -> str:
    if len(pair.ratios) == 1:
        return "one round"
    low, high = figures(min(pair.ratios)), figures(max(pair.ratios))
    return f"{low} to {high} over {len(pair.ratios)} rounds"


def _instead(kin: Sequence[Comparison]) -> str:
    """The fastest integer file that beats the same fp32 job, else the float ones."""
    faster = [one for one in kin if one.side == "faster" and one.integer.pixels_ok]
    best = min(faster, key=lambda one: one.ratio, default=None)
    return _label(best, kin) if best else "fp32 or fp16"


@dataclass(frozen=True)
class _Column:
    title: str
    text: Callable[[Comparison], str]
    value: Callable[[Comparison], float] | None = None


_COLUMNS = (
    _Column("Delegate", lambda pair: delegate_words(pair.integer.delegate)),
    _Column("Threads", lambda p: count(p.integer.threads), lambda p: p.integer.threads),
    _Column("Integer file", lambda pair: short(pair.integer.name, 60)),
    _Column("Ratio", lambda pair: figures(pair.ratio), lambda pair: pair.ratio),
    _Column("Over the rounds", _spread),
    _Column("Integers are", lambda pair: pair.side),
    _Column("Integer ms", lambda p: figures(p.integer.median_ms), lambda p: p.integer.median_ms),
    _Column("fp32 ms", lambda pair: figures(pair.fp32.median_ms), lambda p: p.fp32.median_ms),
    _Column("Ran", lambda pair: verdict_words(pair.integer)),
    _Column("Trust", lambda pair: max(pair.integer.trust, pair.fp32.trust)),
    _Column("fp32 file", lambda pair: short(pair.fp32.name, 60)),
    _Column("Device", lambda pair: short(pair.integer.device_label, 48)),
    _Column("Run", lambda pair: short(pair.integer.run, 26)),
)


def integer_findings(found: Sequence[Comparison]) -> list[Markup]:
    """The sentences for the page's first section; nothing without a comparison."""
    if not found:
        return []
    told = (
        element("li", sentence) for sentence in sentences(found, FIRST_SENTENCES)[:FIRST_SENTENCES]
    )
    link = element("a", f"All {plural(len(found), 'comparison')}", href=f"#{ANCHOR}")
    return [element("h3", TITLE), element("ul", *told, class_="trouble"), element("p", link)]


def integer_view(found: Sequence[Comparison]) -> View:
    """The page with the table of the comparisons."""
    shown = found[:MOST_ROWS]
    head = (element("th", c.title, scope="col", class_="n" if c.value else None) for c in _COLUMNS)
    body = (element("tr", *(_cell(column, pair) for column in _COLUMNS)) for pair in shown)
    left_out = f" {len(found) - len(shown)} further ones are left out." if found[MOST_ROWS:] else ""
    table = element(
        "table",
        element("caption", element("span", _ABOUT + left_out)),
        element("thead", element("tr", *head)),
        element("tbody", *body),
        class_="made",
    )
    told = element("ul", *(element("li", one) for one in sentences(found)), class_="trouble")
    return View(ANCHOR, TITLE, (told, scroll_box(table, TITLE)), entry="Integers")


def _cell(column: _Column, pair: Comparison) -> Markup:
    return element("td", column.text(pair), class_="n" if column.value else None)


def integer_markdown(found: Sequence[Comparison]) -> list[str]:
    """Sentences and table as lines of Markdown; nothing without a comparison."""
    if not found:
        return []
    told = [f"- {markdown_cell(sentence)}" for sentence in sentences(found)]
    lines = [
        "| " + " | ".join(column.title for column in _COLUMNS) + " |",
        "|" + "|".join(" --: " if column.value else " --- " for column in _COLUMNS) + "|",
    ]
    for pair in found[:MOST_ROWS]:
        cells = (markdown_cell(column.text(pair)) for column in _COLUMNS)
        lines.append(f"| {' | '.join(cells)} |")
    return [f"## {TITLE}", "", *told, "", _ABOUT, "", *lines, ""]

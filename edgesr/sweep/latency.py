"""How long the candidates of a sweep take on this machine, all in one interleaved run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import JobSummary, summarise
from edgesr.bench.runner import BenchRequest, run_bench
from edgesr.bench.suite import load_suite
from edgesr.results.store import RunFolder, Workspace
from edgesr.sweep.table import Row, candidates_of

SUITE = "quick"
_CREDITED = ("full", "partial")
_MISSING = {
    "fallback": "it did not take the graph, which ran on the plain kernels",
    "unknown": "nothing proves that the graph ran there",
}


@dataclass(frozen=True)
class Timing:
    """How to measure."""

    delegates: tuple[str, ...] = ("cpu", "xnnpack")
    threads: int = 2
    rounds: int = 3


@dataclass(frozen=True)
class Timed:
    """The rows with their latencies."""

    rows: tuple[Row, ...]
    run: RunFolder
    failed: int
    """Jobs without a good round that were not refused."""


def time_rows(
    rows: Sequence[Row],
    timing: Timing,
    workspace: Workspace,
    progress: Callable[[str, int, int], None] | None = None,
) -> Timed:
    """Measures every candidate with every delegate, round by round in turn.

    Raises:
        EdgesrError: As `run_bench`; Ctrl-C leaves the rounds that were measured.
    """
    changes = {"rounds": timing.rounds, "threads": (timing.threads,)}
    suite = load_suite(SUITE).model_copy(update=changes)
    request = BenchRequest(candidates_of(rows), suite, delegates=timing.delegates)

    def tell(_device: str, what: str, done: int, total: int) -> None:
        if progress and done >= 0:
            progress(f"measuring: {what}", done, total)

    result = run_bench(request, workspace, tell)
    jobs = summarise(tidy_rows([read_run(result.run)]))
    timed = tuple(_timed(row, jobs, timing.delegates) for row in rows)
    return Timed(timed, result.run, result.counts.get("failed", 0))


def _timed(row: Row, jobs: Sequence[JobSummary], delegates: Sequence[str]) -> Row:
    if row.candidate is None:
        return row
    own = {job.delegate: job for job in jobs if job.candidate == row.candidate.manifest.id}
    latency = {name: _latency_us(own[name]) if name in own else None for name in delegates}
    remarks = [_remark(own[name]) for name in delegates if name in own]
    return replace(row, latency_us=latency, notes=(*row.notes, *filter(None, remarks)))


def _latency_us(job: JobSummary) -> float | None:
    """Never the time of another place than the one that was asked for."""
    return job.median_ms * 1e3 if job.measured and job.outcome in _CREDITED else None


def _remark(job: JobSummary) -> str:
    """Why there is no number, or where only a part of the graph ran."""
    if not job.measured:
        reason = "; ".join(job.reasons) or job.status
        return f"{job.delegate}: {reason}"
    if job.outcome not in _CREDITED:
        return f"{job.delegate}: {_MISSING[job.outcome]}"
    told = []
    if job.outcome == "partial":
        taken = f"{job.nodes_delegated:.0f} of {job.nodes_total:.0f} nodes"
        told.append(f"takes {taken}, the plain kernels run the others")
    if job.doubts:
        told.append(f"doubtful ({', '.join(doubt.code for doubt in job.doubts)})")
    return f"{job.delegate}: {'; '.join(told)}" if told else ""

"""How often intervals, ties and doubts of a job's rounds tell the truth, on invented rounds.

Prints the tables of docs/statistics.md, in Markdown; about a minute with the default.

Run: python benchmarks/perf/intervals.py [--jobs 20000]
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.fixtures import simulated_rounds as simulated

FEW = (3, 4, 5, 6, 8, 10, 15, 20, 30)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints one."""
    print(f"\n**{title}**\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)


def pct(share: float) -> str:
    return f"{100 * share:.1f} %"


def coverage(jobs: int) -> None:
    shapes = tuple(simulated.SHAPES)
    table(
        "The median's interval holds the truth",
        ("rounds", *shapes),
        ((n, *(pct(simulated.median_coverage(s, n, jobs)) for s in shapes)) for n in FEW),
    )
    for paired, title in ((True, "Ratio of two jobs, paired"), (False, "Ratio of two runs")):
        table(
            title,
            ("rounds", *shapes),
            ((n, *(pct(simulated.ratio_coverage(s, n, jobs, paired=paired)) for s in shapes))
             for n in FEW),
        )  # fmt: skip


def ties(jobs: int) -> None:
    def row(rounds: int) -> list[object]:
        same, one = (simulated.two_jobs(rounds, slower, jobs) for slower in (0, 0.03))
        runs, worse = (simulated.two_runs(rounds, slower, jobs) for slower in (0, 0.03))
        shares = same.tied, one.slower, runs.tied, worse.slower
        return [rounds, *map(pct, shares)]

    table(
        "Two jobs, rounds scatter by 2 %",
        ("rounds", "equal, one run: tied", "3 % slower: found", "equal, two runs: no change",
         "3 % slower: found"),
        map(row, FEW),
    )  # fmt: skip
    panels = max(200, jobs // 20)
    found = {(k, n): simulated.equal_jobs(k, n, panels) for k in (2, 5, 20) for n in (5, 10, 20)}
    table(
        "Many equal jobs",
        ("jobs", "rounds", "tied with the fastest", "panels in which all are"),
        ((k, n, pct(one.tied), pct(one.all_tied)) for (k, n), one in found.items()),
    )
    table(
        "Runs that differ, and nothing changed: no change is found in",
        ("rounds", *(f"runs differ by {100 * s:g} %" for s in (0, 0.01, 0.02))),
        ((n, *(pct(simulated.two_runs(n, 0, jobs, run_to_run=s).tied) for s in (0, 0.01, 0.02)))
         for n in (5, 10, 20)),
    )  # fmt: skip


def until(jobs: int) -> None:
    def row(scatter: float) -> list[object]:
        found = simulated.until_narrow(scatter, 3, jobs // 4)
        shares = found.narrow, found.holds, found.narrow_holds
        return [f"{100 * scatter:g} %", f"{found.rounds:.1f}", *map(pct, shares)]

    table(
        "--until 3%, up to 30 rounds",
        ("rounds scatter by", "rounds", "known to 3 %", "intervals hold the truth",
         "of those known to 3 %"),
        map(row, (0.01, 0.02, 0.03, 0.04, 0.05, 0.07)),
    )  # fmt: skip


def doubts(jobs: int) -> None:
    some = (8, 10, 15, 20, 30)
    table(
        "Two clumps: by mistake, and found",
        ("rounds", *simulated.SHAPES, "halves 10 % apart", "20 % apart"),
        ((n, *(pct(simulated.clumped(simulated.one_clump(s, n, jobs))) for s in simulated.SHAPES),
          *(pct(simulated.clumped(simulated.halves(n, apart, jobs))) for apart in (0.1, 0.2)))
         for n in some),
    )  # fmt: skip

    def scattered(n: int, scatter: float) -> simulated.Rounds:
        return simulated.normal(np.random.default_rng(0), (jobs, n), scatter)

    table(
        "Outliers: by mistake, and found",
        ("rounds", "scatter 2 %", "5 %", "10 %", "one 10 % slower", "one 20 % slower"),
        ((n, *(pct(simulated.with_outliers(scattered(n, s))) for s in (0.02, 0.05, 0.1)),
          *(pct(simulated.with_outliers(simulated.one_slow(n, a, jobs))) for a in (0.1, 0.2)))
         for n in (5, *some)),
    )  # fmt: skip
    table(
        "Drift: by mistake, and found",
        ("rounds", "scatter 2 %", "5 %", "10 %", "10 % slower at the end", "20 %"),
        ((n, *(pct(simulated.drifting(scattered(n, s))) for s in (0.02, 0.05, 0.1)),
          *(pct(simulated.drifting(simulated.slowing(n, a, jobs))) for a in (0.1, 0.2)))
         for n in (4, 6, *some)),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=20_000, help="invented per figure")
    jobs = parser.parse_args().jobs
    for part in (coverage, ties, until, doubts):
        part(jobs)


if __name__ == "__main__":
    main()

"""How a fleet of phones scales: wall time, overhead of a round, pushes, many phones at once.

    python benchmarks/perf/fleet.py parallel      wall time of 3 phones over that of 1
    python benchmarks/perf/fleet.py overhead      time of a round outside benchmark_model
    python benchmarks/perf/fleet.py many --phones 24 --servers 1 --sleep 1
                                                  many at once: wall time, CPU, memory of edgesr

On stand-in phones, so everything runs on this machine: what is measured is edgesr and adb, not
phones. Launches sleep instead of working where that makes figures independent of the cores.
"""

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgesr.bench.fleet import choose
from edgesr.bench.runner import BenchRequest, run_bench
from edgesr.bench.suite import Suite
from edgesr.device.adb import AdbServer
from edgesr.device.profile import Fit
from edgesr.device.standin import PhoneOptions, PrivateAdbServer, StandIn, StandIns
from edgesr.results.store import Workspace

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.fixtures.tiny import tiny_candidate  # a .tflite of a few hundred bytes

KINDS = ("pixel-7", "galaxy-a14", "redmi-12c")
RUNNER = (sys.executable, "-m", "edgesr.bench.host_runner")
FLAGS = {"cpu": "--use_xnnpack=false", "xnnpack": "--use_xnnpack=true"}
PASSES = {  # the flags of `suite` and of the memory pass
    "time": "--num_runs=2 --min_secs=0 --max_secs=5 --warmup_runs=1 --warmup_min_secs=0.2",
    "peak": "--num_runs=2 --min_secs=1 --max_secs=600 --warmup_runs=0 --warmup_min_secs=0 "
    "--report_peak_memory_footprint=true",
}


def sleeping_program(folder: Path, seconds: float) -> Path:
    """A benchmark_model that sleeps so long and then prints what a real launch printed before."""
    model = tiny_candidate(Workspace(folder / "recorded")).path
    usage = subprocess.run([*RUNNER, "--help"], capture_output=True, text=True, check=False)
    lines = [line for line in usage.stderr.splitlines() if "result_file_path" not in line]
    (folder / "help").write_text("\n".join(lines) + "\n")
    for delegate, passed in itertools.product(FLAGS, PASSES):
        flags = [f"--graph={model}", "--num_threads=1", *PASSES[passed].split(), FLAGS[delegate]]
        done = subprocess.run([*RUNNER, *flags], capture_output=True, text=True, check=True)
        (folder / f"{delegate}-{passed}").write_text(done.stdout + done.stderr)
    path = folder / "benchmark_model"
    path.write_text(
        "#!/bin/sh\n"
        f'case "$*" in --help) cat "{folder}/help" >&2; exit 1;; --use_gpu*) exit 1;; esac\n'
        "d=cpu; p=time\n"
        'case "$*" in *--use_xnnpack=true*) d=xnnpack;; esac\n'
        'case "$*" in *report_peak*) p=peak;; esac\n'
        f'sleep {seconds}\ncat "{folder}/$d-$p"\n'
    )
    path.chmod(0o755)
    return path


def suite(rounds: int) -> Suite:
    """Nothing is waited for but the launches themselves."""
    return Suite(
        name="perf", threads=(1,), rounds=rounds, num_runs=2, min_secs=0, max_secs=5,
        fit=Fit(busy_pct=None, wait_s=0),
    )  # fmt: skip


@dataclass(frozen=True)
class Desk:
    """Stand-ins, and the adb servers that they are connected to."""

    phones: list[StandIn]
    servers: list[AdbServer]


@contextmanager
def phones(count: int, seconds: float, servers: int = 1) -> Iterator[Desk]:
    """So many connected stand-ins whose launches sleep, spread over adb servers."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        program = str(sleeping_program(Path(folder), seconds))
        desk = Desk([], [])
        for part in range(servers):
            mine = range(part, count, servers)
            options = [PhoneOptions(KINDS[n % len(KINDS)], benchmark_model=program) for n in mine]
            server = stack.enter_context(PrivateAdbServer())
            started = stack.enter_context(StandIns(options))
            for phone in started:
                server.connect(phone.serial)
            desk.phones.extend(started)
            desk.servers.append(AdbServer("127.0.0.1", server.port))
        yield desk


def bench(desk: Desk, serials: Sequence[str], rounds: int) -> float:
    """Measures; gives wall time in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        request = BenchRequest(
            candidates=(tiny_candidate(workspace),),
            suite=suite(rounds),
            devices=choose(list(serials), desk.servers),
            delegates=("cpu", "xnnpack"),
        )
        began = time.monotonic()
        result = run_bench(request, workspace)
        wall_s = time.monotonic() - began
        assert result.counts["ok"] == 2 * len(serials), result
        return wall_s


def parallel(given: argparse.Namespace) -> dict[str, object]:
    """Three phones together and each alone, interleaved."""
    ratios, sums = [], []
    with phones(3, given.sleep) as desk:
        serials = [phone.serial for phone in desk.phones]
        for _ in range(given.repeats):
            together = bench(desk, serials, rounds=2)
            alone = [bench(desk, [serial], rounds=2) for serial in serials]
            ratios.append(together / max(alone))
            sums.append(together / sum(alone))
    return {
        "together_over_slowest": ratios,
        "together_over_slowest_median": statistics.median(ratios),
        "together_over_sum_median": statistics.median(sums),
    }


def overhead(given: argparse.Namespace) -> dict[str, object]:
    """Wall time of rounds less the time their launches sleep, on one phone."""
    rounds, per_round = 10, []
    with phones(1, given.sleep) as desk:
        serials = [desk.phones[0].serial]
        for _ in range(given.repeats):
            few, many = (bench(desk, serials, rounds=n) for n in (2, 2 + rounds))
            per_round.append((many - few) / (2 * rounds) - given.sleep)  # 2 jobs a round
    return {
        "seconds_per_round": per_round,
        "seconds_per_round_median": statistics.median(per_round),
    }


def many(given: argparse.Namespace) -> dict[str, object]:
    """Many phones at once."""
    with phones(given.phones, given.sleep, given.servers) as desk:
        before = resource.getrusage(resource.RUSAGE_SELF)
        wall_s = bench(desk, [phone.serial for phone in desk.phones], rounds=3)
        after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    launches = given.phones * 2 * 4  # of two jobs: three rounds and the memory pass
    return {
        "wall_s": wall_s,
        "sleeping_s": given.sleep * 2 * 4,
        "launches": launches,
        "edgesr_cpu_s": cpu_s,
        "edgesr_cpu_ms_per_launch": 1000 * cpu_s / launches,
        "edgesr_peak_mib": after.ru_maxrss / 1024,
    }


def main() -> None:
    """Prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    measures = {"parallel": parallel, "overhead": overhead, "many": many}
    parser.add_argument("what", choices=measures)
    parser.add_argument("--sleep", type=float, default=1.0, help="seconds that a launch sleeps")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--phones", type=int, default=24)
    parser.add_argument("--servers", type=int, default=1)
    given = parser.parse_args()
    found = measures[given.what](given)
    print(json.dumps({**vars(given), **found, "cores": os.cpu_count()}, indent=1))


if __name__ == "__main__":
    main()

"""How a fleet of phones scales: wall time, overhead of a round, pushes, many phones at once.

    python benchmarks/perf/fleet.py parallel      wall time of 3 phones over that of 1
    python benchmarks/perf/fleet.py overhead      time of a round outside benchmark_model
    python benchmarks/perf/fleet.py many [N]      N (24) phones at once, CPU and memory of edgesr

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
from contextlib import contextmanager
from pathlib import Path

from edgesr.bench.fleet import choose
from edgesr.bench.runner import BenchRequest, run_bench
from edgesr.bench.session import BenchResult
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


@contextmanager
def phones(count: int, seconds: float) -> Iterator[tuple[list[StandIn], AdbServer]]:
    """So many connected stand-ins whose launches sleep."""
    with tempfile.TemporaryDirectory() as folder:
        program = str(sleeping_program(Path(folder), seconds))
        kinds = [KINDS[number % len(KINDS)] for number in range(count)]
        options = [PhoneOptions(phone=kind, benchmark_model=program) for kind in kinds]
        with PrivateAdbServer() as server, StandIns(options) as started:
            for phone in started:
                server.connect(phone.serial)
            yield started, AdbServer("127.0.0.1", server.port)


def bench(server: AdbServer, serials: Sequence[str], rounds: int) -> tuple[float, BenchResult]:
    """Measures; gives wall time in seconds and what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        request = BenchRequest(
            candidates=(tiny_candidate(workspace),),
            suite=suite(rounds),
            devices=choose(list(serials), [server]),
            delegates=("cpu", "xnnpack"),
        )
        began = time.monotonic()
        result = run_bench(request, workspace)
        wall_s = time.monotonic() - began
        assert result.counts["ok"] == 2 * len(serials), result
        return wall_s, result


def parallel(repeats: int) -> dict[str, object]:
    """Three phones together and each alone, interleaved; launches sleep one second."""
    ratios, sums = [], []
    with phones(3, 1.0) as (started, server):
        serials = [phone.serial for phone in started]
        for _ in range(repeats):
            together, _result = bench(server, serials, rounds=2)
            alone = [bench(server, [serial], rounds=2)[0] for serial in serials]
            ratios.append(together / max(alone))
            sums.append(together / sum(alone))
    return {"together_over_slowest": ratios, "together_over_sum": sums}


def overhead(repeats: int) -> dict[str, object]:
    """Wall time of rounds less the time their launches sleep, on one phone."""
    seconds, rounds, per_round = 0.5, 10, []
    with phones(1, seconds) as (started, server):
        for _ in range(repeats):
            few, _result = bench(server, [started[0].serial], rounds=2)
            many, _result = bench(server, [started[0].serial], rounds=2 + rounds)
            per_round.append((many - few) / (2 * rounds) - seconds)  # 2 jobs a round
            services = started[0].services()
    pushes = sum("mv -f" in name for name in services)
    return {"seconds_per_round": per_round, "pushes_in_all_runs": pushes}


def many(count: int) -> dict[str, object]:
    """Many phones at once; launches sleep one second."""
    with phones(count, 1.0) as (started, server):
        before = resource.getrusage(resource.RUSAGE_SELF)
        wall_s, _result = bench(server, [phone.serial for phone in started], rounds=3)
        after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    launches = count * 2 * (3 + 1)  # three rounds and the memory pass
    return {
        "phones": count,
        "wall_s": wall_s,
        "launches": launches,
        "edgesr_cpu_s": cpu_s,
        "edgesr_cpu_ms_per_launch": 1000 * cpu_s / launches,
        "edgesr_peak_mib": after.ru_maxrss / 1024,
    }


def main() -> None:
    """Prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("parallel", "overhead", "many"))
    parser.add_argument("number", nargs="?", type=int)
    given = parser.parse_args()
    measure = {"parallel": (parallel, 5), "overhead": (overhead, 3), "many": (many, 24)}
    function, default = measure[given.what]
    found = function(given.number or default)
    lists = {key: value for key, value in found.items() if isinstance(value, list)}
    middle = {f"{key}_median": statistics.median(value) for key, value in lists.items()}
    print(json.dumps({**found, **middle, "cores": os.cpu_count()}, indent=1))


if __name__ == "__main__":
    main()

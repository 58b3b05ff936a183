"""How long `edgesr --help` takes beside `python -c pass` and, where installed, `litert --help`.

Runs are interleaved; what is printed is each command's median and its excess over bare Python.

Run: python benchmarks/perf/startup.py [--runs 11] [--json FILE]
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "edgesr --help": [str(Path(sys.executable).parent / "edgesr"), "--help"],
    "litert --help": ["litert", "--help"],
}


def seconds(command: list[str]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    commands = {name: argv for name, argv in COMMANDS.items() if shutil.which(argv[0])}
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(options.runs):
        for name, argv in commands.items():
            samples[name].append(seconds(argv))
    medians = {name: statistics.median(values) for name, values in samples.items()}
    for name, median in medians.items():
        print(f"{name:<16} {median:.3f} s, +{median - medians['python -c pass']:.3f} s")
    if options.json:
        options.json.write_text(json.dumps(medians, indent=2) + "\n")


if __name__ == "__main__":
    main()

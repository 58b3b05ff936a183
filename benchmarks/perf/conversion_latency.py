"""Latency of our fp32 graph against litert-torch's conversion of the same checkpoint.

Both files run on this machine by XNNPACK with two threads, in interleaved rounds, so that what
else the machine does falls on both alike. What is printed is the ratio ours / litert-torch of each
round's median latency: its median over the rounds, and the smallest and largest.

Run: python benchmarks/perf/conversion_latency.py [--rounds 5] [--json FILE] [NETWORK ...]
Needs the extra ``litert``. EDGESR_BENCHMARK_MODEL names the official tool; else ours measures.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from edgesr.bench.argv import Launch, Loop
from edgesr.bench.launch import Station, host_station, run_launch
from edgesr.bench.outcome import read_launch
from edgesr.convert.pipeline import ConvertRequest, convert
from edgesr.models.checkpoint import save_checkpoint
from edgesr.models.registry import ModelSpec, build_model
from edgesr.results.store import Workspace

HEIGHT, WIDTH = 360, 640
NETWORKS = {
    "ELSR": ModelSpec("elsr", 2),
    "ESPCN": ModelSpec("espcn", 2),
    "SRVGG 32f/32c": ModelSpec("srvgg", 2, {"features": 32, "convs": 32}),
    "SPAN 28": ModelSpec("span", 2, {"features": 28}),
}
LOOP = Loop(num_runs=5, min_secs=1, max_secs=20, warmup_runs=1, warmup_min_secs=0.5)

PEER = """
import sys, torch, litert_torch
from edgesr.models.checkpoint import load_checkpoint
model = load_checkpoint(sys.argv[1]).model
sample = (torch.rand(1, 3, int(sys.argv[3]), int(sys.argv[4])),)
litert_torch.convert(model, sample).export(sys.argv[2])
"""
"""What a user of litert-torch does: the network as it is, no folding of ours."""


def convert_both(spec: ModelSpec, folder: Path) -> dict[str, Path]:
    """The same random weights through both converters."""
    checkpoint = folder / "checkpoint.pt"
    save_checkpoint(checkpoint, build_model(spec), {})
    request = ConvertRequest(str(checkpoint), ("fp32",), (HEIGHT, WIDTH))
    (ours,) = convert(request, Workspace(folder / "workspace"))
    peer = folder / "litert-torch.tflite"
    arguments = (str(checkpoint), str(peer), str(HEIGHT), str(WIDTH))
    subprocess.run([sys.executable, "-c", PEER, *arguments], check=True, capture_output=True)
    return {"edgesr": ours.path, "litert-torch": peer}


def median_ms(station: Station, graph: Path) -> float:
    """Median latency of one launch."""
    launch = Launch(str(graph), "xnnpack", threads=2, loop=LOOP)
    reading = read_launch(run_launch(station, launch, timeout_s=300).printed, "xnnpack")
    if reading.latency is None or reading.latency.median is None:
        raise SystemExit(f"{graph} could not be measured: {reading.reason}")
    return reading.latency.median / 1000


def measure(name: str, rounds: int, station: Station) -> dict[str, object]:
    """Ratios of one network, round by round."""
    with tempfile.TemporaryDirectory() as folder:
        graphs = convert_both(NETWORKS[name], Path(folder))
        samples: dict[str, list[float]] = {engine: [] for engine in graphs}
        for number in range(rounds):
            order = list(graphs) if number % 2 == 0 else list(reversed(graphs))
            for engine in order:
                samples[engine].append(median_ms(station, graphs[engine]))
    pairs = zip(samples["edgesr"], samples["litert-torch"], strict=True)
    ratios = sorted(ours / peer for ours, peer in pairs)
    return {
        "network": name,
        "edgesr_ms": statistics.median(samples["edgesr"]),
        "litert_torch_ms": statistics.median(samples["litert-torch"]),
        "ratio": statistics.median(ratios),
        "ratio_min": ratios[0],
        "ratio_max": ratios[-1],
        "rounds": rounds,
    }


def main() -> None:
    """Measures, prints a table, writes JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    station = host_station(None)
    rows = []
    print(f"{'network':<15} {'edgesr ms':>10} {'litert-torch ms':>16} {'ratio':>6} (min..max)")
    for name in options.networks or NETWORKS:
        row = measure(name, options.rounds, station)
        rows.append(row)
        print(
            f"{name:<15} {row['edgesr_ms']:>10.2f} {row['litert_torch_ms']:>16.2f} "
            f"{row['ratio']:>6.2f} ({row['ratio_min']:.2f}..{row['ratio_max']:.2f})",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()

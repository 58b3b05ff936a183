"""What every way to 8 bits keeps of ESPCN x2's pixels: the README's table.

    python benchmarks/perf/quantization.py [--checkpoint FILE] [--steps 1000] [--json]

Trains on T91, tests on the luma of Set5 with its MATLAB-made small images, border of two pixels
left out, as the literature does. Every figure is that of an int8 .tflite run by LiteRT; trained
methods are compared with the float network trained for as many steps on the same patches. The work
is `edgesr sweep`'s own: this script only chooses the ways and judges them.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgesr.assets import asset
from edgesr.config import load_config
from edgesr.convert.integer import IntegerOptions
from edgesr.results.store import Workspace
from edgesr.sweep.latency import Timing
from edgesr.sweep.run import SweepRequest, run_sweep
from edgesr.sweep.table import Table
from edgesr.sweep.ways import Way
from edgesr.train.config import TrainingConfig
from edgesr.train.loop import TrainRequest, train

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETTINGS = ("train.loss=mse",)
"""Of every training, the float one too: the loss that ESPCN was trained by."""
TARGETS_DB = {"lsq": 0.15, "pact": 0.15, "ste": 0.15, "apot": 0.2, "dorefa": 0.35}
"""Largest drop below float trained for as many steps."""
WAYS = (
    *(Way(name, "int8-io", trains=name) for name in (*TARGETS_DB, "adaround")),
    Way("nearest", "int8-io", integer=IntegerOptions(rounding="nearest")),
    Way("gptq", "int8-io", integer=IntegerOptions(rounding="gptq")),
    Way("adaround-ptq", "int8-io", integer=IntegerOptions(rounding="adaround")),
)


def base(data: Path, out: Path) -> Path:
    """ESPCN with ReLU, trained on T91 by the recipe."""
    overrides = (f"data.train={data / 'T91'}", f"data.val={data / 'Set5' / 'HR'}")
    config = load_config(asset("recipes", "espcn-float.toml"), TrainingConfig, overrides)
    return train(TrainRequest(config, out / "espcn-t91"), told).last.best


def set5(data: Path, out: Path) -> Path:
    """A pairs.csv of the images as they lie there."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "set5x2.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("lr", "hr", "text"))
        for hr in sorted((data / "Set5" / "HR").glob("*.png")):
            small = data / "Set5" / "LRbicx2" / f"{hr.stem}x2.png"
            writer.writerow((small.resolve(), hr.resolve(), ""))
    return out / "set5x2.csv"


def told(what: str, done: int, total: int) -> None:
    if total and done % max(1, total // 4) == 0:
        print(f"{what}: {done}/{total}", file=sys.stderr, flush=True)


def judged(table: Table) -> dict[str, str]:
    """By row: what was asked for, and whether it was reached."""
    found = {}
    for name, target in TARGETS_DB.items():
        row = table.row(name)
        drop = table.drop_db(row) if row else None
        if drop is not None:
            found[name] = f"at most {target:.2f}: {'met' if drop <= target else 'MISSED'}"
    nearest, adaround = (table.row(name) for name in ("nearest", "adaround-ptq"))
    if nearest and adaround and nearest.psnr_y and adaround.psnr_y:
        met = adaround.psnr_y >= nearest.psnr_y
        found[adaround.way.name] = f"not below nearest: {'met' if met else 'MISSED'}"
    return found


def markdown(document: dict[str, Any], verdicts: dict[str, str]) -> str:
    delegates = list(next(r["latency_us"] for r in document["rows"] if r["latency_us"]))
    head = ["method", "PSNR-Y dB", "drop dB", "against", "equal", "KB"]
    lines = [[*head, *(f"{name} ms" for name in delegates), "asked for"]]
    for row in document["rows"]:
        if "error" in row:
            lines.append([row["method"], row["error"], *[""] * (len(lines[0]) - 2)])
            continue
        itself = row["method"] == row["reference"]
        times = (row["latency_us"].get(name) for name in delegates)
        lines.append(
            [
                row["method"],
                f"{row['psnr_y']:.3f}",
                "" if itself or row["psnr_drop_db"] is None else f"{row['psnr_drop_db']:.3f}",
                "" if itself else row["reference"],
                "" if row["equal"] is None else f"{row['equal']:.2%}",
                f"{row['size_bytes'] / 1e3:.1f}",
                *("" if us is None else f"{us / 1e3:.2f}" for us in times),
                verdicts.get(row["method"], ""),
            ]
        )
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def chosen(names: Sequence[str]) -> tuple[Way, ...]:
    return tuple(way for way in WAYS if not names or way.name in names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, help="ESPCN x2; default: trains one on T91")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with T91 and Set5")
    parser.add_argument("--out", type=Path, default=Path("quantization-bench"))
    parser.add_argument("--steps", type=int, default=1000, help="of every training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5, help="of the latency measurement")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, nargs=2, default=(360, 640), metavar=("H", "W"))
    parser.add_argument("--rows", nargs="*", default=(), choices=[way.name for way in WAYS])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    request = SweepRequest(
        checkpoint=str(given.checkpoint or base(given.data, given.out)),
        ways=chosen(given.rows),
        data=given.data / "T91",
        test=set5(given.data, given.out),
        steps=given.steps,
        settings=SETTINGS,
        seed=given.seed,
        size=tuple(given.size),
        timing=Timing(("cpu", "xnnpack"), given.threads, given.rounds),
    )
    result = run_sweep(
        request, Workspace(given.out), lambda line: print(line, file=sys.stderr), told
    )
    verdicts = judged(result.table)
    if given.json:
        print(json.dumps({**result.document, "verdicts": verdicts}, indent=2))
        return
    print(markdown(result.document, verdicts))
    print("\n" + "\n".join(result.findings))


if __name__ == "__main__":
    main()

"""How long, how much memory and how large: `edgesr report` on many invented measurements.

    python benchmarks/perf/report.py [--candidates 200] [--phones 12] [--delegates 4] [--threads 3]
        [--rounds 10] [--runs phone] [--keep DIR] [--write-only] [--json FILE]

Writes run folders as `edgesr bench` does, without fsync, from a fixed seed: by default 288,000
records. Then each stage runs in a child process of its own: reading the store alone, reading up
to the summaries, and the whole report. Memory is the child's peak resident set. With ``--keep``
the workspace stays, and is written only where it isn't there yet.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

NETWORKS = ("elsr-f6", "elsr-f16", "espcn", "fsrcnn", "span-ch16", "span-ch28", "span-ch48",
            "srvgg-16f", "srvgg-32f", "srvgg-64f")  # fmt: skip
SCALES = (2, 3, 4)
VARIANTS = ("fp32", "fp16", "dynamic", "int8", "int8-io")
SPEED = {"fp32": 1.0, "fp16": 0.99, "dynamic": 0.72, "int8": 0.46, "int8-io": 0.41}
DELEGATES = {"cpu": 2.6, "xnnpack": 1.0, "gpu": 0.4, "nnapi": 1.4}
THREADS = (1, 2, 4, 6, 8)
PHONES = ("pixel-6", "pixel-7", "pixel-8", "pixel-9", "galaxy-a14", "galaxy-a21s", "galaxy-a52",
          "galaxy-s21", "galaxy-s23", "redmi-12c", "redmi-note-11", "redmi-note-12")  # fmt: skip
BUILD = "vendor/product/device:14/AP1A.240505.004/11583682:user/release-keys"
READ = """
import sys
from pathlib import Path
from edgesr.analysis.rows import read_run
from edgesr.results.store import Workspace
runs = [read_run(run) for run in Workspace(Path(sys.argv[1])).runs()]
print(sum(run.recorded for run in runs), sum(run.torn_lines for run in runs))
"""
SUMMARISE = """
import sys
from pathlib import Path
from edgesr.analysis.rows import read_run, tidy_rows
from edgesr.analysis.summary import summarise
from edgesr.results.store import Workspace
runs = [read_run(run) for run in Workspace(Path(sys.argv[1])).runs()]
print(len(summarise(tidy_rows(runs))))
"""
"""Programs of the child processes; their argument is the workspace."""


@dataclass(frozen=True)
class Size:
    """How much is invented."""

    candidates: int
    phones: int
    delegates: int
    threads: int
    rounds: int


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def manifests(count: int) -> list[dict[str, Any]]:
    """Candidates as `edgesr convert` describes them, cheap networks first."""
    found = []
    for number in range(count):
        place, variant = number // len(VARIANTS), VARIANTS[number % len(VARIANTS)]
        network, scale = NETWORKS[place % len(NETWORKS)], SCALES[place // len(NETWORKS) % 3]
        name = f"{network}-v{place // 30}-x{scale}-360x640-{variant}"
        parameters = 1500 * (1 + place % len(NETWORKS)) ** 2
        shape = [1, 360, 640, 3]
        tensor = {"dtype": "float32", "layout": "NHWC", "range": [0.0, 1.0]}
        found.append({
            "schema": 1, "id": digest(name), "name": name, "variant": variant,
            "size_bytes": int(9000 + parameters * (1.1 if "int8" in variant else 4)),
            "model": {"arch": network.partition("-")[0], "scale": scale,
                      "parameters": parameters, "macs": parameters * 230_400, "options": {}},
            "inputs": [{"name": "input", "shape": shape, **tensor}],
            "outputs": [{"name": "output", "shape": [1, 360 * scale, 640 * scale, 3], **tensor}],
            "parity": {"psnr_db": 112.4, "max_abs": 1e-6, "floor_db": 100.0, "images": 4,
                       "source": "rendered slides"},
            "ops": {"CONV_2D": 8, "PRELU": 3, "ADD": 1, "DEPTH_TO_SPACE": 1}, "coverage": {},
            "source": {"checkpoint": f"{network}-x{scale}.pt", "sha256": digest(name[:-5])},
            "calibration": None, "notes": [], "tools": {"edgesr": "0.1.0", "torch": "2.13.0"},
        })  # fmt: skip
    return found


def device(slug: str, serial: str) -> dict[str, Any]:
    """A phone as run.json describes it."""
    return {
        "model": slug.replace("-", " ").title(), "os": "Android 14", "android": "14", "api": 34,
        "soc": f"SoC of {slug}", "gpu": "Mali-G710", "cores": 8, "memory_mb": 7568,
        "abi": "arm64-v8a", "profile": slug, "serial": serial, "build": BUILD, "listed": True,
        "simulated": None, "free_mb": 77488, "boot_id": digest(serial)[:32],
        "clusters": [{"cpus": [0, 1, 2, 3], "max_mhz": 1803.0},
                     {"cpus": [4, 5, 6, 7], "max_mhz": 2850.0}],
        "engine": {"name": "benchmark_model", "sha256": "cd" * 32, "version": "2.19.0",
                   "family": "classic"},
    }  # fmt: skip


def bicubic(scale: int) -> dict[str, float]:
    return {"psnr_y": 35.7 - 2 * scale, "ssim_y": 0.97 - 0.02 * scale, "cer": 0.03 * scale}


def write_run(folder: Path, size: Size, phones: dict[str, str]) -> int:
    """One run of these phones (serial -> profile) in interleaved rounds; returns its records."""
    known = manifests(size.candidates)
    jobs = [
        {"candidate": one["id"], "variant": one["variant"], "device": serial,
         "delegate": delegate, "threads": threads}
        for serial in phones for one in known
        for delegate in list(DELEGATES)[: size.delegates] for threads in THREADS[: size.threads]
    ]  # fmt: skip
    header = {
        "schema": 1, "run": folder.name, "created_at": "2026-11-20T10:00:00+00:00",
        "suite": {"name": "full", "rounds": size.rounds, "num_runs": 20, "warmup_runs": 3},
        "jobs": jobs, "candidates": {one["id"]: one for one in known},
        "devices": {serial: device(slug, serial) for serial, slug in phones.items()},
        "versions": {"edgesr": "0.1.0", "numpy": "2.4.6"},
        "accuracy": {"pairs": "pairs.csv", "images": [f"slide-{n:04d}" for n in range(20)],
                     "protocol": {"name": "sr-y-float"},
                     "bicubic": {f"{scale}:360x640": bicubic(scale) for scale in SCALES},
                     "truth": {f"{scale}:360x640": {"cer": 0.021} for scale in SCALES},
                     "ocr": {"engine": "rapidocr", "version": "3.10.0", "language": "ch"}},
    }  # fmt: skip
    (folder / "logs").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(header, indent=2) + "\n")
    with (folder / "records.jsonl").open("w") as file:
        file.writelines(lines(jobs, header, Random(folder.name)))  # noqa: S311 - no secrets
    return len(jobs) * size.rounds


def lines(jobs: list[dict[str, Any]], header: dict[str, Any], random: Random) -> Iterator[str]:
    """The run's records, one line each."""
    slow = {serial: random.uniform(0.8, 4.0) for serial in header["devices"]}
    for number in range(header["suite"]["rounds"]):
        for job in jobs:
            made = header["candidates"][job["candidate"]]
            ms = made["model"]["parameters"] ** 0.5 / 12 * SPEED[job["variant"]]
            ms *= slow[job["device"]] * DELEGATES[job["delegate"]]
            ms *= job["threads"] ** -0.6 * random.gauss(1, 0.02)
            yield json.dumps(record(job, number, ms, made, random), ensure_ascii=False) + "\n"


def record(
    job: dict[str, Any], number: int, ms: float, made: dict[str, Any], random: Random
) -> dict[str, Any]:
    """One round as bench writes it; one in fifty came to nothing."""
    key = f"{job['candidate'][:12]}-{job['device']}-{job['delegate']}-t{job['threads']}"
    place = f"/data/local/tmp/edgesr/jobs/20261120T100000Z-0a1b2c3d/{key}-{number}"
    bad = random.random() < 0.02
    state = {
        "temperature_c": round(28 + random.random() * 6, 1), "cpu_temperature_c": 45.0,
        "battery_pct": 86.0, "charging": "usb", "thermal_status": 0,
        "big_core_clock_mhz": 2850.0, "big_core_limit_mhz": 2850.0, "screen_on": True,
        "load_1m": 1.52, "busy_pct": 3.1,
    }  # fmt: skip
    us, init = ms * 1e3, 120_000.0 + 900 * random.random()
    outcome = {"nnapi": "fallback", "gpu": random.choice(("full", "full", "partial"))}
    measured = {
        "verdict": {"requested": job["delegate"], "outcome": outcome.get(job["delegate"], "full"),
                    "nodes_total": 13, "nodes_delegated": 13, "partitions": 1},
        "latency_us": {"avg": us * 1.02, "min": us * 0.96, "max": us * 1.2, "std": us * 0.03,
                       "median": us, "p5": us * 0.97, "p95": us * 1.1, "first": us * 1.4,
                       "warmup_avg": us * 1.1, "count": 20},
        "init_us": init,
        "memory_mb": {"init": 20.1, "overall": 30 + ms**0.5, "peak": 44.0 + ms**0.5},
    }  # fmt: skip
    if number == 0:
        measured["accuracy"] = accuracy(made, key, random)
    return {
        "schema": 1, "status": "timeout" if bad else "ok",
        "reason": "no end after 240 s" if bad else None, "job": job, "round": number,
        "started_at": f"2026-11-20T{10 + number % 12:02d}:{int(init) % 60:02d}:47.535+00:00",
        "argv": ["/data/local/tmp/edgesr/files/benchmark_model",
                 f"--graph=/data/local/tmp/edgesr/files/{job['candidate']}.tflite",
                 f"--num_threads={job['threads']}", "--num_runs=20", "--min_secs=1.0",
                 "--max_secs=20", "--warmup_runs=3", "--warmup_min_secs=0.5",
                 f"--result_file_path={place}/time/result.pb",
                 f"--use_{job['delegate']}=true"],
        "cause": "timeout" if bad else None, **({} if bad else measured),
        "before": state, "after": {**state, "temperature_c": state["temperature_c"] + 0.5},
        "doubts": [{"code": "not_pinned", "numbers": {}},
                   {"code": "accuracy_sampled", "numbers": {"images": 20.0, "of": 120.0}}],
        "engine": {"name": "benchmark_model", "sha256": "cd" * 32, "version": "2.19.0"},
        "source": "proto",
        "log": {"path": f"logs/{key}-{number}.txt", "sha256": digest(f"{key}{number}")},
    }  # fmt: skip


def accuracy(made: dict[str, Any], key: str, random: Random) -> dict[str, Any]:
    """Quality with everything that reading text adds."""
    plain, better = bicubic(made["model"]["scale"]), made["model"]["parameters"] ** 0.1
    loss = 0.3 if "int8" in made["variant"] else 0.0
    psnr, cer = plain["psnr_y"] + better - loss, plain["cer"] / better + loss / 50

    def interval(mean: float) -> dict[str, float]:
        return {"mean": mean, "low": mean - 0.004, "high": mean + 0.004, "n": 20}

    return {
        "psnr_y": psnr, "psnr_y_interval": interval(psnr), "ssim_y": plain["ssim_y"] + 0.01,
        "ssim_y_interval": interval(plain["ssim_y"] + 0.01),
        "reference_psnr_db": 42.0 + random.random(), "reference_max_abs": 3.0, "floor_db": 37.0,
        "images": 20, "images_of": 120, "protocol": "sr-y-float",
        "per_image": f"accuracy/{key}.json", "cer": cer, "cer_interval": interval(cer),
        "word_recall": 0.95, "confidence": 0.98, "text_images": 20, "text_references": {"text": 20},
        "ocr": {"engine": "rapidocr", "version": "3.10.0", "language": "ch"},
        "cer_vs_bicubic": interval(cer - plain["cer"]),
        "cer_vs_reference": interval(loss / 50),
        "confidence_vs_bicubic": interval(0.003), "confidence_vs_reference": interval(0.0),
    }  # fmt: skip


def write(workspace: Path, size: Size, *, by_phone: bool) -> int:
    """All runs; returns how many records they hold."""
    phones = {f"{digest(str(n))[:12].upper()}": PHONES[n % len(PHONES)] for n in range(size.phones)}
    parts = [{serial: slug} for serial, slug in phones.items()] if by_phone else [phones]
    return sum(
        write_run(workspace / "runs" / f"20261120T1000{n:02d}Z-{digest(str(part))[:8]}", size, part)
        for n, part in enumerate(parts)
    )


def child(argv: list[str]) -> dict[str, Any]:
    """Runs a program to its end: seconds, MiB of its peak resident set, last line of output.

    CPU seconds tell how long it would take where nothing else runs.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = os.posix_spawn(
            argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, said.fileno(), 1)]
        )
        _, status, usage = os.wait4(process, 0)
        seconds = time.perf_counter() - began
        said.seek(0)
        last = said.read().strip().rpartition("\n")[2]
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: {' '.join(argv[:3])} ...")
    cpu = round(usage.ru_utime + usage.ru_stime, 1)
    return {
        "seconds": round(seconds, 1),
        "cpu_s": cpu,
        "peak_mib": round(usage.ru_maxrss / 1024),
        "said": last,
    }


def measure(workspace: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Each stage in a child of its own, and the sizes of what the report wrote."""
    report = workspace / "report"
    edgesr = [sys.executable, "-m", "edgesr", "--workspace", str(workspace), "--quiet"]
    found = {
        "read": child([sys.executable, "-c", READ, str(workspace)]),
        "read and summarise": child([sys.executable, "-c", SUMMARISE, str(workspace)]),
        "report": child([*edgesr, "report", *names, "--out", str(report)]),
    }
    files = {p.relative_to(report): p.stat().st_size for p in report.rglob("*") if p.is_file()}
    found["megabytes"] = {str(name): round(size / 1e6, 2) for name, size in sorted(files.items())}
    found["megabytes"]["all files"] = round(sum(files.values()) / 1e6, 2)
    return found


def main() -> None:
    """Writes, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("candidates", 200), ("phones", 12), ("delegates", 4), ("threads", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--runs", choices=("phone", "one"), default="phone")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--write-only", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    size = Size(
        options.candidates, options.phones, options.delegates, options.threads, options.rounds
    )
    with tempfile.TemporaryDirectory() as scratch:
        workspace = options.keep or Path(scratch)
        if not (workspace / "runs").exists():
            began = time.perf_counter()
            count = write(workspace, size, by_phone=options.runs == "phone")
            print(f"wrote {count} records in {time.perf_counter() - began:.1f} s")
        stored = sum(p.stat().st_size for p in (workspace / "runs").glob("*/*.jsonl"))
        print(f"{stored / 1e6:.0f} MB of records")
        if options.write_only:
            return
        names = sorted(path.name for path in (workspace / "runs").iterdir())
        found = measure(workspace, names)
    for stage, figures in found.items():
        print(f"{stage:<20}" + ", ".join(f"{name} {value}" for name, value in figures.items()))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

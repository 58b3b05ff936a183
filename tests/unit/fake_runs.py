"""Run folders with invented measurements, made through the real store."""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from edgesr.results.records import (
    Accuracy,
    DeviceState,
    Doubt,
    Engine,
    Interval,
    Job,
    Latency,
    Memory,
    OcrEngine,
    OpTime,
    Record,
    Verdict,
)
from edgesr.results.store import RunFolder, Workspace

HOSTILE = "<script>alert('x')</script>\"&'$\\frac{a}$ `|*` " + "very-long-" * 20
NETWORKS = {"elsr_x2": (3.1, 1_500, 34.9), "span_ch28_x2": (41.0, 120_000, 36.4),
            "srvgg_32f_x2": (160.0, 310_000, 36.1)}  # fmt: skip
VARIANTS = {"fp32": (1.0, 4.0, 0.0), "fp16": (0.99, 2.0, -0.001), "dynamic": (0.72, 1.1, -0.08),
            "int8": (0.46, 1.05, -0.35), "int8-io": (0.41, 1.05, -0.41)}  # fmt: skip
DELEGATES = {"cpu": 2.6, "xnnpack": 1.0}


def candidate_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def manifest(name: str, variant: str, network: str, scale: int = 2) -> dict[str, Any]:
    _, parameters, _ = NETWORKS.get(network, (10.0, 5_000, 35.0))
    return {
        "schema": 1, "id": candidate_id(name), "name": name, "variant": variant,
        "size_bytes": int(parameters * VARIANTS.get(variant, (1, 4, 0))[1] + 9_000),
        "model": {"arch": network.partition("_")[0], "scale": scale, "parameters": parameters,
                  "macs": parameters * 230_400},
        "inputs": [{"name": "input", "shape": [1, 360, 640, 3], "dtype": "float32"}],
        "parity": {"psnr_db": 112.4, "max_abs": 1e-6, "floor_db": 100, "images": 4},
        "source": {"checkpoint": f"{network}.pt", "sha256": candidate_id(network)},
        "calibration": "rendered slides" if "int8" in variant else None,
        "tools": {"torch": "2.13.0", "onnx2tf": "1.28.8"},
    }  # fmt: skip


def header(manifests: list[dict[str, Any]], jobs: list[Job], **changes: Any) -> dict[str, Any]:
    return {
        "suite": {"name": "quick", "rounds": 3, "runs": 20, "warmup_runs": 3},
        "jobs": [job.model_dump() for job in jobs],
        "candidates": {one["id"]: one for one in manifests},
        "devices": {"host": {"model": "host", "os": "Debian 12", "cpu": "Xeon, 2 cores",
                             "cores": 2, "memory_mb": 7950, "abi": "x86_64"}},
        "engine": {"name": "litert-python", "sha256": "ab" * 32, "version": "2.3.0"},
        "versions": {"edgesr": "0.1.0", "numpy": "2.4.6"},
        "accuracy": {"pairs": "pairs.csv", "images": ["slide-000", "slide-001"],
                     "protocol": {"name": "float Y, BT.601", "border": "scale"},
                     "bicubic": {"2:360x640": {"psnr_y": 33.68, "ssim_y": 0.9305, "cer": 0.094}},
                     "truth": {"2:360x640": {"cer": 0.021}},
                     "chosen": {"2:360x640": {"images": 20, "of": 120}},
                     "ocr": {"engine": "rapidocr", "version": "3.9", "language": "ch"}},
        **changes,
    }  # fmt: skip


def text_figures(cer: float, reference: float) -> dict[str, Any]:
    """Fields of an `Accuracy` whose twenty pictures were read so well, and the reference's so."""
    return {
        "cer": cer, "cer_interval": _about(cer, 0.012), "word_recall": 1 - 3 * cer,
        "confidence": 0.93, "text_images": 20, "text_references": {"text": 20},
        "ocr": OcrEngine(engine="rapidocr", version="3.9", language="ch"),
        "cer_vs_bicubic": _about(cer - 0.094, 0.008),
        "cer_vs_reference": _about(cer - reference, 0.004),
    }  # fmt: skip


def _about(mean: float, half: float) -> Interval:
    return Interval(mean=mean, low=mean - half, high=mean + half, n=20)


def ok_record(job: Job, number: int, median_ms: float, **changes: Any) -> Record:
    us = median_ms * 1e3
    fields: dict[str, Any] = {
        "job": job,
        "round": number,
        "status": "ok",
        "verdict": Verdict(requested=job.delegate, outcome="full", nodes_total=12,
                           nodes_delegated=0 if job.delegate == "cpu" else 12, partitions=1),
        "latency_us": Latency(avg=us * 1.02, min=us * 0.96, max=us * 1.2, median=us, p95=us * 1.1,
                              count=20),
        "init_us": 5200.0 + 40 * median_ms,
        "memory_mb": Memory(init=20.0, overall=30 + math.sqrt(median_ms) * 6),
        "engine": Engine(name="litert-python"),
        **changes,
    }  # fmt: skip
    return Record(**fields)


PHONES: dict[str, dict[str, Any]] = {
    "2A111FDH2005XY": {
        "model": "Pixel 7", "os": "Android 14", "android": "14", "api": 34, "soc": "Tensor G2",
        "gpu": "Mali-G710 MP7", "cores": 8, "memory_mb": 7614, "abi": "arm64-v8a",
        "profile": "pixel-7", "listed": True, "simulated": None, "serial": "2A111FDH2005XY",
        "server": "127.0.0.1:5037", "build": "google/panther/panther:14/AP2A.240805.005",
        "clusters": [{"cpus": [0, 1, 2, 3], "max_mhz": 1803.0}, {"cpus": [4, 5], "max_mhz": 2348.0},
                     {"cpus": [6, 7], "max_mhz": 2850.0}],
        "engine": {"name": "benchmark_model", "sha256": "cd" * 32, "version": "nightly",
                   "family": "classic", "path": "benchmark_model_arm64"},
    },
    "R58N70ABCDE": {
        "model": "SM-A145R", "os": "Android 13", "android": "13", "api": 33, "soc": None,
        "gpu": "Mali-G52", "cores": 8, "memory_mb": 3712, "abi": "armeabi-v7a",
        "profile": "unlisted", "listed": False, "serial": "R58N70ABCDE", "clusters": None,
        "engine": {"name": "benchmark_model", "sha256": "ef" * 32, "family": "litert"},
    },
    "127.0.0.1:46001": {
        "model": "Redmi 12C", "android": "12", "api": 31, "soc": "Helio G85", "cores": 8,
        "memory_mb": 3800, "abi": "arm64-v8a", "profile": "redmi-12c", "listed": True,
        "simulated": True, "clusters": [{"cpus": "0-5", "max_mhz": None}, "torn"],
        "engine": {"name": "litert-python", "sha256": None, "version": "2.3.0"},
    },
}  # fmt: skip
PHONE_DELEGATES = ("cpu", "xnnpack", "gpu-cl-fp32", "nnapi:qti-dsp")
FLEET_ROUNDS = 6


def fleet_run(workspace: Path) -> RunFolder:
    """2 candidates on 3 phones with 4 delegates and everything that phones bring along."""
    names = [f"elsr_x2-360x640-{variant}" for variant in ("fp32", "int8")]
    manifests = [manifest(name, name.rpartition("-")[2], "elsr_x2") for name in names]
    jobs = [
        Job(candidate=one["id"], variant=one["variant"], device=phone, delegate=d, threads=4)
        for one in manifests for phone in PHONES for d in PHONE_DELEGATES
    ]  # fmt: skip
    head = header(manifests, jobs, devices=PHONES, suite={"name": "quick", "rounds": FLEET_ROUNDS})
    del head["engine"]
    run = Workspace(workspace).new_run(head)
    random = np.random.default_rng(5)
    for number in range(FLEET_ROUNDS):
        for job in jobs:
            record = _phone_record(job, number, random)
            if record is not None:
                run.append(record)
    return run


def _phone_record(job: Job, number: int, random: np.random.Generator) -> Record | None:
    slow = {"2A111FDH2005XY": 1.0, "R58N70ABCDE": 3.4, "127.0.0.1:46001": 1.7}[job.device]
    cost = dict(zip(PHONE_DELEGATES, (9.0, 4.0, 2.2, 3.1), strict=True))[job.delegate]
    ms = slow * cost * (0.6 if job.variant == "int8" else 1) * float(random.normal(1, 0.01))
    if job.device == "R58N70ABCDE" and job.delegate.startswith("gpu"):
        return None if number else Record(
            job=job, round=0, status="refused", cause="no_opencl",
            reason="this phone has no OpenCL, and OpenGL failed too")  # fmt: skip
    changes: dict[str, Any] = {
        "engine": Engine(name="benchmark_model", sha256="cd" * 32),
        "before": DeviceState(temperature_c=31.0 + number, battery_pct=80, charging="usb",
                              thermal_status=0, big_core_clock_mhz=2850.0,
                              big_core_limit_mhz=2850.0, screen_on=False, busy_pct=3.0),
        "after": DeviceState(temperature_c=32.5 + number, cpu_temperature_c=61.0,
                             big_core_limit_mhz=2850.0),
    }  # fmt: skip
    if job.delegate.startswith("gpu"):
        changes["init_kind"] = "cold" if number == 0 else "warm"
        changes["init_us"] = 812_000.0 if number == 0 else 93_000.0
    if job.delegate == "nnapi:qti-dsp":
        verdict = Verdict(requested=job.delegate, outcome="fallback", nodes_total=12,
                          nodes_delegated=0)  # fmt: skip
        return ok_record(job, number, ms, verdict=verdict, cause="fallback", **changes)
    if number == 0:
        psnr = 20.0 if job.variant == "int8" and job.delegate.startswith("gpu") else 44.0
        changes["memory_mb"] = Memory(init=20.0, overall=38.0, peak=44.0, pss=51.5)
        changes["profile"] = _operations(ms)
        changes["accuracy"] = Accuracy(psnr_y=34.9 if psnr > 30 else 19.0, ssim_y=0.95, images=2,
                                       reference_psnr_db=psnr, reference_max_abs=3,
                                       floor_db=30.0, protocol="y",
                                       **text_figures(0.05, 0.05))  # fmt: skip
    if job.device == "2A111FDH2005XY" and job.delegate == "xnnpack" and job.variant == "fp32":
        ms *= 1 + 0.05 * number  # it throttles
    record = ok_record(job, number, ms, **changes)
    if job.device == "127.0.0.1:46001":
        record = record.model_copy(update={"simulated": True, "doubts": [Doubt(code="simulated")]})
    return record


def _operations(ms: float) -> tuple[OpTime, ...]:
    """A network's worth of operations that together take so many ms."""
    convolutions = [OpTime(op="Convolution (NHWC, F32) IGEMM", name=f"conv {n}", ms=0.1 * ms,
                           pct=10.0, calls=1) for n in range(7)]  # fmt: skip
    others = [OpTime(op=op, ms=share * ms) for op, share in (
        ("Depth To Space", 0.12), ("Add (ND)", 0.08), ("Clamp", 0.05), ("Copy", 0.03),
        ("PRELU", 0.015), ("Transpose", 0.005))]  # fmt: skip
    return (*convolutions, *others)


def simple_run(workspace: Path, rounds: tuple[float, ...] = (10.0, 11.0, 12.0)) -> RunFolder:
    """One candidate on xnnpack with two threads."""
    name = "elsr_x2-360x640-fp32"
    job = Job(candidate=candidate_id(name), variant="fp32", device="host", delegate="xnnpack",
              threads=2)  # fmt: skip
    run = Workspace(workspace).new_run(header([manifest(name, "fp32", "elsr_x2")], [job]))
    for number, ms in enumerate(rounds):
        run.append(ok_record(job, number, ms))
    return run


def full_run(workspace: Path, *, pictures: bool = True) -> RunFolder:
    """3 networks x 5 variants x 4 delegates x 2 thread counts with every kind of trouble."""
    manifests = [manifest(f"{n}-360x640-{v}", v, n) for n in NETWORKS for v in VARIANTS]
    manifests.append(manifest(HOSTILE, HOSTILE[:30], "hostile"))
    jobs = [
        Job(candidate=one["id"], variant=one["variant"], device="host", delegate=d, threads=t)
        for one in manifests for d in (*DELEGATES, "gpu", "nnapi") for t in (1, 2)
    ]  # fmt: skip
    run = Workspace(workspace).new_run(header(manifests, jobs))
    names = {one["id"]: one["name"] for one in manifests}
    random = np.random.default_rng(7)
    for job in jobs:
        for record in _records(job, names[job.candidate], random):
            run.append(record)
    with (run.path / "records.jsonl").open("a") as file:
        file.write('{"schema": 1, "torn')
    if pictures:
        _pictures(run, jobs)
    return run


def _records(job: Job, name: str, random: np.random.Generator) -> list[Record]:
    if name == HOSTILE:
        return _hostile(job)
    network, _, variant = name.rpartition("-360x640-")
    if job.delegate == "gpu":
        return [Record(job=job, round=0, status="refused",
                       reason="this build of the engine has no GPU delegate")]  # fmt: skip
    if job.delegate == "nnapi" and (variant != "fp32" or network != "elsr_x2"):
        return []  # never measured
    base, _, level = NETWORKS[network]
    factor, _, drop = VARIANTS[variant]
    ms = base * factor * DELEGATES.get(job.delegate, 1.4) * (1 if job.threads == 1 else 0.58)
    if job.delegate == "nnapi":
        verdict = Verdict(requested="nnapi", outcome="fallback", nodes_total=12, nodes_delegated=0)
        return [ok_record(job, 0, ms, verdict=verdict)]
    cer = {"elsr_x2": 0.071, "span_ch28_x2": 0.042, "srvgg_32f_x2": 0.048}[network]
    text = text_figures(cer - 0.1 * drop, cer)
    accuracy = Accuracy(psnr_y=level + drop, ssim_y=0.951, reference_psnr_db=60 + 90 * drop,
                        reference_max_abs=1 - 10 * drop, images=2, protocol="y",
                        **text)  # fmt: skip
    if variant == "fp32":
        accuracy = Accuracy(psnr_y=level, ssim_y=0.952, reference_psnr_db=None,
                            reference_max_abs=0, images=2, protocol="y", **text)  # fmt: skip
    good = [
        ok_record(job, n, ms * float(random.normal(1, 0.02)), accuracy=accuracy,
                  profile=_operations(ms) if n == 0 and variant == "fp32" else None)
        for n in range(3)
    ]  # fmt: skip
    return _spoil(job, network, variant, good)


def _spoil(job: Job, network: str, variant: str, good: list[Record]) -> list[Record]:
    """Failures and doubts for a few jobs."""
    if (network, variant, job.delegate) == ("srvgg_32f_x2", "dynamic", "cpu"):
        late = Record(job=job, round=2, status="timeout", reason="no end after 120 s")
        return [*good[:2], late]
    if (network, variant) == ("span_ch28_x2", "int8-io"):
        return [Record(job=job, round=n, status="failed",
                       reason="exit code 1: Failed to allocate tensors!")
                for n in range(3)]  # fmt: skip
    if (network, variant, job.delegate) == ("elsr_x2", "dynamic", "xnnpack"):
        partial = Verdict(requested="xnnpack", outcome="partial", nodes_total=12,
                          nodes_delegated=9, partitions=3)  # fmt: skip
        doubts = [Doubt(code="busy", numbers={"load": 1.4, "busy_pct": 70.0}),
                  Doubt(code="some_new_code", numbers={"x": 1.5})]  # fmt: skip
        return [one.model_copy(update={"verdict": partial, "doubts": doubts}) for one in good]
    return good


def _hostile(job: Job) -> list[Record]:
    if job.delegate == "gpu":
        return [Record(job=job, round=0, status="failed", reason=HOSTILE)]
    latency = Latency(median={"cpu": -5.0, "nnapi": 1e12}.get(job.delegate, 9e3))
    return [
        Record(
            job=job,
            round=0,
            status="ok",
            latency_us=latency,
            accuracy=None,
            doubts=[Doubt(code="<b>", numbers={"</td>": "<img src=x onerror=alert(1)>"})],
        )
    ]


def _pictures(run: RunFolder, jobs: list[Job]) -> None:
    for name in ("slide-000", 'slide "<i>" 001'):
        folder = run.path / "accuracy" / f"{name}-x2-360x640"
        folder.mkdir(parents=True)
        truth = _slide(name)
        low = truth.resize((320, 180), Image.Resampling.BICUBIC)
        soft = low.resize((640, 360), Image.Resampling.BICUBIC)
        for stem, picture in (("hr", truth), ("lr", low), ("bicubic", soft)):
            picture.save(folder / f"{stem}.png")
        for job in jobs:
            if job.delegate in DELEGATES:
                Image.blend(soft, truth, 0.6).save(folder / f"{job.key}.png")
        fastest = next(job for job in jobs if job.delegate == "xnnpack" and job.threads == 2)
        (folder / f"{fastest.key}.png").write_bytes(b"no picture")


def _slide(name: str) -> Image.Image:
    picture = Image.new("RGB", (640, 360), "#fbfbf8")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 640, 46), fill="#24456b")
    draw.text((24, 12), f"Super-resolution of {name}", fill="white", font_size=20)
    for line in range(7):
        draw.text((40, 80 + 22 * line), f"{line + 1}. The quick brown fox, f(x) = {line}x + 1",
                  fill="#202020", font_size=13)  # fmt: skip
    draw.line((420, 330, 600, 250), fill="#b03030", width=2)
    return picture

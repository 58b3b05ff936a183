"""Training speed against a plain PyTorch loop, and what the input pipeline can feed.

    python benchmarks/perf/training.py [--images SOURCE] [--seconds 10] [--repeats 3]
    python benchmarks/perf/training.py --waiting

Both loops train the same network on the same images with the same batches of the same size, turn
and turn about in one process. The plain loop is what one would write first: a Dataset that crops
and flips images held in memory, a DataLoader, Adam, L1; nothing else. Ours also averages the
weights, clips gradients, picks busy crops, swaps colours and can be resumed at any step.

``--waiting`` instead compares the two ways in which OpenMP's threads wait, spinning and asleep,
alone and beside another program that keeps one core busy.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, Dataset

from edgesr.config import parse_config
from edgesr.data.images import RgbImage
from edgesr.models.registry import build_model
from edgesr.train.config import StageConfig, TrainingConfig
from edgesr.train.patches import PatchDataset, batches
from edgesr.train.scenes import Scenes, open_training
from edgesr.train.stage import Stage, Surroundings

NETWORKS = {"elsr": {}, "espcn": {}, "span": {"features": 28}}
MANY = 1_000_000


class PlainDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Random crops and flips of images that are held in memory."""

    def __init__(self, images: list[tuple[RgbImage, RgbImage]], patch: int, scale: int) -> None:
        self.images, self.patch, self.scale = images, patch, scale

    def __len__(self) -> int:
        return MANY

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        lr, hr = self.images[index % len(self.images)]
        p, s = self.patch, self.scale
        top = np.random.randint(lr.shape[0] - p + 1)  # noqa: NPY002 - as one writes it first
        left = np.random.randint(lr.shape[1] - p + 1)  # noqa: NPY002
        lr = lr[top : top + p, left : left + p]
        hr = hr[top * s : (top + p) * s, left * s : (left + p) * s]
        if np.random.rand() < 0.5:  # noqa: NPY002
            lr, hr = lr[:, ::-1], hr[:, ::-1]
        return self.tensor(lr), self.tensor(hr)

    @staticmethod
    def tensor(image: RgbImage) -> torch.Tensor:
        """uint8 H, W, 3 to float 3, H, W in [0, 1]."""
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255


def plain_steps(stage: StageConfig, scenes: Scenes) -> Iterator[None]:
    """One training step of the plain loop per item."""
    images = [scenes.whole(index) for index in range(len(scenes))]
    dataset = PlainDataset(images, stage.train.patch, stage.model.scale)
    loader = DataLoader(
        dataset,
        stage.train.batch_size,
        shuffle=True,
        num_workers=stage.data.workers,
    )
    model = build_model(stage.model.spec())
    optimizer = torch.optim.Adam(model.parameters(), stage.train.lr)
    for lr, hr in loader:
        optimizer.zero_grad()
        loss = torch.nn.functional.l1_loss(model(lr), hr)
        loss.backward()
        optimizer.step()
        yield


def our_steps(stage: StageConfig) -> Iterator[None]:
    """One training step of edgesr per item."""
    around = Surroundings(Accelerator(cpu=True), 1, Path(), lambda _: None)
    ours = Stage(around, 0, stage, {})
    for step in range(MANY):
        ours.step(step)
        yield


def rate(steps: Iterator[None], seconds: float) -> float:
    """Steps per second."""
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        next(steps)
        done += 1
    return done / (time.perf_counter() - began)


def compare(name: str, stage: StageConfig, seconds: float, repeats: int) -> float:
    """Prints our speed over the plain loop's; returns our median steps per second."""
    scenes = open_training(stage.data, stage.model.scale, 1)
    loops: dict[str, Iterator[None]] = {
        "plain": plain_steps(stage, scenes),
        "edgesr": our_steps(stage),
    }
    for loop in loops.values():
        rate(loop, 1.0)  # warm
    found: dict[str, list[float]] = {"plain": [], "edgesr": []}
    for repeat in range(repeats):
        for key in sorted(loops, reverse=bool(repeat % 2)):
            found[key].append(rate(loops[key], seconds))
    ratios = [ours / plain for ours, plain in zip(found["edgesr"], found["plain"], strict=True)]
    print(
        f"{name:6} workers {stage.data.workers}: plain {statistics.median(found['plain']):7.2f}, "
        f"edgesr {statistics.median(found['edgesr']):7.2f} steps/s, ratio "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )
    return statistics.median(found["edgesr"])


def pipeline(stage: StageConfig, seconds: float) -> float:
    """Batches per second of the input pipeline alone."""
    dataset = PatchDataset(open_training(stage.data, stage.model.scale, 1), stage, (1, 0))
    loader = batches(dataset, range(MANY))
    next(loader)
    steps: Callable[[], Iterator[None]] = lambda: (None for _ in loader)  # noqa: E731
    return rate(steps(), seconds)


def compare_waiting(seconds: float, repeats: int) -> None:
    """Prints steps per second of ESPCN by how OpenMP's threads wait."""
    busy = [sys.executable, "-c", "while True: pass"]
    for load in ("alone", "beside a busy program"):
        found: dict[str, list[float]] = {"ACTIVE": [], "PASSIVE": []}
        for _ in range(repeats):
            for policy, rates in found.items():
                other = subprocess.Popen(busy) if load != "alone" else None
                command = [sys.executable, __file__, "--one", "espcn", "--seconds", str(seconds)]
                environment = {**os.environ, "OMP_WAIT_POLICY": policy}
                rates.append(float(subprocess.check_output(command, env=environment)))
                if other:
                    other.kill()
                    other.wait()
        medians = {policy: statistics.median(rates) for policy, rates in found.items()}
        ratio = medians["PASSIVE"] / medians["ACTIVE"]
        print(f"{load}: {medians}, passive over active {ratio:.2f}", flush=True)


def stage_of(network: str, images: str, *, workers: int, degrade: str = "bicubic") -> StageConfig:
    """One stage of one network, scale 2, 16 patches of 48."""
    tree = {
        "model": {"arch": network, "scale": 2, "options": NETWORKS[network]},
        "data": {"train": images, "val": images, "workers": workers, "degrade": degrade},
        "train": {"epochs": 1, "steps_per_epoch": MANY, "samples": 0},
    }
    return parse_config(tree, TrainingConfig, source="benchmark").stage[0]


def main() -> None:
    """Prints both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", default="slides:8:1", help="a source of large images")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--waiting", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(rate(our_steps(stage_of(options.one, "slides:2:1", workers=0)), options.seconds))
        return
    if options.waiting:
        compare_waiting(options.seconds, options.repeats)
        return
    for network in NETWORKS:
        for workers in (0, 1):
            stage = stage_of(network, options.images, workers=workers)
            speed = compare(network, stage, options.seconds, options.repeats)
    for degrade in ("bicubic", "real", "real-esrgan", "lecture-video"):
        for workers in (0, 2):
            stage = stage_of("span", options.images, workers=workers, degrade=degrade)
            fed = pipeline(stage, options.seconds)
            print(
                f"pipeline alone, {degrade}, workers {workers}: {fed:.1f} batches/s, "
                f"{fed / speed:.1f} times what the SPAN-28 step takes",
                flush=True,
            )


if __name__ == "__main__":
    main()

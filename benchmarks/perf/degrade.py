"""Milliseconds per sample of every degradation and augmentation, on one core.

    OMP_NUM_THREADS=1 python benchmarks/perf/degrade.py [--samples 50] [--json FILE]

Samples are crops of rendered slides; strengths are drawn anew for each, so the spread is wide. The
cases are interleaved.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgesr.data.augment import augment, cutblur
from edgesr.data.degrade import DEGRADATIONS, sharpen_usm
from edgesr.data.degrade_overlay import lecture_overlay
from edgesr.data.images import RgbImage
from edgesr.data.resize import imresize
from edgesr.data.slides import render_slide

Call = Callable[[RgbImage, np.random.Generator], object]


def cases() -> dict[str, tuple[int, Call]]:
    """Name to side of the large crop in pixels (0: the whole slide) and what is timed."""
    found: dict[str, tuple[int, Call]] = {}
    for name, degrade in DEGRADATIONS.items():
        for side, scale in ((384, 2), (400, 4)):
            found[f"{name} x{scale} of {side}x{side}"] = (
                side,
                lambda crop, rng, degrade=degrade, scale=scale: degrade(crop, scale, rng),
            )
    found["augment of 384x384"] = (384, lambda crop, rng: augment(rng, crop[::2, ::2], crop))
    found["cutblur of 384x384"] = (
        384,
        lambda crop, rng: cutblur(rng, imresize(crop, 0.5), crop, 1.0),
    )
    found["sharpen_usm of a slide"] = (0, lambda slide, _: sharpen_usm(slide))
    found["lecture_overlay of a slide"] = (0, lecture_overlay)
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    slide = render_slide(0, 1).image
    samples: dict[str, list[float]] = {name: [] for name in cases()}
    for number in range(options.samples):
        for name, (side, call) in cases().items():
            rng = np.random.default_rng(number)
            top, left = rng.integers(slide.shape[0] - side), rng.integers(slide.shape[1] - side)
            crop = slide[top : top + side, left : left + side] if side else slide
            began = time.perf_counter()
            call(crop, rng)
            samples[name].append((time.perf_counter() - began) * 1e3)
    summary = {
        name: {
            "mean_ms": statistics.mean(values),
            "median_ms": statistics.median(values),
            "max_ms": max(values),
        }
        for name, values in samples.items()
    }
    for name, row in summary.items():
        print(
            f"{name:<32} mean {row['mean_ms']:6.1f} ms, median {row['median_ms']:6.1f} ms, "
            f"max {row['max_ms']:6.1f} ms"
        )
    if options.json:
        options.json.write_text(json.dumps(summary, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""The options that no other beats in quality, latency and size at once."""

import math
from collections.abc import Sequence

import numpy as np

from edgesr.select.metrics import METRICS
from edgesr.select.options import Option


def axes(options: Sequence[Option]) -> tuple[str, str, str]:
    """The three metrics: latency, quality (CER where it is told for all, else PSNR-Y), size."""
    read = bool(options) and all(math.isfinite(option.value("cer")) for option in options)
    return ("latency_median_ms", "cer" if read else "psnr_y", "size_mb")


def pareto(options: Sequence[Option]) -> list[Option]:
    """Those of which no other is better in one of the `axes` and no worse in the others.

    Values count, worst over the devices; what lacks one of the three is left out.

    Args:
        options: All that may be chosen at all.

    Returns:
        The fastest first.
    """
    names = axes(options)
    costs = np.array(
        [[METRICS[name].sign * option.value(name) for name in names] for option in options]
    ).reshape(-1, 3)
    known = [n for n in range(len(options)) if np.isfinite(costs[n]).all()]
    found = costs[known]
    kept = [
        n
        for n, row in zip(known, found, strict=True)
        if not ((found <= row).all(1) & (found < row).any(1)).any()
    ]
    return [options[n] for n in sorted(kept, key=lambda n: (*costs[n].tolist(), options[n].key))]

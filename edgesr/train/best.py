"""Which weights are kept: the best by each measure, and what "best" means."""

import math
from collections.abc import Callable

from edgesr.quality.readability import ocr_primary
from edgesr.train.validate import Validation

BEST = "best_model.pt"
BEST_LOSS = "best_loss_model.pt"
BEST_OCR = "best_ocr_model.pt"

Rank = tuple[float, ...]
"""Compared like a tuple; the lowest is the best."""


def _by_text(validation: Validation) -> Rank | None:
    if validation.cer is None or math.isnan(validation.cer):
        return None
    return ocr_primary(validation.cer, validation.confidence or 0.0)


RANKS: dict[str, Callable[[Validation], Rank | None]] = {
    "val_psnr_y": lambda found: (-found.psnr_y,),
    "val_ssim_y": lambda found: (-found.ssim_y,),
    "val_l1": lambda found: (found.l1,),
    "ocr_primary": _by_text,
    "last": lambda _: (-math.inf,),
}
"""How a validation ranks by each ``[train] select``; None where it was not measured.

With ``last`` each is as good as the one before it, and equal ones replace each other.
"""

FILES = {BEST_LOSS: "val_l1", BEST_OCR: "ocr_primary"}
"""What decides about each file beside best_model.pt."""


def is_measured(validation: Validation, select: str) -> bool:
    """Whether a validation tells about what decides about best_model.pt."""
    rank = RANKS[select](validation)
    return rank is not None and not any(math.isnan(value) for value in rank)


def improved(best: dict[str, list[float]], validation: Validation, select: str) -> list[str]:
    """The files that a validation is the best for; ``best`` is brought up to date.

    Args:
        best: Best rank so far by file name.
        validation: What was measured now.
        select: What decides about best_model.pt.
    """
    better = []
    for file, measure in {BEST: select, **FILES}.items():
        rank = RANKS[measure](validation)
        if rank is None or not is_measured(validation, measure):
            continue
        if file not in best or list(rank) < best[file] or measure == "last":
            best[file] = list(rank)
            better.append(file)
    return better

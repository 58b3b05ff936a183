"""What a job's own pixels say against it."""

from edgesr.bench.doubts import Code, doubt
from edgesr.results.records import Accuracy, Doubt


def pixel_doubts(found: Accuracy) -> list[Doubt]:
    """All doubts that follow from a job's quality."""
    doubts: list[Doubt] = []
    if found.images_of is not None and found.images < found.images_of:
        doubts.append(doubt(Code.ACCURACY_SAMPLED, images=found.images, of=found.images_of))
    psnr, floor = found.reference_psnr_db, found.floor_db
    if psnr is not None and floor is not None and psnr < floor:
        doubts.append(doubt(Code.PIXELS_WRONG, psnr_db=round(psnr, 2), floor_db=floor))
    return [*doubts, *_letters_lost(found), *_misleading(found)]


def _letters_lost(found: Accuracy) -> list[Doubt]:
    """The CER is significantly above that of the fp32 reference."""
    more = found.cer_vs_reference
    if found.cer is None or more is None or not more.surely_above_zero:
        return []
    numbers = {"cer": found.cer, "more": more.mean, "low": more.low, "high": more.high}
    rounded = {name: round(value, 4) for name, value in numbers.items() if value is not None}
    return [doubt(Code.CER_WORSE, **rounded, images=more.n)]


def _misleading(found: Accuracy) -> list[Doubt]:
    """The engine is surer of what it misreads more."""
    others = (
        ("fp32 reference", found.cer_vs_reference, found.confidence_vs_reference),
        ("bicubic", found.cer_vs_bicubic, found.confidence_vs_bicubic),
    )
    for name, cer, confidence in others:
        if cer and confidence and cer.surely_above_zero and confidence.mean > 0:
            more, surer = round(cer.mean, 4), round(confidence.mean, 4)
            code = Code.CONFIDENCE_MISLEADS
            return [doubt(code, against=name, cer_more=more, confidence_more=surer)]
    return []

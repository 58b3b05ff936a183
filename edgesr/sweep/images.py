"""The images of a sweep: to train on, to calibrate with, to be judged by."""

import math
from dataclasses import dataclass
from pathlib import Path

from edgesr.data.images import read_image
from edgesr.data.make_pairs import PairOptions, Progress, find_images, make_pairs, pair_folder
from edgesr.data.pairs import PAIRS_FILE, pairs_from, unique_names
from edgesr.data.slides import write_slides

TRAINING_SLIDES = (40, 1)
"""(count, seed), as for the recipes; a few hundred steps need no more of them."""
TEST_SLIDES = (4, 7300)
"""(count, seed): slides that nothing is trained on or calibrated with."""
_CALIBRATION = 28
"""So many images of a folder; `convert` takes no more."""


@dataclass(frozen=True)
class SweepImages:
    """Where the images lie."""

    train: str
    """A source, as ``[data] train`` of a training config takes it."""
    calibration: Path
    """Pairs of the same images."""
    test: Path
    """Pairs to be judged by."""
    names: tuple[str, str]
    """What they are, for people: training and test."""


def prepare_images(
    sources: tuple[Path | None, Path | None],
    scale: int,
    folder: Path,
    progress: Progress | None = None,
) -> SweepImages:
    """Finds the images, and makes the small ones (bicubic) where there are large ones only.

    Args:
        sources: For training and for the test: a pairs.csv, its folder, or a folder of large
            images; None renders slides.
        scale: The network's.
        folder: Gets what is made.
        progress: Told about every image.

    Raises:
        InputError: When a source does not exist or holds nothing.
        StoreError: When the folder can't be written.
    """
    data, test = sources
    names = _name(data), _name(test)
    judged = _test(test, scale, folder, progress)
    if data is None:
        slides = _slides(folder / f"training-x{scale}", TRAINING_SLIDES, scale, progress)
        return SweepImages(str(slides), slides, judged, names)
    if _holds_pairs(data):
        pairs_from(data)  # what is wrong with it is told now
        return SweepImages(str(data), data, judged, names)
    calibration = _thinned(data, folder / f"calibration-{data.resolve().name}-x{scale}", scale)
    return SweepImages(str(data), calibration, judged, names)


def _test(source: Path | None, scale: int, folder: Path, progress: Progress | None) -> Path:
    if source is None:
        return _slides(folder / f"test-x{scale}", TEST_SLIDES, scale, progress)
    if _holds_pairs(source):
        pairs_from(source)
        return source
    made = folder / f"test-{source.resolve().name}-x{scale}"
    make_pairs(source, made, PairOptions(scale), progress)
    return made / PAIRS_FILE


def _holds_pairs(source: Path) -> bool:
    return not source.is_dir() or (source / PAIRS_FILE).is_file()


def _slides(folder: Path, series: tuple[int, int], scale: int, progress: Progress | None) -> Path:
    """Rendered once: the same numbers give the same bytes."""
    count, seed = series
    if not (folder / PAIRS_FILE).is_file():
        write_slides(folder, count, PairOptions(scale, seed=seed), progress)
    return folder / PAIRS_FILE


def _thinned(source: Path, out: Path, scale: int) -> Path:
    """Pairs of at most `_CALIBRATION` of a folder's images, evenly chosen."""
    images = find_images(source)
    images = images[:: math.ceil(len(images) / _CALIBRATION)]
    names = unique_names([image.relative_to(source).as_posix() for image in images])
    with pair_folder(out, PairOptions(scale)) as folder:
        for name, image in zip(names, images, strict=True):
            folder.add(name, read_image(image))
    return out / PAIRS_FILE


def _name(source: Path | None) -> str:
    return "rendered slides" if source is None else str(source)

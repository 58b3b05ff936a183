"""Reads a merged set by any number of models and engines, and scores each by source."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgesr import __version__
from edgesr.data.images import RgbImage
from edgesr.errors import InputError
from edgesr.judge.dataset import OcrSet, Split
from edgesr.judge.scores import PROTOCOL, Scored, Summary, score, summarise
from edgesr.judge.tables import csv_text
from edgesr.quality.engines.vlm import VlmOcr
from edgesr.quality.ocr import OcrEngine, open_engine
from edgesr.quality.reading import Line
from edgesr.quality.text import normalise
from edgesr.quality.vlm.files import Asking, find_vlm, read_notes

CSV_COLUMNS = (
    "reader",
    "row",
    "source",
    "text",
    "read",
    "edits",
    "characters",
    "cer",
    "confidence",
)
Tick = Callable[[str, int, int], None]


@dataclass(frozen=True)
class EvalRequest:
    """What is read by what."""

    data: Path
    """As ``edgesr ocr merge`` wrote it."""
    readers: tuple[str, ...]
    """Folders of models or adapters, or engines as ``--ocr`` takes them."""
    split: Split | None = "test"
    """None: all rows."""
    limit: int | None = None
    """So many images at most, the first ones."""
    batch_size: int = 1
    """Images that a vision-language model reads at once."""


@dataclass(frozen=True)
class Reading:
    """What one reader made of one image."""

    row: int
    """Of the split, from 0."""
    source: str
    text: str
    read: str
    scored: Scored


@dataclass(frozen=True)
class Evaluated:
    """One reader's scores."""

    name: str
    """As it was given."""
    engine: str
    version: str
    language: str
    sha256: str | None
    """Of a vision-language model's files: base, adapter and how it is asked."""
    asking: dict[str, Any] | None
    """How a vision-language model was asked."""
    overall: Summary
    sources: dict[str, Summary]
    readings: tuple[Reading, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the single images."""
        said = ("name", "engine", "version", "language", "sha256", "asking")
        return {
            **{key: getattr(self, key) for key in said},
            "overall": self.overall.to_dict(),
            "sources": {name: found.to_dict() for name, found in self.sources.items()},
        }


@dataclass(frozen=True)
class Evaluation:
    """All readers on the same images."""

    data: dict[str, Any]
    results: tuple[Evaluated, ...]

    def to_dict(self) -> dict[str, Any]:
        """The document that ``edgesr ocr card`` takes."""
        return {
            "schema": 1,
            "edgesr": __version__,
            "protocol": PROTOCOL,
            "data": self.data,
            "readers": [one.to_dict() for one in self.results],
        }

    def csv(self) -> str:
        """One row per reader and image."""
        rows = [
            {
                "reader": result.name,
                **{key: getattr(one, key) for key in ("row", "source", "text", "read")},
                **asdict(one.scored),
                "cer": one.scored.cer,
            }
            for result in self.results
            for one in result.readings
        ]
        return csv_text(CSV_COLUMNS, rows)


def evaluate(request: EvalRequest, tick: Tick) -> Evaluation:
    """Reads and scores.

    Args:
        request: What is read by what.
        tick: Told (reader, images read, images in all).

    Raises:
        InputError: When the data, a model or an image can't be read, or the split is empty.
        UsageError: When there is no such engine.
        MissingExtraError: When an engine's packages are not installed.
    """
    data = OcrSet(request.data, request.split)
    chosen = [index for index, text in enumerate(data.texts) if normalise(text)][: request.limit]
    if not chosen:
        raise InputError(
            f"{request.data} has no images with text in its split {request.split or 'all'}",
            hint="choose another --split, or merge with other shares",
        )
    untold = _told(request.readers)
    engines = [(name, _open(name, untold)) for name in request.readers]  # a typo shows at once
    results = []
    for name, engine in engines:
        readings = []
        for start in range(0, len(chosen), request.batch_size):
            tick(name, start, len(chosen))
            part = chosen[start : start + request.batch_size]
            found = _read(engine, [data.image(index) for index in part])
            for index, lines in zip(part, found, strict=True):
                readings.append(_reading(data, index, lines))
        results.append(_evaluated(name, engine, readings))
    about = {
        "path": str(request.data),
        "sha256": data.sha256(),
        "split": request.split or "all",
        "images": len(chosen),
        "sources": dict(sorted(Counter(data.sources[index] for index in chosen).items())),
        "batch_size": request.batch_size,
    }
    return Evaluation(about, tuple(results))


def _open(name: str, untold: Asking | None) -> OcrEngine:
    """A folder is a vision-language model, everything else an engine."""
    kind, _, argument = name.partition(":")
    if Path(name).is_dir():
        return VlmOcr(name, untold=untold)
    return VlmOcr(argument, untold=untold) if kind == VlmOcr.name else open_engine(name)


def _told(readers: Sequence[str]) -> Asking | None:
    """How the first model that tells it is asked; a bare base beside it is asked likewise."""
    folders = (Path(name.removeprefix("vlm:")) for name in readers)
    return next((find_vlm(str(folder)).asking for folder in folders if read_notes(folder)), None)


def _read(engine: OcrEngine, images: list[RgbImage]) -> Sequence[tuple[Line, ...]]:
    if isinstance(engine, VlmOcr):
        return engine.read_batch(images)
    return [engine.read(image) for image in images]


def _reading(data: OcrSet, index: int, lines: Sequence[Line]) -> Reading:
    text = data.texts[index]
    read = "\n".join(line.text for line in lines)
    return Reading(index, data.sources[index], text, read, score(lines, text))


def _evaluated(name: str, engine: OcrEngine, readings: Sequence[Reading]) -> Evaluated:
    by_source: dict[str, list[Scored]] = {}
    for one in readings:
        by_source.setdefault(one.source, []).append(one.scored)
    files = engine.files if isinstance(engine, VlmOcr) else None
    return Evaluated(
        name,
        engine.name,
        engine.version,
        engine.language,
        files.sha256 if files else None,
        asdict(files.asking) if files else None,
        summarise([one.scored for one in readings]),
        {source: summarise(scored) for source, scored in sorted(by_source.items())},
        tuple(readings),
    )

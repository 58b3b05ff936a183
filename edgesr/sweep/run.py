"""A sweep: images -> trainings -> candidates -> quality -> latency -> one table."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgesr.convert.graph import read_graph
from edgesr.convert.pipeline import ConvertRequest, convert
from edgesr.errors import EdgesrError, Interrupted, StoreError, UsageError
from edgesr.files import write_text
from edgesr.models.checkpoint import Checkpoint, load_checkpoint
from edgesr.quality.evaluate import EvalRequest, evaluate
from edgesr.quality.ocr import open_engine
from edgesr.quality.runners import RunnerOptions
from edgesr.results.store import Candidate, RunFolder, Workspace
from edgesr.sweep.findings import findings
from edgesr.sweep.images import SweepImages, prepare_images
from edgesr.sweep.latency import Timing, time_rows
from edgesr.sweep.table import Row, Table
from edgesr.sweep.training import Schooling, training_config
from edgesr.sweep.ways import Way, choose_ways, with_references

Note = Callable[[str], None]
Progress = Callable[[str, int, int], None]

RESULT = "sweep.json"


@dataclass(frozen=True)
class SweepRequest:
    """What to sweep, and how.

    Raises:
        UsageError: When the number of steps makes no sense.
    """

    checkpoint: str
    """A float checkpoint's file, or the name of a bundled one."""
    ways: str | tuple[Way, ...] = "all"
    """Names, as `choose_ways` takes them, or the ways themselves."""
    data: Path | None = None
    """To train on and to calibrate with: a pairs.csv, its folder, or a folder of large images;
    None renders slides."""
    test: Path | None = None
    """To be judged by, likewise; None renders other slides."""
    steps: int = 300
    """Of every training."""
    seed: int = 1
    """Of every training."""
    settings: tuple[str, ...] = ()
    """Other settings of every training, ``train.lr=1e-4``."""
    size: tuple[int, int] = (360, 640)
    """(H, W) of the low-res image that the candidates take."""
    timing: Timing = field(default_factory=Timing)
    ocr: str | None = None
    """Engine that reads the upscaled test images; None reads nothing."""
    options: dict[str, int | float | str | bool] = field(default_factory=dict)
    """What a checkpoint's shapes don't tell."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"--steps {self.steps}: a training has at least one step")


@dataclass(frozen=True)
class SweepResult:
    """What came out."""

    table: Table
    document: dict[str, Any]
    """JSON-ready, with everything that was asked for."""
    findings: list[str]
    failed_jobs: int
    """Measurements without a good round that were not refused."""


def run_sweep(
    request: SweepRequest, workspace: Workspace, note: Note, progress: Progress | None = None
) -> SweepResult:
    """Makes, judges and measures a candidate by every way.

    A way that fails costs its row only. Rows are written to ``sweep.json`` as soon as they are
    there, and trainings that an interrupted sweep finished are taken up again.

    Args:
        request: What.
        workspace: Gets candidates and the run, and below ``sweeps/`` images and checkpoints.
        note: Called with one line when something is done.
        progress: Called with (what is being done, steps done, steps in all).

    Raises:
        UsageError, InputError: When the request does not hold.
        StoreError: When the workspace can't be written.
    """
    sweep = _Sweep(request, workspace, note, progress or (lambda *_: None))
    for row in sweep.made():
        sweep.keep(row)
    return sweep.measured()


class _Sweep:
    """One sweep: what it was asked for, and the rows so far."""

    def __init__(
        self, request: SweepRequest, workspace: Workspace, note: Note, progress: Progress
    ) -> None:
        self.request, self.workspace, self.note, self.progress = request, workspace, note, progress
        options = dict(request.options) or None
        self.checkpoint: Checkpoint = load_checkpoint(request.checkpoint, options=options)
        self.ways = _ways(request.ways, self.checkpoint)
        if request.ocr is not None:
            open_engine(request.ocr)  # an unknown name is told before the work
        root = workspace.root / "sweeps"
        sources, scale = (request.data, request.test), self.checkpoint.spec.scale
        self.images: SweepImages = prepare_images(sources, scale, root / "images", progress)
        common = (request.steps, request.seed, root, request.settings)
        self.schooling = Schooling(self.checkpoint, self.images.train, *common)
        training_config(self.schooling, "")  # a bad setting is told now
        self.rows: dict[str, Row] = {}

    # -- candidates -----------------------------------------------------------------------------

    def made(self) -> Iterator[Row]:
        """A judged row per way; the quick ones first."""
        for group in _together([way for way in self.ways if way.trains is None]):
            yield from self._judged(self._converted(self.checkpoint.path, group))
        trained = [way for way in self.ways if way.trains is not None]
        began = time.monotonic()
        for done, way in enumerate(trained, start=1):
            yield self._trained(way)
            left = (time.monotonic() - began) / done * (len(trained) - done)
            if left:
                self.note(f"{done} of {len(trained)} trained, about {_duration(left)} to go")

    def _trained(self, way: Way) -> Row:
        tell = self._telling(f"{way.name}: ")
        try:
            checkpoint = self.schooling.train(way.trains or "", tell)
        except EdgesrError as error:
            return _failure(way, error)
        return next(self._judged(self._converted(checkpoint, [way])))

    def _converted(self, checkpoint: Path, ways: Sequence[Way]) -> list[Row]:
        """All of them at once; where that fails, each alone, so that one costs its row only."""
        try:
            found = self._convert(checkpoint, ways)
        except EdgesrError as error:
            if len(ways) == 1:
                return [_failure(ways[0], error)]
            return [row for way in ways for row in self._converted(checkpoint, [way])]
        by_variant = {candidate.manifest.variant: candidate for candidate in found}
        return [_made(way, by_variant[way.variant]) for way in ways]

    def _convert(self, checkpoint: Path, ways: Sequence[Way]) -> list[Candidate]:
        request = ConvertRequest(
            checkpoint=str(checkpoint),
            variants=tuple(dict.fromkeys(way.variant for way in ways)),
            size=self.request.size,
            calibration=self.images.calibration,
            options=dict(self.request.options),
            integer=ways[0].integer,
        )
        tell = self._telling(f"{', '.join(way.name for way in ways)}: ")
        return convert(request, self.workspace, tell)

    def _judged(self, rows: Sequence[Row]) -> Iterator[Row]:
        for row in rows:
            if not row.candidate:
                yield row
                continue
            try:
                yield self._scored(row)
            except EdgesrError as error:
                yield replace(row, error=str(error))

    def _scored(self, row: Row) -> Row:
        """With the quality of its pixels as LiteRT computes them."""
        assert row.candidate is not None  # noqa: S101 - for the type checker
        request = EvalRequest(
            model=str(row.candidate.path),
            pairs=self.images.test,
            runner=RunnerOptions(threads=self.request.timing.threads),
            ocr=self.request.ocr,
        )
        mean = evaluate(request, self._telling(f"{row.way.name}: test image ")).mean()
        return replace(row, psnr_y=mean["psnr_y"], ssim_y=mean["ssim_y"], cer=mean.get("cer"))

    def keep(self, row: Row) -> None:
        """Adds a row, and writes what there is."""
        self.rows[row.way.name] = row
        if row.error is not None:
            self.note(f"{row.way.name} failed: {row.error}")
        elif row.psnr_y is not None:
            self.note(f"{row.way.name}: {row.psnr_y:.3f} dB, {(row.size_bytes or 0) / 1e3:.1f} KB")
        self._write(self._document(self._table()))

    # -- the result -----------------------------------------------------------------------------

    def measured(self) -> SweepResult:
        """The table with latencies, in the order that was asked for."""
        timing = self.request.timing
        rows, run, failed = self._table().rows, None, 0
        if any(row.candidate for row in rows):
            timed = time_rows(rows, timing, self.workspace, self.progress)
            rows, run, failed = timed.rows, timed.run, timed.failed
        table = Table(rows)
        told = findings(table, timing.delegates)
        document = self._document(table, run, told)
        self._write(document)
        return SweepResult(table, document, told, failed)

    def _table(self) -> Table:
        return Table(tuple(self.rows[way.name] for way in self.ways if way.name in self.rows))

    def _document(
        self, table: Table, run: RunFolder | None = None, told: Sequence[str] = ()
    ) -> dict[str, Any]:
        request, timing = self.request, self.request.timing
        return {
            "rows": table.to_list(),
            "findings": list(told),
            "checkpoint": {"file": self.checkpoint.path.name, "sha256": self.checkpoint.sha256},
            "model": self.checkpoint.spec.to_dict(),
            "data": self.images.names[0],
            "test": self.images.names[1],
            "steps": request.steps,
            "seed": request.seed,
            "settings": list(request.settings),
            "size": list(request.size),
            "threads": timing.threads,
            "rounds": timing.rounds,
            "ocr": request.ocr,
            "psnr_drop_db": "PSNR-Y of the row that `reference` names minus the row's own",
            "folder": str(self.schooling.folder),
            "run": str(run.path) if run else None,
        }

    def _write(self, document: dict[str, Any]) -> None:
        write_text(
            self.schooling.folder / RESULT,
            json.dumps(document, indent=2, ensure_ascii=False) + "\n",
        )

    def _telling(self, prefix: str) -> Progress:
        return lambda what, done, total: self.progress(f"{prefix}{what}", done, total)


def _ways(wanted: str | tuple[Way, ...], checkpoint: Checkpoint) -> tuple[Way, ...]:
    if isinstance(wanted, str):
        return choose_ways(wanted, checkpoint.model)
    return with_references(wanted)


def _together(ways: Sequence[Way]) -> list[list[Way]]:
    """Ways that one conversion can make: alike in options; a search for a mix goes alone."""
    groups: dict[tuple[object, bool], list[Way]] = {}
    for way in ways:
        groups.setdefault((way.integer, way.variant == "mixed"), []).append(way)
    return list(groups.values())


def _made(way: Way, candidate: Candidate) -> Row:
    graph = read_graph(candidate.path)
    floats = any(tensor.dtype.startswith("float") for tensor in graph.tensors)
    notes = candidate.manifest.notes
    about = candidate.manifest.quantization
    if about and about.float_layers:
        notes = (*notes, f"in float: {', '.join(about.float_layers)}")
    return Row(way, candidate, integer_only=not floats, notes=notes)


def _failure(way: Way, error: EdgesrError) -> Row:
    """A row that says why it is empty.

    Raises:
        EdgesrError: The error itself, where it ends the sweep.
    """
    if isinstance(error, Interrupted | StoreError):
        raise error
    return Row(way, error=str(error))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

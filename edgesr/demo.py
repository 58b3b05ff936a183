"""The whole path on this machine in a few minutes: slides, fine-tuning, conversion, bench, choice.

Real work at a small size: every number on the page was measured here, a moment ago.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edgesr.assets import asset
from edgesr.config import load_config
from edgesr.errors import UsageError
from edgesr.files import write_bytes
from edgesr.results.manifest import Variant
from edgesr.results.store import Candidate, RunFolder, Workspace
from edgesr.select.selection import Selection

Progress = Callable[[str, int, int], None]
Note = Callable[[str], None]

SLIDES = {"training": (12, 31), "validation": (6, 33), "test": (2, 32)}
"""Purpose -> (count, seed): other slides than the bundled checkpoints were trained on."""
DEGRADATION = "real"
"""The bundled checkpoints know clean slides only: here fine-tuning has something to learn."""
NETWORKS = ("residual-x2-slides", "elsr-x2-slides")
VARIANTS: tuple[Variant, ...] = ("fp32", "fp16", "dynamic", "int8", "int8-io")
"""The first is fine-tuned on the demo's slides, the second is taken as it is."""
SCALE = 2
CRITERIA = "slides-quality"


@dataclass(frozen=True)
class DemoRequest:
    """How long the demo may take, and where it writes.

    Raises:
        UsageError: When the time is too short for the path.
    """

    out: Path
    minutes: float = 5.0
    """Rough upper limit on two cores; a shorter one trains and measures less."""

    def __post_init__(self) -> None:
        if not 1 <= self.minutes <= 120:
            raise UsageError("--minutes has to lie between 1 and 120")

    @property
    def training_steps(self) -> int:
        """Steps of the fine-tuning: about a fifth of the time on two cores."""
        return int(60 * self.minutes)

    @property
    def rounds(self) -> int:
        """Rounds of the bench: with fewer than three a time has no interval."""
        return min(10, max(3, int(self.minutes)))


@dataclass(frozen=True)
class DemoResult:
    """What came out."""

    page: Path
    run: RunFolder
    checkpoint: Path
    psnr_before: float
    """dB of the bundled checkpoint on the validation slides."""
    psnr_after: float
    """dB after fine-tuning."""
    candidates: list[Candidate]
    selection: Selection
    """By `CRITERIA`; without a winner where the machine was too busy to be sure."""


def run_demo(request: DemoRequest, note: Note, progress: Progress | None = None) -> DemoResult:
    """Goes the whole path.

    Args:
        request: Time and place.
        note: Called with one line before each stage.
        progress: Called with (what is being done, steps done, steps in all).

    Raises:
        EdgesrError: Whatever a stage raises.
    """
    workspace = Workspace(request.out)
    note("1/6 rendering lecture slides, as a soft camera and a codec would leave them")
    slides = _slides(request, progress)
    note(f"2/6 fine-tuning {NETWORKS[0]} on them, {request.training_steps} steps")
    checkpoint, before, after = _fine_tune(request, slides, progress)
    note(f"    {before:.2f} dB before, {after:.2f} dB after, on validation slides")
    note("3/6 converting two networks to fp32, fp16, dynamic, int8 and int8-io")
    candidates = _convert(workspace, (str(checkpoint), NETWORKS[1]), slides["training"], progress)
    note("4/6 measuring on this machine, with the pixels that it produces")
    run = _bench(workspace, candidates, slides["test"], request.rounds, progress)
    note("5/6 writing the report")
    page = _report(run, progress)
    note(f"6/6 choosing by the criteria {CRITERIA}")
    selection = _select(workspace, run)
    for group in selection.groups:
        note(f"    {group.recommendation}")
    return DemoResult(page, run, checkpoint, before, after, candidates, selection)


def _slides(request: DemoRequest, progress: Progress | None) -> dict[str, Path]:
    """Renders slides that went through a soft lens and a codec; pairs.csv by what it is for."""
    from edgesr.data.make_pairs import PairOptions
    from edgesr.data.slides import write_slides

    tables = {}
    for purpose, (count, seed) in SLIDES.items():
        folder = request.out / f"slides-{purpose}"
        tables[purpose] = folder / "pairs.csv"
        if tables[purpose].is_file():  # of an earlier demo: the same bytes
            continue
        write_slides(folder, count, PairOptions(SCALE, DEGRADATION, seed), progress)
    return tables


def _fine_tune(
    request: DemoRequest, slides: dict[str, Path], progress: Progress | None
) -> tuple[Path, float, float]:
    from edgesr.train.config import TrainingConfig
    from edgesr.train.loop import TrainRequest, train

    overrides = (
        f"data.train={slides['training']}",
        f"data.val={slides['validation']}",
        f"train.steps_per_epoch={request.training_steps // 2}",
    )
    config = load_config(asset("recipes", "demo-finetune.toml"), TrainingConfig, overrides)
    out = request.out / "train" / f"demo-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    result = train(TrainRequest(config, out), progress)
    checkpoint = out / "residual-x2-demo.pt"
    write_bytes(checkpoint, result.last.best.read_bytes())  # the candidates are called after it
    return checkpoint, result.last.start.psnr_y, result.last.end.psnr_y


def _convert(
    workspace: Workspace, checkpoints: tuple[str, ...], pairs: Path, progress: Progress | None
) -> list[Candidate]:
    from edgesr.convert.pipeline import ConvertRequest, convert

    return [
        candidate
        for checkpoint in checkpoints
        for candidate in convert(
            ConvertRequest(checkpoint, VARIANTS, calibration=pairs), workspace, progress
        )
    ]


def _bench(
    workspace: Workspace,
    candidates: list[Candidate],
    pairs: Path,
    rounds: int,
    progress: Progress | None,
) -> RunFolder:
    from edgesr.bench.runner import BenchRequest, run_bench
    from edgesr.bench.suite import load_suite

    suite = load_suite("quick").model_copy(update={"rounds": rounds, "threads": (2,)})
    request = BenchRequest(tuple(candidates), suite, accuracy=pairs)

    def tell(_device: str, what: str, done: int, total: int) -> None:
        if progress:
            progress(what, done, total)

    return run_bench(request, workspace, tell).run


def _report(run: RunFolder, progress: Progress | None) -> Path:
    from edgesr.report.page import ReportRequest, write_report

    return write_report(ReportRequest((run,)), progress)


def _select(workspace: Workspace, run: RunFolder) -> Selection:
    """The choice, which the workspace keeps where there is one."""
    from edgesr.analysis.rows import read_run
    from edgesr.select.choose import select_runs
    from edgesr.select.criteria import load_criteria
    from edgesr.select.store import write_selection

    selection = select_runs([read_run(run)], load_criteria(CRITERIA))
    if selection.winners:
        write_selection(workspace, selection)
    return selection

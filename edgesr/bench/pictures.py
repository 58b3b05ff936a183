"""The pictures of one run with what their figures are compared with: bicubic and the truth."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgesr.bench.legibility import Judge, Wanted, open_judge
from edgesr.bench.scenes import Group, Scene, Scenes, Scoring, place_scenes
from edgesr.bench.scores import PictureScore, mean_scores, mean_text, text_row
from edgesr.errors import InputError
from edgesr.quality.metrics import PROTOCOL
from edgesr.quality.readability import Reading
from edgesr.results.store import Candidate

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Baseline:
    """One picture without any network."""

    bicubic: PictureScore
    truth: Reading | None
    """The engine's own errors: what no network can better. None where there is nothing to read."""
    wanted: Wanted | None
    """What should be read."""


@dataclass(frozen=True)
class Pictures:
    """What the accuracy pass of one run looks at, and by whose eyes."""

    scenes: Scenes
    scoring: Scoring
    judge: Judge | None
    """None reads nothing."""
    baselines: dict[tuple[str, int], Baseline] = field(default_factory=dict)
    """By pair and scale."""

    def baseline(self, scene: Scene) -> Baseline:
        """Of a chosen picture."""
        return self.baselines[scene.pair.name, scene.scale]

    def to_dict(self) -> dict[str, Any]:
        """As ``run.json`` holds it; keys of groups are ``scale:HxW``."""
        groups, scenes = self.scenes.by_group, self.scenes
        names = {scene.pair.name for chosen in groups.values() for scene in chosen}
        tree = {
            "pairs": str(scenes.path.resolve()),
            "images": sorted(names),
            "skipped": scenes.skipped,
            "options": self.scoring.to_dict(),
            "protocol": PROTOCOL,
            "chosen": {
                _key(group): {"images": len(chosen), "of": scenes.fitting[group]}
                for group, chosen in groups.items()
            },
            "bicubic": {_key(group): self._bicubic(chosen) for group, chosen in groups.items()},
        }
        if self.judge is not None:
            tree["ocr"] = self.judge.protocol()
            tree["truth"] = {_key(group): self._truth(chosen) for group, chosen in groups.items()}
        return {**tree, "pictures": [self._row(*key) for key in self.baselines]}

    def check_begun(self, begun: Mapping[str, Any]) -> None:
        """What a run that goes on would mix: other pictures, or another reader.

        Args:
            begun: What `to_dict` gave when the run was begun.

        Raises:
            InputError: When quality would be of other pictures, or text be read by another engine.
        """
        now = self.to_dict()
        named = ("engine", "version", "language")
        before, today = (
            " ".join(str((tree.get("ocr") or {}).get(name)) for name in named)
            for tree in (begun, now)
        )
        hint = "begin a new run"
        if before != today:
            raise InputError(f"text was read by {before}, and would be by {today} now", hint=hint)
        if not _same_levels(begun.get("bicubic") or {}, now["bicubic"]):
            reason = f"{self.scenes.path}: not the pictures any more that the run was begun with"
            raise InputError(reason, hint=f"put them back, or {hint}")

    def _bicubic(self, chosen: Sequence[Scene]) -> dict[str, float | None]:
        found = [self.baseline(scene).bicubic for scene in chosen]
        if not found:
            return {}
        figures = mean_scores([(one.psnr_y, one.ssim_y) for one in found])
        return {**figures, **mean_text([one.reading.score for one in found if one.reading])}

    def _truth(self, chosen: Sequence[Scene]) -> dict[str, float]:
        found = [self.baseline(scene).truth for scene in chosen]
        return mean_text([reading.score for reading in found if reading])

    def _row(self, name: str, scale: int) -> dict[str, Any]:
        baseline = self.baselines[name, scale]
        row = {"name": name, "scale": scale, "bicubic": baseline.bicubic.to_dict()}
        return row | ({"truth": text_row(baseline.truth)} if baseline.truth else {})


@contextlib.contextmanager
def open_pictures(
    path: Path,
    candidates: Sequence[Candidate],
    scoring: Scoring,
    progress: Progress | None = None,
) -> Iterator[Pictures]:
    """Chooses the pictures, opens the OCR engine, and scores bicubic and the truth.

    Args:
        path: A pairs.csv, or the folder that holds one.
        candidates: What will be measured.
        scoring: How.
        progress: Called with (text, pictures done, pictures in all).

    Raises:
        PairsError: As `place_scenes`.
        ImageError: When an image can't be read.
        UsageError: As `open_judge`.
        MissingExtraError: When the engine's package is not installed.
        InputError: When the engine can't be opened or fails.
    """
    scenes = place_scenes(path, candidates, scoring.launches)
    with open_judge(scenes, scoring) as judge:
        pictures = Pictures(scenes, scoring, judge)
        chosen = {
            (scene.pair.name, scene.scale): scene
            for group in scenes.by_group.values()
            for scene in group
        }
        for done, (key, scene) in enumerate(chosen.items()):
            if progress:
                progress(f"bicubic of {scene.pair.name}", done, len(chosen))
            pictures.baselines[key] = _baseline(scene, judge)
        yield pictures


def _baseline(scene: Scene, judge: Judge | None) -> Baseline:
    image = scene.bicubic()
    wanted = judge.wanted(scene) if judge else None
    if judge is None or wanted is None:
        return Baseline(PictureScore(scene.pair.name, *scene.score(image)), None, None)
    readings = [judge.begin(one, wanted) for one in (image, scene.truth())]
    bicubic, truth = (finish() for finish in readings)
    score = PictureScore(scene.pair.name, *scene.score(image), reading=bicubic)
    return Baseline(score, truth, wanted)


def _same_levels(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether bicubic's quality is the same in every group, but for another machine's rounding."""
    pairs = (
        ((before.get(key) or {}).get(name), level.get(name))
        for key, level in now.items()
        for name in ("psnr_y", "ssim_y")
    )
    return all(
        old == new or (old is not None and new is not None and math.isclose(old, new, abs_tol=1e-3))
        for old, new in pairs
    )


def _key(group: Group) -> str:
    scale, height, width = group
    return f"{scale}:{height}x{width}"

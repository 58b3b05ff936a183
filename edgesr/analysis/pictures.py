"""The figures of each picture of a job, from the files beside a run's records.

Files of other machines: damaged, huge or linked ones tell nothing.
"""

import json
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from edgesr.analysis.devices import mapping, number

FIGURES = ("psnr_y", "ssim_y", "cer")
_MOST_BYTES = 64 * 2**20
Scores = Mapping[str, Mapping[str, float]]
"""Picture -> figure -> value, without those that are unknown."""


class Pictures:
    """The pictures of one run, each file read when it is asked for.

    Args:
        run: The run's folder.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._read: dict[Path, Scores] = {}

    def of(self, key: str) -> Scores:
        """The pictures of a job; empty where there is no file.

        Args:
            key: Of the job.
        """
        path = self._files.get(_without_threads(key))
        if path is None:
            return {}
        if path not in self._read:
            self._read[path] = _scores(path)
        return self._read[path]

    @cached_property
    def _files(self) -> dict[str, Path]:
        """Job without its threads -> file: those that differ in threads only share one."""
        paths = sorted((self._run / "accuracy").glob("*.json"))
        # a foreign run points nowhere else
        return {_without_threads(p.stem): p for p in paths if p.is_file() and not p.is_symlink()}


def _without_threads(key: str) -> str:
    """A job's key without what follows its delegate: pixels don't depend on that."""
    return key.rpartition("-t")[0]


def _scores(path: Path) -> Scores:
    try:
        if path.stat().st_size > _MOST_BYTES:
            return {}
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    images = mapping(tree).get("images")
    found: dict[str, dict[str, float]] = {}
    for row in map(mapping, images if isinstance(images, list) else []):
        if "name" in row:
            values = {name: number(row.get(name)) for name in FIGURES}
            found[str(row["name"])] = {name: v for name, v in values.items() if not math.isnan(v)}
    return found

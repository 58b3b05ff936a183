"""Reads ``metrics.csv`` of trainings, ours or another's."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgesr.errors import InputError
from edgesr.files import read_errors

FILE = "metrics.csv"
MOST_EPOCHS = 100_000


@dataclass(frozen=True)
class Training:
    """One file."""

    name: str
    """Of its folder."""
    columns: dict[str, tuple[float, ...]]
    """Column -> a number per epoch; NaN where there is none."""
    stages: tuple[str, ...]
    """The stage of every epoch."""

    @property
    def steps(self) -> tuple[float, ...]:
        """Where the epochs stand: optimiser steps, else epochs, else counted from 1."""
        for name in ("step", "epoch"):
            found = self.columns.get(name, ())
            if found and all(math.isfinite(value) for value in found):
                return found
        return tuple(float(number) for number in range(1, len(self.stages) + 1))


def read_trainings(paths: Sequence[Path]) -> tuple[Training, ...]:
    """Reads files metrics.csv, given by themselves or by their training's folder.

    Raises:
        InputError: When one can't be read, or is no table with a row.
    """
    return tuple(_read(path / FILE if path.is_dir() else path) for path in paths)


def _read(path: Path) -> Training:
    with read_errors(path):
        text = path.read_text(encoding="utf-8", errors="replace")
    try:
        rows = list(csv.DictReader(text.splitlines(), restval=""))[:MOST_EPOCHS]
    except csv.Error as error:
        raise InputError(f"{path} is no CSV file: {error}") from error
    if not rows or not any(name and name != "stage" for name in rows[0]):
        raise InputError(f"{path} holds no epochs", hint="give a metrics.csv of edgesr train")
    names = [name for name in rows[0] if isinstance(name, str) and name != "stage"]
    columns = {name: tuple(_number(row.get(name)) for row in rows) for name in names}
    stages = tuple(str(row.get("stage") or "") for row in rows)
    return Training(path.resolve().parent.name, columns, stages)


def _number(text: object) -> float:
    try:
        found = float(str(text))
    except ValueError:
        return math.nan
    return found if math.isfinite(found) else math.nan

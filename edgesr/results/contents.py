"""``edgesr-archive.json``: what an archive of runs says that it holds, and what it may say."""

import re
from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA = 1
CONTENTS = "edgesr-archive.json"
"""Name of the first member."""
LONGEST_CONTENTS = 128 << 20
"""Bytes; a file takes some 230, and a run has a log per round."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""Of a run or candidate folder."""
_CANDIDATE = re.compile(r"candidates/([0-9a-f]{12})/(model\.tflite|manifest\.json)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


class ArchivedFile(BaseModel):
    """One file."""

    model_config = ConfigDict(frozen=True)

    size: Annotated[int, Field(ge=0, le=1 << 40)]
    """Bytes."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Contents(BaseModel):
    """The whole archive."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    schema_version: Annotated[int, Field(alias="schema")]
    edgesr: str
    """Version that wrote it."""
    runs: Annotated[tuple[Name, ...], Field(min_length=1)]
    candidates: tuple[Name, ...] = ()
    files: dict[str, ArchivedFile]
    """By their path in the archive."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    def of(self, kind: str, name: str) -> dict[str, ArchivedFile]:
        """The files of one run or candidate, by their path within it."""
        return self._by_home.get(f"{kind}/{name}", {})

    @cached_property
    def _by_home(self) -> dict[str, dict[str, ArchivedFile]]:
        found: dict[str, dict[str, ArchivedFile]] = {}
        for path, file in self.files.items():
            kind, name, rest = path.split("/", 2)
            found.setdefault(f"{kind}/{name}", {})[rest] = file
        return found

    @model_validator(mode="after")
    def _stays_inside(self) -> Self:
        """Every file belongs to a run or candidate that is named, and to no place elsewhere."""
        homes = {f"runs/{name}" for name in self.runs}
        homes |= {f"candidates/{name}" for name in self.candidates}
        for path in self.files:
            kind, _, rest = path.partition("/")
            parts = rest.split("/")
            plain = len(path) <= 1000 and len(parts) <= 12 and not _CONTROL.search(path)
            hidden = any(not part or part.startswith(".") for part in parts)
            if not plain or hidden or len(parts) < 2 or f"{kind}/{parts[0]}" not in homes:
                raise ValueError(f"{path[:100]!r} is no place for a file")
            if kind == "candidates" and not _CANDIDATE.fullmatch(path):
                raise ValueError(f"{path[:100]!r} is no file of a candidate")
        for name in self.runs:
            if "run.json" not in self.of("runs", name):
                raise ValueError(f"run {name} has no run.json")
        for name in self.candidates:
            if len(self.of("candidates", name)) != 2:
                raise ValueError(f"candidate {name} is not whole")
        return self

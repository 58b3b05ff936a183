"""Runs in one ``.tar.gz``, to pass them between machines.

The first member, ``edgesr-archive.json``, names every file with its size and sha256; then come the
files, ``runs/<name>/...`` and ``candidates/<id>/...``. The same files give the same bytes. What a
run can be made anew from itself stays out: its report, its tables, links, hidden files.
"""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from edgesr import __version__
from edgesr.errors import StoreError
from edgesr.files import atomic_file, read_errors, sha256_file
from edgesr.results.contents import CONTENTS, LONGEST_CONTENTS, SCHEMA, ArchivedFile, Contents
from edgesr.results.store import RunFolder, Workspace

_DERIVED = frozenset({"report", "records.parquet", "records.csv"})
"""Of a run folder: made from the rest."""
_CANDIDATE = ("model.tflite", "manifest.json")


def write_archive(
    path: Path, runs: Sequence[RunFolder], candidates: Sequence[Path] = ()
) -> Contents:
    """Writes the runs, and candidates with them, all or nothing.

    Args:
        path: The ``.tar.gz``; one that is there is replaced.
        runs: At least one; each with another name.
        candidates: Folders of the workspace, see `candidate_folders`.

    Returns:
        What stands in it.

    Raises:
        StoreError: When a run is being measured, can't be read, or the archive can't be written.
    """
    for run in runs:
        run.header()  # a damaged one would be refused where it arrives
        if run.busy():
            raise StoreError(
                f"another edgesr is measuring {run.path}", hint="export when it has finished"
            )
    names = [run.path.name for run in runs]
    if len(set(names)) < len(names):
        raise StoreError("two runs have one name", hint="export them one by one")
    sources = {name: file for run in runs for name, file in _run_files(run.path)}
    for folder in candidates:
        sources |= {f"candidates/{folder.name}/{name}": folder / name for name in _CANDIDATE}
    contents = _contents(names, [folder.name for folder in candidates], sources)
    text = json.dumps(contents.model_dump(by_alias=True), indent=1).encode()
    if len(text) > LONGEST_CONTENTS:
        raise StoreError("these are too many files for one archive", hint="export fewer runs")
    with atomic_file(path) as temporary, temporary.open("wb") as raw:
        zipped = gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0)
        with zipped, tarfile.open(fileobj=zipped, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            tar.addfile(_member(CONTENTS, len(text)), io.BytesIO(text))
            for name, told in contents.files.items():
                _add(tar, name, told, sources[name])
    return contents


def candidate_folders(workspace: Workspace, runs: Sequence[RunFolder]) -> list[Path]:
    """Folders of the candidates that the runs measured, as far as the workspace has them."""
    told = (run.header().get("candidates") for run in runs)
    measured = {name for names in told if isinstance(names, dict) for name in names}
    return [c.path.parent for c in workspace.candidates() if c.manifest.id in measured]


def _contents(
    runs: Sequence[str], candidates: Sequence[str], sources: Mapping[str, Path]
) -> Contents:
    """What the archive will say of itself.

    Raises:
        StoreError: When a file's name is one that no archive may carry.
    """
    files = {}
    for name, file in sorted(sources.items()):
        with read_errors(file):
            files[name] = ArchivedFile(size=file.stat().st_size, sha256=sha256_file(file))
    try:
        return Contents(
            schema_version=SCHEMA,
            edgesr=__version__,
            runs=tuple(sorted(runs)),
            candidates=tuple(sorted(candidates)),
            files=files,
        )
    except ValidationError as error:
        told = error.errors()[0]
        reason = told["msg"] if told["type"] == "value_error" else f"{told['input']!r} is no name"
        raise StoreError(
            f"these runs can't be exported: {reason.removeprefix('Value error, ')}",
            hint="give folders and files plain names: letters, digits, dots and dashes",
        ) from error


def _run_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(name in the archive, file) of everything in a run folder that belongs into one."""
    for root, folders, names in os.walk(folder, onerror=_unreadable):
        place = Path(root).relative_to(folder)
        top = place == Path()
        folders[:] = [f for f in folders if not f.startswith(".") and not (top and f in _DERIVED)]
        for name in names:
            file = Path(root) / name
            hidden = name.startswith(".") or (top and name in _DERIVED)
            if not hidden and not file.is_symlink() and file.is_file():
                yield f"runs/{folder.name}/{(place / name).as_posix()}", file


def _unreadable(error: OSError) -> None:
    """A part that can't be read must not be left out in silence."""
    raise StoreError(f"can't read {error.filename}: {error.strerror}") from error


def _member(name: str, size: int) -> tarfile.TarInfo:
    """A plain file without owner and time."""
    found = tarfile.TarInfo(name)
    found.size, found.mode = size, 0o644
    return found


def _add(tar: tarfile.TarFile, name: str, told: ArchivedFile, source: Path) -> None:
    """Adds a file, which must still be what was told of it.

    Raises:
        StoreError: When it changed meanwhile.
    """
    changed = StoreError(f"{source} changed while it was exported", hint="export again")
    with source.open("rb") as file:
        hashed = _Hashed(file)
        try:
            tar.addfile(_member(name, told.size), hashed)
        except OSError as error:
            if "unexpected end" in str(error):
                raise changed from error
            raise
    if hashed.digest.hexdigest() != told.sha256:
        raise changed


class _Hashed(io.RawIOBase):
    """A file whose content is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes."""
        data = self.file.read(size)
        self.digest.update(data)
        return data

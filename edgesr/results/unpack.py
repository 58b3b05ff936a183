"""Runs out of an archive, which is foreign: everything in it is checked before it has a name.

Only plain files that the archive's table of contents names are written, each with the size and
sha256 that it tells, into a hidden folder of the workspace; only when all are there and whole do
runs and candidates get their names. More bytes than were declared are never unpacked.
"""

import contextlib
import gzip
import hashlib
import io
import json
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from edgesr.errors import InputError, StoreError
from edgesr.files import read_errors, sha256_file, store_errors
from edgesr.results.contents import CONTENTS, LONGEST_CONTENTS, SCHEMA, ArchivedFile, Contents
from edgesr.results.manifest import read_manifest
from edgesr.results.scratch import scratch_folder
from edgesr.results.store import RunFolder, Workspace

_PER_FILE = 8 << 10
"""Bytes that a file may take in the archive besides its content: headers, padding."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Imported:
    """What came of an archive."""

    runs: tuple[str, ...]
    """Names of the runs that are new in the workspace."""
    there: tuple[str, ...]
    """Runs that were there already, the same to the byte."""
    candidates: tuple[str, ...]
    """Folders of the candidates that are new."""


def read_archive(path: Path, workspace: Workspace) -> Imported:
    """Unpacks an archive of `archive.write_archive` into a workspace, all of it or nothing.

    Raises:
        InputError: When it is no such archive, is damaged, or holds what an archive must not.
        StoreError: When a run of one of the names is there and differs, a run is of a newer
            schema, or the workspace can't be written.
    """
    with _reading(path), path.open("rb") as raw, gzip.GzipFile(fileobj=raw) as unzipped:
        limited = _Limited(unzipped, LONGEST_CONTENTS + 4 * _PER_FILE)
        with tarfile.open(fileobj=limited, mode="r|", encoding="utf-8", errors="strict") as tar:
            contents = _contents(tar, path)
            limited.left = contents.size + _PER_FILE * (len(contents.files) + 8)
            wanted, there = _new_runs(contents, workspace)
            with _scratch(workspace, contents.size) as folder:
                _unpack(tar, contents, folder)
                while limited.read(_BLOCK):  # to the checksum at the end
                    pass
                return _move_in(contents, wanted, there, folder, workspace)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever a damaged archive makes the libraries raise, in one sentence."""
    damaged = (
        tarfile.TarError,
        gzip.BadGzipFile,
        EOFError,
        zlib.error,
        UnicodeError,
        _TooMuchError,
    )
    with read_errors(path):
        try:
            yield
        except damaged as error:
            raise InputError(
                f"{path} is damaged or no archive of runs: {error}",
                hint="archives are made with: edgesr runs export RUN --format archive",
            ) from error


class _TooMuchError(Exception):
    """The archive holds more than it declares."""


class _Limited(io.RawIOBase):
    """A file of which only so many bytes may be read.

    Args:
        file: The unpacked archive.
        left: Bytes that may still come.
    """

    def __init__(self, file: gzip.GzipFile, left: int) -> None:
        self.file, self.left = file, left

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes.

        Raises:
            _TooMuchError: When more come than may.
        """
        data = self.file.read(min(size, self.left + 1) if size >= 0 else self.left + 1)
        self.left -= len(data)
        if self.left < 0:
            raise _TooMuchError("it holds more than it declares")
        return data


def _contents(tar: tarfile.TarFile, path: Path) -> Contents:
    """The table of contents, which must come first.

    Raises:
        InputError: When there is none, or it names what no archive may hold.
        StoreError: When it is of a newer schema.
    """
    first = tar.next()
    file = tar.extractfile(first) if first is not None and first.isreg() else None
    if first is None or file is None or first.name != CONTENTS or first.size > LONGEST_CONTENTS:
        raise tarfile.ReadError(f"it does not begin with {CONTENTS}")
    try:
        tree = json.loads(file.read())
        schema = tree.get("schema") if isinstance(tree, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise StoreError(
                f"{path} has schema {schema}, this edgesr reads up to {SCHEMA}",
                hint="install a newer edgesr",
            )
        return Contents.model_validate(tree)
    except ValidationError as error:
        reason = error.errors()[0]
        where = ".".join(str(part) for part in reason["loc"])[:100]
        raise InputError(
            f"{path} is refused: {where} {reason['msg']}".replace("  ", " ")
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {CONTENTS}: {error}") from error


def _new_runs(contents: Contents, workspace: Workspace) -> tuple[list[str], list[str]]:
    """(runs to unpack, runs that are there already).

    Raises:
        StoreError: When one of the same name differs.
    """
    wanted, there = [], []
    for name in contents.runs:
        folder = workspace.root / "runs" / name
        if not folder.exists():
            wanted.append(name)
        elif _same(folder, contents.of("runs", name)):
            there.append(name)
        else:
            raise StoreError(
                f"{folder} is there and differs from the archive's",
                hint="import into another workspace with --workspace DIR",
            )
    return wanted, there


def _same(folder: Path, files: dict[str, ArchivedFile]) -> bool:
    """Whether a folder holds each of the files; it may hold more, as a report."""
    return all(
        (folder / name).is_file()
        and (folder / name).stat().st_size == told.size
        and sha256_file(folder / name) == told.sha256
        for name, told in files.items()
    )


@contextlib.contextmanager
def _scratch(workspace: Workspace, size: int) -> Iterator[Path]:
    """A hidden folder on the workspace's disk.

    Raises:
        StoreError: When the disk has no room for what is declared, or can't be written.
    """
    with store_errors(workspace.root):
        workspace.root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(workspace.root).free
        if size > free:
            raise StoreError(
                f"the archive needs {size / 1e6:.0f} MB, and {workspace.root} has "
                f"{free / 1e6:.0f} MB left",
                hint="free some space or choose another folder with --workspace",
            )
    with scratch_folder(workspace.root, "import") as folder:
        yield folder


def _unpack(tar: tarfile.TarFile, contents: Contents, folder: Path) -> None:
    """Writes every declared file, and takes nothing else.

    Raises:
        tarfile.ReadError: When a member is not what was declared, or one is missing.
        StoreError: When the disk refuses.
    """
    missing = dict(contents.files)
    while (member := tar.next()) is not None:
        told = missing.pop(member.name, None)
        if told is None or not member.isreg() or member.issparse() or member.size != told.size:
            raise tarfile.ReadError(f"{member.name[:100]!r} is not what it declares")
        file = tar.extractfile(member)
        if file is None:
            raise tarfile.ReadError(f"{member.name[:100]!r} has no content")
        if _write(file, folder / member.name) != told.sha256:
            raise tarfile.ReadError(f"{member.name[:100]!r} has another content than it declares")
    if missing:
        raise tarfile.ReadError(f"{next(iter(missing))[:100]!r} is missing")


def _write(file: IO[bytes], path: Path) -> str:
    """Copies a member; returns its sha256."""
    digest = hashlib.sha256()
    with store_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.open("xb")
    with written:
        while block := file.read(_BLOCK):
            digest.update(block)
            with store_errors(path):
                written.write(block)
    return digest.hexdigest()


def _move_in(
    contents: Contents, wanted: list[str], there: list[str], folder: Path, workspace: Workspace
) -> Imported:
    """Gives runs and candidates their names; what fails takes back what had one.

    Raises:
        InputError: When a candidate is not what its manifest says.
        StoreError: When a run can't be read by this edgesr, or the workspace can't be written.
    """
    places = [("runs", name) for name in wanted]
    for name in wanted:
        RunFolder(folder / "runs" / name).header()
    for name in contents.candidates:
        made, model = folder / "candidates" / name, f"candidates/{name}/model.tflite"
        manifest = read_manifest(made / "manifest.json")
        if manifest.id != contents.files[model].sha256 or manifest.short_id != name:
            raise InputError(f"candidate {name} is not the file its manifest describes")
        if not (workspace.root / "candidates" / name).exists():
            places.append(("candidates", name))
    with contextlib.ExitStack() as undo:
        for kind, name in places:
            final = workspace.root / kind / name
            with store_errors(final):
                final.parent.mkdir(parents=True, exist_ok=True)
                (folder / kind / name).rename(final)
            undo.callback(shutil.rmtree, final, ignore_errors=True)
        undo.pop_all()
    new = tuple(name for kind, name in places if kind == "candidates")
    return Imported(tuple(wanted), tuple(there), new)

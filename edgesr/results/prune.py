"""Deleting runs that are no longer wanted: chosen first and shown, then deleted whole."""

import contextlib
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edgesr.errors import StoreError, UsageError
from edgesr.files import store_errors
from edgesr.results.inventory import created_at, folder_size, run_folders
from edgesr.results.scratch import scratch_folder
from edgesr.results.store import RunFolder, Workspace


@dataclass(frozen=True)
class PruneOptions:
    """Which runs shall go; where several are given, a run must meet all of them."""

    names: tuple[str, ...] = ()
    """Names or beginnings of names; none for every run."""
    keep: int | None = None
    """So many of the newest stay."""
    older_than: timedelta | None = None
    """Those that were begun later stay; one whose time is not known stays too."""

    def __post_init__(self) -> None:
        """Says no to what would take every run.

        Raises:
            UsageError: When nothing chooses, or a number makes no sense.
        """
        if not self.names and self.keep is None and self.older_than is None:
            raise UsageError(
                "nothing says which runs shall go", hint="name them, or give --keep or --older-than"
            )
        if self.keep is not None and self.keep < 0:
            raise UsageError(f"--keep {self.keep} is below zero")


@dataclass(frozen=True)
class Chosen:
    """A run that was asked to go."""

    folder: RunFolder
    size_bytes: int
    spared: str = ""
    """Why it stays nevertheless; empty for one that goes."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.folder.path.name


def choose(
    workspace: Workspace, options: PruneOptions, *, selected: Collection[str] = ()
) -> list[Chosen]:
    """The runs that the options mean, oldest first; nothing is deleted.

    Args:
        workspace: Where to look.
        options: Which.
        selected: Names of runs that the workspace's selection rests on: they are spared.

    Raises:
        UsageError: When a name fits no run, or more than one.
        StoreError: When the workspace can't be read.
    """
    folders = run_folders(workspace)
    found = [_named(folders, name) for name in options.names] if options.names else folders
    if options.keep is not None:
        newest = {folder.path for folder in folders[len(folders) - options.keep :]}
        found = [folder for folder in found if folder.path not in newest]
    if options.older_than is not None:
        limit = datetime.now(UTC) - options.older_than
        found = [folder for folder in found if _begun_before(folder, limit)]
    unique = sorted({folder.path for folder in found})
    return [_chosen(RunFolder(path), selected) for path in unique]


def delete(workspace: Workspace, chosen: Sequence[Chosen]) -> None:
    """Deletes the runs that nothing spares; each is gone at once, or stays whole.

    Args:
        workspace: Theirs.
        chosen: What `choose` gave.

    Raises:
        StoreError: When one is being measured by now, or can't be deleted; those before it are
            gone.
    """
    runs = workspace.root / "runs"
    if not runs.is_dir():
        return
    with scratch_folder(runs, "pruned") as grave:
        for one in chosen:
            if not one.spared:
                _delete(one.folder, grave)


def _named(folders: Sequence[RunFolder], name: str) -> RunFolder:
    fitting = [folder for folder in folders if folder.path.name.startswith(name)]
    exact = [folder for folder in fitting if folder.path.name == name]
    if not name or len(exact or fitting) != 1:
        what = "is no run" if not fitting else "fits more than one run"
        raise UsageError(f"{name!r} {what}", hint="see them with: edgesr runs list")
    return (exact or fitting)[0]


def _begun_before(folder: RunFolder, limit: datetime) -> bool:
    begun = created_at(folder, _header(folder))  # a damaged run's name tells it
    return begun is not None and begun < limit


def _header(folder: RunFolder) -> dict[str, Any]:
    """Its run.json; of a damaged one nothing."""
    with contextlib.suppress(StoreError):
        return folder.header()
    return {}


def _chosen(folder: RunFolder, selected: Collection[str]) -> Chosen:
    spared = ""
    if folder.path.is_symlink():
        spared = "a link to another folder"
    elif folder.busy():
        spared = "being measured"
    elif selected and {folder.path.name, str(_header(folder).get("run"))} & set(selected):
        spared = "the selection rests on it"
    return Chosen(folder, folder_size(folder.path), spared)


def _delete(folder: RunFolder, grave: Path) -> None:
    """Takes the run's name away first: a deletion that breaks off leaves no half run."""
    gone = grave / folder.path.name
    with store_errors(folder.path):
        with folder.exclusively():
            folder.path.rename(gone)
        shutil.rmtree(gone)

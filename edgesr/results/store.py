"""The workspace on disk: candidates, runs, and records that survive a crash."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from edgesr.errors import InputError, StoreError
from edgesr.files import atomic_folder, sha256_file, store_errors, write_text
from edgesr.results.lines import RecordLines
from edgesr.results.manifest import Manifest, read_manifest
from edgesr.results.migrate import migrate
from edgesr.results.records import SCHEMA, Record


@dataclass(frozen=True)
class Candidate:
    """A .tflite in the workspace (or elsewhere) with its manifest."""

    path: Path
    """The .tflite file."""
    manifest: Manifest

    def check(self) -> None:
        """Makes sure that the file is the one that its manifest describes.

        Raises:
            InputError: When it is missing or its content differs.
        """
        if sha256_file(self.path) != self.manifest.id:
            raise InputError(
                f"{self.path} is not the file its manifest describes",
                hint="convert the checkpoint again",
            )


def write_candidates(entries: Sequence[tuple[Path, Path, Manifest]]) -> list[Candidate]:
    """Copies candidates into their folders, all of them or none.

    Args:
        entries: (folder, .tflite to copy, its manifest); a folder that is there is replaced.

    Raises:
        StoreError: When one can't be written; nothing is left behind.
    """
    with contextlib.ExitStack() as all_or_none:  # no folder gets its name before all are written
        for folder, tflite, manifest in entries:
            temporary = all_or_none.enter_context(atomic_folder(folder))
            shutil.copyfile(tflite, temporary / "model.tflite")
            (temporary / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    return [Candidate(folder / "model.tflite", manifest) for folder, _, manifest in entries]


class Workspace:
    """The folder everything is kept in: ``candidates/`` and ``runs/``.

    Args:
        root: The folder; it is made when something is first written.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def add_candidate(self, tflite: Path, manifest: Manifest) -> Candidate:
        """Copies a .tflite in under its content's name; the same bytes are replaced, not doubled.

        Raises:
            StoreError: When the workspace can't be written; nothing is left behind.
        """
        return write_candidates([(self.candidate_folder(manifest), tflite, manifest)])[0]

    def candidate_folder(self, manifest: Manifest) -> Path:
        """Where a candidate is kept."""
        return self.root / "candidates" / manifest.short_id

    def candidates(self) -> list[Candidate]:
        """All candidates, by name.

        Raises:
            StoreError: When a manifest is damaged.
        """
        found = [
            Candidate(path.parent / "model.tflite", read_manifest(path))
            for path in (self.root / "candidates").glob("[!.]*/manifest.json")
        ]
        return sorted(found, key=lambda candidate: (candidate.manifest.name, candidate.manifest.id))

    def candidate(self, name: str) -> Candidate:
        """Finds one candidate by id prefix, name, folder or .tflite path.

        Raises:
            InputError: When nothing or more than one fits, or the file isn't the manifest's.
        """
        path = Path(name)
        folder = path if path.is_dir() else path.parent
        if name and path.exists() and (folder / "manifest.json").is_file():
            found = Candidate(folder / "model.tflite", read_manifest(folder / "manifest.json"))
            found.check()
            return found
        if name and path.exists():
            raise InputError(
                f"{path} has no manifest.json beside it",
                hint="bench takes candidates made by: edgesr convert CKPT",
            )
        matches = [
            candidate
            for candidate in self.candidates()
            if name and (candidate.manifest.id.startswith(name) or candidate.manifest.name == name)
        ]
        if len(matches) != 1:
            named = matches or self.candidates()
            known = ", ".join(f"{c.manifest.name} ({c.manifest.short_id})" for c in named)
            known = known or "none yet"
            problem = "matches more than one candidate" if matches else "is no candidate"
            raise InputError(f"{name!r} {problem} in {self.root}", hint=f"there are: {known}")
        return matches[0]

    def runs(self) -> list["RunFolder"]:
        """All runs, oldest first."""
        return [RunFolder(p.parent) for p in sorted((self.root / "runs").glob("[!.]*/run.json"))]

    def run(self, name: str | None = None) -> "RunFolder":
        """One run by folder path, name or name prefix; without a name the newest.

        Raises:
            InputError: When there is no such run.
        """
        if name is not None and (Path(name) / "run.json").is_file():
            path = Path(name)
            return RunFolder(path.resolve() if path.name in {"", ".."} else path)
        if name and (self.root / "runs" / name).is_dir() and not name.startswith("."):
            return RunFolder(self.root / "runs" / name)  # without a run.json it says so itself
        runs = self.runs()
        matches = [run for run in runs if name is None or run.path.name.startswith(name)]
        if not matches or (name is not None and len(matches) > 1):
            what = "no run yet" if name is None else f"no single run called {name}"
            newest = ", ".join(run.path.name for run in (matches or runs)[-3:])
            hint = f"the newest are: {newest}" if newest else "measure first with: edgesr bench"
            raise InputError(f"{what} in {self.root}", hint=hint)
        return matches[-1]

    def new_run_name(self) -> str:
        """A name that no run has: the time, and a random part."""
        return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"

    def new_run(self, plan: dict[str, Any], name: str | None = None) -> "RunFolder":
        """Makes a run folder and writes ``run.json`` before anything is measured.

        Args:
            plan: JSON-ready description: jobs, suite, devices, versions, engine.
            name: From `new_run_name`, where the run was named before it could be described.

        Raises:
            StoreError: When the workspace can't be written.
        """
        now = datetime.now(UTC)
        name = name or self.new_run_name()
        path = self.root / "runs" / name
        header = {"schema": SCHEMA, "run": name, "created_at": now.isoformat(timespec="seconds")}
        with atomic_folder(path) as temporary:
            (temporary / "logs").mkdir()
            (temporary / "run.json").write_text(
                json.dumps({**header, **plan}, indent=2) + "\n", encoding="utf-8"
            )
            (temporary / "records.jsonl").touch()
        return RunFolder(path)


class RunFolder:
    """One run: ``run.json``, ``records.jsonl``, ``logs/``.

    Args:
        path: The run's folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._appending = threading.Lock()  # phones are measured in parallel

    @contextlib.contextmanager
    def exclusively(self) -> Iterator[None]:
        """Holds the run for the block, so that no two processes measure it at once.

        Raises:
            StoreError: When another process measures it.
        """
        path = self.path / "records.jsonl"
        with store_errors(path):
            file = path.open("ab")
        with file:
            if not _locked(file, fcntl.LOCK_EX):
                raise StoreError(
                    f"another edgesr is measuring {self.path}",
                    hint="wait until it has finished; what it measures is kept",
                )
            yield

    def busy(self) -> bool:
        """Whether a process holds the run (`exclusively`) now."""
        try:
            with (self.path / "records.jsonl").open("rb") as file:
                return not _locked(file, fcntl.LOCK_SH)
        except OSError:
            return False

    def header(self) -> dict[str, Any]:
        """The parsed ``run.json``.

        Raises:
            StoreError: When it is damaged or of a newer schema.
        """
        path = self.path / "run.json"
        try:
            tree = json.loads(_whole_text(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise StoreError(f"can't read {path}: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{path} is damaged: {error}") from error
        if not isinstance(tree, dict):
            raise StoreError(f"{path} is damaged: not a JSON object")
        return migrate(tree, where=str(path))

    def append(self, record: Record) -> None:
        """Appends one record, flushed and fsynced before it returns.

        A line torn by an earlier crash is closed first, so that it can't swallow this one.

        Raises:
            StoreError: When the disk refuses.
        """
        path = self.path / "records.jsonl"
        line = json.dumps(record.to_dict(), ensure_ascii=False, allow_nan=False) + "\n"
        with self._appending, store_errors(path), path.open("ab+") as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                line = line if file.read(1) == b"\n" else "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def scan(self) -> RecordLines:
        """Its records one after another: of a large run, all at once need much memory."""
        return RecordLines(self.path / "records.jsonl")

    def records(self) -> list[Record]:
        """All whole records in the order they were measured.

        A torn line is passed over; `torn_lines` counts them.

        Raises:
            StoreError: When a record is of a newer schema.
        """
        return list(self.scan())

    def torn_lines(self) -> int:
        """How many lines can't be read: what a crash while writing left behind."""
        lines = self.scan()
        for _ in lines:
            pass
        return lines.torn

    def log_path(self, name: str) -> Path:
        """Where the raw output of one round goes."""
        return self.path / "logs" / f"{name}.txt"

    def write_log(self, name: str, text: str) -> tuple[str, str]:
        """Writes raw output; returns (path relative to the run folder, sha256)."""
        path = self.log_path(name)
        write_text(path, text)
        return str(path.relative_to(self.path)), sha256_file(path)


def _locked(file: IO[bytes], kind: int) -> bool:
    """Takes a lock on a file; one that is only asked about (`RunFolder.busy`) is waited for."""
    for pause_s in (0.02, 0.05, 0.0):
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except OSError:
            time.sleep(pause_s)
        else:
            return True
    return False


def _whole_text(text: str) -> str:
    """JSON without halves of surrogate pairs: they can be escaped in it, and no file holds them."""
    if "\\ud" not in text.lower():
        return text
    plain = json.dumps(json.loads(text), ensure_ascii=False)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

"""``selection.json``: the latest selection of a workspace, which ``edgesr package`` asks for."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgesr.errors import StoreError
from edgesr.files import write_text
from edgesr.results.store import Workspace
from edgesr.select.selection import Selection

SCHEMA = 1
FILE = "selection.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class StoredWinner(_Part):
    """What was chosen for one scale, input size and class of devices."""

    candidate: str
    """Sha256 of the .tflite."""
    name: str
    variant: str
    delegate: str
    threads: Annotated[int, Field(ge=0)]
    scale: int
    input: str
    """Width × height of the input in pixels."""
    device_class: str
    devices: tuple[str, ...] = ()
    recommendation: str = ""


class StoredSelection(_Part):
    """The file, read back."""

    schema_version: int = Field(default=SCHEMA, alias="schema")
    created_at: str
    """UTC, ISO 8601."""
    criteria: dict[str, Any]
    """Name, constraints and objective, as they were after ``--set``."""
    runs: tuple[str, ...] = ()
    winners: tuple[StoredWinner, ...]

    def of(self, candidate: str) -> tuple[StoredWinner, ...]:
        """What a candidate was chosen for; empty where it was not.

        Args:
            candidate: Its whole sha256.
        """
        return tuple(winner for winner in self.winners if winner.candidate == candidate)


def write_selection(workspace: Workspace, selection: Selection) -> Path:
    """Writes ``selection.json``; an older one is replaced.

    Raises:
        StoreError: When the workspace can't be written.
    """
    tree = selection.to_dict()
    created = datetime.now(UTC).isoformat(timespec="seconds")
    document = {"schema": SCHEMA, "created_at": created, **tree}
    path = workspace.root / FILE
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def read_selection(workspace: Workspace) -> StoredSelection | None:
    """The workspace's latest selection, None where nothing was selected yet.

    Raises:
        StoreError: When the file is damaged, can't be read, or is of a newer schema.
    """
    path, again = workspace.root / FILE, "select again with: edgesr select"
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"can't read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is damaged: {error}", hint=again) from error
    found = tree.get("schema") if isinstance(tree, dict) else None
    if isinstance(found, int) and found > SCHEMA:
        raise StoreError(
            f"{path} has schema {found}, this edgesr reads up to {SCHEMA}",
            hint="install a newer edgesr",
        )
    try:
        if found != SCHEMA:
            raise StoreError(f"{path} carries no schema number", hint=again)
        return StoredSelection.model_validate(tree)
    except ValidationError as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"{path} is damaged: {reason}", hint=again) from error

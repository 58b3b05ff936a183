"""Where a package goes in an Android project, and how it gets there: whole, or not at all."""

import json
from collections.abc import Sequence
from pathlib import Path

from edgesr.errors import InputError, UsageError
from edgesr.files import atomic_folder, store_errors
from edgesr.package.build import write_files
from edgesr.package.content import Content
from edgesr.package.contract import FILE as CONTRACT
from edgesr.package.contract import MADE_BY
from edgesr.package.text import identifier

_ASSETS = Path("src/main/assets/edgesr")


def module_of(project: Path) -> Path:
    """The folder of the app module.

    Args:
        project: An Android project with a module ``app``, or an app module itself.

    Raises:
        UsageError: When it is neither.
    """
    project = Path(project)
    for module in (project / "app", project):
        if (module / "src" / "main").is_dir():
            return module
    found = "there is no such folder" if not project.is_dir() else "neither folder is there"
    raise UsageError(
        f"{project} is no Android project: looked for {project / 'app' / 'src' / 'main'}"
        f" and {project / 'src' / 'main'}, {found}",
        hint="name the folder of the project, or of its app module, with --app",
    )


def target_of(module: Path, content: Content) -> Path:
    """The folder below the app's assets, checked to be free or ours.

    Raises:
        InputError: When something else lies there.
    """
    folder = module / _ASSETS / content.folder
    if not folder.exists() and not folder.is_symlink():
        return folder
    if folder.is_symlink() or not folder.is_dir() or not _is_ours(folder):
        raise InputError(
            f"{folder} is there already and was not written by edgesr package",
            hint="move it away, or package under another name",
        )
    return folder


def check_targets(module: Path, contents: Sequence[Content]) -> None:
    """Makes sure that each of several packages has a folder and a Kotlin package of its own.

    Args:
        module: From `module_of`.
        contents: All that will be placed.

    Raises:
        InputError: When something else lies there, or two are named alike.
    """
    seen: dict[str, Content] = {}
    for content in contents:
        target_of(module, content)
        other = seen.setdefault(identifier(content.folder), content)
        if other is not content:
            raise InputError(
                f"{other.folder} ({other.manifest.short_id}) and {content.folder}"
                f" ({content.manifest.short_id}) would be one Kotlin package",
                hint="package one of them, by its id or with --device-class",
            )


def place(module: Path, content: Content) -> tuple[Path, ...]:
    """Writes a package into the app's assets; an older one of the same name is replaced.

    Args:
        module: From `module_of`.
        content: What to write.

    Returns:
        The files, by name.

    Raises:
        InputError: When something else lies there.
        StoreError: When it can't be written; nothing is left behind.
    """
    folder = target_of(module, content)
    with atomic_folder(folder) as temporary, store_errors(folder):
        files = write_files(content, temporary)
    return tuple(folder / path.name for path in files)


def _is_ours(folder: Path) -> bool:
    """Whether there is nothing in it, or a contract of ours."""
    if not any(folder.iterdir()):
        return True
    try:
        tree = json.loads((folder / CONTRACT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(tree, dict) and tree.get("made_by") == MADE_BY

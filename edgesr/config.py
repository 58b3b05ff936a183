"""One loader for every TOML file: text -> frozen pydantic model, errors name file and key."""

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from edgesr.errors import ConfigError
from edgesr.files import read_errors


class Config(BaseModel):
    """Base of all configs: frozen, and a key that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ConfigT = TypeVar("ConfigT", bound=BaseModel)


def load_config(path: Path, kind: type[ConfigT], overrides: Iterable[str] = ()) -> ConfigT:
    """Reads a TOML file into a config.

    Args:
        path: The TOML file.
        kind: The pydantic model to fill.
        overrides: ``a.b=value`` strings as given to ``--set``; values are TOML, or else text.

    Raises:
        InputError: When the file can't be read.
        ConfigError: When it is no TOML, or a key or value does not fit.
    """
    path = Path(path)
    with read_errors(path):
        data = path.read_bytes()
    try:
        tree = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error
    for override in overrides:
        _apply(tree, override)
    return parse_config(tree, kind, source=str(path))


def parse_config(tree: dict[str, Any], kind: type[ConfigT], *, source: str) -> ConfigT:
    """Validates a dictionary; ``source`` is what an error calls the place it came from."""
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{source}: {key}: {first['msg']}", hint=_nearest(kind, first["loc"], first["type"])
        ) from error


def _apply(tree: dict[str, Any], override: str) -> None:
    key, separator, raw = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set {override!r} is not of the form key.sub=value")
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw
    *parents, leaf = key.strip().split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {override!r}: {parent} is not a table")
    tree[leaf] = value


def _nearest(kind: type[BaseModel], location: tuple[int | str, ...], error_type: str) -> str:
    """A "did you mean" for a key that is not known, else nothing."""
    if error_type != "extra_forbidden":
        return ""
    fields: dict[str, Any] = dict(kind.model_fields)
    for part in location[:-1]:
        annotation = fields[part].annotation if part in fields else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            fields = dict(annotation.model_fields)
    close = difflib.get_close_matches(str(location[-1]), fields, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(fields))}"

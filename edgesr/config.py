"""One loader for every TOML file: text -> frozen pydantic model, errors name file and key."""

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar, get_args

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
            In a list of tables ``a.0.b``, ``a.NAME.b`` and ``a.*.b`` reach its tables.

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
    for place in _places(tree, parents, override):
        place[leaf] = value


def _places(tree: Any, parents: list[str], override: str) -> list[dict[str, Any]]:
    """The tables that a dotted key's parents lead to; a table that is missing is made.

    In a list of tables the next part is a number from 0, a table's ``name``, or ``*`` for all.
    """
    if not parents and isinstance(tree, dict):
        return [tree]
    if isinstance(tree, dict):
        missing: Any = [{}] if parents[1:2] == ["*"] else {}
        return _places(tree.setdefault(parents[0], missing), parents[1:], override)
    if not isinstance(tree, list) or not parents:
        raise ConfigError(f"--set {override!r}: what stands before the last dot is not a table")
    found = [
        item
        for number, item in enumerate(tree)
        if parents[0] in ("*", str(number), item.get("name") if isinstance(item, dict) else None)
    ]
    if not found:
        raise ConfigError(
            f"--set {override!r}: the list has no {parents[0]!r}",
            hint="name one by its number from 0 or by its name, or all by *",
        )
    return [place for item in found for place in _places(item, parents[1:], override)]


def _nearest(kind: type[BaseModel], location: tuple[int | str, ...], error_type: str) -> str:
    """A "did you mean" for a key that is not known, else nothing."""
    if error_type != "extra_forbidden":
        return ""
    fields: dict[str, Any] = dict(kind.model_fields)
    for part in location[:-1]:
        if part in fields:
            model = _model_in(fields[str(part)].annotation)
            fields = dict(model.model_fields) if model else {}
    close = difflib.get_close_matches(str(location[-1]), fields, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(fields))}"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The table that a field's type is, or is a list of."""
    inner = (annotation, *get_args(annotation))
    return next(
        (kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)), None
    )

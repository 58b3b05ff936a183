"""One loader for every TOML file: text -> frozen pydantic model, errors name file and key."""

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from edgesr.errors import ConfigError
from edgesr.files import read_errors


class Config(BaseModel):
    """Base of all configs: frozen, and a key that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def spelt_out(cls, tree: dict[str, Any]) -> dict[str, Any]:
        """A file's tree with what it abbreviates, so that ``--set`` finds it; unchanged here.

        Must not judge the tree: what is wrong in it is told once ``--set`` has been applied.
        """
        return tree


ConfigT = TypeVar("ConfigT", bound=BaseModel)


def load_config(path: Path, kind: type[ConfigT], overrides: Iterable[str] = ()) -> ConfigT:
    """Reads a TOML file into a config.

    Args:
        path: The TOML file.
        kind: The pydantic model to fill.
        overrides: ``a.b=value`` strings as given to ``--set``; values are TOML, or else text. In a
            list of tables the part of the key is a table's ``name``, its position counted from 0,
            or ``*`` for all of them.

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
    return overridden_config(tree, kind, overrides, source=str(path))


def overridden_config(
    tree: dict[str, Any], kind: type[ConfigT], overrides: Iterable[str], *, source: str
) -> ConfigT:
    """Validates a dictionary after ``--set``; see `load_config` and `parse_config`.

    Raises:
        ConfigError: When a key or value does not fit.
    """
    if issubclass(kind, Config):
        tree = kind.spelt_out(tree)
    for override in overrides:
        _apply(tree, override)
    return parse_config(tree, kind, source=source)


def parse_config(tree: dict[str, Any], kind: type[ConfigT], *, source: str) -> ConfigT:
    """Validates a dictionary; ``source`` is what an error calls the place it came from.

    Raises:
        ConfigError: When a key or value does not fit.
    """
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        errors = error.errors()
        # A misspelt key may also be one that is missing: it is told of by what was written.
        first = next((each for each in errors if each["type"] == _UNKNOWN_KEY), errors[0])
        where = [source, _place(tree, first["loc"])]
        message = first["msg"].removeprefix("Value error, ")
        hint = _nearest(kind, first["loc"]) if first["type"] == _UNKNOWN_KEY else ""
        raise ConfigError(": ".join([*filter(None, where), message]), hint=hint) from error


_UNKNOWN_KEY = "extra_forbidden"


def _apply(tree: dict[str, Any], override: str) -> None:
    key, separator, raw = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set {override!r} is not of the form key.sub=value")
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw
    *parents, leaf = key.strip().split(".")
    places: list[Any] = [tree]
    for parent in parents:
        places = [found for place in places for found in _entered(place, parent, override)]
    for place in places:
        if not isinstance(place, dict):
            hint = f"name one of its tables: {parents[-1]}.*.KEY=value" if _tables(place) else ""
            raise ConfigError(f"--set {override!r}: {parents[-1]} is not a table", hint=hint)
        place[leaf] = value


def _entered(place: Any, part: str, override: str) -> list[Any]:
    """What a part of an override's key leads to; a table that is missing is made."""
    if isinstance(place, dict):
        return [place.setdefault(part, {})]
    tables = _tables(place)
    if not tables:
        raise ConfigError(f"--set {override!r}: {part!r} can't be in what is not a table")
    if part == "*":
        return tables
    found = [table for table in tables if table.get("name") == part]
    if not found and part.isdecimal():
        found = tables[int(part) : int(part) + 1]
    if not found:
        names = [str(table.get("name", number)) for number, table in enumerate(tables)]
        raise ConfigError(
            f"--set {override!r}: there is no {part!r}",
            hint=f"there are {', '.join(names)}, and * for all of them",
        )
    return found


def _tables(place: Any) -> list[Any]:
    """The tables of a list of them; nothing where it is something else."""
    listed = isinstance(place, list) and all(isinstance(entry, dict) for entry in place)
    return place if listed else []


def _place(tree: Any, location: tuple[int | str, ...]) -> str:
    """``stage.x4.train.lr``: an entry that has a name goes by it, another one by its number."""
    parts = []
    for part in location:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            tree = None
        named = isinstance(part, int) and isinstance(tree, dict) and "name" in tree
        parts.append(str(tree["name"] if named else part))
    return ".".join(parts)


def _nearest(kind: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """A "did you mean" for a key that is not known."""
    annotation: Any = kind
    if issubclass(kind, RootModel):  # pydantic leaves "root" out of a location
        annotation = kind.model_fields["root"].annotation
    for part in location[:-1]:
        annotation = _annotation(annotation, part)
    fields = sorted(_fields(annotation))
    close = difflib.get_close_matches(str(location[-1]), fields, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known keys: {', '.join(fields)}" if fields else ""


def _annotation(annotation: Any, part: int | str) -> Any:
    """The type of what lies under a key or number in a value of a type; None where none does."""
    fields = _fields(annotation)
    if fields:
        return fields[str(part)].annotation if part in fields else None
    members = _members(annotation)
    if get_origin(annotation) in (Union, UnionType):
        inner = (_annotation(member, part) for member in members)
        return next((found for found in inner if found is not None), None)
    return members[-1] if members else None  # of tuple[T, ...], list[T] and dict[str, T]


def _fields(annotation: Any) -> dict[str, Any]:
    """The fields of a table's type, also where it may be left out."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return dict(annotation.model_fields)
    if get_origin(annotation) in (Union, UnionType):
        return next(filter(None, map(_fields, _members(annotation))), {})
    return {}


def _members(annotation: Any) -> list[Any]:
    return [each for each in get_args(annotation) if each not in (type(None), ...)]

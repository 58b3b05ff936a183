"""A config's defaults laid under each of its stages."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from edgesr.config import Config

Tables = Mapping[str, type[Config]]
"""What a stage consists of, by name."""

_START = ("weights", "transfer")
"""Keys of ``model`` that mean the first stage: a later one goes on from the one before it."""
_WHOLE = ("loss", "layers")
"""Tables in which a key that is left out means that it does not count."""


def spelt_out(tree: dict[str, Any], tables: Tables) -> dict[str, Any]:
    """Stages by name, each of their keys in its table; one stage where none is written.

    Args:
        tree: A config as it is written.
        tables: What a stage consists of.
    """
    stages = tree.get("stage", [{}])
    return {**tree, "stage": _named(stages, tables) if isinstance(stages, list) else stages}


def spread(tree: dict[str, Any], tables: Tables) -> dict[str, Any]:
    """The same config without defaults: every stage is complete.

    Args:
        tree: A config as it is written, or spelt out.
        tables: What a stage consists of.

    Raises:
        ValueError: When a key is not known, or something is no table.
    """
    defaults = {name: tree[name] for name in tables if name in tree}
    rest = {key: value for key, value in tree.items() if key not in tables}
    for key in rest:
        _insist_known(key, ("seed", "stage", *tables), "a training")
    for name, table in defaults.items():
        _insist_table(name, table)
        for key in table:
            _insist_known(key, tables[name].model_fields, f"[{name}]")
    stages = rest.get("stage", [{}])
    if not isinstance(stages, list | tuple):
        raise ValueError("stage is a list of tables: write [[stage]]")  # noqa: TRY004
    first, later = defaults, _without_start(defaults)
    complete = [
        _complete(later if number else first, stage, tables)
        for number, stage in enumerate(_named(stages, tables))
    ]
    return {**rest, "stage": complete}


def _named(stages: Sequence[Any], tables: Tables) -> list[Any]:
    """Every stage with a name, and with its keys in the tables that have them."""
    names = ["main"] if len(stages) == 1 else [f"stage{n}" for n in range(1, len(stages) + 1)]
    return [
        {"name": name, **_nested(stage, tables)} if isinstance(stage, dict) else stage
        for name, stage in zip(names, stages, strict=True)
    ]


def _nested(stage: dict[str, Any], tables: Tables) -> dict[str, Any]:
    """Moves keys that stand alone into their table, where they win; strange ones stay."""
    nested = {k: dict(v) if k in tables and isinstance(v, dict) else v for k, v in stage.items()}
    for key in stage:
        owner = next((t for t, kind in tables.items() if key in kind.model_fields), None)
        if owner and key not in tables and isinstance(nested.setdefault(owner, {}), dict):
            nested[owner] = _merged(nested[owner], {key: nested.pop(key)})
    return nested


def _without_start(defaults: dict[str, Any]) -> dict[str, Any]:
    """Defaults of a later stage, which goes on from the one before it."""
    model = dict(defaults.get("model", {}))
    return {**defaults, "model": {k: v for k, v in model.items() if k not in _START}}


def _complete(defaults: dict[str, Any], stage: Any, tables: Tables) -> dict[str, Any]:
    """A named and nested stage's tables over the defaults."""
    _insist_table("[[stage]]", stage)
    keys = {"name", *(key for kind in tables.values() for key in kind.model_fields)} - {*tables}
    for key, value in stage.items():
        _insist_known(key, {*tables, *keys}, f"stage {stage['name']!r}")
        if key in tables:
            _insist_table(f"stage {stage['name']!r}: {key}", value)
    return _merged(defaults, stage)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Tables laid over each other, key by key; weights by name are replaced as a whole."""
    merged = dict(below)
    for key, value in above.items():
        old = below.get(key)
        both = isinstance(value, dict) and isinstance(old, dict) and key not in _WHOLE
        merged[key] = _merged(old, value) if both and old is not None else value
    return merged


def _insist_table(name: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is a table, not {value!r}")  # noqa: TRY004 - pydantic catches it


def _insist_known(key: str, known: Collection[str], where: str) -> None:
    if key not in known:
        close = difflib.get_close_matches(key, known, n=1)
        meant = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(known))}"
        raise ValueError(f"{where} has no key {key!r}; {meant}")

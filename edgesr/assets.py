"""The packaged data: device profiles, bench suites, phone scripts, recipes, weights.

In a checkout the folders lie beside the package, where people edit them; in a wheel they are in
``edgesr/_assets``. Everything else asks this module and does not know the difference.
"""

from pathlib import Path

from edgesr.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent
_EDITABLE = {  # beside the package in a checkout, below _assets in a wheel
    "devices": "devices",
    "suites": "benchmarks/suites",
    "android_bench": "android_bench",
}
_INTERNAL = {"recipes": "train/recipes", "weights": "models/weights"}


def asset_folder(kind: str) -> Path:
    """Folder that holds the assets of one kind.

    Args:
        kind: ``devices``, ``suites``, ``android_bench``, ``recipes`` or ``weights``.
    """
    if kind in _INTERNAL:
        return _PACKAGE / _INTERNAL[kind]
    packaged = _PACKAGE / "_assets" / _EDITABLE[kind]
    return packaged if packaged.is_dir() else _PACKAGE.parent / _EDITABLE[kind]


def asset(kind: str, name: str) -> Path:
    """Path of one named asset.

    Args:
        kind: As in `asset_folder`.
        name: File name with suffix, for example ``quick.toml``.

    Raises:
        ConfigError: When there is none of that name; the message lists those there are.
    """
    path = asset_folder(kind) / name
    if not path.is_file():
        known = ", ".join(asset_names(kind, Path(name).suffix))
        problem = f"no {kind.removesuffix('s')} called {Path(name).stem!r}"
        raise ConfigError(problem, hint=f"there are: {known}")
    return path


def asset_names(kind: str, suffix: str = ".toml") -> list[str]:
    """Names, without suffix, of all assets of one kind."""
    return sorted(path.stem for path in asset_folder(kind).glob(f"*{suffix}"))

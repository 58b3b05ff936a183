"""Which code made a figure that is kept."""

import hashlib
from functools import cache
from pathlib import Path

import edgesr


@cache
def code_digest(*parts: str) -> str:
    """Hex sha256 of edgesr's own code: what it computes is the same only while that is.

    Args:
        parts: Files or folders below the package, as ``quality/text.py`` or ``data``.
    """
    root, digest = Path(edgesr.__file__).parent, hashlib.sha256()
    for part in parts:
        path = root / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else (path,):
            digest.update(file.read_bytes())
    return digest.hexdigest()

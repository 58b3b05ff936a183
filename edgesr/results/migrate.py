"""Old record and run schemas -> today's; newer ones are refused by name.

History: 1 is the first.
"""

from typing import Any

from edgesr.errors import StoreError
from edgesr.results.records import SCHEMA


def migrate(tree: dict[str, Any], *, where: str) -> dict[str, Any]:
    """Brings one JSON object to today's schema.

    Args:
        tree: The parsed object, with its ``schema`` key.
        where: File and line, for the message.

    Raises:
        StoreError: When the schema is missing or newer than this edgesr.
    """
    found = tree.get("schema")
    if not isinstance(found, int) or found < 1:
        raise StoreError(f"{where} carries no schema number", hint="is it an edgesr file?")
    if found > SCHEMA:
        raise StoreError(
            f"{where} has schema {found}, this edgesr reads up to {SCHEMA}",
            hint="install a newer edgesr",
        )
    return tree

"""Names and foreign text, made safe for the place they are written to."""

import json
import re
from collections.abc import Iterable
from typing import Any

from edgesr.text import clean

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 80
_PLAIN = re.compile(r"[A-Za-z0-9 ._:/+-]+")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~$&]|^[-+#]|:(?=//))")
_MODEL = re.compile(r"\S+ \((.+)\)")
_LEGIBLE = re.compile(r"(?<=[A-Za-z0-9])\\(_)(?=[A-Za-z0-9])")


def folder_name(name: str, digest: str) -> str:
    """A name that Android's packager, Kotlin and every file system take as it is.

    aapt leaves out assets that begin with ``.`` or ``_``, or end in ``~`` or ``.scc``.

    Args:
        name: Foreign.
        digest: Part of the result where the name had to be changed, so that two stay apart.
    """
    safe = _UNSAFE.sub("-", name)[:_LONGEST].strip("._-")
    if safe and safe == name and not safe.lower().endswith(".scc"):
        return safe
    return f"{safe}-{digest[:8]}" if safe else digest[:12]


def nameless(text: str, labels: Iterable[str] = ()) -> str:
    """A label of a device without its serial number, which is nobody else's business.

    Args:
        text: A label such as ``R58N70ABCDE (SM-A145R, simulated)``, or a text that holds labels.
        labels: Those that the text may hold; none where it is a label itself.
    """
    found = tuple(labels)
    for label in sorted(found, key=len, reverse=True):
        text = text.replace(label, nameless(label))
    if found or text == "host" or text.startswith("host ("):
        return text
    model = _MODEL.fullmatch(text)
    return model[1] if model else "a phone of unknown model"


def identifier(name: str) -> str:
    """A folder name as one part of a Kotlin package."""
    return "m_" + re.sub(r"[^a-z0-9]+", "_", name.lower())


def one_line(text: str) -> str:
    """Foreign text without control characters or line breaks of any kind."""
    return " ".join(clean(text).split())


def markdown(text: str) -> str:
    """Foreign text as plain words in Markdown, a table's cells included."""
    escaped = _SPECIAL.sub(r"\\\1", one_line(text))
    return _LEGIBLE.sub(r"\1", escaped).replace("\\<", "&lt;").replace("\\>", "&gt;")


def code(text: str) -> str:
    """Foreign text as code in Markdown, a table's cells included; plain words where it can't be."""
    return f"`{text}`" if _PLAIN.fullmatch(text) else markdown(text)


def yaml(value: Any) -> str:
    """Strings, lists and numbers on one line; JSON is YAML."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(yaml(item) for item in value)}]"
    return json.dumps(one_line(value) if isinstance(value, str) else value, ensure_ascii=False)

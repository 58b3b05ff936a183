"""HTML that escapes by itself."""

import html

from edgesr.text import clean


class Markup(str):
    """Text that is HTML already; every other string is escaped by `element`."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str | None) -> Markup:
    """One HTML element.

    Args:
        name: Tag name.
        children: `Markup` is taken as it is, other text is escaped.
        attributes: ``class_`` stands for ``class``, ``data_v`` for ``data-v``; None leaves out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(clean(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in {"img", "meta", "br", "source"}:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: str) -> Markup:
    """Children side by side; what is not `Markup` is escaped."""
    return Markup("".join(c if isinstance(c, Markup) else html.escape(clean(c)) for c in children))

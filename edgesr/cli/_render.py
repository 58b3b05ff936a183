"""The only place that prints: results to stdout, progress and errors to stderr."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

ProgressCallback = Callable[[str, int, int], None]
"""Called with (what is being done, steps done, steps in all)."""
LinesCallback = Callable[[str, str, int, int], None]
"""Called with (line, what is being done, steps done, steps in all); -1 steps for a remark."""

_PIPE_WIDTH = 160
"""Columns where no terminal tells: names in tables stay in one piece."""


class Terminal:
    """How much to say, decided once at the door.

    Args:
        quiet: No progress.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def print(self, text: str, *, bold: bool = False) -> None:
        """One line of result to stdout; in bold on a terminal where it is what was asked for."""
        from rich.console import Console

        style = "bold" if bold else None
        Console(soft_wrap=True, highlight=False).print(text, markup=False, style=style)

    def note(self, text: str) -> None:
        """One line about what goes on, to stderr; nothing when quiet."""
        if not self.quiet:
            from rich.console import Console

            Console(stderr=True, soft_wrap=True, highlight=False).print(text, markup=False)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table to stdout; cells are shown as they are, without markup.

        Columns whose name begins with ``#`` are aligned to the right.
        """
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=Text(title) if title else None, title_justify="left", header_style="bold"
        )
        for column in columns:
            right = column.startswith("#")
            table.add_column(
                column.removeprefix("#"), justify="right" if right else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)

    def json(self, document: Any) -> None:
        """One JSON document to stdout, nothing else; NaN and infinity become null."""
        sys.stdout.write(json.dumps(_finite(document), indent=2, ensure_ascii=False) + "\n")

    @contextlib.contextmanager
    def lines(self) -> Iterator[LinesCallback]:
        """One line per device with a bar and an estimate; nothing off a terminal or when quiet."""
        if self.quiet or not sys.stderr.isatty():
            yield lambda *_: None
            return
        tasks: dict[str, Any] = {}
        with _progress_bar("{task.fields[line]}  {task.description}") as bar:

            def tell(line: str, what: str, done: int, total: int) -> None:
                if line not in tasks:
                    tasks[line] = bar.add_task("", total=None, line=line)
                changes = {} if done < 0 else {"completed": done, "total": total}
                bar.update(tasks[line], description=what, **changes)

            yield tell

    @contextlib.contextmanager
    def progress(self) -> Iterator[ProgressCallback]:
        """A progress bar with an estimate on stderr; nothing off a terminal or when quiet."""
        if self.quiet or not sys.stderr.isatty():
            yield lambda *_: None
            return
        with _progress_bar("{task.description}") as bar:
            task = bar.add_task("", total=None)
            yield lambda what, done, total: bar.update(
                task, description=what, completed=done, total=total
            )


def _progress_bar(text: str) -> Any:
    """Rich's progress on stderr, with ``text`` before each bar."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(text, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


def print_error(message: str, hint: str) -> None:
    """The one or two lines an error gets."""
    sys.stderr.write(f"error: {message}\n")
    if hint:
        sys.stderr.write(f"next:  {hint}\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value

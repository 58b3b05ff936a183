"""``edgesr compare``: what changed from one run to another, and whether it may pass."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.analysis.changes import Comparison
    from edgesr.cli._render import Terminal
    from edgesr.report.gate import Gate

MOST_ROWS = 40
"""Changes on the terminal; all of them are in the JSON document."""


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    before: Annotated[
        str, typer.Argument(metavar="A", help="The run to compare with: a name or a folder.")
    ],
    after: Annotated[
        str | None,
        typer.Argument(metavar="B", help="The run in question (default: the newest run)."),
    ] = None,
    *,
    fail_on: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            help="Exit code 12 when a figure got worse by more than that and its 95 % interval "
            "holds no change, or when less became of a job.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Only these: latency, p95, init, memory, size, fps, psnr_y, ssim_y, cer.",
        ),
    ] = None,
    ignore: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Fields that may differ all the same, as os_build,binary,suite; an error names "
            "those that do.",
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JUnit XML for a CI system.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a summary for a pull request.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare two runs, job by job; with --fail-on as a gate for CI.

    Only what was measured alike is compared: device, OS build, engine, binary, delegate, suite,
    pictures. What differs is named.
    """
    from edgesr.analysis.changes import compare_runs
    from edgesr.analysis.comparable import FIELDS
    from edgesr.analysis.metrics_compared import GROUPS
    from edgesr.analysis.run_side import read_side
    from edgesr.files import write_bytes, write_text
    from edgesr.report.changes import pull_request_markdown
    from edgesr.report.gate import Gate
    from edgesr.report.junit import junit_xml
    from edgesr.results.store import Workspace

    names = _names(metric, GROUPS, "--metric")
    groups = tuple(group for group in GROUPS if names is None or group in names)
    ignored = _names(ignore, FIELDS, "--ignore") or []
    gate = Gate(_share(fail_on), groups)
    workspace = Workspace(session.workspace)
    first, second = workspace.run(before), workspace.run(after)
    if after is None and first.path.resolve() == second.path.resolve():
        raise UsageError(f"{before} is the newest run itself", hint="name the run in question")
    comparison = compare_runs(read_side(first), read_side(second), groups, ignored)
    if junit is not None:
        write_bytes(junit, junit_xml(comparison, gate))
    if markdown is not None:
        write_text(markdown, pull_request_markdown(comparison, gate))
    if json:
        session.terminal.json(gate.tree(comparison))
    elif comparison.compared or comparison.states:
        _show(session.terminal, comparison, gate)
    gate.check(comparison)


def _share(text: str | None) -> float | None:
    """``5%`` as 0.05.

    Raises:
        UsageError: When it is no percentage from 0 to 1000.
    """
    if text is None:
        return None
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1000:
        raise UsageError(f"--fail-on takes a percentage, not {text!r}", hint="as --fail-on 5%")
    return value / 100


def _names(text: str | None, known: Sequence[str], flag: str) -> list[str] | None:
    """The names of a list.

    Raises:
        UsageError: When one is not known, or none is there.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
            raise UsageError(f"{flag} knows no {name!r}", hint=meant)
    if not names:
        raise UsageError(f"{flag} names nothing", hint=f"there are: {', '.join(known)}")
    return names


def _show(terminal: "Terminal", comparison: "Comparison", gate: "Gate") -> None:
    from edgesr.report.change_words import (
        COLUMNS,
        RUN_TO_RUN,
        STATE_COLUMNS,
        cells,
        headline,
        notes,
        state_cells,
    )

    terminal.print(headline(comparison))
    _list(terminal, "What became of jobs", STATE_COLUMNS, map(state_cells, comparison.states))
    _list(terminal, "Changes, the worst first", COLUMNS, map(cells, comparison.compared))
    for note in [*notes(comparison), *gate.remarks(comparison)]:
        terminal.print(note)
    if any(change.method == "rounds" for change in comparison.compared):
        terminal.note(RUN_TO_RUN)


def _list(
    terminal: "Terminal", title: str, columns: Sequence[str], rows: Iterable[tuple[str, ...]]
) -> None:
    """Two lines each: a table of so many columns would be folded to shreds."""
    from edgesr.text import join_known

    every = [dict(zip(columns, row, strict=True)) for row in rows]
    if every:
        terminal.print(title, bold=True)
    for row in every[:MOST_ROWS]:
        trust = f"trust {row['Trust']}" if row.get("Trust") else ""
        values = f"{row.get('Figure', '')} {row['Before']} → {row['After']}".lstrip()
        what = join_known(row["Candidate"], values, row.get("Change", ""))
        place = join_known(row["Device"], row["Where"], row.get("Told by", ""), trust)
        terminal.print(f"  {row['Verdict']:9} {what}")
        terminal.print(f"  {'':9} {place}")
    if len(every) > MOST_ROWS:
        terminal.print(f"and {len(every) - MOST_ROWS} more: --json has all")

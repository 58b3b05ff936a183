"""``edgesr select``: measurements and written criteria -> which candidate, where, and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import NoWinnerError, UsageError

if TYPE_CHECKING:
    from edgesr.analysis.rows import RunData
    from edgesr.cli._render import Terminal
    from edgesr.results.store import Workspace
    from edgesr.select.selection import Choice, GroupResult, Selection

_SHOWN = ("latency_median_ms", "psnr_y", "cer", "size_mb", "trust")
"""Metrics in the table of the Pareto set."""


@verb
def command(
    session: Session,
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="Run folders or names (default: the newest run)."),
    ] = None,
    *,
    criteria: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="slides-quality, video-30fps, smallest, or a TOML file; default: slides-quality.",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="class|device",
            help="One choice for all devices of a class, or one for each device; default: class.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="K=V", help="Override a key, as constraints.trust.min=C; repeatable."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Choose by written criteria: the winner per scale and class of devices.

    Says why not the others and what would change the choice. Exit code 11
    when nothing qualifies anywhere. Writes selection.json into the workspace.
    """
    from edgesr.results.store import Workspace
    from edgesr.select.choose import select_runs
    from edgesr.select.criteria import DEFAULT, load_criteria
    from edgesr.select.store import write_selection

    workspace, terminal = Workspace(session.workspace), session.terminal
    if by not in {None, "class", "device"}:
        raise UsageError(f"--by takes class or device, not {by}")
    if criteria is None:
        terminal.note(f"chosen by the default criteria, {DEFAULT}; others with --criteria")
    overrides = [*(set_ or []), *([f'by="{by}"'] if by else [])]
    wanted = load_criteria(criteria or DEFAULT, overrides)
    selection = select_runs(_read(workspace, runs or [None], terminal), wanted)
    for note in selection.notes:
        terminal.note(f"? {note}")
    if not selection.winners:
        raise _no_winner(selection)
    path = write_selection(workspace, selection)
    if json:
        terminal.json(selection.to_dict())
        return
    for group in selection.groups:
        _show(terminal, group)
    terminal.print(f"Written to {path}")


def _read(workspace: "Workspace", names: Sequence[str | None], terminal: "Terminal"
          ) -> "list[RunData]":  # fmt: skip
    """The runs, each once, oldest first; a damaged one says so."""
    from edgesr.analysis.rows import read_run
    from edgesr.text import plural

    folders = {run.path.resolve(): run for run in map(workspace.run, names)}
    read = [read_run(run) for run in sorted(folders.values(), key=lambda run: run.path.name)]
    for run in read:
        if run.torn_lines:
            torn = plural(run.torn_lines, "line")
            terminal.note(f"{run.folder.path}: {torn} can't be read, the rest counts")
    return read


def _no_winner(selection: "Selection") -> NoWinnerError:
    """Says what came closest, in every group."""
    from edgesr.text import short

    name, groups = short(selection.criteria.name, 60), selection.groups
    if not groups:
        return NoWinnerError(f"nothing meets {name}: the runs hold no job",
                             hint="measure first with: edgesr bench")  # fmt: skip
    told = " | ".join(group.recommendation for group in groups[:_GROUPS])
    rest = len(groups) - _GROUPS
    more = f" | and {rest} more groups without a winner" if rest > 0 else ""
    hint = "measure more, or change the criteria: --set constraints.NAME.max=VALUE"
    if all("simulated" in label for group in groups for label in group.devices):
        hint = "a rehearsal on simulated phones says: --set constraints.trust.min=C"
    return NoWinnerError(told + more, hint=hint)


_GROUPS = 4
"""Groups without a winner that the error tells of."""


def _show(terminal: "Terminal", group: "GroupResult") -> None:
    """The winner and why, the Pareto set, and why not the others."""
    from edgesr.text import join_known, short

    scale = f"×{group.scale}" if group.scale else "scale unknown"
    title = join_known(short(group.device_class, 60), scale, group.input)
    terminal.print(f"{title}\n  {group.recommendation}")
    if group.elsewhere:
        terminal.print(f"  Not elsewhere: {group.elsewhere}")
    if group.pareto:
        rows = [[*_named(one), *(one.values[name].text for name in _SHOWN)] for one in group.pareto]
        columns = ["candidate", "where", "latency", "PSNR-Y", "CER", "size", "trust"]
        axes = ", ".join(group.pareto_axes)
        terminal.table(f"Pareto set: no other is better in all of {axes}", columns, rows)
    if group.rejected:
        lines = [[*_named(one.choice), "\n".join(one.why), one.would_win] for one in group.rejected]
        terminal.table("why not", ["candidate", "where", "why not", "what would help"], lines)


def _named(choice: "Choice") -> list[str]:
    from edgesr.text import short

    threads = f" t{choice.threads}" if choice.threads else ""
    return [short(choice.name, 60), short(choice.delegate, 40) + threads]

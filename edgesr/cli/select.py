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
        typer.Argument(metavar="RUN", help="Run folders or names (default: the newest run)."),
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
    when nothing qualifies anywhere. Else writes selection.json into the workspace.
    """
    from edgesr.results.store import Workspace
    from edgesr.select.choose import select_runs
    from edgesr.select.criteria import DEFAULT, load_criteria
    from edgesr.select.store import FILE, write_selection

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
    path = write_selection(workspace, selection) if selection.winners else None
    if json:
        terminal.json(selection.to_dict())
    else:
        for group in selection.groups:
            _show(terminal, group)
    if path is None:
        if (workspace.root / FILE).exists():
            terminal.note(f"{FILE} stays as it was, with an earlier choice")
        raise _no_winner(selection)
    terminal.note(f"written to {path}")


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
    told = "; ".join(f"for {_title(group)}: {group.nearest_miss}" for group in groups[:_GROUPS])
    rest = len(groups) - _GROUPS
    more = f"; and {rest} more groups" if rest > 0 else ""
    limits = selection.criteria.constraints
    hint = "measure more, or change the criteria: --set constraints.NAME.max=VALUE or .min=VALUE"
    hint += f" (NAME: {', '.join(limits)})" if limits else ""
    simulated = all("simulated" in label for group in groups for label in group.devices)
    if simulated and any(limit.min for limit in limits.get("trust", ())):
        hint = "a rehearsal on simulated phones says: --set constraints.trust.min=C"
    return NoWinnerError(f"nothing meets {name}: {told}{more}", hint=hint)


_GROUPS = 4
"""Groups without a winner that the error tells of."""


def _title(group: "GroupResult") -> str:
    from edgesr.text import join_known, short

    scale = f"×{group.scale}" if group.scale else "scale unknown"
    return join_known(short(group.device_class, 60), scale, group.input)


def _show(terminal: "Terminal", group: "GroupResult") -> None:
    """The winner and why, the Pareto set, and why not the others."""
    won = " · ".join(_named(group.winner)) if group.winner else "nothing qualifies"
    terminal.print(f"{_title(group)}: {won}", bold=True)
    terminal.print(f"  {group.recommendation}")
    if group.elsewhere:
        terminal.print(f"  Not elsewhere: {group.elsewhere}")
    if group.pareto:
        _show_pareto(terminal, group)
    if group.rejected:
        terminal.print("Why not")
    for one in group.rejected:
        terminal.print(f"  {' · '.join(_named(one.choice))}")
        for line in (*one.why, one.would_win):
            if line:
                terminal.print(f"    {line}")
    terminal.print("")


def _show_pareto(terminal: "Terminal", group: "GroupResult") -> None:
    """Values only: the intervals of the winner stand above, all of them in the JSON document."""
    from edgesr.select.metrics import METRICS

    *most, last = [METRICS[name].title for name in group.pareto_axes]
    named = [_named(one) for one in group.pareto]
    places = {where for _, where in named}
    kept = 2 if len(places) > 1 else 1  # where all run at one place, it stands in the title
    rows = [[*both[:kept], *(METRICS[name].words(one.values[name].value) for name in _SHOWN)]
            for both, one in zip(named, group.pareto, strict=True)]  # fmt: skip
    columns = [*("candidate", "where")[:kept], *(f"#{METRICS[name].title}" for name in _SHOWN)]
    on = "" if len(places) > 1 else f" on {places.pop()}"
    title = f"Pareto set{on}: no other is better in {', '.join(most)} and {last} at once"
    terminal.table(title, columns, rows)


def _named(choice: "Choice") -> list[str]:
    from edgesr.text import short

    threads = f" t{choice.threads}" if choice.threads else ""
    return [short(choice.name, 60), short(choice.delegate, 40) + threads]

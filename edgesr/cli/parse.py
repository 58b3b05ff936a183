"""``edgesr parse``: benchmark_model logs that were recorded elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgesr.cli._session import JsonOption, Session, verb

if TYPE_CHECKING:
    from edgesr.bench.recorded import Parsed

_COLUMNS = ("log", "status", "delegate", "ran", "#median ms", "#p95 ms", "#init ms", "#runs", "why")


@verb
def command(
    session: Session,
    logs: Annotated[
        list[Path],
        typer.Argument(
            metavar="LOG...",
            help="A text with benchmark_model's output (also a run's logs/*.txt, or logcat), "
            "or NAME of NAME.stdout, .stderr, .out, .rc, .cmd, .pb.",
        ),
    ],
    *,
    json: JsonOption = False,
) -> None:
    """Read benchmark_model logs recorded elsewhere.

    Figures are given only where the log holds a finished measurement on the delegate that was
    asked for; else the reason.
    """
    from edgesr.bench.recorded import find_recorded, parse

    parsed = [parse(recorded) for recorded in find_recorded(logs)]
    if json:
        session.terminal.json([_tree(one) for one in parsed])
        return
    session.terminal.table("", _COLUMNS, [_row(one) for one in parsed])


def _tree(parsed: "Parsed") -> dict[str, Any]:
    """The record with its file."""
    return {"file": parsed.name, **parsed.record.to_dict()}


def _row(parsed: "Parsed") -> tuple[str, ...]:
    record = parsed.record
    latency, verdict = record.latency_us, record.verdict
    count = latency.count if latency else None
    return (
        parsed.name,
        record.status,
        verdict.requested if verdict else "",
        _ran(parsed),
        _ms(latency.median if latency else None),
        _ms(latency.p95 if latency else None),
        _ms(record.init_us) + (f" {record.init_kind}" if record.init_kind else ""),
        "–" if count is None else str(count),
        record.reason or "",
    )


def _ran(parsed: "Parsed") -> str:
    """Where it ran, with the nodes and the refused operations of a part."""
    verdict = parsed.record.verdict
    if verdict is None:
        return ""
    nodes = ""
    if verdict.nodes_delegated is not None:
        nodes = f" {verdict.nodes_delegated}/{verdict.nodes_total} nodes"
        nodes += f", {verdict.partitions} partitions"
    refused = f", refused: {', '.join(verdict.refused_ops)}" if verdict.refused_ops else ""
    return f"{verdict.outcome}{nodes}{refused}"


def _ms(microseconds: float | None) -> str:
    return "–" if microseconds is None else f"{microseconds / 1000:.3f}"

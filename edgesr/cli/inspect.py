"""``edgesr inspect``: what a .tflite holds and where it is expected to run."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import InputError
from edgesr.files import read_errors
from edgesr.text import clean

if TYPE_CHECKING:
    from edgesr.convert.graph import Graph, Op, Tensor
    from edgesr.package.metadata import ModelNotes
    from edgesr.results.manifest import Coverage


@verb
def command(
    session: Session,
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A .tflite file, or a candidate's name or folder."),
    ],
    *,
    json: JsonOption = False,
) -> None:
    """Show what a .tflite holds and what delegates will take.

    Ops, types, shapes, quantization, MACs, and which nodes each delegate refuses, and why.
    """
    from edgesr.convert.graph import read_graph
    from edgesr.convert.lint import expected_coverage

    path = _file(session, model)
    graph = read_graph(path)
    coverage = expected_coverage(graph)
    notes = _notes(session, path)
    if json:
        about = {"metadata": dataclasses.asdict(notes) if notes else None}
        session.terminal.json({**_document(path, graph, coverage), **about})
    else:
        _show(session, path, graph, coverage)
        _show_notes(session, notes)


def _file(session: Session, model: str) -> Path:
    path = Path(model)
    if path.is_file() or path.suffix == ".tflite":
        return path
    if (path / "model.tflite").is_file():
        return path / "model.tflite"
    from edgesr.results.store import Workspace

    return Workspace(session.workspace).candidate(model).path


def _notes(session: Session, path: Path) -> "ModelNotes | None":
    """What the file says about itself; damaged metadata keeps nobody from the rest."""
    from edgesr.package.metadata import read_notes

    with read_errors(path):
        data = path.read_bytes()
    try:
        return read_notes(data)
    except InputError as error:
        session.terminal.note(str(error))
        return None


def _document(path: Path, graph: "Graph", coverage: "dict[str, Coverage]") -> dict[str, Any]:
    return {
        "file": str(path),
        "size_bytes": path.stat().st_size,
        "macs": graph.macs,
        "inputs": [_tensor(tensor) for tensor in graph.tensors_of(graph.inputs)],
        "outputs": [_tensor(tensor) for tensor in graph.tensors_of(graph.outputs)],
        "op_counts": graph.op_counts(),
        "ops": [_op(graph, op) for op in graph.ops],
        "coverage": {name: taken.model_dump(mode="json") for name, taken in coverage.items()},
    }


def _op(graph: "Graph", op: "Op") -> dict[str, Any]:
    return {
        "index": op.index,
        "name": op.name,
        "inputs": [_tensor(tensor) for tensor in graph.tensors_of(op.inputs)],
        "outputs": [_tensor(tensor) for tensor in graph.tensors_of(op.outputs)],
        "attributes": dict(op.attributes),
        "macs": op.macs,
    }


def _tensor(tensor: "Tensor") -> dict[str, Any]:
    found = tensor.quantization
    quantization = None
    if found is not None:
        quantization = {"axis": found.axis, "scale": found.scale, "zero_point": found.zero_point}
    return {
        "name": tensor.name,
        "shape": tensor.shape,
        "dtype": tensor.dtype,
        "constant": tensor.constant,
        "quantization": quantization,
    }


def _show(session: Session, path: Path, graph: "Graph", coverage: "dict[str, Coverage]") -> None:
    terminal = session.terminal
    rows = [
        (
            str(op.index),
            op.name,
            _shapes(graph.tensors_of(op.outputs)),
            "; ".join(_quantization(tensor) for tensor in graph.tensors_of(op.outputs)),
            f"{op.macs:,}" if op.macs else "",
        )
        for op in graph.ops
    ]
    size = f"{path.stat().st_size / 1000:.1f} KB"
    title = f"{path}  {size}, {len(graph.ops)} nodes, {graph.macs / 1e9:.3f} GMAC"
    terminal.table(title, ("#node", "op", "output", "quantization", "#MACs"), rows)
    for what, indices in (("input", graph.inputs), ("output", graph.outputs)):
        tensors = graph.tensors_of(indices)
        quantization = "; ".join(filter(None, (_quantization(tensor) for tensor in tensors)))
        terminal.print(f"{what}: {_shapes(tensors)} {quantization}".rstrip())
    columns = ("delegate", "nodes expected", "#pieces", "refused")
    terminal.table("", columns, [_coverage_row(*item) for item in coverage.items()])


def _show_notes(session: Session, notes: "ModelNotes | None") -> None:
    if notes is None:
        return
    named = {"version": notes.version, "author": notes.author, "licence": notes.licence}
    known = [f"{what} {value}" for what, value in named.items() if value]
    lines = [f"metadata: {', '.join([notes.name, *known])}", notes.description]
    for what, tensors in (("input", notes.inputs), ("output", notes.outputs)):
        lines += [f"{what} {tensor.name}: {tensor.description}" for tensor in tensors]
    for line in filter(None, map(clean, lines)):
        session.terminal.print(line)


def _coverage_row(name: str, taken: "Coverage") -> tuple[str, ...]:
    refused = "; ".join(f"{op}: {why}" for op, why in taken.refused.items())
    nodes = f"{taken.nodes_delegated} of {taken.nodes_total}"
    return (name, nodes, str(taken.partitions), refused)


def _shapes(tensors: "list[Tensor]") -> str:
    return ", ".join(f"{'x'.join(map(str, t.shape))} {t.dtype}" for t in tensors)


def _quantization(tensor: "Tensor") -> str:
    found = tensor.quantization
    if found is None:
        return ""
    if found.axis is not None:
        return f"{len(found.scale)} scales on axis {found.axis}"
    return f"scale {found.scale[0]:.6g}, zero {found.zero_point[0]}"

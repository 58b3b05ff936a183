"""``edgesr transfer``: the weights of one network as the start of another size or scale."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.models.registry import Options
    from edgesr.train.transfer.files import TransferOutcome, TransferRequest


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="A checkpoint, or the name of a bundled one.")
    ],
    result: Annotated[Path, typer.Argument(metavar="DST", help="The checkpoint to write.")],
    *,
    arch: Annotated[
        str | None, typer.Option(help="Network of the result; has to be the source's.")
    ] = None,
    features: Annotated[
        int | None, typer.Option(min=3, help="Channels of the result (default: the source's).")
    ] = None,
    convs: Annotated[
        int | None, typer.Option(min=1, help="Convs of the result, srvgg (default: the source's).")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Any option of the network, such as blocks=3."
        ),
    ] = None,
    scale: Annotated[
        int | None, typer.Option(min=2, max=4, help="Of the result (default: the source's).")
    ] = None,
    method: Annotated[
        Literal["fit", "copy", "head"],
        typer.Option(
            help="fit: least squares on features. copy: channels of largest norm. head: the scale "
            "alone; taken by itself where nothing else differs."
        ),
    ] = "fit",
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="Images to fit on and to judge by, as in a training config: a folder, a "
            "pairs.csv, slides:COUNT:SEED (default: slides and textures made here).",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Take trained weights over to another size or scale of the same network.

    Says how good the start is, on images that were not fitted on.
    """
    from edgesr.train.transfer.files import TransferRequest, transfer_checkpoint

    sizes = {"features": features, "convs": convs}
    options: Options = {name: value for name, value in sizes.items() if value is not None}
    options |= dict(_setting(text) for text in settings or ())
    request = TransferRequest(source, result, arch, scale, options, method, tuple(data or ()))
    with session.terminal.progress() as tick:
        outcome = transfer_checkpoint(request, tick)
    if as_json:
        session.terminal.json(_document(request, outcome))
    else:
        _show(session, request, outcome)


def _setting(text: str) -> tuple[str, int | float | str | bool]:
    """``name=value``, the value as in TOML or else a string."""
    import tomllib

    name, equals, raw = text.partition("=")
    if not (name and equals and raw):
        raise UsageError(f"--set {text}: expected NAME=VALUE")
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw
    return name.strip(), value


def _document(request: "TransferRequest", outcome: "TransferOutcome") -> dict[str, object]:
    return {
        "checkpoint": str(request.out),
        "method": outcome.method,
        "source": outcome.source.to_dict(),
        "result": outcome.result.to_dict(),
        "notes": list(outcome.notes),
        **outcome.figures,
        "better_than_nearest": outcome.better_than_nearest,
    }


def _show(session: Session, request: "TransferRequest", outcome: "TransferOutcome") -> None:
    truth, near = outcome.figures["to_truth"], outcome.figures["to_source"]
    for note in outcome.notes:
        session.terminal.note(note)
    session.terminal.table(
        f"Start of x{outcome.result.scale} {outcome.result.arch}, images that were not fitted on",
        ["", "#dB PSNR-Y against the truth", "#against the source's output"],
        [
            [name, f"{truth[name]:.2f}", f"{near[name]:.2f}" if name in near else "-"]
            for name in ("source", "result", "nearest", "bicubic")
        ],
    )
    verdict = "better" if outcome.better_than_nearest else "NOT better"
    session.terminal.print(f"{request.out}: the start is {verdict} than nearest")
    if not outcome.better_than_nearest and outcome.method == "copy":
        session.terminal.note("copied channels make a poor start: try --method fit")

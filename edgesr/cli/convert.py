"""``edgesr convert``: checkpoint -> candidates."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edgesr.cli._network import ActivationOption, ArchOption, network_options
from edgesr.cli._session import JsonOption, Session, verb
from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.results.store import Candidate


@verb
def command(  # noqa: PLR0913 - one parameter per flag
    session: Session,
    checkpoint: Annotated[
        str,
        typer.Argument(metavar="CKPT", help="A .pt or .pth file, or a bundled checkpoint's name."),
    ],
    *,
    fp32: Annotated[bool, typer.Option("--fp32", help="Float (the default).")] = False,
    fp16: Annotated[bool, typer.Option("--fp16", help="Weights in half the space.")] = False,
    dynamic: Annotated[
        bool, typer.Option("--dynamic", help="8-bit weights, ranges found while running.")
    ] = False,
    int8: Annotated[
        bool, typer.Option("--int8", help="Integers inside, float pixels in and out.")
    ] = False,
    int8_io: Annotated[
        bool, typer.Option("--int8-io", help="Integers inside, uint8 pixels in and out.")
    ] = False,
    int8_island: Annotated[
        bool,
        typer.Option("--int8-island", help="As --int8, but PReLUs stay float (XNNPACK needs it)."),
    ] = False,
    int16x8: Annotated[
        bool, typer.Option("--16x8", help="8-bit weights, 16-bit values between operations.")
    ] = False,
    mixed: Annotated[
        bool,
        typer.Option(
            "--mixed", help="As --int8, but layers that lose most stay in half precision."
        ),
    ] = False,
    all_variants: Annotated[
        bool, typer.Option("--all", help="Every one that the network can have but --mixed.")
    ] = False,
    budget: Annotated[
        float, typer.Option(metavar="DB", help="PSNR-Y that --mixed may lose against float.")
    ] = 0.2,
    ranges: Annotated[
        Literal["minmax", "percentile", "mse"],
        typer.Option(help="How the int8 variants find activation ranges in the images."),
    ] = "mse",
    rounding: Annotated[
        Literal["nearest", "gptq", "adaround"],
        typer.Option(help="How the int8 variants round weights; adaround takes minutes."),
    ] = "gptq",
    io: Annotated[
        Literal["uint8", "int8"], typer.Option(help="Type of the pixels of --int8-io.")
    ] = "uint8",
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV|DIR",
            help="Images for integer ranges and parity: a pairs.csv or a folder of low-res images "
            "(default: rendered slides).",
        ),
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="HxW", help="Height and width of the low-res image.")
    ] = "360x640",
    arch: ArchOption = None,
    scale: Annotated[int | None, typer.Option(help="Insist on a scale: 2, 3 or 4.")] = None,
    activation: ActivationOption = None,
    backend: Annotated[
        Literal["onnx2tf", "litert"], typer.Option(help="litert needs the extra of that name.")
    ] = "onnx2tf",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write to DIR/<name>/ instead of the workspace."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Convert a checkpoint to checked TFLite candidates.

    Their pixels are compared with the checkpoint's. Either all variants asked for come out or
    none: a variant below its parity floor is an error.
    """
    from edgesr.convert.integer import IntegerOptions
    from edgesr.convert.pipeline import ConvertRequest, convert
    from edgesr.results.manifest import Variant
    from edgesr.results.store import Workspace

    asked: dict[Variant, bool] = {
        "fp32": fp32, "fp16": fp16, "dynamic": dynamic, "16x8": int16x8, "int8": int8,
        "int8-io": int8_io, "int8-island": int8_island, "mixed": mixed,
    }  # fmt: skip
    chosen = tuple(name for name, wanted in asked.items() if wanted)
    request = ConvertRequest(
        checkpoint=checkpoint,
        variants=("all", *chosen) if all_variants else chosen,
        size=parse_size(size),
        calibration=calibration,
        arch=arch,
        scale=scale,
        options=network_options(activation),
        integer=IntegerOptions(ranges, rounding, io, budget),
        backend=backend,
        out=out,
    )
    with session.terminal.progress() as tick:
        candidates = convert(request, Workspace(session.workspace), tick)
    if calibration is None:
        calibrated = any(each.manifest.calibration for each in candidates)
        session.terminal.note(
            f"{'calibrated and ' if calibrated else ''}compared on rendered slides; "
            "give images like yours with --calibration"
        )
    if mixed and not any(each.manifest.variant == "mixed" for each in candidates):
        session.terminal.note(f"mixed is int8: within {budget:g} dB nothing has to stay float")
    if json:
        session.terminal.json([_document(candidate) for candidate in candidates])
    else:
        _show(session, candidates)


def parse_size(text: str) -> tuple[int, int]:
    """``360x640`` -> (360, 640): height, width.

    Raises:
        UsageError: When it is not of that form.
    """
    match = re.fullmatch(r"(\d+)[xX](\d+)", text.strip())
    if match is None:
        raise UsageError(
            f"--size {text} is not HEIGHTxWIDTH", hint="the low-res image's, as in --size 360x640"
        )
    return int(match[1]), int(match[2])


def _document(candidate: "Candidate") -> dict[str, Any]:
    manifest = candidate.manifest.model_dump(mode="json", by_alias=True)
    return {"path": str(candidate.path), **manifest}


def _show(session: Session, candidates: "list[Candidate]") -> None:
    session.terminal.table(
        "",
        ("name", "#KB", "#parity dB", "#equal", "XNNPACK", "id"),
        [_row(candidate) for candidate in candidates],
    )
    for candidate in candidates:
        for remark in candidate.manifest.notes:
            session.terminal.note(f"{candidate.manifest.name}: {remark}")
    folder = candidates[0].path.parents[1]
    session.terminal.note(f"in {folder}; measure with: edgesr bench {_bench_name(candidates[0])}")


def _row(candidate: "Candidate") -> tuple[str, ...]:
    manifest = candidate.manifest
    psnr_db, taken = manifest.parity.psnr_db, manifest.coverage["xnnpack"]
    about = manifest.quantization
    return (
        manifest.name,
        f"{manifest.size_bytes / 1000:.1f}",
        "exact" if psnr_db is None else f"{psnr_db:.1f}",
        f"{about.agreement.equal:.1%}" if about else "",
        f"{taken.nodes_delegated}/{taken.nodes_total} in {taken.partitions}",
        manifest.short_id,
    )


def _bench_name(candidate: "Candidate") -> str:
    """By name from the workspace (its folders are called by id), else by folder."""
    folder = candidate.path.parent
    in_workspace = folder.name == candidate.manifest.short_id
    return candidate.manifest.name if in_workspace else str(folder)

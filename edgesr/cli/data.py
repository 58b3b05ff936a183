"""``edgesr data``: make pairs of images, or check them."""

from pathlib import Path
from typing import Annotated

import typer

from edgesr.cli import data_fetch, data_footage
from edgesr.cli._session import JsonOption, Session, verb
from edgesr.data.degrade_names import Degrade
from edgesr.errors import PairsError

app = typer.Typer(
    no_args_is_help=True,
    help="Make pairs of small and large images, or check them.",
    rich_markup_mode=None,
)


OutArgument = Annotated[
    Path, typer.Argument(metavar="OUT", help="New folder for hr/, lr_x<scale>/ and pairs.csv.")
]
ScaleOption = Annotated[int, typer.Option(min=2, max=4, help="Large size over small size.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Decides everything random.")]
DegradeOption = Annotated[
    Degrade,
    typer.Option(
        help="bicubic: MATLAB's, bit for bit. real: with blur, noise and JPEG of random strength. "
        "real-esrgan: its two orders of blur, resizing, noise and JPEG. "
        "lecture-video: H.264 or H.265 of low bitrate."
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace OUT if it holds pairs already.")
]


@app.command("slides")
@verb
def slides(  # noqa: PLR0913 - the options are the interface
    session: Session,
    out: OutArgument,
    *,
    count: Annotated[
        int | None,
        typer.Option(min=1, help="How many (default: 100 slides, or all pages of the PDF)."),
    ] = None,
    seed: SeedOption = 0,
    scale: ScaleOption = 2,
    degrade: DegradeOption = Degrade.BICUBIC,
    pdf: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take pages of this PDF and their text.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make pairs of lecture slides, rendered or from a PDF.

    The text on the slides is known. The same count and seed give the same slides everywhere.
    """
    from edgesr.data.make_pairs import PairOptions, refuse_to_replace
    from edgesr.data.pdf import write_pages
    from edgesr.data.slides import write_slides

    refuse_to_replace(out, overwrite=overwrite, source=pdf)
    options = PairOptions(scale, degrade.value, seed)
    with session.terminal.progress() as tick:
        if pdf:
            made = write_pages(pdf, out, options, count, tick)
        else:
            made = count or 100
            write_slides(out, made, options, tick)
    _report(session, out, made, scale, as_json=as_json)


@app.command("pairs")
@verb
def pairs(  # noqa: PLR0913 - the options are the interface
    session: Session,
    hr_dir: Annotated[
        Path, typer.Argument(metavar="HR_DIR", help="Folder of large images, with its subfolders.")
    ],
    out: OutArgument,
    *,
    scale: ScaleOption = 2,
    degrade: DegradeOption = Degrade.BICUBIC,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make pairs from any folder of images.

    PNG, JPEG, WebP, BMP and TIFF are read.
    """
    from edgesr.data.make_pairs import PairOptions, make_pairs, refuse_to_replace

    refuse_to_replace(out, overwrite=overwrite, source=hr_dir)
    with session.terminal.progress() as tick:
        made = make_pairs(hr_dir, out, PairOptions(scale, degrade.value, seed), tick)
    _report(session, out, made, scale, as_json=as_json)


@app.command("check")
@verb
def check(
    session: Session,
    csv: Annotated[Path, typer.Argument(metavar="PAIRS.csv", help="The file, or its folder.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Find every problem of a pairs.csv.

    Missing files, wrong sizes, unreadable images. Exit code 3 when there is any.
    """
    from dataclasses import asdict

    from edgesr.data.check import check_pairs
    from edgesr.data.pairs import PAIRS_FILE

    path = csv / PAIRS_FILE if csv.is_dir() else csv
    with session.terminal.progress() as tick:
        found = check_pairs(path, tick)
    if as_json:
        session.terminal.json({"pairs": str(path), **asdict(found)})
    else:
        for problem in found.problems:
            line = f"line {problem.line}: {problem.file or '(empty)'}: {problem.what}"
            session.terminal.print(line)
    if found.problems:
        many = len(found.problems)
        raise PairsError(
            f"{path} has {many} problem{'s' if many > 1 else ''} in {found.rows} rows",
            hint="correct or remove the rows named above",
        )
    if not as_json:
        line = f"{path}: {found.rows} pairs, scale {found.scale}, no problems"
        session.terminal.print(line)


def _report(session: Session, out: Path, made: int, scale: int, *, as_json: bool) -> None:
    from edgesr.data.pairs import PAIRS_FILE

    table = out / PAIRS_FILE
    if as_json:
        session.terminal.json({"pairs": str(table), "count": made, "scale": scale})
    else:
        session.terminal.print(f"{table}: {made} pairs, scale {scale}")


app.command("fetch")(data_fetch.command)
app.command("footage")(data_footage.command)

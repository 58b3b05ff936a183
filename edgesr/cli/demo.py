"""``edgesr demo``: the whole path in one command."""

from pathlib import Path
from typing import Annotated

import typer

from edgesr.cli._session import JsonOption, Session, verb, wait_passively


@verb
def command(
    session: Session,
    *,
    out: Annotated[Path, typer.Option(help="Folder, used as workspace.")] = Path("edgesr-demo"),
    minutes: Annotated[float, typer.Option(help="Rough limit on two cores.")] = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Go the whole path on this machine in a few minutes.

    Slides, fine-tuning, conversion, bench, report, selection: needs no phone and no data.
    Every number on the page is measured here.
    """
    import shutil
    import sys
    import time

    wait_passively()
    from edgesr.demo import DemoRequest, run_demo

    began = time.monotonic()
    with session.terminal.progress() as tick:
        result = run_demo(DemoRequest(out, minutes), session.terminal.note, tick)
    seconds = time.monotonic() - began
    if as_json:
        session.terminal.json(
            {
                "page": str(result.page),
                "run": str(result.run.path),
                "checkpoint": str(result.checkpoint),
                "psnr_y_before": result.psnr_before,
                "psnr_y_after": result.psnr_after,
                "candidates": [candidate.manifest.name for candidate in result.candidates],
                "winners": result.selection.to_dict()["winners"],
                "seconds": seconds,
            }
        )
        return
    session.terminal.print(f"Done in {seconds / 60:.1f} minutes. The page: {result.page.resolve()}")
    program = "edgesr" if shutil.which("edgesr") else sys.argv[0]
    session.terminal.note(
        "Next, with a checkpoint of yours:\n"
        f"  {program} convert CHECKPOINT --all\n"
        f"  {program} bench\n"
        f"  {program} report\n"
        f"  {program} select"
    )

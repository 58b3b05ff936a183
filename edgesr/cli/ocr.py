"""``edgesr ocr``: an OCR judge of your own, for languages that ready engines read badly."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgesr.cli._session import JsonOption, Session, verb, wait_passively
from edgesr.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from edgesr.judge.evaluate import Evaluation
    from edgesr.judge.merge import Merged
    from edgesr.judge.scores import Summary
    from edgesr.quality.intervals import Interval

app = typer.Typer(
    no_args_is_help=True,
    help="Make an OCR judge: merge sets, fine-tune a vision-language model, evaluate, describe.",
    rich_markup_mode=None,
)

DataArgument = Annotated[
    Path, typer.Argument(metavar="DATA.parquet", help="As edgesr ocr merge wrote it.")
]


@app.command("merge")
@verb
def merge(  # noqa: PLR0913 - the options are the interface
    session: Session,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]SRC...",
            help="A folder of images with .txt or a csv beside, a .csv, a .parquet, or a folder of "
            "Hugging Face's datasets.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="FILE.parquet", help="Where to.")],
    val: Annotated[str, typer.Option(help="Share of the images for validation.")] = "5%",
    test: Annotated[str, typer.Option(help="Share that training never sees.")] = "5%",
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail where one image has two texts.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Merge OCR sets into one parquet file without duplicates.

    Images are the same when their decoded pixels are; the first is kept. The counts per set are
    checked against the file as it was written.
    """
    from edgesr.judge.merge import MergeOptions
    from edgesr.judge.merge import merge as merge_sets
    from edgesr.judge.sources import parse_sources

    options = MergeOptions(_share(val, "--val"), _share(test, "--test"), strict)
    with session.terminal.progress() as tick:
        merged = merge_sets(parse_sources(sources), out, options, tick)
    _show_merged(session, merged, as_json=as_json)


@app.command("train")
@verb
def train(  # noqa: PLR0913 - the options are the interface
    session: Session,
    data: DataArgument,
    *,
    model: Annotated[
        str,
        typer.Option(metavar="BASE", help="Folder of a Qwen2.5-VL, or OWNER/NAME on the hub."),
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Default: WORKSPACE/judge.")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Keys as in docs/judge.md.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="key=value", help="steps=2000, lr=2e-4, lora.rank=32 ..."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the newest whole checkpoint.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune a vision-language model by LoRA to read a merged set.

    Writes best/ (the adapter with the lowest CER on the validation images), checkpoint-NNNNNN/ and
    metrics.csv. A training that was killed and is resumed ends as if it had not been.
    """
    wait_passively()
    from edgesr.judge.config import load_judge_config
    from edgesr.judge.train import JudgeRequest, train_judge

    folder = out or session.workspace / "judge"
    loaded = load_judge_config(config, model, settings or ())
    try:
        with session.terminal.progress() as tick:
            request = JudgeRequest(data, loaded, folder, resume=resume)
            done = train_judge(request, session.terminal.note, tick)
    except KeyboardInterrupt:
        kept = any(folder.glob("checkpoint-*"))
        hint = "go on with the same call and --resume" if kept else "nothing was trained yet"
        raise Interrupted("interrupted", hint=hint) from None
    if as_json:
        session.terminal.json({**vars(done), "best": str(done.best), "notes": list(done.notes)})
        return
    session.terminal.print(
        f"{done.best}: CER {done.best_cer:.4f} on {done.val_images} validation images after step"
        f" {done.best_step} of {done.steps} (base {done.start_cer:.4f})"
    )
    session.terminal.note(f"next: edgesr ocr eval {data} --model {done.best}")


@app.command("eval")
@verb
def evaluate(  # noqa: PLR0913 - the options are the interface
    session: Session,
    data: DataArgument,
    *,
    models: Annotated[
        list[str],
        typer.Option(
            "--model",
            metavar="READER",
            help="Folder of a model or adapter, or an engine: rapidocr, tesseract:LANG, vlm:NAME. "
            "May be given again.",
        ),
    ],
    split: Annotated[
        Literal["train", "val", "test", "all"], typer.Option(help="Which rows.")
    ] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="The first N images only.")] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Images that a vision-language model reads at once.")
    ] = 1,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Every image as a row of a csv file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score models and engines on a merged set: CER, exact match, character accuracy per source."""
    wait_passively()
    from edgesr.files import write_text
    from edgesr.judge.evaluate import EvalRequest
    from edgesr.judge.evaluate import evaluate as evaluate_readers

    wanted = None if split == "all" else split
    request = EvalRequest(data, tuple(models), wanted, limit, batch_size)
    with session.terminal.progress() as tick:
        found = evaluate_readers(request, tick)
    if csv:
        write_text(csv, found.csv())
    if as_json:
        session.terminal.json(found.to_dict())
    else:
        _show_scores(session, found)


@app.command("export")
@verb
def export(
    session: Session,
    adapter: Annotated[Path, typer.Argument(metavar="ADAPTER", help="Its folder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Merge an adapter into its base: one model that needs no peft.

    It is loaded again and compared before the folder gets its name.
    """
    wait_passively()
    from edgesr.judge.adapter import export_merged

    off = export_merged(adapter, out)
    if as_json:
        session.terminal.json({"folder": str(out), "logits_off": off})
    else:
        session.terminal.print(f"{out}: logits differ from the adapter's by {off:.1e} at most")


@app.command("card")
@verb
def card(  # noqa: PLR0913 - the options are the interface
    session: Session,
    adapter: Annotated[
        Path, typer.Argument(metavar="ADAPTER", help="Folder of an adapter or merged model.")
    ],
    *,
    evaluation: Annotated[
        Path,
        typer.Option("--eval", metavar="FILE.json", help="What edgesr ocr eval --json printed."),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default: README.md in its folder.")
    ] = None,
    licence: Annotated[
        str, typer.Option("--license", help="Of the model; left out by default.")
    ] = "",
    languages: Annotated[
        list[str] | None, typer.Option("--language", help="ISO 639 code; may be given again.")
    ] = None,
    name: Annotated[str, typer.Option(help="Its title (default: the folder's name).")] = "",
    as_json: JsonOption = False,
) -> None:
    """Write a model card from measured numbers.

    Refuses an evaluation of other weights than the folder holds.
    """
    from edgesr.files import write_text
    from edgesr.judge.card import CardOptions, model_card

    text = model_card(adapter, evaluation, CardOptions(licence, tuple(languages or ()), name))
    path = out or adapter / "README.md"
    write_text(path, text)
    if as_json:
        session.terminal.json({"card": str(path)})
    else:
        session.terminal.print(f"{path}: written")


def _share(text: str, flag: str) -> float:
    """A share as ``5%`` or ``0.05``."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise UsageError(f"{flag} {text!r} is no share", hint=f"say {flag} 5%")
    return value


def _show_merged(session: Session, merged: "Merged", *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        session.terminal.json(
            {
                "out": str(merged.out),
                "kept": merged.kept,
                "total": asdict(merged.total),
                "sources": {name: asdict(counts) for name, counts in merged.sources.items()},
                "splits": merged.splits,
                "damaged": merged.damaged,
                "conflicts": [asdict(one) for one in merged.conflicts],
            }
        )
        return
    rows = [*merged.sources.items(), ("all", merged.total)]
    columns = list(asdict(merged.total))
    titles = [f"#{column.replace('_', ' ')}" for column in columns]
    cells = [[name, *(f"{getattr(counts, c):,}" for c in columns)] for name, counts in rows]
    session.terminal.table("", ["set", *titles], cells)
    for line in merged.damaged:
        session.terminal.note(f"damaged: {line}")
    for one in merged.conflicts:
        session.terminal.note(
            f"two texts: {one.kept}: {one.kept_text!r} is kept, {one.dropped}: {one.dropped_text!r}"
        )
    splits = ", ".join(f"{count:,} {name}" for name, count in sorted(merged.splits.items()))
    session.terminal.print(f"{merged.out}: {merged.kept:,} images, read back and counted: {splits}")


def _show_scores(session: Session, found: "Evaluation") -> None:
    rows = []
    for result in found.results:
        parts = list(result.sources.items())
        parts += [("all", result.overall)] if len(parts) > 1 else []
        rows += [[result.name, source, *_cells(summary)] for source, summary in parts]
    title = f"split {found.data['split']}, 95 % intervals in brackets"
    columns = ["reader", "source", "#images", "#CER", "#exact match", "#character accuracy"]
    session.terminal.table(title, columns, rows)


def _cells(summary: "Summary") -> list[str]:
    scores = (summary.cer, summary.exact_match, summary.character_accuracy)
    return [f"{summary.images:,}", *(_cell(value) for value in scores)]


def _cell(value: "Interval") -> str:
    if value.low is None:
        return f"{value.mean:.4f}"
    return f"{value.mean:.4f} [{value.low:.4f}, {value.high:.4f}]"

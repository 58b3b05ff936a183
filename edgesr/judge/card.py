"""A model card in Hugging Face's form, from measured numbers alone.

After Mitchell et al., "Model Cards for Model Reporting" (2019), as far as numbers go: what the
model may be used for, and what it costs whom, only its maker can tell.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesr.errors import CheckpointError, InputError
from edgesr.files import read_errors
from edgesr.quality.vlm.files import VlmFiles, find_vlm, read_notes


@dataclass(frozen=True)
class CardOptions:
    """What only its maker knows."""

    licence: str = ""
    """Of the adapter, as Hugging Face abbreviates it; left out where it is not said."""
    languages: tuple[str, ...] = ()
    """ISO 639 codes."""
    name: str = ""
    """Its title; the folder's name where it is not said."""


def model_card(folder: Path, eval_json: Path, options: CardOptions) -> str:
    """The text of a README.md.

    Args:
        folder: Of an adapter or a merged model of ``edgesr ocr``.
        eval_json: What ``edgesr ocr eval --json`` said, with this model among the readers.
        options: What is not measured.

    Raises:
        InputError: When the evaluation can't be read, or is not of this model as it is now.
        CheckpointError: When edgesr did not train the model.
    """
    notes = read_notes(folder)
    if not notes.get("data"):
        raise CheckpointError(
            f"{folder} tells nothing about its training",
            hint="name a folder that edgesr ocr train or export wrote",
        )
    files = find_vlm(str(folder))
    document = _evaluation(eval_json)
    mine = _of(files, document["readers"], eval_json)
    parts = [
        _front(notes, files, options),
        f"# {options.name or folder.resolve().name}",
        _summary(notes, files),
        "## Measured",
        _measured(document, mine),
        "## Trained",
        _trained(notes, document),
        "## Use",
        _use(notes),
        "",
    ]
    return "\n\n".join(parts)


def _evaluation(path: Path) -> dict[str, Any]:
    with read_errors(path):
        data = path.read_bytes()
    try:
        document = json.loads(data)
        _ = document["readers"][0]["overall"]["cer"]["mean"], document["data"]["sha256"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(
            f"{path} is no evaluation", hint="make one with: edgesr ocr eval ... --json > FILE"
        ) from error
    if document.get("schema") != 1:
        raise InputError(
            f"{path} has schema {document.get('schema')}, this edgesr knows 1", hint="update edgesr"
        )
    return dict(document)


def _of(files: VlmFiles, readers: Sequence[dict[str, Any]], path: Path) -> dict[str, Any]:
    for reader in readers:
        if reader.get("sha256") == files.sha256:
            return reader
    raise InputError(
        f"{path} is not about {files.name} as it is now: no reader has its digest"
        f" {files.sha256[:12]}",
        hint=f"evaluate it: edgesr ocr eval DATA.parquet --model {files.name} --json > FILE",
    )


def _front(notes: Mapping[str, Any], files: VlmFiles, options: CardOptions) -> str:
    """The YAML that Hugging Face reads; JSON's strings and lists are YAML's too."""
    entries: dict[str, object] = {"base_model": Path(str(notes["base"]["name"])).name}
    if "/" in notes["base"]["name"] and notes["base"]["revision"]:
        entries["base_model"] = notes["base"]["name"]
    entries["library_name"] = "peft" if files.adapter else "transformers"
    entries["pipeline_tag"] = "image-text-to-text"
    entries["tags"] = ["ocr", *(["lora"] if files.adapter else [])]
    if options.languages:
        entries["language"] = list(options.languages)
    if options.licence:
        entries["license"] = options.licence
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entries.items()]
    return "\n".join(["---", *lines, "---"])


def _summary(notes: Mapping[str, Any], files: VlmFiles) -> str:
    base = notes["base"]
    kind = "A LoRA adapter for" if files.adapter else "Merged from a LoRA adapter and"
    revision = f", revision {base['revision']}" if base["revision"] else ""
    return (
        f"{kind} `{Path(base['name']).name}`{revision}, that reads the text in images."
        f" sha256 of base, adapter and how it is asked: `{files.sha256}`."
    )


def _measured(document: Mapping[str, Any], mine: Mapping[str, Any]) -> str:
    data, protocol = document["data"], document["protocol"]
    head = (
        f"On {data['images']:,} images of the split `{data['split']}` of a merged set (sha256"
        f" `{data['sha256']}`), by {mine['version']}; 95 % intervals in brackets."
    )
    rows = ["| reader | set | images | CER | exact match | character accuracy |", "|" + "---|" * 6]
    for reader in (mine, *(other for other in document["readers"] if other is not mine)):
        name = "this model" if reader is mine else _name(reader)
        scores = {"all": reader["overall"], **reader["sources"]}
        if len(reader["sources"]) == 1:
            scores.pop("all")
        for source, found in scores.items():
            cells = [_cell(found[key]) for key in ("cer", "exact_match", "character_accuracy")]
            rows.append(f"| {name} | {source} | {found['images']:,} | {' | '.join(cells)} |")
    meaning = [f"- {key}: {protocol[key]}" for key in sorted(protocol)]
    return "\n\n".join([head, "\n".join(rows), "\n".join(meaning)])


def _name(reader: Mapping[str, Any]) -> str:
    """Another reader, without the folders of the machine it was evaluated on."""
    return f"{Path(reader['name']).name} ({reader['engine']} {reader['version']})"


def _cell(found: Mapping[str, Any]) -> str:
    if found["low"] is None:
        return f"{found['mean']:.4f}"
    return f"{found['mean']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"


def _trained(notes: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    data, config, checked = notes["data"], notes["config"], notes["validation"]
    sources = ", ".join(f"{name} ({count:,})" for name, count in data["sources"].items())
    versions = ", ".join(f"{name} {number}" for name, number in notes["versions"].items())
    lora, same = config["lora"], data["sha256"] == document["data"]["sha256"]
    about = {
        "images": f"{data['train_images']:,}: {sources}",
        "merged set": f"sha256 `{data['sha256']}`, "
        + ("the one that was evaluated on" if same else "another than was evaluated on"),
        "steps": f"{notes['step']:,} of {config['steps']:,}, with"
        f" {config['batch_size'] * config['accumulate']} images each, seed {config['seed']}",
        "LoRA": f"rank {lora['rank']}, alpha {lora['alpha']:g}, layers {lora['targets']}; learning"
        f" rate {config['lr']:g}",
        "validation": f"CER {checked['val_cer']:.4f} on"
        f" {min(data['val_images'], config['val_images']):,} images, by which the step was chosen",
        "base": f"sha256 `{notes['base']['sha256']}`",
        "made with": versions,
    }
    return "\n".join(f"- {key}: {value}" for key, value in about.items())


def _use(notes: Mapping[str, Any]) -> str:
    asking = notes["asking"]
    return (
        "`edgesr eval MODEL --pairs pairs.csv --ocr vlm:FOLDER`, which asks as it was asked in"
        f" training: images of up to {asking['max_pixels']:,} pixels, then"
        f" {json.dumps(asking['prompt'], ensure_ascii=False)}, up to"
        f" {asking['max_new_tokens']:,} tokens, greedy."
    )

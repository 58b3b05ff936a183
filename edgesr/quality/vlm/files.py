"""The files of a vision-language model: where they are, which they are, how it is asked.

A model is a folder as transformers writes it, a name on the Hugging Face hub, or the folder of a
LoRA adapter as peft writes it, which names its base. ``edgesr ocr train`` and ``export`` put
`NOTES_FILE` beside the weights: what the model was asked in training has to be asked again.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgesr.errors import CheckpointError, InputError, MissingExtraError
from edgesr.files import read_errors, sha256_file

NOTES_FILE = "edgesr_judge.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
FAMILY = "qwen2_5_vl"
"""The ``model_type`` that is understood."""
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_WANTED = ("*.json", "*.jinja", "*.safetensors", "*.txt")
_DECIDING = ("config.json", "preprocessor_config.json", "tokenizer.json")


@dataclass(frozen=True)
class Asking:
    """How a model is asked, in training as in reading."""

    prompt: str = "Read the text in this image. Answer with the text alone, line by line."
    max_pixels: int = 1280 * 28 * 28
    """A larger image is made smaller; 784 pixels are one token."""
    max_new_tokens: int = 512
    """So much of an answer is read."""
    language: str = "any"
    """Of the texts it learned to read."""


@dataclass(frozen=True)
class VlmFiles:
    """A model, found."""

    name: str
    """As it was asked for."""
    base: Path
    """Folder of the base model."""
    adapter: Path | None
    """Folder of the LoRA adapter."""
    revision: str | None
    """The commit of the base, where it came from the hub."""
    base_sha256: str
    """Of the base's weights, config and tokenizer."""
    sha256: str
    """Of everything that decides what is read: base, adapter and `Asking`."""
    asking: Asking


def find_vlm(name: str, untold: Asking | None = None) -> VlmFiles:
    """Finds a model; a name on the hub is fetched once into the hub's own cache.

    Args:
        name: A folder, or ``OWNER/NAME`` on the hub.
        untold: How it is asked where no notes tell; None asks as `Asking` does by default.

    Raises:
        MissingExtraError: When a name is given and transformers' packages are not installed.
        InputError: When there is no such model.
        CheckpointError: When it is of another family, or not the base its adapter was trained on.
    """
    folder = Path(name)
    if not (folder / ADAPTER_CONFIG).is_file():
        base, revision = find_base(name)
        digest = base_digest(base)
        asking = _asking(read_notes(base), untold)
        return VlmFiles(name, base, None, revision, digest, _combined(digest, asking), asking)
    config, notes = _read_json(folder / ADAPTER_CONFIG), read_notes(folder)
    named = config.get("base_model_name_or_path")
    if not isinstance(named, str):
        raise CheckpointError(f"{folder / ADAPTER_CONFIG} names no base_model_name_or_path")
    try:
        base, revision = find_base(named, config.get("revision"))
    except InputError as error:
        raise InputError(
            f"the base model of {folder} is missing: {error}",
            hint=f"put it there, or write its place into {folder / ADAPTER_CONFIG}",
        ) from error
    digest, asking = base_digest(base), _asking(notes, untold)
    trained_on = notes.get("base", {}).get("sha256", digest)
    if trained_on != digest:
        raise CheckpointError(
            f"{folder} was trained on another base than {named} is now:"
            f" {trained_on[:12]}, not {digest[:12]}",
            hint="give it the base it was trained on",
        )
    weights = sha256_file(folder / ADAPTER_WEIGHTS)
    settings = sha256_file(folder / ADAPTER_CONFIG) if not notes else _lora(config)
    return VlmFiles(
        name, base, folder, revision, digest, _combined(digest, asking, weights, settings), asking
    )


def find_base(name: str, revision: str | None = None) -> tuple[Path, str | None]:
    """Folder of a base model, and its commit where it is from the hub.

    Raises:
        InputError: When there is none.
        CheckpointError: When it is of another family.
        MissingExtraError: When it has to be fetched and the packages are not installed.
    """
    folder, commit = Path(name), None
    if not folder.exists():
        if not _HUB_NAME.fullmatch(name):
            raise InputError(f"there is no model {name}", hint="give its folder, or OWNER/NAME")
        folder, commit = _fetch(name, revision)
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder} is no model: it has no config.json",
            hint="give a folder that transformers or peft wrote",
        )
    kind = _read_json(folder / "config.json").get("model_type")
    if kind != FAMILY:
        raise CheckpointError(
            f"{folder} is a model of type {kind}, not {FAMILY}", hint="use a Qwen2.5-VL model"
        )
    return folder, commit


def base_digest(folder: Path) -> str:
    """Hex sha256 of a base model's weights, config, tokenizer and image settings.

    Raises:
        InputError: When it has no weights, or a file can't be read.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise InputError(f"{folder} has no weights (*.safetensors)", hint="fetch the model again")
    others = [folder / name for name in _DECIDING if (folder / name).is_file()]
    return _combined(*(f"{path.name} {sha256_file(path)}" for path in (*others, *weights)))


def read_notes(folder: Path) -> dict[str, Any]:
    """What edgesr wrote beside a model's weights; empty where another program wrote them.

    Raises:
        CheckpointError: When the notes are damaged or of a newer edgesr.
    """
    path = folder / NOTES_FILE
    if not path.is_file():
        return {}
    notes = _read_json(path)
    if notes.get("schema") != 1:
        raise CheckpointError(
            f"{path} has schema {notes.get('schema')}, this edgesr knows 1", hint="update edgesr"
        )
    return notes


def _asking(notes: dict[str, Any], untold: Asking | None) -> Asking:
    if not notes:
        return untold or Asking()
    try:
        return Asking(**notes.get("asking", {}))
    except TypeError as error:
        raise CheckpointError(f"{NOTES_FILE} is damaged: {error}") from error


def _lora(config: dict[str, Any]) -> str:
    """What decides in an adapter's config; its base has a digest of its own and may move."""
    left_out = {"base_model_name_or_path", "revision", "peft_version"}
    return json.dumps({k: v for k, v in config.items() if k not in left_out}, sort_keys=True)


def _combined(*parts: str | Asking) -> str:
    texts = (json.dumps(asdict(p)) if isinstance(p, Asking) else p for p in parts)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    with read_errors(path):
        data = path.read_bytes()
    try:
        found = json.loads(data)
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} is damaged: it holds no table")
    return found


def _fetch(name: str, revision: str | None) -> tuple[Path, str]:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError(f"the model {name}", extra="vlm") from error
    wanted: Iterable[str] = _WANTED
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(wanted)))
    except (OSError, ValueError) as error:  # all of the hub's errors are one or the other
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"can't get the model {name}: {reason}",
            hint="check the name and the network; a folder needs no network",
        ) from error
    return folder, folder.name

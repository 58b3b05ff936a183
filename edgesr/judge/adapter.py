"""LoRA adapters around a Qwen2.5-VL: made, saved with notes, merged into their base."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from edgesr import __version__
from edgesr.errors import ConfigError, ParityError, UsageError
from edgesr.files import atomic_folder, store_errors
from edgesr.judge.config import JudgeConfig, asking_document
from edgesr.quality.vlm.files import (
    ADAPTER_CONFIG,
    NOTES_FILE,
    VlmFiles,
    find_base,
    find_vlm,
    read_notes,
)
from edgesr.quality.vlm.model import Vlm, load_base, on_device, open_vlm, quiet_transformers

_LANGUAGE = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"
_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}
"""How far the logits of a merged model may be off, in units of the largest one."""


def add_adapter(model: Any, config: JudgeConfig) -> Any:
    """Puts a new adapter around a base model; the seed decides its first weights.

    Raises:
        ConfigError: When the base has no such layers.
    """
    from peft import LoraConfig, get_peft_model

    lora = config.lora
    targets = {"all-linear": "all-linear", "language": _LANGUAGE}
    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets[lora.targets] if isinstance(lora.targets, str) else [*lora.targets],
        modules_to_save=list(lora.also_train) or None,
        base_model_name_or_path=_lasting(config.model),
        revision=config.revision,
        task_type="CAUSAL_LM",
    )
    with quiet_transformers(), torch.random.fork_rng():
        torch.manual_seed(config.seed)
        try:
            adapted = get_peft_model(model, settings)
        except ValueError as error:
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(f"no adapter fits: {reason}", hint="correct lora.targets") from error
    adapted.peft_config["default"].base_model_name_or_path = _lasting(config.model)
    return adapted


def save_adapter(model: Any, folder: Path, notes: Mapping[str, Any]) -> None:
    """Writes an adapter and its notes into a folder that is there.

    Raises:
        StoreError: When it can't be written.
    """
    with store_errors(folder), quiet_transformers():
        model.save_pretrained(str(folder), save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)  # peft's empty form; ours: edgesr ocr card
    _write_notes(folder, notes)


def _write_notes(folder: Path, notes: Mapping[str, Any]) -> None:
    """Writes the notes; weights, which safetensors keeps for their owner, may be read like them."""
    path, text = folder / NOTES_FILE, json.dumps(notes, indent=2, ensure_ascii=False)
    with store_errors(folder):
        path.write_text(text + "\n", encoding="utf-8")
        for weights in folder.glob("*.safetensors"):
            weights.chmod(path.stat().st_mode)


def notes_of(config: JudgeConfig, base: VlmFiles, data: Mapping[str, Any]) -> dict[str, Any]:
    """What is told about an adapter wherever it goes.

    Args:
        config: It was trained with.
        base: The model it belongs to.
        data: Of the merged file: sha256, rows by source.
    """
    return {
        "schema": 1,
        "base": {"name": config.model, "revision": base.revision, "sha256": base.base_sha256},
        "asking": asking_document(config.asking),
        "data": dict(data),
        "config": config.model_dump(mode="json"),
        "versions": {"edgesr": __version__}
        | {name: version(name) for name in ("torch", "transformers", "peft")},
    }


def export_merged(adapter: Path, out: Path) -> float:
    """Writes base and adapter as one model that needs no peft, and checks that it answers the same.

    Args:
        adapter: Folder of the adapter.
        out: New folder.

    Returns:
        The largest difference of a logit on a test image, in units of the largest logit.

    Raises:
        UsageError: When there is no adapter, or ``out`` exists.
        ParityError: When the merged model answers otherwise; nothing is left behind.
        StoreError: When it can't be written.
    """
    files = find_vlm(str(adapter))
    if files.adapter is None:
        raise UsageError(f"{adapter} holds no adapter ({ADAPTER_CONFIG})", hint="name one")
    if out.exists():
        raise UsageError(f"{out} exists", hint="choose another folder")
    vlm = open_vlm(files)
    before = _logits(vlm)
    notes = {**read_notes(adapter), "schema": 1, "asking": asking_document(files.asking)}
    notes["merged_from"] = files.sha256
    with atomic_folder(out) as temporary:
        with quiet_transformers():
            vlm.model.merge_and_unload().save_pretrained(temporary)
            vlm.encoder.save(temporary)
        _write_notes(temporary, notes)
        folder, _ = find_base(str(temporary))
        model, encoder = load_base(folder, files.asking)
        after = _logits(Vlm(model.eval(), encoder, files.asking))
        off = float((after - before).abs().max() / before.abs().max())
        if not off <= _TOLERANCE[model.dtype]:
            raise ParityError(f"merged, {adapter} answers otherwise: logits off by {off:.2g}")
    return off


def _logits(vlm: Vlm) -> torch.Tensor:
    """Of the question about a picture of random strips, (1, L, vocabulary), float32."""
    import numpy as np

    strips = np.random.default_rng(0).integers(0, 256, (1, 112, 3), dtype=np.uint8)
    image = np.repeat(strips, 56, axis=0)
    batch = on_device(vlm.model, vlm.encoder.questions([image]))
    with torch.inference_mode():
        return vlm.model(**batch).logits.float().cpu()  # type: ignore[no-any-return]


def _lasting(model: str) -> str:
    """A folder's whole path, so that the adapter finds it from everywhere; a name as it is."""
    return str(Path(model).resolve()) if Path(model).exists() else model

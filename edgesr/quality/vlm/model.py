"""A loaded Qwen2.5-VL that answers what stands in images."""

import contextlib
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.data.images import RgbImage
from edgesr.errors import CheckpointError, EdgesrError, InputError, MissingExtraError
from edgesr.quality.vlm.files import Asking, VlmFiles
from edgesr.quality.vlm.prompt import Batch, Encoder

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Answer:
    """What a model read in one image: its lines without empty ones, and how sure it was of each."""

    lines: tuple[tuple[str, float], ...]
    """(text, geometric mean of the probabilities of its tokens)."""

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(text for text, _ in self.lines)


class Vlm:
    """A model with its way of being asked; greedy, so that it answers the same again.

    Args:
        model: A Qwen2.5-VL, or a peft model around one.
        encoder: Builds its batches.
        asking: How much of an answer is read.
    """

    def __init__(self, model: Any, encoder: Encoder, asking: Asking) -> None:
        from transformers import GenerationConfig

        self.model = model
        self.encoder = encoder
        self._tokenizer = encoder.tokenizer
        ends = {encoder.end, self._tokenizer.eos_token_id, self._tokenizer.pad_token_id}
        self._ends = sorted(end for end in ends if end is not None)
        # The models' own settings, which fill what a call leaves open, sample, and punish a letter
        # for having been there before.
        model.generation_config = GenerationConfig(
            do_sample=False,
            max_new_tokens=asking.max_new_tokens,
            eos_token_id=self._ends,
            pad_token_id=self._tokenizer.pad_token_id,
        )

    def read(self, images: Sequence[RgbImage]) -> list[Answer]:
        """Reads images in one batch.

        Args:
            images: Arrays (H, W, 3), uint8, RGB; at least one.

        Raises:
            InputError: When an image is too narrow, or memory does not suffice.
        """
        import torch
        from transformers import LogitsProcessorList

        batch = on_device(self.model, self.encoder.questions(images))
        sure = _Sureness()
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad(), quiet_transformers():
                found = self.model.generate(
                    **batch,
                    logits_processor=LogitsProcessorList([sure]),
                )
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"memory does not suffice to read {len(images)} images at once",
                hint="read fewer at once, or smaller ones",
            ) from error
        finally:
            self.model.train(was_training)
        answers = found[:, batch["input_ids"].shape[1] :].tolist()
        chances = [*zip(*(step.tolist() for step in sure.steps), strict=True)]
        return [self._answer(ids, sure) for ids, sure in zip(answers, chances, strict=True)]

    def _answer(self, ids: Sequence[int], chances: Sequence[float]) -> Answer:
        """Puts tokens and their log probabilities to the lines they stand in."""
        ended = next((n for n, token in enumerate(ids) if token in self._ends), len(ids))
        ids = ids[:ended]
        texts = self._decode(ids).split("\n")
        sums, counts, line = [0.0] * len(texts), [0] * len(texts), 0
        for token, chance in zip(ids, chances[:ended], strict=True):
            sums[line] += chance
            counts[line] += 1
            line = min(line + self._decode([token]).count("\n"), len(texts) - 1)
        return Answer(
            tuple(
                (text.strip(), math.exp(total / count) if count else 0.0)
                for text, total, count in zip(texts, sums, counts, strict=True)
                if text.strip()
            )
        )

    def _decode(self, ids: Sequence[int]) -> str:
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )


class _Sureness:
    """Notes how likely the best next token is at every step; changes nothing."""

    def __init__(self) -> None:
        self.steps: list[torch.Tensor] = []
        """One tensor (B,) per step, log probabilities."""

    def __call__(self, _ids: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
        self.steps.append(scores.float().log_softmax(-1).amax(-1))
        return scores


def open_vlm(files: VlmFiles) -> Vlm:
    """Loads a model, with its adapter where it has one.

    Raises:
        MissingExtraError: When the packages are not installed.
        CheckpointError: When it can't be loaded.
    """
    model, encoder = load_base(files.base, files.asking)
    if files.adapter is not None:
        model = load_adapter(model, files.adapter)
    return Vlm(model.eval(), encoder, files.asking)


def load_base(folder: Path, asking: Asking) -> tuple[Any, Encoder]:
    """Loads a base model and what prepares its input.

    In bfloat16 on a GPU, which it is moved to where there is one, else in float32.

    Args:
        folder: As `find_base` gives it.
        asking: How it will be asked.

    Raises:
        MissingExtraError: When the packages are not installed.
        CheckpointError: When the files are damaged or lack weights.
    """
    import torch

    require_vlm(f"the model {folder}")
    from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    gpu = torch.cuda.is_available()
    with _load_errors(folder), quiet_transformers():
        model, loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder,
            dtype=torch.bfloat16 if gpu else torch.float32,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        images = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True)
    absent = sorted(loaded["missing_keys"]) + sorted(map(str, loaded["mismatched_keys"]))
    if absent:
        raise CheckpointError(
            f"{folder} lacks weights: {len(absent)}, {absent[0]} among them",
            hint="fetch the model again",
        )
    return model.to("cuda" if gpu else "cpu"), Encoder(tokenizer, images, asking)


def load_adapter(model: Any, folder: Path, *, trainable: bool = False) -> Any:
    """Puts a LoRA adapter around a base model.

    Raises:
        CheckpointError: When its files are damaged or do not fit the base.
    """
    require_vlm(f"the adapter {folder}")
    from peft import PeftModel

    with _load_errors(folder), quiet_transformers():
        return PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)


def on_device(model: Any, batch: Batch) -> Batch:
    """The batch on the model's device, its pixels in the model's number format."""
    moved = {name: values.to(model.device) for name, values in batch.items()}
    return {**moved, "pixel_values": moved["pixel_values"].to(model.dtype)}


def require_vlm(what: str) -> None:
    """Checks that transformers and peft are installed.

    Raises:
        MissingExtraError: When one is not; ``what`` is what needs it.
    """
    try:
        import peft
        import transformers
    except ImportError as error:
        raise MissingExtraError(what, extra="vlm") from error
    del peft, transformers


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keeps the packages' bars, notes and warnings to each other off the terminal."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def _load_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except EdgesrError:
        raise
    except Exception as error:  # of safetensors, tokenizers, json and torch
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CheckpointError(
            f"{folder} can't be loaded: {reason}", hint="its files are damaged or incomplete"
        ) from error

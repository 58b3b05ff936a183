"""A question about an image, and its answer, as numbers for a Qwen2.5-VL.

The form is that model family's ChatML with its default system prompt and the image before the
question. It is built here, not by transformers' processor: that one needs torchvision for videos,
which edgesr has no use for.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.data.images import RgbImage
from edgesr.errors import InputError
from edgesr.quality.vlm.files import Asking

if TYPE_CHECKING:
    import torch

_BEFORE = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|>"
)
_IMAGE = "<|image_pad|>"
_BETWEEN = "<|vision_end|>"
_AFTER = "<|im_end|>\n<|im_start|>assistant\n"
_END = "<|im_end|>"
_NO_LOSS = -100

Batch = dict[str, "torch.Tensor"]
"""input_ids, attention_mask, mm_token_type_ids (B, L); pixel_values (patches, values);
image_grid_thw (B, 3); and labels (B, L) where there are answers."""


class Encoder:
    """Builds batches.

    Args:
        tokenizer: Of the model.
        images: The model's image processor.
        asking: The question, and how large an image may be.
    """

    def __init__(self, tokenizer: Any, images: Any, asking: Asking) -> None:
        self.tokenizer = tokenizer
        self._images = images
        smallest = min(int(images.size["shortest_edge"]), asking.max_pixels)
        self._size = {"shortest_edge": smallest, "longest_edge": asking.max_pixels}
        self._image, self.end = tokenizer.convert_tokens_to_ids([_IMAGE, _END])
        self._before = self._special(_BEFORE)
        self._after = [
            *self._special(_BETWEEN),
            *self._plain(asking.prompt),
            *self._special(_AFTER),
        ]

    def questions(self, images: Sequence[RgbImage]) -> Batch:
        """Padded on the left, as generation wants it.

        Args:
            images: Arrays (H, W, 3), uint8, RGB.

        Raises:
            InputError: When an image is too narrow.
        """
        pixels, rows = self._rows(images)
        longest = max(map(len, rows))
        return {**pixels, **self._padded([[None] * (longest - len(row)) + row for row in rows])}

    def answered(self, images: Sequence[RgbImage], answers: Sequence[str]) -> Batch:
        """Padded on the right, with labels; the loss counts the answers and their end only.

        Args:
            images: Arrays (H, W, 3), uint8, RGB.
            answers: One text each.

        Raises:
            InputError: When an image is too narrow.
        """
        import torch

        pixels, rows = self._rows(images)
        ends = [[*self._plain(answer), self.end] for answer in answers]
        longest = max(len(row) + len(end) for row, end in zip(rows, ends, strict=True))
        padded, labels = [], []
        for row, end in zip(rows, ends, strict=True):
            spare = longest - len(row) - len(end)
            padded.append(row + end + [None] * spare)
            labels.append([_NO_LOSS] * len(row) + end + [_NO_LOSS] * spare)
        return {**pixels, **self._padded(padded), "labels": torch.tensor(labels)}

    def save(self, folder: Path) -> None:
        """Writes tokenizer and image settings beside a model's weights."""
        self.tokenizer.save_pretrained(folder)
        self._images.save_pretrained(folder)

    def _rows(self, images: Sequence[RgbImage]) -> tuple[Batch, list[list[int | None]]]:
        try:
            pixels = self._images(
                images=list(images),
                size=self._size,
                input_data_format="channels_last",  # it would guess, and wrongly for three rows
                return_tensors="pt",
            )
        except ValueError as error:
            raise InputError(
                f"an image can't be shown to the model: {error}", hint="cut it into pieces"
            ) from error
        merged = self._images.merge_size**2
        counts = (pixels["image_grid_thw"].prod(1) // merged).tolist()
        rows = [[*self._before, *[self._image] * count, *self._after] for count in counts]
        return {key: pixels[key] for key in ("pixel_values", "image_grid_thw")}, rows

    def _padded(self, rows: Sequence[Sequence[int | None]]) -> Batch:
        """Tensors (B, L) of rows of equal length; None is padding."""
        import torch

        filler = self.tokenizer.pad_token_id
        ids = torch.tensor([[filler if i is None else i for i in row] for row in rows])
        mask = torch.tensor([[int(i is not None) for i in row] for row in rows])
        kinds = (ids == self._image).int()  # without them a model takes an image for a line of text
        return {"input_ids": ids, "attention_mask": mask, "mm_token_type_ids": kinds}

    def _special(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def _plain(self, text: str) -> list[int]:
        """Of text in which ``<|im_end|>`` is a word like another."""
        encoded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return list(encoded.input_ids)

"""A vision-language model as an OCR engine: for languages that the others read badly."""

import importlib.metadata

from edgesr.data.images import RgbImage
from edgesr.errors import UsageError
from edgesr.quality.reading import Line
from edgesr.quality.vlm.files import Asking, find_vlm
from edgesr.quality.vlm.model import Vlm, open_vlm, require_vlm


class VlmOcr:
    """A Qwen2.5-VL, alone or with a LoRA adapter such as ``edgesr ocr train`` makes.

    The model tells lines, not where they are: line ``i`` of ``n`` gets the i-th of n equal strips
    of the image as its box.

    Args:
        argument: Folder of a model or of an adapter, or ``OWNER/NAME`` on the Hugging Face hub.
        threads: CPU threads, which are torch's and so hold for the whole program; None leaves them.
        untold: How a model is asked that tells nothing about it.

    Raises:
        UsageError: When there is no argument.
        MissingExtraError: When transformers or peft is not installed.
        InputError: When there is no such model.
        CheckpointError: When it is of another family, or not the base its adapter was trained on.
    """

    name = "vlm"
    copies = False

    def __init__(
        self,
        argument: str | None = None,
        threads: int | None = None,
        untold: Asking | None = None,
    ) -> None:
        if not argument:
            raise UsageError("the OCR engine vlm needs a model", hint="say vlm:FOLDER")
        require_vlm("the OCR engine vlm")
        self.files = find_vlm(argument, untold)
        package = importlib.metadata.version("transformers")
        self.version = f"transformers {package}, {self.files.sha256[:16]}"
        self.language = self.files.asking.language
        self._threads = threads
        self._vlm: Vlm | None = None

    @staticmethod
    def version_of(argument: str | None) -> str:
        """Digest of the model, its adapter and how it is asked."""
        return VlmOcr(argument).version

    def read(self, image: RgbImage) -> tuple[Line, ...]:
        """Reads an image; see `edgesr.quality.ocr.OcrEngine`."""
        return self.read_batch([image])[0]

    def read_batch(self, images: list[RgbImage]) -> list[tuple[Line, ...]]:
        """Reads images together, which is faster and may round otherwise than one by one.

        Args:
            images: Arrays (H, W, 3), uint8, RGB.

        Raises:
            InputError: When an image is too narrow, or memory does not suffice.
            CheckpointError: When the model can't be loaded.
        """
        shown = [image for image in images if image.size]
        answers = iter(self._loaded().read(shown)) if shown else iter(())
        return [_lines(image, next(answers).lines) if image.size else () for image in images]

    def _loaded(self) -> Vlm:
        if self._vlm is None:
            import torch

            if self._threads:
                torch.set_num_threads(self._threads)
            self._vlm = open_vlm(self.files)
        return self._vlm


ENGINE = VlmOcr


def _lines(image: RgbImage, answer: tuple[tuple[str, float], ...]) -> tuple[Line, ...]:
    height, width = image.shape[:2]
    strip = height / max(1, len(answer))
    return tuple(
        Line(text, sure, (0.0, number * strip, float(width), (number + 1) * strip))
        for number, (text, sure) in enumerate(answer)
    )

"""Reading any common image file as RGB bytes, and writing PNG."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from edgesr.errors import ImageError
from edgesr.files import atomic_file

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
"""File name endings, lower case, that count as images when a folder is searched."""

RgbImage = NDArray[np.uint8]
"""Shape (H, W, 3), RGB, 0..255."""


@dataclass(frozen=True)
class Layers:
    """An image with what an RGB array does not hold."""

    colours: RgbImage
    alpha: NDArray[np.uint8] | None
    """Shape (H, W, 1), 0 is transparent; None for an image without transparency."""
    mode: str
    """Pillow's name of how the file stores pixels, such as ``RGB``, ``P`` or ``CMYK``."""
    profile: bytes | None
    """ICC profile of the colours, where they are still those of the file."""


def read_image(path: Path) -> RgbImage:
    """Reads an image file as RGB.

    The camera's rotation is applied, transparent pixels are laid on white, grey and palette
    images become RGB, and 16-bit grey is scaled to 8 bits.

    Args:
        path: A file in any format that Pillow reads.

    Returns:
        Array (H, W, 3), uint8, RGB.

    Raises:
        ImageError: When the file is missing, is no image, or is damaged.
    """
    with _opened(Path(path), str(path)) as image:
        return np.asarray(_as_rgb(image))


def decode_image(data: bytes, label: str) -> RgbImage:
    """Reads an image file's bytes, as `read_image` does.

    Args:
        data: In any format that Pillow reads.
        label: What an error calls them.

    Returns:
        Array (H, W, 3), uint8, RGB.

    Raises:
        ImageError: When they are no image, or damaged.
    """
    with _opened(io.BytesIO(data), label) as image:
        return np.asarray(_as_rgb(image))


def read_layers(path: Path) -> Layers:
    """Reads an image file as colours and transparency; nothing is laid on white.

    Otherwise as `read_image`.

    Raises:
        ImageError: When the file is missing, is no image, or is damaged.
    """
    with _opened(Path(path), str(path)) as image:
        profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None
        if not image.has_transparency_data:
            return Layers(np.asarray(_as_rgb(image)), None, image.mode, profile)
        rgba = np.asarray(image.convert("RGBA"))
        colours, alpha = (np.ascontiguousarray(part) for part in np.split(rgba, [3], axis=2))
        return Layers(colours, alpha, image.mode, profile)


@contextlib.contextmanager
def _opened(file: Path | io.BytesIO, label: str) -> Iterator[Image.Image]:
    """The image, upright; whatever goes wrong while it is read becomes an `ImageError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                yield ImageOps.exif_transpose(image)
    except FileNotFoundError as error:
        raise ImageError(f"{label} does not exist", hint="check the path") from error
    except IsADirectoryError as error:
        raise ImageError(f"{label} is a folder, not an image", hint="name an image file") from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{label} is not an image that can be read",
            hint="use PNG, JPEG, WebP, BMP or TIFF; if it is one, the file is damaged",
        ) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(
            f"{label} is too large (over {Image.MAX_IMAGE_PIXELS or 0:,} pixels)",
            hint="cut it into smaller images",
        ) from error
    except Exception as error:  # the decoders of damaged files raise nearly anything
        raise ImageError(
            f"can't read the image {label}: {_reason(error)}",
            hint="the file is damaged or not readable; replace or remove it",
        ) from error


def write_png(path: Path, image: RgbImage) -> None:
    """Writes an image as PNG, atomically.

    Args:
        path: Where to; missing folders are made.
        image: Array (H, W, 3), uint8, RGB.

    Raises:
        StoreError: When the file can't be written.
    """
    with atomic_file(path) as temporary:
        Image.fromarray(np.ascontiguousarray(image)).save(temporary, format="PNG")


def crop_to_multiple(image: RgbImage, multiple: int) -> RgbImage:
    """Cuts the right and bottom edge so that both sides are multiples of ``multiple``.

    Args:
        image: Array (H, W, 3).
        multiple: At least 1, in pixels.

    Returns:
        A view (H - H % multiple, W - W % multiple, 3); empty when a side is too small.
    """
    height, width = image.shape[:2]
    return image[: height - height % multiple, : width - width % multiple]


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image).astype(np.float64)
        if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion clips at 255
            values = values / 257
        return Image.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())

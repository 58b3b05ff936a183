"""Reading any common image file as RGB bytes, and writing PNG."""

import warnings
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
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.asarray(_as_rgb(ImageOps.exif_transpose(image)))
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist", hint="check the path") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path} is a folder, not an image", hint="name an image file") from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{path} is not an image that can be read",
            hint="use PNG, JPEG, WebP, BMP or TIFF; if it is one, the file is damaged",
        ) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(
            f"{path} is too large (over {Image.MAX_IMAGE_PIXELS or 0:,} pixels)",
            hint="cut it into smaller images",
        ) from error
    except Exception as error:  # the decoders of damaged files raise nearly anything
        raise ImageError(
            f"can't read the image {path}: {_reason(error)}",
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

"""A still picture from a file, upright, as a camera's note in the file says."""

from __future__ import annotations

import os
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from avtool.errors import MediaError
from avtool.values import Array

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def read_picture(path: str | os.PathLike[str], largest: tuple[int, int] | None = None) -> Array:
    """The picture, uint8 RGB [height, width, 3]; what shines through is on white.

    Args:
        largest: the long and the short side in pixels that it is made to fit, never larger.

    Raises:
        MediaError: it is missing, unreadable or no picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                image = ImageOps.exif_transpose(file)
                image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    except FileNotFoundError:
        raise MediaError(f"{path}: does not exist") from None
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise MediaError(f"{path}: is no readable picture ({error})") from error
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    if largest:
        long, short = max(image.size), min(image.size)
        scale = min(1.0, largest[0] / long, largest[1] / short)
        if scale < 1:
            size = tuple(max(2, round(side * scale)) for side in image.size)
            image = image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    return np.asarray(image)

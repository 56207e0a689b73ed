"""A still picture from a file, upright, as a camera's note in the file says."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from avtool.errors import MediaError
from avtool.media.door import let_in
from avtool.values import Array

# By content, not by name: Pillow would hand an EPS to Ghostscript, which runs it.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def read_picture(path: str | os.PathLike[str], largest: tuple[int, int] | None = None) -> Array:
    """The picture, uint8 RGB [height, width, 3]; what shines through is on white.

    Args:
        largest: the long and the short side in pixels that it is made to fit, never larger.

    Raises:
        MediaError: it is missing, no regular file, unreadable or no picture.
    """
    let_in(Path(path), str(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's, about tags and sizes
            with Image.open(path, formats=FORMATS) as file:
                image = ImageOps.exif_transpose(file)
                if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
                    image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
                image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
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

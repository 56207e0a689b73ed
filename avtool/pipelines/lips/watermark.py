"""A mark in the picture that says what it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

from avtool.draw.canvas import typeface
from avtool.values import Array, Frames

WORDS = "synthetic"


def marked(frames: Frames) -> Frames:
    """Pictures with the word in their lower left corner."""
    size = max(10, round(frames.height / 28))
    font = typeface(size)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(WORDS))
    label = Image.new("RGB", (right - left + size, bottom - top + size), (24, 24, 28))
    at = (size // 2 - left, size // 2 - top)
    ImageDraw.Draw(label).text(at, WORDS, (255, 255, 255), font)
    tile = np.asarray(label)[: frames.height, : frames.width]

    def images() -> Iterator[Array]:
        for image in frames.images():
            out = image.copy()
            out[-tile.shape[0] :, : tile.shape[1]] = tile
            yield out

    return Frames(images, frames.fps, frames.width, frames.height)

"""What the sheets of several commands share: their measures and greys, and portraits' corners."""

from __future__ import annotations

from PIL import Image, ImageDraw

WIDTH, MARGIN, SIDE, GAP, HEAD, FOOT = 1600, 48, 160, 28, 104, 84
GREY, RULE = (120, 122, 130), (226, 228, 234)
SEEN_RGB, SPEAKS_RGB = (188, 205, 232), (30, 96, 200)


def rounded() -> Image.Image:
    """The mask of a portrait."""
    mask = Image.new("L", (4 * SIDE, 4 * SIDE), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, 4 * SIDE - 1, 4 * SIDE - 1), 48, 255)
    return mask.resize((SIDE, SIDE), Image.Resampling.LANCZOS)

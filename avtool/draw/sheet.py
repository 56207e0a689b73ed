"""A sheet: a title, pictures and lanes over time; what the pictures of several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from avtool.draw.canvas import fitted, time_ticks, typeface
from avtool.draw.palette import INK_RGB, PAPER_RGB
from avtool.values import FPS, Array

WIDTH, MARGIN, SIDE, GAP, HEAD, FOOT = 1600, 48, 160, 28, 104, 84
RIGHT = WIDTH - MARGIN
GREY, RULE = (120, 122, 130), (226, 228, 234)
SEEN_RGB, SPEAKS_RGB = (188, 205, 232), (30, 96, 200)

RGB = tuple[int, int, int]


def row(number: int) -> int:
    """Where a row of portraits begins, or after the last where the foot does."""
    return HEAD + number * (SIDE + GAP)


class Sheet:
    """A white picture with a title. Lanes run from ``left`` to ``RIGHT``, their names before them.

    Args:
        subtitle: what is seen, in a line below the title.
    """

    def __init__(self, height: int, title: str, subtitle: str, left: int = MARGIN + 132) -> None:
        self.image = Image.new("RGB", (WIDTH, height), PAPER_RGB)
        self.draw = ImageDraw.Draw(self.image)
        self.left = left
        self._start, self._scale = 0.0, 1.0
        self.text(MARGIN, 36, fitted(title, 30, RIGHT - MARGIN), size=30)
        self.grey(MARGIN, 72, subtitle)

    def text(
        self, x: float, y: float, text: str, at: str = "lm", size: int = 20, colour: RGB = INK_RGB
    ) -> None:
        """Text with its anchor at a point; ``at`` as Pillow names anchors."""
        self.draw.text((x, y), text, colour, typeface(size), at)

    def grey(self, x: float, y: float, text: str, at: str = "lm", size: int = 19) -> None:
        self.text(x, y, text, at, size, GREY)

    def name(self, y: float, text: str) -> None:
        """The name of a lane."""
        self.text(self.left - 16, y, text, "rm")

    def portrait(self, y: int, picture: Array) -> None:
        """A face with round corners at the left margin."""
        mask = Image.new("L", (4 * SIDE, 4 * SIDE), 0)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, 4 * SIDE - 1, 4 * SIDE - 1), 48, 255)
        small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        self.image.paste(small, (MARGIN, y), mask.resize(small.size, Image.Resampling.LANCZOS))

    def picture(
        self, x: int, y: int, picture: Array, wide: int, high: int, *, grow: bool = False
    ) -> int:
        """A picture shrunk (or grown) into a box, in the middle of its width; its left edge."""
        small = Image.fromarray(picture)
        small.thumbnail((wide, high), Image.Resampling.LANCZOS)
        if grow and small.width < wide and small.height < high:
            scale = min(wide / small.width, high / small.height)
            size = round(small.width * scale), round(small.height * scale)
            small = small.resize(size, Image.Resampling.BICUBIC)
        x += (wide - small.width) // 2
        self.image.paste(small, (x, y))
        return x

    def time_axis(self, start: float, end: float, at: Sequence[int], colour: RGB = RULE) -> None:
        """Lines at round times; ``at`` is the height of their top, foot, texts, and of the unit."""
        self._start = start
        self._scale = (RIGHT - self.left) / (max(end, start + 1e-3) - start)
        ticks, unit = time_ticks(start, end)
        for time, text in ticks:
            x = self.x(time)
            self.draw.line((x, at[0], x, at[1]), colour)
            self.text(x, at[2], text, "ma")
        self.grey((self.left + RIGHT) / 2, at[3], f"time [{unit}]", "mm", 20)

    def x(self, seconds: float) -> float:
        """Where a time of the axis stands."""
        return self.left + (seconds - self._start) * self._scale

    def sound(self, y: int, level: Array) -> None:
        """A lane of loudness, ``FPS`` a second, 0 to 1."""
        across = np.arange(self.left, RIGHT, 3)
        place = ((across - self.left) / self._scale * FPS).astype(int)
        heights = np.pad(level, (0, 1))[np.minimum(place, len(level))] * 30
        for x, high in zip(across.tolist(), heights, strict=True):
            self.draw.line((x, y - high, x, y + high), GREY)
        self.name(y, "sound")

    def curve(self, y: int, points: Sequence[tuple[float, float]]) -> None:
        """A lane of points (x, y) joined by a line; what is between it and its foot is filled."""
        self.draw.polygon([(self.left, y), *points, (RIGHT, y)], SEEN_RGB)
        self.draw.line(list(points), SPEAKS_RGB, 3)

    def save(self, path: Path, *, optimize: bool = False) -> None:
        self.image.save(path, format="PNG", optimize=optimize)

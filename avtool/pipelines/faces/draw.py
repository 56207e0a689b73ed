"""A contact sheet of faces: numbered portraits, when each is seen, and when each speaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from avtool.draw.canvas import fitted, time_ticks, typeface
from avtool.draw.palette import INK_RGB, PAPER_RGB
from avtool.draw.sheet import (
    FOOT,
    GAP,
    GREY,
    HEAD,
    MARGIN,
    RULE,
    SEEN_RGB,
    SIDE,
    SPEAKS_RGB,
    WIDTH,
    rounded,
)
from avtool.pipelines.faces.values import Face, Faces


def draw_sheet(value: Faces, path: Path, title: str) -> None:
    """Write the sheet as PNG, one row a face."""
    rows = max(1, len(value.faces))
    height = HEAD + rows * (SIDE + GAP) + FOOT
    image = Image.new("RGB", (WIDTH, height), PAPER_RGB)
    draw = ImageDraw.Draw(image)
    text = fitted(title, 30, WIDTH - 2 * MARGIN)
    draw.text((MARGIN, 36), text, INK_RGB, typeface(30), anchor="lm")
    count = len(value.faces)
    said = "no face was found" if not count else "1 face" if count == 1 else f"{count} faces"
    draw.text((MARGIN, 72), said, GREY, typeface(19), anchor="lm")
    left = MARGIN + SIDE + 84
    line = _Line(left, WIDTH - MARGIN, value.start, max(value.end, value.start + 1e-3))
    if count:
        _key(draw, WIDTH - MARGIN, 72)
    for row, face in enumerate(value.faces):
        top = HEAD + row * (SIDE + GAP)
        portrait = Image.fromarray(face.portrait).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        image.paste(portrait, (MARGIN, top), rounded())
        draw.text((MARGIN + SIDE + 42, top + SIDE / 2), str(face.face), INK_RGB, typeface(44), "mm")
    bottom = HEAD + rows * (SIDE + GAP) - GAP // 2
    ticks, unit = time_ticks(value.start, value.end)
    for time, text in ticks:
        x = line.x(time)
        draw.line((x, HEAD - 8, x, bottom), RULE)
        draw.text((x, bottom + 10), text, INK_RGB, typeface(20), anchor="ma")
    for row, face in enumerate(value.faces):  # over the lines
        _row(draw, line, face, value.step, HEAD + row * (SIDE + GAP))
    middle = (left + WIDTH - MARGIN) / 2
    draw.text((middle, height - 22), f"time [{unit}]", GREY, typeface(20), anchor="mm")
    image.save(path, format="PNG")


class _Line:
    """Where a time stands."""

    def __init__(self, left: float, right: float, start: float, end: float) -> None:
        self._left, self._start = left, start
        self._scale = (right - left) / (end - start)

    def x(self, seconds: float) -> float:
        return self._left + (seconds - self._start) * self._scale


def _row(draw: ImageDraw.ImageDraw, line: _Line, face: Face, step: float, top: int) -> None:
    """A light bar where the face is seen, a dark one in it where it speaks."""
    middle = top + SIDE / 2
    breaks = np.flatnonzero(np.diff(face.times) > 1.5 * step)
    firsts = np.concatenate([[0], breaks + 1])
    lasts = np.concatenate([breaks, [len(face.times) - 1]])
    for first, last in zip(face.times[firsts], face.times[lasts] + step, strict=True):
        box = (line.x(first), middle - 30, max(line.x(last), line.x(first) + 1), middle + 30)
        draw.rounded_rectangle(box, 6, SEEN_RGB)
    for start, end in face.speaking:
        box = (line.x(start), middle - 18, max(line.x(end), line.x(start) + 1), middle + 18)
        draw.rounded_rectangle(box, 4, SPEAKS_RGB)


def _key(draw: ImageDraw.ImageDraw, right: float, middle: float) -> None:
    for colour, text in ((SPEAKS_RGB, "speaks"), (SEEN_RGB, "is seen")):
        draw.text((right, middle), text, GREY, typeface(19), anchor="rm")
        right -= typeface(19).getlength(text) + 12
        draw.rounded_rectangle((right - 28, middle - 9, right, middle + 9), 4, colour)
        right -= 56
